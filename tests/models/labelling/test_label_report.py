"""The report on a labeller: the figures, the mistakes and their pictures, in one file that needs no other."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.labelling.judging import Judgement, judge
from models.labelling.label_report import THUMBNAIL, WORST_CLASSES, WORST_PICTURES, write_label_report

CLASSES = ("beach", "castle & <moat>", "desert")
FACTS = {"labeller": "2026-11-24-1a2b3c4d", "trained on, images": "<scenes>"}


def album(folder: Path, count: int) -> list[Path]:
    """Pictures of one colour each."""
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", (40, 30), (number * 20 % 256, 90, 200)).save(path)
    return paths


def mistaken_judgement() -> Judgement:
    """Six pictures: a castle is taken for a beach, surely, and a desert for a castle, less surely."""
    scores = np.full((6, 3), 0.1, np.float32)
    labels = np.array([0, 0, 1, 1, 2, 2], np.int32)
    said = [0, 0, 1, 0, 2, 1]
    scores[np.arange(6), said] = 0.8
    scores[3] = (0.95, 0.01, 0.04)
    return judge(scores, labels, CLASSES)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("album")
    report = folder / "report.html"
    command = "tenfold labels evaluate <labeller>"
    write_label_report(mistaken_judgement(), album(folder, 6), FACTS, command, report)
    return report.read_text(encoding="utf-8")


def test_it_begins_with_the_figures_and_their_intervals(page: str) -> None:
    opening = page[: page.index("<h2>")]
    assert "<b>66.7 %</b> got the right label" in opening
    assert re.search(r"<span>top-1</span><b>66\.7 %</b><span>[\d.]+ to [\d.]+ %</span>", opening)
    assert "expected calibration error" in opening


def test_the_mistaken_pictures_stand_in_it_with_what_was_said_the_worst_first(page: str) -> None:
    figures = re.findall(r'<figure><img src="data:image/jpeg;base64,([^"]+)" alt="([^"]+)".*?</figure>', page)
    assert [name for _, name in figures] == ["3.png", "5.png"]
    assert "<b>castle &amp; &lt;moat&gt;</b> 1.0 %<figcaption>taken for<br>beach 95.0 %" in page
    for encoded, _ in figures:
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
            assert image.size == (THUMBNAIL, THUMBNAIL)


def test_confusion_has_a_line_for_each_class_with_mistakes(page: str) -> None:
    table = page[page.index('<table class="confusion">') : page.index("</table>")]
    assert re.findall(r'<th scope="row">([^<]+)</th>', table) == ["castle &amp; &lt;moat&gt;", "desert"]
    assert "castle &amp; &lt;moat&gt; for beach (1)" in page


def test_names_and_facts_are_escaped(page: str) -> None:
    assert "<moat>" not in page
    assert "<scenes>" not in page
    assert "tenfold labels evaluate &lt;labeller&gt;" in page


def test_it_needs_no_other_file_and_no_network(page: str) -> None:
    addresses = re.findall(r'(?:src|href)\s*=\s*"([^"]{,20})', page)
    assert {one.partition(",")[0] for one in addresses if not one.startswith("#")} == {
        "data:image/jpeg;base"[:20]
    }
    assert "http" not in re.sub(r"base64,[^\"]+", "", page)
    assert page.count("<svg") == 1


def test_without_a_mistake_there_is_nothing_to_show(tmp_path: Path) -> None:
    scores = np.eye(3, dtype=np.float32) * np.float32(0.7) + np.float32(0.1)
    report = tmp_path / "report.html"
    judgement = judge(scores, np.arange(3, dtype=np.int32), CLASSES)
    write_label_report(judgement, album(tmp_path, 3), FACTS, "tenfold", report)
    page = report.read_text(encoding="utf-8")
    assert "No picture was taken for another class." in page
    assert "<img" not in page


def test_only_the_worst_are_shown(tmp_path: Path) -> None:
    classes = tuple(f"class {number}" for number in range(60))
    scores = np.roll(np.eye(60, dtype=np.float32), 1, axis=1)
    report = tmp_path / "report.html"
    judgement = judge(scores, np.arange(60, dtype=np.int32), classes)
    write_label_report(judgement, album(tmp_path, 60), FACTS, "tenfold", report)
    page = report.read_text(encoding="utf-8")
    assert page.count("<img") == WORST_PICTURES
    assert page.count('<th scope="row">') == WORST_CLASSES
