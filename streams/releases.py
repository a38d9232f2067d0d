"""Releases of rankers in workers: what a promotion makes of them, loaded and ready to serve."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from models.blend import Blend
from models.release_manifest import RELEASE
from models.release_promotion import Promoted, RankerName
from models.releases import Release, load_release
from models.text import FILE, TextModel
from reco.errors import ReleaseError
from reco.features import FEATURES
from reco.parameters import Parameters
from reco.ranker import Ranker
from streams.codecs import LIVE_RELEASE, decode_promotion
from streams.promotions import Kind


@dataclass(frozen=True)
class Basis:
    """What knowledge is built with; equal for equal parameters and the same text model.

    Attributes:
        parameters: those of the recommenders.
        text_checksum: SHA-256 of the text model; empty if there is none.
        text_model: what makes vectors of the texts of sales.
    """

    parameters: Parameters = Parameters()  # noqa: RUF009 - it cannot be changed
    text_checksum: str = ""
    text_model: TextModel | None = field(default=None, compare=False, repr=False)


class Served(NamedTuple):
    """A ranker, and the basis of the knowledge that it was trained on."""

    ranker: Ranker
    basis: Basis


BLEND = Served(Blend(), Basis())
"""What is served without a promotion."""


def verified(folder: Path) -> Release:
    """The release in `folder`, verified as every worker does it.

    Raises:
        ReleaseError: it is not whole, or this version cannot serve it.
    """
    return load_release(folder, FEATURES)


def load(promoted: Promoted) -> Served:
    """What was promoted, ready to serve.

    Raises:
        ReleaseError: it is not whole, this version cannot serve it, or it is not what was promoted.
    """
    folder = Path(promoted.path)
    release = verified(folder)
    RELEASE.check_promoted(folder, release.manifest, (promoted.release_id, promoted.checksum))
    return _served(release, promoted.ranker)


def _served(release: Release, name: RankerName) -> Served:
    """A ranker of the release, and the basis that all of them share.

    Raises:
        ReleaseError: there is no such ranker, or the text model cannot be applied.
    """
    manifest, ranker = release.manifest, release.ranker(name)
    if FILE not in release.arrays:
        return Served(ranker, Basis(manifest.parameters))
    try:
        text_model = TextModel.from_bytes(release.arrays[FILE])
    except ReleaseError as error:
        raise ReleaseError(f"release {manifest.id}: {FILE}: {error}") from error
    return Served(ranker, Basis(manifest.parameters, manifest.files[FILE], text_model))


def chosen(folder: Path, ranker: RankerName) -> Promoted:
    """The ranker of the release in `folder`, to be promoted; loaded once, as workers will.

    Raises:
        ReleaseError: workers would refuse it.
    """
    release = verified(folder)
    _served(release, ranker)
    return Promoted(release.manifest.id, str(folder), release.manifest.checksum, ranker)


RANKERS = Kind(
    word="release",
    key=LIVE_RELEASE,
    decode=decode_promotion,
    check=load,
    otherwise="the built-in blend",
    command="tenfold releases",
)
"""Rankers of releases, as they are promoted."""
