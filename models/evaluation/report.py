"""The report of an evaluation: one HTML file that begins with what a reader wants, and a terminal table."""

from collections.abc import Callable, Iterable
from html import escape
from math import isfinite
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from models.evaluation.intervals import RESAMPLES, Estimate
from models.evaluation.results import Fact, Results, Row, Slice, Summary
from models.page import fact_table, html_table, opening, write_page

_STYLE = """
th, td { white-space: nowrap; }
tr.ranker td { font-weight: 600; color: rgb(var(--blue)); }
tr.published td { font-style: italic; }
"""


def write_report(results: Results, path: Path) -> None:
    """Write the report of `results` to `path`: one file that needs nothing else, no network either."""
    about = results.about
    title = f"{about.data_set}, {about.protocol}: how good the rankings are"
    parts = [_opening(results.summary), _all_scorers(results.summary)]
    parts += [_slices(results.summary), *_plots(results), _how(results.summary)]
    write_page(path, title, parts, _STYLE)


def terminal_table(summary: Summary) -> Table:
    """The figures of all scorers, best first, for a terminal of 80 columns; rankers are bold.

    ± is half of the 95 % interval; the last column is the uplift in the first metric over the best single.
    Scorers that found nothing are counted only.
    """
    about = summary.about
    title = Text(f"{about.data_set}, {about.protocol}: {summary.questions:,} questions")
    table = Table(title=title, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("scorer", overflow="fold")
    for metric in about.metrics:
        table.add_column(metric.name, justify="right", no_wrap=True)
    table.add_column("over best", justify="right", no_wrap=True)
    for position in summary.finding():
        row = summary.rows[position]
        style = "bold" if row.scorer.kind == "ranker" else ""
        figures = [f"{_short(one.mean)}{_half(one, _short)}" for one in row.figures]
        over = _uplift(row)
        uplift = f"{over.mean:+.1f} %{_half(over, '{:.1f}'.format)}" if over else ""
        table.add_row(*(Text(cell) for cell in (row.scorer.name, *figures, uplift)), style=style)
    if nothing := len(summary.rows) - len(table.rows):
        table.add_row(f"{nothing} more found nothing")
    return table


def _half(one: Estimate, written: Callable[[float], str]) -> str:
    """Half of the interval, where it is known."""
    half = (one.high - one.low) / 2
    return f" ±{written(half)}" if isfinite(half) else ""


def _short(figure: float) -> str:
    """Four digits after the point, and none before it if that is 0."""
    return f"{figure:.4f}".removeprefix("0")


def headline(summary: Summary) -> str:
    """The sentences a reader wants first, as HTML."""
    about, main = summary.about, _main(summary)
    asked = (
        f"On <b>{escape(about.data_set)}</b>, {summary.questions:,} questions of the protocol"
        f" <b>{escape(about.protocol)}</b> each asked {len(summary.rows)} scorers for {escape(about.asked)}."
    )
    names = [metric.name for metric in about.metrics]
    reached = [f"{name} {_figure(one, 'b')}" for name, one in zip(names, main.figures, strict=True)]
    parts = [asked, f"<b>{escape(main.scorer.name)}</b> reaches {' and '.join(reached)}."]
    if summary.best_single is not None:
        single = summary.rows[summary.best_single]
        figures = " and ".join(f"{one.mean:.4f}" for one in single.figures)
        over = _uplift(main)
        gain = f"; the difference in {names[0]} is {_percent(over, 'b')}{_doubt(over)}" if over else ""
        parts.append(
            f"The best single recommender, <b>{escape(single.scorer.name)}</b>, reaches {figures}{gain}."
        )
    if best := about.best_published():
        figure = f"The best published {names[0]}, on the log that it names, is {best[1]:.4f}"
        parts.append(f"{figure}, by {escape(best[0])}.")
    return " ".join(parts)


def _opening(summary: Summary) -> str:
    main = _main(summary)
    cards = [
        (metric.name, f"{one.mean:.4f}", _interval(one, "{:.4f}"))
        for metric, one in zip(summary.about.metrics, main.figures, strict=True)
    ]
    over = _uplift(main)
    if over:
        name = f"{summary.about.metrics[0].name} over the best single"
        cards.append((name, f"{over.mean:+.1f} %", _interval(over, "{:+.1f} %")))
    if summary.calibrated:
        error = summary.calibrated.error
        cards.append(
            ("expected calibration error", f"{error:.4f}", f"{summary.calibrated.examples:,} listed sales")
        )
    return opening(headline(summary), cards)


def _all_scorers(summary: Summary) -> str:
    """All scorers and, between them, what others published; best first. What found nothing is only named."""
    names = [metric.name for metric in summary.about.metrics]
    finding = [summary.rows[place] for place in summary.finding()]
    lines = [(row.figures[0].mean, _scorer_line(row)) for row in finding]
    for name, found in summary.about.published.items():
        figures = [f"{found[metric]:.4f}" if metric in found else "" for metric in names]
        cells = [escape(name), "published", *figures, ""]
        lines.append((found.get(names[0], -1.0), ("published", cells)))
    lines.sort(key=lambda line: -line[0])
    head = ["scorer", "kind", *names, "over the best single"]
    note = (
        "Small figures are the ends of 95 % intervals. The rank of a target is pessimistic: candidates of the"
        " same score count as above it. Differences are paired: the same questions, the same draws."
    )
    table = html_table(head, [line for _, line in lines])
    nothing = [escape(row.scorer.name) for row in summary.rows if row not in finding]
    named = f'<p class="note">Found nothing: {", ".join(nothing)}.</p>\n' if nothing else ""
    return f'<h2>All scorers</h2>\n<p class="note">{note}</p>\n{table}\n{named}'


def _scorer_line(row: Row) -> tuple[str, list[str]]:
    over = _uplift(row)
    figures = [_figure(one) for one in row.figures]
    return row.scorer.kind, [
        escape(row.scorer.name),
        row.scorer.kind,
        *figures,
        _percent(over) if over else "",
    ]


def _slices(summary: Summary) -> str:
    if not summary.slices or summary.best_single is None:
        return ""
    best = summary.rows[summary.best_single].scorer.name
    head = ["questions", "scorer", summary.about.metrics[0].name]
    head += [f"over {escape(best)}", "over the best here"]
    lines = [line for one in summary.slices for line in _slice_lines(one, best, summary.questions)]
    note = f"{escape(best)} is the best single recommender on all questions."
    return f'<h2>Kinds of question</h2>\n<p class="note">{note}</p>\n{html_table(head, lines)}'


def _slice_lines(one: Slice, best: str, questions: int) -> list[tuple[str, list[str]]]:
    """Its singles, the other hand rules, the learned; the name of the slice stands in the first line."""
    lines = [
        (
            "",
            [
                f"{escape(one.best_here)} <small>best here</small>",
                _figure(one.figure_best_here),
                "",
                "",
            ],
        )
    ]
    if best != one.best_here:
        lines.append(("", [escape(best), _figure(one.figure_best), "", ""]))
    for row in [row for row in one.rows if row.scorer.name not in {one.best_here, best}]:
        cells = [escape(row.scorer.name), _figure(row.figure), _difference(row.over_best)]
        lines.append((row.scorer.kind, [*cells, _difference(row.over_best_here)]))
    many = f"<small>{one.questions:,}, {100 * one.questions / questions:.0f} %</small>"
    first = [f"<b>{escape(one.name)}</b>{many}", *[""] * (len(lines) - 1)]
    return [(kind, [what, *cells]) for what, (kind, cells) in zip(first, lines, strict=True)]


def _plots(results: Results) -> Iterable[str]:
    from models.evaluation import plots

    summary = results.summary
    name = summary.about.metrics[0].name
    yield _plot("Scorers compared", plots.scorer_bars(summary), f"{name} with 95 % intervals.")
    if over_time := plots.over_time(results, summary):
        yield _plot("Learning over time", over_time, f"{name} of the main scorers.")
    yield _plot(
        "Shorter and longer lists", plots.hit_curve(results, summary), "Share of targets in the first k."
    )
    if results.calibration is not None and summary.calibrated is not None:
        caption = (
            "Of the ten sales that would have been listed each time. Dashed: what perfect probabilities would"
            " show. Below: how often which probability was predicted."
            f" Expected calibration error {summary.calibrated.error:.4f} over bins of equal weight,"
            f" log loss {summary.calibrated.log_loss:.4f}, {summary.calibrated.examples:,} listed sales."
        )
        yield _plot("Probabilities", plots.reliability_diagram(results.calibration), caption)
        lines = [("", [f"{value:.4f}" for value in line]) for line in summary.calibrated.table]
        bins = html_table(["predicted", "came true", "share of listed sales"], lines)
        yield f"<details><summary>The bins in figures</summary>{bins}</details>"
    if summary.about.importance:
        features = plots.feature_importance(summary.about.importance)
        families = plots.family_importance(summary.about.importance)
        yield _plot("What the ranker looks at", families, "Features added up by recommender.")
        yield _plot(
            "", features, f"The first {plots.TOP_FEATURES} of {len(summary.about.importance)} features."
        )


def _how(summary: Summary) -> str:
    about = summary.about
    drawn = (
        f"{summary.clusters:,} visitors or sessions, whole; figures are means over all questions"
        if summary.windows is None
        else f"{summary.windows:,} windows, whole; figures are means of the windows' means"
    )
    facts: dict[str, Fact] = {
        "questions": f"{summary.questions:,} of {summary.clusters:,} visitors or sessions",
        "intervals": f"95 %, bootstrap: {RESAMPLES:,} draws of {drawn}",
    }
    parts = ["<h2>How it was measured</h2>", fact_table(facts | about.parameters)]
    if about.training:
        parts += ["<h2>How the rankers were trained</h2>", fact_table(about.training)]
    if about.made:
        parts += ["<h2>Where it was measured</h2>", fact_table(about.made)]
    if about.command:
        parts += ["<h2>Do it again</h2>", f"<pre>{escape(about.command)}</pre>"]
    return "\n".join(parts)


def _main(summary: Summary) -> Row:
    """The best ranker; without any, the best scorer."""
    position = summary.ranked()[0] if summary.best_ranker is None else summary.best_ranker
    return summary.rows[position]


def _uplift(row: Row) -> Estimate | None:
    """Over the best single in the main metric, where that is above 0."""
    return row.uplift[0] if row.uplift and isfinite(row.uplift[0].mean) else None


def _doubt(difference: Estimate) -> str:
    return "" if difference.low > 0 or difference.high < 0 else ", which may be chance"


def _figure(one: Estimate, tag: str = "span") -> str:
    return f"<{tag}>{one.mean:.4f}</{tag}> <small>{_interval(one, '{:.4f}', '–')}</small>"  # noqa: RUF001 - a range


def _difference(one: Estimate) -> str:
    return f"{one.mean:+.4f} <small>{_interval(one, '{:+.4f}')}</small>"


def _percent(one: Estimate, tag: str = "span") -> str:
    return f"<{tag}>{one.mean:+.1f} %</{tag}> <small>{_interval(one, '{:+.1f}')}</small>"


def _interval(one: Estimate, written: str, between: str = " to ") -> str:
    """The ends of an interval; of one group of questions only, none is known."""
    return between.join(map(written.format, (one.low, one.high))) if isfinite(one.low) else "± not known"


def _plot(title: str, svg: str, caption: str) -> str:
    heading = f"<h2>{title}</h2>\n" if title else ""
    return f"{heading}<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
