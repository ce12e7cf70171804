#!/usr/bin/python3
"""Received DMARC reports of others, and what strangers may send, through
`assay report read`.

Prints TAP. The samples are not part of the tree: they are looked for in
../shared/conformance/dmarc beside it, or in $DMARC_SUITE. What is hostile is
made here (row 51 of the list of hostile inputs): bombs, entities, and a
gigabyte of rows, read with little memory to be had.
"""

import gzip
import io
import json
import os
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile
import zlib

sys.path.insert(0, os.path.join(os.environ.get("srcdir", "."), "tests", "lib"))
from fixture import Skip, Tap  # noqa: E402

BUILD = os.environ.get("builddir", ".")
ASSAY = os.path.join(BUILD, "assay")
SUITE = os.environ.get("DMARC_SUITE") or os.path.join(
    os.environ.get("srcdir", "."), "..", "shared", "conformance", "dmarc"
)
REPORTS = os.path.join(SUITE, "reports")
EX_DATAERR = 65
ADDRESS_SPACE = 1 << 30
RSS_MAX_KB = 700 * 1024
SECRET = "canary-of-the-report-test"


def sanitized():
    """ASan wants an address space of its own."""
    with open(ASSAY, "rb") as f:
        return b"__asan_init" in f.read()


SANITIZED = sanitized()


def limit():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not SANITIZED:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


class Run:
    """One run of the command with bounded memory; its output may be large."""

    def __init__(self, *args, feed=None):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [ASSAY, "report", "read", *args],
                stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                preexec_fn=limit,
            )
            self.fed = 0
            if feed:
                self.feed(process.stdin, feed)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.status = process.returncode
            self.rss_kb = usage.ru_maxrss
            out.seek(0)
            errors.seek(0)
            self.out = out.read(1 << 20)
            self.errors = errors.read(1 << 20).decode()

    def feed(self, pipe, chunks):
        try:
            for chunk in chunks:
                pipe.write(chunk)
                self.fed += len(chunk)
            pipe.close()
        except BrokenPipeError:
            pass

    def refused(self, why):
        assert self.status == EX_DATAERR, (self.status, self.errors)
        assert why in self.errors, self.errors
        assert SANITIZED or self.rss_kb < RSS_MAX_KB, self.rss_kb
        assert SECRET not in self.errors and SECRET.encode() not in self.out


def read_json(path, status=0):
    run = Run("--json", path)
    assert run.status == status, (run.status, run.errors)
    return [json.loads(line) for line in run.out.splitlines()]


# --- samples -------------------------------------------------------------------


def need_samples():
    if not os.path.isdir(REPORTS):
        raise Skip("no suite in " + SUITE)


def word(text):
    """Our word as stalwart's: TrustedForwarder, Unspecified."""
    if not text:
        return "Unspecified"
    return "".join(part.capitalize() for part in text.split("_"))


def same_word(ours, theirs):
    known = word(ours).lower()
    return known == theirs.lower()


def check_metadata(got, want):
    meta = want["report_metadata"]
    assert float(got["version"] or 0) == want["version"], got["version"]
    assert got["org_name"] == meta["org_name"], got["org_name"]
    assert got["email"] == meta["email"]
    assert (got["extra_contact_info"] or None) == meta["extra_contact_info"]
    assert got["report_id"] == meta["report_id"]
    assert got["begin"] == meta["date_range"]["begin"]
    assert got["end"] == meta["date_range"]["end"]
    assert got["errors"] == meta["error"]


def check_policy(got, want):
    policy = want["policy_published"]
    assert got["domain"] == policy["domain"]
    for tag in ("p", "sp", "np"):
        if tag in policy:
            assert same_word(got[tag], policy[tag]), (tag, got[tag])
    for tag in ("adkim", "aspf"):
        ours = {"r": "Relaxed", "s": "Strict", None: "Unspecified", "": "Unspecified"}
        assert ours[got[tag]] == policy[tag], (tag, got[tag])
    assert (got["testing"] == "y") == policy["testing"]
    assert got["fo"] == policy["fo"]
    if "discovery_method" in policy:
        assert same_word(got["discovery_method"], policy["discovery_method"])


def check_results(got, want, third):
    assert len(got) == len(want), (got, want)
    for ours, theirs in zip(got, want):
        assert ours["domain"] == theirs["domain"]
        assert same_word(ours["result"], theirs["result"]), (ours, theirs)
        assert ours["human_result"] == theirs["human_result"]
        if third == "scope":
            scope = {"mfrom": "MailFrom", "helo": "Helo"}.get(ours["scope"], "Unspecified")
            assert scope == theirs["scope"], (ours, theirs)
        else:
            assert (ours["selector"] or "") == theirs["selector"], (ours, theirs)


def check_record(got, want):
    row = want["row"]
    judged = row["policy_evaluated"]
    assert got["source_ip"] == row["source_ip"]
    assert got["count"] == row["count"]
    for name in ("disposition", "dkim", "spf"):
        assert same_word(got[name], judged[name]), (name, got[name])
    assert len(got["reasons"]) == len(judged["reason"])
    for ours, theirs in zip(got["reasons"], judged["reason"]):
        if ours["type"] != "sampled_out":  # gone with RFC 7489
            assert same_word(ours["type"], theirs["type_"]), (ours, theirs)
        assert ours["comment"] == theirs["comment"]
    who = want["identifiers"]
    assert got["header_from"] == who["header_from"]
    assert (got["envelope_from"] or "") == who["envelope_from"]
    assert got["envelope_to"] == who["envelope_to"]
    check_results(got["auth_dkim"], want["auth_results"]["dkim"], "selector")
    check_results(got["auth_spf"], want["auth_results"]["spf"], "scope")


def check_stalwart(name):
    need_samples()
    reports = [f for f in (name + ".xml", name + ".eml") if os.path.exists(os.path.join(REPORTS, f))]
    assert len(reports) == 1, reports
    with open(os.path.join(REPORTS, name + ".json"), encoding="utf-8") as f:
        want = json.load(f)
    got = read_json(os.path.join(REPORTS, reports[0]))
    assert len(got) == 1
    check_metadata(got[0], want)
    check_policy(got[0], want)
    assert len(got[0]["records"]) == len(want["record"])
    for ours, theirs in zip(got[0]["records"], want["record"]):
        check_record(ours, theirs)


# Of samples without a parse of their own: what a reader must not miss.
SAMPLES = {
    "parsedmarc-empty_reason.xml": (False, "example.org", "example.com", 2),
    "parsedmarc-old_draft_from_wiki.xml": (False, "acme.com", "example.com", 2),
    "parsedmarc-rfc9990-sample.xml": (True, "Sample Reporter", "example.com", 123),
    "parsedmarc-rfc9990-example.net_example.com_1700000000_1700086399.xml": (
        False, "example.net", "example.com", 7),
    "ietf-dmarc-xml-0.2.xml": (True, "Sample Reporter", "example.com", 123),
    "ietf-dmarc-xmlalt-0.2.xml": (False, "Sample Reporter", "example.com", 123),
}


def check_sample(name):
    need_samples()
    rfc9990, reporter, domain, messages = SAMPLES[name]
    got = read_json(os.path.join(REPORTS, name))
    assert len(got) == 1
    assert got[0]["rfc9990"] == rfc9990
    assert got[0]["org_name"] == reporter
    assert got[0]["domain"] == domain
    assert sum(record["count"] for record in got[0]["records"]) == messages


def check_invalid():
    need_samples()
    run = Run(os.path.join(REPORTS, "parsedmarc-invalid_xml.xml"))
    run.refused("line 5: not well-formed")


def check_failure_report():
    need_samples()
    run = Run(os.path.join(REPORTS, "parsedmarc-ruf-linkedin.eml"))
    run.refused("no report in this mail")


# The three that the suite says are valid, and no other.
VALID = (
    "004.xml",
    "ietf-dmarc-xml-0.2.xml",
    "parsedmarc-rfc9990-sample.xml",
)


def check_schema():
    need_samples()
    if not shutil.which("xmllint"):
        raise Skip("no xmllint")
    schema = os.path.join(REPORTS, "ietf-dmarc-xml-0.2.xsd")
    for name in sorted(os.listdir(REPORTS)):
        if not name.endswith(".xml"):
            continue
        path = os.path.join(REPORTS, name)
        run = subprocess.run(
            ["xmllint", "--nonet", "--noout", "--schema", schema, path],
            capture_output=True, text=True)
        assert (run.returncode == 0) == (name in VALID), (name, run.stderr)


# --- what strangers may send ------------------------------------------------------


def write(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


REPORT = (
    "<feedback><report_metadata><org_name>%s</org_name><report_id>%s</report_id>"
    "</report_metadata><record><row><source_ip>192.0.2.1</source_ip>"
    "<count>1</count></row></record></feedback>"
)


def report(org="example", number="1"):
    return (REPORT % (org, number)).encode()


def check_zip_bomb(folder):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        with z.open("report.xml", "w") as f:
            for _ in range(160):
                f.write(bytes(1 << 20))
    path = write(folder, "bomb.zip", data.getvalue())
    assert os.path.getsize(path) < 1 << 20
    Run(path).refused("more than 128 MB")


def gzip_of(head, chunk, times):
    """Gzip of head and a chunk many times over, in no time: deflate's blocks are
    put together as they are. The end, which nobody reaches, is missing."""
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    first = pack.compress(head) + pack.flush(zlib.Z_FULL_FLUSH)
    again = pack.compress(chunk) + pack.flush(zlib.Z_FULL_FLUSH)
    return first + again * times


ROWS = b"<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record>" * 13000


def check_gigabyte(folder):
    """Past the limit of what is unpacked."""
    bomb = gzip_of(b"<feedback>", ROWS, (1 << 30) // len(ROWS) + 1)
    Run(write(folder, "gigabyte.xml.gz", bomb)).refused("more than 128 MB")


def check_rows(folder):
    """Within it, but past the number of records."""
    rows = b"<record/>" * 100000
    packed = gzip.compress(b"<feedback>" + rows * 6 + b"</feedback>", 1)
    Run(write(folder, "rows.xml.gz", packed)).refused("too many records")


def check_stream():
    """A gigabyte that is made while it is read."""
    def endless():
        yield b"<feedback>"
        while True:
            yield ROWS

    run = Run("-", feed=endless())
    run.refused("larger than")
    assert run.fed < 1 << 28, run.fed


def check_large_file(folder):
    """A file of a gigabyte that has no bytes on the disk."""
    path = write(folder, "large.xml", b"<feedback>")
    os.truncate(path, 1 << 30)
    Run(path).refused("larger than")
    os.unlink(path)


def check_entity_bomb(folder):
    entities = "".join(
        "<!ENTITY x%d '%s'>" % (i, ("&x%d;" % (i - 1)) * 10) for i in range(1, 10))
    text = "<?xml version='1.0'?><!DOCTYPE f [<!ENTITY x0 'lol'>%s]><feedback><version>&x9;</version></feedback>"
    Run(write(folder, "laughs.xml", (text % entities).encode())).refused("document type")


def check_outside(folder):
    """Neither files nor the network, however a report names them."""
    secret = write(folder, "secret", SECRET.encode())
    ears = socket.socket()
    ears.bind(("127.0.0.1", 0))
    ears.listen(5)
    url = "http://127.0.0.1:%d/x" % ears.getsockname()[1]
    heads = (
        "<!DOCTYPE f [<!ENTITY e SYSTEM '%s'>]>",
        "<!DOCTYPE f SYSTEM '%s' [<!ENTITY e 'x'>]>",
        "<!DOCTYPE f PUBLIC 'x' '%s'>",
        "<!DOCTYPE f [<!ENTITY %% p SYSTEM '%s'>%%p;]>",
    )
    harmless = (
        "<?xml-stylesheet href='%s'?><feedback xmlns:xi='http://www.w3.org/2001/XInclude'"
        " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='x %s'>"
        "<version><xi:include href='%s' parse='text'/></version></feedback>"
    )
    refused, read = [], []
    for where in ("file://" + secret, secret, url):
        for head in heads:
            text = (head % where) + "<feedback><version>&e;</version></feedback>"
            refused.append(write(folder, "outside%d.xml" % len(refused), text.encode()))
        text = harmless % (where, where, where)
        read.append(write(folder, "names%d.xml" % len(read), text.encode()))
    run = Run(*refused, *read)
    for path in refused:
        run.refused(path + ": line 1: a document type")
    assert run.errors.count("\n") == len(refused), run.errors
    assert run.out.count(b"SPF ") == len(read), run.out
    ready, _, _ = select.select([ears], [], [], 0)
    assert not ready, "somebody asked the network"
    ears.close()


def check_terminal(folder):
    """What commands a terminal never reaches it."""
    org = "&#x9b;31m&#x202e;x&#10;&#x7f;"
    path = write(folder, "controls\x1b[31m.xml", report(org))
    for option in ((), ("--sums",), ("--json",)):
        run = Run(*option, path, write(folder, "bad\x1b.xml", b"x"))
        shown = run.out + run.errors.encode()
        for bad in (b"\x1b", b"\xc2\x9b", b"\xe2\x80\xae", b"\x7f"):
            assert bad not in shown, shown


def check_others(folder):
    """A bad file does not hide the good ones beside it."""
    mixed = os.path.join(folder, "mixed")
    os.mkdir(mixed)
    write(mixed, "1.xml", report("one"))
    write(mixed, "2.xml", b"<feedback>")
    write(mixed, "3.xml.gz", gzip.compress(report("three", "3")))
    mbox = b"From x Mon Nov 23 10:00:00 2026\nSubject: r\n\n%s\n\n" \
        b"From y Mon Nov 23 10:00:00 2026\nSubject: r\nContent-Type: text/xml\n\n%s\n"
    mbox = write(folder, "mbox", mbox % (b"hello", report("four", "4")))
    run = Run(mixed, mbox, os.path.join(folder, "nowhere"))
    assert run.status == EX_DATAERR
    for name in ("2.xml: line 1: no element", "mbox:1: no report in this mail", "nowhere: "):
        assert name in run.errors, run.errors
    for name in (b"one ", b"three ", b"four "):
        assert b"\n" + name in b"\n" + run.out, run.out
    assert b"3 reports" in run.out


def check_twice(folder):
    """A report that came twice counts once, one that differs does not hide."""
    a = write(folder, "a.xml", report("same", "9"))
    b = write(folder, "b.xml", report("same", "9"))
    c = write(folder, "c.xml", report("same", "9").replace(b"<count>1<", b"<count>5<"))
    run = Run("--sums", a, b, c)
    assert run.status == 0, run.errors
    assert b"2 reports" in run.out and b": 6 messages from 1 client," in run.out, run.out
    assert "b.xml: the same report again" in run.errors


def check_order(folder):
    """Clients whose mail fails stand first."""
    rows = "".join(
        "<record><row><source_ip>%s</source_ip><count>%d</count><policy_evaluated>"
        "<dkim>%s</dkim><spf>%s</spf></policy_evaluated></row></record>" % row
        for row in (
            ("192.0.2.1", 1000, "pass", "fail"),
            ("192.0.2.2", 3, "fail", "fail"),
            ("192.0.2.3", 20, "fail", "fail"),
            ("192.0.2.3", 5, "fail", "pass"),
        ))
    path = write(folder, "order.xml", ("<feedback>%s</feedback>" % rows).encode())
    lines = Run("--sums", path).out.decode().splitlines()
    found = [line.split()[:5] for line in lines[2:]]
    assert found == [
        ["192.0.2.3", "20", "25", "0", "5"],
        ["192.0.2.2", "3", "3", "0", "0"],
        ["192.0.2.1", "0", "1000", "1000", "0"],
    ], found


def main():
    tap = Tap()
    for number in [*range(1, 6), *range(100, 105)]:
        name = "%03d" % number
        tap.run("stalwart's %s is read as it says" % name, check_stalwart, name)
    for name in SAMPLES:
        tap.run("%s is read" % name, check_sample, name)
    tap.run("what is not well-formed is refused, with its line", check_invalid)
    tap.run("a failure report is no aggregate report", check_failure_report)
    tap.run("the schema of the IETF takes three samples and no other", check_schema)
    with tempfile.TemporaryDirectory(prefix="assay-report-") as folder:
        for claim, function in (
            ("a zip bomb is refused within limits", check_zip_bomb),
            ("a gigabyte of rows in a gzip is refused", check_gigabyte),
            ("too many records are refused", check_rows),
            ("a file of a gigabyte is refused", check_large_file),
            ("an entity bomb is refused", check_entity_bomb),
            ("nothing outside a report is read or asked", check_outside),
            ("no control reaches the terminal", check_terminal),
            ("bad files are named, the others read", check_others),
            ("a report counts once", check_twice),
            ("who fails most stands first", check_order),
        ):
            tap.run(claim, function, folder)
    tap.run("a gigabyte from a pipe is refused early", check_stream)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
