#!/usr/bin/python3
"""A second opinion on SPF: python3-spf and filter/auth judge the same clients by
the same mutated records, and each difference has a name.

Records and clients are those of the SPF suites, the mutations are seeded. What
python3-spf is known to get wrong stands in DIFFERENCES with the section of
RFC 7208 that says so; a difference that no entry explains fails.
ASSAY_TEST_LONG=1 judges 5,000 records, else it is 1,000, with sanitizers 200;
ASSAY_TEST_SEED chooses others. Prints TAP.
"""

import copy
import os
import random
import re
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from fixture import Tap
from spf_suite import (as_bytes, documents, records, skip_all, zone_lines)

WHAT = "second opinion on SPF"
LONG = bool(os.environ.get("ASSAY_TEST_LONG"))
COUNT = 5000 if LONG else 200 if os.environ.get("ASAN_OPTIONS") else 1000
SEED = int(os.environ.get("ASSAY_TEST_SEED") or 7208)

try:
    import spf
except ImportError:
    skip_all(WHAT, "no python3-spf")


# --- mutations ----------------------------------------------------------------

BYTES = " %{}/:.-+~?=_,\\\"\x00\n\x7f\xe9019alist" + "dohcrtpvSLODIPV"
TERMS = ["all", "a", "mx", "ptr", "a/24", "a//64", "mx/0", "ip4:1.2.3.4/0",
         "ip6:::/0", "ip4:1.2.3", "include:", "exists:", "redirect=", "exp=",
         "REDIRECT=e1.example.com", "x-y.z=%{d}", "x=%{q}", "moo", "-ALL",
         "exists:%{ir}.%{v}.arpa", "a:%{d2}", "a:%{dr-}", "include:%{o}",
         "mx:%{p}.example.com", "exists:%{l0}.com", "a:%{d", "ptr:%{d}"]


def change_text(rng, text):
    at = rng.randrange(len(text) + 1)
    to = min(len(text), at + rng.randrange(1, 8))
    return rng.choice((
        lambda: text[:at] + rng.choice(BYTES) + text[at:],
        lambda: text[:at] + text[at + 1:],
        lambda: text[:at] + rng.choice(BYTES) + text[at + 1:],
        lambda: text[:at] + text[at:to] * 2 + text[to:],
        lambda: text[:at] + text[to:],
        lambda: text[:at] + text[at:to].swapcase() + text[to:],
        lambda: re.sub(r"\d+", lambda m: str(rng.choice(
            (0, 1, 8, 24, 32, 33, 64, 128, 129, 256, "08"))), text, count=1),
    ))()


def change_terms(rng, text, pool):
    words = text.split(" ")
    at, other = rng.randrange(len(words)), rng.randrange(len(words))
    word = words[at]
    change = rng.randrange(6)
    if change == 0:
        words.insert(at + 1, rng.choice(pool))
    elif change == 1:
        words.insert(at + 1, word)
    elif change == 2:
        words[at], words[other] = words[other], words[at]
    elif change == 3 and at:
        words[at] = rng.choice("+-~?") + word.lstrip("+-~?")
    elif change == 4 and at:
        words[at] = word + rng.choice(("/24", "//64", "/0", "/33", ".", "/"))
    elif at:
        del words[at]
    return " ".join(words)


def mutate(rng, text, pool):
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if rng.random() < 0.5:
            text = change_terms(rng, text, pool)
        else:
            text = change_text(rng, text)
    return text


def text_of(entry):
    """The record in an entry of zonedata, or None."""
    if not isinstance(entry, dict):
        return None
    value = entry.get("SPF", entry.get("TXT"))
    if isinstance(value, list):
        value = "".join(str(v) for v in value)
    text = str(value)
    return text if text.lower().startswith("v=spf1") else None


def mutants():
    """(zone, case, mutated text), without end."""
    rng = random.Random(SEED)
    base, pool = [], set(TERMS)
    for _, document in documents(WHAT):
        for case in document["tests"].values():
            base.append((document, case))
        for entries in document["zonedata"].values():
            for entry in entries:
                pool.update((text_of(entry) or "").split(" ")[1:])
    pool = sorted(pool)
    while True:
        document, case = rng.choice(base)
        zone = copy.deepcopy(document["zonedata"])
        places = [(name, i) for name, entries in zone.items()
                  for i, entry in enumerate(entries) if text_of(entry)]
        domain = (str(case["mailfrom"]) or str(case["helo"]))
        own = [p for p in places
               if p[0] == domain.rpartition("@")[2]]
        if not places:
            continue
        name, i = rng.choice(own if own and rng.random() < 0.8 else places)
        text = mutate(rng, text_of(zone[name][i]), pool)
        zone[name][i] = {"TXT": text}
        yield {"zonedata": zone}, case, text


# --- the two ------------------------------------------------------------------

def in_strings(document):
    """For master files: no string of more than 255 bytes."""
    for entries in document["zonedata"].values():
        for entry in entries:
            if isinstance(entry, dict) and isinstance(entry.get("TXT"), str):
                data = entry["TXT"].encode()
                entry["TXT"] = [data[i:i + 255] for i in
                                range(0, len(data), 255)] or [b""]
    return document


def field(value):
    return "".join(chr(b) if 0x20 <= b < 0x7F and b != 37 else "%%%02X" % b
                   for b in as_bytes(value))


class Ours:
    def __init__(self, folder):
        self.folder, self.n = folder, 0
        self.driver = subprocess.Popen(
            [os.path.join(os.environ.get("builddir", "."), "tests",
                          "conformance", "spf_driver")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            encoding="latin-1")

    def judge(self, document, case):
        # Another name each time: the driver keeps a zone that it knows.
        self.n += 1
        path = os.path.join(self.folder, "zone-%d" % self.n)
        with open(path, "w", encoding="ascii") as f:
            f.writelines(line + "\n" for line in zone_lines(document))
        self.driver.stdin.write("\t".join((
            path, str(case["host"]), field(case["helo"]),
            field(case["mailfrom"]))) + "\n")
        self.driver.stdin.flush()
        answer = self.driver.stdout.readline().rstrip("\n").split("\t")
        os.unlink(path)
        if len(answer) != 3:
            raise RuntimeError("spf_driver ended")
        return answer

    def stop(self):
        self.driver.stdin.close()
        return self.driver.wait()


def lookup(document):
    """What python3-spf calls in place of its DNS client."""
    table, silent = {}, set()
    for name, kind, value in records(document):
        name = str(name).lower().rstrip(".")
        if value is None:
            silent.add((name, kind))
        else:
            table.setdefault((name, kind), []).append(value)

    def shape(kind, value):
        if kind == "AAAA":
            return socket.inet_pton(socket.AF_INET6, str(value))
        if kind == "TXT":
            return tuple(as_bytes(v) for v in
                         (value if isinstance(value, list) else [value]))
        if kind == "MX":
            return value[0], str(value[1]).rstrip(".")
        return str(value).rstrip(".")

    def ask(name, kind, strict=True, timeout=0):
        name = name.lower().rstrip(".")
        if (name, kind) in silent or (
                (name, None) in silent and (name, kind) not in table):
            raise spf.TempError("DNS timeout")
        for k in (kind, "CNAME"):
            for value in table.get((name, k), ()):
                yield (name, k), shape(k, value)

    return ask


def theirs(document, case):
    spf.DNSLookup = lookup(document)
    query = spf.query(i=str(case["host"]), s=str(case["mailfrom"]),
                      h=str(case["helo"]), receiver="unknown")
    query.set_default_explanation("DEFAULT")
    try:
        result, _, explanation = query.check()
    except Exception as e:
        return "crash", "%s: %s" % (type(e).__name__, e)
    return result, explanation


# --- differences --------------------------------------------------------------

MACRO = re.compile(r"%%|%_|%-|%\{[slodiphv]0*(?:[1-9][0-9]*)?r?[-.+,/_=]*\}",
                   re.IGNORECASE)


def has_odd_byte(text, mine, other):
    return any(not 0x21 <= ord(c) <= 0x7E for c in text.replace(" ", ""))


def has_odd_macro(text, mine, other):
    return "%" in MACRO.sub("", text)


def has_zero(text, mine, other):
    return re.search(r"%\{[a-z]0+[^0-9]", text, re.IGNORECASE)


def has_capitals(text, mine, other):
    return any(m.group() not in ("redirect=", "exp=") for m in re.finditer(
        r"\b(?:redirect|exp)=", text, re.IGNORECASE))


def is_repeated(text, mine, other):
    m = re.search(r"(\S+)= MUST appear at most once", other[1])
    return other[0] == "permerror" and m and m.group(1) not in ("exp",
                                                                "redirect")


def has_bare_exists(text, mine, other):
    return re.search(r" [-+~?]?exists( |$)", text, re.IGNORECASE)


def is_of_void(text, mine, other):
    return "Void lookup limit" in other[1]


def is_of_itself(text, mine, other):
    return "include has trivial recursion" in other[1]


def is_of_redirect(text, mine, other):
    return "redirect=" in text.lower() and "Too many DNS" in other[1]


def has_capital_r(text, mine, other):
    return re.search(r"%\{[a-zA-Z][0-9]*R", text)


# What python3-spf gets wrong: a name, the section that says so, how it shows.
DIFFERENCES = [
    ("an unknown modifier may stand twice", "6", is_repeated),
    ("REDIRECT= and EXP= in capitals are modifiers", "4.6.1", has_capitals),
    ("a byte that is not printable ends no term", "12", has_odd_byte),
    ("what no macro is, also unclosed, is a permerror", "7.1", has_odd_macro),
    ("a transformer of 0 is a permerror", "7.1", has_zero),
    ("`exists` needs a name", "5.7", has_bare_exists),
    ("R reverses as r does", "7.1", has_capital_r),
    ("an include of its own record fails when it is reached", "5.2",
     is_of_itself),
    ("redirect= counts when it is followed", "6.1", is_of_redirect),
    ("names behind MX and PTR are no void lookups", "4.6.4", is_of_void),
]


def differ(mine, other, document):
    if mine[0] != other[0]:
        return True
    # The time in an explanation is each one's own.
    return (mine[0] == "fail" and mine[1] != other[1] and
            "%{t" not in repr(document).lower())


def main():
    tap = Tap()
    names = {name: 0 for name, _, _ in DIFFERENCES}
    unknown = []
    with tempfile.TemporaryDirectory(prefix="assay-spf-") as folder:
        ours = Ours(folder)
        source = mutants()
        for _ in range(COUNT):
            document, case, text = next(source)
            document = in_strings(document)
            mine, other = ours.judge(document, case), theirs(document, case)
            if not differ(mine, other, document):
                continue
            for name, _, shows in DIFFERENCES:
                if shows(text, mine, other):
                    names[name] += 1
                    break
            else:
                unknown.append("%r of %r: ours %r, theirs %r" % (
                    text, case["mailfrom"], mine, other))
        tap.ok(ours.stop() == 0, "the driver ends well")
    tap.ok(not unknown, "%d records, each difference explained" % COUNT,
           "seed %d\n%s" % (SEED, "\n".join(unknown)))
    for name, section, _ in DIFFERENCES:
        print("# RFC 7208 section %s: %s: %d" % (section, name, names[name]))
    return tap.done()


sys.exit(main())
