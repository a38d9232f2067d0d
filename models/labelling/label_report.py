"""The report on a labeller: one HTML file with figures, confusion, the worst pictures, and calibration."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan
from pathlib import Path

import numpy as np

from models.evaluation import plots
from models.evaluation.intervals import Estimate
from models.evaluation.results import Calibration
from models.labelling.judging import TOP, Judgement
from models.labelling.thumbnails import data_url, small_jpeg
from models.page import fact_table, html_table, opening, write_page

WORST_CLASSES = 10
WORST_PICTURES = 24
CONFUSED = 10
"""Pairs of classes that are named."""
THUMBNAIL = 128
"""Height and width of a picture in the report, pixels; some 4 kB each."""
NAMED_LABELS = 3
"""Most probable labels that stand below a picture."""

_STYLE = """
:root { --right: var(--blue); --wrong: 213, 94, 0; }
th, td { vertical-align: bottom; }
.confusion td { padding: .28rem .6rem; text-align: right; }
.confusion thead th { writing-mode: vertical-rl; transform: rotate(180deg); padding: .4rem .28rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: 1.2rem 1rem; }
.pictures figure { margin: 0; font-size: .85rem; overflow-wrap: anywhere; }
.pictures img { width: 100%; aspect-ratio: 1; border-radius: .5rem; display: block; }
"""


def write_label_report(
    judgement: Judgement, pictures: Sequence[Path], facts: Mapping[str, str], command: str, path: Path
) -> None:
    """Write the report to `path`: one file that needs nothing else, no network either.

    Args:
        judgement: of the labeller.
        pictures: the files that were judged, in the order of the judgement.
        facts: what else is to be known, by name: labeller, training, machine.
        command: what made the report.
        path: where to.
    """
    title = f"Scene labels of {facts.get('labeller', 'a labeller')}: how good they are"
    parts = [
        _opening(judgement),
        _confusion(judgement),
        _pictures(judgement, pictures),
        _calibration(judgement),
        _all_classes(judgement),
        _how(judgement, facts, command),
    ]
    write_page(path, title, parts, _STYLE)


def _opening(judgement: Judgement) -> str:
    n, top_1, top_5 = len(judgement.labels), judgement.top_1, judgement.top_5
    said = (
        f"Of {n:,} pictures of {np.count_nonzero(judgement.confusion.sum(axis=1))} classes,"
        f" <b>{_percent(top_1.mean)}</b> got the right label, and of <b>{_percent(top_5.mean)}</b> it is"
        f" among the {TOP} most probable ones."
    )
    cards = [
        ("top-1", _percent(top_1.mean), _interval(top_1)),
        (f"top-{TOP}", _percent(top_5.mean), _interval(top_5)),
        ("expected calibration error", f"{judgement.calibration_error:.4f}", "of the most probable label"),
        ("log loss", f"{judgement.log_loss:.4f}", "nats per picture"),
    ]
    return opening(said, cards)


def _confusion(judgement: Judgement) -> str:
    """The worst classes against the classes that they were taken for."""
    worst = judgement.worst_classes(WORST_CLASSES)
    if not worst:
        return "<h2>Confusion</h2>\n<p>No picture was taken for another class.</p>"
    columns = np.flatnonzero(judgement.confusion[worst].sum(axis=0)).tolist()
    names = [escape(name) for name in judgement.classes]
    head = "".join(f'<th scope="col">{names[column]}</th>' for column in columns)
    rows = "".join(_confusion_row(judgement, row, columns) for row in worst)
    pairs = "; ".join(
        f"{names[one.right]} for {names[one.taken_for]} ({one.pictures})"
        for one in judgement.confused(CONFUSED)
    )
    return (
        f"<h2>Confusion of the {len(worst)} worst classes</h2>\n"
        f'<p class="note">Lines: what pictures show. Columns: what they were taken for. Taken most often:'
        f" {pairs}.</p>\n"
        '<div class="scroll"><table class="confusion">\n'
        f"<thead><tr><th></th>{head}<th>recognised</th></tr></thead>\n<tbody>{rows}</tbody></table></div>"
    )


def _confusion_row(judgement: Judgement, row: int, columns: Sequence[int]) -> str:
    counts = judgement.confusion[row]
    cells = "".join(_cell(int(counts[one]), int(counts.sum()), right=one == row) for one in columns)
    name, share = escape(judgement.classes[row]), _percent(float(judgement.accuracies[row]))
    return f'<tr><th scope="row">{name}</th>{cells}<td>{share}</td></tr>\n'


def _cell(count: int, total: int, *, right: bool) -> str:
    if not count:
        return "<td></td>"
    colour = "--right" if right else "--wrong"
    return f'<td style="background: rgba(var({colour}), {0.15 + 0.6 * count / total:.2f})">{count}</td>'


def _pictures(judgement: Judgement, pictures: Sequence[Path]) -> str:
    worst = judgement.worst_pictures(WORST_PICTURES)
    if not worst:
        return ""
    shown = "\n".join(_picture(judgement, one, pictures[one]) for one in worst)
    note = "Whose right label was thought least probable, the worst first."
    return f'<h2>The worst pictures</h2>\n<p class="note">{note}</p>\n<div class="pictures">\n{shown}\n</div>'


def _picture(judgement: Judgement, number: int, path: Path) -> str:
    scores = judgement.scores[number]
    best = np.argsort(-scores, kind="stable")[:NAMED_LABELS].tolist()
    said = "<br>".join(f"{escape(judgement.classes[one])} {_percent(float(scores[one]))}" for one in best)
    label = int(judgement.labels[number])
    right = f"<b>{escape(judgement.classes[label])}</b> {_percent(float(scores[label]))}"
    small = data_url(small_jpeg(path.read_bytes(), (THUMBNAIL, THUMBNAIL)))
    image = f'<img src="{small}" alt="{escape(path.name)}" title="{escape(path.name)}">'
    return f"<figure>{image}{right}<figcaption>taken for<br>{said}</figcaption></figure>"


def _calibration(judgement: Judgement) -> str:
    svg = plots.reliability_diagram(Calibration(judgement.confidences, judgement.right))
    caption = (
        "The probability of the most probable label, against how often it is right. Dashed: what perfect"
        f" probabilities would show. Expected calibration error {judgement.calibration_error:.4f} over bins"
        " of equal weight."
    )
    return f"<h2>Calibration</h2>\n<figure>{svg}<figcaption>{caption}</figcaption></figure>"


def _all_classes(judgement: Judgement) -> str:
    counts = judgement.confusion.sum(axis=1)
    order = np.argsort(judgement.accuracies, kind="stable").tolist()
    lines = [
        ("", (escape(judgement.classes[one]), f"{counts[one]}", _percent(float(judgement.accuracies[one]))))
        for one in order
    ]
    return f"<h2>All classes</h2>\n{html_table(('class', 'pictures', 'recognised'), lines)}"


def _how(judgement: Judgement, facts: Mapping[str, str], command: str) -> str:
    measured = {
        "pictures": f"{len(judgement.labels):,}",
        "intervals": "95 %, score intervals (Wilson 1927)",
    }
    how = fact_table(measured | dict(facts))
    return f"<h2>How it was measured</h2>\n{how}\n<h2>Do it again</h2>\n<pre>{escape(command)}</pre>"


def _percent(share: float) -> str:
    return "" if isnan(share) else f"{100 * share:.1f} %"


def _interval(one: Estimate) -> str:
    return f"{100 * one.low:.1f} to {100 * one.high:.1f} %"
