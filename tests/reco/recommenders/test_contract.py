"""What every recommender must do, whichever it is."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given

from reco.candidates import candidates_of, touches_of
from reco.events import Event
from reco.recommenders.covisitation import CoVisitation
from reco.recommenders.popularity import Popularity
from reco.recommenders.protocol import Recommender
from reco.recommenders.revisits import Revisits
from tests.reco.worlds import (
    FEATURES,
    HOUR,
    NOON,
    SALES,
    VISITORS,
    act,
    appended,
    described,
    learned,
    logs,
    open_sales,
    session_of,
    small_knowledge,
)

Log = Sequence[Sequence[Event]]
every_recommender = pytest.mark.parametrize("make", [Popularity, CoVisitation, Revisits])


@every_recommender
def test_it_has_the_name_of_its_feature(make: Callable[[], Recommender]) -> None:
    assert make().name in FEATURES


@every_recommender
def test_nothing_speaks_for_any_sale_before_anything_was_learned(make: Callable[[], Recommender]) -> None:
    candidates = candidates_of(open_sales(), {}, capacity=16)
    scores = make().score(candidates, touches_of(None, candidates))
    assert scores.dtype == np.float32
    assert scores.tolist() == [0.0] * len(SALES)


@every_recommender
def test_it_can_be_asked_when_no_sale_is_open(make: Callable[[], Recommender]) -> None:
    candidates = candidates_of(open_sales([]), {}, capacity=16)
    assert make().score(candidates, touches_of(session_of([act("s1")]), candidates)).shape == (0,)


@pytest.mark.parametrize("name", FEATURES)
@given(log=logs)
def test_scores_are_finite_and_never_below_zero(name: str, log: Log) -> None:
    knowledge = small_knowledge()
    for second, events in enumerate(appended(log), start=1):
        knowledge.advance(second, events)
    for visitor in VISITORS:
        own = [event for events in log for event in events if event.visitor_id == visitor]
        scores = described(knowledge, session_of(own))[name]  # type: ignore[arg-type]
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
        assert (scores >= 0).all()


@pytest.mark.parametrize("later", [HOUR, -100_000 * HOUR])
@pytest.mark.parametrize("name", FEATURES)
def test_a_dropped_sale_leaves_nothing_behind_for_those_that_take_its_place(name: str, later: int) -> None:
    dropped = [
        act(sale, NOON, "bob", event_id=f"{sale}-{turn}") for turn in range(5) for sale in ("o1", "o2")
    ]
    kept = [act(f"k{number}", NOON + HOUR + number, f"cleo{number // 2}") for number in range(6)]
    newcomers = [act(sale, NOON + later, "dan") for sale in ("n1", "n2")]
    forgetful = learned([*dropped, *kept, *newcomers], knowledge=small_knowledge(max_sales=8))
    unaware = learned([*kept, *newcomers], knowledge=small_knowledge(max_sales=8))
    everything = open_sales(["o1", "o2", "n1", "n2", *(f"k{number}" for number in range(6))])
    for sales, touched in product((everything, open_sales(["n1", "n2"])), ("o1", "n1", "k0")):
        visit = session_of([act(touched)])
        forgot, never_knew = (described(knowledge, visit, sales)[name] for knowledge in (forgetful, unaware))
        assert forgot.tolist() == never_knew.tolist()


@pytest.mark.parametrize("name", FEATURES)
def test_a_sale_that_is_not_in_the_catalogue_can_be_learned_of(name: str) -> None:
    knowledge = learned([act("secret"), act("s1", NOON + 1), act("s2", NOON + 2)])
    scores = described(knowledge, session_of([act("secret"), act("s1", NOON + 1)]), open_sales(["s1", "s2"]))[
        name
    ]
    assert np.isfinite(scores).all()
    assert scores.any()
