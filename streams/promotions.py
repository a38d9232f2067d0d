"""What is live, on the topic `releases`: how it is asked for, how another becomes live, and the way back.

Rankers and labellers are promoted alike, each under a key of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple

from models.release_promotion import Live, P, promotion_of
from reco.errors import RefusedRecordError, TenfoldError
from streams.codecs import encode
from streams.delivery.outbox import deliver
from streams.reading import read_whole
from streams.settings import Kafka


@dataclass(frozen=True)
class Kind(Generic[P]):
    """One kind of what is promoted.

    Attributes:
        word: what it is, in a word.
        key: of its promotions.
        decode: reads a record of it; None goes back to what is used without a promotion.
        check: raises a `TenfoldError` if workers would refuse it.
        otherwise: what is used without a promotion, in words.
        command: what promotes it and goes back.
    """

    word: str
    key: bytes
    decode: Callable[[bytes | None, bytes | None], Live[P] | None]
    check: Callable[[P], object]
    otherwise: str
    command: str

    def name(self, live: Live[P] | None) -> str:
        """What is live, in words."""
        return self.otherwise if live is None else live.name


class Rollback(NamedTuple, Generic[P]):
    """One step back.

    Attributes:
        promotion: what becomes live; None is what is used without a promotion.
        broken: what was left out because it cannot be loaded any more, and why.
    """

    promotion: Live[P] | None
    broken: tuple[tuple[P, TenfoldError], ...]


def roll_back(kind: Kind[P], live: Live[P], at: int) -> Rollback[P]:
    """Back to the newest of what was live before `live` and workers would take; at last to no promotion."""
    broken: list[tuple[P, TenfoldError]] = []
    for steps, earlier in enumerate(live.before, start=1):
        try:
            kind.check(earlier)
        except TenfoldError as error:
            broken.append((earlier, error))
        else:
            return Rollback(promotion_of(earlier, live.before[steps:], at), tuple(broken))
    return Rollback(None, tuple(broken))


async def live_promotion(kafka: Kafka, topic: str, kind: Kind[P]) -> Live[P] | None:
    """The newest promotion of its kind on `topic` that can be read; None if there is none.

    Raises:
        BrokerError: the broker cannot be reached, or does not have the topic.
    """
    live: Live[P] | None = None
    async for record in read_whole(kafka, topic):
        try:
            live = kind.decode(record.key, record.value)
        except RefusedRecordError:
            continue
    return live


async def announce(kafka: Kafka, topic: str, kind: Kind[P], promotion: Live[P] | None) -> None:
    """Tell all workers what is live; the broker has it when this returns.

    Raises:
        BrokerError: the broker did not take it.
    """
    value = None if promotion is None else encode(promotion)
    await deliver(kafka, topic, [(kind.key, value)], "Do the same again.")
