"""The verdict says what the lists of each arm led to, how sure that is, and that it is a simulation."""

import io
from collections import Counter

import pytest
from rich.console import Console

from demo.arms import BLEND, ORACLE, RANDOM, SINGLES, TRAINED, arm_of
from demo.trial import Tally
from demo.verdict import Verdict, judge, sentence, shown
from models.evaluation.intervals import Estimate
from reco.events import Click, Impression, Purchase, Shown

NAMES = (RANDOM, *SINGLES, BLEND, TRAINED, ORACLE)
LISTS = 10


def tally_of(purchases_in: dict[str, int], visitors: int = 3_000) -> Tally:
    """Ten lists for every visitor; of ten visitors of an arm, so many have bought once."""
    tally, places = Tally(), Counter[str]()
    for number in range(visitors):
        visitor_id = f"visitor-{number}"
        arm = arm_of(visitor_id, NAMES, seed=1)
        tally.lists[visitor_id] = LISTS
        tally.purchases[visitor_id] = int(places[arm] % 10 < purchases_in.get(arm, 3))
        places[arm] += 1
    return tally


def verdict_of(purchases_in: dict[str, int]) -> Verdict:
    return judge(tally_of(purchases_in), NAMES, seed=1)


CLEAR = verdict_of({RANDOM: 1, SINGLES[3]: 4, TRAINED: 6, ORACLE: 8})


def test_lists_and_purchases_are_counted_by_visitor_and_clicks_are_not() -> None:
    tally = Tally()
    tally.count(Impression("i", "ann", "list", 1_800_000_000_000, (Shown("rome", 1),)))
    tally.count(Click("c", "ann", "rome", 1_800_000_000_000))
    tally.count(Purchase("p", "ann", "rome", 1_800_000_000_000))
    assert (dict(tally.lists), dict(tally.purchases)) == ({"ann": 1}, {"ann": 1})


def test_each_arm_has_its_own_visitors_and_their_purchases_per_list_within_its_interval() -> None:
    assert [arm.name for arm in CLEAR.arms] == list(NAMES)
    assert sum(arm.visitors for arm in CLEAR.arms) == 3_000
    for arm in CLEAR.arms:
        rate = arm.purchases_per_list
        assert arm.lists == LISTS * arm.visitors
        assert rate.mean == pytest.approx(arm.purchases / arm.lists)
        assert rate.low < rate.mean < rate.high


def test_the_best_single_is_the_one_that_sold_most_per_list() -> None:
    assert CLEAR.best_single == SINGLES[3]


def test_uplifts_are_per_cent_with_an_interval_around_them() -> None:
    assert CLEAR.over_blend.mean == pytest.approx(100, abs=6)
    assert CLEAR.over_best_single.mean == pytest.approx(50, abs=5)
    assert CLEAR.over_oracle.mean == pytest.approx(-25, abs=3)
    assert 0 < CLEAR.over_blend.low < CLEAR.over_blend.mean < CLEAR.over_blend.high


def test_a_clear_difference_is_said_and_an_unclear_one_is_called_so() -> None:
    assert "perhaps no difference" not in sentence(CLEAR)
    assert "less than the 7 % aimed at" not in sentence(CLEAR)
    unclear = sentence(verdict_of({}))
    assert "perhaps no difference" in unclear
    assert "less than the 7 % aimed at" in unclear


def test_a_loss_is_called_a_loss() -> None:
    said = sentence(verdict_of({TRAINED: 1})).partition(", and ")[0]
    assert "% less per list than the fixed blend (95 % interval -" in said
    assert "perhaps no difference" not in said


def test_a_gain_that_may_be_chance_is_called_more_than_the_aim_or_less() -> None:
    uplift = Estimate(6.9, -2.0, 15.0)
    unclear = Verdict((), SINGLES[0], uplift, uplift, Estimate(-20, -30, -10))
    more = "6.9 % more per list than the fixed blend (95 % interval -2.0 to 15.0 %, so perhaps no difference)"
    assert more in sentence(unclear)
    assert "less than the 7 % aimed at" in sentence(unclear)
    reached = Verdict((), SINGLES[0], uplift, Estimate(7.0, -2.0, 16.0), Estimate(-20, -30, -10))
    assert "aimed at" not in sentence(reached)


def test_a_visitor_counts_by_their_lists() -> None:
    """As many who saw one list and bought as saw nine and did not: one purchase in ten lists."""
    tally = Tally()
    for number in range(2_000):
        tally.lists[f"visitor-{number}"] = 9 - 8 * (number % 2)
        tally.purchases[f"visitor-{number}"] = number % 2
    for arm in judge(tally, NAMES, seed=1).arms:
        rate = arm.purchases_per_list
        assert rate.mean == pytest.approx(arm.purchases / arm.lists)
        assert 0.05 < rate.low < rate.mean < rate.high < 0.2


def test_an_oracle_that_sold_less_by_chance_is_said_to_have_sold_less_and_how_sure_that_is() -> None:
    worse = verdict_of({TRAINED: 8, ORACLE: 6})
    said = sentence(worse).partition("an oracle that knows every taste sells ")[2]
    assert said.startswith(
        f"{100 - 100 / (1 + worse.over_oracle.mean / 100):.1f} % less per list than it (95 %"
    )
    low, high = map(float, said.partition("interval ")[2].partition(" %")[0].split(" to "))
    assert low < high < 0


def test_a_narrow_terminal_still_shows_every_figure() -> None:
    console = Console(file=io.StringIO(), width=60, record=True)
    console.print(shown(CLEAR))
    table = console.export_text()
    for arm in CLEAR.arms:
        rate = arm.purchases_per_list
        assert f"{100 * rate.low:.2f} to {100 * rate.high:.2f} " in table


def test_what_is_shown_and_said_calls_itself_a_simulation() -> None:
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(shown(CLEAR))
    table, words = console.export_text(), sentence(CLEAR)
    assert "Simulation" in table
    assert "In this simulation" in words
    assert "Simulated visitors, not real ones" in words
    assert all(name in table for name in NAMES)


def test_an_arm_without_visitors_is_refused() -> None:
    with pytest.raises(ValueError, match="no question"):
        judge(Tally(), NAMES, seed=1)
