"""A top 10 as it is emitted: the sales, the moment until which it holds, and what it was computed from."""

from typing import Annotated

from msgspec import Meta, Struct

from reco.events import Id, Millis

LIST_LENGTH = 10
"""Sales in a list, if so many are open."""
DEFAULT_VISITOR = "default"
"""Key of the list for visitors that are not known yet."""
EVERYTHING_ELSE = "everything else"
"""Name of a sale's last reason: the base rate, which is the same for all, and whatever is not named."""
CERTAIN = 1.0
"""The propensity of a sale that is listed whichever way the lot falls."""

Propensity = Annotated[float, Meta(gt=0, le=1)]


class Reason(Struct, frozen=True, omit_defaults=True):
    """What one kind of evidence adds to the score of a sale.

    Attributes:
        name: the kind of evidence, such as `popularity`, or `everything else`.
        log_odds: by how much it raises the log odds of a purchase, natural logarithm; below 0, lowers them.
        like: the sale touched by the visitor from which most of it comes, where there is one.
    """

    name: str
    log_odds: float
    like: Id | None = None


class Recommendation(Struct, frozen=True, omit_defaults=True):
    """One sale of a list.

    Attributes:
        sale_id: the sale.
        score: higher is better.
        propensity: how likely it was, before lots were drawn, that the sale would be in this list
            (`reco.exploration`); 1 unless exploration is on.
        reasons: why it has its score, strongest first; none if the ranker gives none.
    """

    sale_id: Id
    score: float
    propensity: Propensity = CERTAIN
    reasons: tuple[Reason, ...] = ()


class Provenance(Struct, frozen=True, omit_defaults=True):
    """What a list was computed from; replaying the topics to this point gives the same list.

    Attributes:
        partition: the partition of `events` that the visitor lives in; -1 for the default list.
        session_offset: offset on `events` of the last event in the session; -1 for the default list.
        knowledge_second: the last second of broker append time that knowledge includes, s since the epoch.
        sales_offsets: next offset of each partition of `sales`, in partition order.
        release: the release of the ranker.
        rules: names the rules of the shop that were in force; empty if they restrict nothing.
        labels_offsets: next offset of each partition of `sale-labels`, in partition order; empty while the
            topic is.
    """

    partition: int
    session_offset: int
    knowledge_second: int
    sales_offsets: tuple[int, ...]
    release: str
    rules: str = ""
    labels_offsets: tuple[int, ...] = ()


class TopTen(Struct, frozen=True):
    """The newest list of one visitor.

    Attributes:
        list_id: the same for the same list computed again; impressions name it.
        at: the moment it was computed for, ms since the epoch, UTC.
        holds_until: the first moment at which one of its sales closes, or another opens that could be better;
            None if neither is scheduled.
        sales: best first, ties by id, unless the rules of the shop have it otherwise (`reco.rules`); at most
            `LIST_LENGTH`, fewer only if fewer are open and not excluded.
    """

    list_id: Id
    visitor_id: Id
    at: Millis
    holds_until: Millis | None
    sales: tuple[Recommendation, ...]
    made_from: Provenance


def list_id(made_from: Provenance, at: Millis) -> str:
    """The deterministic id of a list: its provenance and its moment, readable."""
    shop = str(sum(made_from.sales_offsets))
    if made_from.labels_offsets:
        shop = f"{shop}-{sum(made_from.labels_offsets)}"
    rules = f".{made_from.rules}" if made_from.rules else ""
    return (
        f"{made_from.release}.{made_from.partition}.{made_from.session_offset}"
        f".{made_from.knowledge_second}.{shop}.{at}{rules}"
    )
