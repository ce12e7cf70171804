"""The SPF suites of RFC 7208 and RFC 4408 (see their README): where they are,
their cases, and their zones in three forms. Needs PyYAML beside the standard
library.

The suites are not part of the tree: they are looked for in
../shared/conformance/spf-rfc7208 beside it, or in $SPF_SUITE.
"""

import os
import re
import sys

SUITES = ("rfc7208-tests.yml", "rfc4408-tests.yml")
SOURCE = os.environ.get("srcdir") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..")


def skip_all(what, why):
    print("1..0 # SKIP %s: %s" % (what, why))
    sys.exit(0)


def documents(what):
    """(suite's short name, document) of all scenarios; ends the program, all
    skipped, where there are none."""
    try:
        import yaml
    except ImportError:
        skip_all(what, "no PyYAML for " + sys.executable)
    folder = os.environ.get("SPF_SUITE") or os.path.join(
        SOURCE, "..", "shared", "conformance", "spf-rfc7208")
    paths = [os.path.join(folder, name) for name in SUITES]
    if not all(os.path.exists(path) for path in paths):
        skip_all(what, "not in " + folder)
    for path in paths:
        with open(path, encoding="utf-8") as f:
            for document in yaml.safe_load_all(f):
                if document:
                    yield os.path.basename(path)[:7], document


# --- zones --------------------------------------------------------------------

def as_bytes(value):
    """Values are UTF-8; numbers appear where a text is meant."""
    if isinstance(value, bytes):
        return value
    return str(value).encode("utf-8")


def zone_name(name):
    """An owner or target; its labels may hold any byte."""
    out = ""
    for byte in as_bytes(name):
        char = chr(byte)
        plain = char.isalnum() and byte < 128 or char in "-_."
        out += char if plain else "\\%03d" % byte
    return out.rstrip(".") + "."


def zone_string(value):
    out = ""
    for byte in as_bytes(value):
        plain = 0x20 <= byte < 0x7F and byte not in b'"\\'
        out += chr(byte) if plain else "\\%03d" % byte
    return '"' + out + '"'


def rdata(kind, value):
    if kind == "TXT":
        parts = value if isinstance(value, list) else [value]
        return " ".join(zone_string(part) for part in parts) or '""'
    if kind == "MX":
        return "%d %s" % (value[0], zone_name(value[1]))
    if kind in ("PTR", "CNAME", "NS"):
        return zone_name(value)
    return str(value)


def records(document):
    """(name, kind, value) of a scenario, as the suite's README says: kind None
    for every type that the name has no record of, value None for a question
    that gets no answer."""
    for name, entries in document["zonedata"].items():
        own_txt = any(isinstance(e, dict) and "TXT" in e for e in entries)
        for entry in entries:
            if entry == "TIMEOUT":
                yield name, None, None
                continue
            for kind, value in entry.items():
                if kind == "SPF" and own_txt or value == "NONE":
                    continue
                kind = "TXT" if kind == "SPF" else kind
                yield name, kind, None if value == "TIMEOUT" else value
    # Names below error. that are not listed time out.
    listed = {str(name).lower() for name in document["zonedata"]}
    named = re.findall(r"\berror\.[a-z0-9.-]*[a-z0-9]",
                       repr(document).lower())
    for name in sorted(set(named) - listed):
        yield name, None, None


def zone_lines(document):
    """Master-file lines, with assay's pseudo-type TIMEOUT."""
    for name, kind, value in records(document):
        if value is None:
            yield "%s TIMEOUT %s" % (zone_name(name), kind or "")
        else:
            yield "%s %s %s" % (zone_name(name), kind, rdata(kind, value))


# --- cases --------------------------------------------------------------------

def case_problem(case, result, explanation, problem=""):
    """None, or what is wrong with an answer; explanation DEFAULT: none."""
    want = case["result"]
    want = want if isinstance(want, list) else [want]
    if result not in want:
        return "got %s (%s), want %s" % (result, problem, " or ".join(want))
    text = case.get("explanation")
    if text is not None and result == "fail" and explanation != str(text):
        return "got explanation %r, want %r" % (explanation, text)
    return None
