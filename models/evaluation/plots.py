"""The plots of a report, as SVG to stand inside HTML: text stays text and takes the colour of the page."""

import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from models.evaluation.results import LEARNED, Calibration, Kind, Metric, Results, Summary
from reco.metrics import reliability

# Okabe and Ito's colours, which people with any kind of colour vision tell apart, and a neutral grey.
_BLUE, _SKY, _ORANGE, _GREEN, _RED, _PURPLE = "#0072B2", "#56B4E9", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
_GREY = "#8C8C8C"
COLOURS: dict[Kind, str] = {
    "ranker": _BLUE,
    "challenger": _SKY,
    "recommender": _ORANGE,
    "rule": _GREEN,
    "baseline": _GREY,
}
"""The colour of each kind of scorer, in all bars."""
_LINES = ((_BLUE, "-"), (_ORANGE, "-"), (_GREEN, "--"), (_GREY, "-."), (_RED, "--"), (_PURPLE, ":"))
_INK = "#010203"
"""Stands for the colour of the page's text, until the SVG is written."""
_STYLE: Any = {
    "svg.fonttype": "none",
    "date.converter": "concise",
    "text.parse_math": False,
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _INK,
    "grid.alpha": 0.12,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
_WIDTH = 10.3
"""Width of a plot, inches."""
_BAR = 0.21
"""Height of a bar and its gap, inches."""

MAX_POINTS = 60
"""Points of a line over time; more only show noise."""
QUESTIONS_PER_POINT = 100
"""Questions that a point over time stands on, at least."""
MAX_HITS = 20
"""The last k of the curve of HR@k."""
TOP_FEATURES = 25
_RARE = 0.005
"""Share of the probabilities, at either end, that the diagram may leave out."""
_WIDE = 30.0
"""Probabilities whose largest is so many times the smallest are drawn on logarithmic axes."""


def scorer_bars(summary: Summary) -> str:
    """The main metric of all scorers with its interval, best on top; the best published figure as a line.

    Those that found nothing are left out, unless none found anything.
    """
    ranked = [summary.rows[position] for position in summary.finding() or summary.ranked()]
    figures = [row.figures[0] for row in ranked]
    means = np.array([one.mean for one in figures])
    reach = np.array([[one.mean - one.low, one.high - one.mean] for one in figures]).T
    kinds = [kind for kind in COLOURS if any(row.scorer.kind == kind for row in ranked)]
    legend: list[Artist] = [Patch(color=COLOURS[kind], label=kind) for kind in kinds]
    with mpl.rc_context(_STYLE):
        names = [row.scorer.name for row in ranked]
        figure, axes = _bars(names, means, [COLOURS[row.scorer.kind] for row in ranked])
        axes.errorbar(
            means, np.arange(len(ranked)), xerr=reach.clip(0), fmt="none", ecolor=_INK, elinewidth=1
        )
        ends = np.fmax(means, [one.high for one in figures]).tolist()  # NaN where no interval is known
        axes.set_xlim(0, max(1.12 * max(ends), 1e-9))
        for place, (end, mean) in enumerate(zip(ends, means.tolist(), strict=True)):
            _value(axes, end, place, f"{mean:.4f}")
        legend += _published_line(axes, summary)
        axes.set_xlabel(summary.about.metrics[0].name)
        _legend_above(figure, legend)
        return _svg(figure, "scorers")


def over_time(results: Results, summary: Summary) -> str:
    """The main metric of the main scorers over the time of the questions; empty if that is one point."""
    metric = summary.about.metrics[0]
    points, at = _points(results)
    if len(at) == 1:
        return ""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(3.6)
        lines = []
        for line, position in enumerate(main_scorers(summary)):
            values = metric.of(results.ranks[position]) * results.weights
            means = np.bincount(points, values) / np.bincount(points, results.weights)
            lines += _line(axes, line, at, means, summary.about.scorers[position].name)
        axes.set_xlabel("questions, in order" if results.times is None else "time of the questions, UTC")
        axes.set_ylabel(metric.name)
        _legend_above(figure, lines)
        return _svg(figure, "time")


def hit_curve(results: Results, summary: Summary) -> str:
    """The hit rate of the main scorers among the first k, for k from 1 to `MAX_HITS`."""
    ks = np.arange(1, MAX_HITS + 1)
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(3.6)
        lines = []
        for line, position in enumerate(main_scorers(summary)):
            rates = np.array([results.mean(Metric("HR", k), position) for k in ks.tolist()])
            lines += _line(axes, line, ks, rates, summary.about.scorers[position].name)
        axes.set_xticks(ks)
        axes.set_xlabel("k: length of the list")
        axes.set_ylabel("HR@k: target in the list")
        axes.set_ylim(bottom=0)
        _legend_above(figure, lines)
        return _svg(figure, "hits")


def reliability_diagram(calibration: Calibration) -> str:
    """What was predicted against what came true, over the distribution of the probabilities."""
    table = reliability(*calibration)
    usual = np.quantile(calibration.probabilities, (_RARE, 1 - _RARE)).tolist()
    lowest, highest = min(usual[0], float(table.predicted[0])), max(usual[1], float(table.predicted[-1]))
    wide = lowest > 0 and highest / lowest > _WIDE
    edges = np.geomspace(lowest, highest, 41) if wide else np.linspace(lowest, highest, 41)
    counts, _ = np.histogram(calibration.probabilities, edges)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        if wide:
            _logarithmic(above)
        above.plot(edges, edges, color=_INK, alpha=0.5, linestyle="--", linewidth=1)
        above.plot(table.predicted, table.observed, color=_BLUE, marker="o")
        above.set_ylabel("share that came true")
        below.stairs(counts / len(calibration.labels), edges, fill=True, color=_SKY)
        below.set_xlabel("predicted probability")
        below.set_ylabel("share of examples")
        return _svg(figure, "reliability")


def feature_importance(importance: Sequence[tuple[str, float]]) -> str:
    """The share of the gain of the `TOP_FEATURES` best features."""
    best = sorted(importance, key=lambda pair: -pair[1])[:TOP_FEATURES]
    return _shares(best, "share of the gain", "features")


def family_importance(importance: Sequence[tuple[str, float]]) -> str:
    """The share of the gain of each recommender: features whose names begin alike, up to the first dot."""
    families: dict[str, float] = {}
    for name, share in importance:
        family = name.partition(".")[0]
        families[family] = families.get(family, 0.0) + share
    best = sorted(families.items(), key=lambda pair: -pair[1])
    return _shares(best, "share of the gain of all its features", "families")


def main_scorers(summary: Summary) -> list[int]:
    """Six scorers worth a line, or fewer: the ranker, the best single, the best of each kind, the learned."""
    ranked = summary.ranked()
    by_kind = {kind: [one for one in ranked if summary.rows[one].scorer.kind == kind] for kind in COLOURS}
    chosen = [*by_kind["ranker"][:1]]
    if summary.best_single is not None:
        chosen.append(summary.best_single)
    chosen += [*by_kind["challenger"][:1], *by_kind["baseline"][:1], *by_kind["rule"][:1]]
    others = [one for one in ranked if summary.rows[one].scorer.kind in LEARNED]
    return list(dict.fromkeys([*chosen, *others]))[: len(_LINES)]


def _points(results: Results) -> tuple[NDArray[np.int64], NDArray[np.generic]]:
    """int64[n_questions], the point over time that each question belongs to; and where the points stand.

    Points hold equally many questions, or windows if there are any.
    """
    n = len(results.clusters)
    when = np.arange(n) if results.times is None else results.times
    if results.windows is None:
        order = np.argsort(np.argsort(when, kind="stable"), kind="stable")
        number, count = order, n
        points = max(1, min(MAX_POINTS, n // QUESTIONS_PER_POINT))
    else:
        windows, number = np.unique(results.windows, return_inverse=True)
        count = len(windows)
        points = min(MAX_POINTS, count)
    place = (number.astype(np.int64) * points) // count
    middle = np.bincount(place, when.astype(np.float64)) / np.bincount(place)
    return place, middle if results.times is None else middle.astype(np.int64).astype("datetime64[ms]")


def _logarithmic(axes: Axes) -> None:
    """Powers of ten in plain figures; a share of 0 is left out."""
    axes.set(xscale="log", yscale="log")
    for scale in (axes.xaxis, axes.yaxis):
        scale.set_major_formatter(lambda value, _: f"{value:g}")
        scale.set_minor_formatter(lambda _value, _: "")


def _published_line(axes: Axes, summary: Summary) -> list[Artist]:
    """A line where the best published figure is, if there is one, for the legend."""
    best = summary.about.best_published()
    if best is None:
        return []
    name, figure = best
    label = f"published: {name}"
    return [axes.axvline(figure, color=_RED, linestyle="--", linewidth=1.2, zorder=0.9, label=label)]


def _shares(shares: Sequence[tuple[str, float]], label: str, name: str) -> str:
    with mpl.rc_context(_STYLE):
        values = np.array([share for _, share in shares])
        figure, axes = _bars([feature for feature, _ in shares], values, [_BLUE] * len(shares))
        for place, value in enumerate(values.tolist()):
            _value(axes, value, place, f"{100 * value:.1f} %")
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        axes.set_xlabel(label)
        return _svg(figure, name)


def _bars(names: Sequence[str], values: NDArray[np.float64], colours: Sequence[str]) -> tuple[Figure, Axes]:
    """Horizontal bars, the first on top."""
    figure, axes = _axes(0.9 + _BAR * len(names))
    places = np.arange(len(names))
    axes.barh(places, values, height=0.72, color=list(colours))
    axes.set_yticks(places, list(names), fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    return figure, axes


def _axes(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def _line(
    axes: Axes, line: int, at: NDArray[np.generic], values: NDArray[np.float64], name: str
) -> list[Line2D]:
    colour, style = _LINES[line]
    return axes.plot(at, values, color=colour, linestyle=style, label=name)


def _value(axes: Axes, at: float, place: int, text: str) -> None:
    """What a bar says in figures, right of its end."""
    axes.annotate(text, (at, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)


def _legend_above(figure: Figure, handles: Sequence[Artist]) -> None:
    figure.legend(handles=handles, loc="outside upper left", ncols=3)


def _svg(figure: Figure, name: str) -> str:
    """The figure as an SVG element: the same figure gives the same text, ids differ between names."""
    file = StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    bare = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text[text.index("<svg") :], count=2)
    return bare.replace(_INK, "currentColor")
