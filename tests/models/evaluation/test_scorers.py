"""Scorers: what is trained to be compared, as far as there is something to train on."""

import numpy as np
import pytest

from models import challengers
from models.evaluation.scorers import Panel, trained
from models.training import VISITS, Boosting, of_kinds
from models.training_set import TrainingSet
from reco.features import FEATURES

QUICK = Boosting(trees=3, num_leaves=4, min_data_in_leaf=20, threads=1)
SOME = of_kinds(FEATURES, VISITS)


@pytest.mark.parametrize("newest_label", [0.0, 1.0, None])
def test_only_the_logistic_regression_is_left_out_if_the_newest_moments_have_nothing_to_tell_apart(
    newest_label: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challengers, "LOGISTIC_MOMENTS", 20)
    random, training = np.random.default_rng(0), TrainingSet(SOME, np.random.default_rng(0))
    for _ in range(200):
        training.add(random.random((len(SOME), 10), np.float32), 0, np.ones(10, np.bool_))
    examples = training.complete()
    moment = np.repeat(np.arange(200), examples.groups)
    if newest_label is not None:
        examples.labels[(moment >= 150) & (moment < 170)] = newest_label
    panel = Panel(SOME)
    trained(panel, examples, QUICK)
    names = [scorer.name for scorer in panel.scorers]
    assert ("logistic regression" in names) == (newest_label is None)
    assert {"lambdarank", "mix"} <= set(names)
