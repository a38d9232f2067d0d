"""The pipeline: from a visitor's session to the ten live sales that they are most likely to buy."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.candidates import NOWHERE, Query
from reco.catalogue import OPEN_END, Catalogue, LiveSales
from reco.knowledge import Knowledge
from reco.lists import DEFAULT_VISITOR, Provenance, Reason, Recommendation, TopTen, list_id
from reco.ranker import Ranker
from reco.reasons import explain
from reco.rules import Chosen, RulesInForce, choose
from reco.sessions import Session


class Serving(NamedTuple):
    """What lists are computed with: a ranker, and knowledge with the parameters that it was trained on."""

    knowledge: Knowledge
    ranker: Ranker


def top_ten(
    session: Session | None,
    partition: int,
    serving: Serving,
    catalogue: Catalogue,
    in_force: RulesInForce,
    at: int,
    labels_offsets: tuple[int, ...] = (),
) -> TopTen:
    """The list of the visitor of `session`, for `at` (ms since the epoch, UTC).

    Without a session it is the list for visitors that are not known yet. `partition` is the partition of
    `events` that the visitor lives in; `in_force` are the rules for the sales that are live at `at`;
    `labels_offsets` is the state of the labels in the content that knowledge looks at.
    """
    knowledge, ranker = serving
    live = catalogue.live(at)
    made_from = Provenance(
        partition=partition if session else -1,
        session_offset=session.offset if session else -1,
        knowledge_second=knowledge.second,
        sales_offsets=catalogue.offsets,
        release=ranker.release,
        rules=in_force.digest,
        labels_offsets=labels_offsets,
    )
    name = list_id(made_from, at)
    query = knowledge.query(session, knowledge.candidates(live), at)
    scored = knowledge.retrieve(query)
    rows = knowledge.describe(scored, ranker.features)
    chosen = choose(ranker.score(rows), scored.candidates.places, query.touches, in_force, name)
    reasons = _reasons(chosen, scored, rows, serving)
    sales = tuple(
        Recommendation(live.ids[one.position], one.score, one.propensity, why)
        for one, why in zip(chosen, reasons, strict=True)
    )
    visitor = session.visitor_id if session else DEFAULT_VISITOR
    return TopTen(name, visitor, at, _holds_until(chosen, live), sales, made_from)


def _holds_until(chosen: Sequence[Chosen], live: LiveSales) -> int | None:
    """When the first of the chosen sales closes, or another opens; None if neither is known."""
    closing = min((int(live.closes_at[one.position]) for one in chosen), default=OPEN_END)
    change = closing if live.next_opening is None else min(closing, live.next_opening)
    return change if change < OPEN_END else None


def _reasons(
    chosen: Sequence[Chosen], scored: Query, rows: NDArray[np.float32], serving: Serving
) -> Sequence[tuple[Reason, ...]]:
    """Why each of `chosen` has its score; nothing for one that only fills the list: unscored, or bought."""
    knowledge, ranker = serving
    positions = np.array([one.scored for one in chosen if one.scored != NOWHERE], np.int32)
    contributions = ranker.contributions(np.ascontiguousarray(rows[:, positions]))
    if contributions is None:
        return [()] * len(chosen)
    sources = knowledge.sources(scored, positions, ranker.features)
    explained = iter(explain(contributions, ranker.features, sources))
    return [() if one.scored == NOWHERE else next(explained) for one in chosen]
