#!/usr/bin/python3
"""assay log and assay why over a real verdict log, which write_verdicts made.

srcdir and builddir name the folders, as make check sets them. Prints TAP.
"""

import base64
import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.abspath(os.environ.get("srcdir") or
                         os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.abspath(os.environ.get("builddir") or ".")
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))
from fixture import Skip, Tap, check, equal  # noqa: E402

ASSAY = os.path.join(BUILD, "assay")
WRITE = os.path.join(BUILD, "tests/cli/write_verdicts")
NOBODY = 65534
OLD, FIRST, OBSERVED, PLAIN, HOSTILE, SPLIT = range(6)  # as they are written
HOSTILE_TEXT = "=cmd|' /C calc'!A0\x1b[2J\x9b\r\n\"x\",\0\ufffd\x7f\u202e"
USAGE, DATAERR, NOINPUT, NOPERM = 64, 65, 66, 77

TOP = None
REFS = []
CASES = []


def case(claim):
    def keep(function):
        CASES.append((claim, function))
        return function
    return keep


# --- running -----------------------------------------------------------------

def assay(*args, status=0, stdin=b"", state=None, zone="UTC0", **more):
    done = subprocess.run(
        [ASSAY, "-c", "/dev/null", "-o", "rules.path=", "-o",
         "state=" + (state or os.path.join(TOP, "state")), *args],
        input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        timeout=60, check=False, env={**os.environ, "TZ": zone}, **more)
    error = done.stderr.decode("utf-8", "replace")
    equal(done.returncode, status, " ".join(args) + ": " + error)
    harmless(done.stdout.replace(b"\r\n", b"\n"))
    harmless(done.stderr)
    return done.stdout.decode(), error


def harmless(data):
    """Nothing that a terminal takes for a command or another order."""
    text = data.decode("utf-8")
    bad = [c for c in text
           if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0 or
           c in "\u2028\u2029\u202a\u202b\u202c\u202d\u202e"]
    check(not bad, "not for terminals:", bad, text[:300])


def log(*args, **more):
    return assay("log", *args, **more)[0]


def rows(*args):
    """The indexes of the messages that are found, in order."""
    found = [json.loads(line)["ref"]
             for line in log("--format=json", *args).splitlines()]
    return [REFS.index(ref) for ref in found]


def why(*args, **more):
    return assay("why", *args, **more)[0]


# --- log: which messages -----------------------------------------------------

@case("all messages come oldest first; --limit keeps the newest")
def order():
    equal(rows(), [OLD, FIRST, OBSERVED, PLAIN, HOSTILE, SPLIT])
    equal(rows("--limit", "2"), [HOSTILE, SPLIT])
    equal(rows("-n", "100"), [OLD, FIRST, OBSERVED, PLAIN, HOSTILE, SPLIT])


@case("--since and --until take dates, date-times and zones; until is before")
def times():
    equal(rows("--until=2026-11-24"), [OLD])
    equal(rows("--since=2026-11-24", "--until=2026-11-24T10:32:07Z"),
          [FIRST])
    equal(rows("--since", "2026-11-24T11:34:07+01:00"), [HOSTILE, SPLIT])
    equal(rows("--since=7d", "--until=2026-11-23"), [])


@case("a time without a zone is local")
def local_times():
    out = log("--since=2026-11-24T11:34:07", "--format=csv",
              zone="CET-1")
    equal(len(out.splitlines()), 3)
    check(",2026-11-24T11:34:07+01:00," in out, out)


@case("--from and --to take addresses, @domain, .domain")
def parties():
    mailer = [OLD, FIRST, OBSERVED, SPLIT]
    equal(rows("--from=bounce-17@mailer.example"), mailer)
    equal(rows("--from=@mailer.example"), mailer)
    equal(rows("--from=.example"), mailer)
    equal(rows("--from=@example"), [])
    equal(rows("--to=BERT@example.org"), mailer)
    equal(rows("--to=@example.org", "--from=nobody@x.example"), [])


@case("--action is what was done, or in observe would have been")
def actions():
    equal(rows("--action=reject"), [OLD, FIRST, OBSERVED])
    equal(rows("--action=tag"), [SPLIT])
    check(PLAIN in rows("--action=accept"))


@case("--symbol and --degraded; any check, all lists")
def symbols():
    equal(rows("--symbol=PDF_LINK_ONLY", "--until=2026-11-24"), [OLD])
    equal(rows("--symbol=NO_SUCH"), [])
    equal(rows("--degraded=time"), [OLD, FIRST, OBSERVED])
    equal(rows("--degraded=dnsbl"), [OLD, FIRST, OBSERVED])
    equal(rows("--degraded=any"), [OLD, FIRST, OBSERVED, HOSTILE])
    equal(rows("--degraded=any", "--limit=1"), [HOSTILE])
    equal(rows("--degraded=dns"), [])


@case("wrong values are usage errors that say what is right")
def usage():
    for args, part in ((["--since=soon"], "yesterday"),
                       (["--since=2026-02-30"], "no time"),
                       (["--action=bounce"], "tempfail"),
                       (["--limit=0"], "1 to"),
                       (["--limit=x"], "1 to"),
                       (["--format=xml"], "csv"),
                       (["--sinc=1d"], "--since"),
                       (["operand"], "usage")):
        check(part in assay("log", *args, status=USAGE)[1], args)


# --- log: forms --------------------------------------------------------------

@case("text is one line a message, with recipients where policies differ")
def text():
    lines = log().splitlines()
    equal(len(lines), 6 + 2 + 2)
    check(lines[1].startswith("2026-11-24 10:31:07  %s  reject  " %
                              REFS[FIRST]), lines[1])
    check("  accept (reject) " in lines[2], lines[2])
    check(lines[-1].endswith("for <bert@example.org>"), lines)
    equal(len(log("--rcpt", "--since=2026-11-24T10:35").splitlines()), 2)


@case("json has the fields of check and those of the record")
def json_form():
    o = json.loads(log("--format=json", "--limit=1"))
    for name in ("file ref action would decided_by score size dir symbols "
                 "spf dkim dmarc arc degraded ms recipients date time "
                 "queue_id reject_at").split():
        check(name in o, name, o)
    equal((o["file"], o["ref"], o["action"]), (None, REFS[SPLIT], "tag"))
    equal((o["score"], o["quarantine_at"]), (15.9, None))
    equal(o["recipients"], [
        {"addr": "anna@example.org", "action": "reject"},
        {"addr": "bert@example.org", "action": "tag"}])
    equal(sorted(o["symbols"][0]),
          ["count", "evidence", "name", "origin", "score"])
    equal(o["symbols"][2]["count"], 2.5)
    equal([s["result"] for s in o["dkim"]], ["fail", "pass"])
    equal(o["dkim"][0]["problem"], "body hash differs; no")
    equal(o["arc"]["result"], "none")


@case("hostile bytes are valid JSON, and the same text again")
def json_hostile():
    for line in log("--format=json").splitlines():
        o = json.loads(line)
        if o["ref"] == REFS[HOSTILE]:
            equal(o["mail_from"].replace("\0", "\ufffd"),
                  HOSTILE_TEXT.replace("\0", "\ufffd"))
            return
    check(False, "no such message")


def table(*args):
    return list(csv.DictReader(io.StringIO(
        log("--format=csv", *args), newline=""), strict=True))


@case("csv is read by other programs; its header names the fields")
def csv_form():
    got = table()
    equal([r["ref"] for r in got], REFS)
    check(all(None not in r and None not in r.values() for r in got),
          "rows of unequal length")
    row = got[FIRST]
    equal((row["queue_id"], row["score"], row["quarantine_at"]),
          ("4Xh2Qk3b9Yz", "15.900", ""))
    equal(row["header_from"], '"Muster" <invoice@muster.example>')
    equal(row["recipients"], "anna@example.org, bert@example.org")
    check(row["symbols"].startswith("BAYES_999:5.500, "), row["symbols"])


@case("csv --rcpt is a row for each recipient")
def csv_rcpt():
    got = table("--rcpt", "--limit=1")
    equal([(r["recipient"], r["recipient_action"]) for r in got],
          [("anna@example.org", "reject"), ("bert@example.org", "tag")])
    got = table("--rcpt", "--since=2026-11-24T10:33:07",
                "--until=2026-11-24T10:34")
    equal([r["recipient"] for r in got], [""])


@case("no cell of csv begins a formula, whatever separates cells")
def csv_formulas():
    for args in ([], ["--rcpt"]):
        raw = log("--format=csv", *args)
        for row in csv.reader(io.StringIO(raw, newline="")):
            for value in row:
                try:
                    float(value)    # -1.250 of ours
                except ValueError:
                    check(not value.lstrip().startswith(
                        ("=", "+", "-", "@")), value)
        for separator in ";\t":
            for row in csv.reader(io.StringIO(raw, newline=""),
                                  delimiter=separator):
                for value in row:
                    check(not value.startswith(("=", "+", "@")), value)


@case("a log that is not there is empty, csv has its header")
def no_log():
    state = os.path.join(TOP, "nothing")
    equal(log(state=state), "")
    check(log("--format=csv", state=state).startswith("ref,date,time,"))
    check(not os.path.exists(state), "it was made")


@case("without the key refs are not shown, and that is said")
def no_key():
    state = copy("keyless")
    os.unlink(os.path.join(state, "site.key"))
    out, error = assay("log", state=state)
    check("  -               reject" in out, out)
    check("refs are not shown" in error and "site.key" in error, error)
    check(not os.path.exists(os.path.join(state, "site.key")),
          "a key was made")


@case("who may not read the log is told who may")
def no_right():
    if os.geteuid() != 0:
        raise Skip("only root can become another user")
    if subprocess.run(["/usr/bin/test", "-x", ASSAY], user=NOBODY,
                      group=NOBODY, check=False).returncode:
        raise Skip("the build folder is closed to others")
    error = assay("log", status=NOPERM, user=NOBODY, group=NOBODY,
                  extra_groups=[])[1]
    check("root and the group" in error, error)


@case("a damaged day is told once; the other days are read")
def damaged():
    state = copy("damaged")
    for end in ("", "-wal", "-shm"):
        path = os.path.join(state, "verdicts/2026-11-23.db" + end)
        if os.path.exists(path):
            os.unlink(path)
    with open(os.path.join(state, "verdicts/2026-11-23.db"), "wb") as f:
        f.write(b"no database" * 1000)
    out, error = assay("log", state=state, status=DATAERR)
    check(REFS[FIRST] in out, out)
    check("2026-11-23.db" in error, error)
    out, error = assay("why", "4Xsplit", state=state, status=DATAERR)
    check(REFS[SPLIT] in out, out)
    equal(error.count("2026-11-23.db"), 1, error)


@case("a reader that ends early is no error text")
def early_end():
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c /dev/null -o rules.path= -o state="$1" '
         'log | head -n 1', ASSAY, os.path.join(TOP, "state")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
        check=False)
    equal(done.stderr, b"")
    equal(done.stdout.count(b"\n"), 1)


def copy(name):
    state = os.path.join(TOP, name)
    shutil.copytree(os.path.join(TOP, "state"), state)
    return state


# --- why ---------------------------------------------------------------------

@case("why REF in any spelling")
def why_ref():
    ref = REFS[FIRST]
    for typed in (ref, ref.lower(), ref.replace("-", ""),
                  ref.replace("-", " "), "  " + ref,
                  ref.replace("0", "O").replace("1", "l"),
                  ref.replace("-", "\u2011")):
        check(why(typed).startswith(ref + "  REFUSED (content)   "
                                    "2026-11-24 10:31:07 +0000   mx1"), typed)


@case("why says what, who, the results, the points and what turns it")
def why_text():
    out = why(REFS[FIRST])
    for part in ('  From      "Muster" <invoice@muster.example>',
                 "Message-ID <20261124.93@mailer.example>    212 KB\n",
                 "  Client    out7.mailer.example [203.0.113.9], TLSv1.3\n",
                 "  SPF       pass      mailer.example by ip4:",
                 "  DKIM      fail      muster.example (k1): body hash",
                 "  Not run   dnsbl:spamhaus-zen: ",
                 "  Points    15.900   tag 5, quarantine off, reject 15\n",
                 "     5.500  BAYES_999          99.97 %\n",
                 "/etc/assay/rules.d/local.cf:41\n",
                 "by the sum, 0.900 above reject.\n",
                 "into tag: no BAYES_999 (10.400), no URIBL_DBL_SPAM (11.9",
                 "  Replied   550 5.7.1 Refused as likely spam\n"):
        check(part in out, part, "not in", out)


@case("in observe it says what enforce would have done")
def why_observe():
    out = why("again@mailer.example")
    check("  ACCEPTED, would be REFUSED (content)  " in out, out)
    check("mode = enforce would have refused it" in out, out)


@case("a queue id that was used again lists all, newest first")
def why_queue_id():
    heads = [line for line in why("4Xh2Qk3b9Yz").splitlines()
             if line and line[0] != " "]
    equal([h.split()[0] for h in heads], [REFS[OBSERVED], REFS[FIRST]])
    equal(why("4XH2QK3B9YZ").split()[0], REFS[PLAIN])


@case("a Message-ID with brackets and without")
def why_message_id():
    for typed in ("<old@mailer.example>", "old@mailer.example"):
        equal(why(typed).split()[0], REFS[OLD])


@case("--json is an object a line")
def why_json():
    lines = why("--json", "4Xh2Qk3b9Yz").splitlines()
    equal([json.loads(x)["ref"] for x in lines],
          [REFS[OBSERVED], REFS[FIRST]])


@case("hostile texts are escaped in words too")
def why_hostile():
    out = why(REFS[HOSTILE])
    check("\\x1b[2J\\xc2\\x9b\\x0d\\x0a" in out, out)


BOUNCE = """From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Message-ID: <20261124103108.1@out7.mailer.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain; charset=us-ascii
%s
--b
Content-Type: message/rfc822

Received: by out7.mailer.example (Postfix) id %s
Message-ID: <%s>
--b--
"""


@case("why - finds the ref in a bounce, in any spelling and coding")
def why_bounce():
    ref = REFS[FIRST]
    said = ("\n<anna@example.org>: host mx.example.org said: 550 5.7.1 "
            "Refused (ref %s) https://mail.example.org/%s (in reply to end "
            "of DATA command)\n")
    texts = [said % (ref, ref), said % (ref.lower(), ""),
             said % (ref.replace("-", ""), ""),
             said % (ref[:6] + "=\n" + ref[6:], ""),
             "Content-Transfer-Encoding: base64\n\n" +
             base64.encodebytes((said % (ref, "")).encode()).decode(),
             "\nit says " + ref.replace("-", " ") + " she said\n"]
    for given in texts:
        for end in ("\n", "\r\n"):
            mail = BOUNCE % (given, "4Xnothing", "nothing@x.example")
            out = why("-", stdin=mail.replace("\n", end).encode())
            equal(out.split()[0], ref, given)
            equal(out.count("Decided"), 1)


@case("failing that a queue id or the Message-ID of the message itself")
def why_bounce_others():
    mail = BOUNCE % ("\nno ref\n", "4Xsplit", "old@mailer.example")
    equal(why("-", stdin=mail.encode()).split()[0], REFS[SPLIT])
    mail = BOUNCE % ("\nno ref\n", "4Xnothing", "old@mailer.example")
    equal(why("-", stdin=mail.encode()).split()[0], REFS[OLD])


@case("what is not found: what was looked for, and how far the log reaches")
def why_nothing():
    error = assay("why", "4Xnothing", status=NOINPUT)[1]
    check("queue id 4Xnothing" in error and
          "reaches back to 2026-11-23 10:31:07 +0000" in error, error)
    error = assay("why", "-", stdin=b"hello\n", status=NOINPUT)[1]
    check("nothing there" in error, error)
    error = assay("why", "\x1b[2J@x.example", status=NOINPUT)[1]
    check("\\x1b[2J@x.example" in error, error)
    state = os.path.join(TOP, "nothing")
    error = assay("why", "4Xnothing", state=state, status=NOINPUT)[1]
    check("the log is empty" in error, error)


@case("a misread ref is called so; one of another time says of which")
def why_misread():
    ref = REFS[FIRST]
    wrong = ("B" if ref[0] == "A" else "A") + ref[1:]
    error = assay("why", wrong, status=NOINPUT)[1]
    check("no ref: a character of %s is wrong" % wrong in error, error)
    state = os.path.join(TOP, "young")
    os.mkdir(state)
    shutil.copy(os.path.join(TOP, "state/site.key"), state)
    error = assay("why", ref, state=state, status=NOINPUT)[1]
    check("(made 2026-11-24 10:31:07 +0000)" in error, error)


@case("without the key refs cannot be looked up, queue ids can")
def why_no_key():
    state = os.path.join(TOP, "keyless")
    check(os.path.isdir(state), "made by a case before")
    error = assay("why", REFS[FIRST], state=state, status=NOINPUT)[1]
    check("refs were not looked for: " in error and "site.key" in error,
          error)
    check("TAGGED" in why("4Xsplit", state=state))


@case("why wants one argument")
def why_usage():
    assay("why", status=USAGE)
    assay("why", "a", "b", status=USAGE)


@case("a bounce without end is read to a limit")
def why_endless():
    ref = REFS[FIRST].encode()
    filler = b"x" * 70 + b"\n"
    equal(why("-", stdin=ref + b"\n" + filler * 60000).split()[0],
          REFS[FIRST])
    assay("why", "-", stdin=filler * 60000 + ref, status=NOINPUT)


def main():
    global TOP
    if not (os.access(ASSAY, os.X_OK) and os.access(WRITE, os.X_OK)):
        print("1..0 # SKIP assay and write_verdicts are not built")
        return 0
    os.umask(0o022)
    TOP = tempfile.mkdtemp(prefix="assay-log-")
    tap = Tap()
    try:
        os.chmod(TOP, 0o755)
        state = os.path.join(TOP, "state")
        os.mkdir(state)
        REFS.extend(subprocess.run(
            [WRITE, state], stdout=subprocess.PIPE, timeout=60,
            check=True).stdout.decode().split())
        for claim, function in CASES:
            tap.run(claim, function)
    finally:
        shutil.rmtree(TOP, ignore_errors=True)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
