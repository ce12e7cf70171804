#!/usr/bin/python3
"""The SPF suites of RFC 7208 and RFC 4408 against filter/auth, over zone files.

Prints TAP, a line a case. tests/lib/spf_suite.py says where the suites are;
run_spf_wire.py asks a name server instead.
"""

import collections
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from spf_suite import as_bytes, case_problem, documents, zone_lines


def field(value):
    out = ""
    for byte in as_bytes(value):
        plain = 0x20 <= byte < 0x7F and byte != ord("%")
        out += chr(byte) if plain else "%%%02X" % byte
    return out


def judge(driver, zone, case):
    line = "\t".join((zone, str(case["host"]), field(case["helo"]),
                      field(case["mailfrom"])))
    driver.stdin.write(line + "\n")
    driver.stdin.flush()
    answer = driver.stdout.readline().rstrip("\n").split("\t")
    if len(answer) != 3:
        raise RuntimeError("spf_driver ended")
    return answer


def main():
    builddir = os.environ.get("builddir", ".")
    scenarios = list(documents("SPF suites"))
    driver = subprocess.Popen(
        [os.path.join(builddir, "tests", "conformance", "spf_driver")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="latin-1")
    count = 0
    good, total = collections.Counter(), collections.Counter()
    with tempfile.TemporaryDirectory(prefix="assay-spf-") as folder:
        for number, (suite, document) in enumerate(scenarios):
            zone = os.path.join(folder, "zone-%d" % number)
            with open(zone, "w", encoding="ascii") as f:
                for line in zone_lines(document):
                    f.write(line + "\n")
            for name, case in document["tests"].items():
                count += 1
                wrong = case_problem(case, *judge(driver, zone, case))
                total[suite] += 1
                good[suite] += wrong is None
                print("%sok %d - %s %s" % ("not " if wrong else "", count,
                                           suite, name))
                if wrong:
                    print("# " + wrong)
    for suite in total:
        print("# %s: %d of %d" % (suite, good[suite], total[suite]))
    print("1..%d" % count)
    driver.stdin.close()
    return driver.wait()


sys.exit(main())
