"""A list on a terminal: the sales with their titles, best first."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from reco.lists import TopTen


def ranking(newest: TopTen, titles: Mapping[str, str]) -> Table:
    """The sales of a list with titles (ids where none is known) and scores, best first."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(justify="right", style="dim")
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(justify="right", style="dim")
    for position, one in enumerate(newest.sales, start=1):
        table.add_row(str(position), Text(titles.get(one.sale_id, one.sale_id)), f"{one.score:.3g}")
    return table
