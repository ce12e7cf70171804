"""What the tests with a real MTA stand on: assayd and assay of a build
folder, a scratch Postfix on loopback, Dovecot's SASL server, and an SMTP
client that sends exactly the bytes it is given. Standard library only.

All is kept below one folder in the system's temporary folder, and every
program that is started here is ended here, by its process id. Nothing waits a
fixed time: each wait is for an event and has a deadline.
"""

import collections
import contextlib
import grp
import json
import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from ports import free_port

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("builddir") or "build")
DOMAIN = "test.example"
AUTHSERV = "mx.test.example"
# Seconds that an event may take on a busy machine.
PATIENCE = float(os.environ.get("ASSAY_TEST_PATIENCE") or 60)
START_PATIENCE = 60

GTUBE = (b"XJS*C4JDBQADN1.NSBN3*2IDNEN*"
         b"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X")


os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin"


# --- TAP ---------------------------------------------------------------------

class Skip(Exception):
    """A case that cannot run here; the text says why."""


class Tap:
    """ok and not ok lines; a case is a function named by its claim."""

    def __init__(self):
        self.n = self.failed = 0
        self.lock = threading.Lock()

    def ok(self, good, claim, detail=""):
        with self.lock:
            self.n += 1
            self.failed += not good
            print("%sok %d - %s" % ("" if good else "not ", self.n,
                                    claim.replace("#", "\\#")))
            if not good and detail:
                for line in str(detail).splitlines()[:40]:
                    print("# " + line[:500])
            sys.stdout.flush()
        return good

    def skip(self, claim, why):
        self.n += 1
        print("ok %d - %s # SKIP %s" % (self.n, claim, why))
        sys.stdout.flush()
        return True

    def run(self, claim, function, *args):
        """One case: it fails by an exception, or is skipped by one."""
        begin = time.monotonic()
        detail = None
        try:
            function(*args)
        except Skip as why:
            return self.skip(claim, why)
        except Exception:
            detail = traceback.format_exc()
        good = self.ok(detail is None, claim, detail)
        print("# %.1f s" % (time.monotonic() - begin))
        return good

    def done(self):
        print("1..%d" % self.n)
        return 1 if self.failed else 0


def check(good, *what):
    """assert with its values, also under python3 -O."""
    if not good:
        raise AssertionError(" ".join(
            w if isinstance(w, str) else repr(w) for w in what))


def equal(got, want, what=""):
    if got != want:
        raise AssertionError("%s: got %r, want %r" % (what, got, want))


# --- waiting -----------------------------------------------------------------

def wait_for(probe, what, seconds=PATIENCE):
    """The first true value of probe(); asked again and again."""
    end = time.monotonic() + seconds
    pause = 0.005
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %g s in vain for %s" %
                                 (seconds, what))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def connect(address, timeout):
    """To a path, or to a pair of host and port."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    s = socket.socket(family)
    try:
        s.settimeout(timeout)
        s.connect(address)
    except OSError:
        s.close()
        raise
    return s


def accepts(address):
    try:
        connect(address, 5).close()
    except OSError:
        return False
    return True


class Lines:
    """Lines that a program writes, collected by a thread as they come."""

    def __init__(self, stream):
        self.lines = []
        self.changed = threading.Condition()
        self.ended = False
        self.thread = threading.Thread(target=self._read, args=(stream,),
                                       daemon=True)
        self.thread.start()

    def _read(self, stream):
        for line in stream:
            with self.changed:
                self.lines.append(line.rstrip(b"\n").decode("latin-1"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def mark(self):
        with self.changed:
            return len(self.lines)

    def since(self, mark=0):
        with self.changed:
            return self.lines[mark:]

    def wait(self, pattern, mark=0, n=1, seconds=PATIENCE):
        """The first n lines after `mark` that the pattern finds."""
        wanted = re.compile(pattern)
        end = time.monotonic() + seconds
        found = []
        with self.changed:
            while True:
                while mark < len(self.lines):
                    if wanted.search(self.lines[mark]):
                        found.append(self.lines[mark])
                    mark += 1
                    if len(found) == n:
                        return found
                left = end - time.monotonic()
                if self.ended or left <= 0:
                    raise AssertionError(
                        "%d of %d lines like %r; last: %r" % (
                            len(found), n, pattern, self.lines[-5:]))
                self.changed.wait(left)


# --- scratch -----------------------------------------------------------------

class Scratch:
    """The folder of one test run, and what must be stopped at its end, in
    reverse order of start."""

    def __init__(self, name):
        self.path = tempfile.mkdtemp(prefix="assay-%s-" % name,
                                     dir=os.environ.get("TMPDIR", "/tmp"))
        os.chmod(self.path, 0o755)
        self.running = []

    def folder(self, *names):
        path = os.path.join(self.path, *names)
        os.makedirs(path, mode=0o755, exist_ok=True)
        return path

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.path, name)
        data = text if isinstance(text, bytes) else text.encode()
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, mode)
        return path

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        for program in reversed(self.running):
            try:
                program.stop()
            except Exception:
                traceback.print_exc()
        if os.environ.get("ASSAY_TEST_KEEP"):
            print("# kept: " + self.path)
        else:
            shutil.rmtree(self.path, ignore_errors=True)


def end_process(process, seconds=30):
    """SIGTERM, and SIGKILL when that does not help: then None."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


# --- assayd ------------------------------------------------------------------

SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:|"
                       r"SUMMARY: \w+Sanitizer|Assertion .* failed")


class Assayd:
    """The daemon in the foreground. `conf` is the text of its configuration;
    what tests share (state, control socket, zone) comes by -o."""

    def __init__(self, scratch, name, conf="", zone=None, options=(),
                 port=None, path=None, user=None, listener=None):
        """`listener`: an open listening socket to inherit, as fd:N."""
        self.scratch, self.name = scratch, name
        self.folder = scratch.folder(name)
        self.state = os.path.join(self.folder, "state")
        self.conf = os.path.join(self.folder, "assay.conf")
        self.configure(conf)
        if path:
            self.address, spec = path, "unix:" + path
        elif listener:
            self.address = listener.getsockname()
            spec = "fd:%d" % listener.fileno()
        else:
            port = port or free_port()
            self.address = ("127.0.0.1", port)
            spec = "inet:%d@127.0.0.1" % port
        self.options = ["state=" + self.state, "milter.authserv_id=" +
                        AUTHSERV] + list(options)
        if zone:
            self.options.append("dns.zone=" + zone)
        command = [os.path.join(BUILD, "assayd"), "-f", "-c", self.conf,
                   "-p", spec]
        for option in self.options:
            command += ["-o", option]
        if user:
            command += ["-u", user]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, cwd=self.folder,
            pass_fds=[listener.fileno()] if listener else (),
            env=self._environment())
        self.log = Lines(self.process.stderr)
        self.status = None
        self.stopped = False
        scratch.running.append(self)
        wait_for(self._is_up, "assayd on " + spec, START_PATIENCE)
        # The socket's owner, group and mode come after its first connect.
        self.log.wait(r"^assayd \S+ serves ")

    @staticmethod
    def _environment():
        env = dict(os.environ, LC_ALL="C.UTF-8")
        for name, own in (
                ("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0"),
                ("UBSAN_OPTIONS", "print_stacktrace=1")):
            env[name] = ":".join(filter(None, (own, os.environ.get(name))))
        return env

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError("assayd ended: %r" % self.log.since()[-10:])
        return accepts(self.address)

    def configure(self, text):
        with open(self.conf, "w") as f:
            f.write(text)
        os.chmod(self.conf, 0o644)

    def hangup(self):
        os.kill(self.process.pid, signal.SIGHUP)

    def journal(self, queue_id, seconds=PATIENCE):
        """The parsed line of one message."""
        line, = self.log.wait(r"(^|\s)%s: ref=" % re.escape(queue_id),
                              seconds=seconds)
        return Journal(line)

    def journals(self, mark=0):
        return [Journal(line) for line in self.log.since(mark)
                if Journal.BEGIN.match(line)]

    def assay(self, *words, user=None, stdin=None):
        """Runs the command with this daemon's settings."""
        command = [os.path.join(BUILD, "assay"), "-c", self.conf]
        for option in self.options:
            command += ["-o", option]
        return subprocess.run(
            command + list(words), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
            cwd=self.folder, env=self._environment(), user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None)

    def stop(self):
        if not self.stopped:
            self.stopped = True
            self.status = end_process(self.process)
            self.log.thread.join(30)
            self.process.stderr.close()

    def sanitizer_lines(self):
        lines = self.log.since()
        for i, line in enumerate(lines):
            if SANITIZER.search(line):
                return lines[max(0, i - 2):i + 30]
        return []


def stopped_clean(tap, *daemons):
    """Stops them and says as cases how they ended."""
    for daemon in daemons:
        daemon.stop()
        tap.ok(daemon.status == 0,
               "assayd (%s) stops in order at SIGTERM" % daemon.name,
               "status %r: %s" % (daemon.status,
                                  "\n".join(daemon.log.since()[-15:])))
        report = daemon.sanitizer_lines()
        tap.ok(not report, "assayd (%s) left no sanitizer report" %
               daemon.name, "\n".join(report))


class Journal:
    """The one line of a message, read as strictly as the contract words
    it."""

    BEGIN = re.compile(r"^(?:NOQUEUE|[0-9A-Za-z]+): ref=[^,]+, action=")
    KEYS = ("ref action by would score dir client helo auth from to nrcpt"
            " hfrom msgid size spf dkim dmarc arc degraded ms"
            " symbols").split()
    FORMS = {
        "ref": r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}",
        "action": r"accept|tag|quarantine|reject|tempfail",
        "by": r"[a-z_]+",
        "would": r"accept|tag|quarantine|reject|tempfail",
        "score": r"-?\d+\.\d{3}/(off|-?\d+(\.\d{1,3})?)",
        "dir": r"in|out|relay",
        "client": r"local|[^\s\[\]]+\[[0-9a-f.:]+\]|[^\s\[\]]+\[unknown\]",
        "from": r"<\S*>", "to": r"<\S*>", "msgid": r"<\S*>",
        "nrcpt": r"\d+", "size": r"\d+", "ms": r"\d+",
        "spf": r"-|none|neutral|pass|fail|softfail|temperror|permerror",
        "dkim": r"-|none|[a-z]+:\S+(;[a-z]+:\S+)*(;\+\d+)?",
        "dmarc": r"-|(none|pass|fail|temperror|permerror)/"
                 r"(-|none|quarantine|reject)(\([a-z_]+\))?",
        "arc": r"-|none|pass|fail|temperror",
        "degraded": r"-|[a-z_:.0-9-]+(,[a-z_:.0-9-]+)*(,\+\d+)?",
        "symbols": r"-|\+\d+|[A-Za-z0-9_]+:-?\d+(\.\d{1,3})?"
                   r"(,[A-Za-z0-9_]+:-?\d+(\.\d{1,3})?)*(,\+\d+)?",
    }
    SIZE_MAX = 900

    def __init__(self, line):
        self.line = line
        check(len(line.encode("latin-1")) <= self.SIZE_MAX, "longer than",
              self.SIZE_MAX, line)
        check(re.fullmatch(r"[\x20-\x7e]+", line), "not ASCII", line)
        self.queue_id, text = line.split(": ", 1)
        check(re.fullmatch(r"NOQUEUE|[0-9A-Za-z]+", self.queue_id),
              "queue id", line)
        self.fields = collections.OrderedDict()
        for field in text.split(", "):
            key, mark, value = field.partition("=")
            check(mark and key in self.KEYS and key not in self.fields,
                  "field", field, "in", line)
            check(value and '"' not in value and " " not in value,
                  "value of", field, "in", line)
            form = self.FORMS.get(key, r"[^\s,]+")
            check(re.fullmatch(form, value), "form of", field, "in", line)
            self.fields[key] = value
        wanted = [k for k in self.KEYS
                  if k != "would" or "would" in self.fields]
        equal(list(self.fields), wanted, "order of fields")
        check(self.fields.get("would") != self.fields["action"],
              "would says the same as action", line)

    def __getitem__(self, key):
        return self.fields[key]

    def get(self, key, default=None):
        return self.fields.get(key, default)

    @property
    def would(self):
        return self.fields.get("would", self.fields["action"])

    @property
    def symbols(self):
        text = self.fields["symbols"]
        return {name: float(value) for name, mark, value in
                (s.partition(":") for s in text.split(",")) if mark}


# --- Postfix -----------------------------------------------------------------

LISTENER = "127.0.0.1:%d inet n - n - %d smtpd%s\n"
MASTER = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

MAIN = """\
compatibility_level = 3.7
multi_instance_name = postfix-%(name)s
syslog_name = postfix-%(name)s
queue_directory = %(dir)s/spool
data_directory = %(dir)s/data
command_directory = %(commands)s
daemon_directory = %(daemons)s
maillog_file = %(dir)s/log/mail
maillog_file_prefixes = %(dir)s/log
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.test.example
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = 192.0.2.254
default_transport = error:no outbound mail from the fixture
smtpd_peername_lookup = no
smtp_host_lookup = native
virtual_mailbox_domains = test.example
virtual_mailbox_base = %(dir)s/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:%(uid)d
virtual_gid_maps = static:%(gid)d
virtual_transport = virtual
virtual_mailbox_limit = 0
mailbox_size_limit = 0
message_size_limit = 104857600
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
smtpd_junk_command_limit = 100000
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_recipient_limit = 10000
in_flow_delay = 0
milter_default_action = tempfail
milter_protocol = 6
"""


def missing():
    """Why there can be no Postfix here, or None."""
    if os.geteuid() != 0:
        return "not root"
    if not shutil.which("postfix") or not shutil.which("postconf"):
        return "postfix missing"
    for program in ("assayd", "assay"):
        if not os.access(os.path.join(BUILD, program), os.X_OK):
            return "%s not built in %s" % (program, BUILD)
    try:
        pwd.getpwnam("postfix")
    except KeyError:
        return "postfix missing"
    return None


def tool(*command, check_status=True):
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=120)
    text = done.stdout.decode("latin-1")
    if check_status and done.returncode != 0:
        raise AssertionError("%s: status %d: %s" % (
            " ".join(command), done.returncode, text))
    return text


class Delivered:
    """One message in the Maildir, as bytes with LF."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            self.data = f.read()
        self.head, _, self.body = self.data.partition(b"\n\n")
        self.fields = []
        for line in self.head.split(b"\n"):
            if line[:1] in b" \t" and self.fields and line:
                self.fields[-1] += b"\n" + line
            else:
                self.fields.append(line)

    def names(self):
        return [f.partition(b":")[0].decode("latin-1") for f in self.fields]

    def all(self, name):
        """Values of a field, unfolded, without the blanks around."""
        wanted = name.lower().encode()
        return [re.sub(rb"\n(?=[ \t])", b"", value).strip().decode("latin-1")
                for key, _, value in (f.partition(b":") for f in self.fields)
                if key.strip().lower() == wanted]

    def one(self, name):
        values = self.all(name)
        equal(len(values), 1, "fields called " + name)
        return values[0]


class Deliveries:
    """The Maildir that a scratch MTA delivers to."""

    def __init__(self, new):
        self.new = new
        self.seen = {}

    def mail(self):
        """All delivered messages, oldest read first."""
        try:
            names = os.listdir(self.new)
        except FileNotFoundError:
            names = []
        for name in sorted(names):
            if name not in self.seen:
                self.seen[name] = Delivered(os.path.join(self.new, name))
        return list(self.seen.values())

    def delivered_to(self, user):
        address = "%s@%s" % (user, DOMAIN)
        return [m for m in self.mail() if address in m.all("X-Original-To")]

    def wait_delivered(self, user, n=1, seconds=PATIENCE):
        wait_for(lambda: len(self.delivered_to(user)) >= n,
                 "%d messages for %s" % (n, user), seconds)
        found = self.delivered_to(user)
        equal(len(found), n, "messages for " + user)
        return found[0] if n == 1 else found

    def forget(self):
        """Removes what was delivered."""
        for message in self.mail():
            os.unlink(message.path)
        self.seen.clear()

    def wait_empty(self, seconds=PATIENCE):
        wait_for(self.is_empty, "an empty queue", seconds)


class Postfix(Deliveries):
    """One instance. `milter` is an address as sockets want it. `listeners`
    are further ports of its smtpd: a name, and the address of another milter,
    or the word "sasl" for one with the main milter and SMTP AUTH, or a tuple of
    the word and an address, or of the word, an address, and further settings.
    (To start an instance takes seconds, a listener nothing.)"""

    kind = "Postfix"
    user = group = "postfix"    # who connects to a milter
    assayd_options = ()
    reads_utf8 = True           # SMTPUTF8
    wants_path = False

    def __init__(self, scratch, name, milter=None, extra="", sessions=300,
                 listeners=None):
        self.dir = scratch.folder(name)
        super().__init__(os.path.join(self.dir, "mail", "inbox", "new"))
        self.scratch = scratch
        self.etc = os.path.join(self.dir, "etc")
        self.port = free_port()
        owner = pwd.getpwnam("nobody")
        for part in ("etc", "spool", "data", "mail", "log"):
            scratch.folder(name, part)
        os.chown(os.path.join(self.dir, "data"),
                 pwd.getpwnam("postfix").pw_uid, -1)
        os.chown(os.path.join(self.dir, "mail"), owner.pw_uid, owner.pw_gid)
        values = {
            "name": name, "dir": self.dir,
            "uid": owner.pw_uid, "gid": owner.pw_gid,
            "commands": tool("postconf", "-dh", "command_directory").strip(),
            "daemons": tool("postconf", "-dh", "daemon_directory").strip(),
        }
        # Postfix warns about what is set twice.
        names = {line.split(" =")[0] for line in extra.splitlines()}
        main = "".join(line for line in (MAIN % values).splitlines(True)
                       if line.split(" =")[0] not in names) + extra
        if milter:
            main += "smtpd_milters = %s\n" % self._milter(milter)
        scratch.write(name + "/etc/main.cf", main)
        master = LISTENER % (self.port, sessions, "")
        self.ports = {}
        for listener, what in (listeners or {}).items():
            self.ports[listener] = free_port()
            settings = self._listener_settings(what)
            master += LISTENER % (self.ports[listener], 20, "".join(
                " -o %s=%s" % setting for setting in settings.items()))
        scratch.write(name + "/etc/master.cf", master + MASTER)
        self.stopped = False
        scratch.running.append(self)
        tool("postfix", "-c", self.etc, "start")
        wait_for(lambda: accepts(("127.0.0.1", self.port)),
                 "Postfix %s; log: %s" % (name, self.log()[-2000:]),
                 START_PATIENCE)

    def stop(self):
        if not self.stopped:
            self.stopped = True
            tool("postfix", "-c", self.etc, "stop", check_status=False)

    def log(self):
        try:
            with open(os.path.join(self.dir, "log", "mail"),
                      encoding="latin-1") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    # the queue

    def queue(self):
        """Entries of the queue, as postqueue -j shows them."""
        text = tool("postqueue", "-c", self.etc, "-j")
        return [json.loads(line) for line in text.splitlines() if line]

    def is_empty(self):
        return not self.queue()

    def is_queued(self, queue_id):
        return any(e["queue_id"] == queue_id for e in self.queue())

    def is_held(self, queue_id):
        return any(e["queue_id"] == queue_id and e["queue_name"] == "hold"
                   for e in self.queue())

    def release(self, queue_id):
        """From the hold queue to a delivery attempt now."""
        tool("postsuper", "-c", self.etc, "-H", queue_id)
        tool("postqueue", "-c", self.etc, "-i", queue_id)

    def drop(self, queue_id):
        tool("postsuper", "-c", self.etc, "-d", queue_id)

    def complaints(self):
        """Lines of the log about bounces, deferred mail and errors."""
        return re.findall(r".*(?:status=(?:bounced|deferred|expired)|(?:panic|"
                          r"fatal|error): ).*", self.log())

    # clients

    @staticmethod
    def _milter(address):
        return "unix:" + address if isinstance(address, str) else \
            "inet:%s:%d" % address

    def _listener_settings(self, what):
        if what == "sasl":
            return self._sasl_settings()
        if what[0] != "sasl":
            return {"smtpd_milters": self._milter(what)}
        further = what[2] if len(what) > 2 else {}
        return {"smtpd_milters": self._milter(what[1]), **further,
                **self._sasl_settings()}

    def _sasl_settings(self):
        return {"smtpd_sasl_auth_enable": "yes",
                "smtpd_sasl_type": "dovecot",
                "smtpd_sasl_path": os.path.join(self.dir, "sasl", "socket"),
                "smtpd_sasl_security_options": "noanonymous"}

    @contextlib.contextmanager
    def passwords(self):
        """What the listener with SMTP AUTH needs: gives the password."""
        if not shutil.which("dovecot"):
            raise Skip("dovecot missing")
        sasl = Sasl(self.scratch, self.dir)
        yield sasl.password
        sasl.stop()

    @staticmethod
    def zone(text):
        """A zone file as this MTA's clients need it."""
        return text

    @staticmethod
    def shown(name, ip):
        """The client= of the log."""
        return "%s[%s]" % (name, ip)

    def client(self, listener=None, **how):
        return Smtp(self.ports[listener] if listener else self.port, **how)


# --- Dovecot's SASL ----------------------------------------------------------

DOVECOT = """\
base_dir = %(dir)s/run
state_dir = %(dir)s/state
log_path = %(dir)s/log
instance_name = %(name)s
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
passdb {
  driver = static
  args = password=%(password)s
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}
service auth {
  unix_listener %(dir)s/socket {
    mode = 0666
  }
}
service stats {
  chroot =
}
"""


class Sasl:
    """smtpd_sasl_type = dovecot; everybody's password is `password`."""

    password = "not-secret"

    def __init__(self, scratch, folder):
        self.dir = scratch.folder(folder, "sasl")
        for part in ("run", "state"):
            scratch.folder(self.dir, part)
        conf = scratch.write(os.path.join(self.dir, "dovecot.conf"), DOVECOT % {
            "dir": self.dir, "name": os.path.basename(folder),
            "password": self.password})
        self.process = subprocess.Popen(
            [shutil.which("dovecot"), "-F", "-c", conf],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        scratch.running.append(self)
        wait_for(lambda: accepts(os.path.join(self.dir, "socket")),
                 "Dovecot's SASL socket")

    def stop(self):
        end_process(self.process)


# --- SMTP --------------------------------------------------------------------

class Reply:
    def __init__(self, code, lines):
        self.code, self.lines = code, lines
        self.text = " ".join(lines)

    @property
    def status(self):
        """The enhanced status code."""
        return self.text.split(" ", 1)[0]

    @property
    def queue_id(self):
        found = re.search(r"queued as (\w+)|(\w+) Message accepted",
                          self.text)
        check(found, "no queue id in", self.text)
        return found.group(1) or found.group(2)

    @property
    def ref(self):
        found = re.search(r"\(ref ([0-9A-Z-]+)\)", self.text)
        check(found, "no ref in", self.text)
        return found.group(1)

    def __repr__(self):
        return "%d %s" % (self.code, self.text)


class HungUp(Exception):
    pass


class Refused(AssertionError):
    """Another reply than the one that was wanted."""

    def __init__(self, what, reply, want):
        super().__init__("%s -> %r, want %d" % (what, reply, want))
        self.reply = reply


def crlf(data):
    """LF to CRLF, for messages that the test wrote with LF."""
    return data.replace(b"\n", b"\r\n")


def stuffed(data):
    """A message as DATA wants it: dots doubled at the begin of lines, CRLF at
    the end. Only CRLF ends a line here."""
    data = re.sub(rb"(^|\r\n)\.", rb"\1..", data)
    return data if data.endswith(b"\r\n") else data + b"\r\n"


class Smtp:
    """A client that plays any address with XCLIENT, or connects from the
    address `source`."""

    def __init__(self, port, ip="192.0.2.10", helo="mail.bank.example",
                 name=None, xclient=True, timeout=120, source=None):
        self.s = socket.create_connection(
            ("127.0.0.1", port), timeout, (source, 0) if source else None)
        self.s.settimeout(timeout)
        self.file = self.s.makefile("rb")
        self.helo = helo
        self.ehlo_lines = []
        reply = self.reply()
        if reply.code != 220:
            raise Refused("greeting", reply, 220)
        self.ehlo()
        if xclient:
            self.must(220, "XCLIENT NAME=%s ADDR=%s" % (name or helo, ip))
            self.ehlo()

    def __enter__(self):
        return self

    def __exit__(self, kind, *unused):
        if kind is None:
            try:
                self.command("QUIT")
            except (HungUp, OSError):
                pass
        self.close()

    def close(self):
        self.file.close()
        self.s.close()

    def reply(self):
        lines = []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\n"):
                raise HungUp()
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            lines.append(text[4:])
            if text[3:4] != "-":
                return Reply(int(text[:3]), lines)

    def send(self, data):
        self.s.sendall(data)

    def command(self, text):
        self.send(text.encode("utf-8") + b"\r\n")
        return self.reply()

    def must(self, code, text):
        reply = self.command(text)
        if reply.code != code:
            raise Refused(text, reply, code)
        return reply

    def ehlo(self):
        self.ehlo_lines = self.must(250, "EHLO " + self.helo).lines

    def starttls(self):
        """From here on encrypted; who the server is, nobody asks."""
        self.must(220, "STARTTLS")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.file.close()
        self.s = context.wrap_socket(self.s)
        self.file = self.s.makefile("rb")
        self.ehlo()

    def auth_plain(self, user, password):
        import base64
        token = base64.b64encode(("\0%s\0%s" % (user, password)).encode())
        self.must(235, "AUTH PLAIN " + token.decode())

    def envelope(self, sender, *users, parameters=""):
        self.must(250, "MAIL FROM:<%s>%s" % (
            sender, " " + parameters if parameters else ""))
        for user in users:
            address = user if "@" in user else "%s@%s" % (user, DOMAIN)
            self.must(250, "RCPT TO:<%s>" % address)

    def data(self, message):
        """DATA with exactly these bytes; the reply at its end."""
        self.must(354, "DATA")
        self.send(stuffed(message) + b".\r\n")
        return self.reply()

    def message(self, sender, users, message, parameters=""):
        """A whole transaction; users: a name, or a list of names."""
        if isinstance(users, str):
            users = [users]
        self.envelope(sender, *users, parameters=parameters)
        return self.data(message)


def mail(subject="Hello", sender="ben@shop.example", to="anna", body=None,
         extra="", message_id=None):
    """A well-formed plain message with CRLF."""
    head = ("Date: Tue, 24 Nov 2026 09:31:00 +0000\n"
            "From: Ben Miller <%s>\nTo: %s@test.example\nSubject: %s\n"
            "Message-ID: <%s>\n%sMIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=utf-8\n\n" % (
                sender, to, subject, message_id or to + ".1@shop.example",
                extra))
    if body is None:
        body = b"Hello Anna,\n\nsee you on Thursday.\n\nBen\n"
    return crlf(head.encode("utf-8") + body)


def in_threads(n, function, seconds=150):
    """function(i) in n threads; the first failure is raised."""
    failures = []

    def one(i):
        try:
            function(i)
        except Exception:
            failures.append(traceback.format_exc())

    threads = [threading.Thread(target=one, args=(i,), daemon=True)
               for i in range(n)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    check(not any(t.is_alive() for t in threads), "threads still busy")
    check(not failures, "%d failed, first: %s" % (
        len(failures), failures[0] if failures else ""))


def rules_with(scratch, name, text, ours=True):
    """The value of rules.path: our rules, where there are any, then the
    test's."""
    path = scratch.write(name, text)
    folder = os.path.join(SOURCE, "rules")
    own = ours and any(f.endswith(".cf") for f in os.listdir(folder))
    return "%s,%s" % (folder, path) if own else path


def group_id(name):
    return grp.getgrnam(name).gr_gid
