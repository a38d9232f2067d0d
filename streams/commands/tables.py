"""Tables as commands show them."""

from rich.table import Table


def borderless(*columns: str) -> Table:
    """A table with room between its columns and no lines, its header dim; names in the first stay whole."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for place, name in enumerate(columns):
        table.add_column(name, no_wrap=place == 0, overflow="fold")
    return table
