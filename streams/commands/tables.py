"""Tables as commands show them."""

from rich.table import Table


def borderless(*columns: str) -> Table:
    """A table with room between its columns and no lines, its header dim."""
    return Table(*columns, box=None, header_style="dim", padding=(0, 2, 0, 0))
