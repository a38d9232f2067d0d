"""Promotions: which ranker of which release is live, and what was live before."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from reco.events import Millis

MAX_BEFORE = 20
"""How many steps back a promotion remembers; beyond, it is the built-in blend."""

RankerName: TypeAlias = Literal["mix", "visits", "content"]
"""Which evidence a ranker reads: all of it, that of visits alone, or that of images and texts alone."""
RELEASE_ID = r"^\d{4}-\d{2}-\d{2}-[0-9a-f]{8}$"
ReleaseId = Annotated[str, Meta(pattern=RELEASE_ID)]
Checksum = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="SHA-256, hexadecimal")]
FolderPath = Annotated[str, Meta(min_length=1, max_length=4096)]


class Promoted(Struct, frozen=True):
    """A ranker of a release.

    Attributes:
        release_id: the release.
        path: its folder, as workers see it.
        checksum: that of its manifest; a folder with another content is not loaded.
        ranker: which of its rankers.
    """

    release_id: ReleaseId
    path: FolderPath
    checksum: Checksum
    ranker: RankerName = "mix"

    @property
    def name(self) -> str:
        """The name that lists give: `2026-11-24-1a2b3c4d/mix`."""
        return f"{self.release_id}/{self.ranker}"


class Promotion(Promoted, frozen=True, kw_only=True):
    """What is live from now on; without a promotion it is the built-in blend.

    Attributes:
        promoted_at: when, ms since the epoch, UTC.
        before: what was live before, newest first; before the last of them it was the blend.
    """

    promoted_at: Millis
    before: Annotated[tuple[Promoted, ...], Meta(max_length=MAX_BEFORE)] = ()

    @property
    def promoted(self) -> Promoted:
        """What it makes live."""
        return Promoted(self.release_id, self.path, self.checksum, self.ranker)


def promote(chosen: Promoted, live: Promotion | None, at: int) -> Promotion:
    """The promotion of `chosen` at `at` (ms since the epoch, UTC), while `live` is live.

    What is live already is promoted again without a further step back.
    """
    if live is None:
        return promotion_of(chosen, (), at)
    again = chosen == live.promoted
    return promotion_of(chosen, live.before if again else (live.promoted, *live.before), at)


def promotion_of(chosen: Promoted, before: tuple[Promoted, ...], at: int) -> Promotion:
    """The promotion of `chosen` at `at`, with this past, newest first."""
    fields = (chosen.release_id, chosen.path, chosen.checksum, chosen.ranker)
    return Promotion(*fields, promoted_at=at, before=before[:MAX_BEFORE])
