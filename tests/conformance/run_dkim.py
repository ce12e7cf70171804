#!/usr/bin/python3
"""DKIM vectors of others against filter/auth.

Prints TAP, a line a message. The vectors are not part of the tree: they are
looked for in ../shared/conformance/dkim beside it, or in $DKIM_SUITE. Every
message is judged twice, with its body whole and in small pieces.
"""

import glob
import json
import os
import subprocess
import sys
import tempfile

NOW = 1795520000
PIECE = 7

# Where rspamd's tests expect what is a limit of rspamd, or its reading of a
# fault; what we answer, and why.
RSPAMD_OURS = {
    "dkim_huge_hlist.eml": ("permerror", "h= has more names than we take"),
    "dkim_large_hlist.eml": ("permerror", "there is no key"),
    "dkim_many_sigs.eml": ("pass", "we judge 15, rspamd 5"),
    "dkim_key_too_long.eml": ("permerror", "16,384 bits"),
    "dkim_key_wide_ok.eml": ("fail", "the signature is made up"),
}

RSPAMD_WORDS = {
    "R_DKIM_ALLOW": "pass",
    "R_DKIM_REJECT": "fail",
    "R_DKIM_PERMFAIL": "permerror",
    "R_DKIM_TEMPFAIL": "temperror",
    "R_DKIM_NA": "none",
}


def zone_string(value):
    out = ""
    for byte in value.encode("utf-8"):
        plain = 0x20 <= byte < 0x7F and byte not in b'"\\'
        out += chr(byte) if plain else "\\%03d" % byte
    return out


def txt(name, value):
    pieces = [value[i : i + 200] for i in range(0, len(value), 200)] or [""]
    strings = " ".join('"%s"' % zone_string(piece) for piece in pieces)
    return "%s. TXT %s\n" % (name.rstrip("."), strings)


class Judge:
    def __init__(self, driver, folder):
        self.process = subprocess.Popen(
            [driver], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.folder = folder
        self.files = 0

    def file(self, data):
        """A name for the tests' own copy of some bytes."""
        self.files += 1
        path = os.path.join(self.folder, "f%d" % self.files)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode("utf-8"))
        return path

    def once(self, zone, message, chunk, now):
        self.process.stdin.write("%s\t%d\t%d\t%s\n" % (zone, now, chunk, message))
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("dkim_driver ended")
        return line.rstrip("\n").split("\t")

    def __call__(self, zone, message, now=NOW):
        results, why = self.once(zone, message, 0, now)
        pieces = self.once(zone, message, PIECE, now)
        if pieces != [results, why]:
            results += " but in pieces " + pieces[0]
        return results, why


class Tap:
    def __init__(self):
        self.n = self.failed = 0

    def case(self, claim, good, detail):
        self.n += 1
        claim = claim.replace("#", "")
        print("%s %d - %s" % ("ok" if good else "not ok", self.n, claim))
        if not good:
            self.failed += 1
            print("# " + detail)

    def done(self):
        print("1..%d" % self.n)
        return 1 if self.failed else 0


# --- the suites ---------------------------------------------------------------


def allowed(expected, got):
    """Each signature has one of the results that the table allows for it."""
    want = expected.split(",")
    have = got.split(",")
    return len(want) == len(have) and all(
        h in w.split("|") for w, h in zip(want, have)
    )


def generated_zone(suite):
    zone = "tempfail._domainkey.example.com. TIMEOUT\n"
    keys = os.path.join(suite, "generated", "keys.txt")
    with open(keys, encoding="utf-8") as f:
        for line in f:
            name, value = line.rstrip("\n").split(" ", 1)
            if not name.startswith("tempfail."):
                zone += txt(name, value)
    return zone


def generated_rows(suite):
    table = os.path.join(suite, "generated", "expected.tsv")
    with open(table, encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f][1:]


def run_generated(suite, judge, tap):
    folder = os.path.join(suite, "generated")
    zone = judge.file(generated_zone(suite))
    for name, expected, why in generated_rows(suite):
        got, problem = judge(zone, os.path.join(folder, name))
        tap.case(
            "generated/%s: %s" % (name, why),
            allowed(expected, got),
            "want %s, got %s (%s)" % (expected, got, problem),
        )


def run_command(suite, folder, tap):
    """The same through `assay auth dkim --json`."""
    assay = os.path.join(os.environ.get("builddir", "."), "assay")
    zone = os.path.join(folder, "generated.zone")
    with open(zone, "w", encoding="ascii") as f:
        f.write(generated_zone(suite))
    for name, expected, why in generated_rows(suite):
        message = os.path.join(suite, "generated", name)
        out = subprocess.run(
            [assay, "auth", "dkim", "--json", "--dns", zone]
            + ["--time", str(NOW), message],
            capture_output=True,
            text=True,
        )
        said = json.loads(out.stdout) if out.returncode == 0 else {}
        got = ",".join(s["result"] for s in said.get("signatures", []))
        asked = [(q["name"], q["type"]) for q in said.get("dns", [])]
        tap.case(
            "assay auth dkim %s: %s" % (name, why),
            allowed(expected, got or "none") and len(asked) == len(set(asked)),
            "want %s, got %s, asked %s %s" % (expected, got, asked, out.stderr),
        )


def rfc_messages(suite):
    """Name, zone and message of each."""
    for path in sorted(glob.glob(os.path.join(suite, "rfc", "*.txt"))):
        stem = os.path.splitext(os.path.basename(path))[0]
        if not stem.isdigit():
            continue
        with open(path, "rb") as f:
            keys, message = f.read().split(b"\n\n", 1)
        zone = ""
        for line in keys.decode("utf-8").splitlines():
            zone += txt(*line.split(" ", 1))
        message = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        yield stem, zone, message


def run_rfc(suite, judge, tap):
    expected = {"003": "pass,pass", "001": "pass,pass", "005": "permerror"}
    for stem, zone, message in rfc_messages(suite):
        want = expected.get(stem, "pass")
        got, problem = judge(judge.file(zone), judge.file(message))
        tap.case(
            "rfc/%s.txt" % stem,
            got == want,
            "want %s, got %s (%s)" % (want, got, problem),
        )


def rspamd_zone(folder):
    zone = ""
    with open(os.path.join(folder, "dns.tsv"), encoding="utf-8") as f:
        for line in list(f)[1:]:
            name, kind, code, value = line.rstrip("\n").split("\t")
            if kind == "TXT" and code == "NOERROR":
                zone += txt(name, value)
            elif code == "TIMEOUT":
                zone += "%s. TIMEOUT %s\n" % (name, kind)
    return zone


def run_rspamd(suite, judge, tap):
    folder = os.path.join(suite, "rspamd")
    zone = judge.file(rspamd_zone(folder))
    with open(os.path.join(folder, "cases.tsv"), encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t") for line in f][1:]
    for row in rows:
        claim, name, want, never = row[0], row[1], row[5], row[6]
        with open(os.path.join(folder, "messages", name), "rb") as f:
            data = f.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        got, problem = judge(zone, judge.file(data))
        word = RSPAMD_WORDS.get(want)
        if name in RSPAMD_OURS:
            word = RSPAMD_OURS[name][0]
        good = word in got.split(",") if word else True
        if name in RSPAMD_OURS:
            never = ""
        if never and RSPAMD_WORDS[never] in got.split(","):
            good = False
        tap.case(
            "rspamd/%s: %s" % (name, claim),
            good,
            "want %s, not %s, got %s (%s)" % (word, never, got, problem),
        )


def suite_folder():
    here = os.path.dirname(os.path.abspath(__file__))
    return os.environ.get("DKIM_SUITE") or os.path.join(
        os.environ.get("srcdir") or os.path.join(here, "..", ".."),
        "..",
        "shared",
        "conformance",
        "dkim",
    )


def main():
    suite = suite_folder()
    if not os.path.isdir(suite):
        print("1..0 # SKIP DKIM vectors: not there: " + suite)
        return 0
    driver = os.path.join(os.environ.get("builddir", "."), "tests/conformance/dkim_driver")
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(driver, folder)
        run_generated(suite, judge, tap)
        run_command(suite, folder, tap)
        run_rfc(suite, judge, tap)
        run_rspamd(suite, judge, tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
