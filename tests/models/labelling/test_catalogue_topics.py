"""Topics of a catalogue: found in the labels of its sales, and the same topics as before where they go on."""

from collections.abc import Sequence

import numpy as np
import pytest
from msgspec.structs import replace

from models.labelling.catalogue_topics import FEWEST_SALES, refit_topics
from models.labelling.topics import TopicOptions, Topics, fit_topics
from reco.errors import LabellingError
from reco.labels import SaleLabels, Scored
from tests.reco.labelled import labels

SEA, SNOW, TOWN = ("beach", "coast", "harbour"), ("ski_slope", "glacier"), ("alley", "market")
CLASSES = (*SEA, *SNOW, *TOWN)
OPTIONS = TopicOptions(numbers=(2,), samples=2)


def sales(*kinds: Sequence[str], each: int = 20, images: int = 1) -> list[SaleLabels]:
    """Sales of these kinds: the labels of the kind share 90 %, by lot, and one of others has the rest."""
    random = np.random.default_rng(1)
    made = []
    for kind in kinds:
        for number in range(each):
            shares = 0.9 * random.dirichlet(np.ones(len(kind)))
            found = [*map(Scored, kind, shares.tolist()), Scored(str(random.choice(CLASSES)), 0.1)]
            different = {one.name: one for one in reversed(found)}
            sale = labels(f"{kind[0]}-{number}")
            made.append(replace(sale, images=images, labels=tuple(different.values()) if images else ()))
    return made


def before() -> Topics:
    """Topics of sea and snow, as of the photographs of training."""
    scores = np.zeros((40, len(CLASSES)), np.float32)
    scores[:20, : len(SEA)] = 1 / len(SEA)
    scores[20:, len(SEA) : len(SEA) + len(SNOW)] = 1 / len(SNOW)
    return fit_topics(scores, CLASSES, OPTIONS)


def test_topics_are_those_of_the_sales_and_keep_the_number_of_those_that_they_continue() -> None:
    old = before()
    sea, snow = (old.ids[find(old, one)] for one in ("beach", "ski_slope"))
    refit = refit_topics(sales(SEA, TOWN), CLASSES, old, OPTIONS)

    continued, new = (refit.topics.ids[find(refit.topics, one)] for one in ("beach", "alley"))
    assert (continued, new) == (sea, old.issued)
    assert refit.before == dict(zip(old.ids, old.names, strict=True))
    assert refit.gone == [refit.before[snow]]
    assert refit.topics.issued == old.issued + 1
    assert refit.shares.sum() == pytest.approx(1, abs=1e-6)
    assert refit.shares == pytest.approx([0.5, 0.5], abs=0.1)


def find(topics: Topics, label: str) -> int:
    """The place of the topic that a label weighs most in."""
    return int(topics.weights[:, topics.classes.index(label)].argmax())


def test_the_first_topics_of_a_labeller_without_any_are_all_new() -> None:
    refit = refit_topics(sales(SEA, SNOW, TOWN), CLASSES, None, TopicOptions(numbers=(3,)))
    assert refit.topics.ids == (0, 1, 2)
    assert (refit.before, refit.gone) == ({}, [])
    assert len({find(refit.topics, kind[0]) for kind in (SEA, SNOW, TOWN)}) == 3


def test_it_needs_a_catalogue_whose_images_were_recognised() -> None:
    few = sales(SEA, each=FEWEST_SALES - 1) + sales(SNOW, images=0)
    with pytest.raises(
        LabellingError, match=f"^{FEWEST_SALES - 1} sales are labelled by this labeller; topics"
    ):
        refit_topics(few, CLASSES, before(), OPTIONS)
    refit_topics(few + sales(TOWN, each=1), CLASSES, before(), OPTIONS)


def test_a_label_that_the_labeller_does_not_know_is_named() -> None:
    odd = replace(labels("rome"), labels=(Scored("volcano", 1.0),))
    with pytest.raises(LabellingError, match="volcano, a label of rome, is none of v1"):
        refit_topics([odd, *sales(SEA, SNOW)], CLASSES, before(), OPTIONS)
