#!/usr/bin/python3
"""Authentication behind a real Postfix: mail of lists and forwarders, and
their forgeries. (The tables of cases are in tests/conformance.)

One Postfix serves all cases. A case that needs settings of its own takes one
of the listeners in LISTENERS and starts an assayd there by Bench.daemon().
Every case uses recipients of its own.

Usage: [builddir=DIR] test_auth.py [PART-OF-A-CLAIM...]"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import fixture  # noqa: E402
from fixture import (  # noqa: E402
    Assayd, Journal, Postfix, Scratch, Skip, Tap, check, crlf, equal)

DEMO = os.path.join(fixture.SOURCE, "conf", "demo")
# Listeners of Postfix that have no assayd until a case starts one.
LISTENERS = (
    "signing",
    "sealing",
    "rescuing",
    "relayed",
    "encrypted",
)

CONF = """
auth { dmarc = reject }
rules { path = { "%(rules)s" } }
milter { forwarders = { 198.51.100.25 } }
policy default { mode = enforce }
"""
# Nothing but what authentication scores.
RULES = "describe T_UNUSED no rule at all\n"

# mailer.example has a list server at 203.0.113.9.
ZONE = """
forwarder.example TXT "v=spf1 ip4:198.51.100.25 -all"
"""


class Bench:
    def __init__(self, scratch):
        self.scratch = scratch
        self.sasl, self.secret = contextlib.ExitStack(), None
        with open(os.path.join(DEMO, "zone")) as f:
            self.zone_text = f.read() + ZONE
        self.zone = scratch.write("zone", self.zone_text)
        self.keys = scratch.folder("keys")
        self.records = {}           # of make_key()
        self.rescuer = self.sealer = None
        self.conf = CONF % {"rules": scratch.write("none.cf", RULES)}
        self.assayd = Assayd(scratch, "main", self.conf, self.zone)
        self.ports = {name: fixture.free_port() for name in LISTENERS}
        listeners = {name: ("127.0.0.1", port)
                     for name, port in self.ports.items()}
        listeners["signing"] = ("sasl", listeners["signing"])
        listeners["encrypted"] = ("sasl", listeners["encrypted"], {
            "smtpd_tls_security_level": "may",
            "smtpd_tls_chain_files": os.path.join(scratch.path, "tls.pem")})
        self.mta = Postfix(
            scratch, "mta", self.assayd.address, listeners=listeners)

    def password(self):
        """Of everybody at the listener with SMTP AUTH; Dovecot stays."""
        if not self.secret:
            self.secret = self.sasl.enter_context(self.mta.passwords())
        return self.secret

    def daemon(self, name, conf, zone=None, **how):
        """assayd behind the listener of that name; `zone` is what it knows
        beside everybody's."""
        path = self.zone
        if zone:
            path = self.scratch.write(name + ".zone", self.zone_text + zone)
        return Assayd(self.scratch, name, conf, path, port=self.ports[name],
                      **how)


CASES = []
TAP = Tap()


def case(claim):
    def keep(function):
        CASES.append((claim, function))
        return function
    return keep


def demo(name):
    with open(os.path.join(DEMO, name), "rb") as f:
        return crlf(f.read())


def result_of(message, method):
    """The result of a method in our Authentication-Results, and what follows
    it there."""
    text = message.all("Authentication-Results")[0]
    check(text.startswith(fixture.AUTHSERV + ";"), "authserv-id:", text)
    found = re.search(r";\s*%s=(\w+)([^;]*)" % re.escape(method), text)
    check(found, method, "is not in", text)
    return found.group(1), found.group(2)


# --- DMARC: lists, forwarders, forgeries ----------------------------------------

def list_copy(message):
    """What a mailing list makes of it: marks, a footer, its own fields."""
    head, body = message.split(b"\r\n\r\n", 1)
    head = head.replace(b"Subject: ", b"Subject: [list] ", 1)
    return (head + b"\r\nList-Id: A list <list.mailer.example>"
            b"\r\nList-Post: <mailto:list@mailer.example>\r\n\r\n" + body +
            b"-- \r\nlist mailing list, list@mailer.example\r\n")


@case("the sender's own mail passes under p=reject")
def _(b):
    with b.mta.client(ip="192.0.2.10", helo="mail.bank.example") as c:
        reply = c.message("service@bank.example", "own", demo("genuine.eml"))
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("own")
    equal(result_of(message, "dmarc")[0], "pass")
    equal(message.all("X-Spam-Flag"), [], "X-Spam-Flag")


@case("a list's copy of it, signature broken, is tagged and delivered")
def _(b):
    with b.mta.client(ip="203.0.113.9", helo="mailer.example") as c:
        reply = c.message("list-bounces@mailer.example", "list",
                          list_copy(demo("genuine.eml")))
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("list")
    equal(message.one("X-Spam-Flag"), "YES")
    equal(result_of(message, "dkim")[0], "fail")
    result, rest = result_of(message, "dmarc")
    equal(result, "fail")
    check("mailing_list" in rest, "the reason is not in", rest)
    journal = b.assayd.journal(reply.queue_id)
    equal((journal["action"], journal["by"], journal["dmarc"]),
          ("tag", "dmarc", "fail/reject(mailing_list)"), "log")


@case("the same copy without a list's fields is refused with 550 5.7.26")
def _(b):
    text = re.sub(rb"List-[^\n]*\n", b"", list_copy(demo("genuine.eml")))
    with b.mta.client(ip="203.0.113.9", helo="mailer.example") as c:
        reply = c.message("list-bounces@mailer.example", "unlisted", text)
    equal((reply.code, reply.status), (550, "5.7.26"), "reply")
    equal(b.mta.delivered_to("unlisted"), [])


@case("the direct forgery of the sender is refused with 550 5.7.26")
def _(b):
    with b.mta.client(ip="203.0.113.9", helo="mailer.example") as c:
        reply = c.message("bounce@mailer.example", "forged",
                          demo("forged.eml"))
    equal((reply.code, reply.status), (550, "5.7.26"), "reply")
    check("bank.example" in reply.text, "the domain is not in", reply)
    line, = b.assayd.log.wait("ref=%s," % reply.ref)
    equal((Journal(line)["by"], Journal(line)["dmarc"]),
          ("dmarc", "fail/reject"), "log")
    equal(b.mta.delivered_to("forged"), [])


@case("a forwarder's copy, changed on the way, is tagged with the reason")
def _(b):
    text = re.sub(rb"List-[^\n]*\n", b"", list_copy(demo("genuine.eml")))
    with b.mta.client(ip="198.51.100.25", helo="forwarder.example") as c:
        reply = c.message("anna@forwarder.example", "forwarded", text)
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("forwarded")
    equal(message.one("X-Spam-Flag"), "YES")
    check("trusted_forwarder" in result_of(message, "dmarc")[1], "reason")
    equal(b.assayd.journal(reply.queue_id)["dmarc"],
          "fail/reject(trusted_forwarder)", "log")


@case("a trusted list's sealed copy is delivered as if it had passed")
def _(b):
    folder = b.scratch.folder("keys")
    made = b.assayd.assay("-o", "auth.keys=" + folder, "dkim", "keygen",
                          "--domain=mailer.example", "--selector=seal",
                          "--type=ed25519")
    equal(made.returncode, 0, made.stderr)
    key = os.path.join(folder, "mailer.example", "seal.pem")
    # What the list saw, and what it made of it.
    results = (b"Authentication-Results: mailer.example; dkim=pass"
               b" header.d=bank.example;\r\n\tdmarc=pass"
               b" header.from=bank.example\r\n")
    sealed = subprocess.run(
        [os.path.join(fixture.BUILD, "assay"), "arc", "seal",
         "--domain=mailer.example", "--selector=seal", "--key=" + key,
         "--authserv-id=mailer.example"],
        input=results + list_copy(demo("genuine.eml")),
        stdout=subprocess.PIPE, check=True, timeout=60).stdout
    daemon = b.daemon("rescuing", b.conf.replace(
        "dmarc = reject", "dmarc = reject sealers = { mailer.example }"),
        zone=made.stdout.decode().replace(" IN TXT", " TXT"))
    with b.mta.client("rescuing", ip="203.0.113.9",
                      helo="mailer.example") as c:
        reply = c.message("list-bounces@mailer.example", "list-sealed", sealed)
        changed = c.message("list-bounces@mailer.example", "sealed-changed",
                            sealed.replace(b"Dear customer", b"Dear victim")
                            .replace(b"List-", b"Old-"))
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("list-sealed")
    equal(message.all("X-Spam-Flag"), [], "X-Spam-Flag")
    result, rest = result_of(message, "dmarc")
    equal(result, "fail")
    check("arc: trusted sealer mailer.example" in re.sub(r"\s+", " ", rest),
          "comment", rest)
    journal = daemon.journal(reply.queue_id)
    equal((journal["action"], journal["dmarc"]),
          ("accept", "fail/reject(local_policy)"), "log")
    check("ARC_RESCUED" in journal.symbols and
          "DMARC_REJECT" not in journal.symbols, "symbols", journal.line)
    equal((changed.code, changed.status), (550, "5.7.26"), "changed")
    fixture.stopped_clean(TAP, daemon)


# --- relays -----------------------------------------------------------------------

# Inner and outer hop stand on one host: the outer one's address is another of
# the loopback network.
RELAYED = """
auth { dmarc = reject }
rules { path = { "%(rules)s" } }
milter { relays = { 127.0.0.2 } }
policy default { mode = enforce }
"""
OUTER = """\
myhostname = relay.test.example
virtual_transport = smtp:[127.0.0.1]:%d
smtp_bind_address = 127.0.0.2
"""


@case("behind a relay SPF is of the client before it; a forgery is tagged")
def _(b):
    inner = b.daemon("relayed", RELAYED % {
        "rules": os.path.join(b.scratch.path, "none.cf")})
    outer = Postfix(b.scratch, "outer",
                    extra=OUTER % b.mta.ports["relayed"])
    with outer.client(ip="192.0.2.10", helo="mail.bank.example") as c:
        equal(c.message("service@bank.example", "relayed",
                        demo("genuine.eml")).code, 250, "reply")
    message = b.mta.wait_delivered("relayed")
    equal(result_of(message, "spf")[0], "pass")
    equal(result_of(message, "dmarc")[0], "pass")
    equal(message.all("X-Spam-Flag"), [], "X-Spam-Flag")
    with outer.client(ip="203.0.113.9", helo="mailer.example") as c:
        # A line of the sender's that would name the right client.
        equal(c.message(
            "service@bank.example", "relayed-forgery",
            b"Received: from mail.bank.example (mail.bank.example "
            b"[192.0.2.10])\r\n\tby relay.test.example (Postfix) with ESMTP "
            b"id 1; Tue, 24 Nov 2026 12:00:00 +0000\r\n" +
            demo("forged.eml")).code, 250, "reply")
    message = b.mta.wait_delivered("relayed-forgery")
    equal(result_of(message, "spf")[0], "fail")
    equal(result_of(message, "dmarc")[0], "fail")
    equal(message.one("X-Spam-Flag"), "YES")
    lines = inner.journals()
    equal([(j["dir"], j["action"], j.would) for j in lines],
          [("relay", "accept", "accept"), ("relay", "tag", "reject")], "log")
    check(all("[127.0.0.2]" in j["client"] for j in lines), "client", lines)
    outer.wait_empty()
    equal(outer.complaints(), [])
    outer.stop()


@case("mail that fetchmail hands in from localhost is judged like a relay's")
def _(b):
    fetched = (b"Received: from pop.provider.example [198.51.100.99]\r\n\tby "
               b"localhost with POP3 (fetchmail-6.4.37)\r\n\tfor <x@localhost>"
               b" (single-drop); Tue, 24 Nov 2026 12:00:00 +0000 (UTC)\r\n"
               b"Received: from mail.bank.example (mail.bank.example "
               b"[192.0.2.10])\r\n\tby mx.provider.example (Postfix) with "
               b"ESMTP id 1; Tue, 24 Nov 2026 11:59:59 +0000\r\n")
    with b.mta.client(ip="127.0.0.1", helo="localhost") as c:
        reply = c.message("service@bank.example", "fetched",
                          fetched + demo("genuine.eml"))
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("fetched")
    equal(result_of(message, "spf")[0], "pass")
    equal(b.assayd.journal(reply.queue_id)["dir"], "relay")


# --- ARC: what others sealed, and what we seal -----------------------------------

TRACE = ("Return-Path", "X-Original-To", "Delivered-To")
SEALED = ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results",
          "Authentication-Results"]


def make_key(b, domain):
    """A key of the domain in the folder that all these cases use; the record
    for a zone file is kept in b.records."""
    if domain not in b.records:
        os.makedirs(os.path.join(b.keys, domain), 0o700, exist_ok=True)
        run = b.assayd.assay("dkim", "keygen", "-o", "auth.keys=" + b.keys,
                             "--domain=" + domain, "--selector=s")
        equal(run.returncode, 0, run.stderr)
        b.records[domain] = "".join(
            line for line in run.stdout.decode().splitlines(True)
            if not line.startswith(("#", ";")))
    return os.path.join(b.keys, domain, "s.pem")


def sealed_by(b, domain, message, results):
    """What a forwarder of that domain hands on, who saw those results."""
    key = make_key(b, domain)
    path = b.scratch.write("sealed.eml", "")
    with open(path, "wb") as f:
        f.write(b"Authentication-Results: mx.%s; %s\r\n%s" % (
            domain.encode(), results.encode(), message))
    zone = b.scratch.write("sealing.zone", "".join(b.records.values()))
    with open(path, "rb") as f:
        run = subprocess.run(
            [os.path.join(fixture.BUILD, "assay"), "-c", b.assayd.conf,
             "arc", "seal", "--domain", domain, "--selector", "s", "--key",
             key, "--authserv-id", "mx." + domain, "--dns", zone],
            stdin=f, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    equal(run.returncode, 0, run.stderr)
    return run.stdout


def validate(b, message, name):
    """assay auth arc of what lies in the mailbox."""
    zone = b.scratch.write("validate.zone", "".join(b.records.values()))
    path = b.scratch.write(name + ".eml", "")
    with open(path, "wb") as f:
        f.write(message)
    run = b.assayd.assay("auth", "arc", path, "--json", "--dns=" + zone)
    return json.loads(run.stdout)


def forwarded(b, *sealers):
    """The bank's mail with a footer, sealed by each in turn: the first one saw
    it pass."""
    message = list_copy(demo("genuine.eml"))
    message = re.sub(rb"List-[^\n]*\n", b"", message)
    seen = "arc=none; spf=pass smtp.mailfrom=service@bank.example; dmarc=pass"
    for domain, results in sealers:
        message = sealed_by(b, domain, message, results or seen)
        seen = "arc=pass; dmarc=fail"
    return message


def rescuing(b):
    """assayd that trusts lists.example and fwd.example."""
    if not b.rescuer:
        for domain in ("lists.example", "fwd.example", "other.example"):
            make_key(b, domain)
        conf = b.conf.replace(
            "dmarc = reject",
            "dmarc = reject\n\tsealers = { lists.example, fwd.example }\n")
        b.rescuer = b.daemon("rescuing", conf, "".join(b.records.values()))
    return b.rescuer


def send(b, listener, user, message, sender="bounce@forwarder.example",
         ip="198.51.100.77"):
    with b.mta.client(listener, ip=ip, helo="out.forwarder.example") as c:
        return c.message(sender, user, message)


@case("a forwarder's copy that it sealed is delivered where it is trusted")
def _(b):
    daemon = rescuing(b)
    reply = send(b, "rescuing", "arc-trusted",
                 forwarded(b, ("lists.example", None)))
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("arc-trusted")
    result, rest = result_of(message, "arc")
    equal(result, "pass")
    check("lists.example" in rest and "trusted" in rest, "arc=", rest)
    check("header.oldest-pass=0" in rest, "oldest-pass is not in", rest)
    check("smtp.remote-ip=198.51.100.77" in rest, "the address:", rest)
    equal(result_of(message, "dmarc")[0], "fail")
    journal = daemon.journal(reply.queue_id)
    equal(journal["arc"], "pass")
    check(journal["dmarc"].startswith("fail/reject("), journal["dmarc"])
    check(journal["action"] != "reject", journal["action"])


@case("the same chain of a sealer that nobody trusts is refused")
def _(b):
    rescuing(b)
    reply = send(b, "rescuing", "arc-stranger",
                 forwarded(b, ("other.example", None)))
    equal((reply.code, reply.status), (550, "5.7.26"), "reply")
    equal(b.mta.delivered_to("arc-stranger"), [])


@case("all sealers must be trusted, not the newest alone")
def _(b):
    rescuing(b)
    reply = send(b, "rescuing", "arc-both", forwarded(
        b, ("lists.example", None), ("fwd.example", None)))
    equal(reply.code, 250, "two trusted ones")
    reply = send(b, "rescuing", "arc-half", forwarded(
        b, ("other.example", None), ("fwd.example", None)))
    equal((reply.code, reply.status), (550, "5.7.26"), "a stranger first")


@case("a trusted sealer who saw DMARC fail rescues nothing")
def _(b):
    rescuing(b)
    reply = send(b, "rescuing", "arc-forged", forwarded(
        b, ("lists.example", "arc=none; spf=fail; dmarc=fail")))
    equal((reply.code, reply.status), (550, "5.7.26"), "reply")


@case("a trusted chain under which the body was changed rescues nothing")
def _(b):
    rescuing(b)
    message = forwarded(b, ("lists.example", None))
    reply = send(b, "rescuing", "arc-broken", message + b"buy this\r\n")
    equal((reply.code, reply.status), (550, "5.7.26"), "reply")


def sealing(b):
    """assayd that seals as seal.example, and marks subjects."""
    if not b.sealer:
        make_key(b, "seal.example")
        rules = b.scratch.write("tag.cf", "header T_TAG Subject =~ /statement/\n"
                                "score T_TAG 7\n")
        conf = """
auth {
	seal = seal.example
	keys = "%s"
}
rules { path = { "%s" } }
policy default {
	mode = enforce
	tag = 5
	subject_mark = "[SPAM]"
}
""" % (b.keys, rules)
        b.sealer = b.daemon("sealing", conf, "".join(b.records.values()))
    return b.sealer


def handed_on(message):
    """A delivered message as its reader would forward it."""
    kept = [field for field, name in zip(message.fields, message.names())
            if name not in TRACE + ("Received",)]
    return crlf(b"\n".join(kept) + b"\n\n" + message.body)


def sealed_once(b, user):
    """The bank's mail as it is delivered with our first set."""
    sealing(b)
    forged = (b"Authentication-Results: %s; dmarc=pass\r\n"
              b"X-Spam-Status: No\r\n" % fixture.AUTHSERV.encode())
    reply = send(b, "sealing", user, forged + demo("genuine.eml"),
                 "service@bank.example", "192.0.2.10")
    equal(reply.code, 250, "reply")
    return b.mta.wait_delivered(user)


def sealed_on(b, user, message):
    """What becomes of a message with a set of ours that comes in again."""
    reply = send(b, "sealing", user, message)
    equal(reply.code, 250, "reply")
    return b.mta.wait_delivered(user)


@case("what comes in is sealed as it is delivered, edits and all")
def _(b):
    message = sealed_once(b, "sealed")
    names = [n for n in message.names() if n not in TRACE]
    equal(names[:4], SEALED, "on top")
    equal(message.one("Subject"), "[SPAM] Your statement of November")
    found = validate(b, message.data, "sealed")
    equal((found["result"], found["instances"], found["sealer"]),
          ("pass", 1, "seal.example"), found)
    results = message.one("ARC-Authentication-Results")
    check(results.startswith("i=1; %s;" % fixture.AUTHSERV), results)
    check("dmarc=pass" in results and "spf=pass" in results, results)


@case("what comes back with our seal is sealed on")
def _(b):
    message = sealed_on(b, "resealed", handed_on(sealed_once(b, "reseal")))
    equal(result_of(message, "arc")[0], "pass")
    found = validate(b, message.data, "resealed")
    equal((found["result"], found["instances"]), ("pass", 2), found)
    check("arc=pass" in message.all("ARC-Authentication-Results")[0])


@case("a broken chain is sealed as such, and then no more")
def _(b):
    broken = handed_on(sealed_once(b, "close")) + b"more\r\n"
    message = sealed_on(b, "closed", broken)
    equal(result_of(message, "arc")[0], "fail")
    check("cv=fail" in message.all("ARC-Seal")[0], message.all("ARC-Seal"))
    equal(len(message.all("ARC-Seal")), 2, "sets")
    message = sealed_on(b, "reclosed", handed_on(message))
    equal(len(message.all("ARC-Seal")), 2, "sets")


# --- signing what leaves ------------------------------------------------------------

SIGNING = """
rules { path = { "%(rules)s" } }
auth { keys = "%(keys)s" sign_inet = %(inet)s }
policy default { mode = enforce }
"""
MAIL = (b"From: Anna <anna@signer.example>\r\nTo: x@client.example\r\n"
        b"Subject:  two   words  \r\n%s\r\n"
        b"Hello  world\t \r\n.a dot\r\n\r\nbye\r\n\r\n\r\n")


class Keys:
    """Two keys of signer.example and their records."""

    def __init__(self, b):
        self.b = b
        self.folder = b.scratch.folder("signing-keys")
        self.records = {}       # name: text
        for selector, kind in (("rsa", "rsa"), ("ed", "ed25519")):
            run = b.assayd.assay("-o", "auth.keys=" + self.folder, "dkim",
                                 "keygen", "--domain", "signer.example",
                                 "--selector", selector, "--type", kind)
            equal(run.returncode, 0, run.stderr)
            text = run.stdout.decode()
            self.records[text.split(". ", 1)[0]] = "".join(
                re.findall(r'"([^"]*)"', text))

    def verdicts(self, message):
        """What dkimpy and OpenDKIM say of a delivered message: algorithms and
        selectors of all signatures that pass."""
        with open(message.path, "rb") as f:
            text = crlf(f.read())
        return self._dkimpy(text), self._opendkim(text)

    def _dkimpy(self, text):
        import dkim
        passed = []
        for i, field in enumerate(message_signatures(text)):
            if dkim.DKIM(text).verify(idx=i, dnsfunc=self._lookup):
                passed.append(re.search(rb"\ba=([\w-]+)", field).group(1))
        return sorted(p.decode() for p in passed)

    def _lookup(self, name, timeout=5):
        return self.records.get(name.decode().rstrip("."), "").encode()

    def _opendkim(self, text):
        keys = self.b.scratch.write("opendkim.keys", "".join(
            "%s %s\n" % item for item in self.records.items()))
        conf = self.b.scratch.write(
            "opendkim.conf", "Mode v\nTestPublicKeys %s\nUserID root\n"
            "Socket local:%s/none\n" % (keys, self.b.scratch.path))
        with open(os.path.join(self.b.scratch.path, "signed.eml"), "wb") as f:
            f.write(text)
        shown = fixture.tool("opendkim", "-x", conf, "-v", "-v", "-t", f.name)
        return sorted(re.findall(r"dkim=pass[^;]*header\.a=([\w-]+)", shown))


def message_signatures(text):
    head = text.split(b"\r\n\r\n", 1)[0] + b"\r\n"
    return re.findall(rb"(?mi)^DKIM-Signature:(?:.*\r\n[ \t])*.*\r\n", head)


BOTH = ["ed25519-sha256", "rsa-sha256"]


@case("what a user sends leaves signed by both keys, and others verify it")
def _(b):
    if not shutil.which("opendkim"):
        raise Skip("opendkim missing")
    keys = b.signers = Keys(b)
    b.signing = b.daemon("signing", SIGNING % {
        "keys": keys.folder, "inet": "yes",
        "rules": os.path.join(b.scratch.path, "none.cf")})
    b.password()
    with b.mta.client("signing", xclient=False) as c:
        c.auth_plain("anna@signer.example", b.password())
        for user, more in (("signed", b"Date: Tue, 24 Nov 2026 12:00:00 +0000"
                            b"\r\nMessage-ID: <1@signer.example>\r\n"),
                           # what Postfix adds where it lacks
                           ("undated", b""),
                           ("mime", b"MIME-Version: 1.0\r\nX-Assay-Ref: old\r\n"
                            b"Content-Type: text/plain\r\n")):
            reply = c.message("anna@signer.example", user, MAIL % more)
            equal(reply.code, 250, "reply")
            message = b.mta.wait_delivered(user)
            equal(len(message.all("DKIM-Signature")), 2, "signatures")
            equal(len(message.all("X-Assay-Ref")), 1, "refs")
            equal(message.all("Authentication-Results"), [], "A-R")
            equal(keys.verdicts(message), (BOTH, BOTH), user)
            journal = b.signing.journal(reply.queue_id)
            equal((journal["dir"], journal["auth"]),
                  ("out", "anna@signer.example"))


@case("a login of another domain leaves unsigned, and the log says why")
def _(b):
    with b.mta.client("signing", xclient=False) as c:
        c.auth_plain("eve@client.example", b.password())
        reply = c.message("eve@client.example", "unsigned", MAIL % b"")
        equal(reply.code, 250, "reply")
    equal(b.mta.wait_delivered("unsigned").all("DKIM-Signature"), [])
    b.signing.log.wait(
        "%s: ref=%s, not signed: the login is not of the From domain.*"
        "hfrom=signer.example, auth=eve@client.example" % (
            reply.queue_id, r"\S+"))


@case("without a login a client from outside gets nothing signed")
def _(b):
    with b.mta.client("signing", ip="192.0.2.10") as c:
        equal(c.message("x@client.example", "outside", MAIL % b"").code, 250)
    equal(b.mta.wait_delivered("outside").all("DKIM-Signature"), [])


@case("on an inet socket nothing is signed unless auth.sign_inet says so")
def _(b):
    b.signing.configure(SIGNING % {
        "keys": b.signers.folder, "inet": "no",
        "rules": os.path.join(b.scratch.path, "none.cf")})
    mark = b.signing.log.mark()
    b.signing.hangup()
    b.signing.log.wait("reload", mark)
    with b.mta.client("signing", xclient=False) as c:
        c.auth_plain("anna@signer.example", b.password())
        c.message("anna@signer.example", "tcp", MAIL % b"")
    equal(b.mta.wait_delivered("tcp").all("DKIM-Signature"), [])
    b.signing.log.wait("not signed: the MTA comes over TCP")
    b.signing.stop()


# --- what is told of a client -----------------------------------------------------

def make_certificate(b):
    """A certificate of a key that only lives now."""
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    path = os.path.join(b.scratch.path, "tls.pem")
    fixture.tool("openssl", "req", "-x509", "-nodes", "-newkey",
                 "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2",
                 "-subj", "/CN=mx.test.example", "-keyout", path,
                 "-out", path + ".crt")
    with open(path, "a") as to, open(path + ".crt") as certificate:
        to.write(certificate.read())


@case("TLS and the client's name stand in the results, a login where mail stays")
def _(b):
    make_certificate(b)
    b.daemon("encrypted", b.conf +
             "auth { received_spf = yes local_mailers = { virtual } }\n"
             "policy outbound { mode = enforce }\n",
             "10.2.0.192.in-addr.arpa PTR mail.bank.example\n"
             "mail.bank.example A 192.0.2.10\n")
    # Its smtpd does not even greet without the server of passwords.
    password = b.password()
    told_in(b)
    told_out(b, password)


def told_in(b):
    with b.mta.client("encrypted", xclient=False) as c:
        c.starttls()
        c.must(220, "XCLIENT NAME=mail.bank.example ADDR=192.0.2.10")
        c.ehlo()
        reply = c.message("service@bank.example", "encrypted",
                          demo("genuine.eml"))
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("encrypted")
    equal(result_of(message, "iprev"),
          ("pass", " (mail.bank.example) policy.iprev=192.0.2.10"))
    check(re.search(r"smtp\.version=TLSv1\.\d smtp\.cipher=[A-Z0-9_-]+\s+"
                    r"smtp\.bits=\d+", result_of(message, "x-tls")[1]),
          message.all("Authentication-Results"))
    check("client-ip=192.0.2.10;" in message.all("Received-SPF")[0])


def told_out(b, password):
    with b.mta.client("encrypted", xclient=False) as c:
        c.starttls()
        c.auth_plain("ben", password)
        reply = c.message("ben@test.example", "login", fixture.mail(
            extra="Authentication-Results: %s; auth=pass smtp.auth=root\n" %
            fixture.AUTHSERV))
    equal(reply.code, 250, "reply")
    message = b.mta.wait_delivered("login")
    equal(len(message.all("Authentication-Results")), 1, "fields")
    equal(result_of(message, "auth"), ("pass", " (PLAIN) smtp.auth=ben"))
    result_of(message, "x-tls")
    equal(message.all("Received-SPF"), [], "Received-SPF")


@case("nothing was bounced or sent twice")
def _(b):
    b.mta.wait_empty()
    equal(b.mta.complaints(), [])


def main():
    why = fixture.missing()
    chosen = [(claim, function) for claim, function in CASES
              if not sys.argv[1:] or any(w in claim for w in sys.argv[1:])]
    if why:
        for claim, _ in chosen:
            TAP.skip(claim, why)
        return TAP.done()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with Scratch("auth") as scratch:
        bench = Bench(scratch)
        for claim, function in chosen:
            TAP.run(claim, function, bench)
        bench.sasl.close()
        bench.mta.stop()
        fixture.stopped_clean(TAP, bench.assayd)
    return TAP.done()


if __name__ == "__main__":
    sys.exit(main())
