#!/usr/bin/python3
"""assayd is killed (SIGKILL) while it writes, again and again: store and
verdict log open again each time, and nothing that was acknowledged is missing:
no training that was answered, no record that the daemon said was written.
"""

import array
import glob
import json
import os
import random
import signal
import socket
import sqlite3
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, HERE)
from fixture import (  # noqa: E402
    Assayd, Scratch, Tap, check, equal, wait_for)
from milter import Closed, Milter  # noqa: E402

KILLS = int(os.environ.get("ASSAY_TEST_KILLS") or 50)
SESSIONS = 3
ZONE = 'example.com TXT "v=spf1 ip4:192.0.2.0/24 -all"\n'
TEXT = """From: Deals <a@example.com>\r
Subject: number %d\r
Message-ID: <%d@example.com>\r
\r
Number %d: free words %s and others.\r
"""


class Ended(Exception):
    """The daemon is gone."""


def ask(daemon, request, message=None):
    """One request on the control socket, with a message as a descriptor."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    try:
        s.connect(os.path.join(daemon.state, "control.sock"))
        line = (json.dumps(request) + "\n").encode()
        files = []
        if message is not None:
            fd = os.memfd_create("message")
            os.write(fd, message.encode())
            os.lseek(fd, 0, os.SEEK_SET)
            files = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                      array.array("i", [fd]))]
        try:
            s.sendmsg([line], files)
        finally:
            if message is not None:
                os.close(fd)
        reply = s.makefile("rb").readline()
    except OSError:
        raise Ended()
    finally:
        s.close()
    if not reply.endswith(b"\n"):
        raise Ended()
    return json.loads(reply)


class Writers:
    """Messages by the milter protocol and trainings by the control socket,
    until the daemon ends."""

    def __init__(self, daemon, trained):
        self.daemon = daemon
        self.trained = trained      # acknowledged so far
        self.started = trained
        self.troubles = []
        self.messages = 0
        self.written = 0            # records that the daemon said are on disk
        self.threads = [threading.Thread(target=self.guard, args=(f,))
                        for f in [self.train, self.watch] +
                        [self.mail] * SESSIONS]
        for thread in self.threads:
            thread.start()

    def guard(self, function):
        try:
            function()
        except (Ended, Closed, OSError):
            pass                    # as is meant
        except Exception as trouble:
            self.troubles.append(repr(trouble))

    def train(self):
        while True:
            n = self.trained
            words = " ".join("w%d" % (n * 7 + i) for i in range(40))
            reply = ask(self.daemon, {"request": "learn", "class": "spam"},
                        TEXT % (n, n, n, words))
            check(reply.get("change") in ("learned", "known"), reply)
            self.trained += 1

    def watch(self):
        while True:
            status = ask(self.daemon, {"request": "status"})
            self.written = status["verdicts"]["written"]

    def mail(self):
        with Milter(self.daemon.address).negotiate() as m:
            m.begin(ip="192.0.2.25")
            while True:
                reply = m.message(sender="<a@example.com>")
                if not reply or reply.letter != "c":
                    raise Ended()
                self.messages += 1

    def enough(self):
        return (self.troubles or
                (self.trained >= self.started + 2 and self.written >= 2 and
                 self.messages >= 5))

    def join(self):
        for thread in self.threads:
            thread.join(60)


def rows(daemon):
    """Records on disk; each day's file must be whole."""
    total = 0
    for path in glob.glob(os.path.join(daemon.state, "verdicts", "*.db")):
        db = sqlite3.connect(path)
        equal(db.execute("PRAGMA quick_check").fetchall(), [("ok",)], path)
        total += db.execute("SELECT count(*) FROM message").fetchone()[0]
        db.close()
    return total


def trained(daemon):
    done = daemon.assay("learn", "stats")
    equal(done.returncode, 0, done.stderr)
    for line in done.stdout.decode().splitlines():
        if line.startswith("spam"):
            return int(line.split()[1])
    raise AssertionError("learn stats: %r" % done.stdout)


def kill_again_and_again(scratch):
    zone = scratch.write("zone", ZONE)
    rules = scratch.write("rules.cf", "body T_NEVER /never-in-the-test/\n")
    rand = random.Random(50)
    on_disk = acknowledged = 0
    for _ in range(KILLS):
        daemon = Assayd(scratch, "assayd", zone=zone,
                        options=["rules.path=" + rules])
        # One training may have been done and its answer lost.
        now = trained(daemon)
        check(acknowledged <= now <= acknowledged + 1, "trained", now,
              "acknowledged", acknowledged)
        found = rows(daemon)
        check(found >= on_disk, "records", found, "known", on_disk)
        writers = Writers(daemon, now)
        wait_for(writers.enough, "writing")
        threading.Event().wait(rand.random() * 0.1)
        daemon.process.send_signal(signal.SIGKILL)
        daemon.stop()
        writers.join()
        equal(writers.troubles, [], "troubles")
        acknowledged = writers.trained
        on_disk = found + writers.written
    daemon = Assayd(scratch, "assayd", zone=zone,
                    options=["rules.path=" + rules])
    now = trained(daemon)
    check(acknowledged <= now <= acknowledged + 1, "trained", now,
          "acknowledged", acknowledged)
    check(rows(daemon) >= on_disk, "records", rows(daemon), on_disk)
    daemon.stop()
    equal(daemon.status, 0, "the last one stops in order")
    print("# %d trainings, %d records" % (now, on_disk))


def main():
    tap = Tap()
    with Scratch("kill") as scratch:
        tap.run("%d times SIGKILL during writes: nothing acknowledged is"
                " missing" % KILLS, kill_again_and_again, scratch)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
