"""Looking up hosts: each lookup has a thread of its own, so that one that hangs holds up no others.

The system waits for name servers that do not answer, half a minute and more, and cannot be interrupted. Event
loops share few threads among all lookups: a handful of dead domains would take them, from all other hosts.
"""

import asyncio
import socket
from concurrent.futures import Future
from threading import Thread

from aiohttp.abc import AbstractResolver, ResolveResult

from streams.images.addresses import AddressInfo


class SystemResolver(AbstractResolver):
    """Looks hosts up as the system does; whether an address may be connected to is not its business."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            OSError: none is known.
        """
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=address[1],
                family=family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for family, _, protocol, _, address in await _looked_up(host, port, family)
        ]

    async def close(self) -> None:
        """Nothing is open; threads whose lookup hangs end with it, or with the process."""


async def _looked_up(host: str, port: int, family: int) -> list[AddressInfo]:
    found: Future[list[AddressInfo]] = Future()
    found.set_running_or_notify_cancel()  # who waits may give up, the thread cannot

    def look_up() -> None:
        try:
            flags = socket.AI_ADDRCONFIG
            found.set_result([*socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=flags)])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where it is awaited
            found.set_exception(error)

    Thread(target=look_up, name=f"lookup of {host}", daemon=True).start()
    return await asyncio.wrap_future(found)
