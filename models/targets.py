"""Targets: which sale a visitor bought, or looked at, after each row of a log; what rankers learn to find.

The next one is the next to be appended, as a stream has it; if it had happened before the row, and came late,
there was nothing to predict.
"""

from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.event_table import NO_SESSION, EventTable
from models.walk import NO_TARGET
from reco.errors import TrainingError
from reco.parameters import SECOND
from reco.recommenders.protocol import CLICK, PURCHASE
from reco.sessions import VISIT_SILENCE

Target: TypeAlias = Literal["purchase", "graded", "click"]
"""What a list is to lead to: a purchase; a purchase, or else a click, which is worth less; a click."""
ENOUGH_PURCHASES: Final = 2_000
"""Fewer purchases than this teach too little by themselves; clicks teach with them."""
FEWEST_PURCHASES: Final = 200
"""Fewer than this cannot say how probable a purchase is; the next click is learned instead, if any."""
REACHED: Final = "answers among the candidates"
"""The share of the answers that could be listed: open, not bought yet, and retrieved."""
MOST_OF_A_CLICK = 0.5
"""A click is worth less than a purchase, and can be told from one, even in a log with few clicks."""


def session_numbers(table: EventTable) -> NDArray[np.int64]:
    """int64[n_rows]: the log's own sessions, or else visits by 30 minutes of silence."""
    if (table.sessions != NO_SESSION).all():
        return table.sessions.astype(np.int64)
    order = np.lexsort((table.ts, table.visitors))
    new_visitor = np.diff(table.visitors[order], prepend=-1) != 0
    silence = np.diff(table.ts[order], prepend=0) > VISIT_SILENCE
    numbers = np.empty(len(table), np.int64)
    numbers[order] = np.cumsum(new_visitor | silence) - 1
    return numbers


class Lessons(NamedTuple):
    """What rankers learn to find.

    Attributes:
        targets: int32[n_rows], the sale that is to be found after each row; `NO_TARGET`: none.
        grades: float32[n_rows], how much of what is to be predicted it is, above 0 and at most 1.
        target: what that is.
    """

    targets: NDArray[np.int32]
    grades: NDArray[np.float32]
    target: Target


def lessons_of(table: EventTable, sought: NDArray[np.int32], target: Target, worth: float) -> Lessons:
    """What teaches to find `sought` (int32[n_rows]); if `graded`, clicks too, which are `worth` less."""
    grades = np.ones(len(table), np.float32)
    if target != "graded":
        return Lessons(sought, grades, target)
    nothing = sought == NO_TARGET
    grades[nothing] = worth
    return Lessons(np.where(nothing, next_clicks(table), sought), grades, target)


def target_for(table: EventTable) -> Target:
    """The first of the targets that there are enough purchases for; without clicks, the purchase."""
    purchases = int((table.kinds == PURCHASE).sum())
    if not (table.kinds == CLICK).any():
        return "purchase"
    if purchases < FEWEST_PURCHASES:
        return "click"
    return "purchase" if purchases >= ENOUGH_PURCHASES else "graded"


def check_events(table: EventTable) -> None:
    """Check that there are events.

    Raises:
        TrainingError: there is none.
    """
    if not len(table):
        raise TrainingError("there is no event to learn from yet; let some come in, or import a log")


def check_target(table: EventTable, targets: NDArray[np.int32], target: Target) -> None:
    """Check that `targets` (int32[n_rows], of what each row led to) are not none at all.

    Raises:
        TrainingError: nobody did what the target asks for, or not after anything else.
    """
    kind, name = (CLICK, "click") if target == "click" else (PURCHASE, "purchase")
    if not (table.kinds == kind).any():
        raise TrainingError(
            f"the history has no {name} to learn from: are there any among its event types? See --map-type "
            "of a log; or take another target"
        )
    if (targets == NO_TARGET).all():
        within = "the visit" if target == "click" else "the visit or the window"
        raise TrainingError(
            f"no {name} of the history comes after something else within {within}; is visitor_id, "
            "or session_id, the same in all that one visitor did?"
        )


def sessions_of(table: EventTable) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Rows by session and order, where each session starts among them, and how long it is."""
    sessions = session_numbers(table)
    order = _in_order(table, sessions)
    starts = np.flatnonzero(np.diff(sessions[order], prepend=-1))
    return order, starts, np.diff(starts, append=len(order))


def next_purchases(table: EventTable, window: int) -> NDArray[np.int32]:
    """int32[n_rows]: what the visitor of each row buys next, in the same session or within `window` ms.

    `NO_TARGET` where there is none. A purchase at the very time of the row counts as later, if it stands
    after it in the log.
    """
    sessions, order = session_numbers(table), _in_order(table, table.visitors)
    targets = np.full(len(table), NO_TARGET, np.int32)
    visitor, bought = -1, -1
    for row in order[::-1].tolist():
        if table.visitors[row] != visitor:
            visitor, bought = table.visitors[row], -1
        wait = table.ts[bought] - table.ts[row]
        if bought >= 0 and wait >= 0 and (sessions[row] == sessions[bought] or wait <= window):
            targets[row] = table.sales[bought]
        if table.kinds[row] == PURCHASE:
            bought = row
    return targets


def _in_order(table: EventTable, groups: NDArray[np.integer]) -> NDArray[np.intp]:
    """Rows by group (int[n_rows]), and in each in the order in which a stream has them."""
    return np.lexsort((np.arange(len(table)), table.ts, table.appended // SECOND, groups))


def next_clicks(table: EventTable) -> NDArray[np.int32]:
    """int32[n_rows]: the sale of the next click of the same session; `NO_TARGET` if there is none."""
    order, starts, lengths = sessions_of(table)
    places = np.arange(len(order))
    clicked = np.where(table.kinds[order] == CLICK, places, len(order))
    coming = np.append(np.minimum.accumulate(clicked[::-1])[::-1][1:], len(order))
    followed = np.flatnonzero(coming < np.repeat(starts + lengths, lengths))
    rows, clicks = order[followed], order[coming[followed]]
    targets = np.full(len(table), NO_TARGET, np.int32)
    targets[rows] = np.where(table.ts[clicks] >= table.ts[rows], table.sales[clicks], NO_TARGET)
    return targets


def purchases_per_click(table: EventTable) -> float:
    """How many purchases a click is worth, by how many there are of both; at most `MOST_OF_A_CLICK`."""
    clicks = int((table.kinds == CLICK).sum())
    return min(MOST_OF_A_CLICK, int((table.kinds == PURCHASE).sum()) / max(clicks, 1))
