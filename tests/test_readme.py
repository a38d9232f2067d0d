"""The README and the docs are true: commands parse, examples are what the code reads and writes."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from reco.events import Click, Sale
from streams.cli import tenfold
from streams.codecs import decode_event, decode_list, decode_sale
from streams.settings import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


PAGES = [README, *(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))]


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


LINES = [line for page in PAGES for block in blocks("console", page) for line in block.splitlines()]
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
    assert load({}, file).topics.partitions == tomllib.loads(example)["topics"]["partitions"]


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if not link.startswith("https://") and not (ROOT / link).exists()] == []
