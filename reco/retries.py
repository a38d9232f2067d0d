"""Recognises an event that comes again because its producer tried again, within a bounded window."""

RETRY_WINDOW = 65_536
"""Events that are remembered at the least; retries come within seconds, this is minutes of a busy site."""


class RetryWindow:
    """The newest events by visitor and event id, in two generations; the older one is dropped whole.

    >>> window = RetryWindow()
    >>> window.is_new("ann", "e1"), window.is_new("ann", "e1"), window.is_new("bob", "e1")
    (True, False, True)
    """

    def __init__(self, size: int = RETRY_WINDOW) -> None:
        self._size = size
        self._newer: set[tuple[str, str]] = set()
        self._older: set[tuple[str, str]] = set()

    def is_new(self, visitor_id: str, event_id: str) -> bool:
        """Whether the event is seen for the first time; it is remembered from now on."""
        key = (visitor_id, event_id)
        if key in self._newer or key in self._older:
            return False
        if len(self._newer) == self._size:
            self._older, self._newer = self._newer, set()
        self._newer.add(key)
        return True
