"""Albums of postcards: a folder of pictures per kind, for training, and a sheet of them to look at."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from PIL import Image

from demo.postcards.drawing import KINDS, draw

QUALITY: Final = 88
"""Of JPEG files, as Pillow counts it."""
_MARGIN: Final = 6
"""White around each picture of a sheet, pixels."""


def write_album(folder: Path, per_kind: int, seed: int) -> None:
    """Write `per_kind` postcards of each kind to `folder/<kind>/<number>.jpg`.

    Two albums of different seeds, and the postcards of small seeds, have no picture in common.
    """
    for kind in KINDS:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number, one in enumerate(_seeds(seed, per_kind)):
            draw(kind, one).save(folder / kind / f"{number:05}.jpg", quality=QUALITY)


def contact_sheet(
    kinds: Sequence[str] = KINDS, per_kind: int = 8, seed: int = 0, side: int = 160
) -> Image.Image:
    """The first pictures of the album of `seed`, a row per kind, each `side` pixels wide."""
    step = side + _MARGIN
    sheet = Image.new("RGB", (per_kind * step + _MARGIN, len(kinds) * step + _MARGIN), "white")
    for row, kind in enumerate(kinds):
        for column, one in enumerate(_seeds(seed, per_kind)):
            sheet.paste(draw(kind, one, side), (_MARGIN + column * step, _MARGIN + row * step))
    return sheet


def _seeds(seed: int, count: int) -> list[int]:
    random = Random(f"album {seed}")  # noqa: S311 - repeatable pictures, not a secret
    return [random.getrandbits(48) for _ in range(count)]
