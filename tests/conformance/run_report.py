#!/usr/bin/python3
"""Aggregate reports that we write against the IETF's schema (RFC 9990).

Reports of random, hostile texts are made by report_driver and validated with
xmllint. What the command itself sends and prints is validated by
tests/report/test_report.py. The schema is not part of the tree: it is looked
for in ../shared/conformance/dmarc beside it, or in $DMARC_SUITE.

ASSAY_TEST_LONG=1: 20,000 reports. Prints TAP.
"""

import os
import shutil
import subprocess
import sys
import tempfile

AT_ONCE = 500       # files of one xmllint
COUNT = 20000 if os.environ.get("ASSAY_TEST_LONG") == "1" else 1000
SRCDIR = os.environ.get("srcdir") or "."
DRIVER = os.path.join(os.environ.get("builddir") or "build",
                      "tests/report/report_driver")


def make(folder, first, n):
    done = subprocess.run([DRIVER, "make", folder, str(first), str(n)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit("# report_driver: " + done.stdout.decode())
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def validate(schema, paths):
    """What xmllint says of those that are wrong."""
    done = subprocess.run(["xmllint", "--noout", "--nonet", "--schema", schema,
                           *paths], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    bad = [line for line in lines if not line.endswith(" validates")]
    return bad, sum(line.endswith(" validates") for line in lines)


def spoil(path):
    """A report that is not valid: the test can fail."""
    with open(path) as f:
        text = f.read()
    spoilt = path + ".spoilt"
    with open(spoilt, "w") as f:
        f.write(text.replace("<disposition>", "<disposition>x", 1))
    return spoilt


def main():
    suite = os.environ.get("DMARC_SUITE") or os.path.join(
        SRCDIR, "../shared/conformance/dmarc")
    schema = os.path.join(suite, "reports/ietf-dmarc-xml-0.2.xsd")
    for what in (schema, DRIVER):
        if not os.path.exists(what):
            print("1..0 # SKIP %s is not there" % what)
            return 0
    if not shutil.which("xmllint"):
        print("1..0 # SKIP xmllint is not there")
        return 0
    bad, good = [], 0
    for first in range(0, COUNT, AT_ONCE):
        with tempfile.TemporaryDirectory(prefix="assay-report-") as folder:
            paths = make(folder, first, min(AT_ONCE, COUNT - first))
            more, valid = validate(schema, paths)
            bad += more
            good += valid
            if first == 0:
                spoilt = validate(schema, [spoil(paths[0])])
    print("%sok 1 - %d reports of hostile texts validate" % (
        "" if good == COUNT and not bad else "not ", COUNT))
    for line in bad[:20]:
        print("# " + line[:500])
    print("%sok 2 - one with a word that is none does not" % (
        "" if spoilt[1] == 0 and spoilt[0] else "not "))
    print("1..2")
    return 0


if __name__ == "__main__":
    sys.exit(main())
