"""Active visitors: whose lists must be emitted again when a sale closes, opens or is withdrawn."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from reco.active import ActiveVisitors
from reco.lists import Provenance, Recommendation, TopTen
from reco.sessions import Session, Touch
from tests.reco.worlds import NOON

VISITORS = ("ann", "bob", "cleo")
SALES = ("oslo", "paris", "rome")
OFFSETS = (7, 1)


def session(visitor_id: str, offset: int = 0, last_ts: int = NOON) -> Session:
    """A session whose newest touch is of this time."""
    return Session(visitor_id, offset, recent=(Touch(last_ts, "e", "rome", "click"),))


def listing(*held: str, holds_until: int | None = NOON + 1000) -> TopTen:
    """A list of these sales."""
    sales = tuple(Recommendation(sale_id, 0.5) for sale_id in held)
    return TopTen("list", "visitor", NOON, holds_until, sales, Provenance(0, 0, 0, OFFSETS, "blend-1"))


def active(*lists: tuple[str, tuple[str, ...]]) -> ActiveVisitors:
    """Visitors for whom these lists were emitted, in this order, all in partition 0."""
    visitors = ActiveVisitors()
    for visitor_id, held in lists:
        visitors.emitted(0, session(visitor_id), listing(*held))
    return visitors


emissions = st.lists(
    st.tuples(st.sampled_from(VISITORS), st.lists(st.sampled_from(SALES), unique=True).map(tuple)),
    max_size=12,
)


@given(emissions)
def test_only_the_newest_list_of_a_visitor_counts(lists: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    visitors, newest = active(*lists), dict(lists)
    for sale_id in SALES:
        assert visitors.holding(sale_id) == {visitor for visitor, held in newest.items() if sale_id in held}
    assert set(visitors.visitors()) == set(newest)
    assert len(visitors) == len(newest)


def test_the_visitor_with_the_newest_list_comes_first() -> None:
    assert list(active(("ann", ()), ("bob", ()), ("ann", ("rome",))).visitors()) == ["ann", "bob"]


def test_it_knows_the_session_that_the_newest_list_was_computed_from() -> None:
    visitors = ActiveVisitors()
    visitors.emitted(2, session("ann", offset=41), listing("rome"))
    known = visitors.get("ann")
    assert known is not None
    assert (known.partition, known.session.offset, known.held) == (2, 41, ("rome",))
    assert visitors.offset("ann") == 41
    assert visitors.get("bob") is None
    assert visitors.offset("bob") == -1


def test_a_list_is_overtaken_when_it_holds_no_more_or_catalogue_or_release_have_changed() -> None:
    visitors = ActiveVisitors()
    visitors.emitted(0, session("ann"), listing("rome", holds_until=NOON + 5))
    visitors.emitted(0, session("bob"), listing("rome", holds_until=None))
    assert visitors.overtaken(NOON + 4, OFFSETS, "blend-1") == []
    assert visitors.overtaken(NOON + 5, OFFSETS, "blend-1") == ["ann"]
    assert visitors.overtaken(NOON + 4, (8, 1), "blend-1") == ["bob", "ann"]
    assert visitors.overtaken(NOON + 4, OFFSETS, "blend-2") == ["bob", "ann"]


def test_a_list_is_overtaken_when_the_rules_or_the_labels_are_others_than_it_was_made_from() -> None:
    visitors, made_from = ActiveVisitors(), Provenance(0, 0, 0, OFFSETS, "blend-1", "1a2b3c4d", (3,))
    visitors.emitted(0, session("ann"), TopTen("list", "ann", NOON, None, (), made_from))
    assert visitors.overtaken(NOON, OFFSETS, "blend-1", "1a2b3c4d", (3,)) == []
    assert visitors.overtaken(NOON, OFFSETS, "blend-1", "", (3,)) == ["ann"]
    assert visitors.overtaken(NOON, OFFSETS, "blend-1", "1a2b3c4d", (4,)) == ["ann"]


def test_lists_have_ended_from_the_moment_on_until_which_they_hold() -> None:
    visitors = ActiveVisitors()
    ends = NOON + 5, NOON + 9, None, NOON + 30
    for visitor, until in zip((*VISITORS, "dan"), ends, strict=True):
        visitors.emitted(0, session(visitor), listing("rome", holds_until=until))
    found = [visitors.ended(NOON + later) for later in (4, 5, 6, 9, 10)]
    assert found == [[], ["ann"], [], ["bob", "ann"], []]
    visitors.emitted(0, session("ann"), listing("rome", holds_until=NOON + 7))
    visitors.emitted(0, session("bob"), listing("rome", holds_until=NOON + 20))
    assert visitors.ended(NOON + 10) == ["ann"]


def test_visitors_go_when_their_last_event_is_too_old() -> None:
    visitors = ActiveVisitors()
    visitors.emitted(0, session("ann", last_ts=NOON - 1), listing("rome"))
    visitors.emitted(0, session("bob", last_ts=NOON), listing("rome"))
    visitors.expire(since=NOON)
    assert visitors.holding("rome") == {"bob"}


def test_visitors_go_with_their_partition() -> None:
    visitors = ActiveVisitors()
    for partition, visitor_id in enumerate(VISITORS):
        visitors.emitted(partition, session(visitor_id), listing("rome"))
    visitors.keep({0, 2})
    assert visitors.holding("rome") == {"ann", "cleo"}


def test_beyond_the_limit_the_list_emitted_longest_ago_is_let_go() -> None:
    visitors = ActiveVisitors(limit=2)
    for visitor_id in ("ann", "bob", "ann", "cleo"):
        visitors.emitted(0, session(visitor_id), listing("rome"))
    assert visitors.holding("rome") == {"ann", "cleo"}


def test_a_forgotten_visitor_is_nowhere_and_can_be_forgotten_again() -> None:
    visitors = active(("ann", ("rome",)))
    visitors.forget("ann")
    visitors.forget("ann")
    assert (len(visitors), visitors.holding("rome"), visitors.get("ann")) == (0, frozenset(), None)
