"""Labellers: what is loaded is what was written, and what is not whole is refused whole."""

import io
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.labelling.backbones import Backbone, small_network
from models.labelling.head import Head
from models.labelling.labeller import (
    ARRAYS,
    Labelled,
    Labeller,
    Provenance,
    Recognition,
    check_backbones,
    load_labeller,
    write_labeller,
)
from models.labelling.labeller_files import HEAD, LABELLER, TOPICS
from models.labelling.pictures import Sight
from models.labelling.topics import TopicOptions, Topics, fit_topics
from models.sealed import checksum_of, digest, id_of
from reco.errors import LabellingError
from tests.full_disk import room_for

CLASSES = ("beach", "castle", "desert", "harbour", "island", "jungle")
SIZE = (16, 16)
TRAINED_AT = 1_795_500_000_000


def images(n: int = 5) -> Any:
    return np.random.default_rng(0).integers(0, 256, (n, *SIZE, 3), np.uint8)


def head(backbones: tuple[Backbone, ...]) -> Head:
    random, units, members = np.random.default_rng(1), 7, 2
    d = sum(backbone.dimensions for backbone in backbones)

    def drawn(*shape: int) -> NDArray[np.float32]:
        return random.normal(0, 1, shape).astype(np.float32)

    return Head(
        CLASSES,
        tuple(backbone.dimensions for backbone in backbones),
        mean=drawn(d),
        deviation=np.abs(drawn(d)) + np.float32(0.1),
        hidden=drawn(members, d, units),
        hidden_bias=drawn(members, units),
        output=drawn(members, units, len(CLASSES)),
        output_bias=drawn(members, len(CLASSES)),
        temperature=1.5,
    )


def topics() -> Topics:
    scores = np.random.default_rng(2).dirichlet(np.full(6, 0.3), 60).astype(np.float32)
    return fit_topics(scores, CLASSES, TopicOptions(numbers=(3,)))


@pytest.fixture(scope="module")
def recognition() -> Recognition:
    backbones = tuple(Backbone(small_network(3, SIZE, seed)) for seed in (0, 1))
    return Recognition(backbones, head(backbones), topics())


@pytest.fixture(scope="module")
def written(recognition: Recognition, tmp_path_factory: pytest.TempPathFactory) -> Path:
    provenance = Provenance(TRAINED_AT, {"images": "scenes", "pictures": 60}, {"top-1": 0.9})
    return write_labeller(tmp_path_factory.mktemp("labellers"), recognition, provenance)


@pytest.fixture(scope="module")
def loaded(written: Path) -> Labeller:
    return load_labeller(written)


@pytest.fixture
def copied(written: Path, tmp_path: Path) -> Path:
    """A labeller that a test may damage."""
    return Path(shutil.copytree(written, tmp_path / written.name))


def resealed(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The labeller as one would write it who knows how checksums are made: the folder under its new name."""
    content = json.loads((folder / LABELLER.file).read_text())
    change(content)
    content["files"] = {name: digest((folder / name).read_bytes()) for name in content["files"]}
    content["checksum"] = checksum_of(content)
    content["id"] = id_of(content["created_at"], content["checksum"])
    (folder / LABELLER.file).write_text(json.dumps(content))
    return folder.rename(folder.parent / content["id"])


def unchanged(_: dict[str, Any]) -> None:
    pass


def rewritten_head(folder: Path, **changes: Any) -> Path:
    with np.load(folder / HEAD, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in ARRAYS} | changes
    file = io.BytesIO()
    np.savez(file, **arrays)
    (folder / HEAD).write_bytes(file.getvalue())
    return resealed(folder, unchanged)


def test_a_loaded_labeller_says_what_the_written_one_says(loaded: Labeller, recognition: Recognition) -> None:
    features = np.hstack([backbone.features(images()) for backbone in recognition.backbones])
    found = loaded.label(images())
    np.testing.assert_allclose(found.scores, recognition.head.probabilities(features), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.embeddings, recognition.head.embedding(features), rtol=1e-3, atol=1e-5)
    assert recognition.topics is not None
    np.testing.assert_allclose(found.topics, recognition.topics.shares(found.scores), atol=1e-6)


def test_it_knows_its_version_classes_topics_and_size(loaded: Labeller, written: Path) -> None:
    assert loaded.version == written.name
    assert loaded.version.startswith("2026-11-24-")
    assert loaded.classes == CLASSES
    assert len(loaded.topic_names) == 3
    assert loaded.sight == Sight(SIZE, views=1)
    assert loaded.manifest.trained_on["pictures"] == 60


def test_what_is_recognised_is_float32_of_the_shapes_that_are_promised(loaded: Labeller) -> None:
    found: Labelled = loaded.label(images(3))
    assert [one.shape for one in found] == [(3, 6), (3, 3), (3, 256)]
    assert all(one.dtype == np.float32 for one in found)


def test_a_labeller_without_topics_gives_none(recognition: Recognition, tmp_path: Path) -> None:
    bare = Recognition(recognition.backbones, recognition.head)
    found = load_labeller(write_labeller(tmp_path, bare, Provenance(TRAINED_AT, {})))
    assert found.topic_names == ()
    assert found.label(images(2)).topics.shape == (2, 0)


def test_a_labeller_looks_at_pictures_as_its_head_was_trained_to(
    recognition: Recognition, tmp_path: Path
) -> None:
    loaded = load_labeller(
        write_labeller(tmp_path, replace(recognition, views=2), Provenance(TRAINED_AT, {}))
    )
    assert loaded.sight == Sight(SIZE, views=2)
    views = np.stack([images(4), images(4)[::-1]], axis=1)
    features = np.hstack([one.features(views) for one in recognition.backbones])
    np.testing.assert_array_equal(loaded.label(views).embeddings, loaded.label_features(features).embeddings)


def test_a_labeller_with_more_views_than_are_known_is_refused(
    recognition: Recognition, tmp_path: Path
) -> None:
    with pytest.raises(LabellingError, match="views"):
        write_labeller(tmp_path, replace(recognition, views=3), Provenance(TRAINED_AT, {}))


def test_nothing_is_left_beside_a_labeller(written: Path) -> None:
    assert [path.name for path in written.parent.iterdir()] == [written.name]


def test_what_one_who_was_killed_left_unfinished_goes_after_a_day(
    recognition: Recognition, tmp_path: Path
) -> None:
    for name, hours in ((".unfinished-left", 25), (".unfinished-at-work", 23), ("2026-11-24-1a2b3c4d", 99)):
        (tmp_path / name / "labeller").mkdir(parents=True)
        at = time.time() - hours * 3600
        os.utime(tmp_path / name, (at, at))
    written = write_labeller(tmp_path, recognition, Provenance(TRAINED_AT, {}))
    kept = {".unfinished-at-work", "2026-11-24-1a2b3c4d", written.name}
    assert {one.name for one in tmp_path.iterdir()} == kept


def test_what_cannot_be_loaded_again_is_not_written(recognition: Recognition, tmp_path: Path) -> None:
    broken = head(recognition.backbones)
    broken.hidden[0, 0, 0] = np.nan
    with pytest.raises(LabellingError, match="hidden is not finite"):
        write_labeller(tmp_path, Recognition(recognition.backbones, broken), Provenance(TRAINED_AT, {}))
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_room_it_says_so_and_leaves_nothing(
    recognition: Recognition, tmp_path: Path
) -> None:
    with (
        room_for(1000),
        pytest.raises(LabellingError, match=r"labeller cannot be written there: .*make room"),
    ):
        write_labeller(tmp_path, recognition, Provenance(TRAINED_AT, {}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["backbone-1.keras", "backbone-2.keras", HEAD, TOPICS])
def test_a_file_with_one_other_bit_is_refused(copied: Path, name: str) -> None:
    value = bytearray((copied / name).read_bytes())
    value[len(value) // 2] ^= 1
    (copied / name).write_bytes(value)
    with pytest.raises(LabellingError, match=rf"{name}: its [\d,]+ bytes are not those"):
        load_labeller(copied)


@pytest.mark.parametrize("name", ["backbone-2.keras", HEAD, TOPICS, LABELLER.file])
def test_a_missing_file_is_refused(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(LabellingError, match=f"{name}: is missing; copy the labeller again"):
        load_labeller(copied)


def test_an_altered_manifest_is_refused(copied: Path) -> None:
    text = (copied / LABELLER.file).read_text()
    (copied / LABELLER.file).write_text(text.replace('"beach"', '"brothel"'))
    with pytest.raises(LabellingError, match="it was altered"):
        load_labeller(copied)


def test_a_folder_with_the_name_of_another_labeller_is_refused(copied: Path) -> None:
    with pytest.raises(LabellingError, match="name the folder like it"):
        load_labeller(copied.rename(copied.parent / "2026-11-24-00000000"))


def test_a_link_in_place_of_a_file_is_refused(copied: Path, written: Path) -> None:
    (copied / HEAD).unlink()
    (copied / HEAD).symlink_to(written / HEAD)
    with pytest.raises(LabellingError, match="is a link"):
        load_labeller(copied)


def test_a_file_that_the_manifest_does_not_name_changes_nothing(copied: Path) -> None:
    (copied / "note.txt").write_text("by hand")
    assert load_labeller(copied).version == copied.name


def test_a_labeller_of_a_later_format_is_refused(copied: Path) -> None:
    folder = resealed(copied, lambda content: content.update(format=2))
    with pytest.raises(LabellingError, match="format 2, this version reads 1; update tenfold"):
        load_labeller(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": np.zeros(3, np.float32)}, r"mean is float32\[3\], not float32\[256\]"),
        ({"mean": np.zeros(256)}, r"mean is float64\[256\]"),
        ({"deviation": np.zeros(256, np.float32)}, "deviation is not finite and above 0"),
        ({"output_bias": np.zeros((2, 5), np.float32)}, r"not float32\[2, 6\]"),
        ({"hidden": np.zeros((0, 256, 7), np.float32)}, "hidden is float32"),
        ({"hidden": np.array(0, np.float32)}, "is no head that can be read"),
        ({"mean": np.array([print], dtype=object)}, "is no head that can be read"),
    ],
)
def test_a_head_that_does_not_fit_is_refused_even_with_right_checksums(
    copied: Path, changes: dict[str, Any], message: str
) -> None:
    folder = rewritten_head(copied, **changes)
    with pytest.raises(LabellingError, match=message):
        load_labeller(folder)


@pytest.mark.parametrize("value", [b"\x93NUMPY", b"PK\x03\x04"])
def test_a_head_that_is_another_file_is_refused_even_with_a_right_checksum(
    copied: Path, value: bytes, tmp_path: Path
) -> None:
    other = tmp_path / "other.npy"
    np.save(other, np.zeros(3, np.float32))
    (copied / HEAD).write_bytes(other.read_bytes() if value.startswith(b"\x93") else value)
    with pytest.raises(LabellingError, match="is no head that can be read"):
        load_labeller(resealed(copied, unchanged))


def test_topics_of_other_labels_are_refused(copied: Path) -> None:
    others = Topics(("a", "b"), np.array([[0.5, 0.5]], np.float32), (0,), 1)
    (copied / TOPICS).write_bytes(others.to_bytes())
    with pytest.raises(LabellingError, match="labels are not those of the labeller"):
        load_labeller(resealed(copied, unchanged))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(temperature=0), "temperature"),
        (lambda content: content["classes"].append("beach"), "one occurs twice"),
        (lambda content: content["files"].pop(HEAD), "head.npz is not among them"),
        (lambda content: content["backbones"][0].update(dimensions=99), "is no head that can be read"),
        (lambda content: content["backbones"][0].update(dimensions=9000), "an embedding has at most 8,192"),
        (lambda content: content["backbones"][0].update(file="../x.keras"), "is not among them"),
        (lambda content: content["backbones"][0].update(dimensions=8065), "find 8,193 features in all"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused_even_with_a_right_checksum(
    copied: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    folder = resealed(copied, change)
    with pytest.raises(LabellingError, match=message):
        load_labeller(folder)


def test_backbones_of_different_sizes_are_refused(recognition: Recognition) -> None:
    larger = Backbone(small_network(3, (32, 16)))
    with pytest.raises(LabellingError, match="different sizes"):
        check_backbones((*recognition.backbones, larger))
    with pytest.raises(LabellingError, match="needs a backbone"):
        check_backbones(())


def test_a_labeller_whose_embeddings_no_sale_may_have_is_not_written(
    recognition: Recognition, tmp_path: Path
) -> None:
    check_backbones(recognition.backbones[:1] * 64)
    many = recognition.backbones[:1] * 65
    with pytest.raises(LabellingError, match=r"8,320 features in all.* at most 8,192; take fewer networks"):
        write_labeller(tmp_path, replace(recognition, backbones=many), Provenance(TRAINED_AT, {}))
    assert not any(tmp_path.iterdir())
