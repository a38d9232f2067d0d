"""How long a scoring worker takes to start with a long history, and what memory it then holds.

    python -m benchmarks.start_up --events 1000000

From the start of the process until it says that it is ready. The baseline reads and decodes the same
history with a bare consumer and learns nothing.
"""

import asyncio
import time

from benchmarks.installation import click, installation, producing, resident_mb, workers
from benchmarks.machine import Figure, Report, arguments, machine, publish, run_main, step, turns
from reco.parameters import DAY
from streams import clients
from streams.clock import now
from streams.codecs import decode_event, encode
from streams.settings import Settings
from streams.topics import topic_set

VISIT = 8
"""Clicks of each visitor."""


def main() -> None:
    """Measure, print, and write the report."""
    given = arguments(__doc__, events=1_000_000, sales=300, rounds=3)
    starts, memory = [], []
    with installation(given.sales) as settings:
        step(f"writing {given.events:,} events")
        asyncio.run(write_history(settings, given.events, given.sales))
        for _ in turns(given.rounds):
            started = time.perf_counter()
            with workers(settings, [("scoring",)]) as running:
                starts.append(time.perf_counter() - started)
                memory.extend(resident_mb(running))
        baseline = [
            asyncio.run(read_history(settings, given.events)) for _ in turns(given.rounds, "baseline")
        ]
    figures = (
        Figure("scoring worker ready", "s", tuple(starts)),
        Figure("baseline: history read and decoded", "s", tuple(baseline)),
        Figure("memory of the scoring worker", "MB", tuple(memory)),
    )
    parameters = {"events": given.events, "sales": given.sales, "rounds": given.rounds}
    publish(Report("start_up", machine(), parameters, figures), given.json)


async def write_history(settings: Settings, events: int, sales: int) -> None:
    """So many clicks of the last day, in visits."""
    topic, day = topic_set(settings.topics).events, DAY
    async with producing(settings) as producer:
        for number in range(events):
            event = click(number, number // VISIT, sales, now() - day + number * day // events)
            await producer.send(topic.name, encode(event), event.visitor_id.encode())


async def read_history(settings: Settings, events: int) -> float:
    """Seconds to read and decode the history with a bare consumer."""
    topic = topic_set(settings.topics).events
    async with clients.started(clients.consumer(settings.kafka)) as consumer:
        consumer.assign(clients.partitions(topic))
        started, done = time.perf_counter(), 0
        while done < events:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    decode_event(record.key, record.value, record.timestamp)
                done += len(records)
        return time.perf_counter() - started


if __name__ == "__main__":
    run_main(main)
