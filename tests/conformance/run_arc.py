#!/usr/bin/python3
"""The public ARC suite against filter/auth and the command.

Prints TAP, a line a case. The cases are not part of the tree: they are looked
for in ../shared/conformance/arc beside it, or in $ARC_SUITE. Each message is
validated by the library and by `assay auth arc --json`, and each signing case
sealed by `assay arc seal`: parsed tags are compared, b= too, for RSA signatures
of the same bytes are the same.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

import yaml

WORKERS = 2
NOW = 1795520000


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


def crlf(text):
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8")


class Tap:
    def __init__(self):
        self.n = self.failed = 0

    def case(self, claim, good, detail):
        self.n += 1
        claim = claim.replace("#", "")
        print("%s %d - %s" % ("ok" if good else "not ok", self.n, claim))
        if not good:
            self.failed += 1
            for line in detail.splitlines():
                print("# " + line)

    def done(self):
        print("1..%d" % self.n)
        return 1 if self.failed else 0


class Folder:
    """Files of the test's own."""

    def __init__(self, path):
        self.path = path
        self.files = 0

    def file(self, data):
        self.files += 1
        path = os.path.join(self.path, "f%d" % self.files)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode("utf-8"))
        return path


def load(folder, suite, name):
    """(document, name, test, zone file) of every case of a file."""
    with open(os.path.join(suite, name), "rb") as f:
        documents = list(yaml.safe_load_all(f))
    for document in documents:
        records = document.get("txt-records") or {}
        # One record has the line ends of its file, which are no white space.
        zone = folder.file(
            "".join(txt(k, v.replace("\n", "")) for k, v in records.items())
        )
        for name, test in document["tests"].items():
            yield document, name, test, zone


# --- validation ---------------------------------------------------------------


def by_library(driver, cases):
    lines = "".join("%s\t%d\t%s\n" % (zone, NOW, path) for zone, path in cases)
    run = subprocess.run(
        [driver], input=lines, stdout=subprocess.PIPE, text=True, check=True
    )
    return [line.split("\t") for line in run.stdout.splitlines()]


def by_command(assay, zone, path):
    run = subprocess.run(
        assay + ["auth", "arc", path, "--json", "--dns", zone],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        return json.loads(run.stdout)
    except ValueError:
        return {"result": "status %d: %r" % (run.returncode, run.stderr)}


def run_validation(suite, driver, assay, folder, tap, pool):
    cases = [
        (name, test, zone, folder.file(crlf(test["message"])))
        for _, name, test, zone in load(folder, suite, "arc-validation-tests-half.yml")
    ]
    library = by_library(driver, [case[2:] for case in cases])
    command = pool.map(lambda case: by_command(assay, *case[2:]), cases)
    for case, first, second in zip(cases, library, command):
        name, test = case[:2]
        want = (test.get("cv") or "").lower()
        for who, got in (("library", first[0]), ("command", second["result"])):
            tap.case(
                "%s, by the %s: %s" % (name, who, test.get("description")),
                got == want or (not want and got in ("none", "pass", "fail")),
                "want %s, got %s (%s)" % (want, got, first[3]),
            )


# --- sealing ------------------------------------------------------------------


def fields(message):
    """The header fields of a message as [name, value without line ends]."""
    found = []
    for line in message.split(b"\r\n\r\n")[0].split(b"\r\n"):
        if line[:1] in b" \t":
            found[-1][1] += line.decode("utf-8")
        else:
            found.append([part.decode("utf-8") for part in line.split(b":", 1)])
    return found


def tags(value):
    return sorted("".join(tag.split()) for tag in value.split(";") if tag.split())


def seal(assay, folder, document, test, zone):
    key = folder.file(document["privatekey"])
    os.chmod(key, 0o600)
    run = subprocess.run(
        assay
        + ["arc", "seal", "--domain", document["domain"]]
        + ["--selector", document["sel"], "--key", key]
        + ["--authserv-id", test["srv-id"], "--headers", test["sig-headers"]]
        + ["--time", str(test["t"]), "--dns", zone],
        input=crlf(test["message"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return run.returncode, run.stdout, run.stderr.decode("utf-8")


def run_signing(suite, driver, assay, folder, tap, pool):
    cases = list(load(folder, suite, "arc-sign-tests-half.yml"))
    sealed = pool.map(
        lambda case: seal(assay, folder, case[0], case[2], case[3]), cases
    )
    checks = []
    for case, (status, out, err) in zip(cases, sealed):
        _, name, test, zone = case
        claim = "%s, sealed: %s" % (name, test.get("description"))
        message = crlf(test["message"])
        wanted = [
            (field, tags(test.get(short) or ""))
            for field, short in (
                ("ARC-Seal", "AS"),
                ("ARC-Message-Signature", "AMS"),
                ("ARC-Authentication-Results", "AAR"),
            )
        ]
        if not any(want for _, want in wanted):
            tap.case(claim, status == 0 and out == message, err)
            continue
        whole = status == 0 and out.endswith(message)
        head = out[: len(out) - len(message)] if whole else b""
        got = [(field, tags(value)) for field, value in fields(head or b":")]
        tap.case(claim, got == wanted, "want %s\ngot %s\n%s" % (wanted, got, err))
        checks.append((name, test, zone, folder.file(out)))
    run_rounds(driver, checks, tap)


def run_rounds(driver, checks, tap):
    """What was sealed as a pass must validate."""
    results = by_library(driver, [check[2:] for check in checks])
    for (name, test, _, _), got in zip(checks, results):
        want = "fail" if "cv=fail" in test["AS"] else "pass"
        tap.case("%s, validated again" % name, got[0] == want, "\t".join(got))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    suite = os.environ.get("ARC_SUITE") or os.path.join(
        os.environ.get("srcdir") or os.path.join(here, "..", ".."),
        "..",
        "shared",
        "conformance",
        "arc",
    )
    if not os.path.isdir(suite):
        print("1..0 # SKIP the ARC suite: not there: " + suite)
        return 0
    build = os.environ.get("builddir", ".")
    driver = os.path.join(build, "tests/conformance/arc_driver")
    tap = Tap()
    with tempfile.TemporaryDirectory() as path, concurrent.futures.ThreadPoolExecutor(
        WORKERS
    ) as pool:
        folder = Folder(path)
        assay = [os.path.join(build, "assay"), "-c", folder.file("")]
        run_validation(suite, driver, assay, folder, tap, pool)
        run_signing(suite, driver, assay, folder, tap, pool)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
