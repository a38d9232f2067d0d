"""Images are fetched from a web that is not trusted: within every limit, and from where it is allowed."""

import asyncio
import ssl
import subprocess
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco.errors import ImageRefusedError
from streams.images.addresses import is_public
from streams.images.fetching import PER_HOST, Fetcher, may_pass
from streams.images.settings import Images
from tests.streams.images.image_site import HOST, IMAGE, Names, Site, bomb, image_site, raw_site, served

MAX_BYTES = 100_000
OK = b"HTTP/1.1 200 OK\r\n"
SHOP = "shop.example"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with image_site() as running:
        yield running


def fetcher(*, names: Names | None = None, **given: Any) -> Fetcher:
    """A fetcher with narrow limits, to which the address of the site is as public as any other public one."""
    images = Images(**{"max_bytes": MAX_BYTES, "timeout_seconds": 10, **given})
    return Fetcher(images, resolver=names, permitted=lambda address: address == HOST or is_public(address))


async def fetch(web_fetcher: Fetcher, url: str) -> bytes:
    async with web_fetcher.fetched(url) as data:
        return data


async def refusal(url: str, one: Fetcher | None = None) -> ImageRefusedError:
    """The error with which a URL is refused; another image is fetched then, to see that nothing broke."""
    async with one or fetcher() as web_fetcher:
        with pytest.raises(ImageRefusedError) as refused:
            await fetch(web_fetcher, url)
        async with image_site() as other:
            assert await fetch(web_fetcher, f"{other.at}/good") == IMAGE
    assert "s3cret" not in str(refused.value)
    return refused.value


async def test_an_image_is_fetched_whatever_type_is_declared(site: Site) -> None:
    async with Fetcher(Images(allow_private=True, user_agent="tenfold of shop.example")) as web_fetcher:
        assert await fetch(web_fetcher, f"{site.at}/good?size=2#top") == IMAGE
        assert await fetch(web_fetcher, f"{site.at}/%67ood?sign=%2F%3A") == IMAGE
        assert site.asked.pop().raw_path == "/%67ood?sign=%2F%3A"
    request = site.asked[-1]
    assert request.query_string == "size=2"
    assert request.headers["User-Agent"] == "tenfold of shop.example"
    assert request.headers["Accept-Encoding"] == "identity"


async def test_a_file_below_the_root_is_fetched_and_none_without_a_root(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(IMAGE)
    places = ["a.jpg", str(tmp_path / "a.jpg"), (tmp_path / "a.jpg").as_uri()]
    async with fetcher(files_root=str(tmp_path)) as web_fetcher:
        assert [await fetch(web_fetcher, place) for place in places] == [IMAGE] * 3
    for place in places:
        assert (await refusal(place)).reason == "not-allowed-scheme"


async def test_no_redirect_leads_to_a_file(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(IMAGE)
    url = f"{site.at}/to?url={(tmp_path / 'a.jpg').as_uri()}"
    assert (await refusal(url, fetcher(files_root=str(tmp_path)))).reason == "not-allowed-scheme"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0x7f000001",
        "0177.0.0.01",
        "017700000001",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "①②⑦.⓪.⓪.①",
        "127.0.0.1.",
        "0",
        "[::]",
        "[64:ff9b::7f00:1]",
    ],
)
async def test_the_own_machine_is_not_asked_in_any_notation(site: Site, host: str) -> None:
    async with Fetcher(Images(timeout_seconds=5)) as web_fetcher:
        with pytest.raises(ImageRefusedError) as refused:
            await fetch(web_fetcher, f"http://{host}:{site.port}/good")
    # Newer versions of aiohttp refuse some notations themselves.
    assert refused.value.reason in {"private-address", "bad-url"}
    assert site.asked == []


@pytest.mark.parametrize(
    "target",
    ["127.0.0.2", "169.254.169.254", "10.1.2.3", "192.168.1.1", "100.64.0.1", "[::1]", "[fd00:ec2::254]"],
)
async def test_no_redirect_leads_to_a_private_address(site: Site, target: str) -> None:
    refused = await refusal(f"{site.at}/to?url=http://{target}:{site.port}/good")
    assert refused.reason == "private-address"
    assert target in refused.detail
    assert [request.path for request in site.asked] == ["/to"]


@pytest.mark.parametrize("addresses", [("127.0.0.2",), ("169.254.169.254", "10.0.0.1"), ("::1", "127.0.0.2")])
async def test_a_name_with_private_addresses_is_not_asked(site: Site, addresses: tuple[str, ...]) -> None:
    names = Names({SHOP: [addresses]})
    assert (
        await refusal(f"http://{SHOP}:{site.port}/good", fetcher(names=names))
    ).reason == "private-address"
    assert site.asked == []


async def test_a_name_with_a_private_and_a_public_address_is_asked_at_the_public_one(site: Site) -> None:
    names = Names({SHOP: [("10.0.0.1", HOST)]})
    async with fetcher(names=names) as web_fetcher:
        assert await fetch(web_fetcher, f"http://{SHOP}:{site.port}/good") == IMAGE


async def test_no_redirect_leads_to_a_name_with_a_private_address(site: Site) -> None:
    names = Names({SHOP: [(HOST,)], "inside.example": [("10.0.0.1",)]})
    url = f"http://{SHOP}:{site.port}/to?url=http://inside.example:{site.port}/good"
    assert (await refusal(url, fetcher(names=names))).reason == "private-address"
    assert [request.path for request in site.asked] == ["/to"]


async def test_a_name_that_changes_its_address_is_refused_from_then_on(site: Site) -> None:
    names = Names({SHOP: [(HOST,), ("127.0.0.2",)]})
    async with image_site() as other, fetcher(names=names) as web_fetcher:
        assert await fetch(web_fetcher, f"http://{SHOP}:{site.port}/good") == IMAGE
        with pytest.raises(ImageRefusedError, match="private-address"):
            await fetch(web_fetcher, f"http://{SHOP}:{other.port}/good")
        assert other.asked == []


async def test_a_name_that_nobody_knows_may_be_known_later() -> None:
    refused = await refusal(f"http://{SHOP}/a.jpg?token=s3cret", fetcher(names=Names({})))
    assert refused.reason == "unreachable"
    assert may_pass(refused)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", "."])
async def test_a_host_that_cannot_be_a_name_is_a_bad_url(host: str) -> None:
    async with fetcher() as web_fetcher:
        with pytest.raises(ImageRefusedError, match="bad-url"):
            await fetch(web_fetcher, f"http://{host}/a.jpg")


async def test_redirects_are_followed_as_far_as_allowed(site: Site) -> None:
    async with fetcher(max_redirects=5) as web_fetcher:
        assert await fetch(web_fetcher, f"{site.at}/hop/5") == IMAGE
    assert (await refusal(f"{site.at}/hop/6", fetcher(max_redirects=5))).reason == "too-many-redirects"


async def test_redirects_in_a_circle_end(site: Site) -> None:
    assert (await refusal(f"{site.at}/hop/-1", fetcher(max_redirects=5))).reason == "too-many-redirects"
    assert len(site.asked) == 6


async def test_a_redirect_to_nowhere_is_no_image(site: Site) -> None:
    assert (await refusal(f"{site.at}/nowhere")).reason == "http-302"


@pytest.mark.parametrize("status", [201, 204, 206, 304, 401, 403, 404, 410])
async def test_no_other_status_than_200_is_an_image(site: Site, status: int) -> None:
    refused = await refusal(f"{site.at}/status/{status}?token=s3cret")
    assert refused.reason == f"http-{status}"
    assert not may_pass(refused)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_a_server_in_trouble_may_recover(site: Site, status: int) -> None:
    refused = await refusal(f"{site.at}/status/{status}")
    assert refused.reason == f"http-{status}"
    assert may_pass(refused)


@pytest.mark.parametrize("path", ["endless", "huge", "gzip-bomb"])
async def test_no_body_is_larger_than_allowed(site: Site, path: str) -> None:
    refused = await refusal(f"{site.at}/{path}")
    assert refused.reason == "too-large"
    assert not may_pass(refused)
    assert site.sent < 100 * MAX_BYTES


async def test_a_gzip_bomb_takes_no_more_memory_than_an_image_may(site: Site) -> None:
    bomb()
    async with fetcher() as web_fetcher:
        tracemalloc.start()
        with pytest.raises(ImageRefusedError, match="too-large"):
            await fetch(web_fetcher, f"{site.at}/gzip-bomb")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20 * MAX_BYTES


async def test_what_is_not_decoded_yet_keeps_its_turn(site: Site) -> None:
    async with fetcher(concurrency=1) as one_at_a_time:
        async with one_at_a_time.fetched(f"{site.at}/good"):
            second = asyncio.create_task(fetch(one_at_a_time, f"{site.at}/gzipped"))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(second), 0.3)
        assert await second == IMAGE
        with pytest.raises(ImageRefusedError, match="no-image"):
            async with one_at_a_time.fetched(f"{site.at}/good"):
                raise ImageRefusedError("no-image", "it breaks while it is decoded")
        assert await fetch(one_at_a_time, f"{site.at}/good") == IMAGE


async def test_a_body_as_large_as_allowed_is_had(site: Site) -> None:
    async with fetcher(max_bytes=len(IMAGE)) as exact, fetcher(max_bytes=len(IMAGE) - 1) as narrow:
        for path in ("good", "gzipped"):
            assert await fetch(exact, f"{site.at}/{path}") == IMAGE
            with pytest.raises(ImageRefusedError, match="too-large"):
                await fetch(narrow, f"{site.at}/{path}")


@pytest.mark.parametrize(
    ("path", "reason"),
    [("gzip-cut-short", "cut-short"), ("no-gzip", "bad-response"), ("brotli", "content-encoding")],
)
async def test_an_encoding_must_be_what_it_claims(site: Site, path: str, reason: str) -> None:
    assert (await refusal(f"{site.at}/{path}")).reason == reason


async def test_a_server_that_drips_is_too_slow_in_total(site: Site) -> None:
    refused = await refusal(f"{site.at}/drip", fetcher(timeout_seconds=0.3))  # else it would never end
    assert refused.reason == "too-slow"
    assert may_pass(refused)


async def test_a_server_that_says_nothing_is_too_slow() -> None:
    async with raw_site(hold=True) as at:
        assert (await refusal(at, fetcher(timeout_seconds=0.3))).reason == "too-slow"


async def test_a_head_that_never_ends_is_given_up() -> None:
    async with raw_site(OK, b"X-More: 1\r\n", again=True) as at:
        assert (await refusal(at, fetcher(timeout_seconds=0.3))).reason == "too-slow"


async def test_a_head_with_a_long_line_is_no_response() -> None:
    async with raw_site(OK + b"X-Long: " + b"x" * 1_000_000 + b"\r\n\r\n") as at:
        assert (await refusal(at)).reason == "bad-response"


async def test_a_head_with_a_million_lines_is_not_read_to_its_end() -> None:
    lines = b"X-More: 1\r\n" * 1_000_000
    async with raw_site(OK + lines + b"Content-Length: 1\r\n\r\nx") as at:
        assert (await refusal(at)).reason == "bad-response"


async def test_a_body_shorter_than_declared_was_cut_short() -> None:
    async with raw_site(OK + b"Content-Length: 9\r\n\r\nhalf") as at:
        refused = await refusal(f"{at}/?token=s3cret")
    assert refused.reason == "cut-short"
    assert may_pass(refused)


async def test_what_follows_a_body_is_never_taken_for_another_response() -> None:
    good, evil = (OK + b"Content-Length: 4\r\n\r\n" + body for body in (b"good", b"evil"))
    async with raw_site(good + evil, hold=True) as at, fetcher() as web_fetcher:
        assert [await fetch(web_fetcher, at) for _ in "abc"] == [b"good"] * 3


async def test_a_closed_port_may_be_open_later() -> None:
    async with raw_site() as at:
        pass
    refused = await refusal(at)
    assert refused.reason == "unreachable"
    assert "Connect call failed" in refused.detail
    assert may_pass(refused)


async def test_a_certificate_that_nobody_trusts_is_not_accepted(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={HOST}"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with served(Site().app(), context) as port:
        refused = await refusal(f"https://{HOST}:{port}/good")
    assert refused.reason == "bad-certificate"
    assert not may_pass(refused)


async def test_cookies_are_not_kept(site: Site) -> None:
    names = Names({SHOP: [(HOST,)]})
    async with fetcher(names=names) as web_fetcher:
        assert [await fetch(web_fetcher, f"http://{SHOP}:{site.port}/cookie") for _ in "ab"] == [b"", b""]


async def test_only_so_many_images_are_fetched_at_a_time(site: Site) -> None:
    site.gate = asyncio.Barrier(3)
    hosts = [f"{letter}.example" for letter in "abcdefghi"]
    names = Names({host: [(HOST,)] for host in hosts})
    async with fetcher(names=names, concurrency=3) as web_fetcher:
        images = await asyncio.gather(
            *(fetch(web_fetcher, f"http://{h}:{site.port}/together") for h in hosts)
        )
    assert images == [IMAGE] * 9
    assert site.busiest == 3


async def test_one_host_is_asked_for_only_a_few_images_at_a_time(site: Site) -> None:
    site.gate = asyncio.Barrier(PER_HOST)
    async with fetcher(concurrency=4 * PER_HOST) as web_fetcher:
        await asyncio.gather(*(fetch(web_fetcher, f"{site.at}/together?{n}") for n in range(3 * PER_HOST)))
    assert site.busiest == PER_HOST


async def test_a_busy_host_holds_up_no_other(site: Site) -> None:
    site.gate = asyncio.Barrier(PER_HOST + 1)
    names = Names({SHOP: [(HOST,)], "other.example": [(HOST,)]})
    async with fetcher(names=names) as web_fetcher:
        hosts = [SHOP] * PER_HOST + ["other.example"]
        images = await asyncio.gather(
            *(fetch(web_fetcher, f"http://{h}:{site.port}/together") for h in hosts)
        )
    assert images == [IMAGE] * len(hosts)


async def test_waiting_for_its_turn_makes_no_image_too_slow(site: Site) -> None:
    async with fetcher(concurrency=1, timeout_seconds=0.5) as web_fetcher:
        images = await asyncio.gather(*(fetch(web_fetcher, f"{site.at}/soon?{n}") for n in range(4)))
    assert images == [IMAGE] * 4


@given(st.text() | st.text("htps:/.@[]%0127?#\\ a-", max_size=40).map("http://".__add__))
@settings(max_examples=200)
def test_no_text_whatever_is_asked_for_breaks_the_fetcher(text: str) -> None:
    async def ask() -> None:
        async with Fetcher(Images(), resolver=Names({}), permitted=lambda _: False) as web_fetcher:
            with pytest.raises(ImageRefusedError):
                await fetch(web_fetcher, text)

    asyncio.run(ask())


PIECES = [
    OK,
    b"\r\n",
    b"\r\n\r\n",
    b"Content-Length: 5",
    b"Transfer-Encoding: chunked",
    b"5\r\nhello\r\n",
    b"0",
]
PIECES += [
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"Location: http://[",
    b"HTTP/1.1 302 Found\r\n",
    b"zz\r\n",
    b"hello",
]
PIECES += [
    b"Content-Encoding: gzip",
    b"Content-Length: -1",
    b"HTTP/1.1 999999\r\n",
    b"HTTP/1.1 101 Go\r\n\r\n",
]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=9), max_size=8))
@settings(max_examples=150)
def test_no_response_whatever_it_is_breaks_the_fetcher(parts: list[bytes]) -> None:
    async def ask() -> None:
        async with raw_site(*parts) as at, fetcher(timeout_seconds=2) as web_fetcher:
            with suppress(ImageRefusedError):
                assert isinstance(await fetch(web_fetcher, at), bytes)

    asyncio.run(ask())
