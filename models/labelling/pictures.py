"""Pictures: bytes of an image file, decoded to the pixels that a network looks at, or refused with a reason.

The bytes come from strangers. What is no picture, or only a part of one, or would fill the memory, ends as
an `ImageRefusedError`, never as anything else.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from reco.errors import ImageRefusedError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
"""What is decoded, by its content; Pillow reads 40 more, each with parsers of its own to be attacked."""
MAX_PIXELS = 50_000_000
"""Most pixels of a picture, 8,000 x 6,250: 200 MB, or 400 if some are transparent; 800 MB of a WebP."""
LARGE_PIXELS = 12_500_000
"""Of pictures above this, one is decoded at a time; of a WebP, each pixel counts twice."""
SCANNED = frozenset(("JPEG", "MPO"))
"""Formats that are decoded scan by scan; several JPEG pictures in one file are MPO."""
MAX_SCANS = 100
"""Most passes over a progressive JPEG, each of which takes as long as all of another JPEG; ten are usual."""
MAX_READS = 4_000
"""Most reads of what stands before the pixels, and behind them: four for a segment of a JPEG, three for a
chunk of a PNG, two for a block of a GIF. 20 MB of the longest segments take 1,300; a million short ones would
take minutes."""
MAX_READS_OF_PIXELS = 250_000
"""Most reads of the pixels, up to four for a chunk of a PNG: a quarter of a second. 20 MB in chunks of half a
kB, a sixteenth of what is usual, take 160,000."""

MAX_VIEWS = 2
"""Most views of a picture."""

_ONE_AT_A_TIME = Lock()
_ANY_TIME = nullcontext()
_START_OF_SCAN, _END = b"\xff\xda", b"\xff\xd9"
# Where a part of a JPEG begins; among compressed pixels, ff is never followed by anything but 00 or d0 to d7.
_PART = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")
_ORIENTATION = 0x0112
# Exif 2.32, table 4.6.4: how the picture has to be turned to be upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Of broken Exif, Pillow warns tag by tag, without the name of the picture.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
# Pillow only warns of a picture between its own limit and twice that. Said once for the process, since
# changing the filters around each decoding would race between threads.
warnings.simplefilter("error", Image.DecompressionBombWarning)


class Sight(NamedTuple):
    """How a picture is looked at.

    Attributes:
        size: height and width of a view, pixels.
        views: 1, the middle; or 2, both ends of the longer side, the second one mirrored: together they show
            all of a picture that is up to twice as long as it is wide (as of the ten views of Krizhevsky et
            al., NIPS 2012, section 4.1).
    """

    size: tuple[int, int]
    views: int = 1


class _File(io.BytesIO):
    """The bytes of an image file, of which no more than a few parts are read beside the pixels."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.allow(MAX_READS, "before its pixels")

    def allow(self, reads: int, what: str) -> None:
        """Allow so many reads from now on, of what stands there."""
        self._left, self._refused = reads, f"more than {reads:,} reads {what}"

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes, as of any file, as long as there are reads left."""
        self._left -= 1
        if self._left < 0:
            raise ImageRefusedError("too-many-parts", self._refused)
        return super().read(size)


def decode(data: bytes, size: tuple[int, int], max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The upright middle of a picture, as large as fits into `size`.

    Args:
        data: as `whole` takes it.
        size: height and width, pixels.
        max_pixels: refuse a picture that claims more, before it is decoded.

    Returns:
        uint8[height, width, 3], RGB.

    Raises:
        ImageRefusedError: as by `whole`.
    """
    view: NDArray[np.uint8] = decode_views(data, Sight(size), max_pixels)[0]
    return view


def decode_views(data: bytes, sight: Sight, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The views of an upright picture, as `views_of` gives them.

    Args:
        data: as `whole` takes it.
        sight: size and number of the views.
        max_pixels: refuse a picture that claims more, before it is decoded.

    Raises:
        ImageRefusedError: as by `whole`.
    """
    with _refusals(data):
        return views_of(_whole(data, sight.size, max_pixels), sight)


def views_of(picture: Image.Image, sight: Sight) -> NDArray[np.uint8]:
    """uint8[views, height, width, 3]: the views of an RGB picture."""
    if sight.views == 1:
        return _part(picture, sight.size, 0.5)[None]
    first, last = (_part(picture, sight.size, place) for place in (0.0, 1.0))
    return np.stack([first, last[:, ::-1]])


def _part(picture: Image.Image, size: tuple[int, int], place: float) -> NDArray[np.uint8]:
    """uint8[height, width, 3]: the largest part in the shape of `size`, from one end (0) to the other (1)."""
    height, width = size
    return np.asarray(
        ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC, centering=(place, place))
    )


def whole(data: bytes, size: tuple[int, int], max_pixels: int = MAX_PIXELS) -> Image.Image:
    """An upright picture as RGB, in few pixels, but no fewer than are needed to look at it in `size`.

    Transparent parts are white, as on a page. Of a moving picture the first frame counts. Safe in threads,
    and lets other threads run meanwhile.

    Args:
        data: a JPEG, PNG, WebP or GIF file.
        size: height and width, pixels.
        max_pixels: refuse a picture that claims more, before it is decoded.

    Raises:
        ImageRefusedError: `not-an-image`, `broken-image`, `too-many-pixels`, `too-many-scans` or
            `too-many-parts`.
    """
    with _refusals(data):
        return _whole(data, size, max_pixels)


@contextmanager
def _refusals(data: bytes) -> Iterator[None]:
    """Whatever goes wrong with a picture, as a refusal."""
    try:
        yield
    except ImageRefusedError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRefusedError("too-many-pixels", str(error)) from error
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise ImageRefusedError("not-an-image", f"the {len(data):,} bytes are none of {known}") from None
    except Exception as error:  # Pillow raises whatever its parsers stumble over: OSError, struct.error ...
        raise ImageRefusedError("broken-image", f"{type(error).__name__}: {error}") from error


def _whole(data: bytes, size: tuple[int, int], max_pixels: int) -> Image.Image:
    file = _File(data)
    with Image.open(file, formats=FORMATS) as image:
        _limit_parts(image, file)
        _check_size(image, max_pixels)
        _check_scans(image, data)
        # A JPEG can be decoded at 1/2, 1/4 or 1/8, averaged well, for a fraction of the work: decoding is
        # what a worker does beside its network.
        with _ONE_AT_A_TIME if is_large(image) else _ANY_TIME:
            image.draft("RGB", (max(size), max(size)))
            image.load()
            return _upright(_rgb(image, max(size)), image)


def _limit_parts(image: ImageFile.ImageFile, file: _File) -> None:
    """Allow more reads of the pixels, and as few of what stands behind them as before them."""
    file.allow(MAX_READS_OF_PIXELS, "of its pixels")
    load_end = image.load_end

    def limited() -> None:
        file.allow(MAX_READS, "behind its pixels")
        load_end()

    image.load_end = limited  # type: ignore[method-assign]


def is_large(image: Image.Image) -> bool:
    """Whether a picture that is opened takes so much memory that it is not decoded beside others like it."""
    return image.width * image.height * (2 if image.format == "WEBP" else 1) > LARGE_PIXELS


def _check_size(image: Image.Image, max_pixels: int) -> None:
    pixels = image.width * image.height
    if pixels > max_pixels:
        claims = f"{image.width} x {image.height} pixels"
        raise ImageRefusedError("too-many-pixels", f"{claims}, at most {max_pixels:,} are decoded")


def _check_scans(image: Image.Image, data: bytes) -> None:
    """Refuse what would take minutes: a small file can hold thousands of scans, each over all pixels."""
    if image.format in SCANNED and data.count(_START_OF_SCAN) > MAX_SCANS < (scans := _scans(data)):
        raise ImageRefusedError("too-many-scans", f"{scans:,} scans, at most {MAX_SCANS} are decoded")


def _scans(data: bytes) -> int:
    """The scans of a JPEG up to its end, as a decoder finds them; a phone may put a film behind it."""
    scans = place = 0
    for _ in range(MAX_READS):
        part = _PART.search(data, place)
        if part is None or part[0] == _END:
            return scans
        scans += part[0] == _START_OF_SCAN
        place = part.end() + int.from_bytes(data[part.end() : part.end() + 2])
    raise ImageRefusedError("too-many-parts", f"more than {MAX_READS:,} parts up to its end")


def _rgb(image: Image.Image, side: int) -> Image.Image:
    """The picture as RGB of 8 bits, on white; many pixels averaged to fewer, but at least `side` a side."""
    if image.mode.startswith("I"):  # 16 bits of grey, which `convert` would cut off at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    mode = "RGBA" if image.has_transparency_data else "RGB"
    colours = image if image.mode == mode else image.convert(mode)
    few = colours.reduce(max(min(image.size) // side, 1))
    if mode == "RGB":
        return few
    opaque = Image.new("RGBA", few.size, "white")
    opaque.alpha_composite(few)
    return opaque.convert("RGB")


def _upright(rgb: Image.Image, image: Image.Image) -> Image.Image:
    """`rgb` turned as the EXIF of `image` says; as it is if that cannot be read."""
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 -- broken EXIF beside whole pixels raises anything, and is no reason to refuse
        return rgb
    return rgb if turn is None else rgb.transpose(turn)
