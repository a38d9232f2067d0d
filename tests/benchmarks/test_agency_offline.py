"""Returning visitors of an agency: which season is tested, and what is found of it."""

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.agency_offline import (
    BASELINE,
    Agency,
    asked,
    attributes,
    learned,
    read,
    results_of,
    season_of,
)
from models.evaluation.report import write_report
from models.file_values import millis
from models.training import Boosting
from reco.errors import EventLogError

COUNTRIES = ("Italy", "Norway", "Spain")
TOUR = {
    "avg_prumerna_cena": "1000",
    "avg_prumerna_cena_noc": "",
    "avg_delka": "7",
    "novelty_date": "2019-01-05",
}


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as text:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def written(folder: Path, *, source: str = "testset2019", closes: str = "2020-01-31") -> Path:
    """Nine visitors who looked at a tour of a country, and in the winter after at another one of it."""
    tours = [
        {"item_id": f"{number}", "zeme": COUNTRIES[number % 3], "destinace": "", "available_date": closes}
        | TOUR
        for number in range(12)
    ]
    events = [(source, number % 3 + 3, number, "2019-12-31T23:30:00Z") for number in range(9)]
    events += [(source, 4, 1, "2019-12-07T10:00:00Z"), ("online2019", 5, 1, "2020-03-01T10:00:00Z")]
    write(folder / "items.csv.gz", tours)
    write(
        folder / "item_features_onehot.csv.gz",
        [
            {"item_id": one["item_id"]} | {land: f"{int(one['zeme'] == land)}" for land in COUNTRIES}
            for one in tours
        ],
    )
    write(
        folder / "histories.csv.gz",
        [{"visitor_id": f"{one}", "pos": "0", "item_id": f"{one % 3}"} for one in range(9)],
    )
    write(
        folder / "events.csv.gz",
        [
            {"visitor_id": f"{visitor}", "item_id": f"{item}", "ts": f"{millis(ts)}", "src": src}
            for src, item, visitor, ts in events
        ],
    )
    return folder


def test_a_season_is_the_months_of_the_events_where_tours_are_sold() -> None:
    moments = [millis(moment) or 0 for moment in ("2018-05-31T22:41:23Z", "2018-07-19T12:02:46Z")]
    assert season_of(moments) == (millis("2018-06-01"), millis("2018-07-31"))


def test_what_is_tested_are_the_events_of_the_test_in_the_season_that_they_are_of(tmp_path: Path) -> None:
    agency = read(written(tmp_path))
    assert agency.season == (millis("2019-12-01"), millis("2020-01-31"))
    assert agency.after == {f"{one}": {f"{one % 3 + 3}"} for one in range(9)}
    assert max(click.ts for click in agency.history()) < agency.season.cut


def test_without_a_source_that_is_called_a_test_all_events_are_it(tmp_path: Path) -> None:
    agency = read(written(tmp_path, source="online"))
    assert agency.season == (millis("2019-12-01"), millis("2020-03-31"))
    assert agency.after["1"] == {"4", "5"}


def test_files_of_different_seasons_are_refused(tmp_path: Path) -> None:
    write(written(tmp_path) / "histories.csv.gz", [{"visitor_id": "99", "pos": "0", "item_id": "1"}])
    with pytest.raises(EventLogError, match="no event is of a visitor"):
        read(tmp_path)


def found(folder: Path, agency: Agency) -> dict[str, list[int]]:
    answers = asked(agency, learned(agency), {}, attributes(folder))
    return {one.name: ranks for one, ranks in zip(answers.scorers, answers.ranks.tolist(), strict=True)}


def test_attributes_find_the_other_tours_of_a_country_and_ties_count_against_them(tmp_path: Path) -> None:
    ranks = found(tmp_path, read(written(tmp_path)))
    assert set(ranks[BASELINE]) == {4}


def test_nobody_is_asked_for_tours_that_were_not_on_sale(tmp_path: Path) -> None:
    agency = read(written(tmp_path, closes="2019-11-30"))
    with pytest.raises(EventLogError, match="was on sale"):
        found(tmp_path, agency)


def test_the_report_has_the_figures_of_all_scorers(tmp_path: Path) -> None:
    agency = read(written(tmp_path))
    answers = asked(agency, learned(agency), {}, attributes(tmp_path))
    results = results_of(answers, "winter", Boosting())
    mean = np.mean(1 / answers.ranks[1])
    assert results.summary.rows[1].figures[0].mean == pytest.approx(mean)
    write_report(results, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert all(
        text in page for text in (f"{mean:.4f}", "attribute cosine (Peska and Vojtas, 2018)", "winter")
    )
