"""Augmented copies of a picture: mirrored, cropped, in other light, as another might have taken it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SMALLEST_CROP = 0.75
"""Least share of height and width that a crop leaves; scenes lose their meaning in smaller ones."""
LIGHT = 0.2
"""Brightness and contrast change by up to this share, each colour by up to half of it."""


def augmented(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """One variation of `picture`, uint8[h, w, 3], of the same shape; drawn from `random` only."""
    cropped = _cropped(picture, random)
    return _relit(cropped[:, ::-1] if random.random() < 1 / 2 else cropped, random)


def _cropped(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    kept = random.uniform(SMALLEST_CROP, 1)
    left, top = random.uniform(0, 1 - kept, 2) * (width, height)
    box = (left, top, left + kept * width, top + kept * height)
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC, box))


def _relit(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    brightness, contrast = random.uniform(1 - LIGHT, 1 + LIGHT, 2)
    colour = random.uniform(1 - LIGHT / 2, 1 + LIGHT / 2, 3)
    mean = picture.mean()
    relit = ((picture - mean) * contrast + mean) * (brightness * colour)
    pixels: NDArray[np.uint8] = relit.clip(0, 255).round().astype(np.uint8)
    return pixels
