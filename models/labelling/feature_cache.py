"""Features of labelled scenes: every picture through the backbone once, and kept for the next time.

Pictures are decoded by threads ahead of the network, so that it never waits for them. The cache is a folder
per backbone, of files with the features of one batch each. A row is found by the SHA-256 of the picture's
file, so that pictures may be added, moved and renamed; a file is named after the SHA-256 of its content, so
that a damaged one is known, and its pictures are done again.
"""

import hashlib
import io
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.labelling.augmentation import augmented
from models.labelling.backbones import BATCH, Backbone
from models.labelling.pictures import Sight, views_of, whole
from models.labelling.scenes import Scenes
from models.progress import Progress
from reco.errors import ImageRefusedError, LabellingError, PicturesError

FORMAT = 2
"""Of the cache, and of the way in which pictures are decoded and augmented: a change makes features anew."""

_KEY = "V32"


class Looks(NamedTuple):
    """How pictures are looked at to learn from them.

    Attributes:
        views: of each picture and copy, whose features are averaged, see `Sight`.
        copies: augmented copies beside each picture.
        seed: what the copies are drawn from.
    """

    views: int = 1
    copies: int = 0
    seed: int = 0


ONE_LOOK = Looks()
"""At each picture as it is."""


class _Wanted(NamedTuple):
    """A row of features that is still to be computed: of a copy of a picture (0: the picture itself)."""

    row: int
    picture: int
    copy: int
    key: bytes


class _Batch(NamedTuple):
    """Decoded rows, uint8[n, views, h, w, 3], and what is wrong with pictures that are none, by file."""

    rows: list[_Wanted]
    images: NDArray[np.uint8]
    refused: dict[str, str]


def features_of(
    scenes: Scenes,
    backbone: Backbone,
    cache: Path | None = None,
    looks: Looks = ONE_LOOK,
    progress: Progress = lambda _: None,
) -> NDArray[np.float32]:
    """float32[n * (1 + copies), dimensions]: all pictures, then their first augmented copies, and so on.

    `np.tile(scenes.labels, 1 + copies)` are the labels. After an interrupt, what is cached is not done again.

    Args:
        scenes: the pictures.
        backbone: what finds the features.
        cache: the folder to keep them in, made if needed; None to keep nothing.
        looks: how they are looked at.
        progress: told after each batch.

    Raises:
        LabellingError: a file cannot be read; as PicturesError, some cannot be used, but others are cached.
    """
    views, copies, seed = looks
    folder = None if cache is None else cache / f"{backbone.digest[:32]}-{FORMAT}-{views}"
    found = np.full((len(scenes.paths) * (1 + copies), backbone.dimensions), np.nan, np.float32)
    refused: dict[str, str] = {}
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        keys = _keys(threads, scenes.paths, copies, seed)
        done = np.zeros(len(found), bool) if folder is None else _read(folder, keys, found)
        progress(float(done.mean()))
        wanted = _wanted(keys, done, len(scenes.paths))
        for batch in _decoded(threads, scenes.paths, Sight(backbone.size, views), wanted):
            refused |= batch.refused
            rows = [one.row for one in batch.rows]
            found[rows], done[rows] = backbone.features(batch.images), True
            if folder is not None and rows:
                _write(folder, [one.key for one in batch.rows], found[rows])
            progress(float(done.mean()))
    if refused:
        raise PicturesError(refused)
    return found


def _keys(threads: ThreadPoolExecutor, paths: Sequence[Path], copies: int, seed: int) -> list[bytes]:
    """The key of each row: SHA-256 of the picture's file; of a copy, with what it is drawn from."""
    pictures = list(threads.map(sha_of_file, paths))
    drawn = [f"/{copy}/{seed}".encode() for copy in range(1, 1 + copies)]
    return pictures + [_sha(picture + copy) for copy in drawn for picture in pictures]


def sha_of_file(path: Path) -> bytes:
    """SHA-256 of a picture's file.

    Raises:
        LabellingError: it cannot be read.
    """
    return _sha(_bytes(path))


def _sha(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LabellingError(
            f"{path}: cannot be read: {error.strerror or error}; check who may read it"
        ) from error


def _wanted(keys: Sequence[bytes], done: NDArray[np.bool_], count: int) -> list[_Wanted]:
    """The rows that are not done, those of one picture together, so that it is decoded once."""
    rows = sorted(np.flatnonzero(~done).tolist(), key=lambda row: (row % count, row))
    return [_Wanted(row, row % count, row // count, keys[row]) for row in rows]


def _decoded(
    threads: ThreadPoolExecutor, paths: Sequence[Path], sight: Sight, wanted: Sequence[_Wanted]
) -> Iterator[_Batch]:
    """The wanted rows in batches, in order; each thread decodes one, and two more lie ready."""
    batches = (wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH))
    ahead = (threads.submit(_decode, paths, sight, batch) for batch in batches)
    waiting = deque(islice(ahead, (os.cpu_count() or 1) + 2))
    while waiting:
        batch = waiting.popleft().result()
        waiting.extend(islice(ahead, 1))
        yield batch


def _decode(paths: Sequence[Path], sight: Sight, wanted: Sequence[_Wanted]) -> _Batch:
    """Decode and augment one batch; rows of a picture that is refused are left out of it."""
    rows: list[_Wanted] = []
    images: list[NDArray[np.uint8]] = []
    refused: dict[str, str] = {}
    for picture, copies in groupby(wanted, key=lambda one: one.picture):
        try:
            image = whole(_bytes(paths[picture]), sight.size)
        except ImageRefusedError as error:
            refused[str(paths[picture])] = str(error)
            continue
        for one in copies:
            rows.append(one)
            images.append(_copy(image, sight, one))
    return _Batch(rows, np.array(images, np.uint8).reshape(-1, sight.views, *sight.size, 3), refused)


def _copy(picture: Image.Image, sight: Sight, wanted: _Wanted) -> NDArray[np.uint8]:
    if wanted.copy == 0:
        return views_of(picture, sight)
    random = np.random.default_rng(np.frombuffer(wanted.key, np.uint32))
    return np.stack([augmented(picture, sight.size, random) for _ in range(sight.views)])


def _read(folder: Path, keys: Sequence[bytes], found: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Fill `found` from the cache; bool[n], which rows could be. Damaged files are removed."""
    done = np.zeros(len(found), bool)
    rows: dict[bytes, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    for file in folder.glob("*.npy"):
        content = _bytes(file)
        if _sha(content).hex() != file.stem:
            file.unlink(missing_ok=True)
            continue
        for key, features in np.load(io.BytesIO(content), allow_pickle=False):
            same = rows.get(key.tobytes(), [])
            found[same], done[same] = features, True
    return done


def _write(folder: Path, keys: Sequence[bytes], features: NDArray[np.float32]) -> None:
    """Put the features of a batch into the cache, in one step.

    Raises:
        LabellingError: there is no room for them, or nothing can be written there.
    """
    table = np.empty(len(keys), [("key", _KEY), ("features", "<f4", features.shape[1:])])
    table["key"] = np.frombuffer(b"".join(keys), _KEY)
    table["features"] = features
    buffer = io.BytesIO()
    np.save(buffer, table, allow_pickle=False)
    content = buffer.getvalue()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".unfinished-", dir=folder) as beside:
            part = Path(beside) / "part"
            part.write_bytes(content)
            part.replace(folder / f"{_sha(content).hex()}.npy")
    except OSError as error:
        todo = "make room, or keep them elsewhere"
        raise LabellingError(f"{folder}: features cannot be written: {error}; {todo}") from error
