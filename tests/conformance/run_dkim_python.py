#!/usr/bin/python3
"""What python3-dkim signs, Assay verifies: all canonicalisations, RSA of 1024
to 4096 bits, Ed25519; and a changed copy of each fails. Prints TAP.

Keys are made for the run. Skipped by name without python3-dkim.
"""

import base64
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from run_dkim import Judge, Tap, txt  # noqa: E402

MODES = (b"simple", b"relaxed")
RSA_BITS = (1024, 2048, 3072, 4096)
BODIES = (
    ("text", b"Hi.\r\n\r\nWe lost  the game.\t \r\n\tHungry?\r\n\r\n\r\n"),
    ("no body", b""),
    ("empty lines", b"\r\n\r\n\r\n"),
    ("8-bit", b"gr\xc3\xbc\xc3\x9fe \xff\r\n  \t\r\n.\r\n"),
)
HEADER = (
    b"Received: from a by b;\r\n\tTue, 24 Nov 2026 10:00:00 +0000\r\n"
    b"From: Joe  Doe <joe@example.com>\r\n"
    b"To:\tSuzie <suzie@example.net>,\r\n \t other@example.net  \r\n"
    b"Subject: Is dinner\r\n\t ready? \r\n"
    b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@example.com>\r\n"
)
NAMES = [b"from", b"to", b"subject", b"date", b"message-id", b"from", b"x-none"]


def openssl(*args, **kw):
    return subprocess.run(
        ("openssl",) + args, check=True, capture_output=True, **kw
    ).stdout


def make_keys():
    """Selector to algorithm, private key as python3-dkim wants it, record."""
    keys = {}
    for bits in RSA_BITS:
        pem = openssl("genrsa", "-traditional", str(bits))
        der = openssl("rsa", "-pubout", "-outform", "DER", input=pem)
        record = "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()
        keys["r%d" % bits] = (b"rsa-sha256", pem, record)
    pem = openssl("genpkey", "-algorithm", "ed25519")
    seed = openssl("pkey", "-outform", "DER", input=pem)[-32:]
    public = openssl("pkey", "-pubout", "-outform", "DER", input=pem)[-32:]
    record = "v=DKIM1; k=ed25519; p=" + base64.b64encode(public).decode()
    keys["ed"] = (b"ed25519-sha256", base64.b64encode(seed), record)
    return keys


def changed(message):
    """The message with a letter of a signed field replaced."""
    return message.replace(b"Is dinner", b"Is supper")


def main():
    try:
        import dkim
        import nacl.signing  # noqa: F401
    except ImportError as missing:
        print("1..0 # SKIP python3-dkim signs: %s" % missing)
        return 0
    driver = os.path.join(
        os.environ.get("builddir", "."), "tests/conformance/dkim_driver"
    )
    tap = Tap()
    keys = make_keys()
    now = int(time.time()) + 100
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(driver, folder)
        zone = judge.file(
            "".join(
                txt(selector + "._domainkey.example.com", key[2])
                for selector, key in keys.items()
            )
        )
        for selector, (algorithm, private, _) in keys.items():
            for mode in [(a, b) for a in MODES for b in MODES]:
                for what, body in BODIES:
                    message = HEADER + b"\r\n" + body
                    field = dkim.sign(
                        message,
                        selector.encode(),
                        b"example.com",
                        private,
                        canonicalize=mode,
                        include_headers=NAMES,
                        signature_algorithm=algorithm,
                        linesep=b"\r\n",
                    )
                    got, why = judge(zone, judge.file(field + message), now)
                    bad, _ = judge(
                        zone, judge.file(field + changed(message)), now
                    )
                    tap.case(
                        "python3-dkim signs, we verify: %s, %s, %s"
                        % (selector, "/".join(m.decode() for m in mode), what),
                        got == "pass" and bad == "fail",
                        "got %s (%s), %s when changed" % (got, why, bad),
                    )
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
