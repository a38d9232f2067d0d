"""What goes on beside the visitors ends with them, and its errors end them; when rankers are trained."""

import asyncio
import signal
from collections import Counter
from types import SimpleNamespace
from typing import cast

import pytest

from demo.backstage import Backstage
from demo.observer import Observer
from demo.performance import Performance, background, send_home
from demo.ranking import ENOUGH
from demo.site import Site
from reco.errors import BrokerError
from streams.settings import Topics
from streams.topics import topic_set
from tests.demo.lists import TOPICS, list_record, right_list
from tests.reco.labelled import labels
from tests.streams.world import open_sales


async def for_ever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("ended")


async def failing() -> None:
    raise BrokerError("gone")


async def test_what_goes_on_beside_the_visitors_ends_with_them() -> None:
    ended: list[str] = []
    async with background(for_ever(ended), for_ever(ended)):
        await asyncio.sleep(0)
    assert ended == ["ended", "ended"]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_visitors_go_when_the_demo_is_ended_from_outside_unless_that_is_ignored(
    end: signal.Signals,
) -> None:
    before = signal.signal(end, signal.SIG_IGN)
    stays, goes = (cast("Site", SimpleNamespace(stop=asyncio.Event())) for _ in range(2))
    send_home(stays, None)
    signal.signal(end, signal.default_int_handler)
    send_home(goes, None)
    signal.raise_signal(end)
    await asyncio.wait_for(goes.stop.wait(), 10)
    asyncio.get_running_loop().remove_signal_handler(end)
    signal.signal(end, before)
    assert not stays.stop.is_set()


async def test_an_error_beside_the_visitors_ends_the_demo_with_that_error() -> None:
    ended: list[str] = []
    with pytest.raises(BrokerError, match="gone"):
        async with background(for_ever(ended), failing()):
            await asyncio.Event().wait()
    assert ended == ["ended"]


async def test_an_error_of_the_visitors_ends_what_goes_on_beside_them() -> None:
    ended: list[str] = []

    async def visit() -> None:
        async with background(for_ever(ended)):
            await asyncio.sleep(0)
            await failing()

    with pytest.raises(BrokerError, match="gone"):
        await visit()
    assert ended == ["ended"]


class Stage:
    """A performance of nobody, in which training only counts."""

    def __init__(self, labelling: str) -> None:
        self.observer, self.events, self.trained = Observer(topic_set(Topics())), Counter[str](), 0
        self.sales = open_sales(3)
        self.backstage = SimpleNamespace(ranking=self, labelling_state=labelling)
        for offset, sale in enumerate(self.sales):
            self.observer.sales.take(sale, 0, offset)
        site = cast("Site", SimpleNamespace(events=self.events))
        self.performance = Performance(site, self.observer, cast("Backstage", self.backstage))

    async def train(self) -> None:
        self.trained += 1

    async def trained_after(self, events: int = 0) -> int:
        """How often rankers were trained after so many events more."""
        self.events["click"] += events
        self.observer._taken.set()
        for _ in range(5):
            await asyncio.sleep(0)
        return self.trained


def test_figures_are_those_of_the_topics_and_time_stands_still_once_visitors_are_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter((10.0, 12.0, 15.0))
    monkeypatch.setattr("demo.performance.time", SimpleNamespace(monotonic=lambda: next(clock)))
    observer, sales = Observer(TOPICS), open_sales(3)
    for offset, sale in enumerate(sales):
        observer.sales.take(sale, 0, offset)
    observer.take(list_record(right_list()), received_at=1.0)
    backstage = SimpleNamespace(
        ranking=SimpleNamespace(state="live"), labelling_state="off", trained=0, restarts=2
    )
    site = SimpleNamespace(events=Counter(click=3), visitors={"ann", "bob"}, kinds={})
    performance = Performance(cast("Site", site), observer, cast("Backstage", backstage))
    assert performance.figures().seconds == 2.0
    performance.closed()
    figures = performance.figures()
    assert (figures.seconds, figures.all_events, figures.restarts) == (5.0, 3, 2)
    assert (figures.visitors, figures.visitors_without_list, figures.lists) == (2, 1, 1)
    assert (figures.live_sales, figures.lists_unjudged) == (3, 1)


async def test_rankers_are_trained_on_enough_events_and_again_once_images_are_known() -> None:
    stage = Stage(labelling="training")
    sales = stage.sales
    learning = asyncio.create_task(stage.performance.learn())
    assert await stage.trained_after(ENOUGH - 1) == 0
    assert await stage.trained_after(1) == 1
    stage.observer.labels |= {sale.sale_id: labels(sale.sale_id) for sale in sales[:-1]}
    assert await stage.trained_after(ENOUGH) == 1
    stage.observer.labels |= {sale.sale_id: labels(sale.sale_id) for sale in sales}
    assert await stage.trained_after() == 2
    await learning


@pytest.mark.parametrize("labelling", ["off", "failed"])
async def test_without_images_rankers_are_trained_once(labelling: str) -> None:
    stage = Stage(labelling)
    stage.events["click"] = ENOUGH
    await stage.performance.learn()
    assert stage.trained == 1
