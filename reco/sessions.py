"""A visitor's session state: the newest touches, and a compact memory of everything before them.

The state is a function of the *set* of a visitor's events, not of the order in which they arrive:
`recent` holds the newest touches sorted by event time, and what falls out at its old end, oldest first,
is added to `memory`. So a late event lands in its right place, a redelivered or retried one changes
nothing, and a crawler cannot make the state grow.

One thing depends on arrival: an event that comes after `MAX_RECENT` newer ones of its visitor. It cannot
be told from the retry of an event that fell out long ago, so it goes uncounted if its sale is remembered
with a later touch (one too few, never one too many), and it adds no visit. `recent`, the context, and which
sales are remembered with which last touch stay exact even then.
"""

from bisect import bisect_left, insort
from itertools import pairwise
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from reco.events import Action, Cart, Click, Context, Id, Millis, Purchase

VISIT_SILENCE = 30 * 60 * 1000
"""Silence in event time after which a new visit starts, ms (30 minutes, the convention of web analytics)."""
MAX_RECENT = 64
"""Touches kept one by one; a visit looks at 4 to 10 sales, so this holds several visits."""
MAX_MEMORY = 100
"""Sales remembered in sums beyond `recent`."""

TouchKind: TypeAlias = Literal["click", "cart", "purchase"]
_KINDS: dict[type[Action], TouchKind] = {Click: "click", Cart: "cart", Purchase: "purchase"}


class Touch(Struct, frozen=True, array_like=True, order=True):
    """One action of a visitor, ordered by event time, ties by event id."""

    ts: Millis
    event_id: Id
    sale_id: Id
    kind: TouchKind


class Remembered(Struct, frozen=True, array_like=True):
    """What is left of a visitor's older touches of one sale, since it was last forgotten."""

    sale_id: Id
    last_ts: Millis
    clicks: int = 0
    carts: int = 0
    purchases: int = 0


class Session(Struct, frozen=True):
    """Everything that scoring knows about one visitor.

    Attributes:
        offset: the highest offset of the visitor's partition of `events` that is included.
        recent: at most `MAX_RECENT` newest touches, oldest first; the last visit is at its end.
        memory: at most `MAX_MEMORY` sales touched before `recent`, the latest touched first.
        earlier_visits: visits that ended before the oldest touch in `recent`.
        context: the context (device, country, ...) of the newest event that had one.
        context_at: event time and id of that event.
    """

    visitor_id: Id
    offset: int
    recent: tuple[Touch, ...] = ()
    memory: tuple[Remembered, ...] = ()
    earlier_visits: int = 0
    context: Context = {}
    context_at: tuple[int, str] = (0, "")

    @property
    def last_ts(self) -> int:
        """Event time of the newest touch, ms since the epoch, UTC; 0 for a visitor without any."""
        return self.recent[-1].ts if self.recent else 0

    def visits(self) -> int:
        """How many visits there were, the newest included."""
        silences = (later.ts - touch.ts > VISIT_SILENCE for touch, later in pairwise(self.recent))
        return self.earlier_visits + sum(silences) + bool(self.recent)

    def visit(self) -> tuple[Touch, ...]:
        """The touches of the newest visit, oldest first."""
        return self.recent[_visit_start(self.recent) :]


def _visit_start(recent: tuple[Touch, ...]) -> int:
    for position in range(len(recent) - 1, 0, -1):
        if recent[position].ts - recent[position - 1].ts > VISIT_SILENCE:
            return position
    return 0


def fold(session: Session | None, event: Action, offset: int) -> Session:
    """The session after `event`, which stands at `offset` of the visitor's partition of `events`.

    An offset that is already included changes nothing; an event that is already included changes
    nothing but `offset`.
    """
    if session is None:
        session = Session(visitor_id=event.visitor_id, offset=-1)
    if offset <= session.offset:
        return session
    touch = Touch(event.ts, event.event_id, event.sale_id, _KINDS[type(event)])
    if touch.event_id in [known.event_id for known in session.recent]:
        return replace(session, offset=offset)
    recent, fallen = _insert(session.recent, touch)
    memory, earlier_visits = session.memory, session.earlier_visits
    if fallen is touch:
        memory = _remember_late(memory, touch)
    elif fallen is not None:
        memory = _remember(memory, fallen)
        earlier_visits += recent[0].ts - fallen.ts > VISIT_SILENCE
    context_at = (event.ts, event.event_id)
    newer_context = bool(event.context) and context_at > session.context_at
    return Session(
        visitor_id=session.visitor_id,
        offset=offset,
        recent=recent,
        memory=memory,
        earlier_visits=earlier_visits,
        context=event.context if newer_context else session.context,
        context_at=context_at if newer_context else session.context_at,
    )


def _insert(recent: tuple[Touch, ...], touch: Touch) -> tuple[tuple[Touch, ...], Touch | None]:
    """`recent` with `touch` in its place by event time, and the oldest touch if there are now too many."""
    if not recent or touch > recent[-1]:
        longer = (*recent, touch)
    else:
        place = bisect_left(recent, touch)
        longer = (*recent[:place], touch, *recent[place:])
    return (longer, None) if len(longer) <= MAX_RECENT else (longer[1:], longer[0])


def _remember(memory: tuple[Remembered, ...], touch: Touch) -> tuple[Remembered, ...]:
    """`memory` with one more touch, the newest of its sale; beyond the limit, what is oldest is forgotten."""
    known = next((one for one in memory if one.sale_id == touch.sale_id), None)
    known = known or Remembered(touch.sale_id, touch.ts)
    updated = Remembered(
        sale_id=touch.sale_id,
        last_ts=touch.ts,
        clicks=known.clicks + (touch.kind == "click"),
        carts=known.carts + (touch.kind == "cart"),
        purchases=known.purchases + (touch.kind == "purchase"),
    )
    others = [one for one in memory if one.sale_id != touch.sale_id]
    insort(others, updated, key=_latest_first)
    return tuple(others[:MAX_MEMORY])


def _remember_late(memory: tuple[Remembered, ...], touch: Touch) -> tuple[Remembered, ...]:
    """`memory` with a touch that is older than all of `recent`, unless it may be in there already."""
    perhaps_counted = any(one.sale_id == touch.sale_id and touch.ts <= one.last_ts for one in memory)
    return memory if perhaps_counted else _remember(memory, touch)


def _latest_first(one: Remembered) -> tuple[int, str]:
    return (-one.last_ts, one.sale_id)
