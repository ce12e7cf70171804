#!/usr/bin/python3
"""Plays a message at a running filter as an MTA would, and prints the answer.

  play.py SOCKET [--ip A] [--helo N] [--from A] [--rcpt A] FILE

SOCKET is unix:PATH or inet:PORT@HOST. The first line is the reply, then one
line for each edit: + a field put in front, - a field taken away, ~ changed.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from milter import Milter  # noqa: E402

REPLIES = {"a": "250 accept", "c": "250 accept", "r": "550 reject",
           "t": "451 tempfail", "d": "250 discard"}


def place(text):
    kind, _, rest = text.partition(":")
    if kind in ("unix", "local"):
        return rest
    if kind == "inet":
        port, _, host = rest.partition("@")
        return (host or "127.0.0.1", int(port))
    sys.exit("play: no unix:PATH or inet:PORT@HOST: " + text)


def split(text):
    """Header fields as (name, value) with folds kept, and the body in CRLF."""
    text = text.replace(b"\r\n", b"\n")
    head, _, body = text.partition(b"\n\n")
    fields = []
    for line in head.split(b"\n"):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + b"\n" + line)
        else:
            name, _, value = line.partition(b":")
            fields.append((name, value))
    return fields, body.replace(b"\n", b"\r\n")


def text(data):
    return data.decode("utf-8", "backslashreplace")


def show(reply):
    letter = reply.letter if isinstance(reply.letter, str) \
        else reply.letter.decode("latin-1")
    if letter == "y":
        print(reply.text.replace("%%", "%"))
    else:
        print(REPLIES.get(letter, letter))
    for kind, data in reply.edits:
        kind = kind if isinstance(kind, str) else kind.decode("latin-1")
        if kind == "i":
            name, value = data[4:].split(b"\0")[:2]
            print("+%s:%s" % (text(name), text(value)))
        elif kind == "h":
            name, value = data.split(b"\0")[:2]
            print("+%s:%s" % (text(name), text(value)))
        elif kind == "m":
            name, value = data[4:].split(b"\0")[:2]
            print("%s%s:%s" % ("~" if value else "-", text(name), text(value)))
        elif kind == "q":
            print("hold: " + text(data.rstrip(b"\0")))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("socket")
    ap.add_argument("file")
    ap.add_argument("--ip", default="192.0.2.25")
    ap.add_argument("--helo", default="mail.example.com")
    ap.add_argument("--from", dest="sender", default="sender@example.com")
    ap.add_argument("--rcpt", default="rcpt@example.org")
    a = ap.parse_args()
    with open(a.file, "rb") as f:
        fields, body = split(f.read())
    with Milter(place(a.socket)) as m:
        m.negotiate()
        m.connect(host=a.helo, ip=a.ip)
        m.helo(a.helo)
        for answer in (lambda: m.mail("<%s>" % a.sender),
                       lambda: m.rcpt("<%s>" % a.rcpt)):
            reply = answer()
            if reply is not None and reply.letter not in ("c", b"c"):
                return show(reply)
        for name, value in fields:
            m.header(name.decode("latin-1"), value.removeprefix(b" "))
        m.eoh()
        for at in range(0, len(body), 65535):
            m.body(body[at:at + 65535])
        show(m.eom())
        m.quit()


main()
