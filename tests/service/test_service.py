#!/usr/bin/python3
"""assayd under a service manager, which is played here: a datagram socket that
hears what systemd would, and a listener that is handed over.

srcdir and builddir name the folders, as make check sets them. Prints TAP.
"""

import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import fixture  # noqa: E402
from fixture import (  # noqa: E402
    Lines, Scratch, Skip, Tap, accepts, check, end_process, equal, wait_for)

ASSAYD = os.path.join(fixture.BUILD, "assayd")
ASSAY = os.path.join(fixture.BUILD, "assay")

# What a milter client says first: version 6, all actions, all steps.
OPTNEG = struct.pack("!IcIII", 13, b"O", 6, 0x1ff, 0x1fffff)

# Becomes the daemon with a descriptor as number 3, named by its process id.
HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000


class Manager:
    """One assayd and what it tells. `listener` is handed over as number 3."""

    count = 0

    def __init__(self, scratch, watchdog_ms=0, listener=None, name=None,
                 options=(), conf=""):
        Manager.count += 1
        self.scratch = scratch
        self.folder = scratch.folder("daemon%d" % Manager.count)
        self.path = os.path.join(self.folder, "milter.sock")
        self.control = os.path.join(self.folder, "control.sock")
        self.told, self.heard = [], 0
        self.changed = threading.Condition()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.join(self.folder, "notify"))
        self.listening = threading.Thread(target=self._listen, daemon=True)
        self.listening.start()
        conf = scratch.write(
            "daemon%d/assay.conf" % Manager.count, conf or
            'milter { socket = "unix:%s" }' % self.path)
        self.arguments = [
            "-f", "-c", conf, "-o", "rules.path=",
            "-o", "dns.nameservers=127.0.0.1@9",
            "-o", "state=" + os.path.join(self.folder, "state"),
            "-o", "control=" + self.control]
        env = dict(os.environ, NOTIFY_SOCKET=self.notify.getsockname())
        if watchdog_ms:
            env["WATCHDOG_USEC"] = str(watchdog_ms * 1000)
        if listener:
            env.update(LISTEN_FDS="1", LISTEN_FDNAMES=name or "milter")
        command = [ASSAYD, *self.arguments, *options]
        if listener:
            command = [sys.executable, "-c", HAND_OVER,
                       str(listener.fileno()), *command]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env=env,
            pass_fds=(listener.fileno(),) if listener else ())
        self.log = Lines(self.process.stderr)
        scratch.running.append(self)

    def _listen(self):
        """Takes all at once, as systemd does: a full socket would make the
        daemon wait."""
        while True:
            text = self.notify.recv(4096).decode()
            if not text:
                return
            with self.changed:
                self.told.append(text)
                self.changed.notify_all()

    def hear(self, word, seconds=fixture.PATIENCE):
        """The next message with this line, behind the last one heard."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                while self.heard < len(self.told):
                    text = self.told[self.heard]
                    self.heard += 1
                    if word in text.split("\n"):
                        return text
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError("never heard %r in %r; log: %r" % (
                        word, self.told[-9:], self.log.since()[-9:]))
                self.changed.wait(left)

    def silent(self, seconds):
        """True when nothing is said for so long."""
        with self.changed:
            said = self.changed.wait(seconds)
            self.heard = len(self.told)
        return not said

    def ended(self):
        """The exit status; `told` is complete then."""
        status = self.process.wait(fixture.PATIENCE)
        self.hang_up()
        return status

    def hang_up(self):
        """An empty message, behind all that was said, ends the listener."""
        if self.listening.is_alive():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
                s.sendto(b"", self.notify.getsockname())
            self.listening.join(30)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def stop(self):
        end_process(self.process)
        self.log.thread.join(30)
        self.process.stderr.close()
        self.hang_up()
        self.notify.close()


def negotiate(s):
    """The version that a milter answers on a connected socket."""
    s.settimeout(fixture.PATIENCE)
    s.sendall(OPTNEG)
    answer = s.recv(4096)
    check(len(answer) >= 9 and answer[4:5] == b"O", "no milter:", answer)
    return struct.unpack("!I", answer[5:9])[0]


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(fixture.PATIENCE)
    s.connect(path)
    return s


def listener_at(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(64)
    return s


# --- readiness ---------------------------------------------------------------

CASES = []


def case(claim):
    def keep(function):
        CASES.append((claim, function))
        return function
    return keep


@case("READY=1 comes once, when both sockets serve")
def ready(scratch):
    m = Manager(scratch)
    m.hear("READY=1")
    equal(m.told, ["READY=1"])
    check(accepts(m.control), "the control socket does not serve")
    with connect(m.path) as s:
        equal(negotiate(s), 6)
    equal(m.terminate(), 0)


@case("a start that fails says no READY=1")
def not_ready(scratch):
    m = Manager(scratch, options=["-p", "unix:/nonexistent/milter.sock"])
    equal(m.ended(), 71)
    equal(m.told, [])


@case("SIGHUP: RELOADING=1 with the time, then READY=1")
def reloading(scratch):
    m = Manager(scratch)
    m.hear("READY=1")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    m.process.send_signal(signal.SIGHUP)
    text = m.hear("RELOADING=1")
    stamp, = [line for line in text.split("\n") if line.startswith("MONO")]
    stamp = int(stamp.partition("=")[2])
    check(before <= stamp <= before + 60 * 10**6, before, stamp)
    m.hear("READY=1")
    equal(m.terminate(), 0)


@case("a reload that fails ends with READY=1 too")
def reload_fails(scratch):
    m = Manager(scratch)
    m.hear("READY=1")
    with open(os.path.join(m.folder, "assay.conf"), "w") as f:
        f.write("nonsense = yes\n")
    m.process.send_signal(signal.SIGHUP)
    m.hear("RELOADING=1")
    m.hear("READY=1")
    m.log.wait("old configuration stays")
    equal(m.terminate(), 0)


@case("SIGTERM: STOPPING=1, and status 0")
def stopping(scratch):
    m = Manager(scratch, watchdog_ms=300)
    m.hear("READY=1")
    equal(m.terminate(), 0)
    check("STOPPING=1" in m.told, m.told)
    # Nothing may follow that looks as if it were still serving.
    equal(m.told[m.told.index("STOPPING=1"):], ["STOPPING=1"])


# --- watchdog ----------------------------------------------------------------

@case("WATCHDOG=1 comes three times in the time that systemd waits")
def beats(scratch):
    m = Manager(scratch, watchdog_ms=3000)
    m.hear("READY=1")
    m.hear("WATCHDOG=1")
    begin = time.monotonic()
    for _ in range(4):
        m.hear("WATCHDOG=1", 3)         # later, systemd would have killed it
    check(time.monotonic() - begin < 4 * 3)
    check(m.told.index("READY=1") < m.told.index("WATCHDOG=1"),
          "a beat before READY=1", m.told)
    equal(m.terminate(), 0)


@case("without a watchdog there are no beats")
def no_beats(scratch):
    m = Manager(scratch)
    m.hear("READY=1")
    m.process.send_signal(signal.SIGHUP)
    m.hear("READY=1")
    equal(m.terminate(), 0)
    check("WATCHDOG=1" not in m.told, m.told)


def thread_of(m, name):
    folder = "/proc/%d/task" % m.process.pid
    for tid in os.listdir(folder):
        with open("%s/%s/comm" % (folder, tid)) as f:
            if f.read().strip() == name:
                return int(tid)
    return None


def ptrace(libc, request, tid):
    if libc.ptrace(ctypes.c_long(request), ctypes.c_long(tid), None, None):
        raise Skip("no ptrace: " + os.strerror(ctypes.get_errno()))


def stuck(scratch, name):
    """Stops one thread of the daemon as a debugger does, and lets it go."""
    libc = ctypes.CDLL(None, use_errno=True)
    m = Manager(scratch, watchdog_ms=300)
    m.hear("READY=1")
    tid = wait_for(lambda: thread_of(m, name), "thread " + name)
    ptrace(libc, PTRACE_SEIZE, tid)
    try:
        ptrace(libc, PTRACE_INTERRUPT, tid)
        os.waitpid(tid, WALL)
        m.log.wait("watchdog: thread %s takes no turn" % name)
        wait_for(lambda: m.silent(1.0), "silence of the watchdog")
        # It is the watchdog alone that is silent: mail is still served.
        with connect(m.path) as s:
            equal(negotiate(s), 6)
    finally:
        ptrace(libc, PTRACE_DETACH, tid)
    m.hear("WATCHDOG=1")
    m.log.wait("watchdog: all threads take turns again")
    equal(m.terminate(), 0)


@case("no beat while the dns thread is stuck; beats again when it goes on")
def stuck_dns(scratch):
    stuck(scratch, "dns")


@case("no beat while the store thread is stuck")
def stuck_store(scratch):
    stuck(scratch, "store")


@case("no beat while the log thread is stuck")
def stuck_log(scratch):
    stuck(scratch, "log")


@case("no beat while the control thread is stuck")
def stuck_control(scratch):
    stuck(scratch, "control")


# --- inherited sockets -------------------------------------------------------

@case("a socket of systemd's is served in place of milter.socket, with a warning")
def inherited(scratch):
    path = os.path.join(scratch.path, "held.sock")
    with listener_at(path) as held:
        m = Manager(scratch, listener=held)
        m.hear("READY=1")
        with connect(path) as s:
            equal(negotiate(s), 6)
        check(not os.path.exists(m.path), "milter.socket was made as well")
        m.log.wait("milter.socket=unix:%s, but systemd hands over unix:%s" % (
            m.path, path))
        m.log.wait("serves unix:" + path)
        equal(m.terminate(), 0)


@case("a restart refuses no connection: the socket stays, and waits")
def restart(scratch):
    path = os.path.join(scratch.path, "stays.sock")
    conf = 'milter { socket = "unix:%s" }' % path
    with listener_at(path) as held:
        m = Manager(scratch, listener=held, conf=conf)
        m.hear("READY=1")
        equal(m.terminate(), 0)
        check(os.path.exists(path), "the socket's file is gone")
        with connect(path) as waiting:
            waiting.sendall(OPTNEG)
            m = Manager(scratch, listener=held, conf=conf)
            m.hear("READY=1")
            waiting.settimeout(fixture.PATIENCE)
            check(waiting.recv(4096)[4:5] == b"O", "not served")
        check(not any("hands over" in line for line in m.log.since()),
              "a warning though both are the same", m.log.since())
        equal(m.terminate(), 0)


@case("-p fd:3 serves it too, and -p unix: wins over it")
def named(scratch):
    path = os.path.join(scratch.path, "named.sock")
    with listener_at(path) as held:
        m = Manager(scratch, listener=held, options=["-p", "fd:3"])
        m.hear("READY=1")
        with connect(path) as s:
            equal(negotiate(s), 6)
        equal(m.terminate(), 0)
        m = Manager(scratch, listener=held)
        m.hear("READY=1")
        equal(m.terminate(), 0)
        own = os.path.join(scratch.path, "own.sock")
        m = Manager(scratch, listener=held, options=["-p", "unix:" + own])
        m.hear("READY=1")
        with connect(own) as s:
            equal(negotiate(s), 6)
        equal(m.terminate(), 0)


@case("what is no listening socket is not taken for one")
def no_listener(scratch):
    with open("/dev/null") as null:
        m = Manager(scratch, listener=null)
        m.hear("READY=1")
        with connect(m.path) as s:
            equal(negotiate(s), 6)
        equal(m.terminate(), 0)
        m = Manager(scratch, listener=null, options=["-p", "fd:3"])
        equal(m.ended(), 71)
        m.log.wait("fd:3 is no listening socket")


def main():
    tap = Tap()
    if not os.access(ASSAYD, os.X_OK):
        print("1..0 # SKIP assayd not built")
        return 0
    with Scratch("service") as scratch:
        for claim, function in CASES:
            if len(sys.argv) < 2 or sys.argv[1] in claim:
                tap.run(claim, function, scratch)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
