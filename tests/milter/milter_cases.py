"""assayd over real sockets, spoken to by a scripted MTA. TAP on standard
output. Usage: test_milter.py PATH-OF-ASSAYD [NAME-OF-CASE...]"""

import json
import os
import pwd
import random
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
from milter import *  # noqa: E402,F403
from ports import free_port  # noqa: E402

ASSAYD = os.path.abspath(sys.argv[1])
RULES = r"""
body GTUBE /GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL/
score GTUBE 1000
body SOMEWHAT /somewhat bad/
score SOMEWHAT 6
"""
ZONE = """
example.com TXT "v=spf1 ip4:192.0.2.25 -all"
"""
IS_ROOT = os.geteuid() == 0


class Daemon:
    """One assayd with a folder of its own."""

    def __init__(self, *options, socket_text=None, start=True, conf="",
                 foreground=True, pass_fds=(), mode="enforce", zone=True):
        self.dir = tempfile.mkdtemp(prefix="assay-milter-")
        os.chmod(self.dir, 0o755)
        os.mkdir(self.path("rules"))
        self.write("rules/test.cf", RULES)
        self.write("zone", ZONE)
        self.write("assay.conf", conf)
        self.socket = self.path("milter.sock")
        self.control = self.path("control.sock")
        self.argv = [
            ASSAYD, "-c", self.path("assay.conf"),
            "-o", "state=" + self.path("state"),
            "-o", "control=" + self.control,
            "-o", "rules.path=" + self.path("rules"),
            "-o", "milter.authserv_id=mx.example.org",
            "-o", "policy.default.mode=" + mode,
            "-p", socket_text or "unix:" + self.socket]
        if zone:
            self.argv += ["-o", "dns.zone=" + self.path("zone")]
        if foreground:
            self.argv.append("-f")
        self.argv += options
        self.pass_fds = pass_fds
        self.process = None
        if start:
            self.start()

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def start(self):
        self.log_file = open(self.path("log"), "ab")
        self.process = subprocess.Popen(
            self.argv, stdout=self.log_file, stderr=self.log_file,
            pass_fds=self.pass_fds)
        self.wait_for_control()

    def wait_for_control(self):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError(
                    "assayd ended at start: " + self.log())
            if " serves " in self.log():
                return
            time.sleep(0.02)
        raise AssertionError("assayd does not start: " + self.log())

    def log(self):
        with open(self.path("log"), "rb") as f:
            return f.read().decode("latin-1")

    def ask(self, request):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(30)
        s.connect(self.control)
        if not isinstance(request, bytes):
            request = json.dumps({"request": request}).encode() + b"\n"
        s.sendall(request)
        data = b""
        while not data.endswith(b"\n"):
            more = s.recv(65536)
            if not more:
                break
            data += more
        s.close()
        return json.loads(data) if data else None

    def milter(self, **negotiation):
        return Milter(self.socket).negotiate(**negotiation)

    def works(self):
        """A message goes through from a fresh connection."""
        with self.milter().begin() as m:
            reply = m.message()
        assert reply.letter == "c", reply
        assert self.process.poll() is None, self.log()

    def wait_sessions(self, want):
        until = time.monotonic() + 15
        while time.monotonic() < until:
            now = self.ask("status")["sessions"]["now"]
            if now == want:
                return
            time.sleep(0.05)
        raise AssertionError("sessions: want %d, have %d" % (want, now))

    def stop(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)
        return self.process.returncode if self.process else None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for word in ("AddressSanitizer", "runtime error", "ThreadSanitizer",
                     "Assertion", "LeakSanitizer", "private data"):
            assert word not in self.log(), self.log()
        shutil.rmtree(self.dir, ignore_errors=True)


CASES = []


def case(claim):
    def add(function):
        CASES.append((claim, function))
        return function
    return add


# --- messages ---------------------------------------------------------------

@case("a message is authenticated, described and let through")
def plain():
    with Daemon() as d:
        with d.milter() as m:
            assert m.steps & NR_HEADER and m.steps & LEADING_SPACE
            assert not m.steps & NEVER, "refusals would be lost"
            assert m.steps & NO_UNKNOWN and m.steps & NO_DATA
            m.begin()
            reply = m.message()
        assert reply.letter == "c"
        fields = inserted(reply)
        # Each is inserted on top: the last one inserted stands first.
        assert fields[-1][0] == "Authentication-Results", fields
        assert fields[-1][1].startswith(" mx.example.org;"), fields
        assert "spf=pass" in fields[-1][1]
        assert all(value.startswith(" ") for _, value in fields), fields
        assert "4Xh2Qk3b9Yz: ref=" in d.log()
        assert d.stop() == 0


@case("a refusal has its reply, and the session goes on")
def refusal():
    with Daemon("-o", "policy.default.help_url=https://a.example/%41") as d:
        with d.milter().begin() as m:
            reply = m.message(body=GTUBE, sender="<100%@ex%ample.com>")
            assert reply.letter == "y", reply
            assert reply.text.startswith("550 5.7.1 "), reply
            # libmilter wants them doubled; the MTA halves them.
            assert "https://a.example/%%41" in reply.text, reply
            assert "ex%%ample.com" in reply.text, reply
            assert m.message().letter == "c"
        assert d.stop() == 0


@case("observe lets everything through with two fields")
def observe():
    with Daemon(mode="observe") as d:
        with d.milter().begin() as m:
            reply = m.message(body=GTUBE, headers=DEFAULT_HEADERS + (
                ("X-Spam-Flag", "YES"), ("X-Assay-Ref", "forged")))
        assert reply.letter == "c"
        names = sorted(name for name, _ in inserted(reply))
        assert names == ["X-Assay-Ref", "X-Assay-Would"], reply
        assert removed(reply) == [("X-Assay-Ref", 1)], reply


@case("1,000 messages in one connection")
def many_messages():
    with Daemon() as d:
        with d.milter().begin() as m:
            for i in range(1000):
                if i % 10 == 3:
                    m.mail()
                    m.rcpt()
                    m.abort()
                assert m.message(queue_id="Q%d" % i).letter == "c"
        status = d.ask("status")
        assert status["messages"]["in"]["accept"] == 1000, status
        assert status["aborted"] == 100, status
        assert d.stop() == 0


@case("a body of 20 MB, in the largest chunks")
def large():
    with Daemon() as d:
        with d.milter().begin() as m:
            line = b"x" * 70 + b"\r\n"
            reply = m.message(body=line * (20 * 1024 * 1024 // len(line)))
        assert reply.letter == "c"
        assert d.ask("status")["body_memory"] == 0
        known = {"site.key", "state.lock", "store", "verdicts"}
        left = set(os.listdir(d.path("state"))) - known
        assert not left, "a spool file was left: %r" % left


@case("a dead resolver: the MTA is kept waiting, then the mail goes on")
def dead_resolver():
    hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    hole.bind(("127.0.0.1", 0))
    with Daemon("-o", "dns.nameservers=127.0.0.1@%d" % hole.getsockname()[1],
                "-o", "dns.timeout=7s", "-o", "dns.message_time=7s",
                zone=False) as d:
        with d.milter().begin() as m:
            started = time.monotonic()
            reply = m.message()
            took = time.monotonic() - started
        assert reply.letter == "c", reply
        assert "p" in [letter for letter, _ in reply.edits], reply
        assert 5 < took < 14, took
        assert "degraded=dns" in d.log(), d.log()
        assert "spf=temperror" in d.log(), d.log()
        assert d.stop() == 0
    hole.close()


# --- the protocol -----------------------------------------------------------

def steps(m):
    """A whole session as single steps."""
    yield lambda: m.negotiate()
    yield lambda: m.macros("C", j="mx.example.org", daemon_name="smtpd")
    yield lambda: m.connect()
    yield lambda: m.helo()
    yield lambda: m.macros("M", auth_authen="")
    yield lambda: m.mail()
    yield lambda: m.rcpt()
    yield lambda: m.rcpt("<other@example.org>")
    for name, value in DEFAULT_HEADERS:
        yield lambda n=name, v=value: m.header(n, v)
    yield lambda: m.macros("N", i="Q")
    yield lambda: m.eoh()
    yield lambda: m.body(b"one\r\n")
    yield lambda: m.body(b"two\r\n")
    yield lambda: m.eom()
    yield lambda: m.mail()
    yield lambda: m.abort()


@case("the MTA may drop the socket between any two callbacks")
def drops():
    with Daemon() as d:
        total = len(list(steps(None)))
        for n in range(total + 1):
            with Milter(d.socket) as m:
                for i, step in enumerate(steps(m)):
                    if i == n:
                        break
                    step()
        d.works()
        d.wait_sessions(0)
        assert d.stop() == 0


@case("the MTA may drop the socket in the middle of a packet")
def half_packets():
    with Daemon() as d:
        for n in range(1, 20):
            with d.milter().begin() as m:
                m.mail()
                m.s.sendall((struct.pack("!I", 100) + b"L" + b"x" * 50)[:n])
        d.works()
        d.wait_sessions(0)


@case("held half packets do not keep the next session waiting")
def held_half_packets():
    # Half of a first packet holds a worker that the pool takes for idle.
    with Daemon() as d:
        for _ in range(2):
            held = [Milter(d.socket) for _ in range(4)]
            for m in held:
                m.s.sendall(struct.pack("!I", 100) + b"O")
            with d.milter().begin() as m:
                assert m.message().letter == "c"
            for m in held:
                m.close()
        d.wait_sessions(0)


@case("garbage ends its connection and nothing else")
def garbage():
    rng = random.Random(1)
    with Daemon() as d:
        for size in (1, 3, 4, 5, 100, 5000):
            for _ in range(5):
                with Milter(d.socket) as m:
                    m.s.sendall(bytes(rng.randrange(256)
                                      for _ in range(size)))
        for length in (0, 1, 0xffffffff, 0x7fffffff, 100000):
            with Milter(d.socket) as m:
                m.s.sendall(struct.pack("!I", length) + b"Oxxxx")
        d.works()
        d.wait_sessions(0)


@case("an oversized packet ends its connection")
def oversized():
    with Daemon() as d:
        with d.milter().begin() as m:
            m.mail()
            try:
                m.s.sendall(struct.pack("!I", 0x1000001) + b"L" + b"x" * 99999)
                m.receive()
                raise AssertionError("it was answered")
            except (Closed, ConnectionError):
                pass
        d.works()
        d.wait_sessions(0)


@case("callbacks out of order are survived")
def out_of_order():
    rng = random.Random(2)
    packets = [
        ("C", b"h\0" + b"4" + struct.pack("!H", 1) + b"192.0.2.1\0"),
        ("H", b"helo\0"), ("M", b"<a@example.com>\0"),
        ("R", b"<b@example.org>\0"), ("L", b"From\0 a@example.com\0"),
        ("N", b""), ("B", b"body\r\n"), ("E", b""), ("A", b""),
        ("D", b"Mi\0Q\0"), ("T", b""), ("U", b"XYZZY\0"), ("K", b""),
        ("M", b""), ("R", b""), ("L", b""), ("C", b""), ("H", b""),
        ("O", b"short")]
    with Daemon() as d:
        for _ in range(60):
            with d.milter() as m:
                m.s.settimeout(5)
                try:
                    for _ in range(25):
                        m.send(*rng.choice(packets))
                except OSError:
                    pass
        d.works()
        d.wait_sessions(0)
        assert d.stop() == 0


@case("an old MTA without waived replies and leading blanks is served")
def old_mta():
    with Daemon() as d:
        with Milter(d.socket) as m:
            m.negotiate(version=2, actions=OLD_ACTIONS, steps=OLD_STEPS)
            assert not m.steps & LEADING_SPACE
            assert m.version == 2
            m.begin()
            m.mail()
            m.rcpt()
            for name, value in DEFAULT_HEADERS:
                m.header(name, value)
                if not m.steps & NR_HEADER:
                    pass
            m.eoh()
            m.body(b"x\r\n")
            reply = m.eom()
        assert reply.letter in "ca", reply
        assert all(letter == "h" or letter == "i"
                   for letter, _ in reply.edits), reply
        for name, value in inserted(reply):
            assert not value.startswith(" "), (name, value)
        assert d.log().count("does not offer all") >= 1
        d.works()


@case("an MTA that offers no edits at all is served, and it is said once")
def no_edits():
    with Daemon() as d:
        for _ in range(3):
            with d.milter(actions=0x40) as m:
                m.begin()
                reply = m.message(body=b"somewhat bad\r\n")
                assert reply.letter == "c" and not reply.edits, reply
        assert d.log().count("no header field is added") == 1


@case("a second connection over one socket (QUIT_NC)")
def quit_nc():
    with Daemon() as d:
        with d.milter().begin() as m:
            assert m.message().letter == "c"
            m.send("K")
            m.connect(host="other.example", ip="198.51.100.9")
            m.helo()
            reply = m.message()
            assert reply.letter == "c"
            assert inserted(reply)[0][1].startswith(" "), reply
            assert "client=other.example[198.51.100.9]" in d.log()
        d.wait_sessions(0)


@case("clients: IPv6, Unix, unknown")
def clients():
    with Daemon() as d:
        with d.milter() as m:
            m.connect(ip="2001:db8::1", family="6")
            m.helo()
            m.message()
        with d.milter() as m:
            m.connect(family="U")
            m.helo()
            m.message()
        assert "[2001:db8::1]" in d.log()
        assert "client=local" in d.log()


# --- load and signals -------------------------------------------------------

@case("200 connections at once, and idle ones in between")
def crowd():
    with Daemon() as d:
        idle = [d.milter().begin() for _ in range(100)]
        errors = []

        def work():
            try:
                with d.milter().begin() as m:
                    for _ in range(5):
                        assert m.message().letter == "c"
            except Exception as e:  # told below
                errors.append(e)
        threads = [threading.Thread(target=work) for _ in range(100)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not errors, errors[0]
        for m in idle:
            assert m.message().letter == "c"
            m.close()
        assert d.ask("status")["sessions"]["max"] >= 100
        d.wait_sessions(0)
        assert d.stop() == 0


@case("100 SIGHUPs under 50 sessions lose nothing")
def storm():
    with Daemon() as d:
        done, errors = threading.Event(), []

        def work():
            try:
                with d.milter().begin() as m:
                    while not done.is_set():
                        assert m.message().letter == "c"
            except Exception as e:  # told below
                errors.append(e)
        threads = [threading.Thread(target=work) for _ in range(50)]
        for t in threads:
            t.start()
        for i in range(100):
            d.process.send_signal(
                signal.SIGHUP if i % 2 else signal.SIGUSR1)
            time.sleep(0.01)
        done.set()
        for t in threads:
            t.join()
        assert not errors, errors[0]
        status = d.ask("status")
        assert status["reloads"] >= 1 and status["reloads_failed"] == 0
        assert status["configuration"] == status["reloads"] + 1
        d.works()
        assert d.stop() == 0


@case("SIGHUPs faster than they can be taken do not end it")
def flood():
    with Daemon() as d:
        for i in range(3000):
            d.process.send_signal(
                signal.SIGHUP if i % 2 else signal.SIGUSR1)
        d.works()
        assert d.ask("status")["reloads"] >= 1
        assert d.stop() == 0, d.log()


@case("SIGTERM at once after the start ends in order")
def at_once():
    for _ in range(5):
        with Daemon() as d:
            assert d.stop() == 0, d.log()


@case("SIGTERM ends in order, with sessions open and one in mid-message")
def orderly():
    with Daemon() as d:
        open_ones = [d.milter().begin() for _ in range(10)]
        open_ones[0].mail()
        started = time.monotonic()
        assert d.stop() == 0, d.log()
        assert time.monotonic() - started < 10
        assert "assayd stops" in d.log()
        assert not os.path.exists(d.socket)
        assert not os.path.exists(d.control)
        for m in open_ones:
            m.close()


@case("SIGINT ends too")
def interrupt():
    with Daemon() as d:
        assert d.stop(signal.SIGINT) == 0


@case("more sessions than allowed are turned away, others served")
def overload():
    with Daemon("-o", "limits.sessions=5") as d:
        held = []
        for _ in range(5):
            m = d.milter()
            assert m.connect().letter == "c"
            held.append(m)
        with d.milter() as m:
            reply = m.connect()
            assert reply.letter == "y", reply
            assert reply.text.startswith("421 4.3.2 "), reply
        assert held[0].helo() is None
        assert held[0].message().letter == "c"
        held[1].quit()
        d.wait_sessions(4)
        d.works()
        assert d.ask("status")["sessions"]["turned_away"] == 1
        for m in held:
            m.close()


# --- reload and control -----------------------------------------------------

@case("a broken reload returns its errors; the old configuration stays")
def broken_reload():
    with Daemon(conf="policy default { tag = 5 }\n") as d:
        d.write("assay.conf", "policy default { tagg = 5\n tag = x }\n")
        reply = d.ask("reload")
        assert reply["ok"] is False, reply
        assert len(reply["errors"]) >= 2, reply
        assert all("assay.conf:" in e for e in reply["errors"]), reply
        d.write("rules/test.cf", "body X /(/\n")
        d.write("assay.conf", "")
        assert d.ask("reload")["ok"] is False
        with d.milter().begin() as m:
            assert m.message(body=GTUBE).letter == "y"
        d.write("rules/test.cf", "")
        assert d.ask("reload")["ok"] is True
        with d.milter().begin() as m:
            assert m.message(body=GTUBE).letter == "c"


@case("a reload names what only a restart changes, and applies the rest")
def restart_only():
    with Daemon() as d:
        d.write("assay.conf", "limits { waiting = 77 }\n"
                              "policy default { reject = 2000 }\n")
        reply = d.ask("reload")
        assert reply["ok"] is True, reply
        assert reply["restart"] == "limits.waiting", reply
        with d.milter().begin() as m:
            assert m.message(body=GTUBE).letter == "c"


@case("nonsense on the control socket is answered or dropped")
def control_nonsense():
    with Daemon() as d:
        for text in (b"\n", b"{}\n", b"[]\n", b"nonsense\n", b"\xff\xfe\n",
                     b'{"request": 7}\n', b'{"request": "nothing"}\n'):
            reply = d.ask(text)
            assert reply["ok"] is False and reply["error"], (text, reply)
        s = socket.socket(socket.AF_UNIX)
        s.connect(d.control)
        try:
            s.sendall(b"x" * 100000)
            assert s.recv(10) == b""
        except OSError:
            pass
        slow = []
        for _ in range(40):
            s = socket.socket(socket.AF_UNIX)
            s.connect(d.control)
            slow.append(s)
        time.sleep(0.2)
        for s in slow:
            s.close()
        assert d.ask("status")["ok"] is True


@case("the control socket asks who asks")
def control_rights():
    if not IS_ROOT:
        return "needs root"
    nobody = pwd.getpwnam("nobody")
    with Daemon() as d:
        script = (
            "import os, socket, sys\n"
            "os.setgroups([]); os.setgid(%d); os.setuid(%d)\n"
            "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
            "s.sendall(b'{\"request\":\"%%s\"}\\n' %% sys.argv[2].encode())\n"
            "print(s.recv(9999).decode())\n" % (
                nobody.pw_gid, nobody.pw_uid))
        for request in ("status", "reload"):
            out = subprocess.run(
                [sys.executable, "-c", script, d.control, request],
                capture_output=True, text=True, check=True).stdout
            assert json.loads(out)["error"].startswith("not allowed"), out
        assert stat.S_IMODE(os.stat(d.control).st_mode) == 0o666
        assert d.ask("status")["reloads"] == 0
    return None


# --- sockets and the process ------------------------------------------------

@case("an inherited listener, fd:N")
def inherited():
    folder = tempfile.mkdtemp(prefix="assay-milter-fd-")
    path = os.path.join(folder, "socket")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(10)
    try:
        with Daemon(socket_text="fd:%d" % listener.fileno(),
                    pass_fds=(listener.fileno(),)) as d:
            d.socket = path
            d.works()
            begin = time.monotonic()
            assert d.stop() == 0
            # libmilter looks for its end every 5 s.
            assert time.monotonic() - begin < 4.5, "stopped by chance"
            assert os.path.exists(path), "it is not ours to remove"
    finally:
        listener.close()
        shutil.rmtree(folder)


@case("an inet socket")
def inet():
    port = free_port()
    with Daemon(socket_text="inet:%d@127.0.0.1" % port) as d:
        d.socket = ("127.0.0.1", port)
        d.works()
        assert d.stop() == 0


@case("mode and group of the socket are the configured ones")
def socket_mode():
    group = os.getgroups()[0] if os.getgroups() else os.getgid()
    with Daemon("-o", "milter.socket_mode=0620",
                "-o", "milter.socket_group=%d" % group) as d:
        st = os.stat(d.socket)
        assert stat.S_IMODE(st.st_mode) == 0o620, oct(st.st_mode)
        assert st.st_gid == group


@case("a dead process's socket is replaced, a living one's is not")
def stale_socket():
    with Daemon() as d:
        d.process.kill()
        d.process.wait()
        assert os.path.exists(d.socket)
        os.truncate(d.path("log"), 0)
        d.start()
        d.works()
        second = subprocess.run(d.argv, capture_output=True, text=True)
        assert second.returncode == os.EX_OSERR, second
        assert "another process listens" in second.stderr, second
        d.works()
        d.ask("status")


@case("a file that is no socket is left alone")
def no_socket():
    with Daemon(start=False) as d:
        d.write("milter.sock", "precious")
        d.write("log", "")
        run = subprocess.run(d.argv, capture_output=True, text=True)
        assert run.returncode == os.EX_OSERR, run
        assert "no socket" in run.stderr, run
        with open(d.socket) as f:
            assert f.read() == "precious"


@case("-n tests the configuration and tells all errors")
def test_only():
    with Daemon(start=False, conf="limits { sesions = 5 }\nfoo { }\n"
                                  "dns { timeout = never }\n") as d:
        d.write("log", "")
        run = subprocess.run(d.argv + ["-n"], capture_output=True, text=True)
        assert run.returncode == os.EX_CONFIG, run
        for place in (":1:", ":2:", ":3:"):
            assert "assay.conf" + place in run.stderr, run.stderr
        assert "sessions" in run.stderr, "the nearest name"
        d.write("assay.conf", "")
        run = subprocess.run(d.argv + ["-n"], capture_output=True, text=True)
        assert run.returncode == 0, run
        assert not os.path.exists(d.socket)


@case("wrong options are told")
def usage():
    for argv, status in ((["-Z"], os.EX_USAGE), (["word"], os.EX_USAGE),
                         (["-V"], 0), (["-f", "-c", "/nowhere"],
                                       os.EX_CONFIG)):
        run = subprocess.run([ASSAYD] + argv, capture_output=True, text=True)
        assert run.returncode == status, (argv, run)


@case("in the background, with a pid file; ready when the parent ends")
def background():
    with Daemon(foreground=False, start=False) as d:
        d.write("log", "")
        pidfile = d.path("pid")
        run = subprocess.run(d.argv + ["-P", pidfile], capture_output=True,
                             text=True, timeout=60)
        assert run.returncode == 0, run
        with open(pidfile) as f:
            pid = int(f.read())
        try:
            with d.milter().begin() as m:
                assert m.message().letter == "c"
            second = subprocess.run(d.argv, capture_output=True, text=True,
                                    timeout=60)
            assert second.returncode == os.EX_OSERR, second
            assert "another process" in second.stderr, second
        finally:
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 15
        while os.path.exists(pidfile) and time.monotonic() < until:
            time.sleep(0.05)
        assert not os.path.exists(pidfile)


@case("the user is switched for good, sockets and state are usable")
def user_switch():
    if not IS_ROOT:
        return "needs root"
    nobody = pwd.getpwnam("nobody")
    with Daemon("-u", "nobody") as d:
        with open("/proc/%d/status" % d.process.pid) as f:
            status = f.read()
        uids = [line.split()[1:] for line in status.splitlines()
                if line.startswith(("Uid:", "Gid:"))]
        assert uids[0] == [str(nobody.pw_uid)] * 4, uids
        assert uids[1] == [str(nobody.pw_gid)] * 4, uids
        d.works()
        key = os.stat(d.path("state/site.key"))
        assert key.st_uid == nobody.pw_uid
        assert stat.S_IMODE(key.st_mode) == 0o640
        assert d.stop() == 0
    return None


@case("without a state folder it serves, and says what that costs")
def no_state():
    with Daemon("-o", "state=/proc/nowhere") as d:
        d.works()
        assert "going on without" in d.log()


def main():
    wanted = sys.argv[2:]
    failed = number = 0
    for claim, function in CASES:
        if wanted and function.__name__ not in wanted:
            continue
        number += 1
        try:
            skipped = function()
            print("ok %d - %s%s" % (
                number, claim, " # SKIP " + skipped if skipped else ""))
        except Exception as e:
            failed += 1
            text = (type(e).__name__ + ": " + str(e)).splitlines()
            for line in text[:2] + text[2:][-40:]:
                print("# " + line[:2000])
            print("not ok %d - %s (%s)" % (
                number, claim, function.__name__))
        sys.stdout.flush()
    print("1..%d" % number)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
