"""A scratch Sendmail 8 on loopback, for the tests with real MTAs: the same
interface as fixture.Postfix. Standard library only.

Its packages conflict with Postfix, so they are unpacked and not installed:
tests/run does that, below the folder that ASSAY_SENDMAIL names. One daemon
serves all listeners, each with its own milter. Mail is delivered while the
client waits for its reply, by a small program that writes a Maildir.

Sendmail has no XCLIENT: a client's address is one of 127.0.0.0/8, made from
the one that the test plays (see address()).
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fixture  # noqa: E402
from fixture import free_port, tool, wait_for  # noqa: E402

ROOT = os.environ.get("ASSAY_SENDMAIL") or os.path.join(
    fixture.SOURCE, "build-test", "sendmail", "root")
PROGRAM = os.path.join(ROOT, "usr/libexec/sendmail/sendmail")
CF = os.path.join(ROOT, "usr/share/sendmail/cf")

# What an outside address becomes on loopback, in zones as in connections.
PLAYED = (("192.0.2.", "127.0.2."), ("198.51.100.", "127.51.100."),
          ("203.0.113.", "127.0.113."))

# The mailer: a message on standard input into the Maildir, for the user in
# the first argument, by the queue id in the second. The file's name holds the
# process id: a message that comes twice is there twice.
MAILER = r"""
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	static char data[65536];
	char tmp[4096], new[4096];
	size_t n;

	if (argc != 3)
		return EX_USAGE;
	umask(022);
	snprintf(tmp, sizeof tmp, INBOX "/tmp/%s.%d", argv[2], (int)getpid());
	snprintf(new, sizeof new, INBOX "/new/%s.%d", argv[2], (int)getpid());
	FILE *out = fopen(tmp, "wx");
	if (!out)
		return EX_TEMPFAIL;
	fprintf(out, "X-Original-To: %s@test.example\n", argv[1]);
	while ((n = fread(data, 1, sizeof data, stdin)) > 0)
		fwrite(data, 1, n, out);
	int failed = ferror(stdin) || ferror(out);
	if (fclose(out) != 0 || failed || rename(tmp, new) != 0)
		return EX_TEMPFAIL;
	return 0;
}
"""

CONFIG = r"""divert(-1)
define(`_USE_ETC_MAIL_')
include(`%(cf)s/m4/cf.m4')
divert(0)dnl
OSTYPE(`linux')dnl
define(`MAIL_SETTINGS_DIR', `%(dir)s/etc/')dnl
define(`QUEUE_DIR', `%(dir)s/queue')dnl
define(`STATUS_FILE', `-o %(dir)s/run/statistics')dnl
define(`HELP_FILE', `-o %(dir)s/etc/helpfile')dnl
define(`ALIAS_FILE', `')dnl
define(`confPID_FILE', `%(dir)s/run/pid')dnl
define(`confCW_FILE', `-o %(dir)s/etc/local-host-names')dnl
define(`confCONTROL_SOCKET_NAME', `')dnl
define(`confDOMAIN_NAME', `mx.test.example')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confSERVICE_SWITCH_FILE', `%(dir)s/etc/service.switch')dnl
define(`confTO_IDENT', `0s')dnl
define(`confTO_RESOLVER_RETRANS', `1s')dnl
define(`confTO_RESOLVER_RETRY', `1')dnl
define(`confBIND_OPTS', `-DNSRCH -DEFNAMES')dnl
define(`confDELIVERY_MODE', `interactive')dnl
define(`confQUEUE_LA', `9999')dnl
define(`confREFUSE_LA', `9999')dnl
define(`confDELAY_LA', `9999')dnl
define(`confMAX_HEADERS_LENGTH', `1000000')dnl
define(`confSAFE_QUEUE', `False')dnl
define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit')dnl
define(`confLOG_LEVEL', `14')dnl
%(options)s
define(`SMART_HOST', `local:outside')dnl
define(`LOCAL_MAILER_PATH', `%(dir)s/etc/deliver')dnl
define(`LOCAL_MAILER_ARGS', `deliver $u $i')dnl
define(`_DEF_LOCAL_MAILER_FLAGS', `lsDFMPSn8')dnl
define(`LOCAL_MAILER_FLAGS', `')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`nocanonify')dnl
MAILER(`local')dnl
LOCAL_CONFIG
Cwtest.example
"""

# Sendmail sleeps a minute at each start when this machine's name has no dot,
# and asks DNS for the name of each client. Preloaded, this knows two names.
NAMES = r"""
#define _GNU_SOURCE
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static unsigned char loopback[4] = {127, 0, 0, 1};
static char *addresses[2] = {(char *)loopback}, *aliases[1];
static char own[] = "mx.test.example", localhost[] = "localhost";
static struct hostent found = {.h_aliases = aliases,
    .h_addrtype = AF_INET, .h_length = 4, .h_addr_list = addresses};

static struct hostent *
give(char *name)
{
	found.h_name = name;
	h_errno = name ? 0 : HOST_NOT_FOUND;
	return name ? &found : NULL;
}

int
gethostname(char *name, size_t size)
{
	strncpy(name, own, size);
	return 0;
}

struct hostent *
gethostbyname2(const char *name, int family)
{
	if (family != AF_INET)
		return give(NULL);
	return give(strcasecmp(name, own) == 0 ? own
	    : strcasecmp(name, localhost) == 0 ? localhost : NULL);
}

struct hostent *
gethostbyname(const char *name)
{
	return gethostbyname2(name, AF_INET);
}

struct hostent *
gethostbyaddr(const void *address, socklen_t size, int family)
{
	return give(family == AF_INET && size == 4 &&
	    memcmp(address, loopback, 4) == 0 ? localhost : NULL);
}
"""

TIMEOUTS = "C:30s;S:30s;R:30s;E:5m"

SASL_CONF = """\
pwcheck_method: saslauthd
saslauthd_path: %s
mech_list: PLAIN
"""


def missing():
    """Why there can be no Sendmail here, or None."""
    if os.geteuid() != 0:
        return "not root"
    if not os.access(PROGRAM, os.X_OK) or not os.path.isdir(CF):
        return "sendmail is not unpacked"
    for program in ("m4", "cc"):
        if not shutil.which(program):
            return program + " missing"
    try:
        pwd.getpwnam("smmsp")
    except KeyError:
        return "user smmsp missing"
    for program in ("assayd", "assay"):
        if not os.access(os.path.join(fixture.BUILD, program), os.X_OK):
            return "%s not built in %s" % (program, fixture.BUILD)
    return None


class PasswordServer:
    """What saslauthd is to the SASL library: it says yes to `password`."""

    password = "not-secret"

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(20)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as f:
                words = [f.read(int.from_bytes(f.read(2), "big"))
                         for _ in range(4)]
                answer = b"OK" if words[1] == self.password.encode() else \
                    b"NO"
                peer.sendall(len(answer).to_bytes(2, "big") + answer)


    def stop(self):
        self.socket.close()


class Sendmail(fixture.Deliveries):
    """One instance. `listeners` are further ports: a name, and a milter's
    address, or the word "sasl" for one with the main milter and SMTP AUTH."""

    kind = "Sendmail"
    user, group = "root", "smmsp"   # who connects to a milter
    reads_utf8 = False              # Debian builds it without SMTPUTF8
    # Over TCP Sendmail writes a command in two pieces and waits 40 ms for an
    # acknowledgement between them.
    wants_path = True
    # The clients are on loopback; 127.0.0.1 stays an internal one.
    assayd_options = ("milter.internal=127.0.0.1",)

    def __init__(self, scratch, name, milter=None, listeners=None,
                 sessions=300):
        self.dir = scratch.folder(name)
        super().__init__(os.path.join(self.dir, "mail", "inbox", "new"))
        for part in ("etc", "mail/inbox/new", "mail/inbox/tmp", "sasl"):
            scratch.folder(name, *part.split("/"))
        for part in ("queue", "run"):
            os.chmod(scratch.folder(name, part), 0o700)
        self.config = os.path.join(self.dir, "etc", "sendmail.cf")
        self.port = free_port()
        self.ports = {}
        scratch.write(name + "/sasl/Sendmail.conf", SASL_CONF %
                      os.path.join(self.dir, "sasl", "mux"))
        scratch.write(name + "/etc/service.switch",
                      "hosts files\naliases files\npasswd files\n")
        self._configure(scratch, name, milter, listeners or {})
        self.names = self._compile("names.so", NAMES, "-shared", "-fPIC")
        self._compile("deliver", MAILER, '-DINBOX="%s/mail/inbox"' % self.dir)
        self.stopped = False
        self.pid = None
        scratch.running.append(self)
        self._sendmail("-bd", check_status=True)
        wait_for(lambda: fixture.accepts(("127.0.0.1", self.port)),
                 "Sendmail " + name, fixture.START_PATIENCE)
        with open(os.path.join(self.dir, "run", "pid")) as f:
            self.pid = int(f.readline())

    def _configure(self, scratch, name, milter, listeners):
        filters = []
        if milter:
            filters.append(self._filter("assay", milter))
        lines = [self._daemon("main", self.port, "assay" if milter else "")]
        for listener, what in listeners.items():
            port = self.ports[listener] = free_port()
            if what == "sasl":
                lines.append(self._daemon(listener, port, "assay"))
            else:
                filters.append(self._filter(listener, what))
                lines.append(self._daemon(listener, port, listener))
        lines += filters
        lines += ["define(`confAUTH_MECHANISMS', `PLAIN')dnl",
                  "TRUST_AUTH_MECH(`PLAIN')dnl"]
        text = CONFIG % {"cf": CF, "dir": self.dir,
                         "options": "\n".join(lines)}
        made = scratch.write(name + "/etc/sendmail.mc", text)
        done = subprocess.run(["m4", "-D_CF_DIR_=" + CF + "/", made],
                              stdin=subprocess.DEVNULL, check=True,
                              stdout=subprocess.PIPE)
        scratch.write(name + "/etc/sendmail.cf", done.stdout +
                      b"ESASL_CONF_PATH=%s\n" % os.path.join(
                          self.dir, "sasl").encode())

    def _compile(self, name, text, *options):
        source = os.path.join(self.dir, "etc", name + ".c")
        with open(source, "w") as f:
            f.write(text)
        program = os.path.join(self.dir, "etc", name)
        tool("cc", "-O", "-o", program, *options, source)
        return program

    @staticmethod
    def _daemon(name, port, milter):
        return ("DAEMON_OPTIONS(`Name=%s, Addr=127.0.0.1, Port=%d,"
                " Listen=300, InputMailFilters=%s')dnl" % (name, port, milter))

    @staticmethod
    def _filter(name, address):
        where = "unix:" + address if isinstance(address, str) else \
            "inet:%d@localhost" % address[1]
        return "MAIL_FILTER(`%s', `S=%s, F=T, T=%s')dnl" % (
            name, where, TIMEOUTS)

    def stop(self):
        if not self.stopped:
            self.stopped = True
            if self.pid:
                os.kill(self.pid, signal.SIGTERM)
                wait_for(lambda: not fixture.accepts(
                    ("127.0.0.1", self.port)), "the end of Sendmail")

    # addresses

    @staticmethod
    def address(ip):
        """The address on loopback that plays this one."""
        for outside, loopback in PLAYED:
            if ip.startswith(outside):
                return loopback + ip[len(outside):]
        return ip

    @staticmethod
    def zone(text):
        """A zone file with the played addresses."""
        for outside, loopback in PLAYED:
            text = text.replace(outside, loopback)
        return text

    @classmethod
    def shown(cls, name, ip):
        """The client= of the log: no client has a name but localhost."""
        del name
        return "unknown[%s]" % cls.address(ip)

    @contextlib.contextmanager
    def passwords(self):
        """What the listener with SMTP AUTH needs: gives the password."""
        server = PasswordServer(os.path.join(self.dir, "sasl", "mux"))
        yield server.password
        server.stop()

    # the queue

    def _sendmail(self, *words, check_status=False):
        return tool("env", "LD_PRELOAD=" + self.names, PROGRAM,
                    "-C" + self.config, *words, check_status=check_status)

    def _files(self, letters):
        return {name[2:] for name in os.listdir(os.path.join(
            self.dir, "queue")) if name[:2] in letters}

    def is_held(self, queue_id):
        return queue_id in self._files(["hf"])

    def is_queued(self, queue_id):
        return queue_id in self._files(["hf", "qf"])

    def release(self, queue_id):
        """From quarantine to a delivery attempt now."""
        self._sendmail("-qQ", "-qI" + queue_id, "-Q")
        self._sendmail("-qI" + queue_id)

    def drop(self, queue_id):
        for letters in ("hf", "qf", "df"):
            path = os.path.join(self.dir, "queue", letters + queue_id)
            if os.path.exists(path):
                os.unlink(path)

    def is_empty(self):
        return not self._files(["hf", "qf"])

    def complaints(self):
        """Sendmail logs to the system's log alone: what failed is seen by
        its queue, and a bounce by who gets it."""
        return self.delivered_to("outside") + self.delivered_to("postmaster")

    def client(self, listener=None, ip="192.0.2.10",
               helo="mail.bank.example", name=None, xclient=True, **how):
        del name
        return fixture.Smtp(
            self.ports[listener] if listener else self.port, helo=helo,
            xclient=False, source=self.address(ip) if xclient else None,
            **how)
