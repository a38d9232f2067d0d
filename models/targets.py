"""Targets: which sale a visitor bought, or looked at, after each row of a log; what rankers learn to find."""

import numpy as np
from numpy.typing import NDArray

from models.event_table import NO_SESSION, EventTable
from models.walk import NOTHING_BOUGHT
from reco.recommenders.protocol import CLICK, PURCHASE
from reco.sessions import VISIT_SILENCE

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


def sessions_of(table: EventTable) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Rows by session and time, where each session starts among them, and how long it is."""
    sessions = session_numbers(table)
    order = np.lexsort((np.arange(len(table)), table.ts, sessions))
    starts = np.flatnonzero(np.diff(sessions[order], prepend=-1))
    return order, starts, np.diff(starts, append=len(order))


def next_purchases(table: EventTable, window: int) -> NDArray[np.int32]:
    """int32[n_rows]: what the visitor of each row buys next, in the same session or within `window` ms.

    `NOTHING_BOUGHT` where there is none. Purchases at the very time of the row count as later, if they stand
    after it in the log.
    """
    sessions = session_numbers(table)
    order = np.lexsort((np.arange(len(table)), table.ts, table.visitors))
    targets = np.full(len(table), NOTHING_BOUGHT, np.int32)
    visitor, bought = -1, -1
    for row in order[::-1].tolist():
        if table.visitors[row] != visitor:
            visitor, bought = table.visitors[row], -1
        if bought >= 0 and (sessions[row] == sessions[bought] or table.ts[bought] - table.ts[row] <= window):
            targets[row] = table.sales[bought]
        if table.kinds[row] == PURCHASE:
            bought = row
    return targets


def next_clicks(table: EventTable) -> NDArray[np.int32]:
    """int32[n_rows]: the sale of the next click of the same session; `NOTHING_BOUGHT` after its last one."""
    order, starts, lengths = sessions_of(table)
    places = np.arange(len(order))
    clicked = np.where(table.kinds[order] == CLICK, places, len(order))
    coming = np.append(np.minimum.accumulate(clicked[::-1])[::-1][1:], len(order))
    followed = coming < np.repeat(starts + lengths, lengths)
    targets = np.full(len(table), NOTHING_BOUGHT, np.int32)
    targets[order[followed]] = table.sales[order[coming[followed]]]
    return targets


def purchases_per_click(table: EventTable) -> float:
    """How many purchases a click is worth, by how many there are of both; at most `MOST_OF_A_CLICK`."""
    clicks = int((table.kinds == CLICK).sum())
    return min(MOST_OF_A_CLICK, int((table.kinds == PURCHASE).sum()) / max(clicks, 1))
