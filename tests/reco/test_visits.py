"""Running visits: which sales were looked at before in the same visit."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reco.events import Action
from reco.sessions import VISIT_SILENCE
from reco.visits import TRAIL, RunningVisits
from tests.reco.plain import PlainVisits
from tests.reco.worlds import NOON, SALES, act, actions


def followed(visits: RunningVisits, batch: list[Action]) -> list[tuple[list[str], bool]]:
    """What following these actions together says of each."""
    companions, repeated = visits.follow(
        np.array([visits.number(action.visitor_id) for action in batch], np.int64),
        np.array([SALES.index(action.sale_id) for action in batch], np.int32),
        np.array([action.ts for action in batch], np.int64),
    )
    others = [[SALES[slot] for slot in row if slot >= 0] for row in companions]
    return list(zip(others, repeated.tolist(), strict=True))


@given(st.lists(st.lists(actions, max_size=8), max_size=8))
def test_they_are_those_of_the_plain_reference_however_the_actions_are_cut(
    batches: list[list[Action]],
) -> None:
    visits, plain = RunningVisits(capacity=16), PlainVisits()
    for batch in batches:
        assert followed(visits, batch) == [plain.follow(action) for action in batch]


def test_the_newest_sales_of_a_visit_come_first_and_only_so_many_are_kept() -> None:
    visit = [act(sale, NOON + number) for number, sale in enumerate(SALES[: TRAIL + 2])]
    assert followed(RunningVisits(), visit)[-1] == ([*reversed(SALES[1 : TRAIL + 1])], False)


def test_a_visit_ends_with_silence_in_event_time() -> None:
    before, after = act("s1", NOON), act("s2", NOON + VISIT_SILENCE + 1)
    assert followed(RunningVisits(), [before, after])[-1] == ([], False)


def test_beyond_the_limit_the_visitor_followed_longest_starts_over() -> None:
    visits = RunningVisits(capacity=2)
    followed(visits, [act("s1", visitor_id="ann"), act("s2", visitor_id="bob"), act("s3", visitor_id="cleo")])
    assert followed(visits, [act("s4", visitor_id="bob")]) == [(["s2"], False)]
    assert followed(visits, [act("s4", visitor_id="ann")]) == [([], False)]
    assert followed(visits, [act("s5", visitor_id="bob")]) == [([], False)]


def test_a_forgotten_sale_is_in_no_visit_any_more() -> None:
    visits = RunningVisits()
    followed(visits, [act("s1"), act("s2")])
    visits.forget(np.arange(len(SALES)) == SALES.index("s1"))
    assert followed(visits, [act("s3")]) == [(["s2"], False)]
