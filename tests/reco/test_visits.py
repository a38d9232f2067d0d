"""Running visits: which sales were looked at before in the same visit, and bought before."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reco.events import Action, Purchase
from reco.recommenders.protocol import KINDS
from reco.sessions import VISIT_SILENCE
from reco.visits import OWNED, TRAIL, RunningVisits
from tests.reco.plain import PlainVisits, Step
from tests.reco.worlds import DAY, NOON, SALES, act, actions


def followed(visits: RunningVisits, batch: list[Action]) -> list[Step]:
    """What following these actions together says of each."""
    steps = visits.follow(
        np.array([visits.number(action.visitor_id) for action in batch], np.int64),
        np.array([SALES.index(action.sale_id) for action in batch], np.int32),
        np.array([KINDS[type(action)] for action in batch], np.int8),
        np.array([action.ts for action in batch], np.int64),
    )
    companions, owned = (
        [[SALES[slot] for slot in row if slot >= 0] for row in rows]
        for rows in (steps.companions, steps.owned)
    )
    columns = (batch, steps.visits.tolist(), companions, owned, steps.repeated.tolist())
    return [Step(*row) for row in zip(*columns, strict=True)]


@given(st.lists(st.lists(actions, max_size=8), max_size=8))
def test_they_are_those_of_the_plain_reference_however_the_actions_are_cut(
    batches: list[list[Action]],
) -> None:
    visits, plain = RunningVisits(capacity=16), PlainVisits()
    for batch in batches:
        assert followed(visits, batch) == [plain.follow(action) for action in batch]


def test_the_newest_sales_of_a_visit_come_first_and_only_so_many_are_kept() -> None:
    visit = [act(sale, NOON + number) for number, sale in enumerate(SALES[: TRAIL + 2])]
    last = followed(RunningVisits(), visit)[-1]
    assert last.companions == [*reversed(SALES[1 : TRAIL + 1])]
    assert not last.repeated


def test_a_sale_touched_again_is_no_companion_of_itself() -> None:
    last = followed(RunningVisits(), [act("s1"), act("s2", NOON + 1), act("s1", NOON + 2)])[-1]
    assert last.companions == ["s2"]
    assert last.repeated


def test_a_visit_ends_with_silence_in_event_time() -> None:
    log = [act("s1", NOON), act("s2", NOON + VISIT_SILENCE), act("s3", NOON + 2 * VISIT_SILENCE + 1)]
    steps = followed(RunningVisits(), log)
    assert [step.visit for step in steps] == [1, 1, 2]
    assert steps[-1].companions == []


def test_a_straggler_of_a_visit_that_is_over_belongs_to_none() -> None:
    log = [act("s1", NOON), act("s2", NOON - VISIT_SILENCE - 1), act("s3", NOON + 1)]
    straggler, next_one = followed(RunningVisits(), log)[1:]
    assert (straggler.visit, straggler.companions) == (0, [])
    assert (next_one.visit, next_one.companions) == (1, ["s1"])


def test_what_comes_late_by_no_more_than_the_silence_belongs_to_the_visit() -> None:
    steps = followed(RunningVisits(), [act("s1", NOON), act("s2", NOON - VISIT_SILENCE)])
    assert [step.visit for step in steps] == [1, 1]


def test_visits_are_numbered_as_they_start_whoever_they_are_of() -> None:
    log = [act("s1", visitor_id="ann"), act("s1", visitor_id="bob"), act("s2", NOON + DAY, "ann"), act("s2")]
    assert [step.visit for step in followed(RunningVisits(), log)] == [1, 2, 3, 0]


def test_what_was_bought_is_kept_over_visits_the_newest_first() -> None:
    bought = [act(sale, NOON + DAY * day, kind=Purchase) for day, sale in enumerate(SALES[: OWNED + 1])]
    later = act("s11", NOON + 30 * DAY)
    steps = followed(RunningVisits(), [*bought, later])
    assert steps[0].owned == []
    assert steps[-1].owned == [*reversed(SALES[1 : OWNED + 1])]


def test_beyond_the_limit_the_visitor_followed_longest_starts_over() -> None:
    visits, bought = RunningVisits(capacity=2), act("s1", visitor_id="ann", kind=Purchase)
    followed(visits, [bought, act("s2", visitor_id="bob")])
    (newcomer,) = followed(visits, [act("s3", visitor_id="cleo")])
    assert (newcomer.companions, newcomer.owned) == ([], []), "what was in the row is not hers"
    assert followed(visits, [act("s4", visitor_id="bob")])[0].companions == ["s2"]
    (again,) = followed(visits, [act("s4", visitor_id="ann")])
    assert (again.companions, again.owned) == ([], [])
    assert followed(visits, [act("s5", visitor_id="bob")])[0].companions == []


def test_a_forgotten_sale_makes_room_for_another_one() -> None:
    visits = RunningVisits()
    visit = [act(sale, NOON + place, kind=Purchase) for place, sale in enumerate(SALES[: TRAIL + 2])]
    followed(visits, visit[:TRAIL])
    visits.forget(np.arange(len(SALES)) == TRAIL - 2)
    *_, last = followed(visits, visit[TRAIL:])
    others = [SALES[place] for place in reversed(range(TRAIL + 1)) if place != TRAIL - 2]
    assert (last.companions, last.owned) == (others, others[:OWNED])


def test_a_forgotten_sale_is_in_no_visit_and_among_no_purchases_any_more() -> None:
    for forgotten in SALES[:2]:
        visits = RunningVisits()
        followed(visits, [act(forgotten, kind=Purchase), act("s2", kind=Purchase)])
        visits.forget(np.arange(len(SALES)) == SALES.index(forgotten))
        (step,) = followed(visits, [act("s3")])
        assert (step.companions, step.owned) == (["s2"], ["s2"])
