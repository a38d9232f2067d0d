"""Of many live sales, what looks or reads like what was touched is scored before anyone clicked on it."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from models.sale_content import SaleContent
from models.text import TextModel
from reco.catalogue import Catalogue
from reco.events import Sale, Withdrawal
from reco.knowledge import Knowledge
from reco.label_book import LabelBook
from reco.labels import LabelsFact, Unlabelled
from reco.lists import TopTen
from reco.policy import UNRESTRICTED
from reco.retrieval import NEAR
from reco.rules import rules_in_force
from reco.top_ten import Serving, top_ten
from tests.models.described_sales import TITLES, UNKNOWN, text_model
from tests.models.image_ranker import SEA, STONE, looks
from tests.reco.labelled import labels
from tests.reco.worlds import NOON, act, asked, learned, session_of, visits

IDS = tuple(f"sale-{number:04}" for number in range(1000))
TOUCHED, NEW = "sale-0001", "sale-0900"
VISITOR = session_of([act(TOUCHED)])


class Looking:
    """A ranker that lists what looks most like the newest visit."""

    release = "looking-1"
    features = ("similarity.image_centroid",)

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine."""
        return np.where(np.isnan(features[0]), np.float32(-1), features[0])

    def contributions(self, features: NDArray[np.float32]) -> None:
        """None."""


class Shop:
    """A thousand live sales, of which four were visited, and nothing is seen or said of most."""

    def __init__(self, text: TextModel | None = None) -> None:
        self.catalogue, self.book = Catalogue(partitions=1), LabelBook(partitions=1)
        self._content = SaleContent(text, self.book)
        self.knowledge = Knowledge(max_sales=1024, max_visitors=64, content=self._content.content)
        trails = [TOUCHED, "sale-0003"], ["sale-0004", "sale-0005"]
        learned(visits(*trails), knowledge=self.knowledge)  # type: ignore[arg-type]
        self._facts = 0
        for one in IDS:
            self.publish(Sale(one, UNKNOWN, NOON))

    def publish(self, fact: Sale | Withdrawal) -> None:
        """A sale is published, changed or withdrawn."""
        self.catalogue.apply(fact, 0, self._facts)
        self._content.take(fact.sale_id, self.catalogue.sale(fact.sale_id))
        self._facts += 1

    def label(self, *facts: LabelsFact) -> None:
        """Labels come, or are taken back."""
        for fact in facts:
            self.book.apply(fact, 0, self._facts)
            self._content.take_labels((fact.sale_id,))
            self._facts += 1

    def scored(self) -> set[str]:
        """The sales that are worth a score."""
        live = self.catalogue.live(NOON)
        few = self.knowledge.retrieve(asked(self.knowledge, VISITOR, live)).candidates
        return {live.ids[place] for place in few.places.tolist()}

    def listed(self) -> TopTen:
        """The visitor's list."""
        in_force = rules_in_force(UNRESTRICTED, self.catalogue.live(NOON), self.catalogue)
        return top_ten(VISITOR, 0, Serving(self.knowledge, Looking()), self.catalogue, in_force, NOON)


def seaside(*sale_ids: str) -> list[LabelsFact]:
    """Labels of sales by the sea."""
    return [looks(one, SEA) for one in sale_ids]


def test_a_sale_that_nobody_has_visited_is_scored_and_listed_once_it_looks_like_what_was_touched() -> None:
    shop = Shop()
    shop.label(*seaside(TOUCHED), *(looks(one, STONE) for one in IDS[100:200]))
    assert NEW not in shop.scored()
    shop.label(*seaside(NEW))
    assert NEW in shop.scored()
    assert [one.sale_id for one in shop.listed().sales][:2] == [TOUCHED, NEW]


def test_a_sale_that_nobody_has_visited_is_scored_if_it_reads_like_what_was_touched() -> None:
    shop = Shop(text_model())
    shop.publish(Sale(TOUCHED, TITLES[0], NOON))
    assert NEW not in shop.scored()
    shop.publish(Sale(NEW, TITLES[1], NOON))
    assert NEW in shop.scored()


def test_so_many_come_in_as_are_allowed_to_the_nearest_of_all() -> None:
    random, shop = np.random.default_rng(7), Shop()
    before = shop.scored()
    vectors = {one: random.normal(size=32) for one in IDS}
    shop.label(*(labels(one, vector.tolist()) for one, vector in vectors.items()))
    unit = np.array([vector / np.linalg.norm(vector) for vector in vectors.values()])
    order = np.argsort(-(unit @ unit[IDS.index(TOUCHED)]))
    assert shop.scored() == before | {IDS[place] for place in order[: NEAR["image"]]}


@pytest.mark.parametrize(
    "gone",
    [
        lambda shop: shop.publish(Withdrawal(NEW)),
        lambda shop: shop.publish(Sale(NEW, UNKNOWN, NOON - 1, NOON)),
        lambda shop: shop.label(Unlabelled(NEW)),
        lambda shop: shop.label(looks(NEW, -SEA), *seaside(*IDS[100:150])),
    ],
    ids=["withdrawn", "closed", "labels taken back", "labelled as something else"],
)
def test_what_is_gone_or_looks_like_something_else_now_is_not_proposed_any_more(
    gone: Callable[[Shop], None],
) -> None:
    shop = Shop()
    shop.label(*seaside(TOUCHED, NEW))
    assert NEW in shop.scored()
    gone(shop)
    assert NEW not in shop.scored()
    assert NEW not in [one.sale_id for one in shop.listed().sales]


def test_a_list_is_the_same_followed_and_built_afterwards() -> None:
    followed, built = Shop(), Shop()
    for number, one in enumerate(IDS):
        followed.label(looks(one, STONE, seed=2))
        if number % 50 == 0:
            followed.listed()
    newest = [looks(one, SEA if number % 7 == 1 else STONE) for number, one in enumerate(IDS)]
    followed.label(*newest)
    built.label(*reversed(newest))
    assert followed.listed().sales == built.listed().sales
    assert followed.scored() == built.scored()
    assert not {one.sale_id for one in followed.listed().sales} <= {*IDS[:10]}
