#!/usr/bin/python3
"""assay learn: training with and without a running assayd, what it makes of
a message that is scanned, and the form of `learn eval`.

srcdir and builddir name the folders, as make check sets them. Prints TAP.
"""

import json
import math
import os
import subprocess
import sys

SOURCE = os.path.abspath(os.environ.get("srcdir") or
                         os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.abspath(os.environ.get("builddir") or ".")
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))
from fixture import (Assayd, Scratch, Skip, Tap, check, equal,  # noqa: E402
                     stopped_clean)

ASSAY = os.path.join(BUILD, "assay")
CORPUS = os.path.join(SOURCE, "../shared/corpus")
USAGE, DATAERR, NOINPUT, NOPERM, CONFIG = 64, 65, 66, 77, 78
NOBODY = 65534
N = 12      # more than learn.min_spam and learn.min_ham are by default

SPAM = ("Subject: outstanding invoice\nX-Mailer: PHPMailer\n",
        "Wire the outstanding amount today, click http://www.example.net/pay\n")
HAM = ("Subject: minutes of the meeting\nX-Mailer: Mutt\n",
       "Attached are the minutes, see you on Thursday in the office.\n")
JUDGED = ("Subject: outstanding invoice\nX-Mailer: PHPMailer\n",
          "Please wire the outstanding amount now: http://www.example.net/pay\n")

SCRATCH = None


def text(kind, n, crlf=False):
    head, body = kind
    message = ("From: someone@example.com\nTo: b@example.org\n%s"
               "Date: Tue, 24 Nov 2026 10:00:00 +0000\n"
               "Message-ID: <%s%d@example.com>\n\n%s" %
               (head, "smh"[(SPAM, JUDGED, HAM).index(kind)], n, body))
    return message.replace("\n", "\r\n") if crlf else message


def write_corpus():
    SCRATCH.folder("spam")
    for n in range(N):
        SCRATCH.write("spam/%02d" % n, text(SPAM, n, crlf=n % 2))
    for sub in ("cur", "new", "tmp"):
        SCRATCH.folder("ham", sub)
        for n in range(N):
            if sub == "tmp" or n % 2 == (sub == "cur"):
                SCRATCH.write("ham/%s/%d:2,S" % (sub, n + 100 *
                                                 (sub == "tmp")),
                              text(HAM, n + 100 * (sub == "tmp")))
    SCRATCH.write("judged", text(JUDGED, 1))
    SCRATCH.write("index", "".join(
        "spam spam/%02d 0 x%d\nham ham/%s/%d:2,S 0 y\n" %
        (n, n, "new" if n % 2 == 0 else "cur", n) for n in range(N)))


class Site:
    """A state folder of its own, used without a daemon."""

    def __init__(self, name):
        self.state = os.path.join(SCRATCH.folder(name), "state")

    def assay(self, *words, status=0, stdin=b"", **more):
        done = subprocess.run(
            [ASSAY, "-c", "/dev/null", "-o", "rules.path=", "-o",
             "state=" + self.state, "-o",
             "control=" + self.state + "/control.sock", *words],
            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=120, check=False, cwd=SCRATCH.path, **more)
        error = done.stderr.decode()
        equal(done.returncode, status, " ".join(words) + ": " + error)
        return done.stdout.decode(), error

    def learn(self, *words, **more):
        return self.assay("learn", *words, **more)[0]


def symbols_of(out):
    return {s["name"]: s for s in json.loads(out)["symbols"]
            if s["name"].startswith("BAYES")}


# --- without a daemon ----------------------------------------------------------

def alone():
    site = Site("alone")
    equal(site.learn("spam", "spam"), "learned %d, known 0, relearned 0\n" % N)
    equal(site.learn("ham", "ham"), "learned %d, known 0, relearned 0\n" % N)
    equal(site.learn("spam", "spam", "spam/00"),
          "learned 0, known %d, relearned 0\n" % (N + 1))
    equal(site.learn("ham", "spam/00"), "learned 0, known 0, relearned 1\n")
    equal(site.learn("spam", "spam/00"), "learned 0, known 0, relearned 1\n")
    equal(site.learn("forget", "judged"), "forgotten 0, unknown 1\n")


def line_ends():
    site = Site("line-ends")
    equal(site.learn("spam", stdin=text(SPAM, 1).encode()),
          "learned 1, known 0, relearned 0\n")
    for data in (text(SPAM, 1, crlf=True),
                 "X-Spam-Flag: YES\nReturn-Path: <x@example.com>\n" +
                 text(SPAM, 1),
                 text(SPAM, 1).replace("Subject: ", "Subject: [SPAM] ")):
        equal(site.learn("spam", "-", stdin=data.encode()),
              "learned 0, known 1, relearned 0\n", data)


def mbox():
    site = Site("mbox")
    SCRATCH.write("two.mbox", "From x Tue\n%s\nFrom y Tue\n%s" %
                  (text(SPAM, 1), text(SPAM, 2)))
    equal(site.learn("spam", "two.mbox"), "learned 2, known 0, relearned 0\n")
    equal(site.learn("spam", "spam/01", "spam/02"),
          "learned 0, known 2, relearned 0\n")


def stats():
    site = Site("stats")
    out = site.learn("stats")
    check("spam       0 of 10 needed" in out and "off" in out, out)
    check(not os.path.exists(site.state), "stats made a state folder")
    site.learn("spam", "spam")
    site.learn("ham", "ham/new", "ham/cur")
    out = site.learn("stats")
    check("spam       %d of 10 needed" % N in out, out)
    check("BAYES_*    on" in out, out)
    site.learn("forget", "spam", "ham")
    out = site.learn("stats")
    check("spam       0 of" in out and "tokens     0\n" in out, out)


def unreadable():
    site = Site("unreadable")
    out, error = site.assay("learn", "spam", "nothing", "spam/00",
                            status=NOINPUT)
    equal(out, "learned 1, known 0, relearned 0\n")
    check("nothing: No such file" in error, error)


def scorer():
    site = Site("scorer")
    scan = ("check", "--local", "--format=json", "judged")
    equal(symbols_of(site.assay(*scan)[0]), {})
    site.learn("spam", "spam")
    equal(symbols_of(site.assay(*scan)[0]), {}, "one class alone")
    site.learn("ham", "ham")
    got = symbols_of(site.assay(*scan)[0])
    check("BAYES_99" in got, got)
    evidence = got["BAYES_99"]["evidence"]
    check(" %:" in evidence and "outstanding" in evidence, evidence)
    check(sum(s["score"] for s in got.values()) < 15, got)
    SCRATCH.write("wanted", text(HAM, 77))
    got = symbols_of(site.assay(*scan[:-1], "wanted")[0])
    equal(list(got), ["BAYES_00"])
    site.learn("forget", "spam")
    equal(symbols_of(site.assay(*scan)[0]), {}, "forgotten")


def minimum():
    site = Site("minimum")
    few = ("-o", "learn.min_spam=1", "-o", "learn.min_ham=1")
    site.learn("spam", "spam/00")
    site.learn("ham", "ham/new/0:2,S")
    scan = ("check", "--local", "--format=json", "judged")
    equal(symbols_of(site.assay(*scan)[0]), {})
    check(symbols_of(site.assay(*few, *scan)[0]), "nothing at 1 and 1")


# --- eval ------------------------------------------------------------------------

def scores(out):
    rows = [line.split("\t") for line in out.splitlines()]
    check(all(len(row) == 3 for row in rows), out)
    return [(path, label, float(score)) for path, label, score in rows]


def evaluation():
    site = Site("eval")
    index = os.path.join(SCRATCH.path, "index")
    rows = scores(site.learn("eval", index))
    with open(index) as f:
        want = [tuple(line.split()[:2]) for line in f]
    equal([(label, path) for path, label, _ in rows], want)
    equal([s for _, _, s in rows[:2]], [0, 0], "undecided at first")
    for _, label, score in rows[6:]:
        check((score > 0) == (label == "spam"), rows)
    equal(scores(site.assay("learn", "eval", "index")[0]), rows,
          "by another path")
    check(not os.path.exists(site.state), "eval wrote into the site's state")
    for _, _, score in rows:
        equal(float("%.17g" % score), score)


def evaluation_train():
    site = Site("eval-train")
    equal({s for _, _, s in scores(site.learn("eval", "index", "--train",
                                              "0"))}, {0.0})
    rows = scores(site.learn("eval", "--train=4", "index"))
    check(rows[-2][2] > 0 > rows[-1][2], rows)
    # Not trained any more: the same message gets the same again.
    SCRATCH.write("again", "spam spam/00\nham ham/new/0:2,S\n" +
                  "spam judged\n" * 3)
    again = [s for _, _, s in scores(site.learn("eval", "again",
                                                "--train", "2"))]
    check(again[2] == again[3] == again[4] != 0, again)


def evaluation_errors():
    site = Site("eval-errors")
    SCRATCH.write("missing", "spam spam/00\nham nowhere\nspam spam/01\n")
    out, error = site.assay("learn", "eval", "missing", status=NOINPUT)
    equal(len(scores(out)), 1)
    check("missing:2: " in error and "nowhere" in error, error)
    SCRATCH.write("folder", "spam spam\n")
    site.assay("learn", "eval", "folder", status=NOINPUT)
    SCRATCH.write("odd", "junk spam/00\n")
    site.assay("learn", "eval", "odd", status=DATAERR)
    site.assay("learn", "eval", "no-index", status=NOINPUT)
    site.assay("learn", "eval", status=USAGE)
    site.assay("learn", "eval", "index", "--train", "x", status=USAGE)
    SCRATCH.write("empty", "")
    equal(site.learn("eval", "empty"), "")


def corpus():
    """What it is worth, on 1,000 messages of the development corpus."""
    base = os.environ.get("ASSAY_CORPUS") or "/tmp/corpus/dev"
    index = os.path.join(base, "sa/index")
    if not (os.path.exists(index) and
            os.path.exists(os.path.join(CORPUS, "evaluate.py"))):
        raise Skip("no corpus (ASSAY_CORPUS)")
    with open(index) as f:
        lines = f.readlines()[700:1700]
    short = SCRATCH.write("corpus-index", "".join(
        "%s %s\n" % (line.split()[0],
                     os.path.join(base, "sa", line.split()[1]))
        for line in lines))
    rows = scores(Site("corpus").learn("eval", short))[200:]
    wrong = sum((s > 0) != (label == "spam") for _, label, s in rows)
    check(wrong < 0.05 * len(rows), wrong, "of", len(rows))
    check(all(math.isfinite(s) for _, _, s in rows))


# --- with a daemon -----------------------------------------------------------------

def by_daemon(tap):
    # Where others reach it, unlike the state folder.
    daemon = Assayd(SCRATCH, "daemon", conf="learn { trainers = { daemon } }",
                    options=("control=%s/control.sock" %
                             SCRATCH.folder("daemon"),))

    def learn(*words, status=0, user=None):
        paths = [os.path.join(SCRATCH.path, w) for w in words[1:]]
        done = daemon.assay("learn", words[0], *paths, user=user)
        equal(done.returncode, status, done.stderr.decode())
        return done.stdout.decode() + done.stderr.decode()

    def trains():
        equal(learn("spam", "spam"),
              "learned %d, known 0, relearned 0\n" % N)
        equal(learn("ham", "ham"), "learned %d, known 0, relearned 0\n" % N)
        equal(learn("spam", "spam"),
              "learned 0, known %d, relearned 0\n" % N)
        equal(learn("spam", "two.mbox"),
              "learned 0, known 2, relearned 0\n")
        check("BAYES_*    on" in learn("stats"), "not on")

    def scans():
        done = daemon.assay("check", "--local", "--format=json",
                            os.path.join(SCRATCH.path, "judged"))
        check("BAYES_99" in symbols_of(done.stdout.decode()), done)

    def unreadable_too():
        got = learn("spam", "nothing", "spam/00", status=NOINPUT)
        check("known 1" in got, got)

    def refuses():
        if os.getuid() != 0:
            raise Skip("needs root")
        done = subprocess.run(["test", "-x", ASSAY], user=NOBODY,
                              group=NOBODY, check=False)
        if done.returncode:
            raise Skip("the build folder is closed to others")
        got = learn("spam", "judged", status=NOPERM, user="nobody")
        check("learned 0" in got and "not allowed" in got, got)
        check("spam       %d of" % N in learn("stats"), "trained all the same")

    def trainer():
        if os.getuid() != 0:
            raise Skip("needs root")
        done = subprocess.run(["test", "-x", ASSAY], user="daemon",
                              group="daemon", check=False)
        if done.returncode:
            raise Skip("the build folder is closed to others")
        equal(learn("spam", "judged", user="daemon"),
              "learned 1, known 0, relearned 0\n")
        equal(learn("forget", "judged", user="daemon"),
              "forgotten 1, unknown 0\n")

    tap.run("a running assayd is given the messages and trains", trains)
    tap.run("what it learned counts in the next scan", scans)
    tap.run("a message that cannot be read is exit 66, others are trained",
            unreadable_too)
    tap.run("who is no trainer is refused, exit 77", refuses)
    tap.run("a user of learn.trainers trains", trainer)
    daemon.stop()
    stopped_clean(tap, daemon)
    tap.run("when it has ended, the command goes on in the same store",
            lambda: equal(learn("spam", "spam"),
                          "learned 0, known %d, relearned 0\n" % N))


def main():
    global SCRATCH
    if not (os.access(ASSAY, os.X_OK) and
            os.access(os.path.join(BUILD, "assayd"), os.X_OK)):
        print("1..0 # SKIP assay and assayd are not built")
        return 0
    tap = Tap()
    with Scratch("learn") as SCRATCH:
        write_corpus()
        for claim, function in (
                ("folders, Maildirs and files are trained, once each", alone),
                ("a message is the same in LF, CRLF, and marked as spam",
                 line_ends),
                ("an mbox is taken apart", mbox),
                ("stats says what is there and what is needed; forgetting all "
                 "leaves no token", stats),
                ("an unreadable message is exit 66, others are trained",
                 unreadable),
                ("BAYES_* speak when both classes were trained, and why",
                 scorer),
                ("learn.min_spam and learn.min_ham say from when", minimum),
                ("eval prints path, label and log-odds before it trains",
                 evaluation),
                ("eval --train scores only after N messages",
                 evaluation_train),
                ("eval ends at what it cannot read", evaluation_errors),
                ("eval tells spam from ham on real mail", corpus)):
            tap.run(claim, function)
        by_daemon(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
