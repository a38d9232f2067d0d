"""The live screen of the demo: the figures, and the newest lists with their titles."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from logging.handlers import MemoryHandler

from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from demo.labelling import State
from demo.labels_seen import Example, LabelsSeen
from demo.performance import Draw, Performance
from demo.report import Figures
from reco.lists import TopTen
from streams.list_view import gives_reasons, table_of

PANELS = 3
"""Lists on a wide screen."""
PANEL_WIDTH, EXPLAINED_WIDTH = 38, 76
"""Columns that a list needs, without reasons and with them; a narrow screen shows fewer lists."""
NARROW = 80
"""A screen with fewer columns shows figures in lines."""
RATE_WINDOW = 3.0
"""Rates on the screen are means over so many seconds."""


FRAME = 0.5
"""Seconds between two pictures."""
STEPS = 4
"""So often, the progress of the labeller's training is told where there is no screen."""
FRAMES_A_LIST = 3
"""One of the lists on the screen gives way to a newer one so many pictures later."""


MOST_KEPT = 1_000
"""So many log messages wait for the screen to be given back."""


@dataclass(frozen=True)
class _Figures:
    """Figures in columns; where these would be one or two, in lines, so that there is room for a list."""

    each: Sequence[Text]

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < NARROW:
            yield Text("  ").join(self.each)
        else:
            yield Columns(self.each, padding=(0, 3))


@dataclass(frozen=True)
class ShownList:
    """A list on the screen, and the title of the sale that its visitor clicked just before."""

    newest: TopTen
    clicked: str


class Rates:
    """Events and lists per second, as means over the last `RATE_WINDOW` seconds."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int, int]] = deque()

    def read(self, figures: Figures) -> tuple[float, float]:
        """Events per second and lists per second, with one more reading of the counts."""
        self._readings.append((figures.seconds, figures.all_events, figures.lists))
        while self._readings[-1][0] - self._readings[0][0] > RATE_WINDOW:
            self._readings.popleft()
        (since, events, lists), (until, more_events, more_lists) = self._readings[0], self._readings[-1]
        seconds = until - since
        return ((more_events - events) / seconds, (more_lists - lists) / seconds) if seconds else (0.0, 0.0)


def drawn_on(console: Console) -> Draw:
    """What draws a performance on the whole of `console`, and gives it back afterwards."""

    async def draw(performance: Performance) -> None:
        rates, shown = Rates(), deque[ShownList](maxlen=PANELS)
        with _said_afterwards(), Live(console=console, screen=True, auto_refresh=False) as live:
            for frame in count():
                if frame % FRAMES_A_LIST == 0:
                    shown.extend(_just_answered(performance))
                figures = performance.figures()
                titles = performance.observer.sales.titles
                picture = screen(figures, rates.read(figures), fitting(shown, console.width), titles)
                live.update(picture, refresh=True)
                await asyncio.sleep(FRAME)

    return draw


@contextmanager
def _said_afterwards() -> Iterator[None]:
    """What is logged meanwhile is said afterwards: it would be lost with the screen that is given back."""
    kept = MemoryHandler(MOST_KEPT, flushLevel=logging.CRITICAL + 1, target=logging.lastResort)
    logging.root.addHandler(kept)
    try:
        yield
    finally:
        logging.root.removeHandler(kept)
        kept.close()


def fitting(shown: Sequence[ShownList], width: int) -> list[ShownList]:
    """The newest of the lists that fit side by side into so many columns; one does in any case."""
    wide = any(gives_reasons(one.newest) for one in shown)
    return [*shown][-max(1, width // (EXPLAINED_WIDTH if wide else PANEL_WIDTH)) :]


def told_on(console: Console) -> Draw:
    """What only tells `console` that a performance began, and how far labeller and ranker are."""

    async def tell(performance: Performance) -> None:
        console.print("Visitors click. Ctrl-C ends it.")
        labeller, ranking = ("off", 0), performance.ranking
        while True:
            labels = performance.labels()
            step = (labels.state, int(labels.trained * STEPS))
            if step != labeller:
                console.print(f"Labeller: {_state(labels)}.", highlight=False)
            if performance.ranking != ranking:
                console.print(f"Ranker: {performance.ranking}.", highlight=False)
            labeller, ranking = step, performance.ranking
            await asyncio.sleep(FRAME)

    return tell


def _just_answered(performance: Performance) -> list[ShownList]:
    """The list that came last, and what its visitor clicked."""
    newest, sales = performance.observer.latest, performance.observer.sales
    if newest is None:
        return []
    sale_id = performance.site.clicked.get(newest.visitor_id, "")
    return [ShownList(newest, sales.titles.get(sale_id, sale_id))]


def screen(
    figures: Figures, rates: tuple[float, float], shown: Sequence[ShownList], titles: Mapping[str, str]
) -> RenderableType:
    """The whole screen."""
    minutes, seconds = divmod(int(figures.seconds), 60)
    return Group(
        Rule(f"[bold]tenfold demo[/]   {minutes}:{seconds:02}   [dim]Ctrl-C ends it[/]"),
        _figures(figures, rates),
        _side_by_side([_panel(one, titles) for one in shown]),
    )


def _figures(figures: Figures, rates: tuple[float, float]) -> _Figures:
    latency = figures.click_to_list
    values = {
        "events/s": f"{rates[0]:.0f}",
        "lists/s": f"{rates[1]:.0f}",
        "p50 click to list": _milliseconds(latency.p50),
        "p99": _milliseconds(latency.p99),
        "live sales": str(figures.live_sales),
        "visitors": f"{figures.visitors:,}",
        "events": f"{figures.all_events:,}",
        "lists": f"{figures.lists:,}",
    }
    if figures.labels.state != "off":
        values["labelled sales"] = f"{figures.labels.sales}"
        values["labeller"] = figures.labels.labeller or _state(figures.labels)
    values["ranker"] = _ranker(figures)
    wrong = {
        "wrong lists": figures.lists_invalid,
        "dead letters": figures.dead_letters,
        "restarts": figures.restarts,
    }
    well = [Text.assemble((value, "bold"), " ", (name, "dim")) for name, value in values.items()]
    ill = [
        Text.assemble((f"{count:,}", "bold red" if count else "bold"), " ", (name, "dim"))
        for name, count in wrong.items()
    ]
    return _Figures((*well, *ill))


def _side_by_side(panels: Sequence[Panel]) -> Table:
    row = Table.grid(expand=True)
    for _ in panels:
        row.add_column(ratio=1)
    row.add_row(*panels)
    return row


def _panel(one: ShownList, titles: Mapping[str, str]) -> Panel:
    clicked = Text(
        one.clicked and f"clicked {one.clicked}", style="italic cyan", no_wrap=True, overflow="ellipsis"
    )
    return Panel(
        Group(clicked, table_of(one.newest, titles)), title=one.newest.visitor_id, title_align="left"
    )


def summary(figures: Figures) -> RenderableType:
    """What is left on the terminal when the demo is over."""
    latency = figures.click_to_list
    by_type = ", ".join(f"{count:,} {kind}s" for kind, count in figures.events.items())
    rows = {
        "ran for": f"{figures.seconds:.0f} s",
        "events": f"{figures.all_events:,}: {by_type}",
        "visitors": f"{figures.visitors:,}, {figures.visitors_without_list} without a list",
        "lists": f"{figures.lists:,}, {figures.lists_invalid} wrong",
        "click to list": f"p50 {_milliseconds(latency.p50)}, p99 {_milliseconds(latency.p99)}",
        "unanswered clicks": str(latency.unanswered),
        "dead letters": str(figures.dead_letters),
        "restarts": str(figures.restarts),
        "ranked": ", ".join(f"{lists:,} by {name}" for name, lists in figures.lists_by_ranker.items()),
        "labels": _labels(figures.labels),
    }
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        table.add_row(Text(name, style="dim"), Text(value))
    for seen in figures.labels.examples:
        table.add_row(Text("seen on a sale", style="dim"), Text(_found(seen)))
    for example in figures.invalid_examples:
        table.add_row(Text("wrong list", style="red"), Text(example))
    return table


def _ranker(figures: Figures) -> str:
    """What ranks the newest lists, and whether it is about to be replaced."""
    newest = [*(figures.lists_by_ranker or ("no",))][-1]
    return f"{newest}, {figures.ranking}" if figures.ranking in {"training", "failed"} else newest


def _labels(seen: LabelsSeen) -> str:
    """What labelling has come to, in a sentence."""
    if seen.labeller:
        return f"{seen.sales:,} sales by labeller {seen.labeller}, {seen.right:,} as their kind"
    return _NO_LABELS[seen.state]


def _state(seen: LabelsSeen) -> str:
    """What labelling has come to, in two words."""
    if seen.state == "training" and seen.trained:
        return f"training, {seen.trained:.0%}"
    return seen.state


_NO_LABELS: Mapping[State, str] = {
    "off": "none, sales have no images",
    "training": "none yet, the labeller is still training, or being verified",
    "failed": "none, the labeller could not be trained; see above",
    "at work": "none yet, the labelling worker is still starting",
}


def _found(one: Example) -> str:
    labels = ", ".join(f"{label.name} {label.share:.0%}" for label in one.labels)
    return f"{one.kind} ({one.images} images): {labels}"


def _milliseconds(latency: float | None) -> str:
    return "–" if latency is None else f"{latency:.1f} ms"  # noqa: RUF001 - a dash for a missing figure
