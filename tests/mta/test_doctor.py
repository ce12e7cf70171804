#!/usr/bin/python3
"""assay doctor and a real Postfix: the one that mail goes through has no
problem, and what the doctor reads of its files is what postconf(1) reads.
"""

import json
import os
import pwd
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import fixture  # noqa: E402
from fixture import (  # noqa: E402
    Assayd, Postfix, Scratch, Tap, check, equal, mail, tool)

CONF = """
rules { path = { %s } }
policy default { mode = %s }
"""


def doctor(daemon, postfix, status):
    done = daemon.assay("doctor", "--json", "--postfix", postfix.etc)
    equal(done.returncode, status, done.stdout + done.stderr)
    return json.loads(done.stdout)["findings"]


def postfix_findings(findings, *levels):
    return [f for f in findings if f["check"].startswith("postfix.") and
            f["level"] in levels]


def good(daemon, postfix):
    """What serves mail is found good, as far as Postfix goes."""
    with postfix.client() as client:
        reply = client.message("ben@shop.example", "anna", mail())
        equal(reply.code, 250)
    daemon.journal(reply.queue_id)
    findings = doctor(daemon, postfix, 1)       # the zone file, in enforce
    equal(postfix_findings(findings, "problem"), [])
    said = {f["check"] for f in postfix_findings(findings, "ok")}
    for name in ("postfix.milters", "postfix.default_action",
                 "postfix.reach"):
        check(name in said, name, said)
    equal([f["check"] for f in findings if f["level"] == "problem" and
           f["check"] != "state.folder"], ["machine.dns"])


def shut(daemon, postfix):
    """A socket that Postfix may not use: mail is deferred, the doctor says
    why, and what it says to do helps."""
    os.chmod(daemon.address, 0o600)
    with postfix.client() as client:
        reply = client.command("MAIL FROM:<ben@shop.example>")
        equal(reply.code // 100, 4, repr(reply))
    found = [f for f in postfix_findings(doctor(daemon, postfix, 1),
                                         "problem")]
    equal([f["check"] for f in found], ["postfix.reach"])
    equal(found[0]["where"], daemon.address)
    os.chmod(daemon.address, 0o660)
    with postfix.client() as client:
        equal(client.message("ben@shop.example", "anna", mail()).code, 250)


def as_postconf(daemon, postfix):
    """One value spoilt after the other, by postconf -e: where the doctor finds
    a problem is where postconf says that the value stands."""
    for name, value, wanted in (
            ("milter_default_action", "accept", "postfix.default_action"),
            ("milter_protocol", "2", "postfix.protocol"),
            ("milter_content_timeout", "${x?1}${x:7}s", "postfix.timeouts"),
            ("smtpd_milters", "unix:nowhere", "postfix.milters")):
        was = tool("postconf", "-c", postfix.etc, "-h", name).strip()
        tool("postconf", "-c", postfix.etc, "-e", "%s=%s" % (name, value))
        found = [f for f in postfix_findings(doctor(daemon, postfix, 1),
                                             "problem")]
        equal([f["check"] for f in found], [wanted], name)
        path, _, line = found[0]["where"].rpartition(":")
        with open(path) as f:
            equal(f.read().split("\n")[int(line) - 1],
                  "%s = %s" % (name, value))
        tool("postconf", "-c", postfix.etc, "-e", "%s=%s" % (name, was))
    equal(postfix_findings(doctor(daemon, postfix, 1), "problem"), [])


def main():
    tap = Tap()
    why = fixture.missing()
    if why:
        print("1..0 # SKIP " + why)
        return 0
    with Scratch("doctor") as scratch:
        zone = scratch.write("zone", "shop.example A 192.0.2.1\n")
        folder = scratch.folder("socket")
        os.chown(folder, 0, pwd.getpwnam("postfix").pw_gid)
        os.chmod(folder, 0o2750)
        daemon = Assayd(scratch, "assayd", CONF % (
            "", "enforce"), zone=zone,
            path=os.path.join(folder, "milter.sock"))
        # assay is told the place by its configuration.
        daemon.options.append("milter.socket=unix:" + daemon.address)
        postfix = Postfix(scratch, "postfix", daemon.address)
        tap.run("a Postfix that mail goes through has no problem", good,
                daemon, postfix)
        tap.run("a socket that it may not use is found", shut, daemon,
                postfix)
        tap.run("what is read of main.cf is what postconf reads",
                as_postconf, daemon, postfix)
        fixture.stopped_clean(tap, daemon)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
