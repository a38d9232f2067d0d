"""Augmented copies of a picture: mirrored, cropped, in other light, as another might have taken it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LEAST_AREA = 0.5
"""Least share of a picture that a crop leaves; scenes lose their meaning in smaller ones."""
STRETCHED = 4 / 3
"""A crop is stretched or squeezed by up to this factor."""
LIGHT = 0.2
"""Brightness and contrast change by up to this share, each colour by up to half of it."""


def augmented(picture: Image.Image, size: tuple[int, int], random: np.random.Generator) -> NDArray[np.uint8]:
    """uint8[height, width, 3]: one variation of an RGB picture in `size`; drawn from `random` only."""
    cropped = _cropped(picture, size, random)
    return _relit(cropped[:, ::-1] if random.random() < 1 / 2 else cropped, random)


def _cropped(picture: Image.Image, size: tuple[int, int], random: np.random.Generator) -> NDArray[np.uint8]:
    """A part of some area, shape and place, within the picture (Szegedy et al., CVPR 2015, section 6)."""
    area = random.uniform(LEAST_AREA, 1) * picture.width * picture.height
    shape = size[1] / size[0] * STRETCHED ** random.uniform(-1, 1)
    width, height = min((area * shape) ** 0.5, picture.width), min((area / shape) ** 0.5, picture.height)
    left, top = random.uniform(0, 1, 2) * (picture.width - width, picture.height - height)
    box = (left, top, left + width, top + height)
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BICUBIC, box))


def _relit(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    brightness, contrast = random.uniform(1 - LIGHT, 1 + LIGHT, 2)
    colour = random.uniform(1 - LIGHT / 2, 1 + LIGHT / 2, 3)
    mean = picture.mean()
    relit = ((picture - mean) * contrast + mean) * (brightness * colour)
    pixels: NDArray[np.uint8] = relit.clip(0, 255).round().astype(np.uint8)
    return pixels
