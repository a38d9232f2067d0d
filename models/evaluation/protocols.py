"""Protocols: how a log is cut into what is learned and what is asked, as published or as a stream has it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.event_table import EventTable
from models.targets import (
    Lessons,
    lessons_of,
    next_clicks,
    next_purchases,
    purchases_per_click,
    session_numbers,
    sessions_of,
    target_for,
)
from models.training_set import TrainingSet
from models.walk import NEVER, NO_TARGET, Question, Walk, after_each, positions_of
from reco.parameters import DAY, HOUR, SECOND
from reco.recommenders.protocol import CLICK
from reco.rules import bought

PUBLISHED_LENGTH = 20
"""Rows of a session that the hourly protocol keeps, the first ones."""
SHORTEST = 2
"""Clicks of the shortest session that can be asked about."""


def _nothing(_: int) -> NDArray[np.int32]:
    return np.empty(0, np.int32)


@dataclass(frozen=True, eq=False)
class Asked:
    """A walk, and which of its questions are for training and which for testing.

    Attributes:
        walk: the walk through the whole log.
        trained: bool[n_rows], the question at this row may be learned from by the meta-model.
        tested: bool[n_rows], the question at this row is part of the evaluation.
        settled: bool[n_rows], what came of the moment of this row is known: the log goes on for long enough.
        windows: int32[n_rows], the window whose mean the question counts in.
        clusters: int64[n_rows], questions that are not independent of each other have the same.
        seen: at a row, the sales (int32[n], as in the table) that cannot be the answer and are no candidates.
        relisted: whether what the visitor has bought may be listed again.
        lessons: what is learned from; None: what is asked for.
        others_weigh: how many moments one stands for after which there is nothing to find, of those that lead
            to something.
        shown: at a row, those that the visitor was shown at the moment of its question, as far as is known.
        share: share of the sessions of the part that tests whose questions are `tested`; they are drawn.
    """

    walk: Walk
    trained: NDArray[np.bool_]
    tested: NDArray[np.bool_]
    settled: NDArray[np.bool_]
    windows: NDArray[np.int32]
    clusters: NDArray[np.int64]
    seen: Callable[[int], NDArray[np.int32]] = _nothing
    relisted: bool = True
    lessons: Lessons | None = None
    others_weigh: float = 1.0
    shown: Callable[[int], NDArray[np.int32]] = _nothing
    share: float = 1.0

    @property
    def foretold(self) -> bool:
        """Whether probabilities are of what is asked for; where purchases are few, they are of clicks."""
        return self.lessons is None or self.lessons.target != "click"

    @property
    def before(self) -> NDArray[np.bool_]:
        """bool[n_rows]: what was asked, or could have been, before the test begins."""
        before: NDArray[np.bool_] = self.walk.asked_in < self.walk.asked_in[self.tested].min()
        return before

    def allowed(self, question: Question) -> NDArray[np.bool_]:
        """bool[n_sales]: the candidates of `question` that could be listed."""
        allowed = np.ones(len(question.query.candidates.slots), np.bool_)
        seen = self.seen(question.row)
        if len(seen):
            allowed[positions_of(seen, self.walk, question.query)] = False
        if not self.relisted:
            allowed[bought(question.query.touches)] = False
        return allowed

    def teach(self, training: TrainingSet, question: Question, rows: NDArray[np.float32]) -> None:
        """Add the moment of `question` to `training`: float32[n_features, n_sales] of its candidates."""
        target, grade, row = question.target, 1.0, question.row
        if self.lessons is not None:
            found = positions_of(self.lessons.targets[row : row + 1], self.walk, question.query).tolist()
            target, grade = (found[0] if found else -1), float(self.lessons.grades[row])
        shown = positions_of(self.shown(row), self.walk, question.query)
        weight = self.others_weigh if self.walk.targets[row] == NO_TARGET else 1.0
        training.add(rows, target, self.allowed(question), shown=shown, grade=grade, weight=weight)

    def drawn(
        self, some: NDArray[np.bool_], count: int, random: np.random.Generator
    ) -> tuple[NDArray[np.bool_], float]:
        """bool[n_rows], `count` of `some` (bool[n_rows]), and `others_weigh` of them.

        Half of them lead to something, if so many do: purchases are few, and a release takes all of them.
        """
        rows = random.permutation(np.flatnonzero(some))
        led = self.walk.targets[rows] != NO_TARGET
        n_led, n_others = int(led.sum()), int((~led).sum())
        kept = rows[:count]
        weight = 1.0
        if len(rows) > count and n_led and n_others:
            first = max(min(n_led, count // 2), count - n_others)
            kept = np.concatenate((rows[led][:first], rows[~led][: count - first]))
            weight = first / n_led * n_others / max(count - first, 1)
        drawn = np.zeros(len(some), np.bool_)
        drawn[kept] = True
        return drawn, weight


def hourly(
    table: EventTable, first_day: int, last_day: int, share: float, *, frozen: bool, seed: int = 0
) -> Asked:
    """The last click of a session among all items seen so far, by hour windows of session start.

    The protocol of Transformers4Rec (de Souza Pereira Moreira et al., RecSys 2021, section 4) on G1 news:
    sessions of at least 2 clicks are cut to their first 20 rows, of which the last click is to be found.
    `frozen` is as published: whole sessions that started in past hours are known, nothing else. Otherwise
    knowledge is what a stream has, everything before the click; but the last gap of a session, always 30 s in
    that log, is drawn anew from the others, never shorter, so that no last click is known before it was made.

    Days count from 1: the first only warms up, others before `first_day` train, `share` of later ones test.
    """
    random = np.random.default_rng(seed)
    order, starts, lengths = sessions_of(table)
    place = np.arange(len(order)) - np.repeat(starts, lengths)
    kept = place < PUBLISHED_LENGTH
    ts = table.ts if frozen else _redrawn(table.ts, order, starts, lengths, random)
    begins = table.begins
    hours = (_of_rows(table.ts[order[starts]], order, lengths) - begins) // HOUR
    days = hours // 24 + 1
    asked = np.zeros(len(table), np.bool_)
    clicks = kept & (table.kinds[order] == CLICK)
    long = np.add.reduceat(clicks, starts, dtype=np.int64) >= SHORTEST
    asked[order[np.maximum.reduceat(clicks * np.arange(len(order)), starts)[long]]] = True
    sampled = random.random(len(table)) < share
    appended = (begins + (hours + 1) * HOUR if frozen else ts) // SECOND
    asked_in = appended if frozen else table.ts // SECOND
    steps = _in_order(np.sort(order[kept]), (appended, ts), np.flatnonzero(asked), (asked_in, table.ts))
    walk = Walk(table, steps, ts, appended, table.sales, asked_at=table.ts, asked_in=asked_in)
    return Asked(
        walk,
        trained=asked & (days > 1) & (days < first_day),
        tested=asked & sampled & (days >= first_day) & (days <= last_day),
        settled=asked,
        windows=hours.astype(np.int32),
        clusters=table.visitors.astype(np.int64),
        seen=_earlier_in_session(table, order, starts, lengths),
        share=share,
    )


def _earlier_in_session(
    table: EventTable, order: NDArray[np.intp], starts: NDArray[np.intp], lengths: NDArray[np.intp]
) -> Callable[[int], NDArray[np.int32]]:
    """At a row, the sales of the rows before it in its session; `sessions_of` says what the arrays are."""
    sales, place = table.sales[order], np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    start = _of_rows(starts, order, lengths)
    return lambda row: sales[start[row] : place[row]]


def of_sessions(table: EventTable, share: float, seed: int) -> NDArray[np.bool_]:
    """bool[n_rows]: those of a drawn share of the sessions."""
    sessions = session_numbers(table)
    drawn: NDArray[np.bool_] = np.random.default_rng(seed).random(sessions.max(initial=-1) + 1) < share
    return drawn[sessions]


def _of_rows(
    values: NDArray[np.int64], order: NDArray[np.intp], lengths: NDArray[np.intp]
) -> NDArray[np.int64]:
    """int64[n_rows]: of each row the value of its session, of int64[n_sessions]; see `sessions_of`."""
    found = np.empty(len(order), np.int64)
    found[order] = np.repeat(values, lengths)
    return found


def _in_order(
    rows: NDArray[np.int64],
    happens: tuple[NDArray[np.int64], NDArray[np.int64]],
    asked: NDArray[np.int64],
    asks: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """`Walk.steps`: the events of `rows` and the questions at `asked`, by second, time and row.

    The question at a row comes before the event of that row, and after those of the rows before it.
    `happens` and `asks` are the second and the time of the event, and of the question, of every row.
    """
    second = np.concatenate((happens[0][rows], asks[0][asked]))
    time = np.concatenate((happens[1][rows], asks[1][asked]))
    steps = np.concatenate((rows, ~asked))
    row = np.where(steps < 0, ~steps, steps)
    return steps[np.lexsort((steps, row, time, second))]


def _redrawn(
    ts: NDArray[np.int64],
    order: NDArray[np.int64],
    starts: NDArray[np.intp],
    lengths: NDArray[np.intp],
    random: np.random.Generator,
) -> NDArray[np.int64]:
    """Event times with the last gap of every session drawn from all others, but not made shorter.

    They stay as they are if there are no others.
    """
    gaps = np.diff(ts[order])
    last = starts + lengths - 1
    inner = np.ones(len(order), np.bool_)
    inner[starts] = inner[last] = False
    pool = gaps[np.flatnonzero(inner) - 1]
    long = lengths >= SHORTEST
    if not len(pool):
        return ts
    redrawn = ts.copy()
    ends = last[long]
    drawn = ts[order[ends - 1]] + random.choice(pool, len(ends))
    redrawn[order[ends]] = np.maximum(drawn, ts[order[ends]])
    return redrawn


def next_click(table: EventTable, test_share: float, train_share: float, *, frozen: bool) -> Asked:
    """Every prefix of a session predicts its next click among all items, for the newest sessions.

    The single split of session-rec (Ludewig, Mauro, Latifi, Jannach: Empirical analysis of session-based
    recommendation algorithms, UMUAI 2021). `frozen`: nothing is learned from them, and each of the others is
    learned whole before the next one starts. Otherwise knowledge is what a stream has, everything before the
    click. The `train_share` before them train the meta-model, under the same rule: if `frozen`, none of them
    is learned before all of them were asked, and each session is a visitor of its own, as in published logs.
    """
    order, starts, lengths = sessions_of(table)
    by_start = np.argsort(table.ts[order[starts]], kind="stable")
    number = np.empty(len(starts), np.int64)
    number[by_start] = np.arange(len(starts))
    blocks = _of_rows(number, order, lengths)
    first = np.zeros(len(table), np.bool_)
    first[order[starts]] = True
    n_tests = round(len(starts) * test_share)
    n_trains = round(len(starts) * train_share)
    sought = ~first & (table.kinds == CLICK)
    tested = sought & (blocks >= len(starts) - n_tests)
    trained = sought & ~tested & (blocks >= len(starts) - n_tests - n_trains)
    seconds = appended = table.ts // SECOND
    if frozen:
        over = np.maximum.accumulate(table.ts[order[starts + lengths - 1]][by_start]) // SECOND
        seconds = over[blocks] + blocks  # a second of its own for each session, never before its last click
        trains = (blocks >= len(starts) - n_tests - n_trains) & (blocks < len(starts) - n_tests)
        last = seconds[trains].max(initial=NEVER)
        appended = np.where(blocks >= len(starts) - n_tests, NEVER, np.where(trains, last, seconds))
        table = _apart(table, blocks)
    rows, asked = np.arange(len(table)), np.flatnonzero(tested | trained)
    steps = _in_order(rows, (seconds, table.ts), asked, (seconds, table.ts))
    walk = Walk(table, steps, table.ts, appended, table.sales, asked_at=table.ts, asked_in=seconds)
    windows = (table.ts // DAY).astype(np.int32)
    return Asked(walk, trained, tested, settled=sought, windows=windows, clusters=blocks)


def _apart(table: EventTable, blocks: NDArray[np.int64]) -> EventTable:
    """The same, as if each session, numbered in `blocks` (int64[n_rows]), were of a visitor of its own."""
    names = [str(number) for number in range(int(blocks.max(initial=-1)) + 1)]
    return replace(table, visitors=blocks.astype(np.int32), visitor_ids=names)


def purchase(table: EventTable, test_share: float, train_share: float, window: int) -> Asked:
    """After each event: what the visitor buys next, within the visit or `window` ms, if anything.

    The newest `test_share` of the time tests; the `train_share` before it trains the meta-model, without the
    moments whose window or session reaches into the test. Those whose window or session the log does not
    cover are not settled. As in a release, clicks teach where purchases are few, and what was bought is not
    listed any more.
    """
    targets, over = next_purchases(table, window), np.maximum(table.ts + window, _ends(table))
    first, last = table.begins, table.ends
    tested_from = last - round((last - first) * test_share)
    trained_from = tested_from - round((last - first) * train_share)
    older = table.only(np.flatnonzero(table.ts < tested_from))
    target = target_for(older)
    sought = next_clicks(table) if target == "click" else targets
    return Asked(
        after_each(table, targets),
        trained=(table.ts >= trained_from) & (over < tested_from),
        tested=(table.ts >= tested_from) & (table.ts <= last),
        settled=over <= last,
        windows=(table.ts // DAY).astype(np.int32),
        clusters=table.visitors.astype(np.int64),
        relisted=False,
        lessons=lessons_of(table, sought, target, purchases_per_click(older)),
        shown=table.shown_to,
    )


def _ends(table: EventTable) -> NDArray[np.int64]:
    """int64[n_rows]: the time of the last row of the session of each."""
    order, starts, lengths = sessions_of(table)
    return _of_rows(np.maximum.reduceat(table.ts[order], starts), order, lengths)
