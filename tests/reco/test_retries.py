"""Events that come again because their producer tried again."""

from reco.retries import RetryWindow


def test_an_event_of_a_visitor_is_new_once() -> None:
    window = RetryWindow()
    assert window.is_new("ann", "e1")
    assert not window.is_new("ann", "e1")


def test_visitors_may_number_their_events_alike() -> None:
    window = RetryWindow()
    assert window.is_new("ann", "e1")
    assert window.is_new("bob", "e1")


def test_a_retry_is_recognised_after_as_many_events_as_promised() -> None:
    window = RetryWindow(size=10)
    window.is_new("ann", "first")
    for number in range(10):
        window.is_new("ann", str(number))
    assert not window.is_new("ann", "first")


def test_what_is_remembered_is_bounded() -> None:
    window = RetryWindow(size=10)
    window.is_new("ann", "first")
    for number in range(30):
        window.is_new("ann", str(number))
    assert window.is_new("ann", "first")
