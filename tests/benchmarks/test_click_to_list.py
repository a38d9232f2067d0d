"""The benchmark of latency: every click has the first list that includes it, also where several share one."""

import asyncio
from typing import Any

import pytest

from benchmarks.click_to_list import measure
from benchmarks.installation import clicks, producing, reading
from reco.lists import Provenance, TopTen
from streams.codecs import encode
from streams.settings import Settings
from streams.topics import TopicSet

CLICKS = 2


@pytest.mark.broker
async def test_clicks_of_one_visitor_that_share_a_list_are_answered_by_it(
    settings: Settings, topics: TopicSet
) -> None:
    async with reading(settings, topics.events) as events, producing(settings, linger_ms=0) as producer:

        async def answer_all_at_once() -> None:
            last: Any = [await events.getone() for _ in range(CLICKS)][-1]
            made_from = Provenance(last.partition, last.offset, 0, (), "r")
            one = TopTen("list", "visitor-0", last.timestamp, None, (), made_from)
            await producer.send(topics.recommendations.name, encode(one), last.key)

        answering = asyncio.create_task(answer_all_at_once())
        hops, lists = await measure(settings, rate=CLICKS, seconds=1, fresh=clicks(1, 1))
        await answering
    assert (hops.answered, lists.answered, lists.unanswered) == (CLICKS, CLICKS, 0)
