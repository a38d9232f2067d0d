"""The report: a whole page that needs nothing else, holds the figures, and shows names as they are."""

import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from models.evaluation.plots import over_time, scorer_bars
from models.evaluation.report import headline, terminal_table, write_report
from models.evaluation.results import Kind
from models.evaluation.scorers import singles
from reco.features import FEATURES
from tests.models.evaluation.found import by_hand, drawn

VOID = {"meta", "br", "path", "use"}


class Structure(HTMLParser):
    """Whether each element that is opened is closed, in the right order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(drawn(), path)
    return path.read_text(encoding="utf-8")


def cells(page: str, title: str) -> list[list[str]]:
    """What a reader reads in the table below a heading, cell by cell, but for intervals."""
    table = page.partition(f"<h2>{title}</h2>")[2].partition("</table>")[0]
    plain = re.sub(r"<small>[^<]*(\d\.\d|not known)[^<]*</small>", "", table)
    return [
        [
            " ".join(unescape(re.sub("<[^>]*>", " ", cell)).split())
            for cell in re.findall("<td>(.*?)</td>", row)
        ]
        for row in plain.split("<tr")[2:]
    ]


def test_it_is_one_whole_page(page: str) -> None:
    structure = Structure()
    structure.feed(page)
    assert structure.open == []
    assert page.startswith("<!doctype html>")
    assert structure.tags.count("svg") == 6


def test_it_needs_nothing_from_outside(page: str) -> None:
    assert not re.search(r"https?:|//\w|@import|<script|<link|<img|<iframe", page)
    assert all(one.startswith("#") for one in re.findall(r"(?:href|src)=\"([^\"]*)", page))
    assert all(one.startswith("#") for one in re.findall(r"url\(([^)]*)", page))


def test_it_holds_every_figure_with_its_interval(page: str) -> None:
    for row in drawn().summary.rows:
        for one in row.figures:
            assert f"<span>{one.mean:.4f}</span> <small>{one.low:.4f}–{one.high:.4f}</small>" in page  # noqa: RUF001
        for one in row.uplift[:1]:
            assert f"{one.mean:+.1f} %" in page


def test_it_holds_the_slices_the_published_the_parameters_and_how_to_do_it_again(page: str) -> None:
    summary = drawn().summary
    for one in summary.slices:
        assert f"<b>{one.name}</b>" in page
        assert f"{one.rows[-1].over_best.mean:+.4f}" in page
    text = unescape(page)
    for expected in ("0.3675", "0.6681", "sessions cut to", "a fast one", "abc123", "trees"):
        assert expected in text
    assert summary.about.command in text


def test_what_others_published_stands_among_the_scorers_best_first(page: str) -> None:
    rows = drawn().summary.rows
    figures = {row.scorer.name: row.figures[0].mean for row in rows} | {"XLNet": 0.3675}
    names = [line[0] for line in cells(page, "All scorers")]
    assert names == [*sorted(figures, key=lambda name: -figures[name]), "STAN"]
    assert names.index("XLNet") not in {0, len(rows)}


def test_it_says_what_was_drawn_for_intervals_and_what_probabilities_were_judged_on(page: str) -> None:
    summary = drawn().summary
    assert f"600 of {summary.clusters:,} visitors or sessions" in page
    assert "draws of 12 windows, whole; figures are means of the windows&#x27; means" in page
    assert "500 listed sales" in page


def test_a_hand_rule_stands_in_a_slice_once(tmp_path: Path) -> None:
    """Also where it is the best single recommender there, which has a line of its own."""
    ranks = [[1, 1, 2, 2], [2, 2, 1, 1], [1, 2, 1, 2]]
    found = by_hand(ranks, ["recommender", "rule", "ranker"], slices=np.array([0, 0, 1, 1], np.int8))
    write_report(found, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    table = page.partition("<h2>Kinds of question</h2>")[2].partition("</table>")[0]
    assert table.count("<td>scorer 1") == 2
    assert cells(page, "Kinds of question") == [
        ["carted 2, 50 %", "scorer 0 best here", "1.0000", "", ""],
        ["", "scorer 1", "0.6309", "-0.3691", "-0.3691"],
        ["", "scorer 2", "0.8155", "-0.1845", "-0.1845"],
        ["never touched 2, 50 %", "scorer 1 best here", "1.0000", "", ""],
        ["", "scorer 0", "0.6309", "", ""],
        ["", "scorer 2", "0.8155", "+0.1845", "-0.1845"],
    ]
    assert "draws of 4 visitors or sessions, whole; figures are means over all questions" in page


def test_names_are_escaped(page: str) -> None:
    assert "carted &lt;first&gt; &amp; $new$" in page
    assert "<first>" not in page
    assert "<north>" not in page


def test_the_first_sentences_say_what_was_evaluated_and_what_came_out() -> None:
    summary = drawn().summary
    text = unescape(re.sub(r"<(?!north|first)[^>]*>", "", headline(summary)))
    ranker, single = summary.rows[5], summary.rows[summary.best_single or 0]
    assert text.startswith(
        "On shop <north>, 600 questions of the protocol hourly each asked 6 scorers for the last"
    )
    assert f"meta-model reaches NDCG@20 {ranker.figures[0].mean:.4f}" in text
    assert f"The best single recommender, {single.scorer.name}, reaches {single.figures[0].mean:.4f}" in text
    assert f"the difference in NDCG@20 is {ranker.uplift[0].mean:+.1f} %" in text
    assert "chance" not in text
    assert text.endswith("The best published NDCG@20, on the log that it names, is 0.3675, by XLNet.")


def test_nothing_is_said_of_an_uplift_over_nothing(tmp_path: Path) -> None:
    found = by_hand([[0, 0], [1, 2]], ["recommender", "ranker"])
    write_report(found, tmp_path / "report.html")
    assert "nan" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert headline(found.summary).count("The best single recommender") == 1


def test_a_difference_that_may_be_chance_is_called_so() -> None:
    found = by_hand([[1, 2, 1, 2], [2, 1, 2, 1]], ["recommender", "ranker"])
    assert "which may be chance" in headline(found.summary)


def test_a_ranker_that_is_surely_worse_is_what_the_first_sentences_are_about() -> None:
    said = headline(by_hand([[2] * 4, [1] * 4, [3] * 4], ["recommender", "challenger", "ranker"]).summary)
    assert "<b>scorer 2</b> reaches" in said
    assert "-20.8 %" in said
    assert "chance" not in said


def test_of_one_visitor_no_interval_is_known(tmp_path: Path) -> None:
    found = by_hand([[1, 2, 2], [1, 1, 2]], ["recommender", "ranker"], clusters=np.zeros(3, np.int64))
    write_report(found, tmp_path / "report.html")
    page = unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "which may be chance" in page
    assert "± not known" in page
    assert "nan" not in page
    console = Console(width=120, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(terminal_table(found.summary))
    assert "±" not in captured.get().replace("±0", "")


@pytest.mark.parametrize("kinds", [["baseline", "rule"], ["baseline", "baseline"], ["ranker", "challenger"]])
def test_it_can_be_written_of_the_least_that_was_measured(tmp_path: Path, kinds: list[Kind]) -> None:
    write_report(by_hand([[1, 0], [2, 1]], kinds), tmp_path / "report.html")
    assert "scorer 1" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_line_over_time_is_left_out_where_there_would_be_one_point(tmp_path: Path, page: str) -> None:
    few, more = (drawn(questions, windows=False) for questions in (199, 200))
    write_report(few, tmp_path / "few")
    pages = (tmp_path / "few").read_text(encoding="utf-8"), page
    assert [one.count("Learning over time") for one in pages] == [0, 1]
    assert over_time(more, more.summary) != ""


def test_the_same_results_give_the_same_report(tmp_path: Path, page: str) -> None:
    write_report(drawn(), tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_the_terminal_shows_the_scorers_best_first_with_names_as_they_are() -> None:
    console = Console(width=120, record=True, file=None, quiet=False, force_terminal=False)
    summary = by_hand([[2] * 4, [1] * 4], ["rule", "ranker"]).summary
    with console.capture() as captured:
        console.print(terminal_table(summary))
        console.print(terminal_table(drawn().summary))
    text = captured.get()
    assert text.index("scorer 1") < text.index("scorer 0")
    assert "1.0000 ±.0000" in text
    assert "+58.5 % ±0.0" in text
    assert "carted <first> & $new$" in text


def test_in_the_terminal_rankers_are_bold_and_half_of_the_interval_stands_beside_a_figure() -> None:
    summary = drawn().summary
    table = terminal_table(summary)
    ranked = [summary.rows[position] for position in summary.ranked()]
    assert [row.style for row in table.rows] == [
        "bold" if row.scorer.kind == "ranker" else "" for row in ranked
    ]
    halves = [(row.figures[0].high - row.figures[0].low) / 2 for row in ranked]
    for cell, row, half in zip(table.columns[1].cells, ranked, halves, strict=True):
        assert str(cell) == f"{row.figures[0].mean:.4f} ±{half:.4f}".replace("0.", ".")


def test_the_terminal_counts_scorers_that_found_nothing() -> None:
    console = Console(width=80, record=True, force_terminal=False)
    kinds: list[Kind] = ["recommender", "ranker", "recommender", "recommender"]
    with console.capture() as captured:
        console.print(terminal_table(by_hand([[2, 2], [1, 1], [0, 0], [0, 0]], kinds).summary))
    text = captured.get()
    assert "2 more found nothing" in text
    assert "scorer 1" in text
    assert "scorer 2" not in text


def test_the_page_names_scorers_that_found_nothing_and_gives_them_no_line(tmp_path: Path) -> None:
    kinds: list[Kind] = ["recommender", "ranker", "recommender", "recommender"]
    results, file = by_hand([[2, 2], [1, 1], [0, 0], [0, 0]], kinds), tmp_path / "page.html"
    write_report(results, file)
    page = file.read_text()
    assert [line[0] for line in cells(page, "All scorers")] == ["scorer 1", "scorer 0", "XLNet", "STAN"]
    assert "Found nothing: scorer 2, scorer 3." in page
    bars = scorer_bars(results.summary)
    assert [f"scorer {place}" in bars for place in range(4)] == [True, True, False, False]


def test_names_of_recommenders_fit_beside_their_figures() -> None:
    assert max(map(len, singles(FEATURES))) <= 33


def test_results_and_the_terminal_table_do_not_load_matplotlib() -> None:
    code = "import sys, models.evaluation.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
