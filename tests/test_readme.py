"""The README and the docs are true: commands parse, examples are what the code reads and writes."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import msgspec
import pytest
from typer.main import get_command

from reco.events import Click, Sale
from streams.cli import tenfold
from streams.codecs import decode_event, decode_list, decode_sale
from streams.settings import FILE_VARIABLE, GROUPS, PREFIX, load

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [path.read_text(encoding="utf-8") for path in FILES]
README = PAGES[0]


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


LINES = [
    line
    for page in PAGES
    for block in blocks("console", page)
    for line in block.replace("\\\n", "").splitlines()
]
INLINE = [
    found for page in PAGES for found in re.findall(r"`((?:uv run )?tenfold [^`]+)`", page) if " " in found
]


@pytest.mark.parametrize("line", [one for one in (*LINES, *INLINE) if "tenfold" in one])
def test_every_tenfold_command_in_it_parses(line: str) -> None:
    words = shlex.split(line.removeprefix("uv run "))[1:]
    command = get_command(tenfold)
    while hasattr(command, "commands") and words:
        name, *words = words
        command = command.commands[name]
    given = [word for word in words if not word.startswith("[")]
    command.make_context("tenfold", given or ["sessions"] if line.endswith("[VISITOR]`") else given)


def test_its_click_and_its_sale_are_accepted_and_its_list_is_one() -> None:
    click, sale, top = (block.strip().encode() for block in blocks("json"))
    fields = json.loads(click)
    assert isinstance(decode_event(fields["visitor_id"].encode(), click, fields["ts"]), Click)
    assert isinstance(decode_sale(json.loads(sale)["sale_id"].encode(), sale), Sale)
    assert decode_list(top).visitor_id == fields["visitor_id"]


def test_its_settings_are_accepted(tmp_path: Path) -> None:
    (example,) = blocks("toml")
    file = tmp_path / "tenfold.toml"
    file.write_text(example)
    assert (
        load({FILE_VARIABLE: str(file)}).topics.partitions == tomllib.loads(example)["topics"]["partitions"]
    )


def test_the_page_of_settings_names_each_of_them_with_its_default_and_its_variable() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| `(\w+)\.(\w+)` \| `(.*?)` \| `(\w+)` \| \S", page, re.MULTILINE)
    defaults = (
        (group, field, getattr(kind(), field))
        for group, kind in GROUPS.items()
        for field in kind.__struct_fields__
    )
    assert found == [
        (group, field, msgspec.json.encode(default).decode(), f"{PREFIX}{group}_{field}".upper())
        for group, field, default in defaults
    ]


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What a link can name behind `#`: the headings, as GitHub writes them."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> list[str]:
    """The links to files, and to headings in them, that lead nowhere."""
    links = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    dead = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not re.match(r"https?://", link) and (
            not target.exists() or (anchor and anchor not in anchors(target))
        ):
            dead.append(link)
    return dead


@pytest.mark.parametrize("page", FILES, ids=lambda page: page.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A heading\n## What `it` says, and why\n```\n# no heading\n```\n")
    good = "[a](there.md) [b](there.md#what-it-says-and-why) [c](#here) [d](https://example.com/#x)"
    bad = ["gone.md", "there.md#no-heading", "#nowhere", "../there.md"]
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n{good} " + " ".join(f"[e]({link})" for link in bad))
    assert dead_links(page) == bad
