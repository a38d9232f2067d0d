"""`tenfold labels show` says what was found in images, which live sales look alike, and what is not so."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from html import unescape
from pathlib import Path

import msgspec
import pytest
from typer.testing import Result

from demo.image_server import ImageServer
from reco.events import Sale
from reco.labels import Scored
from streams.clock import now
from streams.commands.labels_show import BAR
from streams.supervisor import environment_of
from tests.reco.labelled import labels
from tests.streams.command_line import Command
from tests.streams.world import World

pytestmark = pytest.mark.broker

HOUR = 3_600_000
NEAR_ROME = {"oslo": (0.0, 1.0), "bari": (0.8, 0.6), "past": (0.96, 0.28), "nice": (0.6, 0.8)}
"""Embeddings of length 1, whose cosine with that of Rome is the first number."""
SHOW = (
    "import sys, typer; from streams.commands.labels_show import show; app = typer.Typer();"
    "app.command()(show); app(standalone_mode=False);"
    "print([name for name in ('tensorflow', 'keras', 'faust') if name in sys.modules])"
)
"""The command in a process, which then says what heavy packages it has loaded."""

Shown = Callable[..., Awaitable[Result]]


def sale(sale_id: str, *image_urls: str, closed: bool = False) -> Sale:
    opens_at = now() - 2 * HOUR
    urls = image_urls or (f"{sale_id}.jpg",)
    return Sale(sale_id, f"Days in {sale_id}", opens_at, opens_at + HOUR if closed else None, image_urls=urls)


async def labelled_world(world: World) -> None:
    """Rome and what is near it, of which one is over; a sale of another labeller, one of no image."""
    rome = labels("rome", (1.0, 0.0), (0.25, 0.0, 0.75))
    scenes = Scored("tower", 0.125), Scored("street", 0.5)
    await world.label(
        msgspec.structs.replace(rome, labels=scenes, image_urls=("rome.jpg", "gone.jpg")),
        *(labels(name, embedding, (0.0, 0.5, 0.5)) for name, embedding in NEAR_ROME.items()),
        labels("lima", (1.0, 0.0), labeller="v0"),
        labels("kyiv", ()),
    )
    names = ("rome", *NEAR_ROME, "lima", "kyiv", "cork")
    await world.publish(*(sale(name, closed=name == "past") for name in names))
    await world.publish(Sale("bare", "Nothing to see", now() - HOUR))


@pytest.fixture
def shown(command: Command) -> Shown:
    """`tenfold labels show`, in a thread of this process."""
    return lambda *arguments: asyncio.to_thread(command, "labels", "show", *arguments)


async def test_a_sale_is_shown_with_labels_topics_and_live_sales_that_look_alike(
    world: World, shown: Shown
) -> None:
    await labelled_world(world)
    result = await shown("rome")
    output = result.output
    assert result.exit_code == 0, output
    assert "Days in rome\nrome, live\nlabelled by v1, " in output
    assert "UTC, 1 of 2 images; it has others by now\n" in output
    bars = re.findall(r"(\S+) +(█+)[▏▎▍▌▋▊▉ ]*(\d+\.\d) %", output)
    lengths = [(name, len(bar), percent) for name, bar, percent in bars]
    assert lengths == [
        ("street", BAR // 2, "50.0"),
        ("tower", BAR // 8, "12.5"),
        ("Ski", BAR * 3 // 4, "75.0"),
        ("Beach", BAR // 4, "25.0"),
    ]
    near = re.findall(r"Days in (\w+) +(\w+) +(-?\d\.\d{3})", output)
    assert near == [("bari", "bari", "0.800"), ("nice", "nice", "0.600"), ("oslo", "oslo", "0.000")]


async def test_images_of_a_sale_that_are_still_to_be_fetched_are_counted(world: World, shown: Shown) -> None:
    await labelled_world(world)
    await world.publish(sale("rome", "late.jpg", "gone.jpg", "rome.jpg", "later.jpg"))
    assert "UTC, 1 of 2 images; 2 more to be fetched\n" in (await shown("rome")).output


async def test_a_sale_that_is_over_is_compared_with_live_ones(world: World, shown: Shown) -> None:
    await labelled_world(world)
    output = (await shown("past")).output
    assert "past, not live now" in output
    assert re.findall(r"Days in \w+ +(\w+) +(\d\.\d{3})", output)[:2] == [
        ("rome", "0.960"),
        ("bari", "0.936"),
    ]


async def test_it_says_why_a_sale_cannot_be_compared(world: World, shown: Shown) -> None:
    await labelled_world(world)
    for sale_id, reason in {
        "lima": "It was labelled by v0, which is not in use, since v1 has labelled more of the sales"
        " still to close; the two cannot be compared.",
        "kyiv": "None of its images could be labelled",
        "cork": "It is not labelled yet; the labelling worker does that.",
        "bare": "It has no images; publish it with image_urls.",
    }.items():
        result = await shown(sale_id)
        assert result.exit_code == 0
        assert reason in result.output
        assert "look alike" not in result.output


async def test_texts_of_others_are_shown_as_they_are_but_for_what_commands_the_terminal(
    world: World, shown: Shown
) -> None:
    await world.publish(Sale("odd", "[/b]\x1b[2JOdd", now() - HOUR, image_urls=("odd.jpg",)))
    found = labels("odd", (1.0, 0.0), labeller="v[/1]")
    await world.label(msgspec.structs.replace(found, labels=(Scored("\x1b[8m[red]", 0.5),)))
    result = await shown("odd")
    assert result.exit_code == 0, result.output
    assert "[/b]\\x1b[2JOdd\nodd, live\nlabelled by v[/1], " in result.output
    assert "\\x1b[8m[red] " in result.output
    assert "\x1b" not in result.output


async def test_the_page_is_named_as_it_is(world: World, tmp_path: Path, shown: Shown) -> None:
    await world.publish(Sale("bare", "Nothing to see", now() - HOUR))
    assert "page: page[b].html" in (await shown("--page", "page[b].html")).output
    assert (tmp_path / "page[b].html").is_file()


@pytest.mark.usefixtures("topics")
async def test_what_cannot_be_shown_is_refused(shown: Shown) -> None:
    for arguments, reason in (
        (["rom"], "no sale rom is published"),
        ([], "name a sale, or a file with"),
        (["--page", "nowhere/page.html"], "there is no folder nowhere"),
    ):
        result = await shown(*arguments)
        assert result.exit_code == 2
        assert reason in result.output


async def test_the_page_has_every_live_sale_with_its_picture_or_why_there_is_none(
    world: World, tmp_path: Path, shown: Shown
) -> None:
    async with ImageServer() as server:
        await labelled_world(world)
        await world.publish(
            sale("rome", server.url("old town", 1), "missing.jpg"),
            sale("bari", "missing.jpg", server.url("beach", 1)),
            sale("nice", server.url("no kind", 1)),
        )
        allowed = await written(world, tmp_path)
        assert (await shown("--page", "page.html")).exit_code == 0
        forbidden = (tmp_path / "page.html").read_text(encoding="utf-8")
    titles = {f"Days in {name}" for name in ("rome", "oslo", "bari", "nice", "lima", "kyiv", "cork")}
    for html in (allowed, forbidden):
        assert sorted(re.findall("<h2>(.*?)</h2>", html)) == sorted(titles | {"Nothing to see"})
        assert "8 live sales, 4 of them labelled by v1, the version in use" in html
    assert allowed.count("data:image/jpeg;base64,") == 2
    assert "http-404" in placeholder(allowed, "nice")
    assert "not-allowed-scheme" in placeholder(allowed, "oslo")
    assert placeholder(allowed, "bare") == "It has no images; publish it with image_urls."
    assert placeholder(allowed, "rome") == ""
    assert re.findall(r'title="Days in (\w+)"', card(allowed, "rome")) == ["bari", "nice", "oslo"]
    assert "data:image/jpeg" not in forbidden
    assert "private-address" in placeholder(forbidden, "rome")


async def written(world: World, folder: Path) -> str:
    """The page that a process writes which may fetch from this machine; it loads no TensorFlow."""
    environment = environment_of(world.settings) | {"PYTHONPATH": str(Path(__file__).parents[2])}
    environment |= {"TENFOLD_IMAGES_ALLOW_PRIVATE": "true", "COLUMNS": "160"}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", SHOW, "--page", "page.html"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.splitlines()[-2:] == ["page: page.html", "[]"], done.stderr
    return (folder / "page.html").read_text(encoding="utf-8")


def card(html: str, sale_id: str) -> str:
    """The part of the page that a sale has to itself."""
    (found,) = (one for one in html.split("<article ")[1:] if f'<p class="note">{sale_id}</p>' in one)
    return found


def placeholder(html: str, sale_id: str) -> str:
    """What stands where a picture would be; empty if there is one."""
    found = re.match(r'[^>]*><span class="picture none">(.*?)</span>', card(html, sale_id))
    return unescape(found[1]) if found else ""
