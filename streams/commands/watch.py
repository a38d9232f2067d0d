"""`tenfold watch`: the lists as a CMS sees them, refreshed while one looks."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import Annotated

import typer
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from rich.console import Console

from reco.errors import RefusedRecordError
from reco.events import Sale
from reco.lists import DEFAULT_VISITOR, TopTen
from streams.codecs import decode_list, decode_sale, encode
from streams.commands.options import check_ids
from streams.embedded import reachable
from streams.list_view import panel_of
from streams.reading import POLL, newest_of, partitions_of, read_between, reader
from streams.settings import Settings, load
from streams.terminal import plain_text
from streams.topics import topic_set

SILENCE = 5.0
"""Time without an answer after which a broker is taken to be gone, s; it answers twice in a second."""


def watch(
    visitor: Annotated[
        str | None,
        typer.Argument(metavar="VISITOR", help="Only the lists of this visitor, by id; else of all."),
    ] = None,
    *,
    json: Annotated[
        bool, typer.Option("--json", help="One list per line, as it stands on the topic.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many lists.")] = None,
) -> None:
    """Show the lists that a CMS sees, as they are refreshed."""
    check_ids([visitor or ""])
    # What the client logs of a broker that is gone, again and again, is said once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    settings = reachable(load())
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(settings, visitor, json=json, count=count))


async def _watch(settings: Settings, visitor: str | None, *, json: bool, count: int | None) -> None:
    console, aside, name = Console(), Console(stderr=True), visitor or "new visitors"
    titles: dict[str, str] = {}
    shown = 0

    def tell(what: str) -> None:
        aside.print(plain_text(what), soft_wrap=True)

    async with aclosing(lists(settings, visitor, titles, tell)) as newest:
        with aside.status(plain_text(f"Waiting for a list of {name}")) as waiting:
            async for one in newest:
                waiting.stop()
                if json:
                    print(encode(one).decode(), flush=True)  # noqa: T201 - the data is the output
                else:
                    console.print(panel_of(one, titles))
                shown += 1
                if shown == count:
                    return


async def lists(
    settings: Settings,
    visitor: str | None,
    titles: dict[str, str],
    tell: Callable[[str], None] = lambda _: None,
) -> AsyncGenerator[TopTen]:
    """The newest list of `visitor` (of the unknown visitor if None), then each list as it is refreshed.

    `titles` is kept as the sales on the topic have them, by sale; `tell` is told when the broker is gone, and
    when it is back.

    Raises:
        BrokerError: the broker cannot be reached, or has no such topics.
    """
    topics = topic_set(settings.topics)
    wanted = (visitor or DEFAULT_VISITOR).encode()
    partitions = await partitions_of(settings.kafka, topics.sales.name, topics.recommendations.name)
    sales, recommendations = partitions[topics.sales.name], partitions[topics.recommendations.name]
    async with reader(settings.kafka) as consumer:
        sales_read = await consumer.end_offsets(sales)
        lists_read = await consumer.end_offsets(recommendations)
        async for record in read_between(consumer, await consumer.beginning_offsets(sales), sales_read):
            _learn(record, titles)
        newest = _list_of(await newest_of(consumer, lists_read, wanted))
        if newest is not None:
            yield newest
        consumer.assign([*sales, *recommendations])
        for partition, offset in {**sales_read, **lists_read}.items():
            consumer.seek(partition, offset)
        records = _following(consumer, settings.kafka.bootstrap_servers, tell)
        async for one in _refreshed(records, topics.sales.name, titles):
            if visitor is None or one.visitor_id == visitor:
                yield one


async def _following(
    consumer: AIOKafkaConsumer, servers: str, tell: Callable[[str], None]
) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """What comes, for ever; the client goes on trying while no broker answers."""
    answered, at, gone = 0, time.monotonic(), False
    while True:
        fetched = await consumer.getmany(timeout_ms=POLL)
        oldest = min(consumer.last_poll_timestamp(one) or 0 for one in consumer.assignment())
        if fetched or oldest != answered:
            answered, at = oldest, time.monotonic()
        if gone != (gone := time.monotonic() - at > SILENCE):
            lost = f"No broker at {servers} answers. Lists come again once one does; Ctrl-C ends it."
            tell(lost if gone else "A broker answers again.")
        for records in fetched.values():
            for record in records:
                yield record


async def _refreshed(
    records: AsyncIterator[ConsumerRecord[bytes, bytes]], sales: str, titles: dict[str, str]
) -> AsyncIterator[TopTen]:
    async for record in records:
        if record.topic == sales:
            _learn(record, titles)
        elif (one := _list_of(record)) is not None:
            yield one


def _learn(record: ConsumerRecord[bytes, bytes], titles: dict[str, str]) -> None:
    """Keep the title of a sale; that of a withdrawn one stays, for lists that still hold it."""
    with suppress(RefusedRecordError):
        sale = decode_sale(record.key, record.value)
        if isinstance(sale, Sale):
            titles[sale.sale_id] = sale.title


def _list_of(record: ConsumerRecord[bytes, bytes] | None) -> TopTen | None:
    """The list in a record; None for the tombstone of an erased visitor, or what is no list."""
    if record is None or record.value is None:
        return None
    try:
        return decode_list(record.value)
    except RefusedRecordError:
        return None
