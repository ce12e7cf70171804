#!/usr/bin/python3
"""assay doctor against configurations that are good but for one thing each:
that thing is found, with its place and the text to paste, and nothing else.

srcdir and builddir name the folders, as make check sets them. Prints TAP.
"""

import json
import os
import pwd
import re
import socket
import struct
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import fixture  # noqa: E402
from fixture import Scratch, Skip, Tap, check, equal  # noqa: E402

ASSAY = os.path.join(fixture.BUILD, "assay")

# Postfix's user in these tests: one that is everywhere.
OWNER = pwd.getpwnam("nobody")

MASTER = """\
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o milter_macro_daemon_name=ORIGINATING
127.0.0.1:10026 inet n  -       y       -       -       smtpd
  -o smtpd_milters=
cleanup   unix  n       -       y       -       0       cleanup
"""

SENDMAIL_CF = """\
O InputMailFilters=assay
Xassay, S=unix:%s, F=%s, T=C:30s;S:30s;R:30s;E:5m
"""


class Dns(threading.Thread):
    """A resolver that knows the servers of com."""

    def __init__(self):
        super().__init__(daemon=True)
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        self.start()

    def run(self):
        while True:
            query, peer = self.s.recvfrom(4096)
            end = query.index(b"\0", 12) + 5
            ns = b"\1a\xc0\x0c"
            self.s.sendto(
                query[:2] + struct.pack("!HHHHH", 0x8580, 1, 1, 0, 0) +
                query[12:end] + b"\xc0\x0c" +
                struct.pack("!HHIH", 2, 1, 300, len(ns)) + ns, peer)


class Site:
    """A good installation in a scratch folder, to be spoilt."""

    count = 0

    def __init__(self, scratch, dns, mode="observe"):
        Site.count += 1
        self.name = "site%d" % Site.count
        self.scratch = scratch
        self.top = scratch.folder(self.name)
        self.queue = scratch.folder(self.name, "spool")
        self.folder = scratch.folder(self.name, "spool", "assay")
        self.path = os.path.join(self.folder, "milter.sock")
        self.state = scratch.folder(self.name, "state")
        self.etc = scratch.folder(self.name, "etc")
        os.chmod(self.state, 0o750)
        self.master = MASTER
        self.main = {
            "queue_directory": self.queue,
            "mail_owner": OWNER.pw_name,
            "smtpd_milters": "unix:assay/milter.sock",
            "non_smtpd_milters": "$smtpd_milters",
            "milter_default_action":
                "accept" if mode == "observe" else "tempfail",
        }
        self.options = [
            "milter.socket=unix:" + self.path, "state=" + self.state,
            "policy.default.mode=" + mode,
            "dns.nameservers=127.0.0.1@%d" % dns.port]
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        if os.geteuid() == 0:
            os.chown(self.folder, 0, OWNER.pw_gid)
            os.chown(self.path, 0, OWNER.pw_gid)
            try:
                os.chown(self.state, pwd.getpwnam("assay").pw_uid, -1)
            except KeyError:
                pass
        os.chmod(self.folder, 0o2750)
        os.chmod(self.path, 0o660)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.listener.close()

    def write(self):
        self.scratch.write(self.name + "/etc/main.cf", "# ours\n" + "".join(
            "%s = %s\n" % item for item in self.main.items()))
        self.scratch.write(self.name + "/etc/master.cf", self.master)

    def line(self, name):
        """Where a parameter stands in main.cf."""
        return "%s/main.cf:%d" % (self.etc, 2 + list(self.main).index(name))

    def run(self, *arguments, status, json_out=True):
        command = [ASSAY, "-c", "/dev/null"]
        for option in self.options:
            command += ["-o", option]
        command += ["doctor", *arguments]
        if json_out:
            command.append("--json")
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=fixture.PATIENCE)
        equal(done.returncode, status, done.stdout + done.stderr)
        return done.stdout.decode()

    def postfix(self, status):
        self.write()
        return json.loads(self.run("--postfix", self.etc, status=status))

    def sendmail(self, text, status, suffix="cf"):
        path = self.scratch.write("%s/sendmail.%s" % (self.name, suffix), text)
        return json.loads(self.run("--sendmail", path, status=status)), path

    def finds(self, *checks, status=1, level="problem"):
        """Exactly these; the finding, when it is one."""
        return only(self.postfix(status), level, *checks)


def only(report, level, *checks):
    """The findings worse than ok are these checks, all of that level. Whether
    somebody keeps this machine's clock is no matter of the test."""
    bad = [f for f in report["findings"] if f["level"] != "ok" and
           (f["check"], f["level"]) != ("machine.clock", "note")]
    equal(sorted((f["check"], f["level"]) for f in bad),
          sorted((c, level) for c in checks), json.dumps(bad, indent=1))
    equal(report["problems"], len(bad) if level == "problem" else 0)
    return bad[0] if len(bad) == 1 else bad


def need_root():
    if os.geteuid() != 0:
        raise Skip("not root")


CASES = []


def case(claim):
    def keep(function):
        CASES.append((claim, function))
        return function
    return keep


# --- Postfix -----------------------------------------------------------------

@case("a good installation has no problem, in observe and in enforce")
def good(scratch, dns):
    need_root()
    for mode in ("observe", "enforce"):
        with Site(scratch, dns, mode) as site:
            report = site.postfix(0)
            only(report, "note")
            said = {f["check"] for f in report["findings"]}
            for name in ("postfix.milters", "postfix.reach", "state.folder",
                         "postfix.default_action", "machine.dns",
                         "store.opens"):
                check(name in said, name, said)


@case("in text: levels, file and line, why, the text to paste, a sum")
def text(scratch, dns):
    with Site(scratch, dns) as site:
        site.main["milter_default_action"] = "reject"
        site.write()
        out = site.run("--postfix", site.etc, status=1, json_out=False)
        want = ("problem: %s: milter_default_action = reject does not fit"
                " mode = observe\n\twhile assayd does not run, all mail is"
                " refused for good\n\tinto main.cf:\n"
                "\t\tmilter_default_action = accept\nproblems: 1, " %
                site.line("milter_default_action"))
        check(want in out, out)


@case("smtpd_milters without us: what to add, beside the milters that are there")
def unnamed(scratch, dns):
    with Site(scratch, dns) as site:
        site.main["smtpd_milters"] = "inet:localhost:8891, {unix:opendkim/x}"
        f = site.finds("postfix.milters")
        equal(f["where"], site.line("smtpd_milters"))
        equal(f["into"], "main.cf")
        equal(f["paste"].split("\n")[0],
              "smtpd_milters = inet:localhost:8891, {unix:opendkim/x},"
              " unix:assay/milter.sock")


@case("no smtpd_milters at all")
def unset(scratch, dns):
    with Site(scratch, dns) as site:
        del site.main["smtpd_milters"]
        f = site.finds("postfix.milters")
        equal(f["where"], site.etc + "/main.cf")


@case("an absolute path is another one in a chroot, and is right without")
def chroot(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        site.main["smtpd_milters"] = "unix:" + site.path
        f = site.finds("postfix.chroot")
        equal(f["where"], site.line("smtpd_milters"))
        equal(f["paste"].split("\n")[0],
              "smtpd_milters = unix:assay/milter.sock")
        site.master = site.master.replace("       y   ", "       n   ")
        site.finds(status=0)


@case("a chroot by default: column - without compatibility_level")
def default_chroot(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        site.main["smtpd_milters"] = "unix:" + site.path
        site.master = site.master.replace("       y   ", "       -   ")
        site.finds("postfix.chroot")
        site.main["compatibility_level"] = "3.6"
        site.finds(status=0)


@case("a socket outside of the chroot has to move: both lines are said")
def move(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        site.queue = site.main["queue_directory"] = scratch.folder(
            site.name, "other")
        site.main["smtpd_milters"] = "unix:" + site.path
        f = site.finds("postfix.chroot")
        check("smtpd_milters = unix:assay/milter.sock\n" in f["paste"], f)
        check('milter { socket = "unix:%s/assay/milter.sock" }' % site.queue
              in f["paste"], f)


@case("milter.socket elsewhere than main.cf says")
def elsewhere(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        site.main["smtpd_milters"] = "unix:assay/other.sock"
        f = site.finds("postfix.milters")
        check("other.sock" in f["what"] and "milter.sock" in f["what"], f)


@case("a port: Postfix's form and libmilter's are compared")
def port(scratch, dns):
    with Site(scratch, dns) as site:
        site.options[0] = "milter.socket=inet:8891@127.0.0.1"
        site.main["smtpd_milters"] = "inet:localhost:8891"
        site.finds(status=0)
        site.main["smtpd_milters"] = "inet:localhost:8892"
        f = site.finds("postfix.milters")
        equal(f["paste"].split("\n")[0], "smtpd_milters ="
              " inet:localhost:8892, inet:127.0.0.1:8891")


@case("a port open to the network")
def public(scratch, dns):
    with Site(scratch, dns) as site:
        for spec in ("inet:8891", "inet:8891@0.0.0.0", "inet6:8891@::"):
            site.options[0] = "milter.socket=" + spec
            site.main["smtpd_milters"] = "inet:localhost:8891"
            f = site.finds("assay.socket")
            check('socket = "inet:8891@127.0.0.1"' in f["paste"], f)


@case("milter_default_action against the mode")
def action(scratch, dns):
    need_root()
    for mode, right, wrong in (("observe", "accept", "tempfail"),
                               ("observe", "accept", "quarantine"),
                               ("enforce", "tempfail", "accept"),
                               ("enforce", "tempfail", "reject")):
        with Site(scratch, dns, mode) as site:
            site.main["milter_default_action"] = wrong
            f = site.finds("postfix.default_action")
            equal(f["where"], site.line("milter_default_action"))
            equal(f["paste"], "milter_default_action = %s\n" % right)
    with Site(scratch, dns, "enforce") as site:
        site.main["milter_default_action"] = "shutdown"
        site.finds(status=0)
        del site.main["milter_default_action"]
        site.finds(status=0)


@case("an action of the milter's own, in braces, is what counts")
def own_action(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        site.main["milter_default_action"] = "tempfail"
        site.main["smtpd_milters"] = (
            "{ unix:assay/milter.sock, default_action = accept }")
        site.finds(status=0)


@case("an old milter_protocol")
def protocol(scratch, dns):
    with Site(scratch, dns) as site:
        site.main["milter_protocol"] = "2"
        f = site.finds("postfix.protocol")
        equal(f["paste"], "milter_protocol = 6\n")
        equal(f["where"], site.line("milter_protocol"))


@case("times shorter than ours")
def times(scratch, dns):
    with Site(scratch, dns) as site:
        site.options.append("limits.message_time=40s")
        site.main["milter_content_timeout"] = "40"
        f = site.finds("postfix.timeouts")
        equal(f["paste"], "milter_content_timeout = 45s\n")
        site.main["milter_content_timeout"] = "$five"
        site.main["five"] = "5m"
        site.main["milter_connect_timeout"] = "1s"
        site.main["milter_command_timeout"] = "2s"
        site.finds("postfix.timeouts", "postfix.timeouts")


@case("mail from other servers that counts as outgoing")
def originating(scratch, dns):
    with Site(scratch, dns) as site:
        site.main["milter_macro_daemon_name"] = "ORIGINATING"
        f = site.finds("postfix.daemon_name")
        equal(f["where"], site.line("milter_macro_daemon_name"))


@case("a submission service whose mail counts as incoming is a note")
def submission(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        site.master = site.master.replace(
            "  -o milter_macro_daemon_name=ORIGINATING\n", "")
        f = site.finds("postfix.daemon_name", status=0, level="note")
        equal(f["where"], site.etc + "/master.cf:2")
        equal(f["paste"], "  -o milter_macro_daemon_name=ORIGINATING\n")
        # Who logs in is known without a name.
        site.main["smtpd_sasl_auth_enable"] = "yes"
        site.finds(status=0)


@case("a service that hands its mail to nobody, mail of sendmail(1): notes")
def left_out(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        site.master = site.master.replace(
            "ORIGINATING\n", "ORIGINATING\n  -o smtpd_milters=\n")
        f = site.finds("postfix.milters", status=0, level="note")
        equal(f["where"], site.etc + "/master.cf:2")
    with Site(scratch, dns) as site:
        del site.main["non_smtpd_milters"]
        f = site.finds("postfix.local_mail", status=0, level="note")
        equal(f["paste"], "non_smtpd_milters = $smtpd_milters\n")


@case("rights: a folder that Postfix may not enter")
def folder_rights(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        os.chmod(site.folder, 0o700)
        f = site.finds("postfix.reach")
        equal(f["where"], site.folder)
        check("may not enter" in f["what"], f)
        check("-m 2750 " + site.folder in f["paste"], f)


@case("rights: a socket that Postfix may not write")
def socket_rights(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        os.chown(site.path, 0, 0)
        f = site.finds("postfix.reach")
        equal(f["where"], site.path)
        check("may not connect" in f["what"], f)
        # It is the class that fits first that counts, not the widest one.
        os.chown(site.path, OWNER.pw_uid, 0)
        os.chmod(site.path, 0o066)
        f = [x for x in site.postfix(1)["findings"]
             if x["check"] == "postfix.reach"]
        equal([x["level"] for x in f], ["problem"])


@case("a folder above the socket that is closed")
def parent_rights(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        os.chmod(site.queue, 0o700)
        f = site.finds("postfix.reach")
        equal(f["where"], site.queue)


@case("no socket is a note, no folder a problem")
def missing(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        os.unlink(site.path)
        site.finds("postfix.reach", status=0, level="note")
        os.rmdir(site.folder)
        f = site.finds("postfix.reach")
        equal(f["where"], site.folder)


@case("a socket's folder or a socket that everybody may write")
def open_to_all(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        os.chmod(site.folder, 0o2777)
        f = site.finds("assay.socket")
        equal(f["where"], site.folder)
    with Site(scratch, dns) as site:
        site.options.append("milter.socket_mode=0666")
        f = site.finds("assay.socket")
        check("0666" in f["what"], f)


@case("files that are missing, folders, or full of anything")
def odd_files(scratch, dns):
    with Site(scratch, dns) as site:
        site.write()
        os.unlink(site.etc + "/master.cf")
        report = json.loads(site.run("--postfix", site.etc, status=1))
        f = only(report, "problem", "postfix.files")
        equal(f["where"], site.etc + "/master.cf")
        os.mkdir(site.etc + "/master.cf")
        only(json.loads(site.run("--postfix", site.etc, status=1)),
             "problem", "postfix.files")
        os.rmdir(site.etc + "/master.cf")
        os.mkfifo(site.etc + "/master.cf")
        only(json.loads(site.run("--postfix", site.etc, status=1)),
             "problem", "postfix.files")
        os.unlink(site.etc + "/master.cf")
        scratch.write(site.name + "/etc/master.cf", os.urandom(5000))
        only(json.loads(site.run("--postfix", site.etc, status=1)),
             "problem", "postfix.milters")


@case("escapes in a file's values do not reach the terminal")
def hostile(scratch, dns):
    with Site(scratch, dns) as site:
        site.main["milter_default_action"] = "\x1b[31mred\x1b]0;x\x07"
        site.write()
        out = site.run("--postfix", site.etc, status=1, json_out=False)
        check("\\x1b[31mred" in out, out)
        check(not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", out), repr(out))
        out = site.run("--postfix", site.etc, status=1)
        check("\x1b" not in out, repr(out))


@case("systemd's descriptor: a note, and the entry is known by its name")
def descriptor(scratch, dns):
    with Site(scratch, dns) as site:
        site.options[0] = "milter.socket=fd:3"
        site.finds("assay.socket", status=0, level="note")


# --- Sendmail ----------------------------------------------------------------

@case("Sendmail: a good sendmail.cf, in observe and in enforce")
def sendmail_good(scratch, dns):
    for mode, flags in (("observe", ""), ("enforce", "T"), ("enforce", "4")):
        with Site(scratch, dns, mode) as site:
            report, _ = site.sendmail(SENDMAIL_CF % (site.path, flags), 0)
            only(report, "note")
            check("sendmail.milters" in {f["check"]
                                         for f in report["findings"]})


@case("Sendmail: F= against the mode")
def sendmail_flags(scratch, dns):
    for mode, wrong, right in (("observe", "T", "F=,"), ("observe", "R", "F=,"),
                               ("enforce", "", "F=T,"), ("enforce", "R", "F=T,")):
        with Site(scratch, dns, mode) as site:
            report, path = site.sendmail(SENDMAIL_CF % (site.path, wrong), 1)
            f = only(report, "problem", "sendmail.default_action")
            equal(f["where"], path + ":2")
            check(right in f["paste"] and site.path in f["paste"], f)


@case("Sendmail: no F= at all passes mail unfiltered")
def sendmail_no_flags(scratch, dns):
    with Site(scratch, dns, "enforce") as site:
        text = (SENDMAIL_CF % (site.path, "")).replace(" F=,", "")
        only(site.sendmail(text, 1)[0], "problem", "sendmail.default_action")


@case("Sendmail: T= shorter than ours, its default too")
def sendmail_times(scratch, dns):
    with Site(scratch, dns) as site:
        cf = SENDMAIL_CF % (site.path, "")
        only(site.sendmail(cf.replace("R:30s", "R:20s"), 1)[0], "problem",
             "sendmail.timeouts")
        only(site.sendmail(cf.replace("E:5m", "E:21s"), 1)[0], "problem",
             "sendmail.timeouts")
        f = only(site.sendmail(re.sub(", T=.*", "", cf), 1)[0], "problem",
                 "sendmail.timeouts")
        check("R:10s" in f["what"], f)
        only(site.sendmail(cf.replace("R:30s", "R:soon"), 1)[0], "problem",
             "sendmail.timeouts")


@case("Sendmail: another socket, a filter not called, no filter of ours")
def sendmail_sockets(scratch, dns):
    with Site(scratch, dns) as site:
        cf = SENDMAIL_CF % (site.path, "")
        f = only(site.sendmail(SENDMAIL_CF % ("/run/x.sock", ""), 1)[0],
                 "problem", "sendmail.milters")
        check("/run/x.sock" in f["what"], f)
        report, path = site.sendmail(cf.replace("=assay", "=other"), 1)
        f = only(report, "problem", "sendmail.milters")
        equal(f["where"], path + ":1")
        only(site.sendmail("O InputMailFilters=\nXother, S=unix:/x\n", 1)[0],
             "problem", "sendmail.milters")


@case("sendmail.mc is read by its macros")
def sendmail_mc(scratch, dns):
    with Site(scratch, dns, "enforce") as site:
        mc = ("dnl INPUT_MAIL_FILTER(`assay', `S=unix:/x')\n"
              "INPUT_MAIL_FILTER(`assay', `S=unix:%s, F=T,\n"
              "  T=C:30s;S:30s;R:30s;E:5m')dnl\n" % site.path)
        only(site.sendmail(mc, 0, "mc")[0], "note")
        report, path = site.sendmail(mc.replace("F=T", "F=R"), 1, "mc")
        f = only(report, "problem", "sendmail.default_action")
        equal(f["where"], path + ":2")
        # What is said to be pasted is right.
        only(site.sendmail(f["paste"], 0, "mc")[0], "note")


# --- our own side ------------------------------------------------------------

@case("the state folder: missing, open to others")
def state_folder(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        os.chmod(site.state, 0o755)
        f = site.finds("state.folder")
        check("-m 750 " + site.state in f["paste"], f)
        os.rmdir(site.state)
        f = site.finds("state.folder")
        equal(f["where"], site.state)


@case("site.key: readable by all, or written in the future")
def site_key(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        key = scratch.write(site.name + "/state/site.key", b"x" * 32, 0o644)
        f = site.finds("state.key")
        equal(f["paste"], "chmod 640 %s\n" % key)
        os.chmod(key, 0o640)
        os.utime(key, (4102444800, 4102444800))
        site.finds("machine.clock")


@case("a resolver that does not answer")
def silent_dns(scratch, dns):
    need_root()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent, \
            Site(scratch, dns) as site:
        silent.bind(("127.0.0.1", 0))
        site.options[3] = ("dns.nameservers=127.0.0.1@%d" %
                           silent.getsockname()[1])
        site.finds("machine.dns")


@case("answers from a zone file: a note in observe, a problem in enforce")
def zone(scratch, dns):
    need_root()
    path = scratch.write("zone", "a.example A 192.0.2.1\n")
    for mode, status, level in (("observe", 0, "note"),
                                ("enforce", 1, "problem")):
        with Site(scratch, dns, mode) as site:
            site.options.append("dns.zone=" + path)
            site.finds("machine.dns", status=status, level=level)


@case("a store that does not open")
def store(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        site.options.append("store.url=redis://127.0.0.1:%d/0" %
                            fixture.free_port())
        site.finds("store.opens")


@case("another user than root is told what it may not look at")
def unprivileged(scratch, dns):
    need_root()
    with Site(scratch, dns) as site:
        site.write()
        user = pwd.getpwnam("daemon")
        os.chmod(site.folder, 0o750)
        command = [ASSAY, "-c", "/dev/null"]
        for option in site.options:
            command += ["-o", option]
        try:
            done = subprocess.run(
                command + ["doctor", "--json", "--postfix", site.etc],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                user=user.pw_uid, group=user.pw_gid, extra_groups=[])
        except PermissionError:
            raise Skip("another user may not see the build folder")
        if done.returncode not in (0, 1):
            raise Skip(done.stderr.decode("utf-8", "replace")[:200])
        levels = {f["check"]: f["level"]
                  for f in json.loads(done.stdout)["findings"]}
        equal(levels.get("postfix.reach"), "note", levels)


@case("wrong usage and a wrong configuration")
def usage(scratch, dns):
    with Site(scratch, dns) as site:
        site.run("operand", status=64)
        site.run("--nonsense", status=64)
        site.options.append("limits.sessions=many")
        site.run(status=78)


def main():
    tap = Tap()
    if not os.access(ASSAY, os.X_OK):
        print("1..0 # SKIP assay not built")
        return 0
    dns = Dns()
    with Scratch("doctor") as scratch:
        for claim, function in CASES:
            if len(sys.argv) < 2 or sys.argv[1] in claim:
                tap.run(claim, function, scratch, dns)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
