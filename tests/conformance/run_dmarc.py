#!/usr/bin/python3
"""DMARC cases of others against filter/auth.

Prints TAP, a line a case. The cases are not part of the tree: they are looked
for in ../shared/conformance/dmarc beside it, or in $DMARC_SUITE. Where a case
is about something else than RFC 9989 says, our own answer is expected instead
and the claim says so.
"""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

# Cases of mailauth where the text of the RFC says otherwise.
MAILAUTH_OURS = {
    "does not inherit the org policy when the author domain publishes multiple records (§4.10 step 2)": (
        {"status.result": "fail", "policy": "none"},
        "the discarded records count as none, and the walk goes on (4.10 step 2, 4.10.1)",
    ),
}

# OpenDMARC is of RFC 7489 and forgives; what RFC 9989 makes of its records.
PARSE_OURS = {
    "v=DMARC1; p=n;": ("invalid", "p=n is not valid (4.7)"),
    "v=DMARC1; p=none; adkim=bob;": ("ok", "a fault gives way to the default (4.8)"),
    "v=DMARC1; p=none; aspf=bob;": ("ok", "a fault gives way to the default (4.8)"),
    "v=DMARC1; p=none; rf=bob;": ("ok", "rf is unknown now, and ignored (4.8)"),
    "v=DMARC1; p=none; ri=bob;": ("ok", "ri is unknown now, and ignored (4.8)"),
    "v=DMARC1; p=none; pct=500;": ("ok", "pct is unknown now, and ignored (4.8)"),
    "v=DMARC1; p=none; rf=000000000000000000000000000000000": ("ok", "rf is unknown now, and ignored (4.8)"),
}
PARSE_STATUS = {
    "DMARC_PARSE_OKAY": "ok",
    "DMARC_PARSE_ERROR_EMPTY": "syntax",
    "DMARC_PARSE_ERROR_BAD_VERSION": "syntax",
    "DMARC_PARSE_ERROR_BAD_VALUE": "invalid",
    "DMARC_PARSE_ERROR_NO_REQUIRED_P": "invalid",
}

# Names with dots at their ends or in a row are no names (RFC 5322 section 3.4.1),
# and a From without a usable domain is outside of DMARC (5.3.1).
ALIGNMENT_OURS = {
    (".mac.com.", "mac.com"): "permerror",
    ("....mac.com....", "mac.com"): "permerror",
    ("mac...com", "..com"): "permerror",
}

# From values that are not of RFC 5322, and in which programs see different
# addresses: never a pass (4.4, 11.5).
FIELD_AMBIGUOUS = {
    '"Johnson, Joe <joe@joe.com>" joe@joe.com',
    "<<<><joe@joe.com>>>",
    "Mail From:<joe@joe.com>",
    "From: Davide D'Marco <user@blah.com>",
}

# rspamd's cases, through `assay auth dmarc`. It finds organisations in the
# public suffix list and applies pct, both gone with RFC 7489; its SPF forgives.
RSPAMD_WORDS = {
    "DMARC_POLICY_ALLOW": "pass",
    "DMARC_POLICY_SOFTFAIL": "fail/none",
    "DMARC_POLICY_REJECT": "fail/reject",
    "DMARC_POLICY_QUARANTINE": "fail/quarantine",
    "DMARC_NA": "none",
    "DMARC_DNSFAIL": "temperror",
}
RSPAMD_SPF = {
    "R_SPF_ALLOW": "pass",
    "R_SPF_PLUSALL": "pass",
    "R_SPF_FAIL": "fail",
    "R_SPF_NA": "none",
    "R_SPF_DNSFAIL": "temperror",
    "R_SPF_PERMFAIL": "permerror",
}
RSPAMD_OURS = {
    "115_dmarc: DMARC SUBDOMAIN PASS DKIM RELAXED ALIGNMENT": (
        "fail/reject",
        "the domain above publishes nothing: it is not the organisation (4.10.2)",
    ),
    "115_dmarc: DMARC SUBDOMAIN PASS SPF RELAXED ALIGNMENT": (
        "fail/reject",
        "the domain above publishes nothing: it is not the organisation (4.10.2)",
    ),
    "115_dmarc: DMARC PCT ZERO REJECT": ("fail/reject", "pct is unknown now, and ignored (4.8)"),
    "115_dmarc: DMARC PCT ZERO SP QUARANTINE": ("fail/quarantine", "pct is unknown now, and ignored (4.8)"),
    "117_spf: SPF FAIL UNRESOLVEABLE INCLUDE": (
        "permerror",
        "an include without a record (RFC 7208 section 5.2)",
    ),
    "117_spf: SPF ALLOW DNS REQUESTS AT LIMIT": (
        "permerror",
        "30 terms that ask DNS, 10 are allowed (RFC 7208 section 4.6.4)",
    ),
}
# Its expectation is lost in the table: SPF of the client before the relays.
RSPAMD_RELAY = "117_spf: SPF EXTERNAL RELAY"
RSPAMD_RELAYS = "127.0.0.1,192.168.1.1"


# How many cases each suite has: one that vanishes is noticed.
GROUPS = {
    "mailauth": 27,
    "opendmarc/parse": 19,
    "opendmarc/alignment": 10,
    "opendmarc/orgdomain": 3,
    "opendmarc/fromdomain": 13,
    "rspamd": 54,
}


class Tap:
    def __init__(self):
        self.n = self.failed = 0
        self.groups = {}

    def case(self, claim, good, detail):
        self.n += 1
        group = claim.split(":")[0]
        if group.startswith("rspamd/"):
            group = "rspamd"
        if group in GROUPS:
            self.groups[group] = self.groups.get(group, 0) + 1
        claim = claim.replace("#", "no. ")
        print("%s %d - %s" % ("ok" if good else "not ok", self.n, claim))
        if not good:
            self.failed += 1
            print("# " + detail)

    def done(self):
        print("1..%d" % self.n)
        return 1 if self.failed else 0


class Judge:
    def __init__(self, driver, folder):
        self.process = subprocess.Popen(
            [driver], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.folder = folder
        self.files = 0

    def ask(self, *fields):
        self.process.stdin.write("\t".join(fields) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("dmarc_driver ended")
        return line.rstrip("\n").split("\t")

    def zone(self, lines):
        self.files += 1
        path = os.path.join(self.folder, "zone%d" % self.files)
        with open(path, "w", encoding="ascii") as f:
            f.write("".join(line + "\n" for line in lines))
        return path

    def case(self, zone, value, dkim, spf):
        names = (
            "result published disposition org record strict spf dkim questions problem"
        ).split()
        got = self.ask(zone, value, ",".join(dkim), ",".join(spf))
        return dict(zip(names, got))


# --- RFC 9989 cases of mailauth ------------------------------------------------


def zone_string(text):
    out = ""
    for byte in text.encode("utf-8"):
        plain = 0x20 <= byte < 0x7F and byte not in b'"\\'
        out += chr(byte) if plain else "\\%03d" % byte
    return '"' + out + '"'


def rdata(kind, value):
    if kind == "TXT":
        return " ".join(zone_string(part) for part in value)
    if kind == "MX":
        return "%d %s." % (value["priority"], value["exchange"])
    return value


def zone_lines(zone):
    for name, types in zone.items():
        for kind, records in types.items():
            for record in records:
                yield "%s. %s %s" % (name, kind, rdata(kind, record))


def as_mailauth(got):
    """Our answer in the suite's terms; None: the property is not there."""
    none = got["published"] == "unknown"
    policy = got["disposition"] if got["result"] == "fail" else got["published"]
    return {
        "status.result": got["result"],
        "policy": None if none else policy,
        "domain": got["org"],
        "alignment.dkim.strict": got["strict"] == "1",
        "alignment.dkim.result": got["org"] if got["dkim"] == "1" else None,
        "alignment.spf.result": got["org"] if got["spf"] == "1" else None,
    }


def expectation_holds(expect, answers):
    path = expect["path"]
    number = 0
    if path.startswith("call2."):
        number, path = 1, path[len("call2.") :]
    answer = answers[number]
    if "property" in expect:
        return answer.get(expect["property"]) is None
    if "equal" in expect:
        return answer[path] == expect["equal"]
    return answer[path] is None  # {"is": "ok"}: to.not.be.ok


def run_mailauth(suite, judge, tap):
    with open(os.path.join(suite, "mailauth", "rfc9989-cases.json"), encoding="utf-8") as f:
        cases = json.load(f)
    for case in cases:
        raw = [
            judge.case(
                judge.zone(zone_lines(call["zone"])),
                call["headerFrom"],
                [d["domain"] for d in call["dkimDomains"]],
                [d["domain"] for d in call["spfDomains"]],
            )
            for call in case["calls"]
        ]
        answers = [as_mailauth(got) for got in raw]
        claim = "mailauth: " + case["name"]
        if case["name"] in MAILAUTH_OURS:
            want, why = MAILAUTH_OURS[case["name"]]
            good = all(answers[0][path] == value for path, value in want.items())
            claim += " (ours: %s)" % why
        else:
            good = all(expectation_holds(e, answers) for e in case["expect"])
        good = good and all(int(got["questions"]) <= 24 for got in raw)
        tap.case(claim, good, "want %s, got %s" % (case["expect"], raw))


# --- tables of OpenDMARC ---------------------------------------------------------


def table(suite, name):
    with open(os.path.join(suite, "opendmarc", name), encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f][1:]


def run_parse(suite, judge, tap):
    for text, status in table(suite, "parse.tsv"):
        want, why = PARSE_OURS.get(text, (PARSE_STATUS[status], status))
        got = judge.ask("RECORD", text)[0]
        tap.case(
            "opendmarc/parse: '%s' (%s)" % (text, why),
            got == want,
            "want %s, got %s" % (want, got),
        )


def run_alignment(suite, judge, tap):
    for a, b, mode, wanted in table(suite, "alignment.tsv"):
        flag = "s" if mode.endswith("STRICT") else "r"
        top = ".".join(b.strip(".").split(".")[-2:])
        record = '"v=DMARC1; p=reject; adkim=%s"' % flag
        names = {n for n in (a.strip("."), top) if n and ".." not in n}
        zone = judge.zone(["_dmarc.%s. TXT %s" % (n, record) for n in sorted(names)])
        want = ALIGNMENT_OURS.get((a, b), "pass" if wanted == "0" else "fail")
        got = judge.case(zone, "x@" + a, [b], [])["result"]
        why = " (no name: RFC 5322 3.4.1)" if (a, b) in ALIGNMENT_OURS else ""
        tap.case(
            "opendmarc/alignment: %s and %s, %s%s" % (a, b, flag, why),
            got == want,
            "want %s, got %s" % (want, got),
        )


def run_orgdomain(suite, judge, tap):
    """Of the public suffix list there; here a record says where the org is."""
    for name, org in table(suite, "orgdomain.tsv"):
        zone = judge.zone(['_dmarc.%s. TXT "v=DMARC1; p=none"' % org])
        got = judge.case(zone, "x@" + name, [], [])["org"]
        tap.case(
            "opendmarc/orgdomain: %s" % name, got == org, "want %s, got %s" % (org, got)
        )


def run_fromdomain(suite, judge, tap):
    for value, domain in table(suite, "fromdomain.tsv"):
        count, ambiguous, got = judge.ask("FIELD", value)
        good = got == domain or ambiguous == "1"
        if value in FIELD_AMBIGUOUS:
            good = ambiguous == "1"
        why = " (ambiguous: 4.4, 11.5)" if value in FIELD_AMBIGUOUS else ""
        tap.case(
            "opendmarc/fromdomain: %s%s" % (value, why),
            good,
            "want %s, got %s of %s, ambiguous %s" % (domain, got, count, ambiguous),
        )


# --- rspamd's messages, end to end -------------------------------------------------


def rspamd_zone(folder):
    for row in open(os.path.join(folder, "dns.tsv"), encoding="utf-8").readlines()[1:]:
        name, kind, code, value = row.rstrip("\n").split("\t")
        if code == "TIMEOUT":
            yield "%s. TIMEOUT %s" % (name, kind)
        elif code == "NOERROR" and kind == "TXT":
            parts = [value[i : i + 200] for i in range(0, len(value), 200)] or [""]
            yield "%s. TXT %s" % (name, rdata(kind, parts))
        elif code == "NOERROR":
            yield "%s. %s %s" % (name, kind, value)


def ask_assay(assay, engine, zone, row, message):
    """What `assay auth ENGINE` says of a row: its JSON."""
    command = [assay, "auth", engine, "--json", "--dns", zone]
    command += ["--ip", row[2] or "127.0.0.1", "--from", row[3].strip("<>")]
    if row[4]:
        command += ["--helo", row[4]]
    if engine == "dmarc":
        command.append(message)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def dmarc_words(got):
    policy = "/" + str(got["disposition"]) if got["result"] == "fail" else ""
    return got["result"] + policy


def rspamd_wants(row):
    """Engine and result for each symbol that a row expects."""
    for symbol in row[5].split(","):
        if symbol in RSPAMD_WORDS:
            yield "dmarc", RSPAMD_WORDS[symbol]
        elif symbol in RSPAMD_SPF:
            yield "spf", RSPAMD_SPF[symbol]


def relay_case(assay, zone, folder, row):
    command = [assay, "-o", "milter.relays=" + RSPAMD_RELAYS, "check"]
    command += ["--format", "json", "--dns", zone, "--ip", "127.0.0.1"]
    command += ["--from", "root@external.com", os.path.join(folder, row[1])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    got = json.loads(done.stdout)
    good = (got["dir"], got["spf"]["result"]) == ("relay", "pass")
    return good, "want relay, pass; got %s, %s" % (got["dir"], got["spf"])


def rspamd_case(assay, zone, folder, row):
    """Whether a row holds, and what was wanted and got."""
    if row[0] == RSPAMD_RELAY:
        return relay_case(assay, zone, folder, row)
    wants = list(rspamd_wants(row))
    detail = []
    for engine, want in wants:
        want, _ = RSPAMD_OURS.get(row[0], (want, ""))
        got = ask_assay(assay, engine, zone, row, os.path.join(folder, row[1]))
        words = dmarc_words(got) if engine == "dmarc" else got["result"]
        detail.append((words == want, "%s: want %s, got %s" % (engine, want, words)))
    for symbol in filter(None, row[6].split(",")):
        engine = "dmarc" if symbol in RSPAMD_WORDS else "spf"
        refused = (RSPAMD_WORDS if engine == "dmarc" else RSPAMD_SPF)[symbol]
        got = ask_assay(assay, engine, zone, row, os.path.join(folder, row[1]))
        words = dmarc_words(got) if engine == "dmarc" else got["result"]
        detail.append((words != refused, "%s: not %s" % (engine, refused)))
    good = bool(wants) and all(one for one, _ in detail)
    return good, "; ".join(text for _, text in detail) or "no expectation is known"


def with_crlf(source, to):
    """The messages with CRLF at the end of lines."""
    os.mkdir(to)
    for name in os.listdir(source):
        with open(os.path.join(source, name), "rb") as f:
            data = f.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        with open(os.path.join(to, name), "wb") as f:
            f.write(data)
    return to


def run_rspamd(suite, assay, judge, tap):
    folder = os.path.join(suite, "rspamd")
    zone = judge.zone(rspamd_zone(folder))
    messages = with_crlf(
        os.path.join(folder, "messages"), os.path.join(judge.folder, "messages")
    )
    with open(os.path.join(folder, "cases.tsv"), encoding="utf-8") as f:
        rows = [(line.rstrip("\n") + "\t" * 6).split("\t") for line in f][1:]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda row: rspamd_case(assay, zone, messages, row), rows))
    for row, (good, detail) in zip(rows, answers):
        why = RSPAMD_OURS.get(row[0], ("", row[5]))[1]
        tap.case("rspamd/%s (%s)" % (row[0], why), good, detail)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    suite = os.environ.get("DMARC_SUITE") or os.path.join(
        os.environ.get("srcdir") or os.path.join(here, "..", ".."),
        "..",
        "shared",
        "conformance",
        "dmarc",
    )
    if not os.path.isdir(suite):
        print("1..0 # SKIP DMARC cases: not there: " + suite)
        return 0
    build = os.environ.get("builddir", ".")
    driver = os.path.join(build, "tests/conformance/dmarc_driver")
    assay = os.path.join(build, "assay")
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(driver, folder)
        run_mailauth(suite, judge, tap)
        run_parse(suite, judge, tap)
        run_alignment(suite, judge, tap)
        run_orgdomain(suite, judge, tap)
        run_fromdomain(suite, judge, tap)
        run_rspamd(suite, assay, judge, tap)
    tap.case(
        "nothing of the suites is left out",
        tap.groups == GROUPS,
        "want %s, got %s" % (GROUPS, tap.groups),
    )
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
