#!/usr/bin/python3
"""libopendkim alone and whole against Assay: all vectors, mutations of them,
and odd messages with right signatures (dkim_against.c).

ASSAY_TEST_LONG=1 takes 50,000 of both kinds, else some thousands are taken.
The vectors of others are looked for where run_dkim.py looks; without them the
tree's own remain.
"""

import glob
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run_dkim  # noqa: E402

LONG = os.environ.get("ASSAY_TEST_LONG") == "1"
COUNT = os.environ.get("DKIM_COUNT") or ("50000" if LONG else "2000")
SEED = os.environ.get("DKIM_SEED") or "20"


def write(folder, name, data):
    path = os.path.join(folder, name.replace("/", "_"))
    with open(path, "wb") as f:
        f.write(data)
    return path


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def own(srcdir):
    folder = os.path.join(srcdir, "tests", "data", "dkim")
    for path in sorted(glob.glob(os.path.join(folder, "*.eml"))):
        yield os.path.join(folder, "zone"), path


def of_others(suite, folder):
    zone = write(folder, "generated", run_dkim.generated_zone(suite).encode())
    for path in sorted(glob.glob(os.path.join(suite, "generated", "*.eml"))):
        yield zone, path
    rspamd = os.path.join(suite, "rspamd")
    zone = write(folder, "rspamd", run_dkim.rspamd_zone(rspamd).encode())
    for path in sorted(glob.glob(os.path.join(rspamd, "messages", "*.eml"))):
        with open(path, "rb") as f:
            yield zone, write(folder, os.path.basename(path), crlf(f.read()))
    for name, keys, message in run_dkim.rfc_messages(suite):
        yield (
            write(folder, name + ".zone", keys.encode()),
            write(folder, name + ".eml", message),
        )


def main():
    srcdir = os.environ.get("srcdir") or os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", ".."
    )
    suite = run_dkim.suite_folder()
    driver = os.path.join(
        os.environ.get("builddir", "."), "tests/conformance/dkim_against"
    )
    with tempfile.TemporaryDirectory() as folder:
        vectors = list(own(srcdir))
        if os.path.isdir(suite):
            vectors += of_others(suite, folder)
        lines = "".join("%s\t%s\n" % v for v in vectors)
        done = subprocess.run([driver, COUNT, SEED], input=lines, text=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
