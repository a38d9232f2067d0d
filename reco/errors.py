"""The tree of errors: every error that tenfold raises on purpose, in one file.

TenfoldError
├── SettingsError       settings that cannot work, all mistakes at once
├── BrokerError         the broker cannot be started or reached
├── EventLogError       a file of events or sales that cannot be read, or is being imported
├── RefusedError        what is refused, with its reason
│   ├── RefusedRecordError  one record that goes to dead-letters
│   └── ImageRefusedError   an image that is not fetched, or cannot be decoded
├── UnknownTypeError    an event of a type this version does not know: counted and dropped
├── TrainingError       a history that rankers cannot be trained on
├── LabellingError      labelled scenes, a backbone or a labeller that cannot be used
│   └── PicturesError   some pictures of the scenes, while the others can be used
├── ReleaseError        a release of rankers that is not whole, or that this version cannot serve
└── DeliveryError       the stream cannot go on without losing something: the worker must restart
"""

from collections.abc import Mapping
from itertools import islice

NAMED_PICTURES = 10
"""Most pictures that the text of an error names."""


class TenfoldError(Exception):
    """Base of all errors that tenfold raises on purpose; its text says what, where and what to do."""


class SettingsError(TenfoldError):
    """Settings that cannot work; lists every mistake with its remedy."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("Settings cannot work:\n" + "\n".join(f"  - {mistake}" for mistake in mistakes))


class BrokerError(TenfoldError):
    """The Kafka broker cannot be started or reached."""


class EventLogError(TenfoldError):
    """A file of events or sales that cannot be read at all, or is being imported already."""


class RefusedError(TenfoldError):
    """What is refused.

    Attributes:
        reason: a short stable code, such as `not-json` or `private-address`.
        detail: what is wrong and where, for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class RefusedRecordError(RefusedError):
    """A record that cannot be read or obeyed."""


class ImageRefusedError(RefusedError):
    """An image that is not fetched, or cannot be decoded."""


class UnknownTypeError(TenfoldError):
    """An event of a type that this version does not know."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"unknown event type {name!r}")


class TrainingError(TenfoldError):
    """A history that rankers cannot be trained on, or evaluated with."""


class ReleaseError(TenfoldError):
    """A release of rankers that is not whole, or that this version cannot serve; the one before serves on."""


class DeliveryError(TenfoldError):
    """The stream cannot go on without losing something; the worker stops and is started again."""


class LabellingError(TenfoldError):
    """Labelled scenes, a backbone or a labeller that cannot be used."""


class PicturesError(LabellingError):
    """Pictures of labelled scenes that cannot be decoded, while the others can.

    Attributes:
        refusals: why, by file.
    """

    def __init__(self, refusals: Mapping[str, str]) -> None:
        self.refusals = refusals
        named = "".join(f"\n  - {file}: {why}" for file, why in islice(refusals.items(), NAMED_PICTURES))
        if (more := len(refusals) - NAMED_PICTURES) > 0:
            named += f"\n  - and {more:,} more"
        super().__init__(f"{len(refusals)} pictures cannot be used; repair or remove them:{named}")
