"""On real logs, if they lie beside the checkout: the trained mix is above every single recommender."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import agency_offline
from models.evaluation.results import Results
from models.evaluation.tasks import Task, evaluate
from models.event_log import EventLog, find_log
from models.event_table import EventTable, read_table
from models.log_columns import EventReader, Meaning
from models.training import Boosting
from reco.parameters import Parameters
from tests.models.log_reading import conversion

DATA = Path(__file__).parents[4] / "shared" / "data"
QUICK = Boosting(trees=60, num_leaves=15, threads=1)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.shared_data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the research data are not at {DATA}"),
]


def first_rows(name: str, rows: int, meaning: Meaning | None = None) -> EventTable:
    """The beginning of a log."""
    log = EventLog(find_log(DATA / name))
    table = read_table(log, conversion(EventReader(log, name, meaning or Meaning())))
    return table.only(np.arange(rows))


def uplift(results: Results) -> float:
    """By how much the mix is above the best single recommender, in per cent of the first metric."""
    rows = {row.scorer.name: row for row in results.summary.rows}
    return rows["mix"].uplift[0].mean


def test_the_next_click_of_shop_sessions() -> None:
    table = first_rows("diginetica", 20_000, Meaning(times_from=1_451_606_400_000))
    task = Task(protocol="next-click", frozen=True, test=0.05, train=0.25)
    results = evaluate(table, task, Parameters(), QUICK)
    assert uplift(results) > 2


def test_purchases_are_found_with_probabilities_that_hold() -> None:
    table = first_rows("retailrocket_buyers", 15_000)
    results = evaluate(table, Task(protocol="purchase"), Parameters(), QUICK)
    assert uplift(results) > 0
    assert results.summary.calibrated is not None
    assert results.summary.calibrated.error < 0.02


def test_tours_are_found_for_those_who_come_back() -> None:
    agency = agency_offline.read(DATA / "slantour")
    known = agency_offline.learned(agency)
    found = agency_offline.asked(agency, known, {}, agency_offline.attributes(DATA / "slantour"))
    mrr = {one.name: mean for one, mean in zip(found.scorers, found.mrr.mean(axis=1), strict=True)}
    assert found.mrr.shape[1] > 600
    assert mrr["attribute cosine (the published baseline)"] == pytest.approx(0.186, abs=0.01)
    assert mrr["session_knn.vsknn"] > 5 * mrr["chance"]
