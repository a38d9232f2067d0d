"""How long live visitors wait for their lists while an old log is imported beside them.

    python -m benchmarks.import_beside_visitors --rows 20000

One visitor after the other clicks and waits for the list, as long as `tenfold import` runs in a process of
its own. The baseline is the same import with `--at-once`, which does not wait for the workers that run.
"""

import asyncio
import sys
import time
from pathlib import Path
from subprocess import DEVNULL
from tempfile import TemporaryDirectory

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.installation import click, installation, producing, reading, workers
from benchmarks.machine import Figure, Report, arguments, machine, percentile, publish, run_main, turns
from reco.parameters import DAY
from streams.clock import now
from streams.codecs import decode_list, encode
from streams.settings import Settings
from streams.supervisor import environment_of
from streams.topics import topic_set

AGO = 30 * DAY
"""How old the first event of the log is, ms."""
CLICKS_PER_VISITOR = 8
TO_SETTLE = 64
"""Visitors who have their lists before an import begins: what the one before it left is then worked off."""
COMMAND = (sys.executable, "-c", "from streams.cli import main; main()", "import")

WAYS: dict[str, tuple[str, ...]] = {"import": (), "baseline: --at-once": ("--at-once",)}
"""The two ways to import, with the options that they need."""

Run = tuple[float, list[float]]
"""How long an import took, s, and how long each visitor waited meanwhile, ms."""


def main() -> None:
    """Measure, print, and write the report."""
    given = arguments(__doc__, rows=20_000, sales=300, rounds=3)
    runs: dict[str, list[Run]] = {way: [] for way in WAYS}
    with (
        TemporaryDirectory() as folder,
        installation(given.sales) as settings,
        workers(settings, [("sessions",), ("scoring",)]),
    ):
        for number in turns(given.rounds):
            for place, (way, options) in enumerate(WAYS.items()):
                log = Path(folder) / f"{number}-{place}.csv"
                write_log(log, given.rows, given.sales)
                runs[way].append(asyncio.run(measure(settings, given.sales, str(log), *options)))
    figures = []
    for way, measured in runs.items():
        waits = [found for _, found in measured]
        figures += [
            Figure(f"{way}, wait for a list, p50", "ms", tuple(percentile(one, 0.5) for one in waits)),
            Figure(f"{way}, wait for a list, longest", "ms", tuple(map(max, waits))),
            Figure(f"{way}, all of it", "s", tuple(seconds for seconds, _ in measured)),
        ]
    parameters = {name: getattr(given, name) for name in ("rows", "sales", "rounds")}
    publish(Report("import_beside_visitors", machine(), parameters, tuple(figures)), given.json)


def write_log(path: Path, rows: int, sales: int) -> None:
    """A log of clicks of a month ago, a second apart, of visitors whose ids are this log's own."""
    start = now() - AGO
    clicks = (click(row, row // CLICKS_PER_VISITOR, sales, start + 1000 * row) for row in range(rows))
    lines = (f"{path.stem}-{one.visitor_id},{one.sale_id},click,{one.ts}\n" for one in clicks)
    path.write_text("visitor_id,item_id,event_type,ts\n" + "".join(lines))


async def measure(settings: Settings, sales: int, *arguments: str) -> Run:
    """Import with these arguments while visitors click, until it has ended and the last one has a list."""
    topics, waits = topic_set(settings.topics), list[float]()
    async with (
        reading(settings, topics.recommendations) as lists,
        producing(settings, linger_ms=0) as producer,
    ):
        for number in range(TO_SETTLE):
            await wait_for_list(producer, lists, topics.events.name, number, sales)
        started = time.perf_counter()
        importing = await asyncio.create_subprocess_exec(
            *COMMAND, *arguments, env=environment_of(settings), stdout=DEVNULL
        )
        ended = asyncio.create_task(importing.wait())
        while not ended.done():
            waits.append(await wait_for_list(producer, lists, topics.events.name, len(waits), sales))
        if await ended:
            raise SystemExit(f"tenfold import {' '.join(arguments)} failed: see above")
        return time.perf_counter() - started, waits


async def wait_for_list(
    producer: AIOKafkaProducer, lists: AIOKafkaConsumer, topic: str, number: int, sales: int
) -> float:
    """The time from a visitor's click to a list that was made from it, ms."""
    event = click(time.time_ns(), number, sales)
    key = event.visitor_id.encode()
    began = time.perf_counter()
    place = await producer.send_and_wait(topic, encode(event), key)
    async with asyncio.timeout(600):
        while True:
            fetched = (await lists.getmany(timeout_ms=200)).values()
            own = (one.value for records in fetched for one in records if one.key == key and one.value)
            if any(decode_list(value).made_from.session_offset >= place.offset for value in own):
                return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    run_main(main)
