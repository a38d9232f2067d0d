"""A release is loaded as it was written, or refused with a sentence that names the culprit."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from models.calibration import Isotonic, Sigmoid
from models.release_manifest import RELEASE, Manifest
from models.releases import Learned, load_release, write_release
from models.sealed import checksum_of, digest, id_of
from reco.errors import ReleaseError
from reco.parameters import Parameters
from tests.full_disk import room_for
from tests.models.small_models import TRAINED_AT, forest_text, learned, training

KNOWN = {"popularity": 3, "covisitation": 1, "revisits": 2, "unread": 7}
FEATURES = ("popularity", "covisitation", "revisits")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole release with one more file."""
    return write_release(
        tmp_path / "data" / "releases", training(FEATURES, arrays={"text.npz": b"arrays"}), KNOWN
    )


def refusal(folder: Path) -> str:
    with pytest.raises(ReleaseError) as caught:
        load_release(folder, KNOWN)
    return str(caught.value)


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change the manifest as one who knows how to seal it would; the folder gets the name of its new id."""
    content = json.loads((folder / "release.json").read_text())
    change(content)
    content["checksum"] = checksum_of(content)
    content["id"] = id_of(content["created_at"], content["checksum"])
    (folder / "release.json").write_text(json.dumps(content))
    return folder.rename(folder.parent / content["id"])


def replace_file(folder: Path, name: str, value: bytes) -> Path:
    (folder / name).write_bytes(value)
    return edit(folder, lambda content: content["files"].update({name: digest(value)}))


def test_a_release_is_loaded_as_it_was_written(tmp_path: Path) -> None:
    given = training(
        FEATURES,
        parameters=Parameters(revisits=7_200_000),
        rankers={
            "mix": learned(FEATURES, 1, Isotonic((-1.5, 0.25), (0.1, 0.30000000000000004))),
            "visits": learned(FEATURES[:2], 2, Sigmoid(1.1, -0.1)),
            "content": learned(FEATURES[1:], 3),
        },
        arrays={"text.npz": b"\x00\x01"},
    )
    release = load_release(write_release(tmp_path, given, KNOWN), KNOWN)

    manifest = release.manifest
    assert manifest.created_at == given.created_at
    assert manifest.trained_on == given.trained_on
    assert manifest.parameters == given.parameters
    assert manifest.metrics == given.metrics
    assert manifest.features == {"covisitation": 1, "popularity": 3, "revisits": 2}
    assert release.arrays == {"text.npz": b"\x00\x01"}
    assert {name: (one.features, one.calibration) for name, one in release.rankers.items()} == {
        name: (one.features, one.calibration) for name, one in given.rankers.items()
    }


def test_its_rankers_score_as_the_models_that_were_trained(folder: Path) -> None:
    from lightgbm import Booster

    release = load_release(folder, KNOWN)
    rows = np.random.default_rng(4).lognormal(0, 2, (3, 40)).astype(np.float32)
    for name, features, seed in (("mix", 3, 1), ("visits", 2, 2)):
        booster = Booster(model_str=forest_text(FEATURES[:features], seed))
        raw = booster.predict(rows[:features].T, raw_score=True)
        expected = 1 / (1 + np.exp(-(0.9 * np.asarray(raw) - 1.0)))
        assert release.rankers[name].score(rows[:features]) == pytest.approx(expected, rel=1e-5)  # type: ignore[index]


def test_every_ranker_names_itself_and_its_release(folder: Path) -> None:
    release = load_release(folder, KNOWN)
    assert release.ranker("mix").release == f"{folder.name}/mix"
    assert release.ranker("visits").release == f"{folder.name}/visits"


def test_a_ranker_that_a_release_does_not_hold_is_refused(folder: Path) -> None:
    with pytest.raises(ReleaseError, match="holds no ranker content; take one of mix, visits"):
        load_release(folder, KNOWN).ranker("content")


def test_its_id_is_the_day_of_training_and_the_start_of_its_checksum(folder: Path) -> None:
    assert folder.name == f"2025-11-24-{RELEASE.read_manifest(folder).checksum[:8]}"


def test_the_same_training_is_the_same_release_and_another_is_another(tmp_path: Path) -> None:
    first = write_release(tmp_path, training(FEATURES), KNOWN)
    assert write_release(tmp_path, training(FEATURES), KNOWN) == first
    assert write_release(tmp_path, training(FEATURES, metrics={"auc": 0.76}), KNOWN) != first
    assert len(list(tmp_path.iterdir())) == 2


def test_nothing_in_a_release_is_a_pickle_and_nothing_is_left_beside_it(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "release.json",
        "mix.lgb.txt",
        "visits.lgb.txt",
        "text.npz",
    }
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("changes", "culprit"),
    [
        ({"rankers": {"visits": learned(FEATURES)}}, "no mix"),
        ({"rankers": {"mix": learned(("popularity", "telepathy"))}}, "telepathy"),
        ({"metrics": {"auc": float("nan")}}, "metrics"),
        ({"arrays": {"../text.npz": b""}}, r"'\.\./text\.npz'"),
        ({"arrays": {"release.json": b""}}, "release.json"),
        ({"created_at": TRAINED_AT // 1000}, "created_at"),
        ({"rankers": {"mix": Learned("tree", FEATURES, Sigmoid(1.0, 0.0))}}, "mix.lgb.txt"),
    ],
)
def test_what_could_not_be_loaded_again_is_not_written(
    tmp_path: Path, changes: dict[str, Any], culprit: str
) -> None:
    with pytest.raises(ReleaseError, match=culprit):
        write_release(tmp_path / "releases", training(FEATURES, **changes), KNOWN)
    assert not (tmp_path / "releases").exists() or list((tmp_path / "releases").iterdir()) == []


def test_where_there_is_no_room_it_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    with room_for(100), pytest.raises(ReleaseError, match=r"release cannot be written there: .*make room"):
        write_release(tmp_path, training(FEATURES), KNOWN)
    assert list(tmp_path.iterdir()) == []


# -- what is refused: a change of the folder, and what the sentence must name


def truncated(folder: Path) -> Path:
    path = folder / "mix.lgb.txt"
    path.write_bytes(path.read_bytes()[:-1])
    return folder


def lengthened(folder: Path) -> Path:
    with (folder / "text.npz").open("ab") as file:
        file.write(b"\n")
    return folder


def linked(folder: Path) -> Path:
    elsewhere = folder.parent / "elsewhere.txt"
    (folder / "visits.lgb.txt").rename(elsewhere)
    (folder / "visits.lgb.txt").symlink_to(elsewhere)
    return folder


def piped(folder: Path) -> Path:
    (folder / "text.npz").unlink()
    os.mkfifo(folder / "text.npz")
    return folder


def huge(folder: Path) -> Path:
    with (folder / "text.npz").open("r+b") as file:
        file.truncate(RELEASE.max_file_bytes + 1)
    return folder


def pickled(folder: Path) -> Path:
    return replace_file(folder, "mix.lgb.txt", b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94.")


def renamed(folder: Path) -> Path:
    return folder.rename(folder.parent / "2025-11-24-00000000")


def without(name: str) -> Callable[[Path], Path]:
    def change(folder: Path) -> Path:
        (folder / name).unlink()
        return folder

    return change


def manifest_text(text: str) -> Callable[[Path], Path]:
    def change(folder: Path) -> Path:
        (folder / "release.json").write_text(text)
        return folder

    return change


def unsealed(old: str, new: str) -> Callable[[Path], Path]:
    """A change of the manifest's text that leaves the checksum as it was."""

    def change(folder: Path) -> Path:
        path = folder / "release.json"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return folder

    return change


def sealed(*path: str, value: Any) -> Callable[[Path], Path]:
    """A change of one field of the manifest, with the right checksum; the value None drops it."""

    def change(content: dict[str, Any]) -> None:
        *above, last = path
        for name in above:
            content = content[name]
        if value is None:
            del content[last]
        else:
            content[last] = value

    return lambda folder: edit(folder, change)


def sigmoid(slope: Any) -> dict[str, Any]:
    return {"kind": "sigmoid", "slope": slope, "intercept": 0.0}


def isotonic(x: list[Any], y: list[float]) -> dict[str, Any]:
    return {"kind": "isotonic", "x": x, "y": y}


MIX = ("rankers", "mix")
CORRUPTIONS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no folder": (
        lambda folder: folder.parent / "2025-11-24-12345678",
        "2025-11-24-12345678.*no such folder",
    ),
    "a folder of another name": (renamed, "2025-11-24-00000000: holds the release .*; name the folder"),
    "no manifest": (without("release.json"), r"release\.json: is missing"),
    "a manifest that is no JSON": (manifest_text("{"), r"release\.json: .*copy the release again"),
    "an endless manifest": (manifest_text("[" * 100_000), r"release\.json: "),
    "a format to come": (unsealed('"format": 1', '"format": 2'), "format 2, .* reads 1; update tenfold"),
    "a format of old": (unsealed('"format": 1', '"format": 0'), "format 0, .* reads 1; train it again"),
    "an altered metric": (unsealed("0.75", "0.95"), "checksum is .* it was altered"),
    "an altered id": (unsealed('"id": "2025', '"id": "2026'), "id 2026-.* is not that of its content"),
    "a missing model": (without("mix.lgb.txt"), r"mix\.lgb\.txt: is missing"),
    "a missing array": (without("text.npz"), r"text\.npz: is missing"),
    "a byte too few": (truncated, r"mix\.lgb\.txt: its .* bytes are not those that were released"),
    "a byte too many": (lengthened, r"text\.npz: its 7 bytes are not those that were released"),
    "a link": (linked, r"visits\.lgb\.txt: is a link"),
    "a pipe": (piped, r"text\.npz: is a link or no file"),
    "a file too large": (huge, r"text\.npz: is larger than 268,435,456 bytes"),
    "a file above the folder": (
        sealed("files", "../secret", value="0" * 64),
        r"release\.json: files: '\.\./secret' is no name of a file in the folder",
    ),
    "an absolute file": (
        sealed("files", "/etc/passwd", value="0" * 64),
        "'/etc/passwd' is no name of a file",
    ),
    "a model above the folder": (sealed(*MIX, "model", value="../mix"), r"files: \.\./mix is not among"),
    "a model of no file": (sealed("files", "mix.lgb.txt", value=None), r"files: mix\.lgb\.txt is not among"),
    "one model for two": (sealed(*MIX, "model", value="visits.lgb.txt"), "two of them name one model"),
    "no ranker mix": (sealed(*MIX, value=None), "rankers: there is no mix"),
    "an unknown ranker": (sealed("rankers", "oracle", value={}), r"release\.json: .*oracle"),
    "an unknown feature": (sealed("features", "telepathy", value=1), "features: telepathy is not known"),
    "another version of a feature": (
        sealed("features", "popularity", value=2),
        "features: popularity is version 2, here it is 3",
    ),
    "a feature without version": (
        sealed("features", "revisits", value=None),
        "features: revisits, which mix",
    ),
    "features in another order": (
        sealed(*MIX, "features", value=["covisitation", "popularity", "revisits"]),
        r"mix\.lgb\.txt: reads popularity, .* the release says covisitation, ",
    ),
    "a feature too few": (
        sealed(*MIX, "features", value=["popularity"]),
        r"mix\.lgb\.txt: reads popularity, ",
    ),
    "an unknown parameter": (sealed("parameters", "luck", value=1), r"release\.json: .*luck.*parameters"),
    "a parameter out of range": (sealed("parameters", "revisits", value=5), r"release\.json: .*revisits"),
    "a calibration that falls": (
        sealed(*MIX, "calibration", value=isotonic([0.0, 1.0], [0.3, 0.2])),
        r"x and y must increase .*calibration",
    ),
    "a calibration that stands still": (
        sealed(*MIX, "calibration", value=isotonic([0.0, 1.0], [0.2, 0.2])),
        r"x and y must increase .*calibration",
    ),
    "a calibration that is not finite": (
        sealed(*MIX, "calibration", value=isotonic([0.0, "Infinity"], [0.2, 0.3])),
        r"release\.json: .*calibration",
    ),
    "a sigmoid that falls": (sealed(*MIX, "calibration", value=sigmoid(-1.0)), "slope above 0.*calibration"),
    "no model but a pickle": (pickled, r"mix\.lgb\.txt: is no model"),
    "no model but a text": (
        lambda folder: replace_file(folder, "mix.lgb.txt", b"tree\nversion=v4\n"),
        r"mix\.lgb\.txt: is no model",
    ),
    "half a model": (
        lambda folder: replace_file(folder, "mix.lgb.txt", forest_text(FEATURES).encode()[:1500]),
        r"mix\.lgb\.txt: is no model",
    ),
    "the model of another ranker": (
        lambda folder: replace_file(folder, "mix.lgb.txt", forest_text(FEATURES[:2], 2).encode()),
        r"mix\.lgb\.txt: reads popularity, covisitation, the release says",
    ),
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_release_that_is_not_whole_is_refused_with_the_culprit(folder: Path, corruption: str) -> None:
    corrupt, culprit = CORRUPTIONS[corruption]
    with pytest.raises(ReleaseError, match=culprit):
        load_release(corrupt(folder), KNOWN)


def test_a_bit_that_is_flipped_anywhere_is_noticed(folder: Path) -> None:
    random = np.random.default_rng(7)
    whole = RELEASE.read_manifest(folder)
    for name in ("release.json", "mix.lgb.txt", "visits.lgb.txt", "text.npz"):
        path = folder / name
        value = path.read_bytes()
        for at in random.choice(8 * len(value), min(60, 8 * len(value)), replace=False).tolist():
            flipped = bytearray(value)
            flipped[at // 8] ^= 1 << at % 8
            path.write_bytes(flipped)
            assert is_refused(folder) or (name == "release.json" and RELEASE.read_manifest(folder) == whole)
        path.write_bytes(value)
    assert not is_refused(folder)


def is_refused(folder: Path) -> bool:
    try:
        load_release(folder, KNOWN)
    except ReleaseError:
        return True
    return False


def test_a_path_that_no_file_system_takes_is_refused_as_any_other(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="cannot be read"):
        load_release(tmp_path / ("x" * 300), KNOWN)


def test_a_file_that_the_manifest_does_not_name_is_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "notes")
    assert load_release(folder, KNOWN).manifest == RELEASE.read_manifest(folder)


def test_a_release_of_a_later_version_with_more_fields_of_the_manifest_is_read(folder: Path) -> None:
    more = edit(folder, lambda content: content.update(motto="more is less"))
    assert load_release(more, KNOWN).manifest.metrics == {"auc": 0.75, "log_loss": 0.125}


def test_the_checksum_is_of_the_content_not_of_its_layout(folder: Path) -> None:
    path = folder / "release.json"
    manifest = RELEASE.read_manifest(folder)
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()), order="sorted"))
    assert RELEASE.read_manifest(folder) == manifest
    assert isinstance(manifest, Manifest)
