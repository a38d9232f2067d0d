"""Events folded into sessions per second and core, without Kafka: an event's bytes in, a session's bytes out.

    python -m benchmarks.session_fold

The baseline is the least that anyone could do: parse with the standard library, append to a list of the
visitor's newest touches, dump it.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence

from benchmarks.machine import Figure, Report, arguments, machine, per_second, publish, run_main
from benchmarks.shop import Shop
from reco.events import Action, Erasure, Impression
from reco.sessions import MAX_RECENT, Session, fold
from streams.codecs import decode_event, encode

Record = tuple[bytes, bytes, int]
"""Key, value, and time of append (ms)."""


def main() -> None:
    """Measure, print, and write the report."""
    given = arguments(__doc__, sales=300, events=50_000, rounds=5)
    history = Shop(given.sales).history(given.events)
    records = [(action.visitor_id.encode(), encode(action), action.ts) for action in history]
    works: dict[str, Callable[[], int]] = {
        "events, bytes to bytes": lambda: bytes_to_bytes(records),
        "part: decode the event": lambda: len([decode_event(*record) for record in records]),
        "part: fold": lambda: fold_all(history),
        "baseline: json and a list": lambda: baseline(records),
    }
    figures = tuple(Figure(name, "events/s", per_second(work, given.rounds)) for name, work in works.items())
    parameters = {"sales": given.sales, "events": given.events, "rounds": given.rounds}
    publish(Report("session_fold", machine(), parameters, figures), given.json)


def bytes_to_bytes(records: Sequence[Record]) -> int:
    """Decode and fold each event, and encode the session that it makes."""
    sessions: dict[str, Session] = {}
    for offset, record in enumerate(records):
        event = decode_event(*record)
        if not isinstance(event, (Impression, Erasure)):
            sessions[event.visitor_id] = fold(sessions.get(event.visitor_id), event, offset)
            encode(sessions[event.visitor_id])
    return len(records)


def fold_all(history: Sequence[Action]) -> int:
    """Fold each event."""
    sessions: dict[str, Session] = {}
    for offset, event in enumerate(history):
        sessions[event.visitor_id] = fold(sessions.get(event.visitor_id), event, offset)
    return len(history)


def baseline(records: Sequence[Record]) -> int:
    """Parse, append and dump; nothing is checked, ordered or remembered."""
    sessions: defaultdict[str, list[object]] = defaultdict(list)
    for _, value, _ in records:
        event = json.loads(value)
        touches = sessions[event["visitor_id"]]
        touches.append((event["ts"], event["event_id"], event["sale_id"], event["type"]))
        del touches[:-MAX_RECENT]
        json.dumps({"visitor_id": event["visitor_id"], "recent": touches}).encode()
    return len(records)


if __name__ == "__main__":
    run_main(main)
