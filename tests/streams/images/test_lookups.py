"""Hosts are looked up as the system does; a lookup that hangs holds up those of no other host."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from reco.errors import ImageRefusedError
from streams.images.fetching import Fetcher
from streams.images.lookups import SystemResolver
from streams.images.settings import Images
from tests.streams.images.image_site import HOST, IMAGE, image_site

HANGING = 40
"""More than any event loop has threads to share on a machine of usual size."""


class DeadDomain:
    """The system's lookup, which hangs for hosts of one domain.

    Attributes:
        waiting: the hosts that are being looked up in vain.
    """

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self._gives_up = threading.Event()
        self._of_system = socket.getaddrinfo

    def look_up(self, host: Any, *arguments: Any, **named: Any) -> Any:
        if str(host).endswith(".dead.example"):
            self.waiting.add(host)
            self._gives_up.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self._of_system(host, *arguments, **named)

    def give_up(self) -> None:
        self._gives_up.set()


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> Iterator[DeadDomain]:
    domain = DeadDomain()
    monkeypatch.setattr(socket, "getaddrinfo", domain.look_up)
    yield domain
    domain.give_up()


async def refusal(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(ImageRefusedError) as refused:
        async with fetcher.fetched(url):
            pass
    return refused.value.reason


async def test_a_domain_that_is_dead_holds_up_no_other_host(dead: DeadDomain) -> None:
    images = Images(allow_private=True, timeout_seconds=1.0, concurrency=HANGING)
    async with image_site() as site, Fetcher(images) as impatient:
        urls = [f"http://img{number}.dead.example/a.jpg" for number in range(HANGING)]
        reasons = await asyncio.gather(*(refusal(impatient, url) for url in urls))
        assert set(reasons) == {"too-slow"}
        async with (
            Fetcher(Images(allow_private=True, timeout_seconds=5)) as patient,
            patient.fetched(f"http://localhost:{site.port}/good") as data,
        ):
            assert data == IMAGE
        assert len(dead.waiting) == HANGING


async def test_who_no_longer_waits_is_told_nothing(
    dead: DeadDomain, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    uncaught: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", uncaught.append)
    hanging = asyncio.create_task(SystemResolver().resolve("a.dead.example"))
    while not dead.waiting:
        await asyncio.sleep(0.01)
    hanging.cancel()
    with suppress(asyncio.CancelledError):
        await hanging
    (thread,) = (one for one in threading.enumerate() if one.name == "lookup of a.dead.example")
    assert thread.daemon  # the process may end before it

    dead.give_up()

    await asyncio.to_thread(thread.join)
    assert (caplog.records, uncaught) == ([], [])


async def test_a_host_is_found_with_its_port_and_one_that_is_unknown_raises_what_the_system_says(
    dead: DeadDomain,
) -> None:
    found = await SystemResolver().resolve("localhost", 8080)
    assert {(one["host"], one["port"], one["family"]) for one in found} == {(HOST, 8080, socket.AF_INET)}
    dead.give_up()
    with pytest.raises(socket.gaierror):
        await SystemResolver().resolve("a.dead.example", 80)
    with pytest.raises(UnicodeError):
        await SystemResolver().resolve("a" * 64, 80)
