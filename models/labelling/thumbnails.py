"""Small pictures that stand inside a page, which then needs no other file."""

import base64
import io

from PIL import Image

from models.labelling.pictures import MAX_PIXELS, decode

QUALITY = 75
"""Of a picture, as Pillow counts it."""


def small_jpeg(data: bytes, size: tuple[int, int], max_pixels: int = MAX_PIXELS) -> bytes:
    """A picture, as a labeller sees it, as a JPEG of `size` (height, width; pixels).

    Raises:
        ImageRefusedError: the bytes are no picture, or one of more than `max_pixels`.
    """
    file = io.BytesIO()
    Image.fromarray(decode(data, size, max_pixels)).save(file, format="JPEG", quality=QUALITY)
    return file.getvalue()


def data_url(jpeg: bytes) -> str:
    """A JPEG as a `data:` address."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
