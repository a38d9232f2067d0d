"""Releases of rankers: a folder each, written whole and loaded whole, or not at all.

`release.json` names everything; the forests stand beside it as LightGBM's text, and arrays of other learned
things as they are. Files that the manifest does not name are never opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.calibration import Calibration
from models.forest import Forest
from models.meta_model import MetaModel
from models.release_manifest import RELEASE, Manifest, Trained
from models.release_promotion import RankerName
from models.sealed import digest, write
from reco.errors import ReleaseError
from reco.parameters import Parameters

ALWAYS: RankerName = "mix"
"""The ranker that every release holds."""


@dataclass(frozen=True)
class Learned:
    """A ranker as training hands it over: LightGBM's text, its features in order, its calibration."""

    model: str
    features: tuple[str, ...]
    calibration: Calibration


@dataclass(frozen=True)
class Training:
    """What training hands over to be released.

    Attributes:
        created_at: when it ended, ms since the epoch, UTC.
        trained_on: source, period, rows, seed: whatever one may want to know later, as JSON.
        parameters: those of the recommenders whose scores the rankers were trained on.
        metrics: how well it did, by name; finite.
        arrays: other files by name, such as `text.msgpack`.
    """

    created_at: int
    trained_on: Mapping[str, Any]
    parameters: Parameters
    metrics: Mapping[str, float]
    rankers: Mapping[RankerName, Learned]
    arrays: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Release:
    """A release, verified and ready to serve; `arrays` are its other files, as bytes."""

    manifest: Manifest
    rankers: Mapping[RankerName, MetaModel]
    arrays: Mapping[str, bytes]

    def ranker(self, name: RankerName) -> MetaModel:
        """One of its rankers.

        Raises:
            ReleaseError: it does not hold that one.
        """
        if name not in self.rankers:
            held = ", ".join(self.rankers)
            raise ReleaseError(f"release {self.manifest.id} holds no ranker {name}; take one of {held}")
        return self.rankers[name]


def write_release(releases: Path, training: Training, known_features: Mapping[str, int]) -> Path:
    """Write a release below the folder `releases`; its own folder, which is named after its id.

    Raises:
        ReleaseError: it could not be loaded again; nothing is written then.
    """
    files = {f"{name}.lgb.txt": learned.model.encode() for name, learned in training.rankers.items()}
    files |= training.arrays
    manifest = _manifest(training, files, known_features)

    def fill(folder: Path) -> Manifest:
        for name, value in files.items():
            write(folder / name, value)
        return manifest

    return RELEASE.place(releases, fill, lambda folder: load_release(folder, known_features))


def _manifest(training: Training, files: Mapping[str, bytes], known_features: Mapping[str, int]) -> Manifest:
    rankers = {
        name: Trained(f"{name}.lgb.txt", learned.features, learned.calibration)
        for name, learned in training.rankers.items()
    }
    read = sorted({feature for ranker in rankers.values() for feature in ranker.features})
    if unknown := [feature for feature in read if feature not in known_features]:
        raise ReleaseError(f"there is no feature {unknown[0]}; train on those that there are")
    return RELEASE.seal(
        {
            "created_at": training.created_at,
            "trained_on": training.trained_on,
            "features": {feature: known_features[feature] for feature in read},
            "parameters": training.parameters,
            "metrics": training.metrics,
            "rankers": rankers,
            "files": {name: digest(value) for name, value in files.items()},
        }
    )


def load_release(folder: Path, known_features: Mapping[str, int]) -> Release:
    """The release in `folder`, every byte of it verified.

    Args:
        folder: named after the id of the release.
        known_features: the version of each feature that this version of tenfold computes.

    Raises:
        ReleaseError: it is not whole, or this version cannot serve it; says what, where and what to do.
    """
    manifest = RELEASE.read_manifest(folder)
    _check_rankers(folder / RELEASE.file, manifest, known_features)
    files = RELEASE.read_files(folder, manifest)
    rankers: dict[RankerName, MetaModel] = {
        name: _ranker(folder, f"{manifest.id}/{name}", trained, files.pop(trained.model))
        for name, trained in manifest.rankers.items()
    }
    return Release(manifest, rankers, files)


def _check_rankers(path: Path, manifest: Manifest, known_features: Mapping[str, int]) -> None:
    """Check what the manifest says about rankers and features."""
    if ALWAYS not in manifest.rankers:
        raise ReleaseError(f"{path}: rankers: there is no {ALWAYS}; train it again, with that one")
    models = [trained.model for trained in manifest.rankers.values()]
    if unlisted := [model for model in models if model not in manifest.files]:
        raise ReleaseError(f"{path}: files: {unlisted[0]} is not among them; train it again")
    if len(set(models)) < len(models):
        raise ReleaseError(f"{path}: rankers: two of them name one model; train it again")
    for name, trained in manifest.rankers.items():
        if undescribed := [one for one in trained.features if one not in manifest.features]:
            raise ReleaseError(f"{path}: features: {undescribed[0]}, which {name} reads, has no version")
    for feature, version in manifest.features.items():
        if feature not in known_features:
            raise ReleaseError(f"{path}: features: {feature} is not known; update tenfold or train it again")
        if version != known_features[feature]:
            raise ReleaseError(
                f"{path}: features: {feature} is version {version}, here it is {known_features[feature]}; "
                "train it again with this version, or run the one it was trained with"
            )


def _ranker(folder: Path, release: str, trained: Trained, model: bytes) -> MetaModel:
    path = folder / trained.model
    try:
        forest = Forest.parse(model.decode())
    except (ReleaseError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{path}: is no model that can be read: {error}; train it again") from error
    if forest.features != trained.features:
        raise ReleaseError(
            f"{path}: reads {', '.join(forest.features)}, the release says {', '.join(trained.features)}; "
            "train it again"
        )
    # Nothing is asked of recommenders that the trees do not look at.
    return MetaModel(release, forest.narrowed(), trained.calibration)
