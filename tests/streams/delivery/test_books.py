"""Each record of a partition is handed over once, in order, whatever the fetcher brings."""

from bisect import bisect_left

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.books import Books, Verdict

HERE, ELSEWHERE = TP("events", 0), TP("events", 1)


class Fetcher:
    """Reads a log with holes in it; loses batches and goes back now and then, as fetchers in a rebalance do.

    The first fetch after a seek starts there: aiokafka discards what it had fetched from elsewhere.
    """

    def __init__(self, log: list[int], end: int) -> None:
        """Behind the records at the offsets `log`, there is something else until `end`."""
        self._log = log
        self._end = end
        self._position = 0
        self._sought = True

    def seek(self, offset: int) -> None:
        self._position, self._sought = offset, True

    def fetch(self, size: int, jump: int) -> tuple[list[int], int]:
        """The next `size` records, after forgetting to hand out (or handing out again) `jump` before them.

        And the position after them, which is behind all that is no record.
        """
        there = bisect_left(self._log, self._position)
        start = there if self._sought else max(0, there + jump)
        self._sought = False
        batch, rest = self._log[start : start + size], self._log[start + size :]
        self._position = rest[0] if rest else self._end
        return batch, self._position


def take(books: Books, fetcher: Fetcher, batch: list[int], position: int) -> list[int]:
    """What is handed over of a batch, as the consumer does it."""
    taken: list[int] = []
    previous = None
    for offset in batch:
        verdict = books.judge(HERE, offset, previous)
        if verdict is Verdict.SEEK_BACK:
            fetcher.seek(books.next_offset(HERE))
            return taken
        if verdict is Verdict.HAND_OVER:
            books.handed_over(HERE, offset)
            taken.append(offset)
        previous = offset
    verdict = books.judge(HERE, position, previous)
    if verdict is Verdict.SEEK_BACK:
        fetcher.seek(books.next_offset(HERE))
    elif verdict is Verdict.HAND_OVER:
        books.passed(HERE, position)
    return taken


offsets = st.sets(st.integers(0, 200), min_size=1, max_size=80).map(sorted)
troubles = st.lists(st.tuples(st.integers(1, 10), st.integers(-5, 5)), max_size=40)


@given(offsets, st.integers(0, 5), troubles)
def test_nothing_is_skipped_and_nothing_comes_twice(
    log: list[int], markers: int, troubled: list[tuple[int, int]]
) -> None:
    end = log[-1] + 1 + markers
    books, fetcher = Books(), Fetcher(log, end)
    books.open({HERE: 0})
    taken: list[int] = []
    for size, jump in troubled:
        taken += take(books, fetcher, *fetcher.fetch(size, jump))
        assert taken == log[: len(taken)]
    for _ in range(4 * len(log)):
        taken += take(books, fetcher, *fetcher.fetch(10, 0))
    assert taken == log
    assert books.next_offset(HERE) == books.done(HERE, log[-1] + 1) == end


def test_a_partition_is_done_past_what_follows_its_last_record_once_all_records_are_done() -> None:
    books = Books()
    books.open({HERE: 3})
    books.handed_over(HERE, 3)
    books.handed_over(HERE, 4)
    books.passed(HERE, 7)
    assert [books.done(HERE, offset) for offset in (4, 5)] == [4, 7]
    books.passed(HERE, 9)
    assert [books.done(HERE, offset) for offset in (4, 5, 7)] == [4, 9, 9]
    books.close()
    assert books.done(HERE, 5) == 5


def test_a_partition_without_a_new_record_is_done_past_what_is_none() -> None:
    books = Books()
    books.open({HERE: 3})
    books.passed(HERE, 4)
    assert books.done(HERE, 3) == 4


def test_a_gap_that_is_still_there_after_a_seek_is_a_hole_in_the_log() -> None:
    books = Books()
    books.open({HERE: 3})
    assert books.judge(HERE, 9, None) is Verdict.SEEK_BACK
    assert books.judge(HERE, 9, None) is Verdict.HAND_OVER


def test_a_gap_is_in_doubt_again_after_another_assignment() -> None:
    books = Books()
    for _ in range(2):
        books.open({HERE: 3})
        assert books.judge(HERE, 9, None) is Verdict.SEEK_BACK


def test_a_gap_is_a_hole_if_the_fetch_has_the_record_that_was_handed_over_last_and_else_in_doubt() -> None:
    books = Books()
    books.open({HERE: 3})
    assert books.judge(HERE, 9, 1) is Verdict.SEEK_BACK  # a fetch without the record at 2 may lack others
    assert books.judge(HERE, 7, 2) is Verdict.HAND_OVER


def test_a_partition_that_is_not_this_consumers_is_closed() -> None:
    books = Books()
    books.open({HERE: 3})
    assert books.judge(ELSEWHERE, 0, None) is Verdict.CLOSED
    books.close()
    assert books.judge(HERE, 3, None) is Verdict.CLOSED
