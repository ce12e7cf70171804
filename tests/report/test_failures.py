#!/usr/bin/python3
"""DMARC failure reports, from a message at a real assayd to sendmail(1): who
gets one, what is in it, and above all what is not. sendmail is a script that
keeps what it is given and answers as the case wants.

srcdir and builddir name the folders, as make check sets them. Prints TAP.
"""

import email
import email.policy
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("lib", "milter"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))
import fixture  # noqa: E402
from fixture import Assayd, Scratch, Tap, check, equal  # noqa: E402
from milter import Milter  # noqa: E402

DRIVER = os.path.join(fixture.BUILD, "tests/report/report_driver")

SENDMAIL = """#!/usr/bin/python3
import os, sys, time
here = os.path.dirname(os.path.abspath(sys.argv[0]))
mail = sys.stdin.buffer.read()
try:
    status = open(os.path.join(here, "exits", sys.argv[-1])).read()
except FileNotFoundError:
    status = "0"
name = os.path.join(here, "calls", "%d-%d" % (time.monotonic_ns(), os.getpid()))
with open(name, "wb") as f:
    f.write("\\0".join(sys.argv[1:]).encode() + b"\\n" + mail)
sys.exit(int(status))
"""


def policy(domain, ruf, more=""):
    return ('_dmarc.%s TXT "v=DMARC1; p=reject; %s%s"\n'
            '%s TXT "v=spf1 ip4:203.0.113.9 -all"\n' % (
                domain, more, "ruf=" + ruf if ruf else "", domain))


ZONE = "".join((
    policy("whole.example", "mailto:ruf@whole.example"),
    policy("often.example", "mailto:ruf@often.example"),
    policy("two.example",
           "mailto:a@two.example,mailto:b@sub.two.example!10m"),
    policy("many.example", "mailto:ruf@many.example"),
    policy("later.example", "mailto:later@later.example"),
    policy("refused.example", "mailto:refused@refused.example"),
    policy("hostile.example", "mailto:ruf@hostile.example"),
    policy("stranger.example", "mailto:victim@elsewhere.example"),
    policy("outside.example", "mailto:ruf@reports.example"),
    'outside.example._report._dmarc.reports.example TXT "v=DMARC1"\n',
    policy("moved.example", "mailto:ruf@reports.example"),
    'moved.example._report._dmarc.reports.example TXT'
    ' "v=DMARC1; rua=mailto:no@reports.example;'
    ' ruf=mailto:other@reports.example"\n',
    policy("spf.example", "mailto:ruf@spf.example", "fo=s; "),
    policy("dkim.example", "mailto:ruf@dkim.example", "fo=d; "),
    # nobody gets a report of these
    policy("nobody.example", ""),
    policy("psd.example", "mailto:ruf@psd.example", "psd=y; "),
    policy("excluded.example", "mailto:ruf@excluded.example"),
    policy("loop.example", "mailto:ruf@loop.example"),
    policy("pass.example", "mailto:ruf@pass.example", "fo=1; "),
    'pass.example TXT "v=spf1 ip4:192.0.2.25 -all"\n',
))
ZONE = ZONE.replace('pass.example TXT "v=spf1 ip4:203.0.113.9 -all"\n', "")

SIGNATURE = ("v=1; a=rsa-sha256; c=relaxed/relaxed; d=whole.example; s=sel;"
             " i=secret.identity@whole.example; h=From:Date;"
             " bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=AAAA")


def fields(domain, author="secret.author", more=()):
    return (("From", '"Secret Name" <%s@%s>' % (author, domain)),
            ("Sender", "secret.sender@" + domain),
            ("To", "secret.to@example.org"),
            ("Cc", "secret.cc@example.org"),
            ("Subject", "secret subject"),
            ("Date", "Tue, 24 Nov 2026 10:00:00 +0000"),
            ("Message-ID", "<secret.id@%s>" % domain)) + tuple(more)


class Site:
    """A daemon that notes, and the command that sends."""

    def __init__(self, scratch):
        self.folder = scratch.folder("site")
        self.sendmail = scratch.write("site/sendmail", SENDMAIL, 0o755)
        for name in ("calls", "exits", "keys/mx.example.org"):
            os.makedirs(self.path(name))
        key = self.path("keys/mx.example.org/test.pem")
        subprocess.run([DRIVER, "key", key], check=True)
        os.chmod(key, 0o600)
        self.daemon = Assayd(scratch, "failures", """
auth { keys = "%s" sign_local = { mx.example.org } dmarc = reject }
policy default { mode = enforce }
report {
	failures = yes
	from = reports@mx.example.org
	bounces = bounces@mx.example.org
	sendmail = "%s"
	exclude = { excluded.example }
}
""" % (self.path("keys"), self.sendmail), zone=scratch.write("zone", ZONE))

    def path(self, name):
        return os.path.join(self.folder, name)

    def send(self, domain, ip="192.0.2.25", headers=None, sender=None,
             rcpts=("<secret.rcpt@example.org>",), body=b"secret body\r\n"):
        if sender is None:
            sender = "<secret.envelope@%s>" % domain
        with Milter(self.daemon.address) as m:
            m.negotiate()
            m.begin(ip=ip)
            m.message(headers or fields(domain), body, sender=sender,
                      rcpts=rcpts)

    def run(self, *words, status=0):
        done = self.daemon.assay("report", "failures", *words)
        self.err = done.stderr.decode()
        out = done.stdout.decode()
        equal(done.returncode, status, (words, out, self.err))
        return out

    def calls(self, domain):
        """(argv, bytes) of what went to addresses at a domain, and below."""
        found = []
        for name in sorted(os.listdir(self.path("calls"))):
            with open(os.path.join(self.path("calls"), name), "rb") as f:
                first, mail = f.read().split(b"\n", 1)
            argv = first.decode().split("\0")
            host = argv[-1].split("@")[1]
            if host == domain or host.endswith("." + domain):
                found.append((argv, mail))
        return found

    def exits(self, address, status):
        path = os.path.join(self.path("exits"), address)
        if status:
            with open(path, "w") as f:
                f.write(str(status))
        else:
            os.unlink(path)


def fill(site):
    """Everything that all cases look at, in one run of the daemon."""
    site.send("whole.example",
              headers=fields("whole.example",
                             more=[("DKIM-Signature", SIGNATURE)]))
    for _ in range(3):
        site.send("often.example")
    site.send("two.example")
    for n in range(6):
        site.send("many.example", ip="192.0.2.%d" % (101 + n))
    for domain in ("later", "refused", "stranger", "outside", "moved",
                   "nobody", "psd", "excluded", "spf"):
        site.send(domain + ".example")
    site.send("dkim.example")   # without a signature: not asked for
    site.send("pass.example")
    hostile = "hostile.example"
    site.send(hostile, headers=(
        ("From", "a\tb\"\x07\xc3\xa4 <s\xe4cret\x1b@%s>" % hostile),
        ("Date", "x\n --=_b\n\ty\x01\x7f\xff" + "z" * 3000),
        ("Message-ID", "<secret\n.id\r\x00@%s>" % hostile),
        ("Sender", ", ".join("secret%d@%s" % (i, hostile)
                             for i in range(200)))))
    loop = "loop.example"
    site.send(loop, sender="<>")
    site.send(loop, headers=fields(loop, more=[
        ("Content-Type",
         "multipart/report; report-type=feedback-report; boundary=b")]))
    site.send(loop, rcpts=("<a@example.org>", "<Reports@mx.example.org>"))
    site.send(loop, rcpts=("<bounces@mx.example.org>",))


def parts(mail):
    message = email.message_from_bytes(mail, policy=email.policy.default)
    equal(message.get_content_type(), "multipart/report")
    equal(message.get_param("report-type"), "feedback-report")
    kinds = [p.get_content_type() for p in message.iter_parts()]
    equal(kinds, ["text/plain", "message/feedback-report",
                  "text/rfc822-headers"])
    # No message in a message for Python: as text.
    texts = re.split(rb"\n--=_[^\n]*\n", b"\n" + mail.split(b"\n\n", 1)[1])
    return message, [email.message_from_bytes(
        t.split(b"\n\n", 1)[1], policy=email.policy.compat32)
        for t in texts[2:4]]


CASES = []


def case(claim):
    def keep(function):
        CASES.append((claim, function))
        return function
    return keep


@case("nobody gets anything before a run, and a dry run sends nothing")
def dry(site):
    out = site.run("--dry-run", status=0)
    check("would be sent" in out and "Auth-Failure: dmarc" in out, out)
    equal(os.listdir(site.path("calls")), [])


@case("a run sends what was noted")
def run(site):
    site.exits("later@later.example", 75)
    site.exits("refused@refused.example", 67)
    out = site.run(status=75)
    check(re.search(r"^\d+ sent, 1 later, 1 refused$", out, re.M), out)


@case("a report is what RFC 5965, 6591 and 9991 ask for")
def whole(site):
    (argv, mail), = site.calls("whole.example")
    equal(argv, ["-i", "-f", "<>", "--", "ruf@whole.example"])
    message, (report, headers) = parts(mail)
    equal(message["From"], "reports@mx.example.org")
    equal(message["To"], "ruf@whole.example")
    equal(message["Auto-Submitted"], "auto-generated")
    check(message["Message-ID"].endswith("@mx.example.org>"))
    for name, value in (
            ("Feedback-Type", "auth-failure"), ("Version", "1"),
            ("Auth-Failure", "dmarc"), ("Identity-Alignment", "dkim, spf"),
            ("Source-IP", "192.0.2.25"), ("Delivery-Result", "reject"),
            ("Reported-Domain", "whole.example"), ("Incidents", None),
            ("DKIM-Domain", "whole.example"), ("DKIM-Selector", "sel")):
        equal(report[name], value, name)
    check(report["User-Agent"].startswith("Assay/"))
    check("2026" in report["Arrival-Date"] or report["Arrival-Date"])
    equal(" ".join(report["SPF-DNS"].split()),
          'txt : whole.example : "v=spf1 ip4:203.0.113.9 -all"')
    results = " ".join(report["Authentication-Results"].split())
    for text in ("spf=fail", "dkim=", "header.d=whole.example",
                 "dmarc=fail (p=reject) header.from=whole.example"):
        check(text in results, text, results)
    equal(sorted(headers.keys()), ["Date", "From", "Message-ID", "Sender"])
    equal(headers["Date"], "Tue, 24 Nov 2026 10:00:00 +0000")


@case("nothing in it is a person's, nor the message's text")
def redacted(site):
    (_, mail), = site.calls("whole.example")
    check(b"secret" not in mail.lower(), mail)
    check(b"example.org" not in mail.replace(b"mx.example.org", b""), mail)
    _, (report, headers) = parts(mail)
    for value in (report["Original-Mail-From"], report["DKIM-Identity"],
                  headers["From"], headers["Sender"], headers["Message-ID"]):
        check(re.fullmatch(r"<?[0-9a-f]{24}@whole\.example>?", value), value)


@case("a local part has one name, at its domain")
def names(site):
    def author(domain):
        return parts(site.calls(domain)[0][1])[1][1]["From"].split("@")[0]

    many = {parts(mail)[1][1]["From"] for _, mail in
            site.calls("many.example")}
    equal(len(many), 1)
    check(author("whole.example") != author("often.example"))


@case("what fails alike is one report that says how often")
def often(site):
    (_, mail), = site.calls("often.example")
    equal(parts(mail)[1][0]["Incidents"], "3")


@case("all addresses of ruf= get it")
def two(site):
    equal([argv[-1] for argv, _ in site.calls("two.example")],
          ["a@two.example", "b@sub.two.example"])


@case("four failures of a domain in a run")
def many(site):
    equal(len(site.calls("many.example")), 4)


@case("another organisation gets it where it says so, at its address")
def outside(site):
    equal(sorted(argv[-1] for argv, _ in site.calls("reports.example")),
          ["other@reports.example", "ruf@reports.example"])
    equal(site.calls("elsewhere.example"), [])


@case("fo= decides")
def options(site):
    equal(len(site.calls("spf.example")), 1)
    equal(site.calls("dkim.example"), [])


@case("nobody gets what he did not ask for, nor reports about reports")
def nobody(site):
    for name in ("nobody", "psd", "excluded", "loop", "pass"):
        equal(site.calls(name + ".example"), [], name)


@case("hostile fields stay in their place")
def hostile(site):
    (_, mail), = site.calls("hostile.example")
    check(re.fullmatch(rb"[\t\n\x20-\x7e]*", mail), mail)
    check(b"secret" not in mail, mail)
    check(max(map(len, mail.split(b"\n"))) < 998)
    _, (_, headers) = parts(mail)
    check(set(headers.keys()) <= {"From", "Date", "Sender", "Message-ID"},
          headers.keys())


@case("the next run sends what was left, and what had to wait")
def again(site):
    site.exits("later@later.example", 0)
    site.run()
    equal(len(site.calls("later.example")), 2)
    equal(len(site.calls("many.example")), 6)
    for name in ("whole", "often", "two", "refused"):
        check(len(site.calls(name + ".example")) <= 2, name)
    equal(len(site.calls("refused.example")), 1)


@case("then there is nothing to say")
def nothing(site):
    before = len(os.listdir(site.path("calls")))
    equal(site.run().splitlines()[-1], "0 sent, 0 later, 0 refused")
    equal(len(os.listdir(site.path("calls"))), before)


def main():
    tap = Tap()
    with Scratch("failures") as scratch:
        site = Site(scratch)
        tap.run("a daemon notes what fails", fill, site)
        # Its end writes what its queue still had.
        site.daemon.stop()
        equal(site.daemon.status, 0)
        for claim, function in CASES:
            tap.run(claim, function, site)
        report = site.daemon.sanitizer_lines()
        tap.ok(not report, "no sanitizer has anything to say",
               "\n".join(report))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
