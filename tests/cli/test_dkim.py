#!/usr/bin/python3
"""assay dkim keygen, sign and testkey; what assayd -n says of keys. Prints TAP.

Usage: [builddir=DIR] test_dkim.py"""

import os
import re
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import fixture  # noqa: E402
from fixture import Scratch, Tap, check, equal  # noqa: E402

MAIL = (b"From: Joe <joe@example.com>\r\nTo: x@example.net\r\nSubject: hello\r\n"
        b"\r\nHello  world \r\n")
CASES = []


def case(claim):
    def keep(function):
        CASES.append((claim, function))
        return function
    return keep


class Bench:
    def __init__(self, scratch):
        self.scratch = scratch
        self.keys = os.path.join(scratch.path, "keys")

    def run(self, name, *words, stdin=b"", status=0, keys=None):
        done = subprocess.run(
            [os.path.join(fixture.BUILD, name), "-c", "/dev/null", "-o",
             "auth.keys=" + (keys or self.keys)] + list(words),
            input=stdin, capture_output=True, cwd=self.scratch.path)
        equal(done.returncode, status,
              "%r: %r: status" % (words, done.stderr))
        return done.stdout, done.stderr.decode()

    def dkim(self, *words, **how):
        return self.run("assay", "dkim", *words, **how)

    def keygen(self, domain, selector, *words, **how):
        return self.dkim("keygen", "--domain", domain, "--selector", selector,
                         *words, **how)

    def sign(self, *words, stdin=MAIL, **how):
        return self.dkim("sign", "--domain=example.com", "--selector=rsa",
                         *words, stdin=stdin, **how)


def record_of(zone):
    return "".join(re.findall(r'"([^"]*)"', zone.decode()))


@case("keygen writes DOMAIN/SELECTOR.pem and prints the record for a zone")
def _(b):
    b.zone = b""
    for selector, kind in (("rsa", "rsa"), ("ed", "ed25519")):
        zone, said = b.keygen("example.com", selector, "--type", kind)
        path = os.path.join(b.keys, "example.com", selector + ".pem")
        check(path in said, said)
        mode = stat.S_IMODE(os.stat(path).st_mode)
        check(mode in (0o600, 0o640), "mode", oct(mode))
        with open(path) as f:
            check(f.read().startswith("-----BEGIN PRIVATE KEY-----\n"))
        check(zone.startswith(b"%s._domainkey.example.com. IN TXT " %
                              selector.encode()), zone)
        check(record_of(zone).startswith("v=DKIM1; k=%s; p=" % kind), zone)
        check(all(len(s) <= 255
                  for s in re.findall(rb'"([^"]*)"', zone)), zone)
        b.zone += zone
    equal(sorted(os.listdir(os.path.join(b.keys, "example.com"))),
          ["ed.pem", "rsa.pem"])
    b.zone_file = b.scratch.write("zone", b.zone.decode())


@case("keygen keeps a key that is there, but with --force")
def _(b):
    path = os.path.join(b.keys, "example.com", "old.pem")
    first, _ = b.keygen("example.com", "old", "--type=ed25519")
    with open(path) as f:
        text = f.read()
    out, said = b.keygen("example.com", "old", "--type=ed25519", status=73)
    check(out == b"" and "--force" in said, out, said)
    with open(path) as f:
        equal(f.read(), text)
    second, _ = b.keygen("example.com", "old", "--type=ed25519", "--force")
    check(first != second, "the same key again")
    equal([n for n in os.listdir(os.path.dirname(path)) if "new" in n], [])
    os.unlink(path)


@case("keygen takes Unicode domains, refuses what is no name or size")
def _(b):
    b.keygen("M\u00fcnchen.example", "s", "--type=ed25519")
    check(os.path.exists(os.path.join(
        b.keys, "xn--mnchen-3ya.example", "s.pem")))
    for words in (("..", "s"), ("a/b", "s"), ("example.com", "../x"),
                  ("example.com", ""), ("example.com", "s", "--bits=512"),
                  ("example.com", "s", "--type=dsa"),
                  ("example.com", "s", "operand")):
        b.keygen(*words, status=64)
    b.dkim("keygen", "--domain=example.com", status=64)


@case("sign puts one field on top and changes nothing else")
def _(b):
    for text, end in ((MAIL, b"\r\n"), (MAIL.replace(b"\r", b""), b"\n")):
        out, _ = b.sign("--time=1700000000", stdin=text)
        check(out.startswith(b"DKIM-Signature: v=1; a=rsa-sha256;"), out)
        check(out.endswith(end + text), out)
        check((b"\r" in out) == (end == b"\r\n"), out)
        check(b"t=1700000000;" in out and b"x=" not in out, out)
        got, _ = b.run("assay", "auth", "dkim", "--dns", b.zone_file,
                       "--time=1700000001", stdin=out)
        check(got.startswith(b"DKIM pass\n"), got)
    # behind the separator of an mbox
    out, _ = b.sign(stdin=b"From x@y Mon Jan  1 00:00:00 2024\n" +
                    MAIL.replace(b"\r", b""))
    check(re.match(rb"From x@y .*\nDKIM-Signature: ", out), out)


@case("sign: h=, c=, i= and x= as asked for")
def _(b):
    out, _ = b.sign("--headers=from:From,X-None : to", "--canon=simple",
                    "--identity=a;b@example.com", "--expire=1900000000")
    check(b"h=from:From:X-None:to;" in out.replace(b"\r\n\t", b""), out)
    check(b"c=simple/simple;" in out, out)
    check(b"i=a=3Bb@example.com;" in out and b"x=1900000000;" in out, out)


@case("sign says what is wrong with its options, message or key")
def _(b):
    for words in (("--headers=to:subject",), ("--headers=from:a;b",),
                  ("--headers=from::to",), ("--canon=nowsp",), ("--time=x",),
                  ("--expire=-1",), ("operand",)):
        b.sign(*words, status=64)
    _, said = b.sign(stdin=b"To: x\n\nbody\n", status=65)
    check("From" in said, said)
    b.sign("--key=nothing.pem", status=66)
    b.scratch.write("junk.pem", "junk")
    b.sign("--key=junk.pem", status=66)
    with open(os.path.join(b.keys, "example.com", "ed.pem")) as f:
        path = b.scratch.write("open.pem", f.read())
    os.chmod(path, 0o644)
    _, said = b.sign("--key=open.pem", status=66)
    check("others can read it" in said, said)
    os.chmod(path, 0o600)
    out, _ = b.sign("--key=open.pem")
    check(b"a=ed25519-sha256" in out, out)


@case("testkey: the published key is right, for all keys or one")
def _(b):
    os.unlink(os.path.join(b.keys, "xn--mnchen-3ya.example", "s.pem"))
    out, _ = b.dkim("testkey", "--dns", b.zone_file)
    equal(out, b"ed._domainkey.example.com: the published key is right\n"
          b"rsa._domainkey.example.com: the published key is right\n")
    out, _ = b.dkim("testkey", "--dns", b.zone_file, "--domain=example.com",
                    "--selector=ed")
    equal(out.count(b"\n"), 1)


@case("testkey: each fault by its name, and the exit status")
def _(b):
    name = "rsa._domainkey.example.com"
    good = record_of(b.zone.split(b"ed._domainkey")[0])
    other = record_of(b.zone.split(b"ed._domainkey")[1])

    def txt(text):
        return name + " TXT " + " ".join(
            '"%s"' % text[i:i + 200] for i in range(0, len(text), 200)) + "\n"

    for zone, status, says in (
            ("", 65, "no record is published"),
            (txt("v=DKIM1; p="), 65, "revoked"),
            (txt(good.replace("p=", "t=y; p=")), 65, "t=y"),
            (txt(good.replace("k=rsa", "k=ed25519")), 65, "Ed25519"),
            (txt(other), 65, "Ed25519"),
            (txt(good.replace("k=rsa", "h=sha1")), 65, "h="),
            (txt("v=DKIM1; p=AAAA"), 65, "not an RSA key"),
            (txt("v=spf1 -all"), 65, "DKIM1"),
            (txt(good) + txt("v=DKIM1; p="), 65, "more than one record"),
            (name + " TIMEOUT\n", 75, "TIMEOUT"),
            (name + " SERVFAIL\n", 75, "SERVFAIL")):
        path = b.scratch.write("zone2", zone)
        out, _ = b.dkim("testkey", "--dns", path, "--domain=example.com",
                        "--selector=rsa", status=status)
        check(says in out.decode(), out, "lacks", says)
    b.keygen("other.example", "s", keys=b.keys + "2")
    path = os.path.join(b.keys + "2", "other.example", "s.pem")
    out, _ = b.dkim("testkey", "--dns", b.zone_file, "--domain=example.com",
                    "--selector=rsa", "--key", path, status=65)
    check(b"another key" in out, out)
    b.dkim("testkey", "--domain=nokey.example", "--dns", b.zone_file,
           status=66)
    b.dkim("testkey", "--selector=s", status=64)


@case("assayd -n names a bad key; commands that need none read none")
def _(b):
    path = os.path.join(b.keys, "example.com", "bad.pem")
    b.run("assayd", "-n")
    b.scratch.write("keys/example.com/bad.pem", "junk")
    os.chmod(path, 0o600)
    _, said = b.run("assayd", "-n", status=78)
    check(path + ": no private key" in said, said)
    b.run("assay", "check", "--local", "-", stdin=MAIL)
    os.unlink(path)
    os.chmod(os.path.join(b.keys, "example.com", "rsa.pem"), 0o644)
    _, said = b.run("assayd", "-n", status=78)
    check("rsa.pem: others can read it" in said, said)
    os.chmod(os.path.join(b.keys, "example.com", "rsa.pem"), 0o600)


@case("assayd -n names the lines of OpenDKIM's tables that are wrong")
def _(b):
    keys = b.scratch.write("KeyTable", "# keys\none example.com:s:%s\n"
                           "two example.com\n" % os.path.join(
                               b.keys, "example.com", "rsa.pem"))
    senders = b.scratch.write("SigningTable", "*@example.com one\n"
                              "*@example.org three\n")
    options = ("-o", "auth.key_table=file:" + keys, "-o",
               "auth.signing_table=refile:" + senders)
    _, said = b.run("assayd", "-n", *options, status=78)
    check(keys + ":3: not DOMAIN:SELECTOR:KEY" in said, said)
    b.scratch.write("KeyTable", "one example.com:s:%s\n" % os.path.join(
        b.keys, "example.com", "rsa.pem"))
    _, said = b.run("assayd", "-n", *options, status=78)
    check('%s:2: no key "three" in %s' % (senders, keys) in said, said)
    b.scratch.write("SigningTable", "*@example.com one\n")
    b.run("assayd", "-n", *options)


def main():
    tap = Tap()
    with Scratch("dkim-cli") as scratch:
        bench = Bench(scratch)
        for claim, function in CASES:
            tap.run(claim, function, bench)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
