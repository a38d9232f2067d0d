"""The books of a consumer: which record of each partition is handed over next, and how far it is done."""

from collections.abc import Mapping
from enum import Enum, auto

from faust.types import TP


class Verdict(Enum):
    """What to do with a fetched record."""

    HAND_OVER = auto()
    SKIP = auto()
    """It was handed over before."""
    SEEK_BACK = auto()
    """Something before it is missing: fetch again from the next offset."""
    CLOSED = auto()
    """The partition is not, or not yet, this consumer's."""


class Books:
    """The next offset of each partition, and which gaps are holes in the log itself.

    >>> books = Books()
    >>> books.open({TP("events", 0): 5})
    >>> [books.judge(TP("events", 0), offset, None).name for offset in (4, 5, 7)]
    ['SKIP', 'HAND_OVER', 'SEEK_BACK']
    """

    def __init__(self) -> None:
        self._next: dict[TP, int] = {}
        self._handed: dict[TP, int] = {}
        self._gaps: dict[TP, tuple[int, int]] = {}

    def open(self, starts: Mapping[TP, int]) -> None:
        """Begin anew: these partitions, each at this offset."""
        self._next = dict(starts)
        self._handed = dict(starts)
        self._gaps = {}

    def close(self) -> None:
        """Hand over nothing more until they are opened again."""
        self._next = {}

    def next_offset(self, tp: TP) -> int:
        """The offset that is handed over next.

        Raises:
            KeyError: the partition is closed.
        """
        return self._next[tp]

    def judge(self, tp: TP, offset: int, previous: int | None) -> Verdict:
        """What to do with the record at `offset`, which came after that at `previous` of the same fetch.

        Likewise with the position `offset` after a fetch whose last record is that at `previous`.
        """
        expected = self._next.get(tp)
        if expected is None:
            return Verdict.CLOSED
        if offset < expected:
            return Verdict.SKIP
        if offset > expected and not self._is_hole(tp, expected, offset, previous):
            return Verdict.SEEK_BACK
        return Verdict.HAND_OVER

    def handed_over(self, tp: TP, offset: int) -> None:
        """The record at `offset` is with its agent."""
        self._next[tp] = self._handed[tp] = offset + 1

    def passed(self, tp: TP, offset: int) -> None:
        """There is no record from the next offset to `offset`, which is the next one now."""
        self._next[tp] = offset

    def done(self, tp: TP, offset: int) -> int:
        """How far a partition is done once all records before `offset` are: past what follows and is none."""
        return self._next[tp] if tp in self._next and offset >= self._handed[tp] else offset

    def _is_hole(self, tp: TP, expected: int, found: int, previous: int | None) -> bool:
        """Whether the log really has nothing from `expected` to `found`: compacted, aborted, or a marker.

        One fetch is contiguous, so a gap inside it is a hole; a gap before it is one if it is still there
        after a seek back to `expected`.
        """
        if previous == expected - 1 or self._gaps.get(tp) == (expected, found):
            return True
        self._gaps[tp] = (expected, found)
        return False
