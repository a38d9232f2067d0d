"""A top 10 as it is emitted: the sales, the moment until which it holds, and what it was computed from."""

from msgspec import Struct

from reco.events import Id, Millis

LIST_LENGTH = 10
"""Sales in a list, if so many are open."""
DEFAULT_VISITOR = "default"
"""Key of the list for visitors that are not known yet."""


class Recommendation(Struct, frozen=True):
    """One sale of a list; a higher score is better."""

    sale_id: Id
    score: float


class Provenance(Struct, frozen=True):
    """What a list was computed from; replaying the topics to this point gives the same list.

    Attributes:
        partition: the partition of `events` that the visitor lives in; -1 for the default list.
        session_offset: offset on `events` of the last event in the session; -1 for the default list.
        knowledge_second: the last second of broker append time that knowledge includes, s since the epoch.
        sales_offsets: next offset of each partition of `sales`, in partition order.
        release: the release of the ranker.
    """

    partition: int
    session_offset: int
    knowledge_second: int
    sales_offsets: tuple[int, ...]
    release: str


class TopTen(Struct, frozen=True):
    """The newest list of one visitor.

    Attributes:
        list_id: the same for the same list computed again; impressions name it.
        at: the moment it was computed for, ms since the epoch, UTC.
        holds_until: the first moment at which one of its sales closes, or a better one could have opened;
            None if no change is scheduled.
        sales: best first, ties by id; at most `LIST_LENGTH`, fewer only if fewer are open.
    """

    list_id: Id
    visitor_id: Id
    at: Millis
    holds_until: Millis | None
    sales: tuple[Recommendation, ...]
    made_from: Provenance


def list_id(made_from: Provenance, at: Millis) -> str:
    """The deterministic id of a list: its provenance and its moment, readable."""
    catalogue = sum(made_from.sales_offsets)
    return (
        f"{made_from.release}.{made_from.partition}.{made_from.session_offset}"
        f".{made_from.knowledge_second}.{catalogue}.{at}"
    )
