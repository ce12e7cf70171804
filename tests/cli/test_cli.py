#!/usr/bin/python3
"""The command line as programs and people use it: forms, exit statuses,
errors, and the control socket of a running assayd.

srcdir and builddir name the folders, as make check sets them. Prints TAP.
"""

import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

SOURCE = os.path.abspath(os.environ.get("srcdir") or
                         os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.abspath(os.environ.get("builddir") or ".")
ASSAY = os.path.join(BUILD, "assay")
ASSAYD = os.path.join(BUILD, "assayd")
DEMO = os.path.join(SOURCE, "conf/demo")
PATIENCE = 60
NOBODY = 65534

ZONE = r'''
; what the tests ask for
bank.example            TXT "v=spf1 ip4:192.0.2.10 -all"
_dmarc.bank.example     TXT "v=DMARC1; p=reject; sp=quarantine"
why.example             TXT "v=spf1 exp=exp.why.example -all"
exp.why.example         TXT "%{i} may not use %{d}"
soft.example            TXT "v=spf1 a:host.soft.example a:host.soft.example ~all"
host.soft.example       A   192.0.2.77
wide.example            TXT "v=spf1 mx -all"
wide.example            MX  10 mx.wide.example.
mx.wide.example         A   192.0.2.33
broken.example          TXT "v=spf1 nonsense -all"
slow.example            TIMEOUT
fail.example            SERVFAIL
esc.example             TXT "v=spf1 exp=exp.esc.example -all"
exp.esc.example         TXT "red \027[31m text"
xn--bcher-kva.example   TXT "v=spf1 ip4:192.0.2.10 -all"
_dmarc.xn--bcher-kva.example TXT "v=DMARC1; p=quarantine"
_dmarc.test.example     TXT "v=DMARC1; p=reject; t=y"
'''

# ESC, and CSI as one C1 character, in what people are shown.
HOSTILE = (b"From: \"\x1b]0;owned\x07\" <a@\x1b[31m.example>\n"
           b"To: b@test.example\n"
           b"Subject: \x1b[2J red \xc2\x9b31m\n"
           b"Date: Tue, 24 Nov 2026 10:00:00 +0000\n"
           b"Message-ID: <\x1b[1m@x.example>\n"
           b"DKIM-Signature: v=1; d=\x1b[31m; \xc2\x9b\n"
           b"\nbody \x1b[2J \xc2\x9b31m\n")

RULES = r'''
header   T_RED     Subject =~ /red/
score    T_RED     2
meta     T_HALF    T_RED * 0.5
score    T_HALF    0.1
body     T_MANY    /word/
tflags   T_MANY    multiple
header   T_CONTENT Subject =~ /reject me/
score    T_CONTENT 50
header   T_TAG     Subject =~ /tag me/
score    T_TAG     7
body     __PART    /word/
meta     T_MET     __PART
score    T_MET     0.1
body     T_ESC     /body .*/
score    T_ESC     0.5
'''
MORE_RULES = r'''
header   T_OTHER   Subject =~ /red/
score    T_OTHER   0.25
'''


# --- TAP ---------------------------------------------------------------------

class Skip(Exception):
    """The case cannot run here; its text says why."""


def check(good, *what):
    if not good:
        raise AssertionError(" ".join(
            w if isinstance(w, str) else repr(w) for w in what))


def equal(got, want, what=""):
    check(got == want, "%s: got %r, want %r" % (what, got, want))


def has(text, part):
    check(part in text, "no %r in %r" % (part, text))


CASES = []


def case(claim):
    def keep(function):
        CASES.append((claim, function))
        return function
    return keep


# --- running -----------------------------------------------------------------

class Result:
    def __init__(self, done):
        self.status = done.returncode
        self.raw = done.stdout
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")
        check(self.status >= 0, "died of signal", -self.status, self.err)

    def lines(self):
        return self.out.splitlines()


TOP = None          # the scratch folder


def program(path, *args, stdin=b"", status=0, **more):
    done = subprocess.run([path, *args], input=stdin, cwd=TOP,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=PATIENCE, check=False, **more)
    result = Result(done)
    equal(result.status, status,
          " ".join(args) + ": " + result.err + " status")
    return result


def assay(*args, **more):
    return program(ASSAY, *args, **more)


def local(*args, **more):
    """check --local with the test's rules alone."""
    return assay("check", "--local", "--rules", "rules.cf", *args, **more)


def auth(what, *args, **more):
    out = assay("auth", what, "--json", "--dns", "zone", *args, **more).out
    check(out.endswith("\n") and out.count("\n") == 1, "not one line", out)
    return json.loads(out)


def write(name, data):
    path = os.path.join(TOP, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    return path


def mail(subject="plain", body="nothing of note\n", sender="a@bank.example",
         more=""):
    return ("%sFrom: %s\nTo: b@test.example\nSubject: %s\n"
            "Date: Tue, 24 Nov 2026 10:00:00 +0000\n"
            "Message-ID: <1@bank.example>\n\n%s" %
            (more, sender, subject, body))


def set_up():
    write("rules.cf", RULES)
    write("more.cf", MORE_RULES)
    write("zone", ZONE)
    write("plain.eml", mail())
    write("red.eml", mail("red", "word word word\n"))
    write("tag.eml", mail("tag me"))
    write("reject.eml", mail("reject me"))
    write("hostile.eml", HOSTILE)
    for name in ("b", "B", "a10", "a9", ".hidden"):
        write("folder/" + name, mail())
    for name in ("cur/1:2,S", "new/2", "tmp/3"):
        write("maildir/" + name, mail())
    one = mail("red")
    write("two.mbox", "From x Tue\n%s\nFrom y Tue\n%s" % (one, mail()))
    write("one.mbox", "From x Tue\n" + one)


# --- check -------------------------------------------------------------------

@case("hits is FILE, a tab, and sorted RULE=count; a message without a hit "
      "is FILE and a tab")
def hits():
    write("rules2.cf", "header T_Z Subject =~ /red/\n"
          "header T_A Subject =~ /red/\nheader T_a Subject =~ /red/\n")
    got = assay("check", "--local", "--format", "hits", "--rules",
                "rules2.cf", "red.eml", "plain.eml").out
    equal(got, "red.eml\tT_A=1 T_Z=1 T_a=1\nplain.eml\t\n")


@case("a count can be many, and a fraction as the shortest decimal")
def hits_counts():
    equal(local("--format=hits", "red.eml").out,
          "red.eml\tT_HALF=0.5 T_MANY=3 T_MET=1 T_RED=1\n")


@case("sub-rules are in hits with -v alone")
def hits_verbose():
    has(local("--format=hits", "-v", "red.eml").out, " __PART=1\n")


@case("--rules is repeatable and replaces ours")
def rules_replace():
    got = local("--rules=more.cf", "--format=hits", "red.eml").out
    has(got, " T_OTHER=1 ")
    gtube = os.path.join(DEMO, "gtube.eml")
    check("GTUBE" not in local("--format=hits", gtube).out)
    has(assay("check", "--local", "--format=hits", gtube).out, "GTUBE=1")


@case("a folder's files are FOLDER/NAME in byte order, hidden ones left out")
def folder():
    for name in ("folder", "folder/"):
        got = [x.split("\t")[0] for x in
               local("--format=hits", name).lines()]
        equal(got, ["folder/B", "folder/a10", "folder/a9", "folder/b"])


@case("a Maildir is its cur and new")
def maildir():
    got = [x.split("\t")[0] for x in
           local("--format=hits", "maildir").lines()]
    equal(got, ["maildir/cur/1:2,S", "maildir/new/2"])


@case("an mbox is taken apart, and one of one message keeps its name")
def mbox():
    got = local("--format=hits", "two.mbox", "one.mbox").out
    equal([x.split("\t")[0] for x in got.splitlines()],
          ["two.mbox:1", "two.mbox:2", "one.mbox"])
    has(got, "two.mbox:1\tT_HALF=0.5 T_RED=1\n")
    has(got, "one.mbox\tT_HALF=0.5 T_RED=1\n")


@case("standard input is read for - and without a file")
def standard_input():
    data = mail("red").encode()
    for args in (["-"], []):
        equal(local("--format=hits", *args, stdin=data).out,
              "-\tT_HALF=0.5 T_RED=1\n")


@case("-j changes no order")
def jobs():
    for i in range(60):
        write("many/%02d" % i, mail("red" if i % 3 else "plain"))
    one = local("--format=hits", "-j", "1", "many").out
    equal(len(one.splitlines()), 60)
    equal(local("--format=hits", "-j8", "many").out, one)
    local("-j", "0", "plain.eml", status=64)
    local("-j", "x", "plain.eml", status=64)


@case("an unreadable file is exit 66, and the others are scanned")
def unreadable():
    got = local("--format=hits", "nothing.eml", "plain.eml", status=66)
    has(got.err, "nothing.eml: No such file or directory")
    equal(got.out, "plain.eml\t\n")


@case("what cannot be read in a folder is exit 66 too")
def unreadable_in_folder():
    write("broken/a", mail())
    os.symlink("nowhere", os.path.join(TOP, "broken/b"))
    got = local("--format=hits", "broken", status=66)
    has(got.err, "broken/b: ")
    equal(got.out, "broken/a\t\n")


@case("--exit-code is the worst of all: 0, 10, 30")
def exit_code():
    local("--exit-code", "plain.eml")
    local("--exit-code", "tag.eml", "plain.eml", status=10)
    local("--exit-code", "tag.eml", "reject.eml", "plain.eml", status=30)
    assay("-o", "policy.default.quarantine=6", "check", "--exit-code",
          "--local", "--rules=rules.cf", "tag.eml", status=20)


@case("json has all fields, one object a line")
def check_json():
    got = assay("check", "--format=json", "--dns=zone", "--ip=192.0.2.10",
                "--helo=h.example", "--from=a@bank.example",
                "--rcpt=b@test.example", "red.eml", "plain.eml",
                "--rules=rules.cf")
    objects = [json.loads(line) for line in got.lines()]
    equal(len(objects), 2)
    o = objects[0]
    equal(sorted(o), sorted(
        "file ref action would decided_by score size dir symbols spf dkim "
        "dmarc arc degraded ms".split()))
    equal((o["file"], o["ref"], o["dir"]), ("red.eml", None, "in"))
    equal((o["action"], o["would"], o["decided_by"]),
          ("accept", "accept", "score"))
    equal(o["spf"]["result"], "pass")
    equal(o["dkim"], [])
    equal(o["dmarc"]["result"], "pass")
    equal(o["arc"]["result"], "none")
    equal(o["degraded"], [])
    check(isinstance(o["ms"], int) and isinstance(o["size"], int))
    for symbol in o["symbols"]:
        equal(sorted(symbol), ["count", "evidence", "name", "score"])
    half = [s for s in o["symbols"] if s["name"] == "T_HALF"][0]
    equal((half["count"], half["score"]), (0.5, 0.1))


@case("json says would where observe accepts")
def check_would():
    o = json.loads(local("--format=json", "reject.eml").out)
    equal((o["action"], o["would"]), ("accept", "reject"))


@case("--local authenticates nobody and degrades nothing")
def check_local():
    o = json.loads(assay("check", "--local", "--format=json",
                         os.path.join(DEMO, "genuine.eml")).out)
    equal((o["spf"]["result"], o["dkim"], o["dmarc"]["result"]),
          ("none", [], "none"))
    equal(o["degraded"], [])
    check(not [s for s in o["symbols"]
               if s["name"].startswith(("SPF", "DKIM", "DMARC"))], o)


@case("a dead resolver is degraded=dns, not a pass")
def degraded():
    o = json.loads(assay("check", "--format=json", "--dns=zone",
                         "--rules=rules.cf", "--ip=192.0.2.1", "--helo=h",
                         "--from=a@fail.example", "plain.eml").out)
    equal((o["spf"]["result"], o["degraded"]), ("temperror", ["dns"]))


@case("the envelope is read off Received and Return-Path without options")
def envelope():
    write("received.eml", mail(more=(
        "Return-Path: <a@bank.example>\n"
        "Received: from mail.bank.example (mail.bank.example [192.0.2.10])\n"
        "\tby mx.test.example (Postfix) with ESMTP id 4X1;\n"
        "\tTue, 24 Nov 2026 10:00:00 +0000 (UTC)\n")))
    common = ["check", "--format=json", "--dns=zone", "--rules=rules.cf",
              "received.eml"]
    o = json.loads(assay(*common).out)
    equal((o["spf"]["result"], o["spf"]["domain"]), ("pass", "bank.example"))
    o = json.loads(assay(*common, "--ip", "192.0.2.11").out)
    equal(o["spf"]["result"], "fail")
    o = json.loads(assay(*common, "--auth", "user").out)
    equal((o["dir"], o["spf"]["result"]), ("out", "none"))


@case("--time sets the clock")
def clock():
    common = ["check", "--local", "--format=hits", "plain.eml"]
    sent = 1795514400       # the Date of mail()
    check("DATE_" not in assay(*common, "--time=%d" % sent).out)
    has(assay(*common, "--time=%d" % (sent - 30 * 86400)).out, "DATE_FUTURE")
    has(assay(*common, "--time=%d" % (sent + 60 * 86400)).out, "DATE_PAST")
    assay("check", "--time=soon", "plain.eml", status=64)


@case("mail is the message with the fields of enforce, its line ends kept")
def check_mail():
    got = local("--format=mail", "tag.eml").raw
    has(got, b"X-Spam-Flag: YES\n")
    has(got, b"Authentication-Results: ")
    check(got.endswith(mail("tag me").encode()), got)
    crlf = mail("tag me").replace("\n", "\r\n").encode()
    got = local("--format=mail", "-", stdin=crlf).raw
    equal(got.count(b"\n"), got.count(b"\r\n"), "line ends")
    check(got.endswith(crlf), got)


@case("mail removes what only we may say")
def check_mail_forged():
    forged = ("X-Spam-Status: No, score=-100\nX-Assay-Ref: 1\n"
              "Authentication-Results: mx.test.example; dkim=pass\n")
    got = assay("-o", "milter.authserv_id=mx.test.example", "check",
                "--local", "--rules=rules.cf", "--format=mail", "-",
                stdin=mail(more=forged).encode()).out
    check("score=-100" not in got and "dkim=pass" not in got and
          "X-Assay-Ref: 1" not in got, got)


@case("text names each symbol with points; -v adds evidence, time and place")
def check_text():
    got = local("red.eml").out
    has(got, "accept by score: ")
    has(got, "T_RED")
    check("__PART" not in got)
    got = local("-v", "red.eml").out
    has(got, "__PART")
    has(got, " us")
    has(got, "rules.cf:")


def no_escapes(raw):
    text = raw.decode("utf-8")
    bad = [c for c in text if c != "\n" and c != "\t" and
           (ord(c) < 32 or 127 <= ord(c) < 160)]
    check(not bad, bad, text)


@case("no terminal escape of a message reaches standard output")
def escapes():
    for args in ([], ["-v"], ["--format=json"], ["--format=json", "-v"],
                 ["--format=hits"]):
        no_escapes(local(*args, "hostile.eml").raw)
        no_escapes(assay("check", "--dns=zone", *args, "hostile.eml").raw)
    for what in ("spf", "dkim", "dmarc"):
        for args in ([], ["--json"]):
            no_escapes(assay("auth", what, "--dns=zone", "--ip=192.0.2.1",
                             "--helo=\x1b[31m", "--from=\x1b[31m@esc.example",
                             *args, "hostile.eml").raw)


@case("no terminal escape reaches standard error")
def escapes_errors():
    for args in (["\x1b[31m"], ["check", "--\x1b[31m"],
                 ["check", "\x1b[31m"], ["rules", "show", "\x1b[31m"]):
        done = subprocess.run([ASSAY, *args], cwd=TOP, check=False,
                              stdout=subprocess.PIPE, timeout=PATIENCE,
                              stderr=subprocess.PIPE)
        no_escapes(done.stderr)


# --- auth --------------------------------------------------------------------

SPF_KEYS = ["dns", "domain", "explanation", "identity", "problem", "result"]


@case("auth spf --json has all its fields, null where there is nothing")
def spf():
    o = auth("spf", "--ip=192.0.2.10", "--helo=h.example",
             "--from=a@bank.example")
    equal(sorted(o), SPF_KEYS)
    equal((o["result"], o["identity"], o["domain"], o["explanation"],
           o["problem"]), ("pass", "mailfrom", "bank.example", None, None))
    equal(o["dns"], [{"name": "bank.example", "type": "TXT",
                      "answer": ["v=spf1 ip4:192.0.2.10 -all"]}])


@case("auth spf takes an empty MAIL FROM in both spellings and judges HELO")
def spf_helo():
    for sender in (["--from", ""], ["--from="], ["--from=<>"],
                   ["--from", "<>"]):
        o = auth("spf", "--ip=192.0.2.10", "--helo=bank.example", *sender)
        equal((o["result"], o["identity"], o["domain"]),
              ("pass", "helo", "bank.example"), sender)


@case("auth spf FILE of a relay judges the client before it")
def spf_relay():
    stored = ("Received: from out.relay.example (out.relay.example "
              "[198.51.100.1])\n\tby mx.test.example (Postfix) with ESMTP id 2;"
              " Tue, 24 Nov 2026 10:00:02 +0000\n")
    before = ("Received: from mail.bank.example (mail.bank.example "
              "[192.0.2.10])\n\tby out.relay.example (Postfix) with ESMTP id 1;"
              " Tue, 24 Nov 2026 10:00:01 +0000\n")
    write("relayed.eml", mail(more=stored + before))
    write("unread.eml", mail(more=stored))
    sender = "--from=a@bank.example"

    def result(name, *args, options=()):
        out = assay(*options, "auth", "spf", "--json", "--dns=zone", sender,
                    *args, name).out
        return json.loads(out)["result"]
    relays = ("-o", "milter.relays={198.51.100.0/24}")
    equal(result("relayed.eml"), "fail", "no relay")
    equal(result("relayed.eml", options=relays), "pass", "relay")
    equal(result("unread.eml", options=relays), "none", "nothing above")
    equal(result("relayed.eml", "--ip=198.51.100.1", "--helo=h",
                 options=relays), "fail", "--ip is who is judged")
    out = assay(*relays, "check", "--dns=zone", "--format=json", sender,
                "relayed.eml").out
    equal(json.loads(out)["spf"]["result"], "pass", "check")


@case("auth spf expands the explanation")
def spf_explanation():
    o = auth("spf", "--ip=192.0.2.9", "--helo=h", "--from=a@why.example")
    equal((o["result"], o["explanation"]),
          ("fail", "192.0.2.9 may not use why.example"))


@case("auth spf exits 0 whatever the result, in RFC 8601's words")
def spf_results():
    want = {"bank": "fail", "soft": "softfail", "broken": "permerror",
            "slow": "temperror", "fail": "temperror", "nothing": "none"}
    for name, result in want.items():
        o = auth("spf", "--ip=198.51.100.1", "--helo=h",
                 "--from=a@%s.example" % name)
        equal(o["result"], result, name)


@case("dns names each question once, in lower case, without final dot")
def dns_once():
    o = auth("spf", "--ip=198.51.100.1", "--helo=h",
             "--from=a@SOFT.Example")
    asked = [(q["name"], q["type"]) for q in o["dns"]]
    equal(asked, [("soft.example", "TXT"), ("host.soft.example", "A")])
    equal(o["dns"][1]["answer"], ["192.0.2.77"])
    o = auth("spf", "--ip=192.0.2.33", "--helo=h", "--from=a@wide.example")
    equal([q["answer"] for q in o["dns"] if q["type"] == "MX"],
          [["10 mx.wide.example"]])


@case("dns answers are a list or NXDOMAIN, NODATA, TIMEOUT, SERVFAIL")
def dns_words():
    for name, word in (("slow", "TIMEOUT"), ("fail", "SERVFAIL"),
                       ("nothing", "NXDOMAIN"), ("host.soft", "NODATA")):
        o = auth("spf", "--ip=192.0.2.1", "--helo=h",
                 "--from=a@%s.example" % name)
        equal(o["dns"][0]["answer"], word, name)


DKIM_KEYS = ["algorithm", "domain", "identity", "problem", "result",
             "selector"]


@case("auth dkim passes a genuine message in LF, CRLF, behind a From_ line")
def dkim():
    with open(os.path.join(DEMO, "genuine.eml"), "rb") as f:
        data = f.read().replace(b"\r\n", b"\n")
    zone = "--dns=" + os.path.join(DEMO, "zone")
    for text in (data, data.replace(b"\n", b"\r\n"),
                 b"From x@y Tue Nov 24\n" + data):
        o = json.loads(assay("auth", "dkim", "--json", zone, "-",
                             stdin=text).out)
        equal(sorted(o), ["dns", "signatures"])
        equal(sorted(o["signatures"][0]), DKIM_KEYS)
        s = o["signatures"][0]
        equal((s["result"], s["domain"], s["selector"], s["algorithm"],
               s["problem"]),
              ("pass", "bank.example", "demo", "rsa-sha256", None))


@case("auth verifies signatures of our own clients and users too")
def auth_inside():
    genuine = os.path.join(DEMO, "genuine.eml")
    zone = "--dns=" + os.path.join(DEMO, "zone")
    for args in (["--ip=127.0.0.1"], ["--auth=user", "--ip=192.0.2.99"]):
        o = json.loads(assay("auth", "dkim", "--json", zone, genuine,
                             *args).out)
        equal([s["result"] for s in o["signatures"]], ["pass"], args)
        o = json.loads(assay("auth", "dmarc", "--json", zone, genuine,
                             *args).out)
        equal(o["result"], "pass", args)


@case("auth dkim: every field is an entry, an unreadable one permerror "
      "with nulls, beyond the cap policy")
def dkim_unreadable():
    write("junk.eml", mail(more="DKIM-Signature: junk\n"
          "DKIM-Signature: v=1; d=\xff\n"))
    o = auth("dkim", "junk.eml")
    equal([s["result"] for s in o["signatures"]], ["permerror"] * 2)
    s = o["signatures"][0]
    equal((s["domain"], s["selector"], s["identity"], s["algorithm"]),
          (None,) * 4)
    check(s["problem"], "no problem named")
    one = ("DKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=s%d; "
           "h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; "
           "b=AAAA\n")
    write("cap.eml", mail(more="".join(one % i for i in range(60))))
    o = auth("dkim", "cap.eml")
    equal(len(o["signatures"]), 60)
    equal(o["signatures"][-1]["result"], "policy")


@case("a signature with a second From on top is right, and not valid")
def dkim_multiplied():
    folder = os.path.join(SOURCE, "tests/data/dkim")
    args = ["--dns=" + os.path.join(folder, "zone"), "--time=1600000100",
            "--ip=192.0.2.1",
            os.path.join(folder, "from-added-multiplied.eml")]
    o = json.loads(assay("auth", "dkim", "--json", *args).out)
    equal([s["result"] for s in o["signatures"]], ["pass"])
    hits = assay("check", "--format=hits", *args).out
    check("DKIM_POLICY=" in hits, hits)
    check("DKIM_INVALID=" in hits, hits)
    check("DKIM_VALID" not in hits, hits)


@case("auth dkim of an unsigned message is an empty list")
def dkim_none():
    equal(auth("dkim", "plain.eml"), {"signatures": [], "dns": []})


DMARC_KEYS = ["disposition", "dkim_aligned", "dns", "from_domain",
              "org_domain", "record", "record_domain", "result",
              "spf_aligned"]


def dmarc(sender, *args):
    data = mail(sender=sender).encode()
    o = auth("dmarc", "-", *args, stdin=data)
    equal(sorted(o), DMARC_KEYS)
    return o


@case("auth dmarc --json has all its fields")
def dmarc_fields():
    o = dmarc("a@bank.example", "--ip=192.0.2.10", "--helo=h",
              "--from=x@bank.example")
    equal((o["result"], o["disposition"], o["from_domain"],
           o["record_domain"], o["org_domain"], o["spf_aligned"],
           o["dkim_aligned"]),
          ("pass", "none", "bank.example", "bank.example", "bank.example",
           True, False))
    equal(o["record"], "v=DMARC1; p=reject; sp=quarantine")


@case("auth dmarc: disposition on fail is after sp and t, null on none")
def dmarc_disposition():
    outside = ("--ip=198.51.100.1", "--helo=h", "--from=x@nothing.example")
    o = dmarc("a@bank.example", *outside)
    equal((o["result"], o["disposition"]), ("fail", "reject"))
    o = dmarc("a@bank.example.", *outside)
    check(o["result"] in ("fail", "permerror"), o)
    o = dmarc("a@Sub.Bank.EXAMPLE", *outside)
    equal((o["result"], o["disposition"], o["from_domain"],
           o["record_domain"]),
          ("fail", "quarantine", "sub.bank.example", "bank.example"))
    o = dmarc("a@test.example", *outside)
    equal((o["result"], o["disposition"]), ("fail", "quarantine"))
    o = dmarc("a@nothing.example", *outside)
    equal((o["result"], o["disposition"], o["record"], o["record_domain"]),
          ("none", None, None, None))


@case("auth dmarc: domains are A-labels")
def dmarc_alabels():
    o = dmarc("a@B\u00fccher.example", "--ip=192.0.2.10", "--helo=h",
              "--from=x@xn--bcher-kva.example")
    equal((o["result"], o["from_domain"]), ("pass", "xn--bcher-kva.example"))


@case("auth dmarc: a message without a usable From domain is permerror")
def dmarc_no_from():
    for sender in ("nobody", "<>", "", "a@[192.0.2.1]", "a@192.0.2.1"):
        o = dmarc(sender)
        equal((o["result"], o["disposition"], o["from_domain"]),
              ("permerror", None, None), sender)


@case("auth names a message that is not there, exit 66")
def auth_unreadable():
    got = assay("auth", "dkim", "nothing.eml", status=66)
    has(got.err, "nothing.eml")
    assay("auth", "dkim", "plain.eml", "red.eml", status=64)
    assay("auth", "spf", "--ip=not.an.ip", status=64)


@case("auth for people shows result, steps and DNS questions")
def auth_text():
    got = assay("auth", "spf", "--dns=zone", "--ip=192.0.2.10", "--helo=h",
                "--from=a@bank.example").out
    has(got, "SPF pass\n")
    has(got, "TXT   bank.example: ")


class Nameserver:
    """Answers TXT of bank.example, NXDOMAIN for all else."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                query, peer = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(query), peer)

    @staticmethod
    def answer(query):
        end = query.index(b"\0", 12)
        name = query[12:end].lower()
        question = query[12:end + 5]
        kind = struct.unpack(">H", query[end + 1:end + 3])[0]
        text = b"v=spf1 ip4:192.0.2.50 -all"
        record, code = b"", 3
        if name == b"\4bank\7example":
            code = 0
            if kind == 16:
                record = (b"\xc0\x0c" + struct.pack(
                    ">HHIH", 16, 1, 60, len(text) + 1) +
                    bytes([len(text)]) + text)
        return (query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1,
                                        bool(record), 0, 0) +
                question + record)

    def close(self):
        self.socket.close()


@case("--nameserver asks that resolver")
def nameserver():
    server = Nameserver()
    try:
        got = assay("auth", "spf", "--json", "--ip=192.0.2.50", "--helo=h",
                    "--from=a@bank.example", "--nameserver",
                    "127.0.0.1@%d" % server.port).out
    finally:
        server.close()
    o = json.loads(got)
    equal((o["result"], o["dns"][0]["answer"]),
          ("pass", ["v=spf1 ip4:192.0.2.50 -all"]))
    assay("auth", "spf", "--nameserver=nonsense", status=78)


# --- rules, config -----------------------------------------------------------

@case("rules lint says all errors with file and line, exit 65")
def lint():
    write("bad.cf", "header A Subject =~ /(/\nfoo bar\nbody B /x/\n"
          "score B notanumber\n")
    for args in (["bad.cf"], ["--rules", "bad.cf"]):
        got = assay("rules", "lint", *args, status=65)
        for line in (1, 2, 4):
            has(got.err, "bad.cf:%d: " % line)
    assay("rules", "lint", "rules.cf")
    assay("rules", "lint")
    assay("-o", "no.such=1", "rules", "lint", status=78)


@case("the scan refuses wrong rules, exit 78")
def check_bad_rules():
    has(assay("check", "--rules=bad.cf", "plain.eml", status=78).err,
        "bad.cf:1: ")
    assay("check", "--rules=nothing.cf", "plain.eml", status=78)


@case("rules list has rules and built-in symbols; show has the place")
def rules_list():
    got = assay("rules", "list", "--rules", "rules.cf").out
    names = [line.split()[0] for line in got.splitlines()]
    check("T_RED" in names and "SPF_FAIL" in names and "GTUBE" not in names)
    got = assay("rules", "show", "--rules=rules.cf", "T_RED").out
    has(got, "score 2.000")
    has(got, "rules.cf:2")
    has(assay("rules", "show", "NO_SUCH", status=65).err, "NO_SUCH")


@case("config show --origin names default, file:line:column and what is "
      "replaced")
def config():
    write("conf/10.conf", "policy default { tag = 4 }\n")
    write("conf/20.conf", "policy default {\n\ttag = 3\n}\n")
    write("main.conf", 'include("conf")\n'
          "policy strict { recipients = { a@test.example } }\n")
    got = assay("-c", "main.conf", "config", "show", "--origin").out
    has(got, "\ttag = 3\t# conf/20.conf:2:8, "
        "replaces conf/10.conf:1:18\n")
    has(got, "\treject = 15\t# default\n")
    strict = got[got.index('policy "strict"'):]
    has(strict[:strict.index("}\n")], "tag = 3\t# conf/20.conf")
    outbound = got[got.index('policy "outbound"'):]
    has(outbound[:outbound.index("}\n")], "reject = off\t# default")
    got = assay("-c", "main.conf", "-o", "policy.default.tag=2", "config",
                "show", "--origin").out
    has(got, "\ttag = 2\t# -o, replaces conf/20.conf")


@case("config show has every default computed")
def config_computed():
    got = assay("config", "show").out
    for key in ("state", "control", "node", "\tauthserv_id", "\tpath",
                "\twaiting"):
        line = [x for x in got.splitlines() if x.startswith(key + " = ")][0]
        check(line.split(" = ")[1] not in ('""', "{ }", "0"), line)


# --- DNS lists ---------------------------------------------------------------

LIST_ZONE = """
66.2.0.192.zen.spamhaus.org A 127.0.0.2
66.2.0.192.zen.spamhaus.org A 127.0.0.4
2.0.0.127.zen.spamhaus.org A 127.0.0.2
shop.example.dbl.spamhaus.org A 127.0.1.4
dbltest.com.dbl.spamhaus.org A 127.0.1.2
shop.example.multi.uribl.com A 127.0.0.10
7.100.51.198.multi.uribl.com A 127.0.0.4
2.0.0.127.multi.uribl.com A 127.0.0.14
66.2.0.192.list.dnswl.org A 127.0.9.2
2.0.0.127.list.dnswl.org A 127.0.10.0
66.2.0.192.bl.ours.example A 127.0.0.9
2.0.0.127.bl.ours.example A 127.0.0.2
"""
LINKED = ('From: a@bank.example\nContent-Type: text/html\n\n'
          '<a href="http://www.shop.example/">x</a>'
          '<a href="http://198.51.100.7/">x</a>\n')


def listed(*args):
    """Symbols of lists with their evidence, and what is degraded."""
    write("lists.zone", LIST_ZONE)
    write("linked.eml", LINKED)
    got = json.loads(assay(*args, "check", "--format", "json", "--dns",
                           "lists.zone", "--rules", "rules.cf", "--ip",
                           "192.0.2.66", "linked.eml").out)
    return {s["name"]: (s["score"], s["evidence"]) for s in got["symbols"]
            if " is listed " in (s["evidence"] or "")}, got["degraded"]


@case("known DNS lists are off until they are used, and need no include")
def lists_known():
    equal(listed(), ({}, []))
    symbols, degraded = listed(
        "-o", "lists.use=spamhaus-zen,spamhaus-dbl,uribl,dnswl")
    equal(symbols, {
        "RCVD_IN_SBL": (3, "192.0.2.66 is listed (127.0.0.2)"),
        "RCVD_IN_XBL": (3.5, "192.0.2.66 is listed (127.0.0.4)"),
        "URIBL_DBL_PHISH": (4, "shop.example is listed (127.0.1.4)"),
        "URIBL_BLACK": (2.5, "shop.example is listed (127.0.0.10)"),
        "URIBL_RED": (0.5, "shop.example is listed (127.0.0.10)"),
        "URIBL_GREY": (0.5, "198.51.100.7 is listed (127.0.0.4)"),
        "RCVD_IN_DNSWL_MED": (-2, "192.0.2.66 is listed (127.0.9.2)"),
    })
    equal(degraded, [])


@case("a site adds a list, and changes a key of a known one or its score")
def lists_own():
    write("own.conf", """
lists { use = { ours, spamhaus-zen, spamhaus-dbl } }
lists ours { zone = bl.ours.example. answers = { 127.0.0.9:OURS:7.25 } }
lists spamhaus-zen { zone = bl.ours.example answers = { &1:ODD:1 } }
""")
    symbols, degraded = listed("-c", "own.conf")
    equal({name: s[0] for name, s in symbols.items()},
          {"OURS": 7.25, "ODD": 1, "URIBL_DBL_PHISH": 4})
    equal(degraded, [])
    # A zone may hold the site's key: what people see names the list.
    got = assay("-c", "own.conf", "rules", "show", "OURS").out
    has(got, "The client is listed in ours")
    check("bl.ours" not in got, got)
    write("score.cf", "score OURS 0.5\nmeta BOTH OURS && ODD\nscore BOTH 2\n")
    got = assay("-c", "own.conf", "check", "--format=hits", "--dns",
                "lists.zone", "--rules", "score.cf", "--ip", "192.0.2.66",
                "linked.eml").out
    has(got, "BOTH=1")
    got = assay("-c", "own.conf", "config", "show", "--origin").out
    has(got, "zone = bl.ours.example\t# own.conf:4:29, replaces ")
    has(got, "conf/lists.conf:")


@case("without a network lists are silent, and nothing lacks")
def lists_local():
    got = json.loads(assay("-o", "lists.use=spamhaus-zen", "check", "--local",
                           "--format=json", "--ip", "192.0.2.66",
                           "linked.eml").out)
    equal(got["degraded"], [])
    check("RCVD_IN_SBL" not in str(got["symbols"]))


@case("mistakes in lists are said at their places, all of a run")
def lists_mistakes():
    write("bad.conf", """lists { use = { spamhaus-zn, a, b, c, D, e, f } }
lists a { zone = a.example answers = { 127.0.0.2:X_1:1, 128.0.0.1:X:1,
 127.0.0.3:__Y:2, "127.0.0.4:X_1:2", 127.0.0.5:Z, 127.0.0.6:Z:z } }
lists b { zone = "b..example" answers = { 127.0.0.2:X_1:1 } refused = { 1 } }
lists c { kind = domain about = client answers = { 127.0.0.2:X_3:1 } }
lists D { zone = d.example answers = { 127.0.0.2:X_4:1 } }
lists e { zone = e.example }
lists f { zone = f.example answers = { 127.0.0.2:X_5:1 }
 test_clean = "a..b.%s" }
""" % ("x" * 250))
    err = assay("-c", "bad.conf", "rules", "list", status=78).err
    for line in (
            'bad.conf:1:15: use: no list "spamhaus-zn"; did you mean '
            '"spamhaus-zen"?',
            'bad.conf:1:15: use: "a" and "b" both give "X_1"',
            'bad.conf:2:38: answers: no answer like',
            '"128.0.0.1:X:1"',
            'no name of a symbol in "127.0.0.3:__Y:2"',
            'a symbol has one score: "127.0.0.4:X_1:2"',
            'expected ANSWER:SYMBOL:POINTS, not "127.0.0.5:Z"',
            'no points in "127.0.0.6:Z:z"',
            'bad.conf:4:18: zone: no name of a zone "b..example"',
            'bad.conf:4:71: refused: no answer like',
            'bad.conf:5:1: lists "c": no zone',
            'bad.conf:5:33: about: a list of domains has no clients',
            'bad.conf:6:1: lists "D": a name has lower-case letters',
            'bad.conf:7:1: lists "e": no answers',
            'bad.conf:9:15: test_clean: no test point'):
        has(err, line)
    err = assay("-o", "lists.use=spamhaus-zen", "-o", "lists.spamhaus-zen."
                "answers=127.0.0.2:SPF_FAIL:1", "rules", "list",
                status=78).err
    has(err, "symbol SPF_FAIL is there already")
    err = assay("-o", "lists.zone=a.example", "rules", "list", status=78).err
    has(err, "lists NAME { }")


# --- options and errors ------------------------------------------------------

@case("--help works on every level and needs nothing")
def helps():
    for args in (["--help"], ["-h"], ["auth", "--help"], ["auth", "-h"],
                 ["auth", "spf", "--help"], ["check", "-h"],
                 ["rules", "lint", "--help"], ["config", "--help"],
                 ["status", "--help"], ["reload", "--help"]):
        got = assay(*args)
        has(got.out, "usage: assay")
        has(got.out, "--config=FILE")
        equal(got.err, "", args)
    has(assay("check", "--help").out, "--exit-code")


@case("-c and -o are taken before and behind the command")
def global_options():
    write("good.conf", "policy default { tag = 1.5 }\n")
    for args in (["-c", "good.conf", "config", "show"],
                 ["config", "-c", "good.conf", "show"],
                 ["config", "show", "-c", "good.conf"],
                 ["config", "show", "--config=good.conf"],
                 ["-o", "policy.default.tag=1.5", "config", "show"],
                 ["config", "show", "-o", "policy.default.tag=1.5"]):
        has(assay(*args).out, "tag = 1.500\n")
    check(assay("-V").out.startswith("assay "))


@case("a missing named configuration is an error")
def missing_config():
    has(assay("-c", "nothing.conf", "check", "plain.eml", status=78).err,
        "nothing.conf")
    program(ASSAYD, "-n", "-c", "nothing.conf", status=78)


@case("wrong words name the nearest, exit 64")
def nearest():
    for args, word in ((["chek"], "check"), (["auth", "spff"], "spf"),
                       (["rules", "lnt"], "lint"),
                       (["check", "--fromat=json"], "--format"),
                       (["config", "show", "--orgin"], "--origin")):
        has(assay(*args, status=64).err, word)
    has(assay("-o", "policy.default.rejct=1", "check", "plain.eml",
              status=78).err, '"reject"')
    for args in ([], ["auth"], ["check", "--format=xml"],
                 ["check", "--format"], ["check", "--local=x"],
                 ["config", "show", "x"], ["rules", "show"]):
        assay(*args, status=64)


@case("assayd -n says all errors at once with file:line:column, exit 78")
def daemon_test():
    write("bad.conf", "policy default {\n  tagg = 5\n  reject = abc\n}\n"
          "foo { }\nmilter { socket = \"tcp:1\" internal = { 300.1.1.1 } }\n")
    got = program(ASSAYD, "-n", "-c", "bad.conf", status=78)
    for part in ('bad.conf:2:3: unknown key "tagg"', '"tag"?',
                 "bad.conf:3:12: reject", "bad.conf:5:1: unknown section"):
        has(got.err, part)
    write("bad2.conf", "milter { socket = \"tcp:1\" "
          "internal = { 300.1.1.1 } }\n")
    got = program(ASSAYD, "-n", "-c", "bad2.conf", status=78)
    has(got.err, "tcp:1")
    has(got.err, "300.1.1.1")
    program(ASSAYD, "-n")
    program(ASSAYD, "-n", "-o", "rules.path=bad.cf", status=78)
    program(ASSAYD, "-n", "-o", "dns.zone=nothing", status=78)
    program(ASSAYD, "-n", "-o", "milter.socket_group=no-such-group",
            status=78)


@case("a key given twice in one file is an error")
def key_twice():
    write("twice.conf", "policy default { tag = 5 tag = 6 }\n")
    has(program(ASSAYD, "-n", "-c", "twice.conf", status=78).err,
        '"tag" is given twice')


@case("assayd refuses wrong options, exit 64, and knows its version")
def daemon_options():
    program(ASSAYD, "-n", "word", status=64)
    program(ASSAYD, "-c", status=64)
    check(program(ASSAYD, "-V").out.startswith("assayd "))
    has(program(ASSAYD, "-h").out, "usage: assayd")


@case("without a daemon status and reload are exit 69")
def no_daemon():
    for what in ("status", "reload"):
        has(assay(what, "-o", "control=%s/none.sock" % TOP, status=69).err,
            "none.sock")


# --- the running daemon ------------------------------------------------------

@contextlib.contextmanager
def running():
    path = write("daemon.conf", 'state = "%s/state"\n'
                 'control = "%s/control.sock"\n'
                 'milter { socket = "unix:%s/milter.sock" }\n'
                 'dns { zone = "%s/zone" }\n' % (TOP, TOP, TOP, TOP))
    log = open(os.path.join(TOP, "daemon.log"), "wb")
    process = subprocess.Popen([ASSAYD, "-f", "-c", path], cwd=TOP,
                               stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE
        while not (os.path.exists(os.path.join(TOP, "milter.sock")) and
                   os.path.exists(os.path.join(TOP, "control.sock"))):
            check(process.poll() is None and time.monotonic() < end,
                  "assayd does not start")
            time.sleep(0.02)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE)
        log.close()


def daemon_log():
    with open(os.path.join(TOP, "daemon.log"), errors="replace") as f:
        return f.read()


def ask_raw(line):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE)
        s.connect(os.path.join(TOP, "control.sock"))
        s.sendall(line)
        return json.loads(s.makefile("rb").readline())


def by_nobody(*args, groups=(), status):
    def drop():
        os.setgroups(list(groups))
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return assay(*args, status=status, preexec_fn=drop)


@case("status and reload answer the daemon's user")
def daemon():
    with running() as process:
        got = assay("-c", "daemon.conf", "status").out
        has(got, "mode                         observe\n")
        o = json.loads(assay("-c", "daemon.conf", "status", "--json").out)
        equal((o["ok"], o["pid"], o["mode"], o["configuration"]),
              (True, process.pid, "observe", 1))
        has(assay("-c", "daemon.conf", "reload").out, "reloaded")
        equal(ask_raw(b'{"request":"status"}\n')["configuration"], 2)
        check(not ask_raw(b"garbage\n")["ok"])
        check(not ask_raw(b'{"request":"nonsense"}\n')["ok"])


@case("a reload with errors prints them, exit 78, and changes nothing")
def daemon_reload():
    with running() as process:
        good = open(os.path.join(TOP, "daemon.conf")).read()
        write("ask.conf", good)
        write("daemon.conf", good + "policy default { tagg = 3 }\n")
        got = assay("-c", "ask.conf", "reload", status=78)
        has(got.err, 'unknown key "tagg"')
        o = ask_raw(b'{"request":"status"}\n')
        equal((o["configuration"], o["reloads_failed"]), (1, 1))
        write("daemon.conf", good.replace("milter.sock", "other.sock"))
        has(assay("-c", "ask.conf", "reload").out, "milter.socket")
        equal(process.poll(), None)
    equal(process.returncode, 0, "SIGTERM")
    has(daemon_log(), 'unknown key "tagg"')
    check(not os.path.exists(os.path.join(TOP, "milter.sock")))


@case("another user may neither ask nor change, group adm may ask alone")
def daemon_others():
    if os.getuid() != 0:
        raise Skip("needs root")
    with running():
        done = subprocess.run(["/usr/bin/env", "-i", "test", "-x", ASSAY],
                              user=NOBODY, group=NOBODY, check=False)
        if done.returncode:
            raise Skip("the build folder is closed to others")
        conf = ("-c", "daemon.conf")
        has(by_nobody(*conf, "status", status=77).err, "not allowed")
        has(by_nobody(*conf, "reload", status=77).err, "not allowed")
        import grp
        try:
            adm = grp.getgrnam("adm").gr_gid
        except KeyError as e:
            raise Skip("no group adm") from e
        by_nobody(*conf, "status", groups=[adm], status=0)
        by_nobody(*conf, "reload", groups=[adm], status=77)


@case("check needs no rights: a user without any scans")
def check_nobody():
    if os.getuid() != 0:
        raise Skip("needs root")
    done = subprocess.run(["/usr/bin/env", "-i", "test", "-x", ASSAY],
                          user=NOBODY, group=NOBODY, check=False)
    if done.returncode:
        raise Skip("the build folder is closed to others")
    by_nobody("check", "--local", "--rules=rules.cf", "red.eml", status=0)


# --- main --------------------------------------------------------------------

def main():
    global TOP
    if not (os.access(ASSAY, os.X_OK) and os.access(ASSAYD, os.X_OK)):
        print("1..0 # SKIP assay and assayd are not built")
        return 0
    TOP = tempfile.mkdtemp(prefix="assay-cli-")
    os.chmod(TOP, 0o755)
    os.umask(0o022)
    failed = 0
    try:
        set_up()
        for n, (claim, function) in enumerate(CASES, 1):
            try:
                function()
                print("ok %d - %s" % (n, claim))
            except Skip as e:
                print("ok %d - %s # SKIP %s" % (n, claim, e))
            except Exception:
                failed += 1
                print("not ok %d - %s" % (n, claim))
                for line in traceback.format_exc().splitlines()[-12:]:
                    print("# " + line[:600])
            sys.stdout.flush()
        print("1..%d" % len(CASES))
    finally:
        shutil.rmtree(TOP, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
