"""The demo's site without Kafka: one catalogue, one knowledge, sessions and lists, in simulated time."""

from collections import deque
from collections.abc import Iterable, Sequence

from demo.catalogue import DemoSale
from models.sale_content import SaleContent
from models.text import TextModel
from reco.catalogue import Catalogue, LiveSales
from reco.events import Event, Impression, Millis, Sale, Withdrawal
from reco.knowledge import Knowledge
from reco.lists import TopTen
from reco.parameters import SECOND
from reco.policy import UNRESTRICTED, Rules
from reco.ranker import Ranker
from reco.rules import LiveRules
from reco.sessions import Session, fold
from reco.top_ten import Serving, top_ten

PARTITION = 0
"""A world has one partition of everything."""


class World:
    """What workers do, in one process: sessions fold at once, knowledge learns a second once it is over.

    All lists come from the one pipeline (`reco.top_ten`) and from the same knowledge, whoever ranks.

    Attributes:
        sales: all sales, past, open and to come.
        now: the moment, ms since the epoch, UTC.
    """

    def __init__(
        self, sales: Sequence[DemoSale], rules: Rules = UNRESTRICTED, text_model: TextModel | None = None
    ) -> None:
        self.sales = sales
        self.now = 0
        self.catalogue = Catalogue(partitions=1)
        self._content = SaleContent(text_model)
        self._facts = 0
        for one in sales:
            self._publish(one.sale.sale_id, one.sale)
        gone = sorted((one.withdrawn_at, one.sale.sale_id) for one in sales if one.withdrawn_at is not None)
        self._withdrawals = deque(gone)
        self.knowledge = Knowledge(content=self._content.content)
        self._rules = LiveRules(rules, self.catalogue)
        self._appended: list[tuple[int, int, Event]] = []
        self._offset = 0
        self._sessions: dict[str, Session] = {}
        self._lists: dict[str, TopTen] = {}

    def learn(self, history: Iterable[Event]) -> None:
        """Take over what happened before, as a worker that starts reads it; of visitors who do not return."""
        for event in history:
            self.pass_to(event.ts)
            self._append(event)

    def pass_to(self, now: Millis) -> None:
        """Let time pass until `now`, which never goes back."""
        if self._appended and now // SECOND > self.now // SECOND:
            self.knowledge.advance(self.now // SECOND, self._appended)
            self._appended = []
        self.now = now
        while self._withdrawals and self._withdrawals[0][0] <= now:
            self._publish(self._withdrawals.popleft()[1], None)

    def take(self, event: Event) -> None:
        """Take an event of this moment."""
        if not isinstance(event, Impression):
            known = self._sessions.get(event.visitor_id)
            self._sessions[event.visitor_id] = fold(known, event, self._offset)
        self._append(event)

    def shown_to(self, visitor_id: str, ranker: Ranker) -> TopTen:
        """The visitor's list; a new one if they did anything, or sales changed, since the one before."""
        session, newest = self._sessions.get(visitor_id), self._lists.get(visitor_id)
        if newest is None or self._is_overtaken(newest, session):
            serving = Serving(self.knowledge, ranker)
            newest = top_ten(
                session, PARTITION, serving, self.catalogue, self._rules.of(self.live()), self.now
            )
            self._lists[visitor_id] = newest
        return newest

    def live(self) -> LiveSales:
        """The sales that are open."""
        return self.catalogue.live(self.now)

    def _append(self, event: Event) -> None:
        self._appended.append((PARTITION, self._offset, event))
        self._offset += 1

    def _publish(self, sale_id: str, sale: Sale | None) -> None:
        self.catalogue.apply(sale or Withdrawal(sale_id), PARTITION, self._facts)
        self._content.take(sale_id, sale)
        self._facts += 1

    def _is_overtaken(self, newest: TopTen, session: Session | None) -> bool:
        made_from = newest.made_from
        done = -1 if session is None else session.offset
        closed = newest.holds_until is not None and newest.holds_until <= self.now
        return closed or (made_from.session_offset, made_from.sales_offsets) != (done, self.catalogue.offsets)
