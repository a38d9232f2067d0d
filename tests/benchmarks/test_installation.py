"""What benchmarks send: visitors come again, and an event never does, which would be a retry."""

from itertools import islice

from benchmarks.installation import clicks


def test_visitors_come_again_with_other_clicks() -> None:
    fresh = clicks(visitors=3, sales=2)
    rounds = [list(islice(fresh, 6)) for _ in range(2)]
    sent = [event for events in rounds for event in events]
    assert len({event.event_id for event in sent}) == len(sent)
    assert [{event.visitor_id for event in events} for events in rounds] == 2 * [
        {"visitor-0", "visitor-1", "visitor-2"}
    ]
