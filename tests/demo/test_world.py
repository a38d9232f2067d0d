"""The world without Kafka keeps lists as workers do: one pipeline, knowledge a second behind."""

from demo.catalogue import travel_catalogue
from demo.list_rules import broken_rules
from demo.visitors import Crowd
from demo.world import World
from models.blend import Blend
from reco.events import Click, Event
from reco.knowledge import Knowledge
from reco.lists import TopTen
from reco.parameters import HOUR

START = 1_800_000_000_000
SALES = travel_catalogue(seed=1, start=START)
OPEN = next(one.sale.sale_id for one in SALES if one.open_at(START) and one.open_at(START + HOUR))
BLEND = Blend()


def click(number: int, at: int, visitor_id: str = "ann") -> Click:
    return Click(event_id=f"c-{number}", visitor_id=visitor_id, sale_id=OPEN, ts=at)


def world_at(at: int) -> World:
    world = World(SALES)
    world.pass_to(at)
    return world


def test_every_list_keeps_the_rules_of_a_list_while_sales_come_and_go() -> None:
    world, crowd = World(SALES), Crowd(SALES, 50, active=20, seed=1)
    lists: list[TopTen] = []

    def shown(visitor_id: str) -> TopTen:
        lists.append(world.shown_to(visitor_id, BLEND))
        if lists[-1].at == world.now:
            assert list(broken_rules(lists[-1], world.catalogue)) == []
        return lists[-1]

    for step in range(2_000):
        world.pass_to(START + 60 * step)
        event = crowd.next_event(world.now, shown)
        world.take(event)
    assert len({one.list_id for one in lists}) > 300
    assert len({one.made_from.sales_offsets for one in lists}) > 10, "no sale was withdrawn"


def test_an_own_click_makes_a_new_list_at_once() -> None:
    world = world_at(START)
    before = world.shown_to("ann", BLEND)
    assert world.shown_to("ann", BLEND) is before
    world.take(click(1, START))
    after = world.shown_to("ann", BLEND)
    assert after.sales[0].sale_id == OPEN
    assert after.made_from.session_offset == 0


def test_a_list_that_holds_no_more_is_made_anew() -> None:
    world = world_at(START)
    before = world.shown_to("ann", BLEND)
    assert before.holds_until is not None
    world.pass_to(before.holds_until)
    assert world.shown_to("ann", BLEND).at == before.holds_until


def test_a_sale_is_open_until_the_moment_of_its_withdrawal() -> None:
    withdrawn = min((one for one in SALES if one.withdrawn_at), key=lambda one: one.withdrawn_at or 0)
    at = withdrawn.withdrawn_at or 0
    assert [withdrawn.sale.sale_id in world_at(moment).live().ids for moment in (at - 1, at)] == [True, False]


def test_clicks_of_others_are_learned_once_their_second_is_over() -> None:
    world = world_at(START)
    world.take(click(1, START))
    world.pass_to(START + 999)
    assert world.shown_to("bob", BLEND).made_from.knowledge_second == 0
    world.pass_to(START + 1_000)
    assert world.shown_to("cyd", BLEND).made_from.knowledge_second == START // 1000
    assert world.shown_to("cyd", BLEND).sales[0].sale_id == OPEN


def test_a_world_that_learned_history_knows_what_one_that_lived_through_it_does() -> None:
    lived, history = World(SALES), list[Event]()
    for number in range(50):
        lived.pass_to(START + 300 * number)
        history.append(click(number, lived.now, f"v-{number % 7}"))
        lived.take(history[-1])
    learned = World(SALES)
    learned.learn(history)
    for world in (lived, learned):
        world.pass_to(START + HOUR)
    assert scores(lived.knowledge, lived) == scores(learned.knowledge, learned)


def scores(knowledge: Knowledge, world: World) -> list[bytes]:
    query = knowledge.query(None, knowledge.candidates(world.live()), world.now)
    return [
        row.tobytes() for row in knowledge.describe(query, ("popularity.clicks_today", "session_knn.stan"))
    ]
