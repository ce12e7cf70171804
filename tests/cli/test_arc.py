#!/usr/bin/python3
"""assay arc seal and assay auth arc: what they print and how they end. (What
makes a chain right is tests/conformance/run_arc.py's and tests/unit/test_arc's.)

srcdir and builddir name the folders, as make check sets them. Prints TAP.
"""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import fixture  # noqa: E402
from fixture import Scratch, Tap, check, equal  # noqa: E402

TAP = Tap()
CASES = []
RESULTS = b"Authentication-Results: mx.a.example; arc=none;\n\tspf=pass\n"
MESSAGE = (b"From: Ann <ann@example.com>\nTo: list@a.example\n"
           b"Subject: Hello\n\nThe body\n")


def case(claim):
    def keep(function):
        CASES.append((claim, function))
        return function
    return keep


class Site:
    """A folder with keys of a.example and the zone that has them."""

    def __init__(self, scratch):
        self.conf = scratch.write("assay.conf", "")
        self.keys = scratch.folder("keys")
        scratch.folder("keys", "a.example")
        run = self.run("dkim", "keygen", "-o", "auth.keys=" + self.keys,
                       "--domain=a.example", "--selector=s", "--bits=1024")
        equal(run.returncode, 0, run.stderr)
        self.key = os.path.join(self.keys, "a.example", "s.pem")
        self.zone = scratch.write(
            "zone", run.stdout.decode() +
            "late._domainkey.a.example TIMEOUT\n")
        self.scratch = scratch

    def run(self, *words, stdin=b""):
        return subprocess.run(
            [os.path.join(fixture.BUILD, "assay"), "-c", self.conf, *words],
            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=120, check=False)

    def seal(self, message, *words, status=0, selector="s", **more):
        given = {"domain": "a.example", "selector": selector,
                 "key": self.key, "authserv-id": "mx.a.example",
                 "dns": self.zone, **more}
        run = self.run("arc", "seal", *words, *(
            "--%s=%s" % option for option in given.items() if option[1]),
            stdin=message)
        equal(run.returncode, status, run.stderr)
        return run

    def judge(self, message):
        run = self.run("auth", "arc", "--json", "--dns", self.zone,
                       stdin=message)
        equal(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)


def value(message, name):
    """A field's value in one line."""
    head = message.replace(b"\r\n", b"\n").split(b"\n\n")[0]
    for field in head.replace(b"\n\t", b" ").replace(b"\n ", b" ").split(b"\n"):
        if field.startswith(name.encode() + b": "):
            return field.split(b": ", 1)[1].decode()
    raise AssertionError("no %s in %r" % (name, message))


@case("the message comes back as it was, three fields on top, LF or CRLF")
def _(site):
    for text in (RESULTS + MESSAGE,
                 (RESULTS + MESSAGE).replace(b"\n", b"\r\n"),
                 MESSAGE.replace(b"\n\nThe", b"\n\n\r\0\xff The")[:-1]):
        run = site.seal(text)
        check(run.stdout.endswith(text), "changed:", run.stdout)
        head = run.stdout[:len(run.stdout) - len(text)]
        equal(head.count(b"\r\n"),
              head.count(b"\n") if b"\r\n" in text else 0, "line ends")
        equal([line.split(b":")[0] for line in head.splitlines()
               if line[:1] not in b" \t"],
              [b"ARC-Seal", b"ARC-Message-Signature",
               b"ARC-Authentication-Results"], "fields")
        equal(run.stderr, b"")


@case("a mailbox's first line stays the first")
def _(site):
    line = b"From ann@example.com Tue Nov 24 12:00:00 2026\n"
    out = site.seal(line + RESULTS + MESSAGE).stdout
    check(out.startswith(line + b"ARC-Seal: "), out)
    equal(site.judge(out)["result"], "pass")


@case("results of the own id in any form are merged in order, others left")
def _(site):
    text = (b"Authentication-Results: mx.a.example; arc=none;\n spf=pass\n"
            b"Authentication-Results: other.example; arc=fail; dmarc=fail\n"
            b"AUTHENTICATION-RESULTS: \"MX.A.example.\" 1 ; none\n"
            b"Authentication-Results: (us) Mx.a.Example;"
            b" dkim=pass (a; b) header.d=x.example; arc=pass;\n")
    out = site.seal(text + MESSAGE).stdout
    equal(value(out, "ARC-Authentication-Results"),
          "i=1; mx.a.example; arc=none; spf=pass;"
          " dkim=pass (a; b) header.d=x.example; arc=pass")


@case("the topmost arc= is the state: pass, and fail covers the set alone")
def _(site):
    first = site.seal(RESULTS + MESSAGE).stdout
    said = b"Authentication-Results: mx.a.example; arc=%s\n"
    out = site.seal(said % b"pass" + first).stdout
    check("cv=pass" in value(out, "ARC-Seal"), out)
    found = site.judge(out)
    equal((found["result"], found["instances"]), ("pass", 2))
    out = site.seal(said % b"fail" + first).stdout
    check("cv=fail" in value(out, "ARC-Seal"), out)
    equal(site.judge(out)["problem"], "the newest seal says cv=fail")


@case("a chain that nobody spoke of is validated, and the results say so")
def _(site):
    first = site.seal(RESULTS + MESSAGE).stdout
    equal(site.judge(first)["result"], "pass")
    # The A-R below is older than the chain and says arc=none of it.
    out = site.seal(first.replace(RESULTS, b"")).stdout
    check("cv=pass" in value(out, "ARC-Seal"), out)
    equal(value(out, "ARC-Authentication-Results"),
          "i=2; mx.a.example; arc=pass")
    out = site.seal(first.replace(RESULTS, b"") + b"more\n").stdout
    check("cv=fail" in value(out, "ARC-Seal"), out)


@case("where a key cannot be had now nothing is sealed, exit 75")
def _(site):
    first = site.seal(MESSAGE, selector="late").stdout
    equal(site.judge(first)["result"], "temperror")
    run = site.seal(first, status=75)
    equal(run.stdout, b"")
    check(b"in time" in run.stderr, run.stderr)


@case("a closed chain comes back unchanged, exit 0")
def _(site):
    first = site.seal(RESULTS + MESSAGE).stdout
    said = b"Authentication-Results: mx.a.example; arc=fail\n"
    closed = site.seal(said + first).stdout
    run = site.seal(said + closed)
    equal(run.stdout, said + closed)
    check(b"cv=fail" in run.stderr, run.stderr)


@case("--headers and --time are h= and t=, --authserv-id has a default")
def _(site):
    out = site.seal(MESSAGE, headers="subject:from:arc-seal:subject",
                    time="1600000000", **{"authserv-id": None}).stdout
    found = value(out, "ARC-Message-Signature")
    check("h=subject:from:subject;" in found, found)
    check("t=1600000000" in found and "t=1600000000" in
          value(out, "ARC-Seal"), out)


@case("mistakes are exit 64, an unreadable key 66")
def _(site):
    for wrong in ({"domain": None}, {"domain": "a b"}, {"selector": None},
                  {"key": None}, {"headers": "to"}, {"headers": "from:a b"},
                  {"time": "now"}, {"authserv-id": "a;b"},
                  {"authserv-id": "a\nX: y"}):
        run = site.seal(MESSAGE, status=64, **wrong)
        equal(run.stdout, b"", str(wrong))
        check(run.stderr, "nothing said of", wrong)
    site.seal(MESSAGE, status=66, key="/nonexistent")
    site.seal(MESSAGE, status=66, key=site.scratch.write("bad", "no key\n"))
    site.seal(MESSAGE, "operand", status=64)


@case("auth arc shows people the sets, escaped")
def _(site):
    out = site.seal(site.seal(MESSAGE).stdout).stdout
    run = site.run("auth", "arc", "--dns", site.zone, stdin=out)
    text = run.stdout.decode()
    check(text.startswith("ARC pass\n"), text)
    check("set 2" in text and "cv=pass, sealed by a.example" in text, text)
    out = out.replace(b"cv=pass", b"cv=\x1b[31m")
    run = site.run("auth", "arc", "--dns", site.zone, stdin=out)
    check(b"\x1b" not in run.stdout, run.stdout)
    check(run.stdout.startswith(b"ARC fail\n"), run.stdout)


@case("auth arc of a message without a chain is none, and asks nothing")
def _(site):
    equal(site.judge(MESSAGE), {
        "result": "none", "instances": 0, "problem": None,
        "oldest_pass": None, "sealer": None, "trusted": False, "dns": []})


def main():
    with Scratch("arc") as scratch:
        site = Site(scratch)
        for claim, function in CASES:
            TAP.run(claim, function, site)
    return TAP.done()


if __name__ == "__main__":
    sys.exit(main())
