#!/usr/bin/python3
"""DNS lists through sockets: assayd with its libunbound asks a real nsd on
loopback, one that is dead, one that is frozen, and a mock that answers late.
Deadlines hold, what lacks is said, a list that fails is left alone and comes
back.
"""

import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "milter"))
from fixture import (  # noqa: E402
    Assayd, Scratch, Skip, Tap, check, equal, stopped_clean, wait_for)
from milter import Milter  # noqa: E402
from nameserver import TC, MockServer, Nsd, ask  # noqa: E402
from ports import free_port  # noqa: E402

BIG = " ".join("\"%s \"" % " ".join(
    "ip4:203.0.%d.%d" % (block, i) for i in range(100, 112))
    for block in range(16))

ZONE = """
66.2.0.192.bl A 127.0.0.2
66.2.0.192.bl A 127.0.0.4
2.0.0.127.bl A 127.0.0.2
bad.example.dom A 127.0.1.2
test.dom A 127.0.1.2
66.2.0.192.refused A 127.255.255.254
2.0.0.127.refused A 127.0.0.2
*.all A 127.0.0.2
big TXT "v=spf1 " %s " ip4:192.0.2.66 -all"
bit TXT "v=spf1 ip4:192.0.2.66 -all"
""" % BIG

CONF = """
rules { path = { } }
dns { timeout = 2s message_time = 2s }
lists {
	use = { clients, domains }
	timeout = %s
	retry = %s
}
lists clients { zone = bl.example answers = {
	127.0.0.2:LISTED_CLIENT:3, 127.0.0.4-7:LISTED_XBL:2 } }
lists domains { zone = dom.example kind = domain
	answers = { 127.0.1.2:LISTED_LINK:4 } }
lists refused { zone = refused.example answers = { 127.0.0.2:LISTED_R:1 } }
lists all { zone = all.example answers = { 127.0.0.2:LISTED_A:1 } }
lists slow { zone = slow.example answers = { 127.0.0.2:LISTED_SLOW:1 } }
"""

LINKED = (("From", " a@bit.example"), ("Content-Type", " text/html"))
LINKS = (b'<a href="http://w.bad.example/x">x</a>'
         b'<a href="http://w.good.example/x">x</a>\r\n')

count = 0


def play(daemon, ip="192.0.2.66", sender="<a@bit.example>", body=LINKS):
    """One message; its journal line."""
    global count
    count += 1
    queue_id = "4Xh2Q%06d" % count
    with Milter(daemon.address, timeout=60) as m:
        m.negotiate()
        m.begin(host="mail.bit.example", ip=ip)
        m.message(LINKED, body, queue_id, sender)
        m.quit()
    return daemon.journal(queue_id)


def daemon_at(scratch, name, port, timeout="20s", retry="1m", use=None,
              options=()):
    return Assayd(scratch, name, CONF % (timeout, retry), options=[
        "dns.nameservers=127.0.0.1@%d" % port] + list(options) +
        (["lists.use=" + use] if use else []))


# --- a real server -----------------------------------------------------------

def start(scratch):
    """nsd, and an assayd that asks it."""
    nsd = Nsd(scratch, ZONE)
    return nsd, daemon_at(scratch, "nsd", nsd.port)


def listed(daemon):
    line = play(daemon)
    for name, points in (("LISTED_CLIENT", 3), ("LISTED_XBL", 2),
                         ("LISTED_LINK", 4)):
        equal(line.symbols.get(name), points, name)
    equal(line["degraded"], "-", "degraded")
    equal(line["spf"], "pass", "spf")


def not_listed(daemon):
    line = play(daemon, ip="192.0.2.67", body=b"plain\r\n")
    equal([s for s in line.symbols if s.startswith("LISTED")], [], "hits")
    equal(line["degraded"], "-", "degraded")


def truncated(daemon, nsd):
    reply = ask(nsd.port, "big.example", kind=16, size=1232)
    check(reply and reply[2] << 8 & TC, "the TXT fits into UDP")
    line = play(daemon, sender="<a@big.example>")
    equal(line["spf"], "pass", "spf by a record that only TCP brings")


def refuses(scratch, nsd):
    with_list = daemon_at(scratch, "refused", nsd.port, use="refused,clients")
    line = play(with_list)
    equal(line["degraded"], "dnsbl:refused", "degraded")
    check("LISTED_CLIENT" in line.symbols, "the other list is not heard")
    with_list.log.wait(r"list=refused state=off cause=refused")
    equal(play(with_list)["degraded"], "dnsbl:refused", "degraded, once off")
    return with_list


def everything(scratch, nsd):
    with_list = daemon_at(scratch, "all", nsd.port, use="all")
    # Its test points are asked at start; the first message may be before.
    wait_for(lambda: play(with_list)["degraded"] == "dnsbl:all",
             "the list that lists everything to be found out")
    with_list.log.wait(r"list=all state=off cause=lists-everything")
    line = play(with_list, ip="192.0.2.99")
    check("LISTED_A" not in line.symbols, "it is believed")
    return with_list


def frozen(scratch, nsd):
    """The real server stands still and goes on."""
    daemon = daemon_at(scratch, "frozen", nsd.port, timeout="700ms",
                       retry="1s", use="clients")
    equal(play(daemon)["degraded"], "-", "degraded before")
    nsd.freeze()
    try:
        line = play(daemon, ip="192.0.2.90", sender="<>")
    finally:
        nsd.freeze(False)
    check("dnsbl:clients" in line["degraded"], "not said", line.line)
    check(int(line["ms"]) < 15000, "took", line["ms"], "ms")
    wait_for(lambda: play(daemon)["degraded"] == "-",
             "the list to be asked again")
    return daemon


# --- a dead one --------------------------------------------------------------

def dead(scratch):
    daemon = daemon_at(scratch, "dead", free_port(), timeout="500ms")
    line = play(daemon)
    check("dnsbl:clients" in line["degraded"], "client:", line.line)
    check("dnsbl:domains" in line["degraded"], "links:", line.line)
    check(int(line["ms"]) < 15000, "took", line["ms"], "ms")
    equal([s for s in line.symbols if s.startswith("LISTED")], [], "hits")
    return daemon


# --- a slow one (mock) -------------------------------------------------------

def mock(scratch):
    return MockServer(scratch, {
        "66.2.0.192.slow.example": ["127.0.0.2"],
        "2.0.0.127.slow.example": ["127.0.0.2"],
        "66.2.0.192.bl.example": ["127.0.0.2"],
        "2.0.0.127.bl.example": ["127.0.0.2"],
    }, {"slow.example": None})


def slow(daemon, server):
    """Its timeout, three times; then nothing."""
    for i in range(3):
        begin = time.monotonic()
        line = play(daemon, ip="192.0.2.%d" % (10 + i), body=b"plain\r\n")
        took = time.monotonic() - begin
        equal(line["degraded"], "dnsbl:slow", "degraded")
        check(1.9 <= took < 20, "message", i, "took", took)
    daemon.log.wait(r"list=slow state=off cause=no-answer")
    asked = server.asked("20.2.0.192.slow.example")
    begin = time.monotonic()
    line = play(daemon, ip="192.0.2.20", body=b"plain\r\n")
    check(time.monotonic() - begin < 1.9, "one that is off was waited for")
    equal(line["degraded"], "dnsbl:slow", "degraded, once off")
    equal(server.asked("20.2.0.192.slow.example"), asked, "questions")
    lists = json.loads(daemon.assay("status", "--json").stdout)["lists"]
    equal(lists["slow"]["on"], False, "slow in status")
    equal(lists["slow"]["cause"], "no-answer", "its cause")
    equal(lists["clients"]["on"], True, "clients in status")


def other_list(daemon):
    line = play(daemon, body=b"plain\r\n")
    check("LISTED_CLIENT" in line.symbols, "not heard:", line.line)


def back(daemon, server):
    server.delays.clear()

    def heard():
        line = play(daemon, body=b"plain\r\n")
        return "LISTED_SLOW" in line.symbols and line["degraded"] == "-"
    wait_for(heard, "the list to be on again")


def late(scratch, server):
    """Answers within the timeout, though late, are taken: the list's time
    is its own and not that of SPF."""
    server.delays["slow.example"] = 1.0
    daemon = daemon_at(scratch, "late", server.port, use="slow", options=[
        "dns.message_time=500ms", "dns.timeout=20s"])
    line = play(daemon, body=b"plain\r\n")
    check("LISTED_SLOW" in line.symbols, "not heard:", line.line)
    check(int(line["ms"]) >= 900, "took", line["ms"], "ms")
    equal(line["degraded"], "-", "degraded")
    return daemon


def many(scratch, server):
    """Twenty silent questions cost one timeout, not twenty."""
    server.delays["dom.example"] = None
    daemon = daemon_at(scratch, "many", server.port, timeout="700ms",
                       use="domains")
    body = b"".join(b'<a href="http://d%d.example/">x</a>\r\n' % i
                    for i in range(60))
    begin = time.monotonic()
    line = play(daemon, body=body)
    took = time.monotonic() - begin
    equal(line["degraded"], "dnsbl:domains", "degraded")
    check(0.6 <= took < 0.7 * 20, "took", took)
    with server.lock:
        names = {n for n in server.names if n.startswith("d") and
                 n.endswith(".dom.example")}
    equal(len(names), 20, "domains asked")
    return daemon


def main():
    tap = Tap()
    with Scratch("lists") as scratch:
        daemons = []

        def case(claim, function, *args):
            def run():
                daemon = function(*args)
                if daemon:
                    daemons.append(daemon)
            tap.run(claim, run)

        try:
            nsd, daemon = start(scratch)
            daemons.append(daemon)
        except Skip as why:
            tap.skip("lists that a real nsd serves", why)
        else:
            case("nsd: a client and a link's domain are listed", listed,
                 daemon)
            case("nsd: what is not listed is not, and nothing lacks",
                 not_listed, daemon)
            case("nsd: a TXT record that is truncated comes over TCP",
                 truncated, daemon, nsd)
            case("nsd: a refusal is said and turns the list off",
                 refuses, scratch, nsd)
            case("nsd: a list that lists everything is found out",
                 everything, scratch, nsd)
            case("nsd stands still: skipped and said; heard when it goes on",
                 frozen, scratch, nsd)
        case("a dead server: the deadlines hold, both lists are said",
             dead, scratch)
        server = mock(scratch)
        daemon = daemon_at(scratch, "slow", server.port, timeout="2s",
                           retry="1s", use="slow,clients")
        daemons.append(daemon)
        case("a silent list (mock) costs its timeout three times, then nothing",
             slow, daemon, server)
        case("a silent list (mock) does not silence another one",
             other_list, daemon)
        case("the list (mock) is asked again when its test points are right",
             back, daemon, server)
        case("twenty silent questions (mock) cost one timeout", many, scratch,
             server)
        case("a late answer (mock) within the timeout counts", late, scratch,
             server)
        stopped_clean(tap, *daemons)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
