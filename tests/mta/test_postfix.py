#!/usr/bin/python3
"""The matrix of cases behind a real Postfix.
Usage: [builddir=DIR] test_postfix.py [PART-OF-A-CLAIM...]"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import fixture  # noqa: E402
import matrix  # noqa: E402

if __name__ == "__main__":
    sys.exit(matrix.main(fixture.Postfix, fixture.missing()))
