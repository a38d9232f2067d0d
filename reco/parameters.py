"""The parameters of all recommenders: how fast they forget and how far they look; part of every release."""

from typing import Annotated

from msgspec import Meta, Struct

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LONGEST_WINDOW = 876_600.0
"""Hours between the earliest event time that there may be and the latest; no window can hold more."""

HalfLife = Annotated[int, Meta(ge=SECOND, le=3650 * DAY, description="ms")]
Fading = Annotated[float, Meta(gt=0, le=1)]


class PopularityParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Half-lives of counts, ms; a flash sale is hottest just after opening and lives for days.

    `ever` hardly forgets: how much a sale was looked at in all.
    """

    now: HalfLife = 5 * MINUTE
    recent: HalfLife = 30 * MINUTE
    today: HalfLife = 4 * HOUR
    lasting: HalfLife = 3 * DAY
    ever: HalfLife = 3650 * DAY
    segments: HalfLife = 10 * MINUTE


class CoVisitationParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Half-lives of pairs, ms; and what each older sale of a visitor weighs relative to the next newer."""

    now: HalfLife = 30 * MINUTE
    lasting: HalfLife = 12 * HOUR
    purchases: HalfLife = 7 * DAY
    recency: Fading = 0.2


class SessionKnnParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Which visits are neighbours, and how they vote.

    Attributes:
        neighbours: visits that vote (k of VMIS-kNN).
        newest: visits looked at per sale of the visitor (m of VMIS-kNN).
        selection: half-life of a visit's age when neighbours are chosen, ms.
        scoring: half-life of a visit's age when they vote, ms.
        recency: what a shared sale weighs relative to one that the visitor touched after it.
        nearness: what a sale of a neighbour weighs, for each step that it is away from the shared one.
        backward: what one weighs that the neighbour touched before the shared one; visits go onward.
        landing: what the first sale of a neighbour weighs; it was come to from elsewhere.
    """

    neighbours: Annotated[int, Meta(ge=1, le=10_000)] = 400
    newest: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    selection: HalfLife = 2 * HOUR
    scoring: HalfLife = HOUR
    recency: Fading = 0.3
    nearness: Fading = 0.7
    backward: Fading = 0.4
    landing: Fading = 0.5


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """All of them.

    Attributes:
        segments: names in the context of events by which popularity is counted apart.
        revisits: half-life of a visitor's own touch, ms.
    """

    popularity: PopularityParameters = PopularityParameters()
    covisitation: CoVisitationParameters = CoVisitationParameters()
    session_knn: SessionKnnParameters = SessionKnnParameters()
    revisits: HalfLife = 6 * HOUR
    segments: Annotated[tuple[str, ...], Meta(min_length=3, max_length=3)] = ("country", "device", "referrer")
