#!/usr/bin/python3
"""What is installed for systemd, tried with systemd's own tools in a scratch
root; systemd itself is not needed. And what the hardening forbids: the rules
hit the same without machine code.

srcdir and builddir name the folders, as make check sets them. Prints TAP.
"""

import ctypes
import os
import re
import shutil
import stat
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import fixture  # noqa: E402
from fixture import Scratch, Skip, Tap, check, equal  # noqa: E402

BUILD = fixture.BUILD
FILES = ("conf/assayd.service", "conf/assayd.socket",
         "conf/tmpfiles.d/assay.conf", "conf/sysusers.d/assay.conf",
         "conf/assay-report.service", "conf/assay-report.timer",
         "conf/assay-failures.service", "conf/assay-failures.timer")
UNITS = FILES[:2] + FILES[4:]
REPORT, TIMER, FAILURES, FAILURES_TIMER = FILES[4:]
# What systemd.exec(5) says implies NoNewPrivileges for a service with a user.
# With it sendmail(1) could not change its group.
IMPLY_NO_NEW_PRIVILEGES = (
    "NoNewPrivileges", "SystemCallFilter", "SystemCallArchitectures",
    "SystemCallLog", "RestrictAddressFamilies", "RestrictNamespaces",
    "PrivateDevices", "ProtectKernelTunables", "ProtectKernelModules",
    "ProtectKernelLogs", "ProtectClock", "MemoryDenyWriteExecute",
    "RestrictRealtime", "RestrictSUIDSGID", "DynamicUser", "LockPersonality",
    "ProtectHostname")
EXPOSURE_MAX = 2.0      # of 10, as systemd-analyze counts
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1


def run(*command, status=0, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=120, **more)
    text = done.stdout.decode("utf-8", "replace")
    if status is not None:
        equal(done.returncode, status, "%s: %s" % (" ".join(command), text))
    return text


def need(program):
    if not shutil.which(program):
        raise Skip(program + " missing")
    return program


def text_of(name):
    with open(os.path.join(BUILD, name)) as f:
        return f.read()


def setting(name, key):
    """The last value of a key in a unit."""
    return re.findall(r"(?m)^%s=(.*)$" % key, text_of(name))[-1]


def folders(name):
    return re.findall(r"(?m)^d (\S+) (\d+) (\S+) (\S+)", text_of(name))


class Root:
    """A scratch root with users: systemd's tools take it by --root."""

    def __init__(self, scratch, name, groups=()):
        self.path = scratch.folder(name)
        scratch.folder(name, "etc")
        scratch.write(name + "/etc/passwd",
                      "root:x:0:0:root:/root:/bin/sh\n")
        scratch.write(name + "/etc/group", "root:x:0:\n" + "".join(
            "%s:x:%d:\n" % group for group in groups))
        run(need("systemd-sysusers"), "--root=" + self.path,
            os.path.join(BUILD, FILES[3]))

    def user(self, name):
        with open(os.path.join(self.path, "etc/passwd")) as f:
            for line in f:
                if line.startswith(name + ":"):
                    return line.strip().split(":")
        return None

    def make(self, status=0):
        return run(need("systemd-tmpfiles"), "--root=" + self.path,
                   "--create", os.path.join(BUILD, FILES[2]), status=status)

    def look(self, path):
        """Mode, owner and group of a folder in it; None: not there."""
        try:
            st = os.stat(self.path + path)
        except FileNotFoundError:
            return None
        return stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid


CASES = []


def case(claim):
    def keep(function):
        CASES.append((claim, function))
        return function
    return keep


@case("every place in the files is filled in")
def filled(scratch):
    for name in FILES:
        found = re.findall(r"@[A-Za-z_]+@", text_of(name))
        equal(found, [], name)
    for key in ("ExecStart", "ExecReload"):
        check(setting(FILES[0], key).startswith("/"), key)


@case("systemd-sysusers makes the user: a system one that cannot log in")
def sysusers(scratch):
    root = Root(scratch, "users")
    user = root.user(setting(FILES[0], "User"))
    check(user, "no user was made")
    check(0 < int(user[2]) < 1000, "no system user", user)
    check(user[6].endswith("/nologin"), user)
    equal(setting(FILES[0], "User"), setting(FILES[1], "SocketUser"))


@case("systemd-tmpfiles makes the folders, for Postfix with its group, setgid")
def tmpfiles(scratch):
    if os.geteuid() != 0:
        raise Skip("not root")
    root = Root(scratch, "postfix", [("postfix", 1234)])
    uid = int(root.user(setting(FILES[0], "User"))[2])
    gid = int(root.user(setting(FILES[0], "User"))[3])
    root.make()
    made = folders(FILES[2])
    equal(len(made), 3)
    for path, mode, _, group in made:
        equal(root.look(path), (int(mode, 8), uid,
                                1234 if group == "postfix" else gid), path)
    equal([f[1] for f in made], ["0755", "0750", "2750"])
    check(setting(FILES[1], "ListenStream") ==
          made[2][0] + "/milter.sock", "the socket lies elsewhere")


@case("without Postfix its folder is left out, and nothing else")
def no_postfix(scratch):
    if os.geteuid() != 0:
        raise Skip("not root")
    root = Root(scratch, "alone")
    root.make(status=None)
    made = folders(FILES[2])
    check(root.look(made[0][0]) and root.look(made[1][0]), "not made")
    equal(root.look(made[2][0]), None)


def units_root(scratch, name):
    """A root that has the units and the programs that they name."""
    root = scratch.folder(name)
    units = scratch.folder(name, "usr/lib/systemd/system")
    for unit in UNITS:
        shutil.copy(os.path.join(BUILD, unit), units)
    for key in ("ExecStart", "ExecReload"):
        program = setting(FILES[0], key).split()[0]
        scratch.folder(name, os.path.dirname(program).strip("/"))
        scratch.write(name + program, "#!/bin/sh\n", 0o755)
    for target in ("multi-user", "network", "network-online", "nss-lookup",
                   "sockets", "timers", "time-set", "time-sync",
                   "sysinit", "basic", "shutdown"):
        scratch.write("%s/usr/lib/systemd/system/%s.target" % (name, target),
                      "[Unit]\nDescription=%s\n" % target)
    return root


@case("systemd-analyze finds no mistake in the units")
def verify(scratch):
    program = need("systemd-analyze")
    root = units_root(scratch, "units")
    said = run(program, "verify", "--root=" + root, "--man=no",
               *(os.path.basename(unit) for unit in UNITS), status=None)
    mine = [line for line in said.splitlines() if "assay" in line]
    equal(mine, [], said)


@case("what the service may do is little, as systemd-analyze counts it")
def security(scratch):
    program = need("systemd-analyze")
    said = run(program, "security", "--offline=yes", "--no-pager",
               os.path.join(BUILD, FILES[0]), status=None)
    found = re.search(r"exposure level for assayd\.service: ([0-9.]+)", said)
    if not found:
        raise Skip("systemd-analyze too old: " + said[-200:])
    check(float(found.group(1)) <= EXPOSURE_MAX, said)


@case("the report service lets sendmail(1) change its group, and no more")
def reports(scratch):
    for unit in (REPORT, FAILURES):
        text = text_of(unit)
        for name in IMPLY_NO_NEW_PRIVILEGES:
            check(not re.search(r"(?m)^%s=" % name, text), name)
        for name in ("User", "Group"):
            equal(setting(unit, name), setting(FILES[0], name))
        for name in ("ProtectSystem", "ProtectHome", "PrivateTmp",
                     "CapabilityBoundingSet"):
            equal(setting(unit, name), setting(FILES[0], name), name)
    check(setting(REPORT, "ExecStart").endswith("/assay report dmarc"))
    check(setting(FAILURES, "ExecStart").endswith("/assay report failures"))


@case("the timer runs after midnight UTC, by systemd's own reckoning")
def timer(scratch):
    program = need("systemd-analyze")
    for when in re.findall(r"(?m)^OnCalendar=(.*)$", text_of(TIMER)):
        said = run(program, "calendar", when)
        check(re.search(r"Next elapse: .* (00|12):30:00 UTC", said) or
              re.search(r"\(in UTC\): .* (00|12):30:00 UTC", said), said)


@case("failure reports leave four times an hour")
def failures_timer(scratch):
    program = need("systemd-analyze")
    when, = re.findall(r"(?m)^OnCalendar=(.*)$", text_of(FAILURES_TIMER))
    said = run(program, "calendar", "--iterations=4", when)
    equal(set(re.findall(r" \d\d:(\d\d):00 \S+$", said, re.M)),
          {"00", "15", "30", "45"}, said)


@case("threads and files are enough for limits.sessions")
def limits(scratch):
    shown = run(os.path.join(BUILD, "assay"), "-c", "/dev/null", "config",
                "show")
    sessions = int(re.search(r"(?m)^\tsessions = (\d+)", shown).group(1))
    check(int(setting(FILES[0], "TasksMax")) >= sessions + 32)
    check(int(setting(FILES[0], "LimitNOFILE")) >= 3 * sessions + 256)


def forbid_machine_code():
    """What MemoryDenyWriteExecute= does, in the child before exec."""
    prctl = ctypes.CDLL(None).prctl
    numbers = [ctypes.c_ulong(n) for n in (PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)]
    if prctl(PR_SET_MDWE, *numbers):
        os._exit(77)


@case("rules hit the same where memory may not be made executable")
def no_jit(scratch):
    mail = [os.path.join(fixture.SOURCE, "conf/demo", name)
            for name in ("forged.eml", "genuine.eml", "gtube.eml")]
    command = [os.path.join(BUILD, "assay"), "-c", "/dev/null", "check",
               "--local", "--format", "hits", *mail]
    want = run(*command)
    check("\t" in want and "=" in want, "no rule hit", want)
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120,
                          preexec_fn=forbid_machine_code)
    if done.returncode == 77:
        raise Skip("this kernel cannot forbid it")
    equal(done.stdout.decode(), want)


def main():
    tap = Tap()
    if not os.path.exists(os.path.join(BUILD, FILES[0])):
        print("1..0 # SKIP built without units")
        return 0
    with Scratch("units") as scratch:
        for claim, function in CASES:
            if len(sys.argv) < 2 or sys.argv[1] in claim:
                tap.run(claim, function, scratch)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
