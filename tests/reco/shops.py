"""Small shops for the rules of lists: sales with countries and tags, their scores, and what was bought."""

from collections.abc import Collection, Sequence
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from reco.candidates import candidates_of, touches_of
from reco.catalogue import catalogue_of
from reco.events import Purchase, Sale
from reco.lists import LIST_LENGTH
from reco.policy import MAX_EXPLORATION, Rules
from reco.rules import Chosen, choose, rules_in_force
from tests.reco.worlds import NOON, act, session_of

TAGS = ("brand:a", "brand:b", "brand:c", "beach", "old town", "spa")
COUNTRIES = (None, "ES", "FR", "IT")


class Shop(NamedTuple):
    """Sales that are all open, the scores of those that were scored, and what the visitor bought."""

    sales: Sequence[Sale]
    scores: Sequence[float | None]
    bought: Collection[str] = ()

    def choice(self, rules: Rules, list_id: str = "a list") -> tuple[Chosen, ...]:
        """The list as the rules have it."""
        catalogue = catalogue_of(self.sales)
        live = catalogue.live(NOON)
        session = session_of([act(sale_id, kind=Purchase) for sale_id in sorted(self.bought)])
        touches = touches_of(session, candidates_of(live, {}, capacity=1))
        scored = [place for place, score in enumerate(self.scores) if score is not None]
        scores = np.array([self.scores[place] for place in scored], np.float32)
        in_force = rules_in_force(rules, live, catalogue)
        return choose(scores, np.array(scored, np.int32), touches, in_force, list_id)

    def listed(self, rules: Rules, list_id: str = "a list") -> list[str]:
        """The ids of the list."""
        return [self.sales[one.position].sale_id for one in self.choice(rules, list_id)]


def sale_at(position: int, country: str | None = None, *tags: str) -> Sale:
    """A sale that is open at noon; positions follow from ids."""
    return Sale(f"s{position:03}", "A sale", NOON, country=country, tags=tags)


def shop(count: int, *special: Sale, bought: Collection[str] = ()) -> Shop:
    """So many sales, these among them, each less liked than the one before it."""
    by_id = {one.sale_id: one for one in (*map(sale_at, range(count)), *special)}
    return Shop([*by_id.values()], [1.0 - position / 1000 for position in range(count)], bought)


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    """Up to 70 sales, with any scores, broken ones and none at all too; of many, what they are repeats."""
    kinds = st.tuples(st.sampled_from(COUNTRIES), st.sets(st.sampled_from(TAGS), max_size=3))
    count = draw(st.integers(0, 14) | st.integers(0, 70))
    some = enumerate(islice(cycle(draw(st.lists(kinds, min_size=1, max_size=14))), count))
    sales = [sale_at(position, country, *sorted(tags)) for position, (country, tags) in some]
    score = st.sampled_from((None, 0.25, 0.5, 0.75)) | st.floats(width=32)
    scores = draw(st.lists(score, min_size=1, max_size=15))
    ids = [one.sale_id for one in sales]
    was_bought = draw(st.sets(st.sampled_from(ids), max_size=12)) if ids else ()
    return Shop(sales, [*islice(cycle(scores), count)], was_bought)


exclusions = {
    "excluded_tags": st.lists(st.sampled_from((*TAGS, "country:FR")), max_size=2).map(tuple),
    "excluded_sales": st.lists(st.sampled_from([f"s{number:03}" for number in range(70)]), max_size=5).map(
        tuple
    ),
}
caps = st.dictionaries(st.sampled_from(("country", "brand:")), st.integers(1, LIST_LENGTH))
diversities = st.sampled_from((0.0, 1.0)) | st.floats(0, 1)
explorations = st.sampled_from((0.0, 0.1, MAX_EXPLORATION))
all_rules = st.builds(Rules, caps=caps, diversity=diversities, exploration=explorations, **exclusions)
