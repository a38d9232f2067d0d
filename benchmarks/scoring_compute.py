"""Lists per second and core, without Kafka: a session's bytes in, a list's bytes out; and events learned.

    python -m benchmarks.scoring_compute --sales 300

The baseline is the least that anyone could do with the same bytes: the ten sales with the most clicks.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from benchmarks.machine import Figure, Report, arguments, machine, per_second, publish, run_main, step
from benchmarks.shop import NOON, Shop
from models.blend import Blend
from reco.catalogue import Catalogue
from reco.events import Event
from reco.knowledge import Knowledge
from reco.lists import LIST_LENGTH, Provenance, Recommendation, TopTen, list_id
from reco.policy import UNRESTRICTED
from reco.rules import rules_in_force
from reco.sessions import Session
from reco.top_ten import Serving, top_ten
from streams.codecs import decode_session, encode

Second = Sequence[tuple[int, int, Event]]
BUSY, QUIET = 1000, 10
"""Events in one second of append time, of a site at its limits and of a small one."""


def main() -> None:
    """Measure, print, and write the report."""
    given = arguments(__doc__, sales=300, events=200_000, lists=2000, rounds=5)
    shop = Shop(given.sales)
    step(f"making a history of {given.events:,} events, and learning it")
    history = shop.history(given.events)
    raw = [encode(session) for session in shop.sessions(given.lists)]
    catalogue, knowledge = shop.catalogue(), Knowledge()
    learn(knowledge, seconds(history, BUSY))
    step(f"measuring, {given.rounds} rounds")
    figures = (
        *learning_figures(history, given.rounds),
        *list_figures(raw, knowledge, catalogue, given.rounds),
        Figure(
            "baseline: most clicked, bytes to bytes",
            "lists/s",
            per_second(baseline(raw, history, catalogue), given.rounds),
        ),
    )
    parameters = {"sales": given.sales, "events": given.events, "lists": given.lists, "rounds": given.rounds}
    publish(Report("scoring_compute", machine(), parameters, figures), given.json)


def seconds(history: Sequence[Event], size: int) -> list[Second]:
    """The history as appended, so many events in each second."""
    numbered = [(0, offset, event) for offset, event in enumerate(history)]
    return [numbered[start : start + size] for start in range(0, len(numbered), size)]


def learn(knowledge: Knowledge, appended: Sequence[Second]) -> None:
    """Advance second by second."""
    for second, events in enumerate(appended, start=knowledge.second + 1):
        knowledge.advance(second, events)


def learning_figures(history: Sequence[Event], rounds: int) -> list[Figure]:
    """Events learned per second, in busy seconds and in quiet ones."""
    return [
        Figure(f"learn, {size} events in a second", "events/s", per_second(learning(history, size), rounds))
        for size in (BUSY, QUIET)
    ]


def learning(history: Sequence[Event], size: int) -> Callable[[], int]:
    """Learn the whole history anew, and be ready to score."""
    appended, live = seconds(history, size), Catalogue(partitions=1).live(NOON)

    def work() -> int:
        knowledge = Knowledge()
        learn(knowledge, appended)
        knowledge.candidates(live)
        return len(history)

    return work


def list_figures(raw: list[bytes], knowledge: Knowledge, catalogue: Catalogue, rounds: int) -> list[Figure]:
    """Lists per second, whole and in parts."""
    sessions = [decode_session(value) for value in raw]
    serving = Serving(knowledge, Blend())
    in_force = rules_in_force(UNRESTRICTED, catalogue.live(NOON), catalogue)

    def listed(session: Session) -> TopTen:
        return top_ten(session, 0, serving, catalogue, in_force, NOON)

    lists = [listed(session) for session in sessions]
    parts: dict[str, Callable[[], list[object]]] = {
        "lists, bytes to bytes": lambda: [encode(listed(decode_session(value))) for value in raw],
        "part: decode the session": lambda: [decode_session(value) for value in raw],
        "part: compute the list": lambda: [listed(session) for session in sessions],
        "part: encode the list": lambda: [encode(one) for one in lists],
    }
    return [
        Figure(name, "lists/s", per_second(lambda part=part: len(part()), rounds))  # type: ignore[misc]
        for name, part in parts.items()
    ]


def baseline(raw: list[bytes], history: Sequence[Event], catalogue: Catalogue) -> Callable[[], int]:
    """Plain Python: count all clicks once; per list sort the live sales by count and take ten."""
    clicks = Counter(event.sale_id for event in history if hasattr(event, "sale_id"))
    live = catalogue.live(NOON)

    def most_clicked(session: Session) -> TopTen:
        best = sorted(live.ids, key=lambda sale_id: (-clicks[sale_id], sale_id))[:LIST_LENGTH]
        made_from = Provenance(0, session.offset, 0, catalogue.offsets, "most-clicked")
        sales = tuple(Recommendation(sale_id, float(clicks[sale_id])) for sale_id in best)
        name = list_id(made_from, NOON)
        return TopTen(name, session.visitor_id, NOON, live.valid_until, sales, made_from)

    return lambda: len([encode(most_clicked(decode_session(value))) for value in raw])


if __name__ == "__main__":
    run_main(main)
