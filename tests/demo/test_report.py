"""The report of a demo holds what it counted, what it was asked for, and what it ran on."""

import json
from dataclasses import replace

from demo.labels_seen import Example, LabelsSeen
from demo.report import Figures, Latency, report
from reco.labels import Scored

FIGURES = Figures(
    seconds=20.0,
    events={"click": 800, "impression": 700, "cart": 40, "purchase": 10},
    visitors=300,
    visitors_without_list=1,
    sessions=299,
    lists=2_000,
    lists_invalid=2,
    lists_unjudged=3,
    invalid_examples=("list-7: past is not open",),
    dead_letters=4,
    live_sales=151,
    restarts=5,
    click_to_list=Latency(p50=5.5, p90=9.0, p99=30.25, max=111.0, answered=799, unanswered=1),
    labels=LabelsSeen(
        "at work",
        trained=1.0,
        labeller="2026-11-24-1a2b3c4d",
        sales=190,
        right=181,
        examples=(
            Example(
                sale_id="past",
                kind="beach",
                is_right=True,
                images=2,
                labels=(Scored("beach", 0.75),),
                topics=(Scored("Beach - Pool", 1.0),),
            ),
        ),
    ),
    ranking="live",
    lists_by_ranker={"blend": 1_500, "2026-11-24-5e6f7a8b/mix": 500},
)


LABELS = {
    "state": "at work",
    "trained": 1.0,
    "labeller": "2026-11-24-1a2b3c4d",
    "sales": 190,
    "right": 181,
    "examples": [
        {
            "sale_id": "past",
            "kind": "beach",
            "is_right": True,
            "images": 2,
            "labels": [{"name": "beach", "share": 0.75}],
            "topics": [{"name": "Beach - Pool", "share": 1.0}],
        }
    ],
}
"""What the report says of labels."""


def test_the_report_is_json_with_every_figure() -> None:
    written = json.loads(json.dumps(report(FIGURES, {"rate": 100.0, "seed": 1})))
    machine = written.pop("machine")
    assert written == {
        "seconds": 20.0,
        "events": 1550,
        "events_by_type": {"click": 800, "impression": 700, "cart": 40, "purchase": 10},
        "events_per_second": 77.5,
        "visitors": 300,
        "visitors_without_list": 1,
        "sessions": 299,
        "lists": 2000,
        "lists_per_second": 100.0,
        "lists_invalid": 2,
        "lists_unjudged": 3,
        "invalid_examples": ["list-7: past is not open"],
        "dead_letters": 4,
        "restarts": 5,
        "live_sales": 151,
        "click_to_list_ms": {"p50": 5.5, "p90": 9.0, "p99": 30.25, "max": 111.0},
        "clicks_answered": 799,
        "clicks_unanswered": 1,
        "labels": LABELS,
        "ranking": "live",
        "lists_by_ranker": {"blend": 1_500, "2026-11-24-5e6f7a8b/mix": 500},
        "parameters": {"rate": 100.0, "seed": 1},
    }
    assert machine["cores"] >= 1
    assert machine["packages"]["aiokafka"]


def test_a_demo_that_ended_before_it_began_has_no_rates_and_no_latencies() -> None:
    nothing = Latency(None, None, None, None, 0, 0)
    empty = report(replace(FIGURES, seconds=0.0, click_to_list=nothing), {})
    assert empty["events_per_second"] == 0.0
    assert empty["click_to_list_ms"] == {"p50": None, "p90": None, "p99": None, "max": None}
