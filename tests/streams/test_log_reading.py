"""What `train`, `tune` and `evaluate` say of a log while they read it, for figures that it would change."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from models.log_columns import Meaning
from reco.errors import EventLogError
from reco.events import EARLIEST_TIME
from reco.sale_index import MAX_SALES
from streams.commands.history import History, read_history
from streams.commands.logs import sale_file

START = 1_600_000_000_000


def said_of(path: Path, header: str, *rows: str, meaning: Meaning | None = None) -> str:
    """What is said of a log of these rows."""
    path.write_text("\n".join((header, *rows)))
    said = StringIO()
    read_history(path, sale_file(None, None), meaning or Meaning(), Console(file=said))
    return said.getvalue()


def test_events_without_a_session_among_others_are_counted_and_one_is_named(tmp_path: Path) -> None:
    log, header = tmp_path / "log.csv", "visitor_id,item_id,ts,session_id"
    rows = [f"ann,rome,{START},s1", f"bob,oslo,{START + 1},", f"cat,oslo,{START + 2},"]
    missing = f"2 of 3 events have no session_id, such as that of visitor bob at {START + 1}"
    silence = "so that all sessions are told apart by 30 minutes of silence"
    assert f"{log}: {missing}, {silence}\n" in said_of(log, header, *rows)
    assert "session_id" not in said_of(log, header, rows[0]), "all have one"
    assert "session_id" not in said_of(log, header, *rows[1:]), "none has one"


def test_a_log_without_clicks_leaves_the_fixed_blend_without_evidence(tmp_path: Path) -> None:
    log, header = tmp_path / "log.csv", "visitor_id,item_id,ts,event_type"
    rows = [f"ann,rome,{START},buy", f"bob,oslo,{START + 1},cart"]
    assert f"{log}: no clicks: the fixed blend" in said_of(log, header, *rows)
    assert "no clicks" not in said_of(log, header, *rows, f"cat,oslo,{START},view")


def test_a_visitor_who_may_stand_for_all_whom_nobody_knows_is_named(tmp_path: Path) -> None:
    log, header = tmp_path / "log.csv", "visitor_id,item_id,ts"
    rows = [f"{0 if one % 9 == 0 else f'v{one}'},rome,{START + one}" for one in range(1_800)]
    assert f"{log}: 200 of 1,800 events are of one visitor, 0: leave them out if" in said_of(
        log, header, *rows
    )
    assert "of one visitor" not in said_of(log, header, *rows[:900]), "too few to say so"
    assert "of one visitor" not in said_of(
        log, header, *(f"v{one % 12},rome,{START + one}" for one in range(1_800))
    )


def test_more_sales_than_are_known_at_a_time_are_told(tmp_path: Path) -> None:
    log, header = tmp_path / "log.csv", "visitor_id,item_id,ts"
    rows = [f"v{one},s{one},{START + one}" for one in range(MAX_SALES + 1)]
    assert f"{log}: 65,537 sales, of which 65,536 are known at a time" in said_of(log, header, *rows)
    assert "known at a time" not in said_of(log, header, *rows[1:])


def test_sessions_that_are_several_visits_are_counted_where_they_are_many(tmp_path: Path) -> None:
    log, header, day = tmp_path / "log.csv", "session_id,item_id,ts", 24 * 3_600_000
    trips = [f"s{trip},i{place},{START + (trip + place) * day}" for trip in range(20) for place in range(3)]
    looks = [f"v{one},i{place},{START + place}" for one in range(180) for place in range(2)]
    assert f"{log}: 20 of 20 sessions go on after 30 minutes of silence" in said_of(log, header, *trips)
    assert "20 of 199 sessions go on" in said_of(log, header, *trips, *looks[2:])
    assert "go on" not in said_of(log, header, *trips, *looks)
    in_order = said_of(log, header, *trips, meaning=Meaning({"ts": ""}, times_from=START))
    assert "go on" not in in_order
    assert "go on" not in said_of(log, header, *(f"v{one},i,{START}" for one in range(9)))


def with_sales(folder: Path, sales: str) -> tuple[History, str]:
    """What is read of a log with two sales, a file of which says this; and what is said of it."""
    log, file, said = folder / "log.csv", folder / "sales.csv", StringIO()
    log.write_text(f"visitor_id,item_id,ts\nann,rome,{START}\nann,oslo,{START}\nbob,oslo,{START}\n")
    file.write_text(sales)
    return read_history(log, sale_file(file, None), Meaning(), Console(file=said, width=500)), said.getvalue()


def test_sales_that_say_neither_when_they_open_nor_what_they_are_called_are_open_all_along(
    tmp_path: Path,
) -> None:
    found, said = with_sales(
        tmp_path, "sale_id,title,country,closes_at\nrome,Rome,IT,\noslo,,NO,2020-01-01\n"
    )
    assert found.catalogue is not None
    assert found.catalogue.live(EARLIEST_TIME).ids == ("oslo", "rome")
    assert found.catalogue.live(START).ids == ("rome",)
    assert [sale.title for sale in found.catalogue.sales()] == ["Rome", "oslo"]
    assert "no opens_at (rows: 2), so that sales are open all along" in said
    assert "no title (rows: 1), so that ids stand for titles" in said
    _, said = with_sales(tmp_path, f"sale_id,title,opens_at\nrome,Rome,{START}\noslo,Oslo,{START}\n")
    assert "so that" not in said


def test_a_sale_without_an_id_is_asked_for_it_and_for_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(EventLogError, match=r"line 2: sale_id: is missing; .* \(wrong rows: 1\)"):
        with_sales(tmp_path, "item,title\nrome,\n")


def test_rows_that_are_no_sales_are_left_out_and_the_first_is_said(tmp_path: Path) -> None:
    header, dates = "sale_id,opens_at,closes_at", "2020-02-01,2020-01-01"
    found, said = with_sales(tmp_path, f"{header}\nrome,,\noslo,{dates}\nbern,{dates}\n")
    assert found.catalogue is not None
    assert found.catalogue.live(START).ids == ("rome",)
    assert f"left out: {tmp_path / 'sales.csv'}, line 3: closes_at: must be after opens_at" in said
    assert "(wrong rows: 2)" in said


def test_events_whose_sales_are_not_in_the_file_of_sales_are_counted(tmp_path: Path) -> None:
    _, said = with_sales(tmp_path, f"sale_id,title,opens_at\nrome,Rome,{START}\n")
    assert "2 of 3 events are of sales that are not known, such as oslo: " in said
    _, said = with_sales(tmp_path, f"sale_id,title,opens_at\nrome,Rome,{START}\noslo,Oslo,{START}\n")
    assert "not known" not in said


def test_rows_that_repeat_another_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    log, header = tmp_path / "log.csv", "visitor_id,item_id,ts"
    row, later, refused = f"ann,rome,{START}", f"ann,rome,{START + 1}", f"ann,,{START}"
    rows = (row, row, later, refused, refused, row)
    assert f"{log}: rows that repeat one before them in every column: 2, such as row 2; they" in said_of(
        log, header, *rows
    )
    assert "repeat one" not in said_of(log, header, row, later)
    in_order = said_of(log, header, *rows, meaning=Meaning({"ts": ""}, times_from=START))
    assert "repeat one" not in in_order, (
        "where only the order tells times, one look may follow another like it"
    )
