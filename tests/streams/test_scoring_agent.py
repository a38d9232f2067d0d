"""The scoring agent: which lists a batch of sessions gives, and that promotions do not wait for lists."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.blend import Blend
from streams.agents.scoring import ScoringApp
from streams.clock import now
from streams.codecs import encode
from streams.releases import Basis, Served
from streams.settings import Kafka, Settings, Worker
from streams.vitals import Vitals
from tests.streams.scoring_shop import VISITORS, Shop, session


class Promoted(Blend):
    """The blend under another name."""

    def __init__(self, release: str) -> None:
        self.release = release


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def scoring(shop: Shop, tmp_path: Path) -> ScoringApp:
    """An application that is not started, with the desk of a shop."""
    scoring = ScoringApp(Settings(Kafka("kafka:9092"), worker=Worker(data_dir=str(tmp_path))), Vitals())
    scoring.desk = shop.desk
    return scoring


def record(partition: int, value: bytes | None) -> Any:
    """A record of `sessions`, of visitor-1."""
    return SimpleNamespace(message=SimpleNamespace(partition=partition, key=b"visitor-1", value=value))


async def test_who_was_erased_and_came_back_has_a_list_whatever_is_erased_in_other_partitions(
    shop: Shop, scoring: ScoringApp
) -> None:
    await shop.open()
    back = record(0, encode(session("visitor-1", 100, now())))
    await scoring.score([record(0, None), back, record(1, None)])
    assert [top.made_from.session_offset for top in shop.sent.lists] == [100]
    known = shop.desk.active.get("visitor-1")
    assert known is not None
    assert known.session.offset == 100
    await scoring.score([back, record(0, None)])
    assert shop.desk.active.get("visitor-1") is None
    assert len(shop.sent.lists) == 1


async def test_a_rollback_does_not_wait_until_everybody_has_a_list_of_what_it_rolls_back(
    shop: Shop, scoring: ScoringApp
) -> None:
    await shop.open()
    for release in ("bad", "good"):
        await scoring.serve(Served(Promoted(release), Basis()))
        assert shop.desk.release == release
        while not shop.sent.lists or shop.sent.lists[-1].made_from.release != release:
            await asyncio.sleep(0)
    assert scoring.refreshing is not None
    await scoring.refreshing
    newest = {top.visitor_id: top.made_from.release for top in shop.sent.lists}
    assert newest == {f"visitor-{number}": "good" for number in range(VISITORS)}
    assert 0 < [top.made_from.release for top in shop.sent.lists].count("bad") < VISITORS
