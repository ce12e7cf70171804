"""assayd behind a real MTA: what an SMTP client sees, what is delivered,
what the log says. The cases are the same for every MTA; test_postfix.py and
test_sendmail.py run them.

One enforcing assayd and one MTA serve most cases; those that need another
setting have their own assayd. Every case uses recipients of its own, so that
none depends on another.
"""

import hashlib
import os
import random
import re
import signal
import socket
import stat
import struct
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import fixture  # noqa: E402
from fixture import (  # noqa: E402
    Assayd, Journal, Scratch, Tap, check, crlf, equal, in_threads, mail,
    wait_for)

DEMO = os.path.join(fixture.SOURCE, "conf", "demo")
DATA = os.path.join(fixture.SOURCE, "tests", "data")

# The site of the tests. Scores are far from each other's thresholds, so that
# what the built-in scorers add does not matter.
RULES = r"""
body GTUBE /XJS\*C4JDBQADN1\.NSBN3\*2IDNEN\*GTUBE-STANDARD-ANTI-UBE/
score GTUBE 1000
header T_TAG Subject =~ /tag-me/
score T_TAG 7
header T_HOLD Subject =~ /hold-me/
score T_HOLD 12
header T_SPF Subject =~ /judge-spf/
meta T_SPF_REFUSED (T_SPF && SPF_FAIL)
score T_SPF 0.001
score T_SPF_REFUSED 0.001
header T_CONTENT Subject =~ /weigh-me/
score T_CONTENT 30
score SPF_FAIL 4
"""
HEAVY = "score SPF_FAIL 40\nscore DKIM_INVALID 39\n"

ZONE = """
signed.example TXT "v=spf1 ip4:192.0.2.30 -all"
_dmarc.signed.example TXT "v=DMARC1; p=reject"
slow.example TIMEOUT
_dmarc.slow.example TIMEOUT
"""

CONF = """
auth { dmarc = reject }
rules { path = { "%(rules)s" } }
dns { timeout = 1s }
policy default {
	mode = enforce
	tag = 5
	quarantine = 10
	reject = 15
	subject_mark = "[SPAM]"
	help_url = "https://mail.test.example/refused?ref=%%{ref}"
}
"""


class Bench:
    """The programs that the cases share."""

    def __init__(self, scratch, make_mta):
        self.scratch = scratch
        with open(os.path.join(DEMO, "zone")) as f:
            zone = f.read()
        with open(os.path.join(DATA, "mta-signed.zone")) as f:
            zone += f.read()
        self.zone = scratch.write("zone", make_mta.zone(zone + ZONE))
        self.rules = scratch.write("test.cf", RULES)
        self.conf = CONF % {"rules": self.rules}
        self.options = list(make_mta.assayd_options)
        sockets = scratch.folder("sock")
        self.socket = os.path.join(sockets, "m")
        self.assayd = Assayd(
            scratch, "enforce", self.conf, self.zone, self.options,
            path=os.path.join(sockets, "main") if make_mta.wants_path
            else None)
        self.milter_ports = {}
        listeners = {"unix": self.socket, "submission": "sasl"}
        for name in ("heavy", "deferring", "small", "ending", "splitting",
                     "absent"):
            port = self.milter_ports[name] = fixture.free_port()
            listeners[name] = ("127.0.0.1", port)
        self.mta = make_mta(scratch, "main", self.assayd.address,
                            listeners=listeners)

    def daemon(self, name, conf=None, options=(), **how):
        """A further assayd, behind the listener of that name."""
        return Assayd(self.scratch, name, conf or self.conf, self.zone,
                      self.options + list(options),
                      port=self.milter_ports.get(name), **how)


CASES = []


def case(claim):
    """{mta} in a claim is the MTA's name."""
    def keep(function):
        CASES.append((claim, function))
        return function
    return keep


# --- what stands in the header of what was delivered -------------------------

TRACE = ("Return-Path", "X-Original-To", "Delivered-To")


def fields_of(message):
    """Names of the fields below those that the delivery put on top."""
    names = message.names()
    while names and names[0] in TRACE:
        names.pop(0)
    return names


def results_of(message):
    """method -> result of the topmost Authentication-Results."""
    text = message.all("Authentication-Results")[0]
    check(text.startswith(fixture.AUTHSERV + ";"), "authserv-id:", text)
    return dict(re.findall(r"(?:^|;)\s*([a-z]+)=([a-z]+)", text))


def agree(journal, reply, message=None, **wanted):
    """The log line, the client's reply and the delivered file tell one
    story."""
    for key, value in wanted.items():
        got = journal.would if key == "would" else journal[
            "from" if key == "sender" else key]
        equal(got, value, "log field " + key)
    if reply.code == 250:
        equal(journal.queue_id, reply.queue_id, "queue id")
    else:
        equal(journal["ref"], reply.ref, "ref in reply and log")
    if message is None:
        return
    equal(message.one("X-Assay-Ref"), journal["ref"], "ref in file and log")
    score = float(journal["score"].split("/")[0])
    shown = float(message.one("X-Spam-Score"))
    check(abs(score - shown) < 0.11, "score", score, shown)
    results = results_of(message)
    equal(results.get("spf"), journal["spf"], "spf of A-R and log")
    equal(results.get("dmarc"), journal["dmarc"].split("/")[0], "dmarc")
    equal(results.get("dkim"), journal["dkim"].split(":")[0], "dkim")


def demo(name):
    with open(os.path.join(DEMO, name), "rb") as f:
        return crlf(f.read())


# --- actions -----------------------------------------------------------------

@case("accept: genuine signed mail is delivered with results on top")
def _(b):
    with b.mta.client(ip="192.0.2.10") as c:
        reply = c.message("service@bank.example", "accept",
                          demo("genuine.eml"))
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("accept")
    equal(fields_of(message)[0], "Authentication-Results", "topmost field")
    equal(results_of(message),
          {"spf": "pass", "dkim": "pass", "dmarc": "pass",
           "iprev": "permerror"}, "results")  # the zone has no PTR
    check("header.d=bank.example" in message.one("Authentication-Results"),
          "d= missing")
    equal(message.all("X-Spam-Flag"), [], "X-Spam-Flag")
    check(message.one("X-Spam-Status").startswith("No, score="), "status",
          message.one("X-Spam-Status"))
    equal(message.all("X-Assay-Would"), [], "X-Assay-Would")
    agree(b.assayd.journal(reply.queue_id), reply, message, action="accept",
          sender="<service@bank.example>", to="<accept@test.example>",
          client=b.mta.shown("mail.bank.example", "192.0.2.10"), helo="mail.bank.example",
          auth="-", nrcpt="1", hfrom="bank.example", arc="none", dir="in",
          msgid="<statement.1@bank.example>", dkim="pass:bank.example",
          dmarc="pass/reject", degraded="-")


@case("tag: delivered with X-Spam fields and a marked Subject")
def _(b):
    text = mail("please tag-me", to="tag")
    with b.mta.client(ip="192.0.2.20", helo="mail.shop.example") as c:
        reply = c.message("ben@shop.example", "tag", text)
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("tag")
    equal(message.one("X-Spam-Flag"), "YES")
    equal(message.one("Subject"), "[SPAM] please tag-me")
    status = message.one("X-Spam-Status")
    found = re.match(r"Yes, score=(-?\d+\.\d) required=5\.0 tests=(\S+)",
                     status.replace(",\t", ","))
    check(found and "T_TAG" in found.group(2).split(","), "status", status)
    equal(found.group(1), message.one("X-Spam-Score"))
    equal(message.one("X-Spam-Level"),
          "*" * int(float(message.one("X-Spam-Score"))))
    equal(message.body, text.split(b"\r\n\r\n", 1)[1].replace(
        b"\r\n", b"\n"), "body")
    journal = b.assayd.journal(reply.queue_id)
    equal(set(found.group(2).split(",")), set(journal.symbols), "tests")
    agree(journal, reply, message, action="tag", by="score", spf="pass",
          client=b.mta.shown("mail.shop.example", "192.0.2.20"))


@case("tag: a Subject with 8-bit and folds keeps its text behind the mark")
def _(b):
    text = mail("x", to="tag8").replace(
        b"Subject: x", "Subject: tag-me gr\u00fc\u00dfe\r\n zwei".encode())
    with b.mta.client(ip="192.0.2.20") as c:
        reply = c.message("ben@shop.example", "tag8", text)
    equal(reply.code, 250, "reply")
    import email.header
    raw = b.mta.wait_delivered("tag8").one("Subject")
    check(raw.isascii(), "not ASCII:", raw)
    shown = str(email.header.make_header(email.header.decode_header(raw)))
    equal(re.sub(r"\s+", " ", shown), "[SPAM] tag-me gr\u00fc\u00dfe zwei")


@case("quarantine: accepted, in the hold queue, delivered once on release")
def _(b):
    with b.mta.client(ip="192.0.2.20") as c:
        reply = c.message("ben@shop.example", "hold",
                          mail("hold-me", to="hold"))
    equal(reply.code, 250, "reply")
    agree(b.assayd.journal(reply.queue_id), reply, action="quarantine",
          by="score", to="<hold@test.example>")
    wait_for(lambda: b.mta.is_held(reply.queue_id), "the queue")
    equal(b.mta.delivered_to("hold"), [], "delivered before release")
    b.mta.release(reply.queue_id)
    message = b.mta.wait_delivered("hold")
    equal(message.one("X-Spam-Flag"), "YES")
    wait_for(lambda: not b.mta.is_queued(reply.queue_id), "release")


@case("reject: GTUBE gets 550 5.7.1 with ref and help, is not delivered")
def _(b):
    with b.mta.client(ip="192.0.2.20") as c:
        reply = c.message("test@shop.example", "gtube", demo("gtube.eml"))
        # The session goes on.
        good = c.message("ben@shop.example", "aftergtube", mail())
    equal((reply.code, reply.status), (550, "5.7.1"), "reply")
    check(len(reply.lines) == 1 and len(reply.lines[0]) <= 400, "length",
          reply)
    check("shop.example" in reply.text, "no domain in", reply)
    check("ref=" + reply.ref in reply.text, "no help address in", reply)
    check("GTUBE" not in reply.text, "names the rule:", reply)
    equal(good.code, 250, "next message")
    line, = b.assayd.log.wait("ref=%s," % reply.ref)
    agree(Journal(line), reply, action="reject", by="score",
          sender="<test@shop.example>", to="<gtube@test.example>")
    b.mta.wait_delivered("aftergtube")
    equal(b.mta.delivered_to("gtube"), [])


@case("reject: forged mail under p=reject gets 550 5.7.26 naming the domain")
def _(b):
    with b.mta.client(ip="203.0.113.9", helo="mailer.example") as c:
        reply = c.message("bounce@mailer.example", "forged",
                          demo("forged.eml"))
    equal((reply.code, reply.status), (550, "5.7.26"), "reply")
    check("bank.example" in reply.text, "domain missing", reply)
    line, = b.assayd.log.wait("ref=%s," % reply.ref)
    agree(Journal(line), reply, action="reject", by="dmarc",
          dmarc="fail/reject", spf="pass", hfrom="bank.example",
          client=b.mta.shown("mailer.example", "203.0.113.9"))
    equal(b.mta.delivered_to("forged"), [])


@case("a forged message of a mailing list is tagged, with the reason")
def _(b):
    text = demo("forged.eml").replace(
        b"Subject:", b"List-Id: <list.mailer.example>\r\nSubject:", 1)
    with b.mta.client(ip="203.0.113.9", helo="mailer.example") as c:
        reply = c.message("bounce@mailer.example", "list", text)
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("list")
    equal(message.one("X-Spam-Flag"), "YES")
    check("mailing_list" in message.one("Authentication-Results"), "reason")
    agree(b.assayd.journal(reply.queue_id), reply, action="tag", by="dmarc",
          dmarc="fail/reject(mailing_list)")


@case("reject: SPF as the heaviest gets 550 5.7.23, DKIM 550 5.7.20")
def _(b):
    rules = b.scratch.write("heavy.cf", RULES + HEAVY)
    daemon = b.daemon("heavy", CONF.replace("dmarc = reject", "dmarc = score")
                      % {"rules": rules})
    with b.mta.client("heavy", ip="198.51.100.7", helo="other.example") as c:
        spf = c.message("ben@shop.example", "spf", mail())
    broken = demo("genuine.eml").replace(b"Dear customer", b"Dear victim")
    with b.mta.client("heavy", ip="192.0.2.10") as c:
        dkim = c.message("service@bank.example", "dkim", broken)
    equal((spf.code, spf.status), (550, "5.7.23"), "reply")
    equal((dkim.code, dkim.status), (550, "5.7.20"), "reply")
    line, = daemon.log.wait("ref=%s," % spf.ref)
    agree(Journal(line), spf, action="reject", spf="fail", dkim="none")
    line, = daemon.log.wait("ref=%s," % dkim.ref)
    agree(Journal(line), dkim, action="reject", spf="pass",
          dkim="fail:bank.example")
    fixture.stopped_clean(TAP, daemon)


@case("tempfail: dead DNS with on_failure=dns:tempfail gets 451 4.4.3;"
      " else degraded=dns, delivered")
def _(b):
    slow = mail(sender="ann@slow.example", to="slow")
    with b.mta.client(ip="192.0.2.40", helo="mail.slow.example") as c:
        reply = c.message("ann@slow.example", "slow", slow)
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("slow")
    equal(results_of(message)["spf"], "temperror")
    agree(b.assayd.journal(reply.queue_id), reply, message, action="accept",
          spf="temperror", degraded="dns")
    daemon = b.daemon("deferring", "policy { on_failure = { dns:tempfail } }"
                      + b.conf)
    with b.mta.client("deferring", ip="192.0.2.40",
                          helo="mail.slow.example") as c:
        reply = c.message("ann@slow.example", "slow2", slow)
        good = c.message("ben@shop.example", "afterslow", mail())
    equal((reply.code, reply.status), (451, "4.4.3"), "reply")
    equal(good.code, 250, "next message")
    line, = daemon.log.wait("ref=%s," % reply.ref)
    agree(Journal(line), reply, action="tempfail", by="failure",
          degraded="dns")
    b.mta.wait_delivered("afterslow")
    equal(b.mta.delivered_to("slow2"), [])
    fixture.stopped_clean(TAP, daemon)


# --- edits of the header -----------------------------------------------------

@case("forged A-R of ours, X-Spam-* and X-Assay-* go, foreign fields stay")
def _(b):
    forged = (
        "Authentication-Results: mx.test.example; spf=pass"
        " smtp.mailfrom=bank.example\n"
        "authentication-results:\n MX.TEST.EXAMPLE (a; comment) 1;\n"
        "\tdmarc=pass header.from=bank.example\n"
        "Authentication-Results: \"mx.test.example\"; none\n"
        "Authentication-Results: other.example; spf=fail\n"
        "X-Spam-Flag: NO\nX-SPAM-Status: No, score=-100\n"
        "X-Spam-Checker-Version: forged\nX-Spam-Score: -100\n"
        "X-Spam-Report:\n folded\n forged\n"
        "X-Assay-Ref: 0000-0000-0000\nX-Assay-Would: accept\n"
        "X-Assay-Other: forged\nX-Spammy: stays\nX-Assayed: stays\n")
    text = mail(to="edits", extra=forged)
    # One of each at the end as well, below the foreign ones.
    text = text.replace(b"MIME-Version", b"X-Spam-Flag: NO\r\nAuthentication-"
                        b"Results: mx.test.example; dkim=pass\r\nMIME-Version")
    with b.mta.client(ip="192.0.2.20", helo="mail.shop.example") as c:
        reply = c.message("ben@shop.example", "edits", text)
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("edits")
    results = message.all("Authentication-Results")
    equal(len(results), 2, "A-R fields: %r" % results)
    equal(results[1], "other.example; spf=fail")
    check("bank.example" not in results[0], results[0])
    equal(fields_of(message)[0], "Authentication-Results", "topmost")
    own = [n.lower() for n in message.names()
           if n.lower().startswith(("x-spam-", "x-assay-"))]
    equal(sorted(own), sorted(set(own)), "each once")
    check("x-spam-flag" not in own and "x-assay-other" not in own and
          "x-spam-report" not in own and "x-assay-would" not in own, own)
    check(b"forged" not in message.head, message.head)
    equal(message.one("X-Spammy"), "stays")
    equal(message.one("X-Assayed"), "stays")
    agree(b.assayd.journal(reply.queue_id), reply, message)
    # What stays keeps its order and its bytes.
    sent = [f for f in text.split(b"\r\n\r\n")[0].split(b"\r\n")]
    kept = [f for f in message.fields if f in sent]
    equal(kept, [f for f in sent if f in kept], "order")
    for name in (b"Date", b"From", b"To", b"Subject", b"Message-ID",
                 b"MIME-Version", b"Content-Type"):
        check(any(f.startswith(name + b": ") for f in kept), name)


@case("300 forged fields all go")
def _(b):
    extra = "".join("X-Spam-Flag: NO\nAuthentication-Results:"
                    " mx.test.example; spf=pass n=%d\nX-Keep: %d\n" % (i, i)
                    for i in range(150))
    with b.mta.client(ip="192.0.2.20") as c:
        reply = c.message("ben@shop.example", "many",
                          mail(to="many", extra=extra))
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("many")
    equal(message.all("X-Keep"), [str(i) for i in range(150)])
    equal(len(message.all("Authentication-Results")), 1)
    equal(message.all("X-Spam-Flag"), [])


@case("a simple/simple DKIM signature survives and verifies after delivery")
def _(b):
    with open(os.path.join(DATA, "mta-signed-simple.eml"), "rb") as f:
        text = crlf(f.read())
    with b.mta.client(ip="192.0.2.30", helo="mail.signed.example") as c:
        reply = c.message("sender@signed.example", "simple", text)
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("simple")
    agree(b.assayd.journal(reply.queue_id), reply, message,
          dkim="pass:signed.example", dmarc="pass/reject")
    import json
    done = b.assayd.assay("auth", "dkim", "--json", message.path)
    equal(done.returncode, 0, done.stderr)
    signature, = json.loads(done.stdout)["signatures"]
    equal(signature["result"], "pass", done.stdout)
    verify_elsewhere(b, message)


def verify_elsewhere(b, message):
    """By a verifier that is not ours, where there is one."""
    try:
        import dkim
    except ImportError:
        print("# python3-dkim is missing: verified by assay alone")
        return
    with open(os.path.join(DATA, "mta-signed.zone")) as f:
        key = "".join(re.findall(r'"([^"]*)"', f.read()))
    check(dkim.verify(message.data, dnsfunc=lambda name, timeout=5:
                      key.encode()), "dkimpy refuses the delivered file")


# --- sessions ----------------------------------------------------------------

@case("two messages in one connection are judged each for itself")
def _(b):
    with b.mta.client(ip="203.0.113.9", helo="mailer.example") as c:
        first = c.message("bounce@mailer.example", "one", mail(
            "hold-me", "ben@mailer.example", "one"))
        second = c.message("other@mailer.example", ["two", "two-b"], mail(
            "plain", "ben@mailer.example", "two"))
    equal((first.code, second.code), (250, 250))
    one = b.assayd.journal(first.queue_id)
    two = b.assayd.journal(second.queue_id)
    agree(one, first, action="quarantine", nrcpt="1",
          sender="<bounce@mailer.example>", to="<one@test.example>")
    agree(two, second, action="accept", nrcpt="2",
          sender="<other@mailer.example>", to="<two@test.example>")
    check(one["ref"] != two["ref"], "one ref for two messages")
    message = b.mta.wait_delivered("two")
    equal(message.all("X-Spam-Flag"), [])
    b.mta.wait_delivered("two-b")
    b.mta.drop(first.queue_id)


@case("RSET in mid-message: nothing of it is left in the next")
def _(b):
    import json
    before = json.loads(b.assayd.assay("status", "--json").stdout)["aborted"]
    with b.mta.client(ip="203.0.113.9", helo="mailer.example") as c:
        for i in range(5):
            c.envelope("gone%d@mailer.example" % i, "gone", "gone-too")
            c.must(250, "RSET")
        c.envelope("ben@shop.example", "rset")
        c.must(250, "RSET")
        c.must(250, "NOOP")
        reply = c.message("bounce@mailer.example", "rset",
                          mail("x", "ben@mailer.example", "rset"))
    equal(reply.code, 250, "reply")
    agree(b.assayd.journal(reply.queue_id), reply, nrcpt="1", spf="pass",
          sender="<bounce@mailer.example>", to="<rset@test.example>")
    b.mta.wait_delivered("rset")
    equal(b.mta.delivered_to("gone"), [])
    equal([j.line for j in b.assayd.journals() if "gone" in j["from"]], [])
    after = json.loads(b.assayd.assay("status", "--json").stdout)["aborted"]
    check(after >= before + 6, "aborted", before, after)


@case("a client that hangs up in DATA leaves no verdict and no message")
def _(b):
    mark = b.assayd.log.mark()
    for size in (0, 100, 200000):
        c = b.mta.client(ip="192.0.2.20")
        c.envelope("lost@shop.example", "lost")
        c.must(354, "DATA")
        c.send((mail("lost", to="lost") + b"x" * 70 * 10)[:size])
        c.send(b"y" * max(0, size - 1000))
        c.close()
    with b.mta.client(ip="192.0.2.20") as c:
        reply = c.message("ben@shop.example", "afterlost", mail())
    equal(reply.code, 250, "reply")
    b.assayd.journal(reply.queue_id)
    b.mta.wait_delivered("afterlost")
    equal([j.line for j in b.assayd.journals(mark) if "lost@" in j["from"]],
          [])
    equal(b.mta.delivered_to("lost"), [])


@case("a hundred messages in one connection, RSET and refusals between them")
def _(b):
    ids = {}
    with b.mta.client(ip="192.0.2.20", helo="mail.shop.example") as c:
        for i in range(100):
            if i % 10 == 3:
                c.envelope("gone@shop.example", "gone")
                c.must(250, "RSET")
            if i % 10 == 7:
                reply = c.message("test@shop.example", "gtube",
                                  demo("gtube.eml"))
                equal(reply.code, 550, "GTUBE")
            reply = c.message("n%d@shop.example" % i, "hundred", mail(
                "n%d" % i, to="hundred"))
            equal(reply.code, 250, "message %d" % i)
            ids[reply.queue_id] = i
    for queue_id, i in ids.items():
        equal(b.assayd.journal(queue_id)["from"], "<n%d@shop.example>" % i)
    found = b.mta.wait_delivered("hundred", len(ids))
    equal(sorted(m.one("Subject") for m in found),
          sorted("n%d" % i for i in ids.values()))


@case("a 20 MB message is delivered with every byte of its body")
def _(b):
    noise = random.Random(3)
    lines = [b"%08d " % i + bytes(noise.choices(
        b"abcdefghijklmnopqrstuvwxyz ABCDEF0123456789+/=.,\t\xe4\xf6\xfc",
        k=1000)) for i in range(256)]
    body = b"\n".join(lines[noise.randrange(256)][:noise.randrange(990)]
                      for _ in range(42000)) + b"\n"
    check(len(body) > 20_000_000, "only", len(body))
    with b.mta.client(ip="192.0.2.20") as c:
        reply = c.message("ben@shop.example", "big",
                          mail("big", to="big", body=body),
                          "SIZE=%d BODY=8BITMIME" % (len(body) + 1000))
    equal(reply.code, 250, "reply")
    journal = b.assayd.journal(reply.queue_id)
    message = b.mta.wait_delivered("big")
    equal(hashlib.sha256(message.body).hexdigest(),
          hashlib.sha256(body).hexdigest(), "digest of the body")
    agree(journal, reply, message, action="accept")
    size = int(journal["size"])
    full = len(body) + body.count(b"\n")
    check(full < size < full + 1000, "size", size, "of", full)
    b.mta.seen.clear()  # 20 MB are not kept for the rest of the run


@case("200 connections at once: each message is delivered once")
def _(b):
    gate = threading.Barrier(200)
    ids, lock = {}, threading.Lock()

    def one(i):
        with b.mta.client(ip="192.0.2.20",
                              helo="mail.shop.example") as c:
            c.envelope("c%d@shop.example" % i, "crowd")
            gate.wait(120)
            reply = c.data(mail("c%d" % i, to="crowd"))
        equal(reply.code, 250, "reply")
        with lock:
            ids[reply.queue_id] = i

    in_threads(200, one)
    equal(len(ids), 200)
    for queue_id, i in ids.items():
        equal(b.assayd.journal(queue_id)["from"], "<c%d@shop.example>" % i)
    found = b.mta.wait_delivered("crowd", 200)
    equal(sorted(m.one("Subject") for m in found),
          sorted("c%d" % i for i in range(200)))
    refs = {m.one("X-Assay-Ref") for m in found}
    equal(len(refs), 200, "refs")


@case("SMTPUTF8: addresses and header in UTF-8 come through, the log is ASCII")
def _(b):
    text = mail("gr\u00fc\u00dfe tag-me", "j\u00fcrgen@b\u00fccher.example",
                "utf8", message_id="utf8.1@shop.example")
    if not b.mta.reads_utf8:
        raise fixture.Skip("this %s has no SMTPUTF8" % b.mta.kind)
    with b.mta.client(ip="192.0.2.60", helo="mail.shop.example") as c:
        check("SMTPUTF8" in c.ehlo_lines, c.ehlo_lines)
        reply = c.message("j\u00fcrgen@b\u00fccher.example",
                          ["utf8", "j\u00f6rg@test.example"], text,
                          "BODY=8BITMIME SMTPUTF8")
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("utf8")
    journal = b.assayd.journal(reply.queue_id)
    equal(journal["from"], "<j%C3%BCrgen@b%C3%BCcher.example>")
    equal(journal["hfrom"], "xn--bcher-kva.example")
    equal(journal["nrcpt"], "2")
    results = message.one("Authentication-Results")
    check(results.isascii() and "header.from=xn--bcher-kva.example"
          in results, results)
    check("From: Ben Miller <j\u00fcrgen@b\u00fccher.example>".encode()
          in message.fields, "From changed")
    for field in message.fields:
        if field.startswith((b"X-Spam", b"X-Assay", b"Authentication")):
            check(field.isascii(), field)


@case("odd senders: <>, quoted, percent, pipe, long; the line still parses")
def _(b):
    senders = ["", '"odd, \\"name=x\\""@shop.example', "a%b@shop.example",
               "|sh@shop.example", "$(id)@shop.example",
               "x" * 200 + "@shop.example", '"a=b, c=d"@shop.example']
    with b.mta.client(ip="192.0.2.20") as c:
        replies = [c.message(s, "odd", mail(to="odd")) for s in senders]
    for sender, reply in zip(senders, replies):
        equal(reply.code, 250, sender)
        journal = b.assayd.journal(reply.queue_id)
        import urllib.parse
        shown = urllib.parse.unquote(journal["from"][1:-1])
        check(shown == sender or shown.replace('"', "").replace(
            "\\", "") == sender.replace('"', "").replace("\\", ""),
            "sender", sender, "shown as", shown)
    b.mta.wait_delivered("odd", len(senders))


@case("a client whose name is not known is shown as unknown[ip]")
def _(b):
    # (A client without an address cannot be played: Postfix then sends "4"
    # and "unknown", and libmilter hangs up on that.)
    with b.mta.client(ip="192.0.2.20", name="[UNAVAILABLE]") as c:
        reply = c.message("ben@shop.example", "nameless", mail("tag-me"))
    equal(reply.code, 250, "reply")
    agree(b.assayd.journal(reply.queue_id), reply, action="tag",
          client=b.mta.shown("unknown", "192.0.2.20"), spf="pass")
    b.mta.wait_delivered("nameless")


@case("1,000 recipients: one line, the first and their number in it")
def _(b):
    users = ["r%d" % i for i in range(1000)]
    with b.mta.client(ip="192.0.2.20") as c:
        c.must(250, "MAIL FROM:<ben@shop.example>")
        c.send(b"".join(b"RCPT TO:<%s@test.example>\r\n" % u.encode()
                        for u in users))
        for _ in users:
            equal(c.reply().code, 250, "RCPT")
        reply = c.data(mail("tag-me hold-me weigh-me", to="crowd"))
    equal(reply.code, 550, "reply")
    line, = b.assayd.log.wait("ref=%s," % reply.ref)
    agree(Journal(line), reply, to="<r0@test.example>", nrcpt="1000")


@case("an authenticated submission is outgoing: nothing tagged, no results")
def _(b):
    text = mail("tag-me hold-me", to="submitted",
                extra="X-Spam-Flag: theirs\n")
    with b.mta.passwords() as password, b.mta.client(
            "submission", ip="198.51.100.77", helo="laptop.example") as c:
        c.auth_plain("ben", password)
        reply = c.message("ben@shop.example", "submitted", text)
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("submitted")
    equal(message.one("Subject"), "tag-me hold-me")
    equal(message.one("X-Spam-Flag"), "theirs")
    own = [n for n in message.names() if n.lower().startswith(
        ("x-spam-", "authentication-results", "x-assay-would"))]
    equal(own, ["X-Spam-Flag"])
    journal = b.assayd.journal(reply.queue_id)
    agree(journal, reply, action="accept", dir="out", auth="ben", spf="-",
          dmarc="-", client=b.mta.shown("laptop.example", "198.51.100.77"))
    equal(message.one("X-Assay-Ref"), journal["ref"])


@case("mail of an internal client is outgoing, even GTUBE")
def _(b):
    with b.mta.client(xclient=False) as c:
        reply = c.message("cron@test.example", "internal", mail(
            "tag-me", to="internal", body=fixture.GTUBE + b"\n"))
    equal(reply.code, 250, "reply")
    agree(b.assayd.journal(reply.queue_id), reply, dir="out",
          action="accept")
    message = b.mta.wait_delivered("internal")
    equal(message.all("X-Spam-Flag"), [])
    equal(message.one("Subject"), "tag-me")


# --- reload ------------------------------------------------------------------

@case("100 SIGHUPs under 50 sessions: no message lost, none delivered twice")
def _(b):
    done = threading.Event()
    sent, lock = {}, threading.Lock()
    started = threading.Barrier(51)

    def one(i):
        n = 0
        with b.mta.client(ip="192.0.2.20",
                              helo="mail.shop.example") as c:
            started.wait(120)
            while n < 3 or (n < 40 and not done.is_set()):
                name = "s%d.%d" % (i, n)
                reply = c.message("hup@shop.example", "hup", mail(
                    name + " tag-me", to="hup"))
                equal(reply.code, 250, "reply")
                with lock:
                    sent[reply.queue_id] = name
                n += 1

    failures = []

    def all_sessions():
        try:
            in_threads(50, one)
        except Exception as failure:
            failures.append(failure)

    sessions = threading.Thread(target=all_sessions, daemon=True)
    sessions.start()
    started.wait(120)
    try:
        for _ in range(100):
            mark = b.assayd.log.mark()
            b.assayd.hangup()
            b.assayd.log.wait(r"^reload: done", mark)
    finally:
        done.set()
        sessions.join(150)
    check(not failures, failures)
    check(b.assayd.process.poll() is None, "assayd ended")
    for queue_id in sent:
        b.assayd.journal(queue_id)
    found = b.mta.wait_delivered("hup", len(sent), 120)
    equal(sorted(m.one("Subject") for m in found),
          sorted("[SPAM] %s tag-me" % name for name in sent.values()))
    lines = [j.queue_id for j in b.assayd.journals()]
    for queue_id in sent:
        equal(lines.count(queue_id), 1, "lines of " + queue_id)
    b.mta.seen.clear()


@case("assay reload: new thresholds act in a connection that is open")
def _(b):
    with b.mta.client(ip="192.0.2.20", helo="mail.shop.example") as c:
        first = c.message("ben@shop.example", "before", mail(
            "tag-me", to="before"))
        try:
            b.assayd.configure(b.conf.replace("tag = 5", "tag = 9"))
            done = b.assayd.assay("reload")
            equal((done.returncode, done.stdout), (0, b"reloaded\n"),
                  done.stderr)
            second = c.message("ben@shop.example", "after", mail(
                "tag-me", to="after"))
        finally:
            b.assayd.configure(b.conf)
            equal(b.assayd.assay("reload").returncode, 0)
    equal(b.assayd.journal(first.queue_id)["action"], "tag")
    equal(b.assayd.journal(second.queue_id)["action"], "accept")
    equal(b.mta.wait_delivered("before").all("X-Spam-Flag"), ["YES"])
    equal(b.mta.wait_delivered("after").all("X-Spam-Flag"), [])


@case("assay reload: errors are told with their place, the old stays in force")
def _(b):
    try:
        b.assayd.configure(b.conf + "\nmilter { nonsense = 1 }\n"
                           "policy default2 { tga = 3 }\n")
        done = b.assayd.assay("reload")
        text = (done.stdout + done.stderr).decode()
        check(done.returncode != 0, "reload succeeded:", text)
        check(re.search(r"assay\.conf:\d+:\d+: .*nonsense", text), text)
        check(re.search(r"assay\.conf:\d+:\d+: .*tga", text), text)
        with b.mta.client(ip="192.0.2.20") as c:
            reply = c.message("ben@shop.example", "stays", mail("tag-me"))
        equal(b.assayd.journal(reply.queue_id)["action"], "tag")
    finally:
        b.assayd.configure(b.conf)
    equal(b.assayd.assay("reload").returncode, 0)
    try:
        b.assayd.configure(b.conf + "\nlimits { sessions = 77 }\n")
        done = b.assayd.assay("reload")
        equal(done.returncode, 0, done.stderr)
        check(b"limits.sessions" in done.stdout, done.stdout)
    finally:
        b.assayd.configure(b.conf)
    equal(b.assayd.assay("reload").returncode, 0)


@case("assay status counts what was done")
def _(b):
    import json

    def status():
        done = b.assayd.assay("status", "--json")
        equal(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    before = status()
    equal((before["pid"], before["mode"]), (b.assayd.process.pid, "enforce"))
    with b.mta.client(ip="192.0.2.20") as c:
        c.message("ben@shop.example", "status", mail("tag-me"))
        c.message("ben@shop.example", "status", demo("gtube.eml"))
        inside = status()
        check(inside["sessions"]["now"] >= 1, inside["sessions"])
    after = status()
    for action in ("tag", "reject"):
        equal(after["messages"]["in"][action],
              before["messages"]["in"][action] + 1, action)
    check(after["reloads"] >= 100 or CHOSEN, "reloads", after["reloads"])
    equal(after["unedited"], 0, "edits that the MTA did not take")
    text = b.assayd.assay("status").stdout.decode()
    check(re.search(r"^pid\s+%d$" % b.assayd.process.pid, text, re.M), text)


# --- sockets -----------------------------------------------------------------

def connect_as(user, path):
    """errno of a connect by another user, 0 when it succeeds."""
    import pwd
    owner = pwd.getpwnam(user)
    pid = os.fork()
    if pid == 0:
        status = 255
        try:
            os.setgroups([])
            os.setgid(owner.pw_gid)
            os.setuid(owner.pw_uid)
            with socket.socket(socket.AF_UNIX) as s:
                status = s.connect_ex(path)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def open_to_all(path):
    """Whether any user may go down to a folder: not so below /root."""
    while path != "/":
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
        path = os.path.dirname(path)
    return True


@case("unix: socket with mode and group serves {mta} and refuses others")
def _(b):
    import errno
    path = b.socket
    os.chown(os.path.dirname(path), 1, -1)  # it is removed at the end
    b.scratch.folder("unix", "state")
    for name in ("unix", "unix/state"):
        os.chown(os.path.join(b.scratch.path, name), 1, 1)
    daemon = b.daemon("unix", path=path, user="daemon",
                      options=["milter.socket_mode=0660",
                               "milter.socket_group=" + b.mta.group])
    about = os.stat(path)
    check(stat.S_ISSOCK(about.st_mode), "no socket")
    equal(stat.S_IMODE(about.st_mode), 0o660, "mode")
    equal(about.st_uid, 1, "owner")
    equal(about.st_gid, fixture.group_id(b.mta.group), "group")
    equal(connect_as("nobody", path), errno.EACCES, "connect as nobody")
    equal(connect_as(b.mta.user, path), 0, "connect as the MTA")
    with b.mta.client("unix", ip="192.0.2.20") as c:
        reply = c.message("ben@shop.example", "unix", mail("tag-me"))
        equal(reply.code, 250, "reply")
        agree(daemon.journal(reply.queue_id), reply, action="tag")
        # The control socket is open to all and judges by who asks.
        if open_to_all(fixture.BUILD):
            done = daemon.assay("reload", user="nobody")
            check(done.returncode != 0 and b"not allowed" in done.stderr,
                  "reload as nobody", done)
        equal(daemon.assay("reload").returncode, 0)
        # As another user than root it must still be able to reload.
        mark = daemon.log.mark()
        daemon.hangup()
        daemon.log.wait(r"^reload: done", mark)
        reply = c.message("ben@shop.example", "unix", mail("tag-me"))
        agree(daemon.journal(reply.queue_id), reply, action="tag")
    fixture.stopped_clean(TAP, daemon)
    check(not os.path.exists(path), "socket left behind")


@case("garbage, silence and half packets on the milter socket harm no one")
def _(b):
    noise = random.Random(60)
    held = []
    for i in range(40):
        s = fixture.connect(b.assayd.address, 30)
        if i % 4 == 0:
            s.sendall(bytes(noise.randrange(256) for _ in range(500)))
        elif i % 4 == 1:
            s.sendall(struct.pack("!I", 0x7fffffff) + b"O" * 100)
        elif i % 4 == 2:
            # Not held: a worker of libmilter waits for the rest, and where
            # all do, a new session waits for the next event.
            s.sendall(struct.pack("!I", 13) + b"O\0\0")
            s.close()
        held.append(s)
    with b.mta.client(ip="192.0.2.20") as c:
        reply = c.message("ben@shop.example", "noise", mail("tag-me"))
    for s in held:
        s.close()
    equal(reply.code, 250, "reply")
    agree(b.assayd.journal(reply.queue_id), reply, action="tag")
    check(b.assayd.process.poll() is None, "assayd ended")


@case("overload: past limits.sessions the client gets 421, then all is well")
def _(b):
    daemon = b.daemon("small", options=["limits.sessions=2"])

    def answer():
        """What a client gets, from the greeting on. (At this stage Postfix
        says 421 in words of its own.)"""
        try:
            with b.mta.client("small", ip="192.0.2.20") as c:
                return repr(c.message("ben@shop.example", "room", mail()))
        except (AssertionError, fixture.HungUp) as refused:
            return str(refused)

    # XCLIENT would begin a second session before the first has ended.
    with b.mta.client("small", xclient=False) as one, \
            b.mta.client("small", xclient=False) as two:
        equal(one.message("ben@shop.example", "full", mail()).code, 250)
        equal(two.message("ben@shop.example", "full", mail()).code, 250)
        text = answer()
        check("421 " in text, text)
        equal(one.message("ben@shop.example", "full", mail()).code, 250)
    daemon.log.wait(r"degraded=sessions")
    wait_for(lambda: answer().startswith("250"), "room again")
    fixture.stopped_clean(TAP, daemon)


@case("SIGTERM with sessions open: {mta} defers, nothing is lost")
def _(b):
    daemon = b.daemon("ending")
    with b.mta.client("ending", ip="192.0.2.20") as c:
        c.envelope("ben@shop.example", "ending")
        fixture.stopped_clean(TAP, daemon)
        reply = c.data(mail())
        check(400 <= reply.code < 500, reply)
    equal(b.mta.delivered_to("ending"), [])


@case("without assayd the client gets 4xx, with it back the mail goes")
def _(b):
    with b.mta.client("absent", ip="192.0.2.20") as c:
        reply = c.command("MAIL FROM:<ben@shop.example>")
        if reply.code == 250:
            reply = c.command("RCPT TO:<absent@test.example>")
    check(400 <= reply.code < 500, reply)
    for n in (1, 2):
        daemon = b.daemon("absent")
        with b.mta.client("absent", ip="192.0.2.20") as c:
            equal(c.message("ben@shop.example", "absent",
                            mail("tag-me %d" % n)).code, 250)
        b.mta.wait_delivered("absent", n)
        fixture.stopped_clean(TAP, daemon)


@case("policy.split=defer: recipients of another policy come again")
def _(b):
    daemon = b.daemon("splitting", b.conf + """
policy { split = defer }
policy "others" { recipients = { other@test.example } tag = 20 reject = off }
""")
    with b.mta.client("splitting", ip="192.0.2.20") as c:
        c.envelope("ben@shop.example", "split", "split-too")
        refused = c.command("RCPT TO:<other@test.example>")
        equal((refused.code, refused.status), (452, "4.5.3"), "reply")
        first = c.data(mail("tag-me", to="split"))
        second = c.message("ben@shop.example", "other",
                           mail("tag-me", to="other"))
    equal((first.code, second.code), (250, 250), "replies")
    agree(daemon.journal(first.queue_id), first, action="tag", nrcpt="2")
    agree(daemon.journal(second.queue_id), second, action="accept",
          nrcpt="1")
    equal(b.mta.wait_delivered("split").all("X-Spam-Flag"), ["YES"])
    b.mta.wait_delivered("split-too")
    equal(b.mta.wait_delivered("other").all("X-Spam-Flag"), [])
    fixture.stopped_clean(TAP, daemon)


# --- the log -----------------------------------------------------------------

@case("every message has one line, and every line parses")
def _(b):
    journals = b.assayd.journals()
    ids = [j.queue_id for j in journals if j.queue_id != "NOQUEUE"]
    equal(len(ids), len(set(ids)), "lines of one queue id")
    refs = [j["ref"] for j in journals]
    equal(len(refs), len(set(refs)), "refs")
    check(len(journals) >= 1, "no lines")
    # All other lines are of the operator's kind.
    for line in b.assayd.log.since():
        if "ref=" in line and not Journal.BEGIN.match(line):
            check(line.startswith(("warning: ", "error: ")), line)


@case("the queue is empty, nothing was bounced or sent twice")
def _(b):
    b.mta.wait_empty()
    equal(b.mta.complaints(), [])


TAP = Tap()
CHOSEN = sys.argv[1:]


def main(make_mta, why):
    """All cases, or those that the command line names; `why` there can be
    no such MTA here, or None."""
    cases = [(claim.replace("{mta}", make_mta.kind), function)
             for claim, function in CASES]
    if why:
        for claim, _ in cases:
            TAP.skip(claim, why)
        return TAP.done()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with Scratch("mta") as scratch:
        bench = Bench(scratch, make_mta)
        for claim, function in cases:
            if not CHOSEN or any(word in claim for word in CHOSEN):
                TAP.run(claim, function, bench)
        bench.mta.stop()
        fixture.stopped_clean(TAP, bench.assayd)
    return TAP.done()
