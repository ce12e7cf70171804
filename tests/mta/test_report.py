#!/usr/bin/python3
"""Aggregate reports through a real Postfix: mail comes in and is counted, the
next day its sendmail(1) takes the report, our milter signs it, it is delivered;
the one that cannot be delivered comes back as Postfix makes bounces.

Usage: [builddir=DIR] test_report.py"""

import email
import email.policy
import gzip
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import fixture  # noqa: E402
from fixture import (Assayd, Postfix, Scratch, Tap, check,  # noqa: E402
                     equal, free_port, mail)

DRIVER = os.path.join(fixture.BUILD, "tests/report/report_driver")
NS = "{urn:ietf:params:xml:ns:dmarc-2.0}"

# shop.example is whose mail we get; it has reports sent to one of ours, and to
# a host that nobody can write to.
ZONE = """
shop.example TXT "v=spf1 ip4:192.0.2.10 -all"
_dmarc.shop.example TXT "v=DMARC1; p=reject; rua=mailto:dmarc@test.example,mailto:x@gone.example"
shop.example._report._dmarc.test.example TXT "v=DMARC1"
shop.example._report._dmarc.gone.example TXT "v=DMARC1"
"""
CONF = """
auth { keys = "%(keys)s" sign_local = { test.example } sign_inet = yes }
report {
	dmarc = yes
	from = dmarc-reports@test.example
	bounces = dmarc-bounces@test.example
	sendmail = "%(sendmail)s"
}
"""


class Bench:
    def __init__(self, scratch):
        self.scratch = scratch
        keys = scratch.folder("keys")
        os.chmod(keys, 0o750)
        record = subprocess.run(
            [os.path.join(fixture.BUILD, "assay"), "-c", "/dev/null", "-o",
             "auth.keys=" + keys, "dkim", "keygen", "--domain=test.example",
             "--selector=rsa"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        equal(record.returncode, 0, record.stderr)
        self.key = "".join(re.findall('"([^"]*)"', record.stdout.decode()))
        self.zone = scratch.write("zone", ZONE +
                                  "rsa._domainkey.test.example TXT %s\n" %
                                  " ".join('"%s"' % part for part in
                                           re.findall(".{1,200}", self.key)))
        self.port = free_port()
        self.mta = Postfix(
            scratch, "mta", ("127.0.0.1", self.port),
            "non_smtpd_milters = inet:127.0.0.1:%d\n" % self.port)
        sendmail = scratch.write(
            "sendmail", "#!/bin/sh\nMAIL_CONFIG='%s' exec '%s' \"$@\"\n" % (
                self.mta.etc, "/usr/sbin/sendmail"), 0o755)
        self.conf = CONF % {"keys": keys, "sendmail": sendmail}
        self.start()

    def start(self):
        self.assayd = Assayd(self.scratch, "main", self.conf, self.zone,
                             port=self.port)

    def bounce(self, message):
        """The command as a pipe of the MTA's calls it."""
        command = [os.path.join(fixture.BUILD, "assay"), "-c",
                   self.assayd.conf]
        for option in self.assayd.options:
            command += ["-o", option]
        return subprocess.run(command + ["report", "bounce"],
                              input=message.data, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120)


def gather(b):
    for ip, helo, n in (("192.0.2.10", "mail.shop.example", 2),
                        ("203.0.113.9", "bad.example", 1)):
        with b.mta.client(ip=ip, helo=helo) as c:
            for _ in range(n):
                reply = c.message("ben@shop.example", "anna", mail())
                equal(reply.code, 250, "reply")
    b.mta.wait_delivered("anna", 3)


def next_day(b):
    b.assayd.stop()
    equal(b.assayd.status, 0, "assayd's exit")
    done = subprocess.run([DRIVER, "shift", b.assayd.state, "2"])
    equal(done.returncode, 0, "report_driver")
    b.start()


def send(b):
    done = b.assayd.assay("report", "dmarc")
    said = done.stdout.decode()
    equal(done.returncode, 0, (said, done.stderr))
    check("2 sent, 0 later" in said, said)
    again = b.assayd.assay("report", "dmarc").stdout.decode()
    check("0 sent" in again, again)


def received(b):
    message = b.mta.wait_delivered("dmarc")
    equal(message.one("Return-Path"), "<dmarc-bounces@test.example>")
    equal(message.one("From"), "dmarc-reports@test.example")
    check("d=test.example" in message.one("DKIM-Signature"), "d=")
    done = b.assayd.assay("auth", "dkim", "--json", message.path)
    check(b'"result":"pass"' in done.stdout.replace(b" ", b""), done.stdout)
    try:
        import dkim
        check(dkim.verify(message.data, dnsfunc=lambda name, timeout=5:
                          b.key.encode()), "dkimpy refuses the report")
    except ImportError:
        print("# python3-dkim is missing: verified by assay alone")
    parts = [part for part in email.message_from_bytes(
        message.data, policy=email.policy.default).walk()
        if part.get_content_type() == "application/gzip"]
    equal(len(parts), 1)
    tree = ElementTree.fromstring(gzip.decompress(parts[0].get_content()))
    rows = {row.findtext(".//%ssource_ip" % NS): [
        row.findtext(".//%s" % NS + name)
        for name in ("count", "disposition", "spf")]
        for row in tree.iter(NS + "record")}
    equal(rows, {"192.0.2.10": ["2", "pass", "pass"],
                 "203.0.113.9": ["1", "none", "fail"]})
    read = b.assayd.assay("report", "read", "--sums", message.path)
    check(b"203.0.113.9" in read.stdout, read)


def bounced(b):
    message = b.mta.wait_delivered("dmarc-bounces")
    done = b.bounce(message)
    equal(done.stdout, b"x@gone.example: bounced 1 of 2 times\n")
    equal(b.bounce(message).stdout, b"known\n")


def main():
    tap = Tap()
    lacks = fixture.missing()
    if lacks:
        print("1..0 # SKIP %s" % lacks)
        return 0
    with Scratch("mta-report") as scratch:
        b = Bench(scratch)
        for claim, function in (
                ("mail of a domain that asks for reports is counted", gather),
                ("two days later its rows are of a day that is over", next_day),
                ("Postfix's sendmail takes the reports, once", send),
                ("it arrives signed, and says what came", received),
                ("Postfix's bounce of the other counts, once", bounced)):
            if not tap.run(claim, function, b):
                print("# " + b.mta.log()[-2000:].replace("\n", "\n# "))
                break
        fixture.stopped_clean(tap, b.assayd)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
