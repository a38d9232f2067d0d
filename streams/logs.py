"""What workers and commands log: of the messages of the libraries below, each kind once in a while."""

import logging
import re
import time

REPEAT_AFTER = 10.0
"""Seconds before the same kind of message is logged again."""
CHATTY = ("aiokafka", "mode.timers")
"""Libraries that repeat themselves while a broker is away, or slow."""
HARMLESS = (
    "Group Coordinator Request failed",
    "Heartbeat failed for group %s because it is rebalancing",
    "Timer %s is overlapping",
)
"""Starts of messages about what always passes: the first start of a broker, a rebalance, a slow commit."""
NO_LEADER_YET = re.compile(r"Got error produce response .* retrying\..*NotLeaderForPartitionError")
"""What is said, with its arguments, of a first record to a topic that was just created; it is sent again."""


class NoRepeats(logging.Filter):
    """Lets each kind of message of a chatty library pass once in `REPEAT_AFTER` seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message passes."""
        now = time.monotonic()
        if not record.name.startswith(CHATTY):
            return True
        if str(record.msg).startswith(HARMLESS) or NO_LEADER_YET.match(record.getMessage()):
            return False
        if now - self._last.get(record.msg, -REPEAT_AFTER) < REPEAT_AFTER:
            return False
        self._last[record.msg] = now
        return True


def calm() -> None:
    """Filter the loggers of chatty libraries, those made so far and those below them."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith(CHATTY)]
    quiet = NoRepeats()
    for name in (*CHATTY, *names):
        logging.getLogger(name).addFilter(quiet)


def calm_commands() -> None:
    """Filter what Python writes to the terminal where nobody has set up logging, as commands do not."""
    if logging.lastResort is not None:
        logging.lastResort.addFilter(NoRepeats())
