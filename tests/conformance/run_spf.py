#!/usr/bin/python3
"""The SPF suites of RFC 7208 and RFC 4408 against filter/auth.

Prints TAP, a line a case. The suites are not part of the tree: they are looked
for in ../shared/conformance/spf-rfc7208 beside it, or in $SPF_SUITE.
"""

import os
import re
import subprocess
import sys
import tempfile

SUITES = ("rfc7208-tests.yml", "rfc4408-tests.yml")


def skip_all(why):
    print("1..0 # SKIP SPF suites: " + why)
    sys.exit(0)


try:
    import yaml
except ImportError:
    skip_all("no PyYAML for " + sys.executable)


# --- zones: what the suite's README says --------------------------------------


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
        out += char if char.isalnum() and byte < 128 or char in "-_." else "\\%03d" % byte
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


def one_record(name, kind, value):
    if value == "TIMEOUT":
        return ["%s TIMEOUT %s" % (zone_name(name), kind)]
    if value == "NONE":
        return []
    return ["%s %s %s" % (zone_name(name), kind, rdata(kind, value))]


def zone_lines(zonedata):
    for name, records in zonedata.items():
        own_txt = any(isinstance(r, dict) and "TXT" in r for r in records)
        for record in records:
            if record == "TIMEOUT":
                yield "%s TIMEOUT" % zone_name(name)
                continue
            for kind, value in record.items():
                if kind == "SPF" and own_txt:
                    continue
                kind = "TXT" if kind == "SPF" else kind
                yield from one_record(name, kind, value)


def error_lines(document):
    """Names below error. that are not listed time out."""
    listed = {str(name).lower() for name in document["zonedata"]}
    named = set(re.findall(r"\berror\.[a-z0-9.-]*[a-z0-9]", repr(document).lower()))
    for name in sorted(named - listed):
        yield "%s TIMEOUT" % zone_name(name)


# --- cases --------------------------------------------------------------------


def field(value):
    out = ""
    for byte in as_bytes(value):
        plain = 0x20 <= byte < 0x7F and byte != ord("%")
        out += chr(byte) if plain else "%%%02X" % byte
    return out


def judge(driver, zone, case):
    line = "\t".join((zone, str(case["host"]), field(case["helo"]), field(case["mailfrom"])))
    driver.stdin.write(line + "\n")
    driver.stdin.flush()
    answer = driver.stdout.readline().rstrip("\n").split("\t")
    if len(answer) != 3:
        raise RuntimeError("spf_driver ended")
    return answer


def verdict(case, answer):
    """None, or what is wrong."""
    want = case["result"]
    want = want if isinstance(want, list) else [want]
    if answer[0] not in want:
        return "got %s (%s), want %s" % (answer[0], answer[2], " or ".join(want))
    text = case.get("explanation")
    if text is not None and answer[0] == "fail" and answer[1] != str(text):
        return "got explanation %r, want %r" % (answer[1], text)
    return None


def documents(path):
    with open(path, encoding="utf-8") as f:
        return [d for d in yaml.safe_load_all(f) if d]


def main():
    srcdir = os.environ.get("srcdir", ".")
    builddir = os.environ.get("builddir", ".")
    suite = os.environ.get("SPF_SUITE") or os.path.join(
        srcdir, "..", "shared", "conformance", "spf-rfc7208"
    )
    paths = [os.path.join(suite, name) for name in SUITES]
    if not all(os.path.exists(path) for path in paths):
        skip_all("not in " + suite)
    driver = subprocess.Popen(
        [os.path.join(builddir, "tests", "conformance", "spf_driver")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="latin-1",
    )
    count = 0
    with tempfile.TemporaryDirectory(prefix="assay-spf-") as folder:
        for path in paths:
            good = total = 0
            for number, document in enumerate(documents(path)):
                zone = os.path.join(folder, "%s-%d" % (os.path.basename(path), number))
                with open(zone, "w", encoding="ascii") as f:
                    for line in zone_lines(document["zonedata"]):
                        f.write(line + "\n")
                    for line in error_lines(document):
                        f.write(line + "\n")
                for name, case in document["tests"].items():
                    count += 1
                    wrong = verdict(case, judge(driver, zone, case))
                    total += 1
                    good += wrong is None
                    label = "%s %s" % (os.path.basename(path)[:7], name)
                    print("%s %d - %s" % ("not ok" if wrong else "ok", count, label))
                    if wrong:
                        print("# " + wrong)
            print("# %s: %d of %d" % (os.path.basename(path), good, total))
    print("1..%d" % count)
    driver.stdin.close()
    return driver.wait()


sys.exit(main())
