"""Name servers on loopback for tests: a real one (nsd), a relay before it that
truncates and loses questions on demand, and a mock that is slow or silent on
demand. Standard library only.
"""

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading

from fixture import Skip, end_process, wait_for
from ports import free_port

TC = 0x0200


def question(name, kind, number=4711, size=None):
    """A query's bytes; with EDNS when a size is given."""
    data = struct.pack("!6H", number, 0x0100, 1, 0, 0, 1 if size else 0)
    for label in name.split("."):
        data += bytes([len(label)]) + label.encode()
    data += b"\0" + struct.pack("!2H", kind, 1)
    if size:
        data += b"\0" + struct.pack("!HHIH", 41, size, 0, 0)
    return data


def asked_name(data):
    """The name in lower case, and where its question ends."""
    labels, at = [], 12
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels).lower(), at + 5


def read_message(conn):
    """One message of DNS over TCP; b"" at the end."""
    data = b""
    while len(data) < 2 or len(data) < 2 + struct.unpack("!H", data[:2])[0]:
        more = conn.recv(65535)
        if not more:
            return b""
        data += more
    return data[2:]


def ask(port, name, kind=1, size=None, seconds=5):
    """The reply's bytes over UDP, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(seconds)
        s.connect(("127.0.0.1", port))
        try:
            s.send(question(name, kind, size=size))
            return s.recv(65535)
        except OSError:
            return None


class Nsd:
    """A real nsd with one zone, whose text is given: `example`, or the root
    (".") for names of any kind."""

    def __init__(self, scratch, zone, origin="example", folder="nsd"):
        program = shutil.which("nsd")
        if not program:
            raise Skip("nsd is not installed")
        path = scratch.folder(folder)
        self.probe = ("ns." + origin).rstrip(".")
        scratch.write(folder + "/zone",
                      "$ORIGIN %s.\n$TTL 300\n" % origin.rstrip(".") +
                      "@ SOA ns root 1 3600 600 86400 2\n"
                      "@ NS ns\nns A 127.0.0.1\n" + zone)
        self.port = free_port()
        conf = scratch.write(folder + "/nsd.conf", NSD_CONF.format(
            port=self.port, folder=path, origin=origin))
        self.process = subprocess.Popen(
            [program, "-d", "-c", conf], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=open(os.path.join(path, "log"), "wb"),
            start_new_session=True)
        scratch.running.append(self)
        wait_for(self._is_up, "nsd on port %d" % self.port)

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError("nsd ended with %r" % self.process.returncode)
        reply = ask(self.port, self.probe, seconds=0.2)
        return reply and reply[3] & 15 == 0 and reply

    def freeze(self, frozen=True):
        """All processes of this nsd, which are a session of their own."""
        os.killpg(self.process.pid,
                  signal.SIGSTOP if frozen else signal.SIGCONT)

    def stop(self):
        if self.process.poll() is None:
            self.freeze(False)
            end_process(self.process)


NSD_CONF = """
server:
	ip-address: 127.0.0.1@{port}
	server-count: 1
	username: ""
	chroot: ""
	zonesdir: "{folder}"
	database: ""
	zonelistfile: "{folder}/zone.list"
	xfrdfile: "{folder}/xfrd.state"
	xfrdir: "{folder}"
	pidfile: "{folder}/nsd.pid"
	logfile: "{folder}/nsd.log"
	hide-version: yes
	rrl-ratelimit: 0
	rrl-size: 100
	tcp-count: 20
	ipv4-edns-size: 1232
remote-control:
	control-enable: no
zone:
	name: "{origin}"
	zonefile: zone
"""


class Relay:
    """Between a resolver and a real server, over UDP and TCP: passes on what
    comes, with three exceptions. A question for which lost(name, kind) is true
    gets no answer; an answer over UDP of more than `most` bytes comes back
    empty with TC, as from a server with little room; and truncated(answer),
    tcp(question) count."""

    def __init__(self, scratch, port, lost=lambda name, kind: False,
                 most=65535):
        self.to = ("127.0.0.1", port)
        self.lost, self.most = lost, most
        self.lock = threading.Lock()
        self.truncated = self.tcp = self.udp = 0
        self.ended = threading.Event()
        self.port = free_port()
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", self.port))
        self.listener = socket.create_server(("127.0.0.1", self.port),
                                             backlog=64)
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self._serve_udp, self._serve_tcp)]
        for thread in self.threads:
            thread.start()
        scratch.running.append(self)

    def _is_lost(self, data):
        name, end = asked_name(data)
        return self.lost(name, struct.unpack("!H", data[end - 4:end - 2])[0])

    def _count(self, **what):
        with self.lock:
            for name, n in what.items():
                setattr(self, name, getattr(self, name) + n)

    def _serve_udp(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as up:
            up.connect(self.to)
            up.settimeout(5)
            while True:
                data, peer = self.s.recvfrom(65535)
                if self.ended.is_set():
                    return
                if self._is_lost(data):
                    continue
                answer = self._ask_udp(up, data)
                if answer:
                    self.s.sendto(self._cut(answer), peer)

    @staticmethod
    def _ask_udp(up, data):
        try:
            up.send(data)
            while True:
                answer = up.recv(65535)
                if answer[:2] == data[:2]:
                    return answer
        except OSError:
            return None

    def _cut(self, answer):
        flags = struct.unpack("!H", answer[2:4])[0]
        if len(answer) > self.most and not flags & TC:
            _, end = asked_name(answer)
            answer = answer[:2] + struct.pack("!5H", flags | TC, 1, 0, 0,
                                              0) + answer[12:end]
            flags |= TC
        self._count(udp=1, truncated=int(flags & TC != 0))
        return answer

    def _serve_tcp(self):
        while True:
            conn, _ = self.listener.accept()
            if self.ended.is_set():
                conn.close()
                return
            thread = threading.Thread(target=self._one_tcp, args=(conn,),
                                      daemon=True)
            thread.start()

    def _one_tcp(self, conn):
        try:
            with conn, socket.create_connection(self.to, 5) as up:
                conn.settimeout(60)
                while True:
                    data = read_message(conn)
                    if not data:
                        return
                    if self._is_lost(data):
                        continue
                    self._count(tcp=1)
                    up.sendall(struct.pack("!H", len(data)) + data)
                    answer = read_message(up)
                    conn.sendall(struct.pack("!H", len(answer)) + answer)
        except OSError:
            pass

    def stop(self):
        self.ended.set()
        # Wakes the threads, which a close alone would not.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", ("127.0.0.1", self.port))
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        for thread in self.threads:
            thread.join(10)
        self.s.close()
        self.listener.close()


class MockServer:
    """A MOCK of a name server, over UDP only: A records out of a table,
    NXDOMAIN for the rest. Names below a suffix of `delays` are answered so
    many seconds late, or with None never. Both tables may change."""

    def __init__(self, scratch, addresses, delays=None):
        self.addresses, self.delays = dict(addresses), dict(delays or {})
        self.names = []
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.port = free_port()
        self.s.bind(("127.0.0.1", self.port))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        scratch.running.append(self)

    def asked(self, suffix):
        with self.lock:
            return sum(name.endswith(suffix) for name in self.names)

    def _delay(self, name):
        for suffix, seconds in self.delays.items():
            if name.endswith(suffix):
                return seconds
        return 0

    def _serve(self):
        while True:
            try:
                data, peer = self.s.recvfrom(65535)
            except OSError:
                return
            if self.ended.is_set():
                return
            name, end = asked_name(data)
            with self.lock:
                self.names.append(name)
            delay = self._delay(name)
            if delay is None:
                continue
            if delay == 0:
                self._reply(data[:end], name, peer)
                continue
            timer = threading.Timer(delay, self._reply,
                                    (data[:end], name, peer))
            timer.daemon = True
            timer.start()

    def _reply(self, data, name, peer):
        number = struct.unpack("!H", data[:2])[0]
        kind = struct.unpack("!H", data[-4:-2])[0]
        answers = self.addresses.get(name, []) if kind == 1 else []
        known = name in self.addresses
        reply = struct.pack("!6H", number, 0x8580 | (0 if known else 3), 1,
                            len(answers), 0, 0) + data[12:]
        for address in answers:
            reply += struct.pack("!3HIH", 0xC00C, 1, 1, 60, 4)
            reply += socket.inet_aton(address)
        try:
            self.s.sendto(reply, peer)
        except OSError:
            pass

    def stop(self):
        self.ended.set()
        # Wakes the thread, which a close alone would not.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join(10)
        self.s.close()


