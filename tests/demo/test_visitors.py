"""Simulated visitors look mostly at what they are shown, and buy what they like."""

from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from demo.catalogue import DemoSale, travel_catalogue
from demo.visitors import Crowd, Taste, Visitor, cart_probability, purchase_probability
from reco.events import Cart, Click, Event, Impression, Purchase
from reco.lists import Provenance, Recommendation, TopTen
from streams.codecs import decode_event, encode

START = 1_800_000_000_000
SALES = travel_catalogue(seed=1, start=START)
BY_ID = {one.sale.sale_id: one for one in SALES}
NOTHING = Provenance(partition=0, session_offset=0, knowledge_second=0, sales_offsets=(), release="none")
STABLE = [one.sale.sale_id for one in SALES if one.open_at(START) and one.open_at(START + 600_000)]


def list_of(sale_ids: list[str], list_id: str = "list-1") -> TopTen:
    sales = tuple(Recommendation(sale_id, 1.0) for sale_id in sale_ids)
    return TopTen(list_id, "any", START, None, sales, NOTHING)


def nothing_shown(_: str) -> None:
    return None


def events_of(
    number: int, shown: Callable[[str], TopTen | None] = nothing_shown, *, visitors: int = 50, seed: int = 1
) -> list[Event]:
    """What a crowd does in steps of 10 ms."""
    crowd = Crowd(SALES, visitors, active=20, seed=seed)
    return [crowd.next_event(START + 10 * step, shown) for step in range(number)]


@cache
def what_a_crowd_does() -> tuple[Event, ...]:
    """What a crowd without lists does in 8,000 steps."""
    return tuple(events_of(8_000))


def test_the_same_seed_gives_the_same_events() -> None:
    assert events_of(500) == events_of(500)


def test_another_seed_gives_other_events() -> None:
    assert events_of(500) != events_of(500, seed=2)


def test_every_event_can_be_read() -> None:
    for event in events_of(2_000, lambda _: list_of(STABLE[:10])):
        assert decode_event(event.visitor_id.encode(), encode(event), event.ts) == event


def test_every_event_has_an_id_of_its_own() -> None:
    assert len({event.event_id for event in what_a_crowd_does()}) == len(what_a_crowd_does())


def test_visitors_click_only_what_is_open() -> None:
    for event in what_a_crowd_does():
        if isinstance(event, Click):
            assert BY_ID[event.sale_id].open_at(event.ts)


def test_a_visit_looks_at_four_to_ten_sales() -> None:
    looks: defaultdict[str | None, int] = defaultdict(int)
    for event in what_a_crowd_does():
        looks[event.session_id] += isinstance(event, Click)
    finished = list(looks.values())[:-20]
    assert min(finished) == 4
    assert max(finished) == 10


def test_a_visit_belongs_to_one_visitor() -> None:
    visitors: defaultdict[str | None, set[str]] = defaultdict(set)
    for event in what_a_crowd_does():
        visitors[event.session_id].add(event.visitor_id)
    assert {len(one) for one in visitors.values()} == {1}


def test_all_visitors_come_sooner_or_later() -> None:
    assert len({event.visitor_id for event in what_a_crowd_does()}) == 50


def test_fewer_visitors_than_are_active_at_once_are_enough() -> None:
    assert {event.visitor_id for event in events_of(100, visitors=1)} == {"visitor-00000"}


def fitting(visitor: Visitor, *, best: bool) -> list[str]:
    """The ten stable sales that fit a visitor best, or worst, the best one of them first."""
    ranked = sorted(STABLE, key=lambda sale_id: -visitor.taste.match(BY_ID[sale_id]))
    return ranked[:10] if best else ranked[-10:]


def share_on_lists(*, best: bool) -> float:
    """The share of the clicks of a crowd that goes to such lists."""
    crowd = Crowd(SALES, 200, active=20, seed=1)
    lists = {name: fitting(visitor, best=best) for name, visitor in crowd.visitors.items()}
    events = [crowd.next_event(START, lambda name: list_of(lists[name])) for _ in range(3_000)]
    return mean(one.sale_id in lists[one.visitor_id] for one in events if isinstance(one, Click))


def test_a_list_that_fits_gets_most_clicks_and_one_that_does_not_gets_few() -> None:
    assert share_on_lists(best=True) > 0.75
    assert share_on_lists(best=False) < 0.5


def test_the_top_of_a_list_is_looked_at_more_than_its_end() -> None:
    same, reverse = (
        Counter(one.sale_id for one in events_of(6_000, shows) if isinstance(one, Click))
        for shows in (lambda _: list_of(STABLE[:10]), lambda _: list_of(STABLE[9::-1]))
    )
    assert sum(same[one] for one in STABLE[:3]) > 1.2 * sum(reverse[one] for one in STABLE[:3])
    assert sum(same[one] for one in STABLE[7:10]) < sum(reverse[one] for one in STABLE[7:10])


def test_nobody_buys_the_same_sale_twice() -> None:
    bought = Counter(
        (one.visitor_id, one.sale_id) for one in events_of(8_000, visitors=20) if isinstance(one, Purchase)
    )
    assert len(bought) > 100
    assert set(bought.values()) == {1}


def test_what_was_seen_in_the_visit_appeals_less_and_what_was_bought_hardly() -> None:
    visitor = Visitor("ann", taste(), {})
    fresh = visitor.appeal(sale()), visitor.worth(sale())
    visitor.seen.add(sale().sale.sale_id)
    seen = visitor.appeal(sale()), visitor.worth(sale())
    visitor.bought.add(sale().sale.sale_id)
    bought = visitor.appeal(sale()), visitor.worth(sale())
    for place in range(2):
        assert fresh[place] > seen[place] > bought[place]
    assert bought[0] > bought[1] == 0


def test_what_was_seen_in_an_earlier_visit_appeals_as_if_it_was_not() -> None:
    crowd = Crowd(SALES, 1, active=1, seed=1)
    (visitor,), seen, visit = crowd.visitors.values(), set[str](), ""
    for step in range(200):
        event = crowd.next_event(START + 10 * step, nothing_shown)
        if event.session_id != visit:
            seen, visit = set(), event.session_id or ""
        if isinstance(event, Click):
            seen.add(event.sale_id)
        assert visitor.seen in (seen, set()), "once a visit is over, the next one begins"


def test_without_a_list_clicks_spread_over_all_that_is_open() -> None:
    clicked = {one.sale_id for one in what_a_crowd_does() if isinstance(one, Click)}
    assert len(clicked) > 100


def test_an_impression_tells_the_list_and_its_positions_before_the_first_look() -> None:
    shown = list_of(STABLE[:10])
    first = events_of(1, lambda _: shown)[0]
    assert isinstance(first, Impression)
    assert first.list_id == "list-1"
    assert [(one.sale_id, one.position) for one in first.shown] == list(
        zip(STABLE[:10], range(1, 11), strict=True)
    )


def test_a_list_is_an_impression_once_per_visit() -> None:
    impressions = [
        one for one in events_of(2_000, lambda _: list_of(STABLE[:10])) if isinstance(one, Impression)
    ]
    assert len({one.session_id for one in impressions}) == len(impressions)


def test_a_list_that_changes_all_the_time_does_not_keep_visitors_from_clicking() -> None:
    lists = (list_of(STABLE[:10], f"list-{number}") for number in range(10**6))
    assert mean(isinstance(one, Click) for one in events_of(2_000, lambda _: next(lists))) > 0.4


def test_an_empty_list_is_no_impression() -> None:
    assert not any(isinstance(one, Impression) for one in events_of(200, lambda _: list_of([])))


def test_a_closed_sale_of_an_old_list_is_not_clicked() -> None:
    closing = next(one for one in SALES if one.sale.closes_at and one.sale.closes_at < START + 10_000)
    later = START + 20_000
    crowd = Crowd(SALES, 50, active=20, seed=1)
    events = [crowd.next_event(later, lambda _: list_of([closing.sale.sale_id])) for _ in range(500)]
    assert closing.sale.sale_id not in {one.sale_id for one in events if isinstance(one, Click)}


def test_what_is_put_into_the_basket_was_looked_at_and_what_is_bought_lay_in_the_basket() -> None:
    looked, basket = set(), set()
    bought = 0
    for event in what_a_crowd_does():
        match event:
            case Click():
                looked.add((event.session_id, event.sale_id))
            case Cart():
                assert (event.session_id, event.sale_id) in looked
                basket.add((event.session_id, event.sale_id))
            case Purchase():
                assert (event.session_id, event.sale_id) in basket
                bought += 1
    assert 0 < bought < len(basket) < len(looked)


def test_a_purchase_tells_what_was_paid() -> None:
    for event in what_a_crowd_does():
        if isinstance(event, Purchase):
            assert (event.price, event.currency) == (BY_ID[event.sale_id].sale.price, "EUR")


def taste(**changes: object) -> Taste:
    return Taste(**{"kinds": {"beach": 1.0}, "countries": frozenset({"Spain"}), "price": 500.0} | changes)  # type: ignore[arg-type]


def sale(kind: str = "beach", country: str = "Spain", price: float = 500.0, charm: float = 1.0) -> DemoSale:
    return DemoSale(replace(SALES[0].sale, country=country, price=price), kind, charm=charm)


def test_the_favourite_kind_in_a_favourite_country_at_the_right_price_is_a_perfect_match() -> None:
    assert taste().match(sale()) == 1.0


@pytest.mark.parametrize(
    "worse", [sale(kind="golf"), sale(country="Italy"), sale(price=900.0), sale(price=250.0), sale(charm=0.7)]
)
def test_each_thing_that_does_not_fit_makes_a_match_worse(worse: DemoSale) -> None:
    assert 0 < taste().match(worse) < 1


@given(st.sampled_from(SALES), st.floats(50, 5_000))
def test_a_match_lies_between_zero_and_one(one: DemoSale, price: float) -> None:
    assert 0 <= taste(price=price).match(one) <= 1


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_better_match_is_never_less_likely_to_be_bought(one: float, other: float) -> None:
    worse, better = sorted((one, other))
    assert 0 <= cart_probability(worse) <= cart_probability(better) <= 1
    assert 0 <= purchase_probability(worse) <= purchase_probability(better) <= 1
