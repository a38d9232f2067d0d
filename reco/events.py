"""The facts that tenfold hears of: clicks, carts, purchases, impressions, erasures, and sales.

Field constraints stand in the types; `streams.codecs` checks them once, when a record is decoded.
All times are integer milliseconds since the epoch, UTC.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

MAX_ID_LENGTH = 128
"""Longest accepted id, in characters."""
EARLIEST_TIME = 946_684_800_000
"""2000-01-01T00:00:00Z; an earlier event time is a mistake of the sender, often seconds for milliseconds."""
LATEST_TIME = 4_102_444_800_000
"""2100-01-01T00:00:00Z; keeps sums of times far from overflow."""

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]
Millis = Annotated[int, Meta(ge=EARLIEST_TIME, le=LATEST_TIME, description="ms since the epoch, UTC")]
ContextName = Annotated[str, Meta(min_length=1, max_length=64)]
ContextValue = Annotated[str, Meta(max_length=256)]
Context = Annotated[dict[ContextName, ContextValue], Meta(max_length=16)]
ImageUrl = Annotated[str, Meta(min_length=1, max_length=2048)]
Tag = Annotated[str, Meta(min_length=1, max_length=64)]
Position = Annotated[int, Meta(ge=1, le=1000)]


class _OnSale(Struct, frozen=True, gc=False, tag_field="type"):
    """What every action of a visitor on a sale says."""

    event_id: Id
    visitor_id: Id
    sale_id: Id
    ts: Millis
    session_id: Id | None = None
    context: Context = {}


class Click(_OnSale, frozen=True, gc=False, tag="click"):
    """A visitor looked at a sale."""


class Cart(_OnSale, frozen=True, gc=False, tag="cart"):
    """A visitor put a sale into the basket."""


class Purchase(_OnSale, frozen=True, gc=False, tag="purchase"):
    """A visitor bought from a sale."""

    quantity: Annotated[int, Meta(ge=1, le=10_000)] = 1
    price: Annotated[float, Meta(ge=0)] | None = None
    currency: Annotated[str, Meta(min_length=3, max_length=3)] | None = None


class Shown(Struct, frozen=True):
    """One sale of an impression; position 1 is the first."""

    sale_id: Id
    position: Position


class Impression(Struct, frozen=True, gc=False, tag_field="type", tag="impression"):
    """A visitor was shown sales of a list. Kept for training; it does not change the session."""

    event_id: Id
    visitor_id: Id
    list_id: Id
    ts: Millis
    shown: Annotated[tuple[Shown, ...], Meta(min_length=1, max_length=1000)]
    session_id: Id | None = None
    context: Context = {}


class Erasure(Struct, frozen=True, gc=False, tag_field="type", tag="erasure"):
    """A visitor is to be forgotten: nothing of what they did before is kept in states, or taught again."""

    event_id: Id
    visitor_id: Id
    ts: Millis


Event: TypeAlias = Click | Cart | Purchase | Impression
Action: TypeAlias = Click | Cart | Purchase
"""An event that changes a session."""
EventFact: TypeAlias = Event | Erasure
"""What stands on `events`."""


class Sale(Struct, frozen=True):
    """A sale as published or changed; open from `opens_at` to just before `closes_at` (null: for ever)."""

    sale_id: Id
    title: Annotated[str, Meta(min_length=1, max_length=512)]
    opens_at: Millis
    closes_at: Millis | None = None
    description: Annotated[str, Meta(max_length=20_000)] = ""
    image_urls: Annotated[tuple[ImageUrl, ...], Meta(max_length=32)] = ()
    price: Annotated[float, Meta(ge=0)] | None = None
    currency: Annotated[str, Meta(min_length=3, max_length=3)] | None = None
    country: Annotated[str, Meta(max_length=64)] | None = None
    tags: Annotated[tuple[Tag, ...], Meta(max_length=64)] = ()


class Withdrawal(Struct, frozen=True):
    """A sale was taken back: the tombstone of its key on the topic `sales`."""

    sale_id: Id


SaleFact: TypeAlias = Sale | Withdrawal
