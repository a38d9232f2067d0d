"""Labellers in workers: what a promotion makes of them, or the settings, loaded and ready to label."""

from pathlib import Path

import numpy as np

from models.labelling.labeller import Labeller, load_labeller, verify_labeller
from models.labelling.labeller_files import LABELLER, Manifest
from models.release_promotion import PromotedLabeller
from reco.errors import LabellingError, SettingsError
from streams.codecs import LIVE_LABELLER, decode_labeller_promotion
from streams.promotions import Kind
from streams.settings import Labelling


def load(promoted: PromotedLabeller, in_use: Labeller | None = None) -> Labeller:
    """The labeller that was promoted, ready to label; the one in use if that is it.

    Raises:
        LabellingError: it is not whole, cannot be used here, or is not what was promoted.
    """
    folder = Path(promoted.path)
    if in_use and (in_use.version, in_use.manifest.checksum) == (promoted.labeller, promoted.checksum):
        verify(promoted)
        return in_use
    _check(promoted, LABELLER.read_manifest(folder))  # before the networks, which take seconds
    labeller = _ready(folder)
    _check(promoted, labeller.manifest)
    return labeller


def of_settings(settings: Labelling) -> Labeller:
    """The labeller that is used without a promotion, ready to label.

    Raises:
        SettingsError: there is none.
        LabellingError: it is not whole, or cannot be used here.
    """
    if not settings.labeller:
        raise no_labeller()
    return _ready(settings.folder())


def no_labeller() -> SettingsError:
    """What is wrong where a labelling worker is wanted, and there is nothing for it to label with."""
    remedy = "name the folder that `tenfold labels train` wrote, or `tenfold labels promote` it"
    return SettingsError(
        [f"[labelling] labeller: none is set, and none is promoted that can be used; {remedy}"]
    )


def verify(promoted: PromotedLabeller) -> None:
    """Verify a labeller that was promoted, without TensorFlow.

    Raises:
        LabellingError: it is not whole, or is not what was promoted.
    """
    _check(promoted, verify_labeller(Path(promoted.path)).manifest)


def chosen(folder: Path) -> PromotedLabeller:
    """The labeller in `folder`, to be promoted.

    Raises:
        LabellingError: it is not whole.
    """
    place = folder.expanduser().resolve()
    manifest = verify_labeller(place).manifest
    return PromotedLabeller(manifest.id, str(place), manifest.checksum)


def _check(promoted: PromotedLabeller, manifest: Manifest) -> None:
    LABELLER.check_promoted(Path(promoted.path), manifest, (promoted.labeller, promoted.checksum))


def _ready(folder: Path) -> Labeller:
    """The labeller, used once: TensorFlow prepares itself for the first picture, which takes seconds."""
    labeller = load_labeller(folder)
    try:
        labeller.label(np.zeros((1, labeller.sight.views, *labeller.sight.size, 3), np.uint8))
    except Exception as error:  # TensorFlow raises anything, as where memory is short
        raise LabellingError(f"{folder}: cannot label a picture here: {error}") from error
    return labeller


LABELLERS = Kind(
    word="labeller",
    key=LIVE_LABELLER,
    decode=decode_labeller_promotion,
    check=verify,
    otherwise="the labeller of the settings",
    command="tenfold labels",
)
"""Labellers, as they are promoted."""
