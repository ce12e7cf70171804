"""A real redis-server behind assayd, under load from a scripted MTA, and taken
away: killed, frozen, with another password, late, replaced by something that is
no Redis. Mail flows all the time, none waits longer than the store may take,
the journal says degraded=redis exactly while it is gone, and nobody has to help
afterwards. TAP on standard output."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
from fixture import (  # noqa: E402
    Assayd, Scratch, Tap, check, end_process, equal, free_port, wait_for)
from milter import Milter  # noqa: E402

SESSIONS = 6        # at once
STORE_TIMEOUT = 0.8     # seconds; what one message may wait for the store
# What a machine that does other work may add. A wait for the store that came
# twice would still show.
SLACK = 0.7
# libmilter leaves an event lying while all its threads wait, until another one
# comes: milter_nudge() in filter/milter.c.
LIBMILTER = 3
ENOUGH = 150        # messages that tell
# Two pauses of the breaker (store_breaker.h), and a loaded machine.
RECOVERY = 40
PASSWORD = "first%pass.word"
OTHER_PASSWORD = "another%pass.word"
RIGHTS = ("select hmget hset hincrby del expireat scan watch unwatch multi"
          " exec")
ZONE = 'example.com TXT "v=spf1 ip4:192.0.2.0/24 -all"\n'


# --- the server ---------------------------------------------------------------

class Redis:
    """redis-server on a port of 127.0.0.1; nothing is kept on disk."""

    def __init__(self, scratch, port=None, password=None):
        self.port = port or free_port()
        self.password = password
        self.folder = scratch.folder("redis-%d" % self.port)
        self.process = None
        self.start()
        scratch.running.append(self)

    def start(self):
        command = ["redis-server", "--port", str(self.port),
                   "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                   "--dir", self.folder]
        if self.password:
            command += ["--requirepass", self.password]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_for(self.answers, "redis-server")

    def ask(self, *words, db=0):
        """One command; the first line of its answer."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            f = s.makefile("rwb")
            if self.password:
                self._send(f, ("AUTH", self.password))
                equal(f.readline(), b"+OK\r\n", "AUTH")
            if db:
                self._send(f, ("SELECT", str(db)))
                equal(f.readline(), b"+OK\r\n", "SELECT")
            self._send(f, words)
            return f.readline().decode("latin-1").rstrip()

    @staticmethod
    def _send(f, words):
        f.write(b"*%d\r\n" % len(words))
        for word in words:
            f.write(b"$%d\r\n%s\r\n" % (len(word), word.encode()))
        f.flush()

    def answers(self):
        check(self.process.poll() is None, "redis-server ended")
        try:
            return self.ask("PING") == "+PONG"
        except OSError:
            return False

    def keys(self, db):
        return int(self.ask("DBSIZE", db=db)[1:])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        # It is stopped when the kernel says so.
        wait_for(lambda: self._state() == "T", "redis-server to stop")

    def _state(self):
        with open("/proc/%d/stat" % self.process.pid) as f:
            return f.read().rpartition(")")[2].split()[0]

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process.poll() is None:
            self.thaw()
            end_process(self.process)


class NoRedis:
    """Listens where Redis should, and speaks as an SMTP server does."""

    def __init__(self, scratch):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        scratch.running.append(self)

    def _serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
                with s:
                    s.sendall(b"220 mail.example.com ESMTP\r\n")
                    s.recv(65536)
                    s.sendall(b"500 5.5.1 what?\r\n" * 20)
            except OSError:
                if self.listener.fileno() < 0:
                    return

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


# --- the load -------------------------------------------------------------------

class Sent:
    def __init__(self, queue_id, begin, end, letter):
        self.queue_id, self.begin, self.end = queue_id, begin, end
        self.letter = letter
        self.degraded = self.ms = None  # as the journal says

    @property
    def seconds(self):
        return self.end - self.begin


class Load:
    """Messages from several connections until it is told to stop."""

    numbers = 0

    def __init__(self, daemon):
        self.daemon = daemon
        self.sent, self.failures = [], []
        self.changed = threading.Condition()
        self.ending = False
        Load.numbers += 1
        self.threads = [
            threading.Thread(target=self._run, args=(Load.numbers, i))
            for i in range(SESSIONS)]
        for thread in self.threads:
            thread.start()

    def _run(self, load, session):
        try:
            with Milter(self.daemon.address).negotiate() as m:
                m.begin(ip="192.0.2.%d" % (25 + session))
                n = 0
                while not self.ending:
                    n += 1
                    self._one(m, "L%dS%dN%d" % (load, session, n))
        except Exception as e:
            with self.changed:
                self.failures.append("%s: %s" % (type(e).__name__, e))
                self.changed.notify_all()

    def _one(self, m, queue_id):
        begin = time.monotonic()
        reply = m.message(queue_id=queue_id, sender="<a@example.com>")
        end = time.monotonic()
        with self.changed:
            self.sent.append(Sent(queue_id, begin, end, reply.letter))
            self.changed.notify_all()

    def wait_more(self, n, seconds=60):
        """Until n more messages were begun and answered."""
        since = time.monotonic()
        until = since + seconds
        with self.changed:
            while sum(s.begin >= since for s in self.sent) < n:
                check(not self.failures, "a session failed", self.failures)
                left = until - time.monotonic()
                check(left > 0, "%d messages in %g s" % (
                    sum(s.begin >= since for s in self.sent), seconds))
                self.changed.wait(left)
        return since

    def wait_journal(self, degraded, begun_after, seconds=RECOVERY):
        """Until a message that was begun then is logged so."""
        def probe():
            check(not self.failures, "a session failed", self.failures)
            with self.changed:
                late = {s.queue_id for s in self.sent
                        if s.begin >= begun_after}
            return [j for j in self.daemon.journals(mark)
                    if j.queue_id in late and
                    j.fields["degraded"] == degraded]
        mark = 0
        wait_for(probe, "a message with degraded=" + degraded, seconds)

    def stop(self):
        """Ends it and gives all messages with what the journal says."""
        self.ending = True
        for thread in self.threads:
            thread.join(60)
        check(not self.failures, "a session failed", self.failures)
        logged = {}
        def all_there():
            logged.update((j.queue_id, j) for j in self.daemon.journals())
            return all(s.queue_id in logged for s in self.sent)
        wait_for(all_there, "a journal line of each message")
        for s in self.sent:
            s.degraded = logged[s.queue_id].fields["degraded"]
            s.ms = int(logged[s.queue_id].fields["ms"])
        return sorted(self.sent, key=lambda s: s.begin)


def start(scratch, name, port, *options, host="127.0.0.1", user=""):
    zone = scratch.write("zone", ZONE)
    return Assayd(
        scratch, name, zone=zone, options=[
            "store.url=redis://%s%s:%d/2" % (user, host, port),
            "store.timeout=%dms" % (STORE_TIMEOUT * 1000)] + list(options))


def check_answers(sent):
    """Each was let through, and none waited for the store twice."""
    most = STORE_TIMEOUT + SLACK
    slow = [s for s in sent if s.letter != "c" or s.ms > most * 1000 or
            s.seconds > most + LIBMILTER]
    check(not slow, "%d of %d messages were slow or refused:" % (
        len(slow), len(sent)), [(s.queue_id, s.letter, s.seconds, s.ms)
                                for s in slow[:5]])


def check_journal(sent, going, gone, back):
    """Nothing is degraded before it goes (from `going` to `gone`), everything
    while it is gone, and nothing once a message has got an answer again."""
    before = [s for s in sent if s.end < going]
    during = [s for s in sent if s.begin > gone and s.end < back]
    after = [s for s in sent if s.begin > back]
    check(len(during) >= ENOUGH, "messages meanwhile:", len(during))
    equal({s.degraded for s in before}, {"-"} if before else set(), "before")
    equal({s.degraded for s in during}, {"redis"}, "while it is gone")
    good = [s.end for s in after if s.degraded == "-"]
    check(good, "it does not recover")
    late = {s.degraded for s in after if s.begin > min(good)}
    equal(late, {"-"}, "once it is back")
    return during


def check_cheap(during):
    """While the breaker is open a message does not wait: only those did that
    were on their way at first, and one for each trial of the breaker."""
    waited = sum(s.ms > STORE_TIMEOUT * 900 for s in during)
    span = during[-1].end - during[0].begin
    trials = 6 + span / 10
    check(waited <= 2 * SESSIONS + trials, "%d of %d messages waited" % (
        waited, len(during)))


# --- cases ------------------------------------------------------------------------

def killed(scratch):
    redis = Redis(scratch)
    daemon = start(scratch, "killed", redis.port, host="localhost")
    load = Load(daemon)
    load.wait_more(ENOUGH)
    going = time.monotonic()
    redis.kill()
    gone = time.monotonic()
    load.wait_more(ENOUGH)
    load.wait_journal("redis", gone)
    daemon.log.wait("store=redis: .*; mail goes on without$")
    back = time.monotonic()
    redis.start()
    load.wait_journal("-", back)
    daemon.log.wait("store=redis: works again$")
    load.wait_more(ENOUGH)
    sent = load.stop()
    check_answers(sent)
    check_cheap(check_journal(sent, going, gone, back))
    daemon.stop()
    equal(daemon.status, 0, "assayd's exit")


def frozen(scratch):
    redis = Redis(scratch)
    daemon = start(scratch, "frozen", redis.port)
    load = Load(daemon)
    load.wait_more(ENOUGH)
    going = time.monotonic()
    redis.freeze()
    gone = time.monotonic()
    load.wait_more(ENOUGH)
    load.wait_more(ENOUGH)
    back = time.monotonic()
    redis.thaw()
    load.wait_journal("-", back)
    load.wait_more(ENOUGH)
    sent = load.stop()
    check_answers(sent)
    check_cheap(check_journal(sent, going, gone, back))
    daemon.stop()
    equal(daemon.status, 0, "assayd's exit")


def frozen_at_stop(scratch):
    redis = Redis(scratch)
    daemon = start(scratch, "stopped", redis.port)
    load = Load(daemon)
    load.wait_more(10)
    redis.freeze()
    load.wait_more(10)
    load.stop()
    begin = time.monotonic()
    daemon.stop()
    equal(daemon.status, 0, "assayd's exit")
    check(time.monotonic() - begin < 15, "stopping took",
          time.monotonic() - begin)


def wrong_password(scratch):
    redis = Redis(scratch, password=PASSWORD)
    file = scratch.write("secret", OTHER_PASSWORD + "\nnot this\n", 0o640)
    gone = time.monotonic()
    daemon = start(scratch, "password", redis.port,
                   "store.password_file=" + file)
    load = Load(daemon)
    load.wait_more(ENOUGH)
    load.wait_journal("redis", gone)
    back = time.monotonic()
    scratch.write("secret", PASSWORD + "\n", 0o640)
    load.wait_journal("-", back)
    load.wait_more(ENOUGH)
    sent = load.stop()
    check_answers(sent)
    check_journal(sent, gone, gone, back)
    daemon.stop()
    log = "\n".join(daemon.log.since())
    for secret in (PASSWORD, OTHER_PASSWORD):
        check(secret not in log, "a password stands in the log")


def user(scratch):
    redis = Redis(scratch, password=PASSWORD)
    # The rights that assay.conf(5) names, and no others.
    equal(redis.ask("ACL", "SETUSER", "assay", "on", ">" + OTHER_PASSWORD,
                    "resetkeys", "~assay*", "-@all", *(
                        "+" + word for word in RIGHTS.split())), "+OK", "ACL")
    file = scratch.write("user-secret", OTHER_PASSWORD + "\n", 0o640)
    daemon = start(scratch, "user", redis.port, "store.password_file=" + file,
                   user="assay@")
    load = Load(daemon)
    load.wait_more(ENOUGH)
    sent = load.stop()
    check_answers(sent)
    equal({s.degraded for s in sent}, {"-"}, "journal")
    learned = scratch.write("spam.eml", "From: a@example.com\n\nBuy now\n")
    for what in ("spam", "stats", "forget"):
        done = daemon.assay("learn", what, *(
            [learned] if what != "stats" else []))
        equal(done.returncode, 0, "assay learn %s: %r" % (what, done.stderr))
    wait_for(lambda: redis.keys(2) > 0, "evidence in Redis")


def no_password(scratch):
    redis = Redis(scratch, password=PASSWORD)
    gone = time.monotonic()
    daemon = start(scratch, "nopassword", redis.port)
    load = Load(daemon)
    load.wait_more(ENOUGH)
    back = time.monotonic()
    equal(redis.ask("CONFIG", "SET", "requirepass", ""), "+OK", "CONFIG")
    redis.password = None
    load.wait_journal("-", back)
    load.wait_more(ENOUGH)
    sent = load.stop()
    check_answers(sent)
    check_journal(sent, gone, gone, back)


def late(scratch):
    port = free_port()
    gone = time.monotonic()
    daemon = start(scratch, "late", port)
    load = Load(daemon)
    load.wait_more(ENOUGH)
    back = time.monotonic()
    redis = Redis(scratch, port)
    load.wait_journal("-", back)
    load.wait_more(ENOUGH)
    sent = load.stop()
    check_answers(sent)
    check_journal(sent, gone, gone, back)
    # What was learned of the senders arrives there.
    wait_for(lambda: redis.keys(2) > 0, "evidence in Redis")


def no_redis(scratch):
    other = NoRedis(scratch)
    gone = time.monotonic()
    daemon = start(scratch, "noredis", other.port)
    load = Load(daemon)
    load.wait_more(ENOUGH)
    sent = load.stop()
    check_answers(sent)
    equal({s.degraded for s in sent if s.begin > gone}, {"redis"}, "journal")
    daemon.stop()
    equal(daemon.status, 0, "assayd's exit")


CASES = (
    ("Redis is killed under load and started again", killed),
    ("Redis is frozen under load and thawed", frozen),
    ("a frozen Redis does not hold assayd at its end", frozen_at_stop),
    ("a wrong password: mail flows; a right one is taken without help",
     wrong_password),
    ("a user of its own with few rights", user),
    ("no password where one is wanted", no_password),
    ("Redis comes later than assayd, and gets the evidence", late),
    ("what listens there is no Redis", no_redis),
)


def main():
    if not shutil.which("redis-server"):
        print("1..0 # SKIP no redis-server")
        return 0
    wanted = sys.argv[1:]
    tap = Tap()
    for claim, function in CASES:
        if wanted and function.__name__ not in wanted:
            continue
        with Scratch("redis") as scratch:
            tap.run(claim, function, scratch)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
