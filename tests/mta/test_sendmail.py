#!/usr/bin/python3
"""The matrix of cases behind a real Sendmail.
Usage: [builddir=DIR] test_sendmail.py [PART-OF-A-CLAIM...]"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import sendmail  # noqa: E402
import matrix  # noqa: E402

if __name__ == "__main__":
    sys.exit(matrix.main(sendmail.Sendmail, sendmail.missing()))
