"""A header may have any name: its record is read, and so are those around it."""

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from reco.events import Event
from streams.clients import producer, started
from streams.codecs import encode
from streams.reading import read_whole
from tests.streams.world import World, clicks, newest_lists, newest_sessions, open_sales

pytestmark = pytest.mark.broker

NONE, GZIP = 0, 1


class NoText(str):
    """A name that is no UTF-8 on its way."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"\xff" + super().encode()


async def send_together(world: World, compression: int, *events: Event) -> None:
    """Send events in one batch, all but the first with a name that is no text."""
    async with started(producer(world.settings.kafka, enable_idempotence=False)) as own:
        batch = own.create_batch()
        batch._builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, 0, 2**20)
        for number, event in enumerate(events):
            headers = [("trace", b"1")] if number == 0 else [(NoText("trace"), b"1"), ("ok", None)]
            batch.append(key=event.visitor_id.encode(), value=encode(event), timestamp=None, headers=headers)
        await (await own.send_batch(batch, world.topics.events.name, partition=0))


@pytest.mark.parametrize("compression", [NONE, GZIP])
async def test_names_of_headers_that_are_no_text_stop_no_worker_and_lose_no_event(
    world: World, compression: int
) -> None:
    await world.publish(*open_sales(12))
    await world.start("sessions", "scoring").ready()

    await send_together(world, compression, *clicks(3, 3))
    await world.send(*clicks(40, 40, start=3))

    await (await world.view(world.topics.sessions)).until(lambda found: len(newest_sessions(found)) == 40)
    await (await world.view(world.topics.recommendations)).until(lambda found: len(newest_lists(found)) == 41)
    records = [one async for one in read_whole(world.settings.kafka, world.topics.events.name)]
    assert len(records) == 43
    (first, *others) = (one.headers for one in records if one.headers)
    assert first == (("trace", b"1"),)
    assert others == [(("\\xfftrace", b"1"), ("ok", None))] * 2
