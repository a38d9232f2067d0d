"""The screen of a demo shows the figures, and lists with titles, on any terminal."""

import asyncio
import io
import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec import structs
from rich.console import Console, RenderableType

from demo.labels_seen import Example, LabelsSeen
from demo.performance import Performance
from demo.screen import RATE_WINDOW, Rates, ShownList, drawn_on, fitting, screen, summary
from reco.labels import Scored
from reco.lists import Reason
from tests.demo.lists import SALES, right_list
from tests.demo.test_report import FIGURES

TITLES = {sale.sale_id: sale.title for sale in SALES}


def printed(shown: RenderableType, width: int = 120) -> str:
    console = Console(width=width, file=io.StringIO())
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_screen_shows_rates_latency_and_what_went_wrong(width: int) -> None:
    text = printed(screen(FIGURES, (101.4, 87.6), [], TITLES), width)
    for part in (
        "101 events/s",
        "88 lists/s",
        "5.5 ms p50 click to list",
        "30.2 ms p99",
        "151 live sales",
        "2 wrong lists",
        "4 dead letters",
        "5 restarts",
        "190 labelled sales",
        "2026-11-24-1a2b3c4d labeller",
        "2026-11-24-5e6f7a8b/mix ranker",
    ):
        assert part in text


@pytest.mark.parametrize("width", [40, 60, 79, 80])
def test_the_figures_leave_room_for_a_list_on_a_small_screen(width: int) -> None:
    text = printed(screen(FIGURES, (101.4, 87.6), [ShownList(right_list(), "Open 11")], TITLES), width)
    assert len(text.rstrip().splitlines()) <= 24
    assert "5 restarts" in " ".join(text.split())


def test_the_screen_shows_each_list_with_titles_and_the_click_before_it() -> None:
    text = printed(screen(FIGURES, (0, 0), [ShownList(right_list(), "Open 11")], TITLES))
    assert "ann" in text
    assert "clicked Open 11" in text
    assert [title for title in TITLES.values() if f"{title} " in text.replace("clicked Open 11", "")] == [
        f"Open {number}" for number in range(10)
    ]


def test_a_list_that_says_why_is_shown_with_reasons_and_needs_twice_the_room() -> None:
    plain = ShownList(right_list(), "")
    first, *others = plain.newest.sales
    speaks = structs.replace(first, reasons=(Reason("image", 0.5, "open-11"),))
    told = ShownList(right_list(sales=(speaks, *others)), "")
    assert "looks like Open 11, which" in printed(screen(FIGURES, (0, 0), [told], TITLES))
    lists = [plain, plain, told]
    assert fitting(lists[:2], 80) == lists[:2]
    assert fitting(lists, 80) == [told]
    assert fitting(lists, 160) == [plain, told]
    assert fitting(lists, 20) == [told]
    assert fitting([], 80) == []


def test_a_sale_without_a_title_is_shown_by_its_id() -> None:
    assert "open-03" in printed(screen(FIGURES, (0, 0), [ShownList(right_list(), "")], {}))


def test_nothing_measured_yet_is_a_dash() -> None:
    nothing = replace(FIGURES, click_to_list=replace(FIGURES.click_to_list, p50=None))
    assert "– p50" in printed(screen(nothing, (0, 0), [], {}))  # noqa: RUF001 - the dash on the screen


def test_rates_are_means_over_the_last_seconds() -> None:
    rates = Rates()
    assert rates.read(replace(FIGURES, seconds=0.0, events={"click": 0}, lists=0)) == (0.0, 0.0)
    assert rates.read(replace(FIGURES, seconds=2.0, events={"click": 200}, lists=100)) == (100.0, 50.0)
    later = replace(FIGURES, seconds=2.0 + RATE_WINDOW, events={"click": 200}, lists=400)
    assert rates.read(later) == (0.0, 100.0)


def test_the_summary_says_how_it_went_and_quotes_wrong_lists() -> None:
    text = printed(summary(FIGURES))
    assert "1,550: 800 clicks, 700 impressions, 40 carts, 10 purchases" in text
    assert "300, 1 without a list" in text
    assert "p50 5.5 ms, p99 30.2 ms" in text
    assert "list-7: past is not open" in text
    assert "190 sales by labeller 2026-11-24-1a2b3c4d, 181 as their kind" in text
    assert "beach (2 images): beach 75%" in text
    assert "2,000, 2 wrong" in text
    assert "unanswered clicks  1" in text


@pytest.mark.parametrize("kind", ["beach [summer]", "[/beach]", ":sun:"])
def test_a_kind_of_any_name_is_quoted_as_it_is(kind: str) -> None:
    seen = Example("sale-1", kind, is_right=True, images=2, labels=(Scored(kind, 0.75),), topics=())
    shown = printed(summary(replace(FIGURES, labels=replace(FIGURES.labels, examples=(seen,)))))
    assert f"{kind} (2 images): {kind} 75%" in shown


async def test_what_is_logged_while_the_screen_is_drawn_is_said_when_it_is_given_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    observer = SimpleNamespace(latest=None, sales=SimpleNamespace(titles={}))
    performance = cast("Performance", SimpleNamespace(figures=lambda: FIGURES, observer=observer))
    console = Console(file=io.StringIO(), force_terminal=True)
    drawing = asyncio.create_task(drawn_on(console)(performance))
    await asyncio.sleep(0)
    logging.getLogger("demo.labelling").warning("The labeller could not be trained")
    assert capsys.readouterr().err == ""
    drawing.cancel()
    await asyncio.gather(drawing, return_exceptions=True)
    assert capsys.readouterr().err == "The labeller could not be trained\n"


async def test_the_screen_is_drawn_with_the_list_that_came_last_and_the_click_before_it() -> None:
    observer = SimpleNamespace(latest=right_list(), sales=SimpleNamespace(titles=TITLES))
    site = SimpleNamespace(clicked={"ann": "open-11"})
    drawn = SimpleNamespace(figures=lambda: FIGURES, observer=observer, site=site)
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    drawing = asyncio.create_task(drawn_on(console)(cast("Performance", drawn)))
    await asyncio.sleep(0)
    drawing.cancel()
    await asyncio.gather(drawing, return_exceptions=True)
    assert "clicked Open 11" in cast("io.StringIO", console.file).getvalue()


def test_a_labeller_that_is_not_there_yet_is_waited_for_aloud() -> None:
    training = replace(FIGURES, labels=LabelsSeen("training", trained=0.45))
    shown = printed(screen(training, (0, 0), [], {}))
    assert "0 labelled sales" in shown
    assert "training, 45% labeller" in shown
    assert "still training" in printed(summary(training))


def test_it_says_what_has_ranked_how_many_lists_and_that_rankers_are_trained() -> None:
    assert "1,500 by blend, 500 by 2026-11-24-5e6f7a8b/mix" in printed(summary(FIGURES))
    training = replace(FIGURES, ranking="training", lists_by_ranker={"blend": 2_000})
    assert "blend, training ranker" in printed(screen(training, (0, 0), [], {}))
    assert "blend, failed ranker" in printed(screen(replace(training, ranking="failed"), (0, 0), [], {}))
    begun = replace(FIGURES, ranking="waiting", lists=0, lists_by_ranker={})
    assert "no ranker" in printed(screen(begun, (0, 0), [], {}))


def test_a_demo_without_images_shows_nothing_of_labels() -> None:
    off = replace(FIGURES, labels=LabelsSeen("off"))
    assert "label" not in printed(screen(off, (0, 0), [], {}))
