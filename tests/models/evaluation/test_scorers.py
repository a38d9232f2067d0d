"""Scorers: what is trained to be compared, as far as there is something to train on."""

import numpy as np
import pytest

from models import challengers
from models.challengers import Ranking
from models.evaluation.scorers import CartFirst, NewestFirst, Panel, singles, trained
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
    rules = [("newest first", "rule"), ("cart first, then newest", "rule"), ("fixed blend", "baseline")]
    simpler = [("logistic regression", "challenger")] if newest_label is None else []
    learned = [("lambdarank", "challenger"), *simpler, ("mix", "ranker")]
    assert [(one.name, one.kind) for one in panel.scorers if "." not in one.name] == [*rules, *learned]


def test_what_recommends_on_its_own_is_all_evidence_that_is_compared_as_it_is() -> None:
    found = singles(FEATURES)
    assert {"revisits.decayed", "session_knn.stan", "popularity.clicks_now"} <= set(found)
    assert not {"revisits.clicks", "revisits.decayed~share"} & set(found)
    assert {name.partition(".")[0] for name in found}.isdisjoint(("moment", "attributes"))
    assert set(singles(SOME)) == set(found) & set(SOME)


def test_hand_rules_list_the_basket_and_what_was_looked_at_last_and_nothing_else() -> None:
    carts, purchases = [0, 1, 1, 0, 0], [0, 0, 1, 0, 0]
    sales_ago = [0, 3, 1, 2, np.nan]
    by_rule: dict[Ranking, list[int]] = {NewestFirst(): [0, 2, 3, 1], CartFirst(): [1, 0, 2, 3]}
    given = {"revisits.carts": carts, "revisits.purchases": purchases, "revisits.sales_ago": sales_ago}
    for rule, order in by_rule.items():
        scores = rule.score(np.array([given[name] for name in rule.features], np.float32))
        assert [place for place in np.argsort(-scores).tolist() if scores[place] > 0] == order
        assert scores[4] == 0


def test_the_rank_of_the_target_is_that_among_the_candidates_that_could_be_listed() -> None:
    panel, rows = Panel(SOME), np.zeros((len(SOME), 4), np.float32)
    rows[SOME.index("popularity.clicks_now")] = [9, 3, 5, 4]
    allowed = np.array([False, True, True, True])
    ranks = panel.ranks(panel.scores(rows), 3, allowed).tolist()
    found = dict(zip((scorer.name for scorer in panel.scorers), ranks, strict=True))
    assert found["popularity.clicks_now"] == 2
    assert found["newest first"] == 3, "all are alike to it, which is no merit"
