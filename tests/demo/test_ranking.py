"""Rankers are trained beside the demo, and go live while it runs; where they cannot be, the blend stays."""

import asyncio
import io
from pathlib import Path

import pytest
from rich.console import Console

from demo.plan import Plan
from demo.ranking import Ranking
from demo.run import run
from models.releases import load_release
from reco.features import FEATURES
from streams.importing import Options
from streams.promotions import live_promotion
from streams.releases import RANKERS
from streams.settings import Settings
from streams.topics import TopicSet
from tests.models.shop_logs import shop_log
from tests.streams.imports import run_import
from tests.streams.test_evaluation_commands import written

pytestmark = pytest.mark.broker


async def test_what_is_trained_on_the_topics_is_live_afterwards(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    await run_import(settings, written(tmp_path / "log.csv", shop_log(150)), Options(publish_items=True))
    ranking = Ranking(settings)
    await ranking.train()
    assert ranking.state == "live"
    live = await live_promotion(settings.kafka, topics.releases.name, RANKERS)
    assert live is not None
    assert load_release(settings.releases_dir() / live.promoted.release_id, FEATURES).rankers["mix"]


async def test_a_training_that_fails_says_why_and_leaves_the_blend_live(
    settings: Settings, topics: TopicSet, caplog: pytest.LogCaptureFixture
) -> None:
    ranking = Ranking(settings)
    await ranking.train()
    assert ranking.state == "failed"
    assert "there is no event to learn from yet" in caplog.text
    assert "Traceback" not in caplog.text
    assert await live_promotion(settings.kafka, topics.releases.name, RANKERS) is None


async def test_a_training_that_is_broken_off_makes_nothing_live(settings: Settings, topics: TopicSet) -> None:
    ranking = Ranking(settings)
    training = asyncio.create_task(ranking.train())
    while ranking.state != "training":
        await asyncio.sleep(0)
    training.cancel()
    with pytest.raises(asyncio.CancelledError):
        await training
    assert ranking.state == "training"
    assert await live_promotion(settings.kafka, topics.releases.name, RANKERS) is None


@pytest.mark.slow
def test_visitors_have_lists_of_what_was_trained_on_them_before_they_leave(settings: Settings) -> None:
    plan = Plan(seconds=150, visitors=500, rate=150, seed=3, images=False)
    told = io.StringIO()
    figures = run(settings, plan, Console(file=told), headless=True)
    assert "Ranker: training" in told.getvalue()
    assert figures["ranking"] == "live"
    blend, trained = figures["lists_by_ranker"]
    assert (blend, trained.partition("/")[2]) == ("blend-1", "mix")
    assert figures["lists_invalid"] == 0, figures["invalid_examples"]
    assert figures["clicks_unanswered"] == 0
    assert figures["restarts"] == 0
