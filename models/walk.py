"""A walk through history: when each event is learned, and where a list is asked for; time goes one way."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.event_table import EventTable
from models.progress import Progress
from reco.candidates import Query
from reco.catalogue import Catalogue
from reco.events import Action, Event
from reco.knowledge import Knowledge
from reco.parameters import SECOND
from reco.sessions import Session, fold

EVENTS_PER_REPORT = 20_000
A_QUESTION = 200
"""Events that can be learned in the time that it takes to ask one question and describe its candidates."""
STEPS_AT_ONCE = 20_000
"""Steps whose columns are looked up together: one by one it takes a tenth of the time of a replay."""


@dataclass(frozen=True, eq=False)
class Walk:
    """What a protocol makes of a log.

    Attributes:
        table: the log.
        steps: int64[n], what happens, in order: the event of a row of the table; or, as `~row`, a list is
            asked for, with the target of that row.
        ts: int64[n_rows], event time of each row as it is to be taken, ms since the epoch, UTC.
        appended: int64[n_rows], the second (s since the epoch) in which each row is taken to be appended, not
            falling along `steps`; knowledge learns its rows once it is over. The second of the event makes it
            streaming, the last second of its hour freezes knowledge by the hour; `NEVER` keeps a row out.
        targets: int32[n_rows], for a list asked for at a row: the sale that is to be found, `NO_TARGET`
            if there is none.
        asked_at: int64[n_rows], the moment of that list, ms since the epoch, UTC.
        asked_in: int64[n_rows], its second; what was appended before this is known.
        catalogue: which sales are live when; None: all that anything was learned about, as in published
            protocols.
    """

    table: EventTable
    steps: NDArray[np.int64]
    ts: NDArray[np.int64]
    appended: NDArray[np.int64]
    targets: NDArray[np.int32]
    asked_at: NDArray[np.int64]
    asked_in: NDArray[np.int64]
    catalogue: Catalogue | None = None

    def only(self, asked: NDArray[np.bool_]) -> "Walk":
        """The same, asking only at the rows where `asked` (bool[n_rows]) is true."""
        rows = np.where(self.steps < 0, ~self.steps, 0)
        return replace(self, steps=self.steps[(self.steps >= 0) | asked[rows]])


NEVER = -1
"""The second in which a row is appended that nobody is to learn of."""
NO_TARGET = -1
"""The target of a moment after which nothing came that is to be found, be it a purchase or a click."""


def after_each(table: EventTable, targets: NDArray[np.int32], catalogue: Catalogue | None = None) -> Walk:
    """A walk as the stream went, with a question right after every event of `table`."""
    seconds = table.appended // SECOND
    order = np.lexsort((np.arange(len(table)), table.ts, seconds))
    steps = np.stack((order, ~order), axis=1).ravel()
    return Walk(
        table,
        steps,
        table.ts,
        seconds,
        targets,
        asked_at=table.appended,
        asked_in=seconds,
        catalogue=catalogue,
    )


class Question(NamedTuple):
    """One moment of the walk at which a list is asked for.

    Attributes:
        row: the row of the table.
        query: the visitor, the moment and the candidates; valid until the walk goes on.
        target: position of the sale that was to be found among the candidates; -1 if it is none of them.
        session: the visitor's session.
    """

    row: int
    query: Query
    target: int
    session: Session | None


def questions(walk: Walk, knowledge: Knowledge, progress: Progress = lambda _: None) -> Iterator[Question]:
    """Go through history once: fold sessions, advance knowledge, and stop at every question.

    A session is kept until its visitor's last step.
    """
    sessions, learned = dict[int, Session](), list[tuple[int, int, Event]]()
    second, done, report = NEVER, 0, 0
    work = len(walk.steps) + (A_QUESTION - 1) * int((walk.steps < 0).sum())
    for place, (step, event, seconds, visitor, is_last) in enumerate(_steps(walk)):
        if learned and second < seconds:
            knowledge.advance(second, learned)
            learned = []
        session = sessions.pop(visitor, None)
        if step < 0:
            yield _question(walk, ~step, knowledge, session)
        else:
            session = fold(session, event, place)
            if seconds != NEVER:
                second = seconds
                learned.append((0, place, event))
        if session is not None and not is_last:
            sessions[visitor] = session
        done += A_QUESTION if step < 0 else 1
        if done >= report:
            progress(done / work)
            report = done + EVENTS_PER_REPORT


def _steps(walk: Walk) -> Iterator[tuple[int, Action, int, int, bool]]:
    """Each step with the event of its row, the second of that or of the question, and its visitor's number.

    And whether it is the last step of that visitor.
    """
    last = np.zeros(len(walk.table.visitor_ids), np.int64)
    # Of the values for one visitor, the last is the one that stays.
    last[walk.table.visitors[np.where(walk.steps < 0, ~walk.steps, walk.steps)]] = np.arange(len(walk.steps))
    for start in range(0, len(walk.steps), STEPS_AT_ONCE):
        steps = walk.steps[start : start + STEPS_AT_ONCE]
        rows = np.where(steps < 0, ~steps, steps)
        seconds = np.where(steps < 0, walk.asked_in[rows], walk.appended[rows])
        visitors = walk.table.visitors[rows]
        are_last = last[visitors] == np.arange(start, start + len(steps))
        events = walk.table.events(rows, walk.ts[rows])
        columns = (seconds.tolist(), visitors.tolist(), are_last.tolist())
        yield from zip(steps.tolist(), events, *columns, strict=True)


def _question(walk: Walk, row: int, knowledge: Knowledge, session: Session | None) -> Question:
    at = int(walk.asked_at[row])
    if walk.catalogue is None:
        candidates = knowledge.everything()
    else:
        candidates = knowledge.candidates(walk.catalogue.live(at))
    query = knowledge.retrieve(knowledge.query(session, candidates, at))
    found = positions_of(walk.targets[row : row + 1], walk, query).tolist()
    return Question(row, query, found[0] if found else -1, session)


def positions_of(sales: NDArray[np.integer], walk: Walk, query: Query) -> NDArray[np.intp]:
    """int[k]: where those of `sales` (int[n], as in the table) stand that are candidates of `query`.

    `NO_TARGET` is none.
    """
    position, places = query.candidates.live.position, query.candidates.places
    sought = {position.get(walk.table.sale_ids[sale], -1) for sale in sales.tolist() if sale != NO_TARGET}
    if not (sought and len(places)):
        return np.empty(0, np.intp)
    wanted = np.array(sorted(sought), np.int32)
    found = np.searchsorted(places, wanted)
    positions: NDArray[np.intp] = found[places.take(found, mode="clip") == wanted]
    return positions
