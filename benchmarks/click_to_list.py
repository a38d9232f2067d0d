"""Latency from a click to its visitor's new list, at a steady rate.

    python -m benchmarks.click_to_list --rate 200 --seconds 30

From just before the click is handed to the producer until a consumer has the list, on one clock. The
baseline is one hop through the same broker: the same click until a consumer of `events` has it.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

from aiokafka import AIOKafkaConsumer

from benchmarks.installation import clicks, installation, producing, reading, workers
from benchmarks.machine import Figure, Report, arguments, machine, publish, run_main
from reco.events import Click
from streams.codecs import decode_list, encode
from streams.settings import Settings
from streams.topics import topic_set

Latencies = list[float]


def main() -> None:
    """Measure, print, and write the report."""
    given = arguments(__doc__, rate=200, seconds=30, visitors=5000, sales=300, rounds=3)
    hops: list[Latencies] = []
    lists: list[Latencies] = []
    with installation(given.sales) as settings, workers(settings, [("sessions",), ("scoring",)]):
        fresh = clicks(given.visitors, given.sales)
        asyncio.run(measure(settings, given.rate, 5, fresh))
        for _ in range(given.rounds):
            hop, answered = asyncio.run(measure(settings, given.rate, given.seconds, fresh))
            hops.append(hop)
            lists.append(answered)
    figures = (
        Figure("click to list, p50", "ms", tuple(percentile(one, 0.50) for one in lists)),
        Figure("click to list, p99", "ms", tuple(percentile(one, 0.99) for one in lists)),
        Figure("baseline: one hop, p50", "ms", tuple(percentile(one, 0.50) for one in hops)),
        Figure("baseline: one hop, p99", "ms", tuple(percentile(one, 0.99) for one in hops)),
    )
    parameters = {name: getattr(given, name) for name in ("rate", "seconds", "visitors", "sales", "rounds")}
    publish(Report("click_to_list", machine(), parameters, figures), given.json)


def percentile(values: Latencies, share: float) -> float:
    """The value that `share` of `values` do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measure(
    settings: Settings, rate: int, seconds: int, fresh: Iterator[Click]
) -> tuple[Latencies, Latencies]:
    """`fresh` clicks at `rate` per second for `seconds`; ms of each from the send to `events`, to its list.

    One that was sent before would be a retry, which changes nothing.
    """
    topics = topic_set(settings.topics)
    sent: dict[tuple[int, int], float] = {}
    hops: Latencies = []
    lists: Latencies = []
    async with (
        reading(settings, topics.events) as events,
        reading(settings, topics.recommendations) as recommendations,
        producing(settings, linger_ms=0) as producer,
    ):
        watchers = [
            asyncio.create_task(_watch(events, sent, hops, lambda record: (record.partition, record.offset))),
            asyncio.create_task(_watch(recommendations, sent, lists, _answered)),
        ]
        started = time.perf_counter()
        for number in range(rate * seconds):
            await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
            event = next(fresh)
            before = time.perf_counter()
            future = await producer.send(topics.events.name, encode(event), event.visitor_id.encode())
            future.add_done_callback(_noting(sent, before))
        async with asyncio.timeout(60):
            while len(lists) < rate * seconds:
                await asyncio.sleep(0.01)
        for watcher in watchers:
            watcher.cancel()
    return hops, lists


def _noting(sent: dict[tuple[int, int], float], before: float) -> Callable[[Any], None]:
    def note(future: Any) -> None:
        place = future.result()
        sent[place.partition, place.offset] = before

    return note


def _answered(record: Any) -> tuple[int, int]:
    made_from = decode_list(record.value).made_from
    return made_from.partition, made_from.session_offset


async def _watch(
    consumer: AIOKafkaConsumer,
    sent: dict[tuple[int, int], float],
    latencies: Latencies,
    source: Callable[[Any], tuple[int, int]],
) -> None:
    """Note how long after its send each click is seen; a place is counted when first seen."""
    seen: set[tuple[int, int]] = set()
    while True:
        fetched = await consumer.getmany(timeout_ms=200)
        at = time.perf_counter()
        places = {source(record) for records in fetched.values() for record in records if record.value} - seen
        for place in places:
            seen.add(place)
            if place[1] >= 0:
                await _until_noted(sent, place)
                latencies.append(1000 * (at - sent[place]))


async def _until_noted(sent: dict[tuple[int, int], float], place: tuple[int, int]) -> None:
    """The acknowledgement of a send can come after its list."""
    while place not in sent:
        await asyncio.sleep(0)


if __name__ == "__main__":
    run_main(main)
