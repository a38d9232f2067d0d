"""The gallery is one file that loads nothing, has each picture once, and believes nothing that sales say."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.labelling.gallery import THUMBNAIL, Card, write_gallery
from models.labelling.thumbnails import small_jpeg
from reco.errors import ImageRefusedError
from reco.labels import Scored

LABELS = (
    Scored("palm", 0.25),
    Scored("sand", 0.5),
    Scored("sea", 0.25),
    Scored("a", 0.125),
    Scored("b", 0.0625),
)


def png(colour: str, width: int = 640) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, 480), colour).save(file, "PNG")
    return file.getvalue()


def card(sale_id: str, topic: str = "", share: float = 0.5, **more: Any) -> Card:
    topics = (Scored("Other", 0.25), Scored(topic, share)) if topic else ()
    return Card(sale_id, f"Title of {sale_id}", None, (), (), topics, ())._replace(**more)


def page(folder: Path, *cards: Card) -> str:
    path = folder / "gallery.html"
    write_gallery(cards, "Said first.", path)
    return path.read_text(encoding="utf-8")


def pictures(html: str) -> list[Image.Image]:
    """The pictures in a page, in its order."""
    return [
        Image.open(io.BytesIO(base64.b64decode(one)))
        for one in re.findall(r"url\(data:image/jpeg;base64,([^)]+)\)", html)
    ]


def test_a_thumbnail_is_a_small_jpeg_of_the_same_picture() -> None:
    small = Image.open(io.BytesIO(small_jpeg(png("blue"), THUMBNAIL, 10**6)))
    red, green, blue = small.convert("RGB").resize((1, 1)).tobytes()
    assert (small.format, small.size) == ("JPEG", (240, 180))
    assert blue > 240
    assert max(red, green) < 20


@pytest.mark.parametrize(
    ("data", "reason"), [(b"no picture", "not-an-image"), (png("red"), "too-many-pixels")]
)
def test_what_is_no_picture_or_too_large_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ImageRefusedError, match=reason):
        small_jpeg(data, THUMBNAIL, 640 * 480 - 1)


def test_sales_of_one_main_topic_stand_together_those_with_most_of_it_first(tmp_path: Path) -> None:
    cards = card("plain"), card("little", "Sea"), card("alps", "Ski"), card("much", "Sea", 0.75)
    titles = re.findall("<h2>Title of ([^<]*)</h2>", page(tmp_path, *cards))
    assert titles == ["much", "little", "alps", "plain"]


def test_the_largest_shares_are_bars_of_their_length(tmp_path: Path) -> None:
    bars = re.findall(
        r'--share: ([0-9.]+)%"><span>([^<]*)</span><b>([^<]*) %', page(tmp_path, card("rome", labels=LABELS))
    )
    assert bars == [
        (x, y, x) for x, y in (("50.0", "sand"), ("25.0", "palm"), ("25.0", "sea"), ("12.5", "a"))
    ]


def test_each_picture_is_there_once_and_shown_wherever_the_sale_is_near(tmp_path: Path) -> None:
    near = [("bari", 0.875), ("not in the gallery", 0.75), ("oslo", 0.5)]
    blue, red = (small_jpeg(png(colour), THUMBNAIL, 10**6) for colour in ("blue", "red"))
    cards = card("rome", "A", nearest=near, picture=blue), card("bari", "B", nearest=near, picture=red)
    html = page(tmp_path, *cards, card("oslo", "C", remarks=("too-slow: why",)))
    assert [one.resize((1, 1)).tobytes()[2] > 128 for one in pictures(html)] == [True, False]
    links = re.findall(r'<a href="#s(\d)"[^>]*><span class="picture (\w+)">([^<]*)</span>([0-9.]+)', html)
    assert links == [("1", "p1", "", "0.88"), ("2", "none", "Title of oslo", "0.50")] * 2
    assert '<span class="picture none">too-slow: why</span>' in html


def test_nothing_that_a_sale_says_becomes_a_part_of_the_page(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>{lead}</style>'
    scored = (Scored(evil, 0.5),)
    cards = [
        Card(
            f"{evil}{number}", evil, picture, (evil,), scored, scored, [(f"{evil}0", 0.5), (f"{evil}1", 0.5)]
        )
        for number, picture in enumerate((None, small_jpeg(png("red"), THUMBNAIL, 10**6)))
    ]
    html, plain = page(tmp_path, *cards), page(tmp_path, card("rome", picture=cards[1].picture))
    for tag in ("<script", "</style", "<p>Said first."):
        assert html.count(tag) == plain.count(tag)
    assert html.count("alert(1)&lt;/script&gt;{lead}") == 2 * (2 + 1 + 2 + 2 * 2) + 1 + 2
    assert not re.search(r"\b(src|href)=(?!\"#)|@import|url\((?!data:)", html)
    assert "default-src 'none'" in html
