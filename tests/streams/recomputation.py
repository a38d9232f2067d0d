"""Lists computed again from what they say they were made from, with what stands on the topics."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from models.sale_content import SaleContent
from reco.catalogue import Catalogue
from reco.events import Erasure, Event, SaleFact
from reco.knowledge import Knowledge
from reco.label_book import LabelBook
from reco.labels import LabelsFact
from reco.lists import TopTen
from reco.policy import UNRESTRICTED, Rules
from reco.rules import rules_in_force
from reco.sessions import Session
from reco.top_ten import Serving, top_ten
from streams.codecs import decode_event, decode_labels, decode_sale
from streams.reading import read_whole
from streams.releases import Served
from tests.streams.world import World, session_in

Seconds = Mapping[int, list[tuple[int, int, Event]]]
Facts = Sequence[tuple[int, int, SaleFact]]
Labels = Sequence[tuple[int, int, LabelsFact]]


class Log(NamedTuple):
    """What stands on the topics that lists are made from: events by second, sales and labels as appended."""

    seconds: Seconds
    sales: Facts
    labels: Labels


async def all_of(world: World, topic: Any) -> list[Any]:
    """Everything that stands on a topic now."""
    return [one async for one in read_whole(world.settings.kafka, topic.name)]


def by_second(records: list[Any]) -> Seconds:
    """Events by the second of their append, as the feed of knowledge sorts them."""
    newest: defaultdict[int, int] = defaultdict(int)
    seconds: defaultdict[int, list[tuple[int, int, Event]]] = defaultdict(list)
    for record in sorted(records, key=lambda one: (one.partition, one.offset)):
        newest[record.partition] = max(newest[record.partition], record.timestamp // 1000)
        event = decode_event(record.key, record.value, record.timestamp)
        if not isinstance(event, Erasure):
            seconds[newest[record.partition]].append((record.partition, record.offset, event))
    return seconds


class Past:
    """What a release serves, brought forward from nothing to what one list after the other was made from."""

    def __init__(self, served: Served, log: Log, partitions: int) -> None:
        self._seconds = [(second, log.seconds[second]) for second in sorted(log.seconds)]
        self._facts, self._labels = list(log.sales), list(log.labels)
        self.catalogue = Catalogue(partitions)
        self.book = LabelBook(partitions, self.catalogue)
        self._sales = SaleContent(served.basis.text_model, self.book)
        knowledge = Knowledge(served.basis.parameters, content=self._sales.content)
        self.serving = Serving(knowledge, served.ranker)

    def go_on(self, to: TopTen) -> None:
        """Learn and publish what the list was made from; lists come in the order in which they were made."""
        while self._seconds and self._seconds[0][0] <= to.made_from.knowledge_second:
            self.serving.knowledge.advance(*self._seconds.pop(0))
        self._label(to.made_from.labels_offsets)
        offsets = to.made_from.sales_offsets
        for partition, offset, fact in [one for one in self._facts if one[1] < offsets[one[0]]]:
            self.catalogue.apply(fact, partition, offset)
            self._sales.take(fact.sale_id, self.catalogue.sale(fact.sale_id))
        self._facts = [one for one in self._facts if one[1] >= offsets[one[0]]]
        assert self.catalogue.offsets == offsets

    def _label(self, offsets: tuple[int, ...]) -> None:
        """Take over the labels that the list was made from."""
        for partition, offset, fact in self._labels if offsets else ():
            if offset < offsets[partition]:
                self.book.apply(fact, partition, offset)
                self._sales.take_labels((fact.sale_id,))
        assert self.book.offsets == offsets

    def list_again(self, top: TopTen, session: Session | None, rules: Rules) -> TopTen:
        """The same list."""
        in_force = rules_in_force(rules, self.catalogue.live(top.at), self.catalogue)
        return top_ten(
            session,
            top.made_from.partition,
            self.serving,
            self.catalogue,
            in_force,
            top.at,
            self.book.offsets,
        )


async def computed_again(
    world: World,
    lists: list[TopTen],
    served: Mapping[str, Served],
    rules: Rules = UNRESTRICTED,
    log: Log | None = None,
) -> list[TopTen]:
    """The same lists, by the release that each one names, from the topics up to what it was made from."""
    log = log or await log_of(world)
    found = map(session_in, (one.value for one in await all_of(world, world.topics.sessions)))
    sessions = {(one.visitor_id, one.offset): one for one in found}
    again = {}
    for release, one in served.items():
        past = Past(one, log, world.topics.sales.partitions)
        of_it = [(n, top) for n, top in enumerate(lists) if top.made_from.release == release]
        for n, top in sorted(of_it, key=lambda numbered: _when(numbered[1])):
            past.go_on(to=top)
            session = sessions.get((top.visitor_id, top.made_from.session_offset))
            again[n] = past.list_again(top, session, rules)
    return [again[n] for n in range(len(lists))]


async def log_of(world: World) -> Log:
    """What stands on the topics now."""
    sales = await all_of(world, world.topics.sales)
    labels = await all_of(world, world.topics.sale_labels)
    return Log(
        by_second(await all_of(world, world.topics.events)),
        [(one.partition, one.offset, decode_sale(one.key, one.value)) for one in sales],
        [(one.partition, one.offset, decode_labels(one.key, one.value)) for one in labels],
    )


def _when(top: TopTen) -> tuple[int, int, int]:
    made_from = top.made_from
    return made_from.knowledge_second, sum(made_from.sales_offsets), sum(made_from.labels_offsets)
