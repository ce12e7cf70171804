#!/usr/bin/python3
"""Aggregate reports from the store to sendmail(1), and bounces of them. The
store is a real one, its rows are made by report_driver, DNS is a zone file.
sendmail is a script that writes down how it was called and answers as the case
wants; tests/mta/test_report.py has a real one.

srcdir and builddir name the folders, as make check sets them. Prints TAP.
"""

import email
import email.policy
import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import fixture  # noqa: E402
from fixture import (Assayd, Scratch, Skip, Tap, check, equal,  # noqa: E402
                     wait_for)

BUILD = fixture.BUILD
DRIVER = os.path.join(BUILD, "tests/report/report_driver")
SCHEMA = os.path.join(fixture.SOURCE, "../shared/conformance/dmarc/reports",
                      "ietf-dmarc-xml-0.2.xsd")
NS = "{urn:ietf:params:xml:ns:dmarc-2.0}"
DAY_S = 86400
GRACE_S = 900

# A mail in, its call out: argv and bytes into files that appear whole.
SENDMAIL = """#!/usr/bin/python3
import os, sys, time
here = os.path.dirname(os.path.abspath(sys.argv[0]))
mail = sys.stdin.buffer.read()
to = sys.argv[-1]
def behaves(what):
    try:
        return open(os.path.join(here, what, to)).read()
    except FileNotFoundError:
        return None
exits = behaves("exits")
name = os.path.join(here, "calls", "%d-%d" % (time.monotonic_ns(), os.getpid()))
with open(name + ".new", "wb") as f:
    f.write("\\0".join(sys.argv[1:] + [exits or "0"]).encode() + b"\\n" + mail)
os.rename(name + ".new", name)
if behaves("hangs") is not None:
    open(os.path.join(here, "hangs", to)).read()
print("said: %s" % to, file=sys.stderr)
sys.exit(int(exits or 0))
"""


class Call:
    def __init__(self, path):
        with open(path, "rb") as f:
            first, self.bytes = f.read().split(b"\n", 1)
        *self.argv, exits = first.decode().split("\0")
        self.taken = exits == "0"
        self.to = self.argv[-1]
        self.mail = email.message_from_bytes(self.bytes,
                                             policy=email.policy.default)

    @property
    def part(self):
        part, = [p for p in self.mail.walk()
                 if p.get_content_type() == "application/gzip"]
        return part

    @property
    def xml(self):
        return gzip.decompress(self.part.get_content())


class Site:
    """A state folder with rows, a zone, a sendmail and the command."""

    def __init__(self, scratch, name, zone, conf=""):
        self.scratch, self.name = scratch, name
        self.state = scratch.folder(name, "state")
        self.sendmail = scratch.write(name + "/sendmail", SENDMAIL, 0o755)
        for folder in ("calls", "exits", "hangs"):
            scratch.folder(name, folder)
        scratch.folder(name, "keys", "mx.example.org")
        key = self.path("keys", "mx.example.org", "test.pem")
        driver("key", key)
        os.chmod(key, 0o600)
        self.zone = scratch.write(name + "/zone", zone)
        self.conf = scratch.write(name + "/assay.conf", """
auth { keys = "%s" sign_local = { mx.example.org } }
report {
	dmarc = yes
	from = reports@mx.example.org
	sendmail = "%s"
	%s
}
""" % (self.path("keys"), self.sendmail, conf))
        self.options = ["state=" + self.state, "dns.zone=" + self.zone,
                        "control=" + self.path("control")]

    def path(self, *names):
        return os.path.join(self.scratch.path, self.name, *names)

    def command(self, *words):
        command = [os.path.join(BUILD, "assay"), "-c", self.conf]
        for option in self.options:
            command += ["-o", option]
        return command + ["report", *words]

    def run(self, *words, status=0, stdin=b""):
        done = subprocess.run(self.command(*words), input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=120)
        self.err = done.stderr.decode("utf-8", "replace")
        out = done.stdout.decode("utf-8", "replace")
        equal(done.returncode, status, (words, out, self.err))
        return out

    def start(self, *words):
        return subprocess.Popen(self.command(*words),
                                stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def fill(self, domain, n=3, days=1):
        driver("fill", self.state, str(today() - days), domain, str(n))

    def calls(self):
        names = sorted(n for n in os.listdir(self.path("calls"))
                       if not n.endswith(".new"))
        return [Call(self.path("calls", n)) for n in names]

    def recipients(self):
        return sorted(c.to for c in self.calls())

    def exits(self, address, status):
        with open(self.path("exits", address), "w") as f:
            f.write(str(status))


def driver(*words):
    done = subprocess.run((DRIVER,) + words, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)
    equal(done.returncode, 0, (words, done.stderr))
    return done.stdout


def today():
    """The day that is not over, as the command sees it: minutes after midnight
    the day before may still get rows."""
    return int(time.time() - GRACE_S) // DAY_S


def date(days):
    return time.strftime("%Y-%m-%d", time.gmtime((today() - days) * DAY_S))


def record(domain, rua, more=""):
    return '_dmarc.%s TXT "v=DMARC1; p=none; %srua=%s"\n' % (
        domain, more, rua)


def valid(scratch, xml):
    """By the IETF's schema, where it and xmllint are here."""
    if not shutil.which("xmllint") or not os.path.exists(SCHEMA):
        return
    path = scratch.write("valid.xml", xml.decode() if isinstance(
        xml, bytes) else xml)
    done = subprocess.run(["xmllint", "--noout", "--nonet", "--schema",
                           SCHEMA, path], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    equal(done.returncode, 0, done.stdout.decode())


def bounce_of(call, status="5.1.1", action="failed", change=None):
    """A notification as RFC 3464 wants it, with the header of the mail."""
    head = call.bytes.split(b"\n\n", 1)[0].decode()
    if change:
        head = change(head)
    return ("""From: MAILER-DAEMON@x.example
To: bounces@mx.example.org
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

It did not work.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; x.example

Final-Recipient: rfc822; %s
Action: %s
Status: %s
--b
Content-Type: text/rfc822-headers

%s
--b--
""" % (call.to, action, status, head)).encode()


CASES = []


def case(claim):
    def keep(function):
        CASES.append((claim, function))
        return function
    return keep


# --- what is sent ----------------------------------------------------------------

@case("a report is a mail as RFC 9990 wants it, to each address of rua=")
def whole(scratch):
    site = Site(scratch, "whole",
                record("a.example",
                       "mailto:d@a.example,mailto:e@sub.a.example!10m"),
                "org_name = \"A < B\" contact = \"https://mx.example.org/\"")
    site.fill("a.example")
    said = site.run("dmarc")
    check("2 sent, 0 later" in said, said)
    calls = site.calls()
    equal([c.to for c in calls], ["d@a.example", "e@sub.a.example"])
    for c in calls:
        equal(c.argv, ["-i", "-f", "<>", "--", c.to])
        check(b"\r" not in c.bytes, "a CR")
        equal(c.mail["From"], "reports@mx.example.org")
        equal(c.mail["To"], c.to)
        equal(c.mail["Auto-Submitted"], "auto-generated")
        begin = (today() - 1) * DAY_S
        found = re.fullmatch(r"Report Domain: a\.example Submitter:"
                             r" mx\.example\.org Report-ID: <(\S+)>",
                             re.sub(r"\s+", " ", c.mail["Subject"]))
        check(found, c.mail["Subject"])
        check(re.fullmatch(r"mx\.example\.org!a\.example!%d!%d!"
                           r"[0-9a-f]{16}\.xml\.gz"
                           % (begin, begin + DAY_S - 1),
                           c.part.get_filename()), c.part.get_filename())
        valid(scratch, c.xml)
        tree = ElementTree.fromstring(c.xml)
        equal(tree.findtext(".//%sreport_id" % NS), found.group(1))
        equal(tree.findtext(".//%sorg_name" % NS), "A < B")
        equal(tree.findtext(".//%sbegin" % NS), str(begin))
        equal([r.text for r in tree.iter(NS + "count")], ["3", "2", "1"])
    equal(calls[0].xml, calls[1].xml)
    check(calls[0].mail["Message-ID"] != calls[1].mail["Message-ID"])


@case("what was sent is not sent again")
def once(scratch):
    site = Site(scratch, "once", record("a.example", "mailto:d@a.example"))
    site.fill("a.example")
    site.fill("a.example", days=3)
    check("2 sent" in site.run("dmarc"))
    check("0 sent" in site.run("dmarc"))
    equal(len(site.calls()), 2)


@case("--dry-run prints who would get which XML, sends and marks nothing")
def dry(scratch):
    site = Site(scratch, "dry", record("a.example", "mailto:d@a.example"))
    site.fill("a.example", 2)
    said = site.run("dmarc", "--dry-run")
    check(said.startswith(date(1) + " a.example to d@a.example: 2 of 2"),
          said)
    valid(scratch, said[said.index("<?xml"):])
    equal(site.calls(), [])
    check("1 sent" in site.run("dmarc"))
    check("<?xml" in site.run("dmarc", "-n"), "not what was sent already")


@case("a day that is not over, days too old and rows of others are left alone")
def days(scratch):
    site = Site(scratch, "days", record("a.example", "mailto:d@a.example") +
                record("b.example", "mailto:d@b.example"))
    site.fill("a.example", days=0)
    site.fill("a.example", days=7)
    site.fill("b.example", days=2)
    check("0 sent" in site.run("dmarc", "--domain", "a.example"))
    check("0 sent" in site.run("dmarc", "--day", date(1)))
    site.run("dmarc", "--day", date(0), status=64)
    check("is not over" in site.err, site.err)
    site.run("dmarc", "--day", "2026-13-01", status=64)
    check("1 sent" in site.run("dmarc", "--day", date(2)))


@case("no key for report.from, or none that the milter would use: refused")
def unsigned(scratch):
    site = Site(scratch, "unsigned", record("a.example", "mailto:d@a.example"))
    site.fill("a.example")
    site.options.append("report.from=reports@other.example")
    site.run("dmarc", status=78)
    check("would leave unsigned: no key" in site.err, site.err)
    site.options[-1] = "auth.sign_local={ }"
    site.run("dmarc", status=78)
    check("auth.sign_local" in site.err, site.err)
    for wrong in ("", "reports", "x y@mx.example.org", "a@mx.example.org\r\nB:"):
        site.options[-1] = "report.from=\"%s\"" % wrong
        site.run("dmarc", status=78)
        check("report.from" in site.err, site.err)
    site.options[-1] = "report.bounces=-oQ/tmp"
    site.run("dmarc", status=78)
    check("report.bounces" in site.err, site.err)
    equal(site.calls(), [])
    site.options.pop()
    site.run("dmarc")
    check("assayd does not answer" in site.err, site.err)


@case("report.bounces is the envelope sender, report.exclude has no reports")
def options(scratch):
    site = Site(scratch, "options", record("a.example", "mailto:d@a.example") +
                record("b.example", "mailto:d@b.example"),
                "bounces = b+ounces@mx.example.org exclude = { b.example }")
    site.fill("a.example")
    site.fill("b.example")
    site.run("dmarc")
    equal([c.argv[:3] for c in site.calls()],
          [["-i", "-f", "b+ounces@mx.example.org"]])


@case("of a report that is too large the records with most messages go")
def large(scratch):
    site = Site(scratch, "large", record("a.example",
                                         "mailto:d@a.example!8k") +
                record("b.example", "mailto:d@b.example!2"))
    site.fill("a.example", 900)
    site.fill("b.example", 1)
    said = site.run("dmarc")
    check("no record of it fits" in said, said)
    c, = site.calls()
    check(len(c.bytes) <= 8192, len(c.bytes))
    valid(scratch, c.xml)
    tree = ElementTree.fromstring(c.xml)
    counts = [int(x.text) for x in tree.iter(NS + "count")]
    check(100 < len(counts) < 900, len(counts))
    equal(counts, list(range(900, 900 - len(counts), -1)))
    left = re.match(r"(\d+) records with (\d+) messages were left out",
                    tree.findtext(".//%serror" % NS))
    equal(int(left.group(1)) + len(counts), 900)
    equal(int(left.group(2)) + sum(counts), 900 * 901 // 2)


# --- to whom ----------------------------------------------------------------------

@case("a third party gets reports only where it says so (hostile 50)")
def consent(scratch):
    zone = record("a.example",
                  "mailto:v@victim.example,mailto:y@yes.example,"
                  "mailto:old@new.example,mailto:away@away.example,"
                  "mailto:odd@odd.example,mailto:slow@slow.example")
    say = '%s._report._dmarc.%s TXT "%s"\n'
    zone += say % ("a.example", "yes.example", "v=DMARC1;")
    zone += say % ("a.example", "new.example",
                   "v=DMARC1; rua=mailto:other@new.example")
    zone += say % ("a.example", "away.example",
                   "v=DMARC1; rua=mailto:v@victim.example")
    zone += say % ("a.example", "odd.example", "rua=mailto:x@odd.example")
    zone += say % ("b.example", "victim.example", "v=DMARC1")
    zone += "a.example._report._dmarc.slow.example TIMEOUT TXT\n"
    site = Site(scratch, "consent", zone)
    site.fill("a.example")
    said = site.run("dmarc")
    equal(site.recipients(), ["other@new.example", "y@yes.example"])
    for victim in ("v@victim.example", "away@away.example",
                   "odd@odd.example"):
        check("to %s: not sent, that domain does not ask" % victim in said,
              said)
    check("to slow@slow.example: later" in said, said)


@case("a hundred addresses: ten get it; the same one twice gets it once")
def hundred(scratch):
    uris = ",".join("mailto:%s@a.example" % name for name in
                    ["d", "D"] + ["n%d" % i for i in range(99)])
    texts = " ".join('"%s"' % part for part in re.findall(
        ".{1,200}", "v=DMARC1; p=none; rua=" + uris))
    site = Site(scratch, "hundred", "_dmarc.a.example TXT %s\n" % texts)
    site.fill("a.example")
    said = site.run("dmarc")
    check("too many addresses" in said, said)
    equal(site.recipients(), sorted(["d@a.example"] + [
        "n%d@a.example" % i for i in range(9)]))


@case("URIs that are no plain address are ignored, the others are served")
def odd_uris(scratch):
    uris = ("mailto:v@a.example?cc=w@victim.example",
            "mailto:v@a.example%0d%0aBcc:w@victim.example",
            "mailto:v%20-oQ/tmp@a.example", "mailto:|id@a.example",
            "mailto:%2fetc%2fpasswd@a.example", "mailto:root@localhost",
            "mailto:v%25victim.example@a.example", "mailto:%22a b%22@a.example",
            "mailto:a@b@a.example", "mailto:@a.example", "mailto:v@",
            "mailto:v@[192.0.2.1]", "mailto:v%00@a.example", "mailto:v%@a.example",
            "https://a.example/r", "v@a.example", "mailto:v@a.example!10x",
            "mailto:..@a.example", "mailto:-C/etc@a.example",
            "MAILTO:Good%2Bone@A.EXAMPLE")
    site = Site(scratch, "odd", record("a.example", ",".join(uris)))
    site.fill("a.example")
    said = site.run("dmarc")
    equal(site.recipients(), ["Good+one@a.example"], said)


@case("a record that is gone asks for nothing; DNS that fails is asked again")
def records(scratch):
    site = Site(scratch, "records", "_dmarc.b.example TIMEOUT TXT\n")
    site.fill("a.example")
    site.fill("b.example")
    said = site.run("dmarc")
    check("a.example: not sent, nobody asks" in said, said)
    check("b.example: later, DNS does not answer" in said, said)
    with open(site.zone, "w") as f:
        f.write(record("a.example", "mailto:d@a.example") +
                record("b.example", "mailto:d@b.example"))
    site.run("dmarc")
    equal(site.recipients(), ["d@b.example"])


# --- failures ---------------------------------------------------------------------

@case("what sendmail does not take now is sent by a later run, the same report")
def later(scratch):
    site = Site(scratch, "later", record(
        "a.example", "mailto:d@a.example,mailto:e@a.example"))
    site.fill("a.example")
    site.exits("d@a.example", 75)
    said = site.run("dmarc", status=75)
    check("to d@a.example: later: status 75: said: d@a.example" in said, said)
    os.unlink(site.path("exits", "d@a.example"))
    check("1 sent" in site.run("dmarc"))
    first, other, second = site.calls()
    equal((first.to, other.to, second.to),
          ("d@a.example", "e@a.example", "d@a.example"))
    equal(first.part.get_filename(), second.part.get_filename())
    equal(first.mail["Message-ID"], second.mail["Message-ID"])
    equal(first.part.get_content(), second.part.get_content())


@case("a sendmail that cannot be used ends the run, and nothing is lost")
def wrong(scratch):
    site = Site(scratch, "wrong", record("a.example", "mailto:d@a.example"))
    site.fill("a.example")
    site.options.append("report.sendmail=/nonexistent/sendmail")
    site.run("dmarc", status=78)
    check("/nonexistent/sendmail cannot be used" in site.err, site.err)
    site.options.pop()
    check("1 sent" in site.run("dmarc"))


def hanging(site, address):
    """A run whose sendmail has the mail for `address` and says nothing."""
    os.mkfifo(site.path("hangs", address))
    run = site.start("dmarc")
    wait_for(lambda: address in site.recipients(), "sendmail with its mail")
    return run


def let_go(site, address):
    with open(site.path("hangs", address), "w"):
        os.unlink(site.path("hangs", address))


@case("a run that is killed while sendmail has the mail sends no report twice")
def killed(scratch):
    site = Site(scratch, "killed", record(
        "a.example", "mailto:d@a.example,mailto:e@a.example,"
        "mailto:f@a.example"))
    site.fill("a.example")
    run = hanging(site, "e@a.example")
    run.send_signal(signal.SIGKILL)
    run.communicate()
    let_go(site, "e@a.example")
    site.run("dmarc")
    site.run("dmarc")
    equal(site.recipients(), ["d@a.example", "e@a.example", "f@a.example"])


@case("runs that overlap send each report once, and a failure is not forgotten")
def overlap(scratch):
    site = Site(scratch, "overlap", record(
        "a.example", "mailto:d@a.example,mailto:e@a.example"))
    site.fill("a.example")
    site.exits("d@a.example", 75)
    run = hanging(site, "d@a.example")
    said = site.run("dmarc")
    check("1 sent" in said, said)
    let_go(site, "d@a.example")
    out, _ = run.communicate(timeout=60)
    equal(run.returncode, 75, out)
    os.unlink(site.path("exits", "d@a.example"))
    check("1 sent" in site.run("dmarc"))
    equal([c.to for c in site.calls() if c.taken],
          ["e@a.example", "d@a.example"])


# --- bounces ----------------------------------------------------------------------

@case("an address that bounced twice is skipped, listed, and only that one")
def bounced(scratch):
    site = Site(scratch, "bounced", record(
        "a.example", "mailto:d@a.example,mailto:e@a.example"))
    for days_ago in (4, 3):
        site.fill("a.example", days=days_ago)
    site.run("dmarc")
    mails = [c for c in site.calls() if c.to == "d@a.example"]
    equal(len(mails), 2)
    equal(site.run("bounce", stdin=bounce_of(mails[0])),
          "d@a.example: bounced 1 of 2 times\n")
    equal(site.run("bounce", stdin=bounce_of(mails[0])), "known\n")
    check(": 1, the last " in site.run("bounced"))
    equal(site.run("bounce", stdin=bounce_of(mails[1])),
          "d@a.example: bounced 2 of 2 times\n")
    said = site.run("bounced")
    check(re.fullmatch(r"d@a\.example: 2, the last .*, skipped until .*\n",
                       said), said)
    site.fill("a.example", days=1)
    said = site.run("dmarc")
    check("to d@a.example: skipped, it bounces" in said, said)
    check("1 sent" in said, said)
    equal(site.calls()[-1].to, "e@a.example")


@case("forged bounces, and what is no failure for good, silence nobody")
def forged(scratch):
    site = Site(scratch, "forged", record("a.example", "mailto:d@a.example"))
    site.fill("a.example")
    site.run("dmarc")
    call, = site.calls()

    def other_day(head):
        return re.sub(r"Message-ID: <(\d+)", lambda m: "Message-ID: <%d"
                      % (int(m.group(1)) - 1), head)

    def no_mac(head):
        return re.sub(r"\.[0-9a-f]*@", "." + 24 * "0" + "@", head)

    for change in (other_day, no_mac,
                   lambda head: head.replace("Message-ID", "X-Other"),
                   lambda head: re.sub(r"Message-ID: .*",
                                       "Message-ID: <x@y>", head)):
        site.run("bounce", status=65, stdin=bounce_of(call, change=change))
    equal(site.run("bounce", stdin=bounce_of(call, action="delayed",
                                             status="4.4.1")),
          "not for good\n")
    site.run("bounce", status=65, stdin=b"From: me\n\nno notification\n")
    site.run("bounce", status=65, stdin=b"")
    equal(site.run("bounced"), "")


@case("what sendmail refuses for good counts as a bounce")
def refused(scratch):
    site = Site(scratch, "refused", record("a.example", "mailto:d@a.example"))
    site.exits("d@a.example", 67)
    for days_ago in (3, 2, 1):
        site.fill("a.example", days=days_ago)
    for _ in range(2):
        said = site.run("dmarc")
    equal(len(site.calls()), 2, said)
    check("d@a.example: 2, the last" in site.run("bounced"))


# --- with the daemon ----------------------------------------------------------------

@case("beside a running assayd its store is changed by it alone")
def beside(scratch):
    site = Site(scratch, "beside", record("a.example", "mailto:d@a.example"))
    site.fill("a.example")
    daemon = Assayd(scratch, "beside-daemon", "", options=site.options)
    try:
        check("1 sent" in site.run("dmarc"))
        check("0 sent" in site.run("dmarc"))
        call, = site.calls()
        check("1 of 2" in site.run("bounce", stdin=bounce_of(call)))
    finally:
        daemon.stop()
    equal(daemon.sanitizer_lines(), [])
    check("0 sent" in site.run("dmarc"))
    check("d@a.example: 1" in site.run("bounced"))


def main():
    tap = Tap()
    with Scratch("report") as scratch:
        for claim, function in CASES:
            if len(sys.argv) < 2 or sys.argv[1] in claim:
                tap.run(claim, function, scratch)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
