"""Each rule of a list, broken once, is noticed; a right list breaks none."""

import math
from typing import Any

import pytest
from msgspec.structs import replace

from demo.list_rules import broken_rules
from reco.catalogue import catalogue_of
from reco.events import Sale
from reco.lists import Recommendation
from reco.policy import Rules
from tests.demo.lists import AT, NEXT_CHANGE, SALES, right_list

RIGHT = right_list().sales


def broken(published: tuple[Sale, ...] = SALES, /, **changes: Any) -> list[str]:
    return list(broken_rules(right_list(**changes), catalogue_of(published)))


def test_a_right_list_breaks_no_rule() -> None:
    assert broken() == []


def test_a_list_of_all_sales_is_right_if_fewer_than_ten_are_open() -> None:
    assert broken(SALES[:3], sales=RIGHT[:3], holds_until=AT + 100_000) == []


def test_an_empty_list_is_right_if_no_sale_is_open() -> None:
    assert broken((), sales=(), holds_until=None) == []


def test_ties_are_broken_by_id() -> None:
    tied = tuple(replace(one, score=0.5) for one in RIGHT)
    assert broken(sales=tied) == []
    assert broken(sales=(tied[1], tied[0], *tied[2:])) == ["open-01 stands before open-00"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"sales": RIGHT[:9]}, "holds 9 sales, not 10 of the 12 open ones"),
        ({"sales": (*RIGHT, Recommendation("open-10", 0.0))}, "holds 11 sales, not 10"),
        ({"sales": (RIGHT[0], *RIGHT[:9])}, "holds a sale twice"),
        ({"sales": (*RIGHT[:9], Recommendation("past", 0.0))}, "past is not open"),
        ({"sales": (*RIGHT[:9], Recommendation("to-come", 0.0))}, "to-come is not open"),
        ({"sales": (*RIGHT[:9], Recommendation("unknown", 0.0))}, "unknown is not open"),
        ({"sales": (RIGHT[1], RIGHT[0], *RIGHT[2:])}, "open-01 stands before open-00"),
        ({"sales": (*RIGHT[:9], Recommendation("open-09", math.nan))}, "score of open-09 is nan"),
        ({"sales": (Recommendation("open-00", math.inf), *RIGHT[1:])}, "score of open-00 is inf"),
        ({"holds_until": AT}, "does not hold at its own moment"),
        ({"holds_until": NEXT_CHANGE + 1}, "a sale closes or opens at"),
        ({"holds_until": None}, "a sale closes or opens at"),
        ({"list_id": "another"}, "its id does not follow"),
    ],
)
def test_each_broken_rule_is_named(changes: dict[str, Any], complaint: str) -> None:
    assert any(complaint in one for one in broken(**changes))


NINE = Rules(excluded_sales=("open-00",), excluded_tags=("country:AQ",))


def by_rules(rules: Rules, /, **changes: Any) -> list[str]:
    made_from = replace(right_list().made_from, rules=rules.digest())
    return list(
        broken_rules(right_list(made_from=made_from, **changes), catalogue_of([*SALES[:9], SOUTHERN]), rules)
    )


SOUTHERN = replace(SALES[9], country="AQ")


def test_what_the_rules_exclude_is_not_missing_and_may_not_be_listed() -> None:
    until = AT + 100_000
    assert by_rules(NINE, sales=RIGHT[1:9], holds_until=until) == []
    assert "open-00 is excluded" in by_rules(NINE, sales=RIGHT[:8], holds_until=until)
    assert "open-09 is excluded" in by_rules(NINE, sales=RIGHT[2:], holds_until=until)


def test_diversity_and_caps_may_change_the_order() -> None:
    for rules in (Rules(diversity=0.5), Rules(caps={"country": 1})):
        assert by_rules(rules, sales=RIGHT[::-1], holds_until=AT + 100_000) == []
    assert by_rules(Rules(exploration=0.1), sales=RIGHT[::-1], holds_until=AT + 100_000) != []


def test_a_list_names_the_rules_that_it_was_cut_by() -> None:
    (complaint,) = broken_rules(right_list(), catalogue_of(SALES), Rules(diversity=0.5))
    assert complaint.startswith("it was cut by the rules ''")


def test_a_sale_that_opens_at_the_very_moment_of_a_list_is_open_and_does_not_end_it() -> None:
    assert broken((replace(SALES[0], opens_at=AT), *SALES[1:])) == []


def test_a_list_may_not_hold_longer_than_its_own_sales_are_open() -> None:
    closing = replace(SALES[0], closes_at=AT + 10)
    assert broken((closing, *SALES[1:])) != []
    assert broken((closing, *SALES[1:]), holds_until=AT + 10) == []
