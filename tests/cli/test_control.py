#!/usr/bin/python3
"""The control socket against peers that mean no good, and what root's commands
leave behind for the daemon. Prints TAP.

srcdir and builddir name the folders, as make check sets them.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import time

SOURCE = os.path.abspath(os.environ.get("srcdir") or
                         os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.abspath(os.environ.get("builddir") or ".")
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))
from fixture import (Assayd, Scratch, Skip, Tap, check, equal,  # noqa: E402
                     stopped_clean)

ASSAY = os.path.join(BUILD, "assay")
NOBODY = 65534
LINGER = 60     # seconds that the close of a socket waits
UNAVAILABLE, NOPERM = 69, 77

SCRATCH = None


def talk(path, line=b'{"request":"status"}\n', seconds=10):
    """One request; the answer, or None when it does not come in time."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.settimeout(seconds)
        s.sendall(line)
        try:
            return s.recv(65536)
        except socket.timeout:
            return None


def as_nobody(function):
    """Calls it in a child of no rights; the child's pid."""
    if os.geteuid() != 0:
        raise Skip("needs root to be somebody else")
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        function()
    finally:
        os._exit(0)


def leave_lingering(path, ready):
    """Puts a socket whose last close waits into a connection, and lets go."""
    control = socket.socket(socket.AF_UNIX)
    control.connect(path)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    full = socket.socket()
    full.connect(listener.getsockname())
    full.setblocking(False)
    try:
        while True:
            full.send(b"x" * 65536)
    except BlockingIOError:
        pass
    full.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, LINGER))
    socket.send_fds(control, [b"x"], [full.fileno()])
    os.close(full.detach())
    control.close()
    os.write(ready, b"r")
    signal.pause()


def lingering(daemon, path):
    ours, theirs = os.pipe()
    # Stopped, so that the copy that it is given is the last one.
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        pid = as_nobody(lambda: leave_lingering(path, theirs))
        os.close(theirs)
        equal(os.read(ours, 1), b"r")
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)
    try:
        for _ in range(3):
            check(talk(path), "no answer: a stranger's descriptor holds it")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ours)


def denied(daemon):
    if os.geteuid() != 0:
        raise Skip("needs root to be somebody else")
    if not os.access(ASSAY, os.X_OK) or subprocess.run(
            ["/bin/sh", "-c", "test -x " + ASSAY], user=NOBODY,
            check=False).returncode:
        raise Skip("the build folder is closed to others")
    for words in (("status",), ("reload",), ("learn", "spam", daemon.conf)):
        done = daemon.assay(*words, user="nobody")
        equal(done.returncode, NOPERM, (words, done.stderr))


def late(daemon, path):
    """The line comes in time, the daemon looks at it late."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.settimeout(10)
        check(talk(path))   # served after it, so that it is accepted
        os.kill(daemon.process.pid, signal.SIGSTOP)
        try:
            s.sendall(b'{"request":"status"}\n')
            time.sleep(5.5)     # more than a connection may take
        finally:
            os.kill(daemon.process.pid, signal.SIGCONT)
        check(s.recv(65536).startswith(b'{"ok":true'))


def silent(path):
    """A peer that says nothing is dropped, and many hold nobody for long."""
    held = []
    try:
        for _ in range(20):
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)     # blocking: the queue may be full
            s.settimeout(20)
            held.append(s)
        check(talk(path, seconds=20), "no answer behind silent peers")
        equal(held[0].recv(1), b"")
    finally:
        for s in held:
            s.close()


def hung():
    """A daemon that takes nobody does not hold the command either."""
    path = os.path.join(SCRATCH.folder("hung"), "control.sock")
    fill = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        try:
            while True:
                s = socket.socket(socket.AF_UNIX)
                s.setblocking(False)
                fill.append(s)
                s.connect(path)
        except BlockingIOError:
            pass
        done = subprocess.run(
            [ASSAY, "-c", "/dev/null", "-o", "rules.path=", "-o",
             "control=" + path, "status"], stderr=subprocess.PIPE,
            timeout=30, check=False)
        for s in fill:
            s.close()
    equal(done.returncode, UNAVAILABLE, done.stderr)


def root_learns():
    """Files that root makes are the owner's of the folder."""
    if os.geteuid() != 0:
        raise Skip("needs root")
    folder = SCRATCH.folder("owned")
    state = os.path.join(folder, "state")
    os.mkdir(state, 0o750)
    os.chown(state, NOBODY, NOBODY)
    message = SCRATCH.write("secret", "From: a@example.com\n\nHello\n", 0o600)
    for word in ("learned 1, known 0", "learned 0, known 1"):
        done = subprocess.run(
            [ASSAY, "-c", "/dev/null", "-o", "rules.path=", "-o",
             "state=" + state, "-o", "control=" + folder + "/none.sock",
             "learn", "spam", message], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60, check=False)
        check(word in done.stdout.decode(), done.stdout, done.stderr)
    for top, folders, files in os.walk(state):
        for name in folders + files:
            name = os.path.join(top, name)
            equal(os.stat(name).st_uid, NOBODY, name)


def strange_lock():
    """A lock that cannot be opened costs the state, not the mail."""
    folder = SCRATCH.folder("strange", "state")
    os.symlink("/nowhere/lock", os.path.join(folder, "state.lock"))
    daemon = Assayd(SCRATCH, "strange", options=["rules.path="])
    check(any("going on without" in line for line in daemon.log.since()),
          daemon.log.since())
    daemon.stop()
    equal(daemon.status, 0)


def main():
    global SCRATCH
    if not (os.access(ASSAY, os.X_OK) and
            os.access(os.path.join(BUILD, "assayd"), os.X_OK)):
        print("1..0 # SKIP assay and assayd are not built")
        return 0
    tap = Tap()
    with Scratch("control") as SCRATCH:
        path = os.path.join(SCRATCH.path, "control.sock")
        daemon = Assayd(SCRATCH, "daemon",
                        options=["rules.path=", "control=" + path])
        tap.run("a stranger's descriptor whose close waits holds nobody",
                lingering, daemon, path)
        tap.run("who may nothing is told so, exit 77", denied, daemon)
        tap.run("a line that came in time is answered, however late",
                late, daemon, path)
        tap.run("silent peers hold the socket for their time only",
                silent, path)
        stopped_clean(tap, daemon)
        tap.run("a daemon that takes nobody is exit 69, in time", hung)
        tap.run("what root trains can be opened by the daemon", root_learns)
        tap.run("a lock that cannot be opened costs no start", strange_lock)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
