"""Promotions: which ranker of which release is live, or which labeller, and what was live before."""

from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import asdict

from reco.events import Millis

MAX_BEFORE = 20
"""How many steps back a promotion remembers; beyond, it is what is used without one."""

RankerName: TypeAlias = Literal["mix", "visits", "content", "images"]
"""Which evidence a ranker reads: all, that of visits, of images and descriptions, or of images alone."""
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


class PromotedLabeller(Struct, frozen=True):
    """A labeller.

    Attributes:
        labeller: its version.
        path: its folder, as workers see it.
        checksum: that of its manifest; a folder with another content is not loaded.
    """

    labeller: ReleaseId
    path: FolderPath
    checksum: Checksum

    @property
    def name(self) -> str:
        """The name that labels give."""
        return self.labeller


P = TypeVar("P", bound=Promoted | PromotedLabeller)


class Live(Struct, Generic[P], frozen=True, kw_only=True):
    """What is live from now on, and was live before."""

    promoted_at: Millis
    before: Annotated[tuple[P, ...], Meta(max_length=MAX_BEFORE)] = ()

    @property
    def promoted(self) -> P:
        """What it makes live."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The name of what it makes live."""
        return self.promoted.name

    @property
    def steps(self) -> tuple[P, ...]:
        """What it makes live, and what was live before, newest first."""
        return (self.promoted, *self.before)


class Promotion(Live[Promoted], frozen=True, kw_only=True):
    """Which ranker is live from now on; without a promotion it is the built-in blend.

    Attributes:
        promoted_at: when, ms since the epoch, UTC.
        before: what was live before, newest first; before the last of them it was the blend.
    """

    release_id: ReleaseId
    path: FolderPath
    checksum: Checksum
    ranker: RankerName = "mix"

    @property
    def promoted(self) -> Promoted:
        """The ranker."""
        return Promoted(self.release_id, self.path, self.checksum, self.ranker)


class LabellerPromotion(Live[PromotedLabeller], frozen=True, kw_only=True):
    """Which labeller is live from now on; without a promotion it is that of the settings of each worker.

    Attributes:
        promoted_at: when, ms since the epoch, UTC.
        before: what was live before, newest first; before the last of them it was that of the settings.
    """

    labeller: ReleaseId
    path: FolderPath
    checksum: Checksum

    @property
    def promoted(self) -> PromotedLabeller:
        """The labeller."""
        return PromotedLabeller(self.labeller, self.path, self.checksum)


def promote(chosen: P, live: Live[P] | None, at: int) -> Live[P]:
    """The promotion of `chosen` at `at` (ms since the epoch, UTC), while `live` is live.

    What is live already is promoted again without a further step back.
    """
    before = () if live is None else live.before if chosen == live.promoted else live.steps
    return promotion_of(chosen, before, at)


def promotion_of(chosen: P, before: tuple[P, ...], at: int) -> Live[P]:
    """The promotion of `chosen` at `at`, with this past, newest first."""
    kind: Any = Promotion if isinstance(chosen, Promoted) else LabellerPromotion
    promotion: Live[P] = kind(**asdict(chosen), promoted_at=at, before=before[:MAX_BEFORE])
    return promotion
