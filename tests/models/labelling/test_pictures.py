"""Pictures: every accepted format comes out as the same upright RGB pixels, everything else is refused."""

import io
import runpy
import struct
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from models.labelling import pictures
from models.labelling.pictures import (
    LARGE_PIXELS,
    MAX_READS,
    MAX_READS_OF_PIXELS,
    MAX_SCANS,
    Sight,
    decode,
    decode_views,
    is_large,
)
from reco.errors import ImageRefusedError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners(width: int = 96, height: int = 96) -> Image.Image:
    """Red, green, blue and white quarters, row by row."""
    image = Image.new("RGB", (2, 2))
    image.putdata([RED, GREEN, BLUE, WHITE])
    return image.resize((width, height), Image.Resampling.NEAREST)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def quarters(pixels: NDArray[np.uint8]) -> list[tuple[int, ...]]:
    """The colours in the middle of the quarters, each channel rounded to 0, 128 or 255."""
    height, width = pixels.shape[:2]
    picked = pixels[[height // 4, 3 * height // 4]][:, [width // 4, 3 * width // 4]].reshape(4, 3)
    return [tuple(int(min(255, round(value / 128) * 128)) for value in colour) for colour in picked]


def refusal(data: bytes, **options: int) -> str:
    with pytest.raises(ImageRefusedError) as refused:
        decode(data, (32, 32), **options)
    assert refused.value.detail
    return refused.value.reason


@pytest.mark.parametrize(
    "data",
    [
        encoded(corners(), "JPEG", quality=95),
        encoded(corners(), "JPEG", quality=95, progressive=True),
        encoded(corners().convert("CMYK"), "JPEG", quality=95),
        encoded(corners(), "PNG"),
        encoded(corners().convert("P"), "PNG"),
        encoded(corners().convert("RGBA"), "PNG"),
        encoded(corners(), "WEBP", lossless=True),
        encoded(corners(), "GIF"),
        encoded(corners(), "GIF", save_all=True, append_images=[Image.new("RGB", (96, 96), RED)]),
    ],
    ids=["jpeg", "progressive", "cmyk", "png", "palette", "alpha", "webp", "gif", "moving gif"],
)
def test_every_format_gives_the_same_rgb(data: bytes) -> None:
    pixels = decode(data, (64, 64))
    assert pixels.shape == (64, 64, 3)
    assert pixels.dtype == np.uint8
    assert quarters(pixels) == [RED, GREEN, BLUE, WHITE]


def test_16_bits_of_grey_keep_their_shades() -> None:
    shades = np.repeat([[0, 16_384, 32_768, 65_535]], 4, axis=0).astype(np.uint16)
    pixels = decode(encoded(Image.fromarray(shades), "PNG"), (4, 4))
    assert pixels[0].tolist() == [[0] * 3, [64] * 3, [128] * 3, [255] * 3]


@pytest.mark.parametrize("kind", ["1", "L", "LA", "I;16"])
def test_grey_is_grey(kind: str) -> None:
    pixels = decode(encoded(Image.new(kind, (9, 9)), "PNG"), (8, 8))
    assert set(pixels.ravel().tolist()) == {255 if kind == "LA" else 0}


@pytest.mark.parametrize("kind", ["RGBA", "P"])
def test_what_is_transparent_is_white(kind: str) -> None:
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 10, 20))
    pixels = decode(encoded(image.convert(kind), "PNG"), (20, 20))
    assert pixels[10, 2].tolist() == list(RED)
    assert pixels[10, 17].tolist() == list(WHITE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_as_its_exif_says(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(corners(96, 64), kind, exif=exif, quality=95)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    wanted = np.asarray(ImageOps.fit(upright.convert("RGB"), (48, 48)))
    assert quarters(decode(data, (48, 48))) == quarters(wanted)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_is_no_reason_to_refuse() -> None:
    data = encoded(corners(), "JPEG", quality=95, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert quarters(decode(data, (64, 64))) == [RED, GREEN, BLUE, WHITE]


def test_of_broken_exif_no_warnings_fill_the_log() -> None:
    data = encoded(corners(), "JPEG", quality=95, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert runpy.run_path(pictures.__file__)["decode"](data, (64, 64)).shape == (64, 64, 3)
    assert told == []


@pytest.mark.parametrize(("width", "height"), [(400, 100), (100, 400), (101, 100)])
def test_the_whole_is_covered_and_the_middle_kept(width: int, height: int) -> None:
    image = Image.new("RGB", (width, height), BLUE)
    square = min(width, height)
    left, top = (width - square) // 2, (height - square) // 2
    image.paste(RED, (left, top, left + square, top + square))
    pixels = decode(encoded(image, "PNG"), (50, 50)).astype(int)
    assert np.abs(pixels[1:-1, 1:-1] - RED).max() <= 3  # at the rim, resampling looks beyond it


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 1), (1, 2000), (2000, 3)])
def test_a_tiny_or_narrow_picture_fills_the_size_too(width: int, height: int) -> None:
    pixels = decode(encoded(Image.new("RGB", (width, height), GREEN), "PNG"), (50, 50))
    assert (pixels == GREEN).all()


@pytest.mark.parametrize(
    ("size", "left", "right"),
    [
        ((96, 48), [RED, RED, BLUE, BLUE], [GREEN, GREEN, WHITE, WHITE]),
        ((48, 96), [RED, GREEN, RED, GREEN], [WHITE, BLUE, WHITE, BLUE]),
    ],
)
def test_two_views_are_both_ends_of_the_longer_side_the_second_mirrored(
    size: tuple[int, int], left: list[tuple[int, ...]], right: list[tuple[int, ...]]
) -> None:
    views = decode_views(encoded(corners(*size), "PNG"), Sight((32, 32), views=2))
    assert views.shape == (2, 32, 32, 3)
    assert views.dtype == np.uint8
    assert [quarters(view) for view in views] == [left, right]


def test_the_two_views_of_a_square_picture_are_itself_and_its_mirror_image() -> None:
    data = encoded(corners(), "PNG")
    first, second = decode_views(data, Sight((64, 64), views=2))
    assert np.array_equal(first, decode(data, (64, 64)))
    assert np.array_equal(second, first[:, ::-1])


def test_one_view_is_the_middle() -> None:
    data = encoded(corners(96, 48), "PNG")
    assert np.array_equal(decode_views(data, Sight((32, 32))), decode(data, (32, 32))[None])


@pytest.mark.parametrize("views", [1, 2])
def test_views_are_refused_as_pictures_are(views: int) -> None:
    with pytest.raises(ImageRefusedError) as refused:
        decode_views(b"no picture", Sight((32, 32), views))
    assert refused.value.reason == "not-an-image"


def test_height_comes_before_width() -> None:
    assert decode(encoded(corners(), "PNG"), (40, 24)).shape == (40, 24, 3)


def test_fine_stripes_become_even_grey() -> None:
    stripes = np.zeros((600, 600, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = decode(encoded(Image.fromarray(stripes), "PNG"), (50, 50)).astype(int)
    assert np.abs(pixels - 127.5).max() < 8


@pytest.mark.parametrize(("width", "height"), [(1500, 1100), (230, 227)])
def test_the_fast_way_for_jpeg_shows_what_full_decoding_shows(width: int, height: int) -> None:
    random = np.random.default_rng(1)
    coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    data = encoded(coarse.resize((width, height), Image.Resampling.BICUBIC), "JPEG", quality=90)
    full = ImageOps.fit(Image.open(io.BytesIO(data)).convert("RGB"), (64, 64), Image.Resampling.BICUBIC)
    difference = np.abs(decode(data, (64, 64)).astype(int) - np.asarray(full).astype(int))
    assert difference.mean() < 1.5
    assert difference.max() < 16


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>no such page</html>", b"%PDF-1.4", encoded(corners(), "BMP"), encoded(corners(), "TIFF")],
    ids=["empty", "html", "pdf", "bmp", "tiff"],
)
def test_other_files_are_no_image(data: bytes) -> None:
    assert refusal(data) == "not-an-image"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_image_is_broken(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    assert refusal(data[: int(len(data) * share)]) in {"broken-image", "not-an-image"}


def test_a_damaged_png_is_broken() -> None:
    data = bytearray(encoded(corners(), "PNG"))
    data[len(data) // 2] ^= 0xFF
    assert refusal(bytes(data)) == "broken-image"


def chunk(kind: bytes, value: bytes = b"") -> bytes:
    return struct.pack(">I", len(value)) + kind + value + struct.pack(">I", zlib.crc32(kind + value))


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG with this size in its header and next to nothing behind."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [7_100, 9_900, 20_000, 1 << 30])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    assert refusal(png_that_claims(side, side)) == "too-many-pixels"


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9_900, 20_000])
def test_the_limit_of_pillow_holds_above_ours(side: int) -> None:
    assert refusal(png_that_claims(side, side), max_pixels=10**9) == "too-many-pixels"


def test_the_limit_of_pixels_can_be_set() -> None:
    data = encoded(corners(100, 100), "PNG")
    assert decode(data, (32, 32), max_pixels=10_000).shape == (32, 32, 3)
    assert refusal(data, max_pixels=9_999) == "too-many-pixels"


def test_a_jpeg_of_more_scans_than_anyone_makes_is_refused_before_it_is_decoded() -> None:
    data = encoded(corners(), "JPEG", progressive=True)
    scan = data[data.rfind(b"\xff\xda") : -2]
    usual = data.count(b"\xff\xda")
    assert 1 < usual < MAX_SCANS / 5
    many = data[:-2] + (MAX_SCANS - usual) * scan
    assert decode(many + data[-2:], (32, 32)).shape == (32, 32, 3)
    assert refusal(many + scan + data[-2:]) == "too-many-scans"
    both = io.BytesIO()
    first, second = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(data))
    first.save(both, "MPO", save_all=True, append_images=[second], progressive=True)
    several = both.getvalue()
    assert Image.open(io.BytesIO(several)).format == "MPO"
    place = several.find(b"\xff\xda")
    assert refusal(several[:place] + MAX_SCANS * scan + several[place:]) == "too-many-scans"


def jpeg_with(segment: bytes, marker: int) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(segment)) + segment


def test_the_film_that_a_phone_puts_behind_a_photograph_has_no_scans() -> None:
    photograph = encoded(corners(), "JPEG", progressive=True)
    film = np.random.default_rng(0).bytes(8_000_000)
    assert film.count(b"\xff\xda") > MAX_SCANS
    assert quarters(decode(photograph + film, (64, 64))) == [RED, GREEN, BLUE, WHITE]
    scans = MAX_SCANS * photograph[photograph.rfind(b"\xff\xda") : -2]
    comment = jpeg_with(b"\xff\xd9", 0xFE)  # which is no end
    assert refusal(photograph[:-2] + comment + scans + photograph[-2:]) == "too-many-scans"
    comments = (MAX_READS + 1) * comment
    assert refusal(photograph[:-2] + comments + scans + photograph[-2:]) == "too-many-parts"


PARTS = {  # the format, where its first part may stand, and a part
    "exif": ("JPEG", 2, jpeg_with(b"Exif\0\0" + b"x" * 9, 0xE1)),
    "application segments": ("JPEG", 2, jpeg_with(b"x", 0xE5)),
    "comments": ("JPEG", 2, jpeg_with(b"x", 0xFE)),
    "padding": ("JPEG", 2, b"\xff"),
    "chunks": ("PNG", 33, chunk(b"prVt")),
    "comment blocks": ("GIF", 25, b"!\xfe\x01x\0"),
}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize(("kind", "place", "part"), PARTS.values(), ids=PARTS)
def test_a_picture_behind_more_parts_than_anyone_writes_is_refused_before_they_are_read(
    kind: str, place: int, part: bytes
) -> None:
    data = encoded(corners(), kind)
    few, many = (data[:place] + number * part + data[place:] for number in (100, MAX_READS))
    assert decode(few, (32, 32)).shape == (32, 32, 3)
    assert refusal(many) == "too-many-parts"


def test_20_mb_of_a_camera_s_notes_are_no_reason_to_refuse() -> None:
    data = encoded(corners(), "JPEG", quality=95)
    notes = 310 * jpeg_with(bytes(65_533), 0xE2)
    assert quarters(decode(data[:2] + notes + data[2:], (64, 64))) == [RED, GREEN, BLUE, WHITE]


def test_pixels_may_come_in_many_parts() -> None:
    data = encoded(corners(), "PNG")
    place = data.index(b"IDAT") - 4
    many = MAX_READS * chunk(b"IDAT")
    assert quarters(decode(data[:place] + many + data[place:], (64, 64))) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize(
    ("part", "most"), [(b"IDAT", MAX_READS_OF_PIXELS // 2), (b"prVt", MAX_READS), (b"tEXt", MAX_READS)]
)
def test_a_picture_of_more_parts_than_anyone_writes_is_refused_wherever_they_stand(
    part: bytes, most: int
) -> None:
    data = encoded(corners(), "PNG")
    place = data.index(b"IEND") - 4
    few, many = (data[:place] + number * chunk(part) + data[place:] for number in (100, most))
    assert decode(few, (32, 32)).shape == (32, 32, 3)
    assert refusal(many) == "too-many-parts"


@pytest.mark.filterwarnings("ignore:Tag data larger than file")
def test_exif_tags_that_share_their_bytes_do_not_multiply_them() -> None:
    shared = 200_000
    tags = b"".join(struct.pack(">HHII", tag, 7, shared, 100) for tag in range(1000, 1500))
    exif = b"MM\0*" + struct.pack(">IH", 8, 500) + tags + bytes(4 + shared)
    data = encoded(corners(), "PNG")
    place = data.index(b"IDAT") - 4
    tracemalloc.start()
    try:
        pixels = decode(data[:place] + chunk(b"eXIf", exif) + data[place:], (64, 64))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert quarters(pixels) == [RED, GREEN, BLUE, WHITE]
    assert most < 20 * shared


@pytest.mark.parametrize(("kind", "most"), [("PNG", LARGE_PIXELS), ("WEBP", LARGE_PIXELS // 2)])
def test_a_picture_is_large_by_the_memory_that_it_takes(kind: str, most: int) -> None:
    sizes = [(1000, most // 1000), (1000, most // 1000 + 1)]
    opened = [Image.open(io.BytesIO(encoded(Image.new("L", size), kind))) for size in sizes]
    assert [is_large(image) for image in opened] == [False, True]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_a_large_picture_shows_what_it_shows_when_none_of_its_pixels_are_left_out(mode: str) -> None:
    random = np.random.default_rng(2)
    coarse = Image.fromarray(random.integers(0, 256, (6, 8, 4), dtype=np.uint8))
    image = coarse.resize((900, 700), Image.Resampling.BICUBIC).convert(mode)
    opaque = Image.new("RGBA", image.size, "white")
    opaque.alpha_composite(image.convert("RGBA"))
    full = ImageOps.fit(opaque.convert("RGB"), (64, 64), Image.Resampling.BICUBIC)
    difference = np.abs(decode(encoded(image, "PNG"), (64, 64)).astype(int) - np.asarray(full).astype(int))
    assert difference.mean() < 1.5
    assert difference.max() < 16


def test_a_picture_without_pixels_is_refused() -> None:
    gif = encoded(corners(), "GIF").replace(struct.pack("<HH", 96, 96), bytes(4))
    for data in (gif, png_that_claims(0, 5), png_that_claims(5, 0)):
        assert refusal(data) in {"not-an-image", "broken-image"}


@given(st.binary(max_size=60), st.integers(0, 700), st.sampled_from(["JPEG", "PNG", "WEBP", "GIF"]))
def test_no_bytes_do_anything_but_decode_or_be_refused(noise: bytes, place: int, kind: str) -> None:
    data = encoded(corners(24, 24), kind)
    damaged = data[:place] + noise + data[place + len(noise) :]
    try:
        shape = decode(damaged, (8, 8)).shape
    except ImageRefusedError:
        return
    assert shape == (8, 8, 3)


def test_threads_may_decode_side_by_side() -> None:
    data = encoded(corners(), "JPEG")
    with ThreadPoolExecutor(4) as threads:
        decoded = list(threads.map(lambda _: decode(data, (32, 32)), range(40)))
    assert all(np.array_equal(one, decoded[0]) for one in decoded)
