"""Which of very many moments train, and what each one stands for."""

import numpy as np
import pytest

from models.evaluation.protocols import purchase
from models.event_table import table_of
from reco.events import Purchase
from tests.models.histories import HOUR, MINUTE, START, did


def test_of_many_moments_half_lead_to_a_purchase_and_the_others_weigh_as_many_as_there_are() -> None:
    log = [did("a", number * HOUR, f"v{number}", kind=Purchase) for number in range(100)]
    log += [did("a", number * HOUR - 1, f"v{number}") for number in range(1, 30)]
    asked = purchase(table_of(log), 0.1, 0.9, MINUTE)
    some = np.ones(len(asked.walk.table), np.bool_)
    cases = (130, 29, 1), (129, 29, 1), (80, 29, 100 / 51), (40, 20, 100 / 29), (20, 10, 100 / 29)
    for count, led, weight in cases:
        drawn, others_weigh = asked.drawn(some, count, np.random.default_rng(0))
        assert drawn.sum() == min(count, len(some))
        assert (asked.walk.targets[drawn] >= 0).sum() == led
        assert others_weigh == pytest.approx(weight)
        hours = (asked.walk.table.ts[drawn] - START) / HOUR
        assert hours.mean() == pytest.approx(50, abs=20), "of all times alike"
    led_or_few = asked.walk.targets >= 0
    led_or_few[np.flatnonzero(~led_or_few)[:5]] = True
    drawn, others_weigh = asked.drawn(led_or_few, 20, np.random.default_rng(0))
    assert (drawn.sum(), (asked.walk.targets[drawn] >= 0).sum()) == (20, 15)
    assert others_weigh == pytest.approx(15 / 29)


def test_of_many_moments_none_of_which_led_to_a_purchase_each_one_stands_for_as_many() -> None:
    log = [did("a", number * HOUR, f"v{number}") for number in range(100)]
    asked = purchase(table_of([*log, did("a", 100 * HOUR, kind=Purchase)]), 0.1, 0.9, MINUTE)
    assert (asked.walk.targets[asked.trained] < 0).all()
    drawn, others_weigh = asked.drawn(asked.trained, 20, np.random.default_rng(0))
    assert (drawn.sum(), others_weigh) == (20, 1)
