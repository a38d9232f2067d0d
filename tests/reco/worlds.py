"""Small worlds for the pure heart: a few visitors and sales, and logs of what they did, second by second."""

from collections.abc import Sequence
from random import Random

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from reco.candidates import touches_of
from reco.catalogue import Catalogue, LiveSales
from reco.events import Action, Cart, Click, Event, Purchase, Sale
from reco.knowledge import Knowledge
from reco.sessions import Session, fold

NOON = 1_600_000_000_000
"""The moment around which everything happens, ms."""
MINUTE = 60_000
HOUR = 60 * MINUTE
SALES = tuple(f"s{number}" for number in range(12))
VISITORS = ("ann", "bob", "cleo", "dan")
FEATURES = ("popularity", "covisitation", "revisits")

Second = Sequence[tuple[int, int, Event]]
"""What was appended in one second: partition, offset, event."""


def act(
    sale_id: str,
    ts: int = NOON,
    visitor_id: str = "ann",
    kind: type[Action] = Click,
    event_id: str | None = None,
) -> Action:
    """One action, with an id that follows from the rest unless one is given."""
    name = event_id or f"{kind.__name__}-{visitor_id}-{sale_id}-{ts}"
    return kind(event_id=name, visitor_id=visitor_id, sale_id=sale_id, ts=ts)


def seconds_of(actions: Sequence[Action], per_second: int = 1) -> list[Second]:
    """The actions, so many appended in each second, in partition 0."""
    numbered = [(0, offset, action) for offset, action in enumerate(actions)]
    return [numbered[start : start + per_second] for start in range(0, len(numbered), per_second)]


def learned(actions: Sequence[Action], per_second: int = 1, knowledge: Knowledge | None = None) -> Knowledge:
    """Knowledge of these actions; small, unless it is given."""
    knowledge = knowledge or small_knowledge()
    for second, appended in enumerate(seconds_of(actions, per_second), start=knowledge.second + 1):
        knowledge.advance(second, appended)
    return knowledge


def small_knowledge(max_sales: int = 256, max_visitors: int = 64) -> Knowledge:
    """Knowledge with room for few, so that a test can make many."""
    return Knowledge(max_sales=max_sales, max_visitors=max_visitors)


def open_sales(ids: Sequence[str] = SALES) -> LiveSales:
    """These sales, open around noon."""
    catalogue = Catalogue(partitions=1)
    for offset, sale_id in enumerate(ids):
        catalogue.apply(Sale(sale_id, sale_id, NOON - HOUR), 0, offset)
    return catalogue.live(NOON)


def session_of(actions: Sequence[Action]) -> Session | None:
    """The session that these actions of one visitor make."""
    session = None
    for offset, action in enumerate(actions):
        session = fold(session, action, offset)
    return session


def described(
    knowledge: Knowledge, session: Session | None, live: LiveSales | None = None
) -> dict[str, NDArray[np.float32]]:
    """The scores of each recommender for the sales of `live`."""
    candidates = knowledge.candidates(live or open_sales())
    features = knowledge.describe(candidates, touches_of(session, candidates), FEATURES)
    return {name: features[:, column] for column, name in enumerate(FEATURES)}


kinds = st.sampled_from((Click, Click, Click, Cart, Purchase))
moments = st.integers(NOON - 2 * HOUR, NOON) | st.integers(NOON - 90 * 24 * HOUR, NOON)
actions = st.builds(act, st.sampled_from(SALES), moments, st.sampled_from(VISITORS), kinds)
logs = st.lists(st.lists(actions, max_size=6), max_size=12)
"""Actions by second of append; event times are in no order."""


def appended(log: Sequence[Sequence[Event]]) -> list[Second]:
    """The log with offsets, spread over two partitions."""
    offset, seconds = 0, list[Second]()
    for events in log:
        seconds.append([(number % 2, offset + number, event) for number, event in enumerate(events)])
        offset += len(events)
    return seconds


def long_log(seed: int, length: int = 3000, sales: int = 120) -> list[Action]:
    """Many actions of 40 visitors, half of them on one hub, in nearly the order of their times."""
    random = Random(seed)
    made = []
    for number in range(length):
        sale = "hub" if random.random() < 0.5 else f"s{random.randrange(sales)}"
        kind = random.choice((Click, Click, Click, Cart, Purchase))
        ts = NOON + number * 10_000 - random.choice((0, 0, 0, 50_000, HOUR, 48 * HOUR))
        made.append(act(sale, ts, f"v{random.randrange(40)}", kind, event_id=f"e{number}"))
    return made
