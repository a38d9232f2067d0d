"""The moment of asking: where the visit and the clock stand, by the plain reference and by examples."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco.catalogue import catalogue_of
from reco.events import Action, Sale
from reco.recommenders.moment import Moment
from reco.sessions import Session
from tests.reco.plain import plain_moment
from tests.reco.worlds import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    SALES,
    Described,
    act,
    actions,
    described,
    features_of,
    histories,
    learned,
    session_of,
)

sales = st.builds(
    lambda opens, lasts: Sale("", "A sale", NOON - opens, None if lasts is None else NOON + lasts),
    st.integers(0, 30 * DAY),
    st.none() | st.integers(1, 30 * DAY),
)


def told(
    session: Session | None, shop: list[Sale], at: int = NOON, others: Sequence[Action] = ()
) -> Described:
    """What the features say at this moment about the sales of a shop, by the last part of their names."""
    rows = described(learned(others), session, catalogue_of(shop).live(at), features_of("moment"), at)
    return {name.partition(".")[2]: row for name, row in rows.items()}


@given(
    st.lists(actions, max_size=20),
    st.lists(sales, min_size=1, max_size=5),
    st.integers(0, DAY),
    histories,
)
def test_it_is_that_of_the_plain_reference(
    own: list[Action], shop: list[Sale], later: int, others: list[Action]
) -> None:
    named = [Sale(f"s{place}", sale.title, sale.opens_at, sale.closes_at) for place, sale in enumerate(shop)]
    at, session = NOON + later, session_of(own)
    live = [sale for sale in named if sale.closes_at is None or sale.closes_at > at]
    plain, got = plain_moment(session, live, at, others), told(session, named, at, others)
    for feature in Moment.features:
        assert got[feature].tolist() == pytest.approx(plain[feature], rel=1e-6, abs=1e-6, nan_ok=True), (
            feature
        )


def test_the_weekday_and_the_hour_are_those_of_greenwich() -> None:
    sunday_evening = 1_600_000_000_000 + 6 * HOUR  # 2020-09-13T18:26:40Z
    said = told(None, [Sale("s1", "A sale", NOON)], sunday_evening)
    assert said["weekday"].tolist() == [6]
    assert said["hour"].tolist() == pytest.approx([18 + 26 / 60 + 40 / 3600])


def test_the_pace_of_a_visit_is_that_of_all_its_touches_and_its_dwell_that_of_the_newest_two() -> None:
    session = session_of(
        [act("s1", NOON - 10 * MINUTE), act("s2", NOON - 9 * MINUTE), act("s3", NOON - 2 * MINUTE)]
    )
    said = told(session, [Sale("s1", "A sale", NOON)])
    assert [said[name].item() for name in ("visit_length", "dwell", "pace", "idle")] == [3, 420, 240, 120]


def test_a_visitor_who_comes_back_to_sales_repeats_and_one_who_goes_on_does_not() -> None:
    earlier = [act("s1", NOON - 9 * HOUR), act("s1", NOON - 9 * HOUR + 1)]
    onward = [act("s1", NOON - 3), act("s2", NOON - 2)]
    sales = [Sale("s1", "A sale", NOON)]
    for own, repeats in ((onward, 0), ([*onward, act("s1", NOON - 1), act("s1", NOON)], 2)):
        assert told(session_of([*earlier, *own]), sales)["repeats"].tolist() == [repeats]


def test_the_silence_is_since_the_newest_action_of_anybody_as_far_as_that_can_be_told() -> None:
    others, shop = [act("s1", NOON, "bob"), act("s2", NOON - MINUTE, "cleo")], [Sale("s1", "A sale", NOON)]
    silences = [told(None, shop, NOON + later, others)["silence"].item() for later in (5000, 2000, 900)]
    assert silences == [3, 0, 0]
    assert told(None, shop, NOON, [act("s1", NOON + MINUTE)])["silence"].item() == 0
    assert math.isnan(told(None, shop, NOON)["silence"].item())


def test_a_visitor_who_is_not_known_yet_has_no_times() -> None:
    said = told(None, [Sale("s1", "A sale", NOON)])
    assert said["visit_length"].tolist() == [0]
    assert all(math.isnan(said[name].item()) for name in ("dwell", "idle", "pace"))


def test_sales_of_a_log_have_no_times_since_nobody_said_when_they_open_and_close() -> None:
    knowledge = learned([act(sale) for sale in SALES])
    query = knowledge.query(None, knowledge.everything(), NOON)
    times = knowledge.describe(query, ("moment.sale_age", "moment.closes_in"))
    assert times.shape == (2, len(SALES))
    assert np.isnan(times).all()
