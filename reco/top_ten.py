"""The pipeline: from a visitor's session to the ten live sales that they are most likely to buy."""

import numpy as np
from numpy.typing import NDArray

from reco.candidates import touches_of
from reco.catalogue import Catalogue, LiveSales
from reco.knowledge import Knowledge
from reco.lists import DEFAULT_VISITOR, LIST_LENGTH, Provenance, Recommendation, TopTen, list_id
from reco.ranker import Ranker
from reco.rules import obey
from reco.sessions import Session


def top_ten(  # noqa: PLR0917 - what a list is made from, in the order in which it is used
    session: Session | None,
    partition: int,
    knowledge: Knowledge,
    catalogue: Catalogue,
    ranker: Ranker,
    at: int,
) -> TopTen:
    """The list of the visitor of `session`, for `at` (ms since the epoch, UTC).

    Without a session it is the list for visitors that are not known yet. `partition` is the partition of
    `events` that the visitor lives in.
    """
    live = catalogue.live(at)
    sales = knowledge.candidates(live)
    touches = touches_of(session, sales)
    features = knowledge.describe(sales, touches, ranker.features)
    scores = obey(ranker.score(features), touches)
    made_from = Provenance(
        partition=partition if session else -1,
        session_offset=session.offset if session else -1,
        knowledge_second=knowledge.second,
        sales_offsets=catalogue.offsets,
        release=ranker.release,
    )
    return TopTen(
        list_id=list_id(made_from, at),
        visitor_id=session.visitor_id if session else DEFAULT_VISITOR,
        at=at,
        holds_until=live.valid_until,
        sales=_best(live, scores),
        made_from=made_from,
    )


def _best(live: LiveSales, scores: NDArray[np.float64]) -> tuple[Recommendation, ...]:
    """The best, ties by id: `live.ids` are sorted, and the sort keeps the order of equals."""
    order = np.argsort(-scores, kind="stable")[:LIST_LENGTH].tolist()
    return tuple(Recommendation(live.ids[position], float(scores[position])) for position in order)
