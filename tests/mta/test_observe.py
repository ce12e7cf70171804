#!/usr/bin/python3
"""Observe is passive: 200 messages go through an MTA with assayd in observe
mode, and the same bytes through an identical MTA without a milter. What
is delivered must be equal, byte for byte, but for the two X-Assay fields and
what the MTA itself makes anew for each message (queue id, times, ports).
"""

import base64
import collections
import os
import random
import re
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import fixture  # noqa: E402
import sendmail  # noqa: E402
from fixture import (  # noqa: E402
    Assayd, Postfix, Scratch, Tap, check, crlf, equal, in_threads, mail)
from sendmail import Sendmail  # noqa: E402

DEMO = os.path.join(fixture.SOURCE, "conf", "demo")
DATA = os.path.join(fixture.SOURCE, "tests", "data")
MESSAGES = 200
SESSIONS = 4

ZONE = """
dead.example TIMEOUT
_dmarc.dead.example TIMEOUT
broken.example SERVFAIL
_dmarc.broken.example SERVFAIL
"""

# Everything that enforce would do is switched on.
CONF = """
auth { dmarc = reject }
rules { path = { %s } }
dns { timeout = 1s }
policy { on_failure = { dns:tempfail, memory:tempfail } split = defer }
policy default {
	mode = observe
	tag = 1
	quarantine = 4
	reject = 15
	subject_mark = "[SPAM]"
}
policy "others" { recipients = { second@test.example } tag = 2 }
"""

RULES = r"""
body GTUBE /XJS\*C4JDBQADN1\.NSBN3\*2IDNEN\*GTUBE-STANDARD-ANTI-UBE/
score GTUBE 1000
header T_HOLD Subject =~ /hold-me/
score T_HOLD 7
header T_TAG Subject =~ /tag-me/
score T_TAG 2
"""

CLAIMS = (
    "the messages get the same SMTP reply with and without assayd",
    "what is delivered is equal byte for byte but for two X-Assay fields",
    "each has one X-Assay-Ref and one X-Assay-Would, as the log says",
    "the log says of each what enforce would have done",
    "each message is delivered once, nothing is held or deferred",
    "the same messages by an internal client: nothing but X-Assay-Ref",
)


class Message:
    def __init__(self, data, sender="ben@shop.example", ip="192.0.2.20",
                 helo="mail.shop.example", would=None, parameters="",
                 users=()):
        self.data, self.sender, self.ip = data, sender, ip
        self.helo, self.would, self.users = helo, would, users
        self.parameters = parameters


# --- the messages ------------------------------------------------------------

def demo(name):
    with open(os.path.join(DEMO, name), "rb") as f:
        return crlf(f.read())


def known_verdicts():
    """What enforce would refuse, hold, defer or tag."""
    gtube = demo("gtube.eml")
    forged = demo("forged.eml")
    yield Message(gtube, would="reject")
    yield Message(mail("gtube", body=b"x\n" * 3000 + fixture.GTUBE + b"\n"),
                  would="reject")
    yield Message(forged, "bounce@mailer.example", "203.0.113.9",
                  "mailer.example", would="reject")
    yield Message(forged, "", "203.0.113.9", "mailer.example",
                  would="reject")
    yield Message(forged.replace(b"Subject:", b"List-Id: <l.example>\r\n"
                                 b"Subject:"), "bounce@mailer.example",
                  "203.0.113.9", "mailer.example")
    yield Message(demo("genuine.eml"), "service@bank.example", "192.0.2.10",
                  "mail.bank.example", would="accept")
    yield Message(demo("plain.eml"), would="accept")
    yield Message(mail("hold-me"), would="quarantine")
    yield Message(mail("tag-me"), would="tag")
    yield Message(mail("tag-me"), users=("second", "third"))
    with open(os.path.join(DATA, "mta-signed-simple.eml"), "rb") as f:
        yield Message(crlf(f.read()), "sender@signed.example", "192.0.2.30",
                      "mail.signed.example")
    for i in range(10):
        name = ("dead", "broken")[i % 2]
        yield Message(mail("dns", "ann@%s.example" % name),
                      "ann@%s.example" % name, "192.0.2.40",
                      "mail.dead.example", would="tempfail")


def headers():
    """Fields as they are found in the wild, and worse."""
    body = b"\nbody\n"
    base = (b"Date: Tue, 24 Nov 2026 09:31:00 +0000\n"
            b"From: Ben <ben@shop.example>\nMessage-ID: <h@shop.example>\n")
    odd = [
        b"Subject: folded\n once\n\ttwice\n   thrice \n",
        b"Subject:\n  on the second line\n",
        b"Subject:no blank\n", b"Subject:  two blanks\n",
        b"Subject:\ttab\n", b"Subject: \n", b"Subject:\n",
        b"Subject: trailing blanks   \n", b"Subject : blank before\n",
        b"X-Long: " + b"y" * 3000 + b"\n",
        b"X-Long: " + b"word " * 2000 + b"\n",
        b"X-Folds:" + b"\n fold" * 400 + b"\n",
        b"Subject: gr\xfc\xdfe in latin-1\n",
        "Subject: gr\u00fc\u00dfe in utf-8\n".encode(),
        b"Subject: =?utf-8?q?encoded?= =?utf-8?b?d29yZA==?=\n",
        b"Subject: \x01\x02\x7f controls\n",
        b"Subject: a\x0bb\x0cc\n",
        b"X-Spam-Flag: YES\nX-Spam-Status: No, score=-100\n",
        b"X-SPAM-LEVEL: ****\nX-Spam-Level:\n ***\n",
        b"Authentication-Results: mx.test.example; spf=pass\n",
        b"Authentication-Results:\n mx.test.example (c) 1;\n\tdkim=fail\n",
        b"Authentication-Results: other.example; none\n",
        b"X-Assay-Other: kept\n",
        b"X-Assay-Ref: 0000-0000-0000\n",
        b"X-Assay-Would: accept; score=-1\nx-assay-would:\n folded\n copy\n",
        b"X-ASSAY-REF: a\nX-Keep: 1\nX-Assay-Ref:\n b\nX-Keep: 2\n",
        b"Subject: one\nSubject: two\nSubject: three\n",
        b"From: Other <other@elsewhere.example>\n",
        b"Reply-To: x@y.example\nSender: s@shop.example\nBcc: hidden@x\n",
        b"Resent-From: r@shop.example\nResent-To: q@shop.example\n",
        b"Received: from a (a [198.51.100.1])\n\tby b with SMTP; "
        b"Tue, 24 Nov 2026 09:00:00 +0000\n" * 12,
        b"Return-Path: <forged@shop.example>\n",
        b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n",
        b"X:\n", b"X-1: \t \n", b"x-case: AbC\nX-CASE: aBc\n",
        b"X-Many: z\n" * 500,
        b"To: undisclosed-recipients:;\n",
        b"Subject: %s %n %d \\0 \"quoted\" 'single' $(id) `id`\n",
        b"DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=x; b=; bh=\n",
    ]
    for field in odd:
        yield Message(crlf(base + field + body))
    yield Message(crlf(base + b"this line has no colon\nX-After: 1\n" + body))
    yield Message(crlf(b"no header at all\n\nbody\n"))
    yield Message(crlf(b"\nbody without a header\n"))
    yield Message(crlf(b" starts with a blank\n" + base + body))
    yield Message(crlf(base))
    yield Message(crlf(b"From: Ben <ben@shop.example>\n" + body))
    yield Message(crlf(b"Subject: no From, no Date\n" + body))


def bodies():
    """Bodies whose bytes are easily changed by accident."""
    noise = random.Random(7)
    any_byte = bytes(i for i in range(1, 256) if i not in (10, 13))
    base = mail("body").split(b"\r\n\r\n")[0] + b"\r\n\r\n"
    odd = [
        b"", b"\r\n", b"\r\n\r\n\r\n", b"no final newline",
        b"trailing blanks  \r\n\t\r\n \r\n",
        b"dots\r\n.\r\n..\r\n...\r\n.x\r\n",
        b"From me\r\n>From you\r\nFrom: them\r\n",
        b"x" * 998 + b"\r\n", b"x" * 2049 + b"\r\n", b"x" * 70000 + b"\r\n",
        b"a" * 65535 + b"\r\n", b"b" * 65534 + b"\r\n" + b"c" * 3 + b"\r\n",
        ("\u00fc" * 40000).encode() + b"\r\n",
        b"8 bit: \xe4\xf6\xfc \xff\xfe \x80\r\n", any_byte + b"\r\n",
        b"bare CR: a\rb\rc\r\n", b"CR CR LF: a\r\r\nb\r\r\r\n",
        b"bare LF: a\nb\n\nc\n", b"mixed: a\nb\r\nc\rd\r\n",
        b"ends in CR\r", b"tabs\t\tand\x0bVT\x0cFF\x1bESC\x1aSUB\r\n",
        b"=3D=\r\n=20\r\nlooks like QP=\r\n",
        b"begin 644 x\r\n#86)C\r\n`\r\nend\r\n",
        b"\xef\xbb\xbfBOM\r\n", b"--\r\n-- \r\n--x--\r\n",
        b"line\r\n" * 20000,
        base64.encodebytes(bytes(noise.randrange(256) for _ in range(
            60000))).replace(b"\n", b"\r\n"),
    ]
    for body in odd:
        yield Message(base + body, parameters="BODY=8BITMIME")


def structures():
    """MIME, whole and broken."""
    def mime(content_type, body, extra=b""):
        return crlf(b"From: Ben <ben@shop.example>\nDate: Tue, 24 Nov 2026"
                    b" 09:31:00 +0000\nMessage-ID: <m@shop.example>\n"
                    b"MIME-Version: 1.0\n" + extra + b"Content-Type: " +
                    content_type + b"\n\n" + body)

    part = b"--b\nContent-Type: text/plain\n\ntext\n"
    html = (b"--b\nContent-Type: text/html; charset=utf-8\n"
            b"Content-Transfer-Encoding: quoted-printable\n\n<p style=3D\"x"
            b"\">h<a href=3D\"http://shop.example/\">link</a>=\n</p>\n")
    file = (b"--b\nContent-Type: application/octet-stream;\n name=\"a.pdf.exe"
            b"\"\nContent-Transfer-Encoding: base64\n\nTVqQ\n AAM=\n=\n")
    multi = b"multipart/mixed; boundary=b"
    for content_type, body in (
            (multi, b"preamble\n" + part + html + file + b"--b--\nepilogue\n"),
            (multi, part + part), (multi, part + b"--b--"),
            (multi, b"no part at all\n"), (multi, b""),
            (b"multipart/mixed", part + b"--b--\n"),
            (b"multipart/alternative;\n\tboundary=\"b\"", part + html +
             b"--b--\n"),
            (b"text/html", b"<html><body>unclosed <b>tag"),
            (b"text/plain; charset=iso-8859-1", b"\xe4\xf6\n"),
            (b"text/plain; charset=nonsense", b"x\n"),
            (b"message/rfc822", b"Subject: inner\n\ninner\n"),
            (b"message/partial; id=1; number=1; total=2", b"x\n"),
            (b"", b"empty type\n"), (b";;;", b"broken type\n")):
        yield Message(mime(content_type, body))
    deep = b""
    for i in range(60):
        deep += b"--d%d\nContent-Type: multipart/mixed; boundary=d%d\n\n" % (
            i, i + 1)
    yield Message(mime(b"multipart/mixed; boundary=d0", deep))
    yield Message(mime(multi, b"--b\n\n" * 5000 + b"--b--\n"))
    yield Message(mime(multi, part + b"--b--\n",
                       b"Content-Transfer-Encoding: base64\n"))


def envelopes():
    for sender in ("", "a%b!c@shop.example", '"q q"@shop.example',
                   "x" * 60 + "@" + "y" * 60 + ".example", "postmaster"):
        yield Message(mail("envelope"), sender)
    yield Message(mail("gr\u00fc\u00dfe", "j\u00fcrgen@b\u00fccher.example"),
                  "j\u00fcrgen@b\u00fccher.example",
                  parameters="BODY=8BITMIME SMTPUTF8")
    yield Message(mail("many"), users=tuple("u%d" % i for i in range(50)))


def noise_of(seed):
    """A random message: any bytes but NUL, lines of any length."""
    noise = random.Random(seed)
    fields = [b"From: Ben <ben%d@shop.example>" % seed,
              b"Date: Tue, 24 Nov 2026 09:31:00 +0000",
              b"Message-ID: <noise%d@shop.example>" % seed]
    for i in range(noise.randrange(1, 30)):
        value = bytes(noise.choices(range(32, 256), k=noise.randrange(120)))
        if noise.random() < 0.3:
            value += b"\r\n\t" + bytes(noise.choices(range(33, 127), k=20))
        fields.append(b"X-N%d:%s%s" % (i, noise.choice((b"", b" ", b"\t")),
                                       value))
    noise.shuffle(fields)
    lines = [bytes(noise.choices(range(1, 256), k=noise.choice(
        (0, 1, 5, 60, 60, 60, 900, 3000)))) for _ in range(
            noise.randrange(60))]
    body = b"\r\n".join(re.sub(rb"[\r\n]", b"?", line) for line in lines)
    return Message(b"\r\n".join(fields) + b"\r\n\r\n" + body,
                   parameters="BODY=8BITMIME")


def all_messages(make_mta):
    messages = [m for make in (known_verdicts, headers, bodies, structures,
                               envelopes) for m in make()]
    messages += [noise_of(i) for i in range(MESSAGES - len(messages))]
    equal(len(messages), MESSAGES, "messages")
    if not make_mta.reads_utf8:
        # Sendmail refuses a CR or LF by itself as well.
        messages = [m for m in messages if "SMTPUTF8" not in m.parameters and
                    not re.search(rb"\r(?!\n)|(?<!\r)\n", m.data)]
    return messages


# --- sending -----------------------------------------------------------------

def send_all(postfix, messages, internal=False):
    """Replies by number. Message n goes to n@test.example, and to those
    users that it names besides."""
    replies = {}

    def some(which):
        for n in range(which, len(messages), SESSIONS):
            m = messages[n]
            with postfix.client(ip=m.ip, helo=m.helo,
                                xclient=not internal) as c:
                replies[n] = c.message(m.sender, ["m%d" % n] + list(m.users),
                                       m.data, m.parameters)

    in_threads(SESSIONS, some)
    return replies


# --- comparing ---------------------------------------------------------------

OWN = re.compile(rb"(?im)^X-Assay-(?:Ref|Would)[ \t]*:[^\n]*\n"
                 rb"(?:[ \t][^\n]*\n)*")


MADE_ID = re.compile(rb"(?m)^((?:Resent-)?Message-Id: <)\d{12,14}\.QUEUE-ID@")
MADE_DATE = re.compile(rb"(?m)^((?:Resent-)?Date: )\w{3}, .*$")


def normal(delivered, queue_id, sent):
    """The bytes without our two fields, wherever they come from, and without
    queue id and times of this Postfix: in its own Received, and in the
    Message-Id and Date that it makes where there are none."""
    head, mark, body = delivered.data.partition(b"\n\n")
    head = OWN.sub(b"", head + b"\n")
    top = re.search(rb"(?m)^Received: [^\n]*\n(?:[ \t][^\n]*\n)*", head)
    check(top, "no Received in", head)
    received = re.sub(rb";\s+\w{3}, [^;]*\n\Z", b"; TIME\n", top.group(0))
    head = head[:top.start()] + received + head[top.end():]
    head = head.replace(queue_id.encode(), b"QUEUE-ID")
    head = MADE_ID.sub(rb"\1TIME.QUEUE-ID@", head)
    head = MADE_DATE.sub(lambda made: made.group(0) if made.group(0) in sent
                         else made.group(1) + b"TIME", head)
    return head + mark + body


def difference(a, b):
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y),
              min(len(a), len(b)))
    return "sizes %d, %d, first difference at %d:\n%r\n%r" % (
        len(a), len(b), at, a[max(0, at - 60):at + 100],
        b[max(0, at - 60):at + 100])


class Observed:
    """The two MTAs, and what came out of them."""

    def __init__(self, scratch, make_mta):
        with open(os.path.join(DEMO, "zone")) as f:
            zone = f.read()
        with open(os.path.join(DATA, "mta-signed.zone")) as f:
            zone += f.read()
        rules = fixture.rules_with(scratch, "test.cf", RULES)
        self.assayd = Assayd(
            scratch, "observe", CONF % ", ".join(
                '"%s"' % path for path in rules.split(",")),
            scratch.write("zone", make_mta.zone(zone + ZONE)),
            make_mta.assayd_options,
            path=os.path.join(scratch.folder("sock"), "m")
            if make_mta.wants_path else None)
        self.watched = make_mta(scratch, "watched", self.assayd.address,
                                sessions=20)
        self.plain = make_mta(scratch, "plain", sessions=20)
        self.messages = all_messages(make_mta)

    def send(self):
        self.replies = [send_all(p, self.messages)
                        for p in (self.watched, self.plain)]
        bad = ["%d: %r, %r" % (n, a, b) for n, a, b in (
            (n, self.replies[0][n], self.replies[1][n])
            for n in range(len(self.messages)))
            if a.code != 250 or b.code != 250 or a.text.replace(
                a.queue_id, "ID") != b.text.replace(b.queue_id, "ID")]
        check(not bad, "replies: " + "; ".join(bad[:5]))

    def compare(self):
        bad = []
        mail_of = [self.by_user(p) for p in (self.watched, self.plain)]
        for n, m in enumerate(self.messages):
            for user in ("m%d" % n,) + m.users:
                both = [[d for d in by_user[user] if n == self.number_of(
                    d, which)] for which, by_user in enumerate(mail_of)]
                if [len(x) for x in both] != [1, 1]:
                    bad.append("%d for %s: delivered %r" % (
                        n, user, [len(x) for x in both]))
                    continue
                texts = [normal(x[0], self.replies[i][n].queue_id, m.data)
                         for i, x in enumerate(both)]
                if texts[0] != texts[1]:
                    bad.append("%d for %s: %s" % (n, user,
                                                  difference(*texts)))
        check(not bad, "%d differ:\n%s" % (len(bad), "\n".join(bad[:6])))

    def by_user(self, postfix):
        postfix.wait_empty()
        found = collections.defaultdict(list)
        for d in postfix.mail():
            found[d.all("X-Original-To")[0].split("@")[0]].append(d)
        return found

    def number_of(self, delivered, which):
        """Which message it is: its queue id stands in Postfix's Received."""
        ids = {r.queue_id: n for n, r in self.replies[which].items()}
        found = re.search(r"\bid (\w+)", delivered.all("Received")[0])
        return ids.get(found.group(1))

    def own_fields(self):
        bad = []
        for user, found in self.by_user(self.watched).items():
            for d in found:
                n = self.number_of(d, 0)
                journal = self.assayd.journal(self.replies[0][n].queue_id)
                want = "%s; score=%s; by=%s" % (
                    journal.would, journal["score"].split("/")[0],
                    journal["by"])
                if (d.all("X-Assay-Ref") != [journal["ref"]] or
                        d.all("X-Assay-Would") != [want]):
                    bad.append("%s: %r %r, log: %s" % (
                        user, d.all("X-Assay-Ref"), d.all("X-Assay-Would"),
                        journal.line))
                for name in ("X-Spam-Flag", "X-Spam-Score"):
                    sent = self.messages[n].data.count(
                        b"\n" + name.encode() + b":")
                    if len(d.all(name)) != sent:
                        bad.append("%s: %s added" % (user, name))
        check(not bad, "\n".join(bad[:6]))

    def verdicts(self):
        seen = collections.Counter()
        for n, m in enumerate(self.messages):
            journal = self.assayd.journal(self.replies[0][n].queue_id)
            equal(journal["action"], "accept", journal.line)
            if m.would:
                equal(journal.would, m.would, journal.line)
            seen[journal.would] += 1
        equal(set(seen), {"accept", "tag", "quarantine", "reject",
                          "tempfail"}, "what enforce would have done")
        equal(len(self.assayd.journals()), len(self.messages), "lines")

    def once(self):
        for postfix in (self.watched, self.plain):
            postfix.wait_empty()
            want = sum(1 + len(m.users) for m in self.messages)
            equal(len(postfix.mail()), want, "delivered")
            equal(postfix.complaints(), [])

    def internal(self):
        """Outgoing mail, without Date and Message-ID among them, in observe
        as well."""
        some = [m for m in self.messages if "SMTPUTF8" not in m.parameters
                ][:60]
        before = [len(p.mail()) for p in (self.watched, self.plain)]
        replies = [send_all(p, some, internal=True)
                   for p in (self.watched, self.plain)]
        texts = []
        for which, postfix in enumerate((self.watched, self.plain)):
            postfix.wait_empty()
            ids = {r.queue_id: n for n, r in replies[which].items()}
            found = {}
            for d in postfix.mail()[before[which]:]:
                queue_id = re.search(r"\bid (\w+)",
                                     d.all("Received")[0]).group(1)
                key = ids[queue_id], d.all("X-Original-To")[0]
                check(key not in found, "twice", key)
                if which == 0:
                    equal(len(d.all("X-Assay-Ref")), 1, "X-Assay-Ref")
                    equal(d.all("X-Assay-Would"), [], "X-Assay-Would")
                found[key] = normal(d, queue_id, some[key[0]].data)
            texts.append(found)
        equal(sorted(texts[0]), sorted(texts[1]), "delivered")
        bad = ["%r: %s" % (key, difference(texts[0][key], texts[1][key]))
               for key in texts[0] if texts[0][key] != texts[1][key]]
        check(not bad, "%d differ:\n%s" % (len(bad), "\n".join(bad[:6])))


TAP = Tap()


def run(make_mta):
    with Scratch("observe") as scratch:
        o = Observed(scratch, make_mta)
        for claim, function in zip(CLAIMS, (
                o.send, o.compare, o.own_fields, o.verdicts, o.once,
                o.internal)):
            if not TAP.run("%s: %s" % (make_mta.kind, claim),
                           function) and function == o.send:
                break
        o.watched.stop()
        o.plain.stop()
        fixture.stopped_clean(TAP, o.assayd)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for make_mta, why in ((Postfix, fixture.missing()),
                          (Sendmail, sendmail.missing())):
        if why:
            for claim in CLAIMS:
                TAP.skip("%s: %s" % (make_mta.kind, claim), why)
        else:
            run(make_mta)
    return TAP.done()


if __name__ == "__main__":
    sys.exit(main())
