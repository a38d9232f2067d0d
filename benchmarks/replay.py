"""Events of a history replayed per second and core: folded into sessions, and learned by all recommenders.

    python -m benchmarks.replay --sessions 200000

So training and evaluation go through it; the questions that they ask on the way are left out. The baseline
only rebuilds the events from the table that holds them. Afterwards the session neighbours are asked for,
among that many sessions. And it is said how much memory the second half of the history took beyond the first:
what is learned from is bounded, so that it does not grow with the history.
"""

import resource
import sys
from functools import partial

import numpy as np

from benchmarks.full_scoring import features_of_family, microseconds
from benchmarks.machine import Figure, Report, arguments, machine, per_second, publish, run_main, step
from benchmarks.shop import NOON, VISIT_LENGTHS, Shop
from models.event_table import EventTable, table_of
from models.walk import NO_TARGET, after_each, questions
from reco.knowledge import Knowledge
from reco.parameters import HOUR

SPAN = 10 * 24 * HOUR
"""How long the history lasts, ms."""


def main() -> None:
    """Measure, print, and write the report."""
    given = arguments(__doc__, sales=300, sessions=200_000, lists=1000, rounds=3)
    shop = Shop(given.sales)
    events = given.sessions * sum(VISIT_LENGTHS) // len(VISIT_LENGTHS)
    step(f"making a history of {events:,} events, and replaying it")
    history = table_of(shop.history(events, span=SPAN))
    knowledge, halves = Knowledge(), []
    for half in (history.only(rows) for rows in np.array_split(np.arange(len(history)), 2)):
        replay(half, knowledge)
        halves.append(peak())
    candidates = knowledge.candidates(shop.catalogue().live(NOON))
    asked = [knowledge.query(session, candidates, NOON) for session in shop.sessions(given.lists)]
    neighbours = features_of_family("session_knn")
    step(f"measuring, {given.rounds} rounds")
    figures = (
        Figure("replay", "events/s", per_second(lambda: replay(history, Knowledge()), given.rounds)),
        Figure(
            "baseline: events from the table", "events/s", per_second(partial(rebuilt, history), given.rounds)
        ),
        Figure(
            "session neighbours, all their features",
            "us/list",
            microseconds(lambda n: knowledge.describe(asked[n], neighbours), len(asked), given.rounds),
        ),
        Figure("memory of the second half of the history", "MB", (halves[1] - halves[0],)),
    )
    parameters = {name: getattr(given, name) for name in ("sales", "sessions", "lists", "rounds")}
    publish(Report("replay", machine(), parameters | {"events": len(history)}, figures), given.json)


def replay(history: EventTable, knowledge: Knowledge) -> int:
    """Go through the history and ask nothing; how many events it has."""
    walk = after_each(history, np.full(len(history), NO_TARGET, np.int32))
    for _ in questions(walk.only(np.zeros(len(history), np.bool_)), knowledge):
        raise AssertionError("nothing is asked")
    return len(history)


def rebuilt(history: EventTable) -> int:
    """Rebuild every event from the table."""
    return len(history.events(np.arange(len(history)), history.ts))


def peak() -> float:
    """The most memory that this process had so far, MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    run_main(main)
