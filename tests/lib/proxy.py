"""A milter proxy that stands between an MTA and assayd, counts the packets of
both directions in the order in which they pass, and does something (the tests
kill assayd) just before the n-th is forwarded. Standard library only.

The packet is not forwarded then, and both connections are closed. While
nobody listens behind it, the proxy accepts a connection and closes it.
"""

import os
import select
import socket
import struct
import threading

import fixture

# Letters of the milter protocol, by direction.
FROM_MTA = {"A": "ABORT", "B": "BODY", "C": "CONNECT", "D": "macros",
            "E": "end of message", "H": "HELO", "K": "QUIT_NC",
            "L": "header", "M": "MAIL", "N": "end of header",
            "O": "negotiation", "Q": "QUIT", "R": "RCPT", "T": "DATA"}
FROM_FILTER = {"O": "negotiation", "+": "add recipient", "a": "accept",
               "b": "body", "c": "continue", "d": "discard",
               "h": "add header", "i": "insert header", "m": "change header",
               "p": "progress", "q": "quarantine", "r": "reject",
               "t": "tempfail", "y": "reply code"}


class Plan:
    """What to do, and what has passed. The connections made after arm()
    belong to it."""

    def __init__(self, at, action):
        self.at, self.action = at, action
        self.lock = threading.Lock()
        self.passed = []        # descriptions of packets
        self.open = 0           # connections
        self.struck = threading.Event()

    def strikes(self, what):
        """Counts a packet; true when it is the one."""
        with self.lock:
            self.passed.append(what)
            if len(self.passed) != self.at:
                return False
            self.action()
        self.struck.set()
        return True


class Pipe:
    """One direction: bytes in, whole packets out."""

    def __init__(self, source, target, who, names):
        self.source, self.target = source, target
        self.who, self.names = who, names
        self.buffer = b""

    def packets(self, data):
        self.buffer += data
        while len(self.buffer) >= 4:
            end = 4 + struct.unpack("!I", self.buffer[:4])[0]
            if len(self.buffer) < end:
                break
            packet, self.buffer = self.buffer[:end], self.buffer[end:]
            yield packet

    def describe(self, packet):
        letter = chr(packet[4])
        return "%s's %s" % (self.who, self.names.get(letter, letter))


class MilterProxy:
    """Listens on a path that everybody may connect to; `target` is assayd's
    address."""

    def __init__(self, scratch, path, target):
        self.target = target
        self.plan = Plan(0, None)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen(100)
        scratch.running.append(self)
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, at, action=None):
        """A new plan: `action` before the at-th packet, never for 0."""
        self.plan = Plan(at, action)
        return self.plan

    def stop(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                mta, _ = self.listener.accept()
            except OSError:
                return
            plan = self.plan
            with plan.lock:
                plan.open += 1
            threading.Thread(target=self._serve, args=(mta, plan),
                             daemon=True).start()

    def _serve(self, mta, plan):
        with mta:
            try:
                with fixture.connect(self.target, 30) as assayd:
                    self._forward(plan, mta, assayd)
            except OSError:
                pass
        with plan.lock:
            plan.open -= 1

    @staticmethod
    def _forward(plan, mta, assayd):
        pipes = {mta: Pipe(mta, assayd, "the MTA", FROM_MTA),
                 assayd: Pipe(assayd, mta, "assayd", FROM_FILTER)}
        while True:
            for ready in select.select(list(pipes), [], [])[0]:
                pipe = pipes[ready]
                data = ready.recv(65536)
                if not data:
                    return
                for packet in pipe.packets(data):
                    if plan.strikes(pipe.describe(packet)):
                        return
                    pipe.target.sendall(packet)
