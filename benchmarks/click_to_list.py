"""Latency from a click to its visitor's new list, at a steady rate.

    python -m benchmarks.click_to_list --rate 200 --seconds 30

From just before the click is handed to the producer until a consumer has the list, on one clock. The
baseline is one hop through the same broker: the same click until a consumer of `events` has it.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import nan
from typing import Any

from aiokafka import AIOKafkaConsumer

from benchmarks.installation import clicks, installation, producing, reading, workers
from benchmarks.machine import Figure, Report, arguments, machine, publish, run_main, turns
from demo.latency import ClickToList
from reco.events import Click
from streams.codecs import decode_list, encode
from streams.settings import Settings
from streams.topics import topic_set

PATIENCE = 60.0
"""Longest wait for the last lists, s."""


def main() -> None:
    """Measure, print, and write the report."""
    given = arguments(__doc__, rate=200, seconds=30, visitors=5000, sales=300, rounds=3)
    hops: list[ClickToList] = []
    lists: list[ClickToList] = []
    with installation(given.sales) as settings, workers(settings, [("sessions",), ("scoring",)]):
        fresh = clicks(given.visitors, given.sales)
        asyncio.run(measure(settings, given.rate, 5, fresh))
        for _ in turns(given.rounds):
            hop, answered = asyncio.run(measure(settings, given.rate, given.seconds, fresh))
            hops.append(hop)
            lists.append(answered)
    figures = (
        *(figure("click to list", lists, percent) for percent in (50, 99)),
        *(figure("baseline: one hop", hops, percent) for percent in (50, 99)),
    )
    parameters = {name: getattr(given, name) for name in ("rate", "seconds", "visitors", "sales", "rounds")}
    publish(Report("click_to_list", machine(), parameters, figures), given.json)


def figure(name: str, rounds: Sequence[ClickToList], percent: int) -> Figure:
    """A percentile of each round."""
    return Figure(f"{name}, p{percent}", "ms", tuple(one.percentile(percent) or nan for one in rounds))


async def measure(
    settings: Settings, rate: int, seconds: int, fresh: Iterator[Click]
) -> tuple[ClickToList, ClickToList]:
    """`fresh` clicks at `rate` per second for `seconds`; from the send of each to `events`, to its list.

    One that was sent before would be a retry, which changes nothing. Of clicks of one visitor that come close
    to each other, all but the last may have no list of their own: the first that includes them is theirs.
    """
    topics = topic_set(settings.topics)
    hops, lists = ClickToList(), ClickToList()
    async with (
        reading(settings, topics.events) as events,
        reading(settings, topics.recommendations) as recommendations,
        producing(settings, linger_ms=0) as producer,
    ):
        watchers = [
            asyncio.create_task(_watch(events, hops, lambda record: record.offset)),
            asyncio.create_task(_watch(recommendations, lists, _session_offset)),
        ]
        started = time.perf_counter()
        for number in range(rate * seconds):
            await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
            event = next(fresh)
            before = time.perf_counter()
            future = await producer.send(topics.events.name, encode(event), event.visitor_id.encode())
            future.add_done_callback(partial(_note, (hops, lists), event.visitor_id, before))
        async with asyncio.timeout(PATIENCE):
            while min(hops.answered, lists.answered) < rate * seconds:
                await asyncio.sleep(0.01)
        for watcher in watchers:
            watcher.cancel()
    return hops, lists


def _note(measured: Sequence[ClickToList], visitor_id: str, sent_at: float, sent: Any) -> None:
    """Note where a click stands that was acknowledged."""
    for one in measured:
        one.clicked(visitor_id, sent.result().offset, sent_at)


def _session_offset(record: Any) -> int:
    return decode_list(record.value).made_from.session_offset


async def _watch(consumer: AIOKafkaConsumer, measured: ClickToList, offset_of: Callable[[Any], int]) -> None:
    """Note when what includes a visitor's clicks up to an offset is seen."""
    while True:
        fetched = await consumer.getmany(timeout_ms=200)
        at = time.perf_counter()
        for record in (record for records in fetched.values() for record in records if record.value):
            measured.listed(record.key.decode(), offset_of(record), at)


if __name__ == "__main__":
    run_main(main)
