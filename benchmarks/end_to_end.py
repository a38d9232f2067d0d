"""Lists per second over Kafka, scoring included: a backlog of clicks, each of another visitor.

    python -m benchmarks.end_to_end --lists 20000

Per core: divided by the processor time that the workers used. The baseline moves the same sessions through
Kafka with the same clients and computes nothing: what is between the two is ours.
"""

import asyncio
import time
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer

from benchmarks.installation import click, cpu_seconds, installation, producing, reading, resident_mb, workers
from benchmarks.machine import Figure, Report, arguments, machine, publish, run_main, turns
from streams import clients
from streams.codecs import decode_list, decode_session, encode
from streams.settings import Settings
from streams.supervisor import Supervisor
from streams.topics import topic_set


class Round(NamedTuple):
    """One measured round."""

    lists_per_second: float
    per_scoring_core: float
    per_core: float


def main() -> None:
    """Measure, print, and write the report."""
    given = arguments(__doc__, sales=300, lists=20_000, rounds=3)
    with installation(given.sales) as settings, workers(settings, [("sessions",), ("scoring",)]) as running:
        asyncio.run(measure(settings, running, given.lists // 4, given.sales, round_number=0))
        rounds = [
            asyncio.run(measure(settings, running, given.lists, given.sales, number + 1))
            for number in turns(given.rounds)
        ]
        baseline = [asyncio.run(relay(settings, given.lists)) for _ in turns(given.rounds, "baseline")]
        memory = resident_mb(running)[1]
    figures = (
        Figure(
            "click to list, both workers on this machine",
            "lists/s",
            tuple(r.lists_per_second for r in rounds),
        ),
        Figure("per core of the scoring worker", "lists/s", tuple(r.per_scoring_core for r in rounds)),
        Figure("per core of sessions and scoring together", "lists/s", tuple(r.per_core for r in rounds)),
        Figure("baseline: sessions relayed, nothing computed", "records/s", tuple(baseline)),
        Figure("memory of the scoring worker", "MB", (memory,)),
    )
    parameters = {"sales": given.sales, "lists": given.lists, "rounds": given.rounds}
    publish(Report("end_to_end", machine(), parameters, figures), given.json)


async def measure(
    settings: Settings, running: Supervisor, lists: int, sales: int, round_number: int
) -> Round:
    """One click of each of `lists` new visitors, and the time until each has a list."""
    topics = topic_set(settings.topics)
    first = round_number * lists
    async with reading(settings, topics.recommendations) as consumer:
        before, started = cpu_seconds(running), time.perf_counter()
        async with producing(settings) as producer:
            for number in range(first, first + lists):
                event = click(number, number, sales)
                await producer.send(topics.events.name, encode(event), event.visitor_id.encode())
        await _lists_of(consumer, {f"visitor-{number}" for number in range(first, first + lists)})
        seconds = time.perf_counter() - started
        used = [after - earlier for after, earlier in zip(cpu_seconds(running), before, strict=True)]
    return Round(lists / seconds, lists / used[1], lists / sum(used))


async def _lists_of(consumer: AIOKafkaConsumer, waiting: set[str]) -> None:
    while waiting:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            waiting.difference_update(decode_list(record.value).visitor_id for record in records)


async def relay(settings: Settings, records: int) -> float:
    """Sessions read, decoded, encoded and written by the bare clients: records per second."""
    topics = topic_set(settings.topics)
    reader = clients.started(clients.consumer(settings.kafka))
    async with reader as consumer, producing(settings) as producer:
        consumer.subscribe([topics.sessions.name])
        done, started = 0, time.perf_counter()
        while done < records:
            for fetched in (await consumer.getmany(timeout_ms=1000, max_records=64)).values():
                for record in fetched:
                    value = encode(decode_session(record.value))
                    await producer.send(topics.dead_letters.name, value, record.key)
                    done += 1
    return done / (time.perf_counter() - started)


if __name__ == "__main__":
    run_main(main)
