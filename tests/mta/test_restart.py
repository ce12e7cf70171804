#!/usr/bin/python3
"""Restarts that nobody notices: the listener belongs to the service manager
(here: the test), assayd is stopped and started 20 times under load, and every
message is accepted at the first try and delivered once. So with Postfix, then
with Sendmail.
"""

import os
import socket
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import fixture  # noqa: E402
import sendmail  # noqa: E402
from fixture import (  # noqa: E402
    Assayd, Postfix, Scratch, Tap, check, equal, mail, wait_for)
from sendmail import Sendmail  # noqa: E402

DEMO = os.path.join(fixture.SOURCE, "conf", "demo")
RESTARTS = int(os.environ.get("ASSAY_TEST_RESTARTS") or 20)
CLIENTS = 3

CONF = """
rules { path = { "%s" } }
policy default { mode = enforce }
"""

TAP = Tap()


class Load:
    """Clients that send message after message until told to end."""

    def __init__(self, mta):
        self.mta = mta
        self.end = threading.Event()
        self.lock = threading.Lock()
        self.accepted, self.troubles = [], []
        self.threads = [threading.Thread(target=self.run, args=(i,))
                        for i in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        n = 0
        while not self.end.is_set():
            n += 1
            user = "load-%d-%d" % (number, n)
            try:
                self.session(user)
            except Exception as trouble:
                with self.lock:
                    self.troubles.append("%s: %r" % (user, trouble))

    def session(self, user):
        # Two messages in a session: what is between them counts too.
        with self.mta.client(ip="192.0.2.20") as c:
            for part in ("a", "b"):
                name = "%s-%s" % (user, part)
                reply = c.message("ben@shop.example", name, mail(to=name))
                with self.lock:
                    if reply.code == 250:
                        self.accepted.append(name)
                    else:
                        self.troubles.append("%s: %r" % (name, reply))

    def count(self):
        with self.lock:
            return len(self.accepted)

    def stop(self):
        self.end.set()
        for thread in self.threads:
            thread.join(120)


def play(scratch, make_mta):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(100)
    rules = scratch.write("rules.cf", "body T_NEVER /never-in-the-test/\n")
    conf = CONF % rules
    with open(os.path.join(DEMO, "zone")) as f:
        zone = scratch.write("zone", make_mta.zone(f.read()))

    def start():
        return Assayd(scratch, "assayd", conf, zone=zone, listener=listener,
                      options=make_mta.assayd_options)

    daemon = start()
    mta = make_mta(scratch, "mta", listener.getsockname())
    load = Load(mta)
    statuses, reports, journals = [], [], 0
    for _ in range(RESTARTS):
        seen = load.count()
        wait_for(lambda: load.count() >= seen + 3,
                 "messages; troubles: %r" % load.troubles[-3:])
        daemon.stop()
        statuses.append(daemon.status)
        reports += daemon.sanitizer_lines()
        journals += len(daemon.journals())
        daemon = start()
    load.stop()
    mta.wait_empty()
    daemon.stop()
    journals += len(daemon.journals())
    users = [m.one("X-Original-To") for m in mta.mail()]
    listener.close()
    return load, users, statuses, reports, journals


def run(make_mta):
    kind = make_mta.kind
    with Scratch("restart") as scratch:
        load, users, statuses, reports, journals = play(scratch, make_mta)
    wanted = sorted("%s@%s" % (name, fixture.DOMAIN)
                    for name in load.accepted)
    TAP.run("%s: %d restarts: no connection refused, nothing answered 4xx" %
            (kind, RESTARTS),
            lambda: check(not load.troubles, load.troubles[:5]))
    TAP.run(kind + ": every message accepted is delivered once",
            lambda: equal(sorted(users), wanted))
    TAP.run(kind + ": each was judged by exactly one of the processes",
            lambda: equal(journals, len(load.accepted)))
    TAP.run(kind + ": each process stops in order",
            lambda: equal(set(statuses), {0}))
    TAP.run(kind + ": no sanitizer report",
            lambda: check(not reports, reports[:30]))
    print("# %d messages" % len(load.accepted))


def main():
    for make_mta, why in ((Postfix, fixture.missing()),
                          (Sendmail, sendmail.missing())):
        if why:
            TAP.skip("%s: restarts under load with an inherited listener" %
                     make_mta.kind, why)
        else:
            run(make_mta)
    return TAP.done()


if __name__ == "__main__":
    sys.exit(main())
