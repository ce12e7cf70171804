"""TCP ports for servers that a test is about to start. Standard library only.

They lie below the range that the kernel picks from for outgoing connections:
a port out of that range may be taken by any program's connection between the
test's look and the server's bind.
"""

import random
import socket

LOWEST = 10000
TRIES = 1000
_given = set()


def _ephemeral_begin():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
            begin = int(f.read().split()[0])
    except (OSError, ValueError, IndexError):
        begin = 32768
    return begin if begin > LOWEST + TRIES else 32768


def _is_free(port):
    """Whether a server could listen there; servers set SO_REUSEADDR."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port():
    """A port of 127.0.0.1 where nobody listens; never the same twice."""
    end = _ephemeral_begin()
    for _ in range(TRIES):
        port = random.randrange(LOWEST, end)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise OSError("no free port from %d to %d" % (LOWEST, end - 1))
