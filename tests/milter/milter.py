"""The MTA's side of the milter protocol (version 6), for tests: standard
library only. What it sends and when is the test's choice, also when it makes
no sense."""

import socket
import struct

# Actions and protocol steps, as an MTA of today offers them.
ALL_ACTIONS = 0x1FF
ALL_STEPS = 0x1FFFFF
OLD_ACTIONS = 0x0F          # version 2: no quarantine, no macro lists
OLD_STEPS = 0x7F

NR_HEADER, NR_HELO = 0x80, 0x2000
NR_EOH, NR_BODY = 0x40000, 0x80000
NO_UNKNOWN, NO_DATA = 0x100, 0x200
LEADING_SPACE = 0x100000
NEVER = 0x1000 | 0x4000 | 0x8000  # no reply to CONNECT, MAIL, RCPT


class Closed(Exception):
    """The filter hung up."""


class Reply:
    """What the filter said at one stage: a final letter and edits before."""

    def __init__(self, letter, data, edits):
        self.letter, self.data, self.edits = letter, data, edits

    @property
    def text(self):
        return self.data.rstrip(b"\0").decode("latin-1")

    def __repr__(self):
        return "Reply(%r, %r, %r)" % (self.letter, self.data, self.edits)


class Milter:
    def __init__(self, where, timeout=15):
        if isinstance(where, str):
            self.s = socket.socket(socket.AF_UNIX)
        else:
            self.s = socket.socket(socket.AF_INET)
        self.s.settimeout(timeout)
        self.s.connect(where)
        self.steps = self.actions = 0
        self.macro_lists = {}

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    # packets

    def send(self, letter, data=b""):
        packet = letter.encode() + data
        self.s.sendall(struct.pack("!I", len(packet)) + packet)

    def _read(self, n):
        data = b""
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise Closed()
            data += more
        return data

    def receive(self):
        n = struct.unpack("!I", self._read(4))[0]
        data = self._read(n)
        return chr(data[0]), data[1:]

    def answer(self):
        """Reads up to a reply that ends the stage."""
        edits = []
        while True:
            letter, data = self.receive()
            if letter in "acdrtyfs4":
                return Reply(letter, data, edits)
            edits.append((letter, data))

    # stages

    def negotiate(self, version=6, actions=ALL_ACTIONS, steps=ALL_STEPS):
        self.send("O", struct.pack("!III", version, actions, steps))
        letter, data = self.receive()
        assert letter == "O", letter
        self.version, self.actions, self.steps = struct.unpack(
            "!III", data[:12])
        rest = data[12:]
        while len(rest) > 4:
            stage = struct.unpack("!I", rest[:4])[0]
            names, rest = rest[4:].split(b"\0", 1)
            self.macro_lists[stage] = names.decode()
        return self

    def macros(self, stage, **values):
        data = stage.encode()
        for name, value in values.items():
            if len(name) > 1:
                name = "{%s}" % name
            if isinstance(value, str):
                value = value.encode()
            data += name.encode() + b"\0" + value + b"\0"
        self.send("D", data)

    def _waived(self, bit):
        return self.steps & bit

    def connect(self, host="mail.example.com", ip="192.0.2.25", port=4711,
                family="4"):
        data = host.encode() + b"\0" + family.encode()
        if family != "U":
            data += struct.pack("!H", port) + ip.encode() + b"\0"
        self.send("C", data)
        return self.answer()

    def helo(self, name="mail.example.com"):
        self.send("H", name.encode() + b"\0")
        return None if self._waived(NR_HELO) else self.answer()

    @staticmethod
    def _argv(words):
        return b"".join(
            (w.encode() if isinstance(w, str) else w) + b"\0" for w in words)

    def mail(self, sender="<sender@example.com>", *parameters):
        self.send("M", self._argv((sender,) + parameters))
        return self.answer()

    def rcpt(self, rcpt="<rcpt@example.org>", *parameters):
        self.send("R", self._argv((rcpt,) + parameters))
        return self.answer()

    def header(self, name, value):
        if isinstance(value, str):
            value = value.encode("latin-1")
        if self._waived(LEADING_SPACE):
            value = b" " + value
        self.send("L", name.encode("latin-1") + b"\0" + value + b"\0")
        return None if self._waived(NR_HEADER) else self.answer()

    def eoh(self):
        self.send("N")
        return None if self._waived(NR_EOH) else self.answer()

    def body(self, chunk):
        self.send("B", chunk)
        return None if self._waived(NR_BODY) else self.answer()

    def eom(self):
        self.send("E")
        return self.answer()

    def abort(self):
        self.send("A")

    def quit(self):
        self.send("Q")
        self.close()

    # whole things

    def begin(self, **connection):
        self.connect(**connection)
        self.helo()
        return self

    def message(self, headers=None, body=b"Hello\r\n", queue_id="4Xh2Qk3b9Yz",
                sender="<sender@example.com>", rcpts=("<rcpt@example.org>",)):
        """A message up to the answer at its end."""
        self.mail(sender)
        for rcpt in rcpts:
            self.rcpt(rcpt)
        for name, value in headers or DEFAULT_HEADERS:
            self.header(name, value)
        self.macros("N", i=queue_id)
        self.eoh()
        for at in range(0, len(body), 65535):
            self.body(body[at:at + 65535])
        self.macros("E", i=queue_id)
        return self.eom()


DEFAULT_HEADERS = (
    ("From", "Sender <sender@example.com>"),
    ("To", "rcpt@example.org"),
    ("Subject", "Hello"),
    ("Date", "Tue, 24 Nov 2026 10:00:00 +0000"),
    ("Message-ID", "<1@example.com>"),
)

GTUBE = (b"XJS*C4JDBQADN1.NSBN3*2IDNEN*"
         b"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n")


def inserted(reply):
    """Fields that a reply inserts: {name: value}, and their order."""
    fields = []
    for letter, data in reply.edits:
        if letter in "ih":
            at = 4 if letter == "i" else 0
            name, value = data[at:].rstrip(b"\0").split(b"\0", 1)
            fields.append((name.decode(), value.decode("latin-1")))
    return fields


def removed(reply):
    """Fields that a reply deletes: [(name, nth)]."""
    fields = []
    for letter, data in reply.edits:
        if letter == "m":
            nth = struct.unpack("!I", data[:4])[0]
            name, value = data[4:].split(b"\0", 1)
            if value.strip(b"\0") == b"":
                fields.append((name.decode(), nth))
    return fields
