"""Which addresses of the internet are public, and sockets that connect to no others.

A URL from outside may lead into the own network (server-side request forgery): by its host, in any
notation, by a redirect, or by a name whose address changes between the check and the connection (DNS
rebinding). So the one thing that is checked is the address that a socket is about to be connected to.
"""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
"""Family, type, protocol, canonical name and address, as `socket.getaddrinfo` gives them."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that is assigned in IPv6 so far (RFC 4291): IPv4 in IPv6 (`::ffff:0:0/96`), NAT64 (`64:ff9b::/96`),
link-local, site-local, unique local and multicast addresses lie outside."""
_NOT_PUBLIC = tuple(
    ip_network(block)
    for block in (
        # Versions of Python differ on these blocks of IANA's registries of special addresses.
        "192.0.0.0/24",  # protocol assignments
        "2001::/23",  # protocol assignments, and Teredo: tunnels to an IPv4 address
        "3fff::/20",  # documentation
        # These lead to an IPv4 address that may be any.
        "192.88.99.0/24",  # 6to4 relays
        "2002::/16",  # 6to4
        # The host agent and metadata of Azure, which has a public address without being public.
        "168.63.129.16/32",
    )
)


class ForbiddenAddressError(OSError):
    """A socket was not connected; `OSError`, so that the next address of a host is tried as for any other.

    Without a text: where all addresses are forbidden, it is raised as it is only if all texts are the same.
    """


def is_public(address: str) -> bool:
    """Whether an IP address, as numbers, is that of a host in the public internet.

    What is no address in the usual notation is not public. A prefix of one's own that a network translates
    to IPv4 (RFC 6052) cannot be known here: such a network has to forbid the way itself.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return _is_unicast(parsed) and parsed.is_global and not any(parsed in block for block in _NOT_PUBLIC)


def _is_unicast(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        return address in _GLOBAL_UNICAST
    return not address.is_multicast


def sockets_to(permitted: Callable[[str], bool]) -> Callable[[AddressInfo], socket.socket]:
    """A socket factory for aiohttp's connector: it makes sockets for permitted addresses only.

    aiohttp asks it with every address that it is about to connect to, whoever resolved it.
    """

    def made(info: AddressInfo) -> socket.socket:
        """The socket for an address.

        Raises:
            ForbiddenAddressError: the address is not permitted.
        """
        family, kind, protocol, _, address = info
        if not permitted(address[0]):
            raise ForbiddenAddressError
        return socket.socket(family, kind, protocol)

    return made
