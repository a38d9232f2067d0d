"""The four research logs, if they lie beside the checkout, import to the last row."""

from collections import Counter

import pytest

from models.log_columns import Meaning
from reco.events import Purchase
from reco.lists import TopTen
from reco.sessions import Session
from streams.importing import Options
from streams.settings import Settings
from streams.topics import TopicSet
from tests.streams.imports import ROOT, events, run_import
from tests.streams.world import PATIENCE, World, expect_lists_after_the_last_event, newest_sessions

DATA = ROOT.parent / "shared" / "data"
LIMIT = 20_000
"""Rows of the two large logs that are imported."""
WHOLE_LOGS = 5
"""So much more patience than the others a whole log needs: of up to 30,000 sales, all of them open."""

pytestmark = [
    pytest.mark.broker,
    pytest.mark.shared_data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the research data are not at {DATA}"),
]


async def test_retailrocket_imports_whole(settings: Settings, topics: TopicSet) -> None:
    imported = await run_import(settings, DATA / "retailrocket_buyers")
    assert (imported.progress.rows, imported.progress.sent, imported.progress.finished) == (
        97_381,
        97_381,
        True,
    )
    kinds = Counter(type(event).__name__ for event in await events(settings, topics))
    assert kinds == {"Click": 75_374, "Cart": 12_456, "Purchase": 9_551}


async def test_slantour_imports_whole_with_its_items(settings: Settings, topics: TopicSet) -> None:
    imported = await run_import(settings, DATA / "slantour", Options(publish_items=True))
    assert (imported.log.name, imported.progress.rows, imported.progress.sent) == (
        "events.csv.gz",
        19_369,
        19_369,
    )
    found = await events(settings, topics)
    assert sum(isinstance(event, Purchase) for event in found) == 105
    assert imported.progress.items == len({event.sale_id for event in found if not hasattr(event, "shown")})


async def test_globo_imports_in_order_of_time_with_its_context(settings: Settings, topics: TopicSet) -> None:
    imported = await run_import(settings, DATA / "globo", Options(limit=LIMIT, speed=1e9))
    assert (imported.progress.rows, imported.progress.sent, imported.progress.finished) == (
        LIMIT,
        LIMIT,
        False,
    )
    found = await events(settings, topics)
    assert len({event.event_id for event in found}) == LIMIT
    assert all({"device", "country"} <= set(event.context) for event in found)


async def test_diginetica_imports_with_made_up_times(settings: Settings, topics: TopicSet) -> None:
    imported = await run_import(
        settings, DATA / "diginetica", Options(limit=LIMIT), Meaning(times_from=1_451_606_400_000)
    )
    assert (imported.progress.rows, imported.progress.sent) == (LIMIT, LIMIT)
    in_order = sorted(await events(settings, topics), key=lambda event: event.ts)
    assert [event.ts for event in in_order] == [1_451_606_400_000 + 1000 * n for n in range(LIMIT)]
    sessions: dict[str, list[int]] = {}
    for event in in_order:
        sessions.setdefault(event.visitor_id, []).append(int(event.context["pos"]))
    assert all(positions == list(range(len(positions))) for positions in sessions.values())


@pytest.mark.parametrize(
    ("log", "rows", "visitors"),
    [
        ("slantour", 4_000, 1_500),
        ("retailrocket_buyers", 4_000, 150),
        pytest.param("slantour", None, 8_000, marks=pytest.mark.slow),
        pytest.param("retailrocket_buyers", None, 2_000, marks=pytest.mark.slow),
    ],
)
async def test_the_visitors_of_an_imported_log_have_lists_of_its_sales(
    world: World, log: str, rows: int | None, visitors: int
) -> None:
    await run_import(world.settings, DATA / log, Options(publish_items=True, limit=rows))
    await world.start("sessions", "scoring").ready()

    lists = await expect_lists_after_the_last_event(world, PATIENCE if rows else WHOLE_LOGS * PATIENCE)

    assert len(lists) > visitors
    assert all(len({one.sale_id for one in top.sales}) == 10 for top in lists.values())
    sessions = newest_sessions(await (await world.view(world.topics.sessions)).until(bool))
    known = [session for session in sessions.values() if session.visitor_id in lists]
    revisited = sum(own_sales(one) & offered(lists[one.visitor_id]) != set() for one in known)
    assert revisited > len(known) / 2


def own_sales(session: Session) -> set[str]:
    return {touch.sale_id for touch in session.recent}


def offered(top: TopTen) -> set[str]:
    return {one.sale_id for one in top.sales}
