"""From an image on a web server to a list, by real workers: a new sale finds its visitors by itself."""

from pathlib import Path

import pytest

from reco.events import Click
from streams.clock import now
from tests.models.image_ranker import looking_release
from tests.streams.labellers import KINDS, write
from tests.streams.labelling_place import place_in, sale, with_labeller
from tests.streams.serving import make_live, until_served
from tests.streams.world import World, listed, newest_lists

pytestmark = pytest.mark.broker

CITY, SLOPE, _ = KINDS
SKIER, STROLLER = "skier", "stroller"


async def test_a_published_sale_is_listed_to_those_who_looked_at_what_its_image_shows(
    world: World, tmp_path: Path
) -> None:
    world.settings = with_labeller(world.settings, write(tmp_path / "labellers"))
    await world.start("labelling").ready()
    scoring = await world.start("sessions", "scoring").ready()
    promotion = await make_live(world, looking_release(tmp_path / "releases"))
    await until_served(scoring, promotion.name)
    async with place_in(world) as place:
        slopes = [sale(f"slope-{n}", place.site.postcard(SLOPE, 900 + n)) for n in range(10)]
        cities = [sale(f"city-{n}", place.site.postcard(CITY, 900 + n)) for n in range(10)]
        await world.publish(*slopes[1:], *cities)
        await place.all_labelled([*slopes[1:], *cities])
        for who, (one, other) in {SKIER: slopes[1:3], STROLLER: cities[:2]}.items():
            await world.send(Click(f"{who} 1", who, one.sale_id, now()))
            await world.send(Click(f"{who} 2", who, other.sale_id, now()))

        await world.publish(slopes[0])

        new, view = slopes[0].sale_id, await world.view(world.topics.recommendations)
        lists = await view.until(lambda found: SKIER in listed(found, new))
        labels = newest_lists(lists)[SKIER].made_from.labels_offsets
        await world.send(Click(f"{STROLLER} 3", STROLLER, cities[2].sale_id, now()))
        lists = await view.until(
            lambda found: (
                STROLLER in (made := newest_lists(found))
                and made[STROLLER].made_from.labels_offsets == labels
            )
        )
    assert STROLLER not in listed(lists, new), "by a list that knew of its image as well"
    ((reason, *_),) = (one.reasons for one in newest_lists(lists)[SKIER].sales if one.sale_id == new)
    assert reason.like in {one.sale_id for one in slopes[1:3]}
