"""Names of headers that are no UTF-8: the broker takes them, and aiokafka raises at one, for ever.

Names mean nothing here, so a record with such a one is a record like any other. aiokafka cannot read on
behind it, and loses what it has fetched of other partitions. So where it fails, its reader in Python reads
the batch, and is given bytes that are text whatever they are.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

LENGTH = slice(8, 12)
"""Where a batch says how many bytes follow."""


def take_any() -> None:
    """From now on, all consumers of this process read names of any bytes."""
    fetcher.MemoryRecords = _Fetched


class _Fetched:
    """The batches of a fetch, as aiokafka's `MemoryRecords` has them."""

    def __init__(self, fetched: bytes) -> None:
        self._left = memoryview(fetched)
        self._batches: Any = MemoryRecords(fetched)

    def size_in_bytes(self) -> int:
        return self._batches.size_in_bytes()  # type: ignore[no-any-return]

    def has_next(self) -> bool:
        return self._batches.has_next()  # type: ignore[no-any-return]

    def next_batch(self) -> "_Batch":
        end = LENGTH.stop + int.from_bytes(self._left[LENGTH])
        raw, self._left = self._left[:end], self._left[end:]
        return _Batch(self._batches.next_batch(), raw)


class _Batch:
    """A batch, and the bytes that it is read from."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        count = 0
        try:
            for count, record in enumerate(self._batch, start=1):  # noqa: B007 - how many were read
                yield record
        except (UnicodeDecodeError, CorruptRecordException):  # where nothing is compiled, it is the latter
            again: Any = _DefaultRecordBatchPy(self._raw)
            again._maybe_uncompress()  # noqa: SLF001
            again._buffer = _Readable(again._buffer)  # noqa: SLF001
            yield from islice(again, count, None)


class _Readable(bytearray):
    """Bytes of which any part is text: what is no UTF-8 is spelled out."""

    def __getitem__(self, at: Any) -> Any:
        part = super().__getitem__(at)
        return _Readable(part) if isinstance(at, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)
