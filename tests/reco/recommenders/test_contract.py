"""What every recommender must do, whichever it is."""

from collections.abc import Callable, Sequence

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


@pytest.mark.parametrize("name", FEATURES)
def test_a_sale_that_took_a_dropped_ones_place_starts_with_nothing(name: str) -> None:
    crowd = [act(f"old{number % 8}", NOON + number, "bob") for number in range(40)]
    knowledge = learned(crowd, knowledge=small_knowledge(max_sales=8))
    learned([act("new", NOON + HOUR, "cleo")], knowledge=knowledge)
    survivors = {f"old{number}" for number in range(2, 8)}
    scores = described(knowledge, session_of(crowd[-10:]), open_sales(["new", "old0", "old1", *survivors]))[
        name
    ]
    assert scores[1:3].tolist() == ([0.0, 0.0] if name != "revisits" else scores[1:3].tolist())
    if name != "popularity":
        assert scores[0] == 0.0


@pytest.mark.parametrize("name", FEATURES)
def test_a_sale_that_is_not_in_the_catalogue_can_be_learned_of(name: str) -> None:
    knowledge = learned([act("secret"), act("s1", NOON + 1), act("s2", NOON + 2)])
    scores = described(knowledge, session_of([act("secret"), act("s1", NOON + 1)]), open_sales(["s1", "s2"]))[
        name
    ]
    assert np.isfinite(scores).all()
    assert scores.any()
