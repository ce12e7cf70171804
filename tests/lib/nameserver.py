"""Name servers on loopback for tests: a real one (nsd), and a mock that is slow
or silent on demand. Standard library only.
"""

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
    """A real nsd with the zone `example`, whose text is given."""

    def __init__(self, scratch, zone):
        program = shutil.which("nsd")
        if not program:
            raise Skip("nsd is not installed")
        folder = scratch.folder("nsd")
        scratch.write("nsd/example.zone",
                      "$ORIGIN example.\n$TTL 300\n"
                      "@ SOA ns.example. root.example. 1 3600 600 86400 2\n"
                      "@ NS ns\nns A 127.0.0.1\n" + zone)
        self.port = free_port()
        conf = scratch.write("nsd/nsd.conf", NSD_CONF.format(
            port=self.port, folder=folder))
        self.process = subprocess.Popen(
            [program, "-d", "-c", conf], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=open(os.path.join(folder, "log"), "wb"),
            start_new_session=True)
        scratch.running.append(self)
        wait_for(self._is_up, "nsd on port %d" % self.port)

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError("nsd ended with %r" % self.process.returncode)
        return ask(self.port, "ns.example", seconds=0.2)

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
	ipv4-edns-size: 1232
remote-control:
	control-enable: no
zone:
	name: example
	zonefile: example.zone
"""


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


