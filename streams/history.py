"""History as it stands on the topics: all events as a worker learned them, all sales, and their labels."""

from array import array
from collections import defaultdict
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.event_table import Columns, EventTable, with_impressions
from models.progress import Progress
from reco.catalogue import Catalogue
from reco.errors import RefusedRecordError, UnknownTypeError
from reco.events import Action, Erasure, EventFact, Impression
from reco.labels import SaleLabels
from reco.parameters import SECOND
from reco.sessions import VISIT_SILENCE
from streams.codecs import decode_event, decode_labels, decode_sale
from streams.reading import read_whole
from streams.settings import Settings
from streams.topics import topic_set


async def read_history(
    settings: Settings, progress: Progress = lambda _: None
) -> tuple[EventTable, Catalogue]:
    """Everything on `events` and `sales` up to now.

    A sale that was withdrawn was there before: as long as the topic still has what it was, it is in the
    catalogue, and live until then.

    Raises:
        BrokerError: the broker cannot be reached, or the topics are not there.
    """
    catalogue, events = await read_sales(settings, withdrawn=True), _Appends()
    async for record in read_whole(settings.kafka, topic_set(settings.topics).events.name, progress):
        events.add(_event_in(record), record.partition, record.offset, record.timestamp)
    return events.table(), catalogue


def _event_in(record: Any) -> EventFact | None:
    """What a record of `events` says; None if it cannot be read, or is of a type that is not known."""
    try:
        return decode_event(record.key, record.value, record.timestamp)
    except (RefusedRecordError, UnknownTypeError):
        return None


async def read_sales(settings: Settings, *, withdrawn: bool = False) -> Catalogue:
    """All sales, as they stand on `sales` now; with those `withdrawn`, which are live until they were.

    Raises:
        BrokerError: the broker cannot be reached, or the topic is not there.
    """
    catalogue = Catalogue(partitions=1)  # read as one: a sale is in one of them, whose order is kept
    async for record in read_whole(settings.kafka, topic_set(settings.topics).sales.name):
        try:
            fact = decode_sale(record.key, record.value)
        except RefusedRecordError:
            continue
        (after,) = catalogue.offsets
        catalogue.apply(fact, 0, after, withdrawn_at=record.timestamp if withdrawn else None)
    return catalogue


async def read_labels(settings: Settings) -> list[SaleLabels]:
    """What was recognised in the images of each sale, as it stands on `sale-labels` now.

    Raises:
        BrokerError: the broker cannot be reached, or the topic is not there.
    """
    newest: dict[str, SaleLabels] = {}
    async for record in read_whole(settings.kafka, topic_set(settings.topics).sale_labels.name):
        try:
            fact = decode_labels(record.key, record.value)
        except RefusedRecordError:
            continue
        newest.pop(fact.sale_id, None)
        if isinstance(fact, SaleLabels):
            newest[fact.sale_id] = fact
    return list(newest.values())


class _Appends:
    """Events as they were appended, kept as columns until all are there and can be put in order."""

    def __init__(self) -> None:
        self._columns = Columns()
        self._newest: defaultdict[int, int] = defaultdict(int)
        self._ids, self._partitions, self._offsets = array("q"), array("i"), array("q")
        self._erased: defaultdict[str, dict[int, int]] = defaultdict(dict)
        # How many actions had been heard of when a visitor was to be forgotten, by partition.

    def add(self, event: EventFact | None, partition: int, offset: int, timestamp: int) -> None:
        """Take over the next record of a partition, which may be no event; `timestamp` is its append time."""
        # As workers have it, time in a partition never goes back, even if the clock of its broker does.
        self._newest[partition] = max(self._newest[partition], timestamp)
        if event is None:
            return
        if isinstance(event, Erasure):
            self._erased[event.visitor_id][partition] = len(self._ids)
            return
        if isinstance(event, Impression):
            self._columns.show(event)
            return
        self._columns.add(event, self._newest[partition])
        self._ids.append(_number(event))
        self._partitions.append(partition)
        self._offsets.append(offset)

    def table(self) -> EventTable:
        """The events in the order in which workers learn them; one that came again stands there once.

        One that was appended when its visit may have been over was imported, and no list was wanted then: it
        stands where it happened, as if it had been appended at that time. What visitors did before they were
        to be forgotten is left out.
        """
        table = self._columns.table()
        order = self._order(table)
        _, first = np.unique(np.array(self._ids, np.int64)[order], return_index=True)
        new = np.zeros(len(table), np.bool_)
        new[order[first]] = True
        late = table.appended - table.ts > VISIT_SILENCE
        moved = replace(table, appended=np.where(late, table.ts, table.appended))
        order = self._order(moved)
        kept = new & (np.arange(len(table)) >= self._erased_before(table))
        rows = order[kept[order]]
        return with_impressions(moved.only(rows), rows, self._columns.impressions)

    def _erased_before(self, table: EventTable) -> NDArray[np.int64]:
        """int64[n_rows]: of the visitor and in the partition of each row, the rows before this are erased."""
        numbers = {visitor_id: number for number, visitor_id in enumerate(self._erased, start=1)}
        heard = np.zeros((len(numbers) + 1, max(self._newest, default=0) + 1), np.int64)
        for visitor_id, number in numbers.items():
            for partition, count in self._erased[visitor_id].items():
                heard[number, partition] = count
        rows = np.array([numbers.get(visitor_id, 0) for visitor_id in table.visitor_ids], np.int64)
        return heard[rows[table.visitors], np.array(self._partitions, np.int64)]

    def _order(self, table: EventTable) -> NDArray[np.intp]:
        """By second of append, event time, partition and offset, as `Knowledge.advance` has it."""
        seconds = table.appended // SECOND
        return np.lexsort((np.array(self._offsets), np.array(self._partitions), table.ts, seconds))


def _number(event: Action) -> int:
    """A number of 64 bits for visitor and event id; two events of one number are rarer than broken disks."""
    name = f"{event.visitor_id}\n{event.event_id}".encode()
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "little", signed=True)
