"""An import sends each row of a log once, however often it is interrupted, and counts every one."""

import gzip
import json
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from models.log_columns import Meaning
from reco.errors import BrokerError, EventLogError
from reco.events import Cart, Click, Purchase, Sale
from streams import publishing
from streams.bulk import bulk
from streams.cli import tenfold
from streams.clients import producer
from streams.codecs import decode_sale
from streams.importing import Options
from streams.settings import Kafka, Settings
from streams.topics import TopicSet
from tests.streams.imports import (
    START,
    Note,
    events,
    records,
    run_import,
    write_log,
)

pytestmark = pytest.mark.broker


async def test_every_row_becomes_one_event_with_its_own_time(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "session_id,visitor_id,item_id,event_type,ts,price,device\n"
        f"s1,v1,i1,view,{START},,phone\n"
        f"s1,v1,i1,addtocart,{START + 1},,phone\n"
        f"s1,v1,i1,transaction,{START + 2},49.9,phone\n"
    )
    imported = await run_import(settings, path)
    click, cart, purchase = sorted(await events(settings, topics), key=lambda event: event.ts)
    common: dict[str, Any] = {
        "visitor_id": "v1",
        "sale_id": "i1",
        "session_id": "s1",
        "context": {"device": "phone"},
    }
    assert click == Click(event_id=click.event_id, ts=START, **common)
    assert cart == Cart(event_id=cart.event_id, ts=START + 1, **common)
    assert purchase == Purchase(event_id=purchase.event_id, ts=START + 2, price=49.9, **common)
    assert (imported.progress.rows, imported.progress.sent, imported.progress.finished) == (3, 3, True)
    assert not imported.rejects.exists()


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.parquet"])
async def test_every_format_gives_the_same_events(
    settings: Settings, topics: TopicSet, tmp_path: Path, name: str
) -> None:
    source = write_log(tmp_path / "source.csv", 20)
    table = pyarrow.csv.read_csv(source)
    path = tmp_path / name
    if name == "log.parquet":
        pq.write_table(table, path)
    elif name == "log.jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    else:
        shutil.copy(source, path)
    await run_import(settings, path)
    found = Counter(
        (e.visitor_id, e.sale_id, e.ts) for e in await events(settings, topics) if isinstance(e, Click)
    )
    assert found == Counter((f"v{n}", f"i{n % 13}", START + n * 1000) for n in range(20))


async def test_read_is_sent_plus_refused_and_every_refused_row_is_written_down_with_its_reason(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(
        b"visitor_id,item_id,event_type,ts,device\n"
        b"v1,i1,view,1700000000000,phone\nv1,i1,view,1700000000,phone\n"
        b"v1,i1,liked,1700000000000,phone\n"
        b",i1,view,1700000000000,phone\n"
        b"v1,i1,view,soon,phone\n"
        b"v1,i1\nv1,\xff,view,1700000000000,phone\n"
        b"v1,i1,view,1900000000000,phone\n" + b"x" * 129 + b",i1,view,1700000000000,phone\n"
        b"v1,i1,view,1700000000000," + b"x" * 257 + b"\n"
        b"v1,,impression,1700000000000,phone\nv1,i1,erasure,1700000000000,phone\n"
        b"v2,i1,view,1700000000000,phone\n"
    )
    imported = await run_import(settings, path)
    progress = imported.progress
    assert (progress.rows, progress.sent, progress.refused_rows) == (13, 2, 11)
    assert {event.visitor_id for event in await events(settings, topics)} == {"v1", "v2"}
    rejects = [json.loads(line) for line in imported.rejects.read_text().splitlines()]
    assert {one["row"]: one["reason"] for one in rejects} == {
        2: "too-old",
        3: "unknown-type",
        4: "wrong-type",
        5: "wrong-type",
        6: "wrong-columns",
        7: "not-utf8",
        8: "in-the-future",
        9: "bad-id",
        10: "bad-value",
        11: "wrong-type",
        12: "unknown-type",
    }
    assert sum(one.count for one in progress.refused.values()) == 11
    assert progress.refused["wrong-type"].examples[0][0] == 4
    remedies = {0: "add --seconds", 1: "--map-type liked=TYPE", 6: "ms since the epoch", 8: "--map device="}
    assert {n: remedy for n, remedy in remedies.items() if remedy in rejects[n]["detail"]} == remedies
    assert json.loads(rejects[3]["text"])["ts"] == "soon"


async def test_columns_types_and_seconds_are_read_as_told(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,product,action,when,noise\nv,i,liked,1700000000.5,x\n")
    renames = {"user": "visitor_id", "product": "item_id", "action": "event_type", "when": "ts", "noise": ""}
    await run_import(settings, path, meaning=Meaning(renames, {"liked": "click"}, seconds=True))
    (event,) = await events(settings, topics)
    assert event == Click(event_id=event.event_id, visitor_id="v", sale_id="i", ts=1_700_000_000_500)


async def test_a_log_without_times_needs_consent_and_gets_times_in_its_order(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = tmp_path / "sessions.csv"
    path.write_text("session_id,pos,item_id\ns1,0,i1\ns1,1,i2\ns2,0,i1\n")
    with pytest.raises(EventLogError, match="--times-from"):
        await run_import(settings, path)
    note = Note()
    await run_import(settings, path, meaning=Meaning(times_from=START), note=note)
    made = sorted((event.ts, event.visitor_id) for event in await events(settings, topics))
    assert made == [(START, "s1"), (START + 1000, "s1"), (START + 2000, "s2")]
    assert any("no times" in said for said in note.said)


async def test_an_event_goes_to_the_partition_that_any_producer_chooses_for_its_visitor(
    settings: Settings, topics: TopicSet
) -> None:
    keys = [f"visitor-{n}-é".encode() for n in range(200)]
    topic = topics.events.name
    async with bulk(settings.kafka, topic) as sender:
        ends = await sender.deliver((key, b"bulk") for key in keys)
    plain = producer(settings.kafka)
    await plain.start()
    for key in keys:
        await plain.send_and_wait(topic, b"plain", key)
    await plain.stop()
    stands = await records(settings, topic)
    chosen = {key: partition for partition, key, value in stands if value == b"plain"}
    assert {key: partition for partition, key, value in stands if value == b"bulk"} == chosen
    assert len(set(chosen.values())) > 1
    assert ends == Counter(chosen.values())


async def test_bulk_keeps_the_order_of_a_key_across_batches(settings: Settings, topics: TopicSet) -> None:
    values = [b"%06d" % n + bytes(1000) for n in range(2000)]
    async with bulk(settings.kafka, topics.events.name) as sender:
        await sender.deliver((b"v", value) for value in values)
    assert [value for _, _, value in await records(settings, topics.events.name)] == values


async def test_speed_sends_in_order_of_time_and_no_event_before_it_is_due(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = tmp_path / "log.csv"
    offsets = [400, 0, 300, 100, 200]
    path.write_text(
        "visitor_id,item_id,event_type,ts\nv,i,view,soon\n"
        + "".join(f"v,i,view,{START + at * 100}\n" for at in offsets)
    )
    note = Note()
    began = time.monotonic()
    imported = await run_import(settings, path, Options(speed=100.0), note=note)
    assert time.monotonic() - began >= 0.4
    assert [event.ts for event in await events(settings, topics)] == [START + at * 10_000 for at in range(5)]
    assert (imported.progress.rows, imported.progress.sent) == (6, 5)
    assert [rows for stage, _, rows in note.stages if stage == "importing"] == [2, 3, 4, 5, 6]
    assert note.stages[-1][1] == 1.0
    assert note.stages[0][::2] == ("sorting by time", 6)


async def test_items_are_published_as_sales_that_open_at_their_first_event(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "visitor_id,item_id,event_type,ts\n"
        f"v,i1,view,{START + 5}\nv,i2,view,{START + 1}\nw,i1,view,{START + 3}\nw,i3,view,soon\n"
    )
    plain = await run_import(settings, path)
    assert (plain.progress.items, plain.progress.finished) == (0, True)
    imported = await run_import(settings, path, Options(publish_items=True))
    sales = [decode_sale(key, value) for _, key, value in await records(settings, topics.sales.name)]
    assert sorted(sales, key=lambda sale: sale.sale_id) == [
        Sale("i1", "i1", START + 3),
        Sale("i2", "i2", START + 1),
    ]
    assert imported.progress.items == 2
    await run_import(settings, path, Options(publish_items=True))
    assert len(await records(settings, topics.sales.name)) == 2
    again = await run_import(settings, path, Options(publish_items=True, restart=True))
    assert again.progress.items == 2, "an earlier import is no other title"


async def test_an_item_that_was_published_as_a_sale_stays_what_it_is(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    rome = Sale("i1", "Rome in spring", START - 5, START + 10**9, price=99.0)
    await publishing.send(settings.kafka, topics.sales.name, [publishing.record(rome)])
    log, note = write_log(tmp_path / "log.csv", 3), Note()
    imported = await run_import(settings, log, Options(publish_items=True), note=note)
    sales = [decode_sale(key, value) for _, key, value in await records(settings, topics.sales.name)]
    assert sorted(sales, key=lambda sale: sale.sale_id) == [
        Sale("i0", "i0", START),
        rome,
        Sale("i2", "i2", START + 2000),
    ]
    assert imported.progress.items == 2
    assert note.said[0].endswith(": 2 items published as sales, 1 were there")


async def test_a_log_that_was_cut_short_sends_nothing(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    whole = gzip.compress(write_log(tmp_path / "log.csv", 20_000).read_bytes())
    path = tmp_path / "log.csv.gz"
    path.write_bytes(whole[:-100])
    with pytest.raises(EventLogError, match=r"log\.csv\.gz"):
        await run_import(settings, path)
    assert await records(settings, topics.events.name) == []


async def test_without_a_broker_the_error_says_where_it_was_looked_for(
    tmp_path: Path, settings: Settings
) -> None:
    nowhere = replace(settings, kafka=Kafka(bootstrap_servers="127.0.0.1:1"))
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1"):
        await run_import(nowhere, write_log(tmp_path / "log.csv", 1))


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("--map", "item", "THEIRS=OURS"),
        ("--map-type", "view=look", "must be one of click"),
        ("--times-from", "soon", "2016-01-01"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused_with_a_hint(option: str, value: str, hint: str) -> None:
    result = CliRunner().invoke(tenfold, ["import", "log.csv", option, value])
    assert result.exit_code == 2
    assert hint in result.output


@pytest.mark.parametrize(
    ("logs", "wrong"),
    [
        (["gone.csv"], "gone.csv: cannot be read"),
        (["log.csv", "gone.csv"], "gone.csv: cannot be read"),
        (["log.csv", "prices.csv"], "prices.csv: no column visitor_id or session_id"),
    ],
)
def test_a_log_that_cannot_be_imported_is_said_before_a_broker_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logs: list[str], wrong: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_log(tmp_path / "log.csv", 1)
    (tmp_path / "prices.csv").write_text("item_id,price\n1,9\n")
    result = CliRunner().invoke(tenfold, ["import", *logs])
    assert str(result.exception).startswith(wrong)
    assert not (tmp_path / ".tenfold").exists()
