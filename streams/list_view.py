"""A list on a terminal: the sales with their titles, best first, and why they are there."""

from collections.abc import Mapping
from datetime import UTC, datetime

from rich.panel import Panel
from rich.table import Table

from reco.lists import EVERYTHING_ELSE, Recommendation, TopTen
from reco.policy import MAX_EXPLORATION
from reco.wording import sentence
from streams.terminal import plain_text

WIDTH, WIDTH_WITH_REASONS = 80, 120
"""Columns of a list on the terminal, at most."""
NO_EVIDENCE = "nothing speaks for any of them yet, and their order says nothing"
"""What is said of a list by the fixed blend that has no click or basket to go by."""
DRAWN = "drawn by lot, to find out whether it sells"
"""Why a sale is in a list that was not ranked into it."""


def panel_of(newest: TopTen, titles: Mapping[str, str]) -> Panel:
    """A list by itself: its visitor and its time, and what speaks most for each sale if it says so."""
    unknown = bool(newest.sales) and not any(one.score > 0 or one.reasons for one in newest.sales)
    at = datetime.fromtimestamp(newest.at / 1000, UTC).astimezone().strftime("%H:%M:%S")
    return Panel(
        table_of(newest, titles, whole=True),
        title=plain_text(f"{newest.visitor_id}   {at}"),
        subtitle=NO_EVIDENCE if unknown else None,
        title_align="left",
        subtitle_align="left",
        width=WIDTH_WITH_REASONS if gives_reasons(newest) else WIDTH,
    )


def table_of(newest: TopTen, titles: Mapping[str, str], *, whole: bool = False) -> Table:
    """The sales of a list with titles (ids where none is known) and scores, best first.

    If the list gives reasons, what speaks most for each sale stands beside it, in words: on one line, as far
    as there is room, or `whole`.
    """
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(justify="right", style="dim")
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(justify="right", style="dim")
    explained = gives_reasons(newest)
    if explained:
        table.add_column(no_wrap=not whole, overflow="ellipsis", ratio=1, style="italic dim")
    for position, one in enumerate(newest.sales, start=1):
        title = plain_text(titles.get(one.sale_id, one.sale_id))
        why = [plain_text(main_reason(one, titles))] if explained else []
        table.add_row(str(position), title, f"{one.score:.3g}", *why)
    return table


def gives_reasons(newest: TopTen) -> bool:
    """Whether a list says of any of its sales why it is there."""
    return any(main_reason(one, {}) for one in newest.sales)


def main_reason(one: Recommendation, titles: Mapping[str, str]) -> str:
    """Why a sale is listed: by lot, or the strongest reason that speaks for it; empty if there is none."""
    if one.propensity <= MAX_EXPLORATION:
        return DRAWN
    speaking = [reason for reason in one.reasons if reason.log_odds > 0 and reason.name != EVERYTHING_ELSE]
    return sentence(speaking[0], titles) if speaking else ""
