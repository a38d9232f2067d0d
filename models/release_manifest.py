"""The manifest of a release, `release.json`: what was trained, on what, how well, and its files."""

from typing import Annotated

from msgspec import Meta, Struct

from models.calibration import Calibration
from models.release_promotion import RankerName
from models.sealed import MEBIBYTE, Seal, SealedManifest
from reco.errors import ReleaseError
from reco.parameters import Parameters


class Trained(Struct, frozen=True):
    """One ranker of a release: the file of its forest, the features it reads in order, its calibration."""

    model: str
    features: Annotated[tuple[str, ...], Meta(min_length=1, max_length=1000)]
    calibration: Calibration


class Manifest(SealedManifest, frozen=True, kw_only=True):
    """What `release.json` says, beside what every manifest does.

    Attributes:
        features: the version of each feature that a ranker reads.
        parameters: those of the recommenders whose scores the rankers were trained on.
        rankers: by name.
    """

    features: dict[str, int]
    parameters: Parameters
    rankers: dict[RankerName, Trained]


RELEASE = Seal(
    kind="release",
    manifest=Manifest,
    file="release.json",
    format=1,
    max_manifest_bytes=16 * MEBIBYTE,  # calibrations are the largest thing in it
    max_file_bytes=256 * MEBIBYTE,  # a forest of a thousand trees has some 5 MB as text
    error=ReleaseError,
    found="see `tenfold releases list`",
)
