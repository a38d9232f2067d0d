"""A list on a terminal: titles, and for each sale why it is there."""

from io import StringIO

from msgspec.structs import replace
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from reco.lists import Provenance, Reason, Recommendation, TopTen
from streams.list_view import DRAWN, NO_EVIDENCE, gives_reasons, main_reason, panel_of, table_of

TITLES = {"rome": "Three days in Rome", "oslo": "A weekend in Oslo"}
ROME = Recommendation(
    "rome",
    0.2,
    reasons=(
        Reason("popularity", -0.9),
        Reason("image", 0.8, like="oslo"),
        Reason("attributes", 0.3),
        Reason("everything else", 2.0),
    ),
)
PLAIN = Recommendation("lima", 0.1)
MADE_FROM = Provenance(0, 0, 0, (), "r")
NEWEST = TopTen("a list", "ann", 1_800_000_000_000, None, (ROME, PLAIN), MADE_FROM)
UNEXPLAINED = replace(NEWEST, sales=(replace(ROME, reasons=()), PLAIN))


def printed(table: Table | Panel, width: int = 120) -> list[str]:
    out = StringIO()
    Console(file=out, width=width).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_sales_are_listed_by_title_or_else_by_id() -> None:
    first, second = printed(table_of(UNEXPLAINED, TITLES))
    assert first.split() == ["1", "Three", "days", "in", "Rome", "0.2"]
    assert second.split() == ["2", "lima", "0.1"]


def test_of_a_list_that_nothing_speaks_for_it_is_said_that_its_order_says_nothing() -> None:
    unknown = replace(NEWEST, sales=(Recommendation("lima", 0.0), Recommendation("rome", -0.1)))
    assert NO_EVIDENCE in printed(panel_of(unknown, TITLES))[-1]
    for known in (
        NEWEST,
        UNEXPLAINED,
        replace(NEWEST, sales=()),
        replace(NEWEST, sales=(replace(ROME, score=0.0),)),
    ):
        assert NO_EVIDENCE not in printed(panel_of(known, TITLES))[-1]


def test_a_title_is_shown_as_it_is_but_for_what_commands_the_terminal() -> None:
    title = "Été à [/Rome],\xa0👩\u200d🚀"
    first, second = printed(table_of(UNEXPLAINED, {"rome": title, "lima": "\x1b]0;mine\x07\x1b[2J\x9bHLima"}))
    assert title in first
    assert "\\x1b]0;mine\\x07\\x1b[2J\\x9bHLima" in second


def test_beside_a_sale_stands_what_speaks_most_for_it() -> None:
    first, second = printed(table_of(NEWEST, TITLES))
    assert first.endswith("looks like A weekend in Oslo, which you looked at")
    assert second.endswith("0.1")


def test_on_a_narrow_terminal_a_reason_ends_on_the_next_line_or_is_cut() -> None:
    cut, _ = printed(table_of(NEWEST, TITLES), width=70)
    assert cut.endswith("looks like A weekend in Oslo, w…")
    first, rest, last = printed(table_of(NEWEST, TITLES, whole=True), width=70)
    assert first.endswith("looks like A weekend in Oslo,")
    assert (rest.strip(), last.split()[0]) == ("which you looked at", "2")


def test_a_list_gives_reasons_if_something_speaks_for_one_of_its_sales() -> None:
    assert gives_reasons(NEWEST)
    assert not gives_reasons(UNEXPLAINED)
    against = replace(ROME, reasons=(Reason("popularity", -0.9), Reason("everything else", 2.0)))
    assert not gives_reasons(replace(NEWEST, sales=(against, PLAIN)))


def test_what_speaks_against_a_sale_is_not_why_it_is_listed() -> None:
    against = replace(ROME, reasons=(Reason("popularity", -0.9), Reason("everything else", 2.0)))
    assert main_reason(against, TITLES) == ""


def test_a_sale_that_was_drawn_by_lot_says_so() -> None:
    assert main_reason(replace(ROME, propensity=0.2 / 30), TITLES) == DRAWN
    assert main_reason(replace(ROME, propensity=0.8), TITLES) != DRAWN
