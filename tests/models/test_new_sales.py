"""A trained mix lists new sales that look like what the visitor touched, though nobody has visited them."""

from functools import cache
from itertools import groupby
from random import Random

import pytest

from models.event_table import table_of
from models.forest import Forest
from models.meta_model import MetaModel
from models.release_training import Plan, train_release
from models.sale_content import content_of
from models.training import Boosting
from reco.catalogue import Catalogue, catalogue_of
from reco.events import Click, Sale
from reco.knowledge import Knowledge
from reco.parameters import DAY, HOUR, MINUTE, SECOND, Parameters
from reco.policy import Rules
from reco.rules import rules_in_force
from reco.sessions import fold
from reco.top_ten import Serving, top_ten
from tests.models.image_ranker import SEA, STONE, looks

START = 1_700_000_000_000
END = START + 6 * DAY
EVERY, OPEN = 2 * HOUR, 3 * DAY
"""Sales open so often, and stay open for so long."""
LOOKS = (SEA, STONE)
NEWEST = 0.8
"""How often a visitor prefers what opened last."""


NEW = ("new-sea", "new-stone")


def sales() -> list[Sale]:
    """Seaside and city by turns; the last of each opens at the end, and nobody has seen it."""
    opened = range(START - 2 * DAY, END, EVERY)
    shop = [Sale(f"sale-{number:02}", f"Number {number}", at, at + OPEN) for number, at in enumerate(opened)]
    return [*shop, *(Sale(name, "New", END - MINUTE, END + OPEN) for name in NEW)]


SALES = sales()
"""An even number of them is the shop of old, so that what they look like goes on by turns."""


def clicks(visits: int = 300) -> list[Click]:
    """Visits of four clicks by people who like either the sea or stone, and of it what is new."""
    random, made = Random(0), list[Click]()
    for visit in range(visits):
        ts = START + random.randrange(6 * DAY - HOUR)
        suits = [one for one in SALES[visit % 2 :: 2] if one.opens_at <= ts < one.opens_at + OPEN]
        for step in range(4):
            sale = suits[-random.randint(1, 4)] if random.random() < NEWEST else random.choice(suits)
            made.append(Click(f"{visit}.{step}", f"v{visit}", sale.sale_id, ts + step * 20 * SECOND))
    return sorted(made, key=lambda one: one.ts)


@cache
def trained() -> tuple[Serving, Catalogue]:
    """The mix of a release that is trained on these clicks, what is known at their end, and the sales."""
    assert len(SALES) % 2 == 0
    history, catalogue = clicks(), catalogue_of(SALES)
    labels = [looks(sale.sale_id, LOOKS[number % 2]) for number, sale in enumerate(SALES)]
    boosting, plan = Boosting(trees=20, num_leaves=7, min_data_in_leaf=20, threads=1), Plan("click")
    training = train_release(
        table_of(history),
        catalogue,
        Parameters(),
        boosting,
        plan,
        created_at=END,
        source="test",
        labels=labels,
    )
    mix, (content, _) = training.rankers["mix"], content_of(catalogue, 0, labels)
    knowledge = Knowledge(max_sales=256, max_visitors=1024, content=content)
    for second, appended in groupby(history, lambda click: click.ts // SECOND):
        knowledge.advance(second, [(0, place, click) for place, click in enumerate(appended)])
    return Serving(knowledge, MetaModel("mix", Forest.parse(mix.model), mix.calibration)), catalogue


@pytest.mark.parametrize("taste", [0, 1], ids=["sea", "stone"])
def test_the_trained_mix_lists_a_new_sale_to_those_whom_it_suits(taste: int) -> None:
    (serving, catalogue), session = trained(), None
    for offset, sale in enumerate(SALES[-8 + taste : -2 : 2]):
        session = fold(session, Click(f"e{offset}", "ann", sale.sale_id, END + offset * SECOND), offset)
    at = END + MINUTE
    live = catalogue.live(at)
    assert len(live.ids) > 30
    listed = top_ten(session, 0, serving, catalogue, rules_in_force(Rules(), live, catalogue), at).sales
    ids = [one.sale_id for one in listed]
    suits, other = NEW[taste], NEW[1 - taste]
    assert suits in ids
    assert other not in ids
    assert "image" in {reason.name for reason in listed[ids.index(suits)].reasons}
