"""Small worlds for the pure heart: a few visitors and sales, and logs of what they did, second by second."""

from collections.abc import Mapping, Sequence
from random import Random

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from reco.candidates import Query
from reco.catalogue import LiveSales, catalogue_of
from reco.events import Action, Cart, Click, Event, Purchase, Sale
from reco.features import FEATURES
from reco.knowledge import Knowledge
from reco.parameters import Parameters
from reco.recommenders.protocol import KINDS, Actions
from reco.segments import N_SEGMENTS, SegmentIndex
from reco.sessions import Session, fold
from reco.visits import RunningVisits

NOON = 1_600_000_000_000
"""The moment around which everything happens, ms."""
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
OPENED = NOON - HOUR
"""When sales opened, ms."""
FIRST_SECOND = (NOON + 200 * DAY) // 1000
"""Broker append time of what is learned first, s: so late that no event comes from the future."""
SALES = tuple(f"s{number}" for number in range(12))
VISITORS = ("ann", "bob", "cleo", "dan")
CONTEXTS: Mapping[str, dict[str, str]] = {
    "ann": {"country": "FR", "device": "phone"},
    "bob": {"country": "FR", "device": "tablet", "referrer": "mail"},
    "cleo": {"country": "IT"},
}
"""Where these visitors come from; of others nothing is known."""

Second = Sequence[tuple[int, int, Event]]
"""What was appended in one second: partition, offset, event."""
Described = dict[str, NDArray[np.float32]]
"""float32[n_sales] by feature."""


def act(
    sale_id: str,
    ts: int = NOON,
    visitor_id: str = "ann",
    kind: type[Action] = Click,
    event_id: str | None = None,
) -> Action:
    """One action, with an id that follows from the rest unless one is given."""
    name = event_id or f"{kind.__name__}-{visitor_id}-{sale_id}-{ts}"
    context = CONTEXTS.get(visitor_id, {})
    return kind(event_id=name, visitor_id=visitor_id, sale_id=sale_id, ts=ts, context=context)


def visits(*trails: str, start: int = NOON - HOUR, kind: type[Action] = Click) -> list[Action]:
    """One visit by a new visitor for each of these rows of sales; the last action of each is of this kind."""
    made = list[Action]()
    for row, trail in enumerate(trails):
        for place, sale in enumerate(trail):
            last = place == len(trail) - 1
            made.append(
                act(sale, start + len(made), f"visitor-{trail}-{start}-{row}", kind if last else Click)
            )
    return made


def seconds_of(actions: Sequence[Action], per_second: int = 1) -> list[Second]:
    """The actions, so many appended in each second, in partition 0."""
    numbered = [(0, offset, action) for offset, action in enumerate(actions)]
    return [numbered[start : start + per_second] for start in range(0, len(numbered), per_second)]


def learn(knowledge: Knowledge, seconds: Sequence[Second]) -> None:
    """Have these seconds follow on what is known."""
    for second, appended in enumerate(seconds, start=max(knowledge.second + 1, FIRST_SECOND)):
        knowledge.advance(second, appended)


def as_actions(
    log: Sequence[Action], ids: Sequence[str], visits: RunningVisits, segments: SegmentIndex | None = None
) -> Actions:
    """What recommenders learn from these actions; each sale has the slot of its place in `ids`.

    Without `segments`, nothing is known of the contexts.
    """
    slots = np.array([ids.index(action.sale_id) for action in log], np.int32)
    kinds = np.array([KINDS[type(action)] for action in log], np.int8)
    ts = np.array([action.ts for action in log], np.int64)
    numbers = np.array([visits.number(action.visitor_id) for action in log], np.int64)
    steps = visits.follow(numbers, slots, kinds, ts)
    values = [segments.learn(action.context) if segments else (0, 0, 0) for action in log]
    return Actions(slots, kinds, ts, *steps, segments=np.array(values, np.int32).reshape(-1, N_SEGMENTS))


def learned(actions: Sequence[Action], per_second: int = 1, knowledge: Knowledge | None = None) -> Knowledge:
    """Knowledge of these actions; small, unless it is given."""
    knowledge = knowledge or small_knowledge()
    learn(knowledge, seconds_of(actions, per_second))
    return knowledge


def small_knowledge(
    max_sales: int = 256, max_visitors: int = 64, parameters: Parameters | None = None
) -> Knowledge:
    """Knowledge with room for few, so that a test can make many."""
    return Knowledge(parameters, max_sales=max_sales, max_visitors=max_visitors)


def open_sales(ids: Sequence[str] = SALES) -> LiveSales:
    """These sales, open since `OPENED`."""
    return catalogue_of(Sale(sale_id, sale_id, OPENED) for sale_id in ids).live(NOON)


def session_of(actions: Sequence[Action]) -> Session | None:
    """The session that these actions of one visitor make."""
    session = None
    for offset, action in enumerate(actions):
        session = fold(session, action, offset)
    return session


def asked(
    knowledge: Knowledge, session: Session | None, live: LiveSales | None = None, at: int = NOON
) -> Query:
    """What is asked for this visitor about the sales of `live`."""
    return knowledge.query(session, knowledge.candidates(live or open_sales()), at)


def described(
    knowledge: Knowledge,
    session: Session | None,
    live: LiveSales | None = None,
    features: Sequence[str] = tuple(FEATURES),
    at: int = NOON,
) -> Described:
    """What the features say about the sales of `live`."""
    rows = knowledge.describe(asked(knowledge, session, live, at), tuple(features))
    return dict(zip(features, rows, strict=True))


def features_of(family: str) -> tuple[str, ...]:
    """The full names of the features of one family."""
    return tuple(name for name in FEATURES if name.startswith(f"{family}."))


kinds = st.sampled_from((Click, Click, Click, Cart, Purchase))
moments = st.integers(NOON - 2 * HOUR, NOON) | st.integers(NOON - 90 * DAY, NOON)
actions = st.builds(act, st.sampled_from(SALES), moments, st.sampled_from(VISITORS), kinds)
logs = st.lists(st.lists(actions, max_size=6), max_size=12)
"""Actions by second of append; event times are in no order."""
histories = st.lists(actions, max_size=60, unique_by=lambda action: action.event_id)
"""Actions in the order in which they are learned; event times are in no order."""


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
        visitor = random.choice((*VISITORS, *(f"v{other}" for other in range(36))))
        made.append(act(sale, ts, visitor, kind, event_id=f"e{number}"))
    return made
