"""The figures of a demo: what it counts while it runs, and the JSON report that it leaves."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import msgspec

from demo.labels_seen import LabelsSeen
from demo.ranking import State

PACKAGES = ("faust-streaming", "aiokafka", "rocksdict", "msgspec", "numpy", "numba")
"""Packages whose versions explain a figure."""


@dataclass(frozen=True)
class Latency:
    """Click-to-list latency of the answered clicks, ms; None without any."""

    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None
    answered: int
    unanswered: int


@dataclass(frozen=True)
class Figures:
    """What a demo has counted so far.

    Attributes:
        seconds: since the visitors came.
        events: acknowledged by the broker, per type.
        visitors: visitors who clicked, put into the basket or bought.
        visitors_without_list: those of them for whom no list was received.
        sessions: visitors with a session on `sessions`.
        lists: received from `recommendations`.
        lists_invalid: those of them that break a rule of a list.
        lists_unjudged: those whose facts about sales were not received yet.
        invalid_examples: the first wrong lists, with what is wrong.
        dead_letters: records on `dead-letters`.
        live_sales: sales open now.
        restarts: how often a worker had to be started again.
        labels: what was found in images.
        ranking: what training of rankers has come to.
        lists_by_ranker: how many lists each has made, in the order in which they went live.
    """

    seconds: float
    events: Mapping[str, int]
    visitors: int
    visitors_without_list: int
    sessions: int
    lists: int
    lists_invalid: int
    lists_unjudged: int
    invalid_examples: tuple[str, ...]
    dead_letters: int
    live_sales: int
    restarts: int
    click_to_list: Latency
    labels: LabelsSeen
    ranking: State
    lists_by_ranker: Mapping[str, int]

    @property
    def all_events(self) -> int:
        """Events of all types."""
        return sum(self.events.values())


def report(figures: Figures, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The report of a finished demo, ready for JSON."""
    latency = figures.click_to_list
    return {
        "seconds": round(figures.seconds, 3),
        "events": figures.all_events,
        "events_by_type": dict(figures.events),
        "events_per_second": _per_second(figures.all_events, figures),
        "visitors": figures.visitors,
        "visitors_without_list": figures.visitors_without_list,
        "sessions": figures.sessions,
        "lists": figures.lists,
        "lists_per_second": _per_second(figures.lists, figures),
        "lists_invalid": figures.lists_invalid,
        "lists_unjudged": figures.lists_unjudged,
        "invalid_examples": list(figures.invalid_examples),
        "dead_letters": figures.dead_letters,
        "restarts": figures.restarts,
        "live_sales": figures.live_sales,
        "click_to_list_ms": {
            "p50": latency.p50,
            "p90": latency.p90,
            "p99": latency.p99,
            "max": latency.max,
        },
        "clicks_answered": latency.answered,
        "clicks_unanswered": latency.unanswered,
        "labels": msgspec.to_builtins(figures.labels),
        "ranking": figures.ranking,
        "lists_by_ranker": dict(figures.lists_by_ranker),
        "parameters": dict(parameters),
        "machine": machine(),
    }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _per_second(count: int, figures: Figures) -> float:
    return round(count / figures.seconds, 1) if figures.seconds else 0.0
