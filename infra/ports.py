"""TCP ports of this machine that something new can listen on."""

import secrets
import socket
from itertools import islice

HOST = "127.0.0.1"
PORTS = range(20_000, 30_000)
"""Below the ports that systems give to outgoing connections, which come and go: one of them could take
the port of a server that is down for a moment, and a client that retries can even connect to itself."""


def free_ports(count: int) -> list[int]:
    """Ports of `PORTS`, all different, that nothing listens on, drawn by lot, as others look too."""
    shuffled = secrets.SystemRandom().sample(PORTS, len(PORTS))
    return list(islice(filter(is_free, shuffled), count))


def free_port() -> int:
    """One such port."""
    return free_ports(1)[0]


def is_free(port: int) -> bool:
    """Whether nothing listens at a port."""
    with socket.socket() as probe:
        # As servers do: closed connections may linger.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
