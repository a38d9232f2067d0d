"""Cold start: lists hold nothing but tours without a visit, and content finds those that suit."""

from pathlib import Path

import pytest

from benchmarks.agency_offline import Agency, read, season_of
from benchmarks.cold_start import BASELINES, PARTS, SCORERS, Scorers, lists_asked, never_visited, parts, shown
from models.training import Boosting

QUICK = Boosting(trees=20, num_leaves=7, min_data_in_leaf=5, threads=1)
SLANTOUR = Path(__file__).parents[3] / "shared" / "data" / "slantour"
SEASON = season_of([1528804800000, 1532000000000])
COUNTRIES = [f"land{letter}" for letter in "abcdefghijklmnopqrst"]


def tour(number: int, *, closed: bool = False) -> dict[str, str]:
    country = COUNTRIES[number % len(COUNTRIES)]
    dates = {"novelty_date": "2016-03-01", "available_date": "2017-01-01" if closed else "2018-12-01"}
    named = {"item_id": str(number), "zeme": country, "destinace": f"Coast of {country}", "doprava": "2"}
    return {**named, "avg_prumerna_cena": "1000", "avg_prumerna_cena_noc": "", "avg_delka": "7", **dates}


def agency(visitors: int = 40) -> Agency:
    """Visitors who look at both known tours of a country, and after the cut at its new one and one again."""
    tours = [*(tour(number) for number in range(60)), tour(60, closed=True)]
    before = {str(visitor): [str(visitor % 20), str(visitor % 20 + 20)] for visitor in range(visitors)}
    after = {visitor: {str(int(visitor) % 20 + 40), str(int(visitor) % 20)} for visitor in before}
    return Agency(tours, SEASON, before, after)


def test_a_new_tour_is_on_sale_and_in_no_history() -> None:
    assert never_visited(agency()) == {str(number) for number in range(40, 60)}


def test_every_tour_on_sale_is_held_out_once() -> None:
    held_out = parts(agency())
    assert len(held_out) == PARTS
    assert sorted(tour for part in held_out for tour in part) == sorted(str(number) for number in range(60))


def test_what_is_sought_is_new_also_to_the_visitor_whose_other_visits_are_known() -> None:
    held_out = {"40", "0", "41", "21", "1"}
    asked = list(lists_asked(agency(), held_out))
    assert [(one.visitor, one.looked, one.sought) for one in asked] == [
        ("0", ["20"], {"40"}),
        ("20", ["20"], {"40"}),
    ]
    assert all(one.candidates == tuple(sorted(held_out)) for one in asked)


def test_content_finds_the_country_of_the_visitor_and_popularity_does_not() -> None:
    many, new = agency(200), never_visited(agency())
    asked = list(lists_asked(many, new))
    answers = Scorers(many, many.catalogue(), new, QUICK).answers(asked)
    found = dict(zip(SCORERS, answers.reciprocal_ranks.mean(axis=1), strict=True))
    assert found["similarity.text_profile"] == found["attributes.same_country"] == 1
    assert found["trained: content"] > 0.9
    assert found["trained: mix"] > 0.9
    by_lot = sum(1 / rank for rank in range(1, 21)) / 20
    for baseline in BASELINES:
        assert found[baseline] == pytest.approx(by_lot, abs=0.04)
    assert shown("New", asked, answers).row_count == len(SCORERS)


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.skipif(not SLANTOUR.is_dir(), reason=f"the research data are not at {SLANTOUR}")
def test_real_tours_that_nobody_visited_are_found_better_by_content_than_by_popularity() -> None:
    tours = read(SLANTOUR)
    asked = list(lists_asked(tours, never_visited(tours)))
    answers = Scorers(tours, tours.catalogue(), never_visited(tours), Boosting()).answers(asked)
    found = dict(zip(SCORERS, answers.reciprocal_ranks.mean(axis=1), strict=True))
    assert len(asked) == 69
    assert found["similarity.text_profile"] > 2 * found["popularity of the tags"] > found["chance"]
