#!/usr/bin/python3
"""The SPF suites again, through `assay auth spf --nameserver` and real sockets.

Each scenario's zone is served by an nsd of its own, as the root zone. Before it
stands a relay (tests/lib/nameserver.py): it loses the questions that the suites
want unanswered, which no server of zone files can do, and truncates answers
over UDP that are longer than 120 bytes, so that many come over TCP. A last
zone, of ours, is truncated by nsd itself.

A case that both suites have, with the same zone, is asked once and judged
twice. With sanitizers it is left to the run without. Prints TAP, a line a case.
"""

import concurrent.futures
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from fixture import BUILD, Scratch, Skip, Tap, check, equal
from nameserver import Nsd, Relay
from spf_suite import (as_bytes, case_problem, documents, rdata, records,
                       skip_all, zone_name, zone_string)

WHAT = "SPF suites over sockets"
TYPES = {1: "A", 5: "CNAME", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA"}
ROOM = 120      # bytes of an answer over UDP
AT_ONCE = 4     # processes; some only wait
# What a question may take: where only no answer is expected, where an answer and
# none are, and longer than any busy machine takes.
SHORT, MEDIUM, LONG = "2s", "8s", "30s"


def assay(port, case, timeout):
    """The answer's object."""
    done = subprocess.run(
        [os.path.join(BUILD, "assay"), "-c", "/dev/null",
         "-o", "dns.timeout=" + timeout, "-o", "dns.message_time=60s",
         "-o", "milter.authserv_id=mx.example.net",
         "auth", "spf", "--json", "--nameserver", "127.0.0.1@%d" % port,
         "--ip", str(case["host"]), b"--helo", as_bytes(case["helo"]),
         b"--from", as_bytes(case["mailfrom"])],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=300)
    check(done.returncode == 0 and not done.stderr, "assay:", done.returncode,
          done.stderr)
    return json.loads(done.stdout)


# --- the suites ---------------------------------------------------------------

class Scenario:
    """A zone, and the cases of both suites that it has."""

    def __init__(self, document):
        self.name = document["description"]
        self.lines, self.silent, self.has = [], set(), set()
        for name, kind, value in records(document):
            name = str(name).lower().rstrip(".")
            if value is None:
                self.silent.add((name, kind))
            else:
                self.has.add((name, kind))
                self.lines.append("%s %s %s\n" % (zone_name(name), kind,
                                                  rdata(kind, value)))
        self.cases = {}

    def add(self, suite, name, case):
        key = repr([case[k] for k in ("host", "helo", "mailfrom")])
        self.cases.setdefault(key, []).append((suite, name, case))

    def is_lost(self, name, number):
        kind = TYPES.get(number)
        return (name, kind) in self.silent or (
            (name, None) in self.silent and (name, kind) not in self.has)

    @staticmethod
    def timeout(case):
        if case["result"] == "temperror":
            return SHORT
        # Its explanation never comes.
        return MEDIUM if "@e21.example.com" in case["mailfrom"] else LONG

    def run(self, pool, scratch, number):
        """Starts the cases; yields the cases and a future of their answer."""
        nsd = Nsd(scratch, "".join(self.lines), ".", "nsd-%d" % number)
        self.relay = Relay(scratch, nsd.port, self.is_lost, ROOM)
        for cases in self.cases.values():
            case = cases[0][2]
            yield cases, pool.submit(assay, self.relay.port, case,
                                     self.timeout(case))


def scenarios():
    found = {}
    for suite, document in documents(WHAT):
        key = repr(document["zonedata"])
        scenario = found.setdefault(key, Scenario(document))
        for name, case in document["tests"].items():
            scenario.add(suite, name, case)
    # Those that wait come first: others work meanwhile.
    return sorted(found.values(), key=lambda s: not s.silent)


def judge(tap, cases, future):
    try:
        answer, error = future.result(), None
    except Exception as e:
        answer, error = None, repr(e)
    for suite, name, case in cases:
        problem = error or case_problem(
            case, answer["result"], answer["explanation"] or "DEFAULT",
            answer["problem"])
        tap.ok(not problem, "%s %s" % (suite, name), problem or "")


def suites(tap, scratch):
    todo, all_scenarios = [], scenarios()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for number, scenario in enumerate(all_scenarios):
            todo.extend(scenario.run(pool, scratch, number))
        for cases, future in todo:
            judge(tap, cases, future)
    relays = [s.relay for s in all_scenarios]
    for what in ("udp", "truncated", "tcp"):
        n = sum(getattr(r, what) for r in relays)
        print("# %s: %d" % (what, n))
        tap.ok(n > 50, "%s answers were many" % what, n)


# --- what nsd truncates -------------------------------------------------------

def large(scratch):
    """A record of 4 KB comes whole over TCP."""
    nets = "".join("ip4:198.51.100.%d/32 " % (i % 256) for i in range(200))
    text = ("v=spf1 " + nets + "ip4:192.0.2.1 -all").encode()
    strings = [text[i:i + 255] for i in range(0, len(text), 255)]
    nsd = Nsd(scratch, "large.example. TXT " +
              " ".join(zone_string(s) for s in strings) + "\n", ".",
              "nsd-large")
    relay = Relay(scratch, nsd.port)
    case = {"host": "192.0.2.1", "helo": "x", "mailfrom": "ann@large.example"}
    equal(assay(relay.port, case, LONG)["result"], "pass", "result")
    check(relay.truncated >= 1, "nsd set TC")
    check(relay.tcp >= 1, "the question came over TCP")


def main():
    if os.environ.get("ASAN_OPTIONS"):
        skip_all(WHAT, "a build with sanitizers")
    tap = Tap()
    with Scratch("spf-wire") as scratch:
        try:
            suites(tap, scratch)
        except Skip as skip:
            skip_all(WHAT, skip)
        tap.run(large.__doc__, large, scratch)
    return tap.done()


sys.exit(main())
