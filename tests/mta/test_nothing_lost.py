#!/usr/bin/python3
"""No fault of ours or of what we stand on loses mail: each message is
delivered once, or its client is told to come again, and then delivered once.
Usage: [builddir=DIR] test_nothing_lost.py [PART-OF-A-CLAIM...]

assayd is killed by a proxy before each packet of a message's dialogue. With
ASSAY_TEST_STEP=N only before each N-th (builds with sanitizers are slow).
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import fixture  # noqa: E402
import sendmail  # noqa: E402
from fixture import (  # noqa: E402
    Assayd, HungUp, Postfix, Refused, Scratch, Skip, Tap, check, equal,
    in_threads, mail, wait_for)
from proxy import MilterProxy  # noqa: E402
from sendmail import Sendmail  # noqa: E402

STEP = int(os.environ.get("ASSAY_TEST_STEP") or 1)
ATTEMPTS = 20               # of a client to get one message through
FAULTS = ("store", "dns", "disk")
SESSIONS = 4                # of the runs with a fault
MESSAGES = 10               # in each session

RULES = "header T_TAG Subject =~ /tag-me/\nscore T_TAG 7\n"

CONF = """
rules { path = { "%s" } }
milter { internal = { 192.0.2.254 } }
policy default { mode = enforce tag = 5 quarantine = off reject = off }
"""

ZONE = """
shop.example TXT "v=spf1 ip4:127.0.0.0/8 ip4:192.0.2.0/24 -all"
"""


def lines_of(seed, size):
    """A body of about that many bytes, with LF; no line ends in a blank."""
    noise = random.Random(seed)
    some = [bytes(noise.choices(b"abcdefghij klmnopqrstuvwxyz=.\t",
                                k=noise.randrange(1, 900))) + b".\n"
            for _ in range(50)]
    return b"".join(noise.choices(some, k=size // 450))


def attempt(mta, listener, user, message):
    """The reply that ends one attempt; None when there is none."""
    try:
        with mta.client(listener, xclient=False) as c:
            return c.message("ben@shop.example", user, message)
    except Refused as refused:
        return refused.reply
    except (HungUp, OSError):
        return None


class Site:
    """One MTA with assayd behind the proxy, and a listener for each fault
    with an assayd of its own."""

    def __init__(self, scratch, make_mta):
        self.scratch, self.kind = scratch, make_mta.kind
        self.zone = scratch.write("zone", ZONE)
        self.conf = CONF % scratch.write("test.cf", RULES)
        self.folder = scratch.folder(self.kind.lower())
        self.path = os.path.join(self.folder, "assayd")
        self.proxy = MilterProxy(scratch, os.path.join(self.folder, "proxy"),
                                 self.path)
        self.sockets = {name: os.path.join(self.folder, name)
                        for name in FAULTS}
        self.mta = make_mta(scratch, self.kind.lower() + "-mta",
                            os.path.join(self.folder, "proxy"),
                            listeners=self.sockets)
        self.assayd = None

    def start(self):
        """assayd behind the proxy, on the state of the one before."""
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.assayd = Assayd(self.scratch, self.kind + "-killed", self.conf,
                             self.zone, path=self.path,
                             options=["milter.socket_mode=0666"])

    def kill(self):
        self.assayd.process.kill()
        self.assayd.process.wait()

    def send(self, user, message):
        """As a client that comes again after 4xx; restarts assayd before
        that. Returns the number of attempts."""
        for n in range(1, ATTEMPTS):
            reply = attempt(self.mta, None, user, message)
            if reply and reply.code == 250:
                return n
            check(reply is None or 400 <= reply.code < 500, reply)
            if self.assayd.process.poll() is not None:
                self.start()
        raise AssertionError("%d attempts in vain, last: %r" % (n, reply))

    def dialogue(self):
        """What passes for one message, packet by packet."""
        self.start()
        # The look whether the MTA was up gave it a session too.
        self.send("whole-1", mail("tag-me", to="whole-1"))
        plan = self.proxy.arm(0)
        self.send("whole", mail("tag-me", to="whole",
                                body=lines_of(0, 100000)))
        wait_for(lambda: plan.open == 0, "the end of the session")
        check(plan.passed[-1] == "the MTA's QUIT", plan.passed)
        equal(plan.passed.count("the MTA's QUIT"), 1, "sessions")
        return plan.passed

    def killed_before(self, n):
        body = lines_of(n, 100000)
        user = "kill%d" % n
        if self.assayd.process.poll() is not None:
            self.start()
        plan = self.proxy.arm(n, self.kill)
        self.send(user, mail("tag-me %d" % n, to=user, body=body))
        check(plan.struck.wait(fixture.PATIENCE), "not killed:", plan.passed)
        message = self.mta.wait_delivered(user)
        equal(message.body, body, "body")
        equal(message.all("X-Spam-Flag"), ["YES"], "X-Spam-Flag")
        equal(len(message.all("X-Assay-Ref")), 1, "X-Assay-Ref")

    def all_once(self, last):
        """After all kills: nothing came later, nothing came twice."""
        self.mta.wait_empty()
        users = {u for m in self.mta.mail() for u in m.all("X-Original-To")}
        for user in users:
            name = user.split("@")[0]
            check(name.startswith(("kill", "whole")), user)
            equal(len(self.mta.delivered_to(name)), 1, name)
        check(len(users) >= last, "only", len(users))


# --- faults of what assayd stands on -----------------------------------------

class Load:
    """Sessions that send messages, and a fault in the middle."""

    def __init__(self, site, name, options, state=None, big=False):
        self.site, self.name, self.big = site, name, big
        self.state = state
        self.assayd = Assayd(
            site.scratch, "%s-%s" % (site.kind, name), site.conf,
            None if name == "dns" else site.zone, path=site.sockets[name],
            options=["milter.socket_mode=0666"] + options)
        self.sent, self.lock = {}, threading.Lock()
        self.done = threading.Semaphore(0)

    def one(self, session):
        for n in range(MESSAGES):
            user = "%s%d.%d" % (self.name, session, n)
            size = 3000000 if self.big and n % 3 == 0 else 3000
            body = lines_of(user, size)
            reply = attempt(self.site.mta, self.name, user,
                            mail("tag-me", to=user, body=body))
            check(reply and reply.code == 250, user, reply)
            with self.lock:
                self.sent[user] = hashlib.sha256(body).digest()
            self.done.release()

    def run(self, strike):
        """All messages; strike() when a quarter of them is through."""
        failures = []

        def strike_in_time():
            for _ in range(SESSIONS * MESSAGES // 4):
                self.done.acquire(timeout=fixture.PATIENCE)
            try:
                strike()
            except Exception as failure:
                failures.append(failure)

        striker = threading.Thread(target=strike_in_time, daemon=True)
        striker.start()
        in_threads(SESSIONS, self.one)
        striker.join(fixture.PATIENCE)
        check(not failures, failures)
        equal(len(self.sent), SESSIONS * MESSAGES, "messages")
        self.site.mta.wait_empty()
        for user, digest in self.sent.items():
            message = self.site.mta.wait_delivered(user)
            equal(hashlib.sha256(message.body).digest(), digest,
                  "body for " + user)
            equal(message.all("X-Spam-Flag"), ["YES"], user)
        check(self.assayd.process.poll() is None, "assayd ended")

    def degraded(self, word):
        """How many log lines name it."""
        return sum(word in j["degraded"].split(",")
                   for j in self.assayd.journals())


class Redis:
    def __init__(self, scratch, folder):
        program = shutil.which("redis-server")
        if not program:
            raise Skip("redis-server missing")
        self.port = fixture.free_port()
        self.process = subprocess.Popen(
            [program, "--port", str(self.port), "--bind", "127.0.0.1",
             "--save", "", "--appendonly", "no", "--dir", folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        scratch.running.append(self)
        wait_for(lambda: fixture.accepts(("127.0.0.1", self.port)), "Redis")

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        fixture.end_process(self.process)


def redis_fails(site, number):
    redis = Redis(site.scratch, site.folder)
    load = Load(site, "store", ["store.url=redis://127.0.0.1:%d/0" %
                                redis.port])
    load.run(lambda: redis.process.send_signal(number))
    fixture.stopped_clean(TAP, load.assayd)
    site.mta.forget()
    redis.stop()
    check(load.degraded("redis") > 0, "no line says degraded=redis")


def dns_dies(site):
    """It is a server that answers nothing, then a closed port."""
    import socket
    hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    hole.bind(("127.0.0.1", 0))
    load = Load(site, "dns", [
        "dns.nameservers=127.0.0.1@%d" % hole.getsockname()[1],
        "dns.timeout=300ms"])
    load.run(hole.close)
    equal(load.degraded("dns"), SESSIONS * MESSAGES, "degraded=dns")
    fixture.stopped_clean(TAP, load.assayd)
    site.mta.forget()


def disk_fills(site):
    """The state folder is a small file system, filled in mid-run."""
    folder = site.scratch.folder("%s-disk" % site.kind, "state")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise Skip("mount is not permitted here")

    def fill():
        try:
            with open(os.path.join(folder, "filler"), "wb") as f:
                while True:
                    f.write(b"x" * 65536)
                    f.flush()
        except OSError:
            pass

    try:
        load = Load(site, "disk", [], big=True)
        load.run(fill)
        check(load.degraded("disk") > 0, "no line says degraded=disk")
        fixture.stopped_clean(TAP, load.assayd)
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
        site.mta.forget()


# --- the cases ---------------------------------------------------------------

TAP = Tap()
CHOSEN = sys.argv[1:]


def run(claim, function, *args):
    if not CHOSEN or any(word in claim for word in CHOSEN):
        return TAP.run(claim, function, *args)
    return True


def cases(site):
    kind = site.kind
    steps = []
    if not run("%s: a whole dialogue through the proxy" % kind,
               lambda: steps.extend(site.dialogue())):
        return
    numbers = range(1, len(steps) + 1, STEP)
    for n in numbers:
        run("%s: killed before packet %d, %s: delivered once, every byte" % (
            kind, n, steps[n - 1]), site.killed_before, n)
    run("%s: no message of all these came twice or without need" % kind,
        site.all_once, 0 if CHOSEN else len(numbers))
    site.mta.forget()
    run("%s: Redis is killed in mid-run: all delivered once" % kind,
        redis_fails, site, signal.SIGKILL)
    run("%s: Redis freezes in mid-run: all delivered once" % kind,
        redis_fails, site, signal.SIGSTOP)
    run("%s: DNS is dead: all delivered once, degraded=dns" % kind,
        dns_dies, site)
    run("%s: the disk is full in mid-run: all delivered once" % kind,
        disk_fills, site)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for make_mta, missing in ((Postfix, fixture.missing()),
                              (Sendmail, sendmail.missing())):
        if missing:
            TAP.skip("%s: nothing is lost" % make_mta.kind, missing)
            continue
        with Scratch("lost") as scratch:
            site = Site(scratch, make_mta)
            cases(site)
            site.mta.stop()
            if site.assayd.process.poll() is not None:
                site.start()
            fixture.stopped_clean(TAP, site.assayd)
    return TAP.done()


if __name__ == "__main__":
    sys.exit(main())
