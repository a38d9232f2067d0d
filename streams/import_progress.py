"""How far an import has come, noted down after every chunk that the broker has acknowledged.

Beside the note lie the refused rows, in JSON Lines. Both survive a crash at any moment: the note is replaced
atomically, and refused rows beyond it are cut off when the import goes on.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from infra.data_folder import write_whole, writing_to
from reco.errors import EventLogError
from streams.import_rows import Outcome, Record, Refusal

EXAMPLES = 5
"""Refused rows that are kept as examples of a reason."""
Example: TypeAlias = tuple[int, str]
"""The number of a refused row, and what is wrong with it."""


class Refused(Struct, frozen=True):
    """Rows refused for one reason: how many, and some of them, with the first of as many faults as can be."""

    count: int
    examples: tuple[Example, ...]


class Progress(Struct, frozen=True):
    """What has been done for good; `rows` is always `sent` plus the refused.

    Attributes:
        rows: how many rows of the import's sequence are done.
        sent: rows that stand in the topic.
        refused: the others, by reason.
        rejects_bytes: size of the file of refused rows.
        offsets: partition of `events` → an offset before which all events of the done rows stand,
            and at or after which all events of later rows stand.
        items: sales published for the items of the log.
        finished: the whole log is done.
        log, meaning: the ids of the log with the topic that it goes to, and of how its columns are read.
    """

    rows: int = 0
    sent: int = 0
    refused: dict[str, Refused] = {}
    rejects_bytes: int = 0
    offsets: dict[int, int] = {}
    items: int = 0
    finished: bool = False
    log: str = ""
    meaning: str = ""

    @property
    def refused_rows(self) -> int:
        """How many rows were refused."""
        return sum(refused.count for refused in self.refused.values())

    def is_of(self, ends: Mapping[int, int]) -> bool:
        """Whether it can be of a topic with these ends by partition; of one that was made anew it is not."""
        return all(offset <= ends.get(partition, 0) for partition, offset in self.offsets.items())

    def after(self, chunk: Sequence[Outcome], offsets: Mapping[int, int], rejects_bytes: int) -> "Progress":
        """The progress once `chunk` is done too."""
        return msgspec.structs.replace(
            self,
            rows=self.rows + len(chunk),
            sent=self.sent + sum(isinstance(outcome, Record) for outcome in chunk),
            refused=with_refusals(self.refused, chunk),
            offsets={**self.offsets, **offsets},
            rejects_bytes=rejects_bytes,
        )


def with_refusals(refused: Mapping[str, Refused], chunk: Iterable[Outcome]) -> dict[str, Refused]:
    """Refused rows by reason, those of `chunk` among them."""
    added = dict(refused)
    for refusal in (outcome for outcome in chunk if isinstance(outcome, Refusal)):
        known = added.get(refusal.reason, Refused(0, ()))
        examples = _with_example(known.examples, (refusal.row, refusal.detail))
        added[refusal.reason] = Refused(known.count + 1, examples)
    return added


def _with_example(examples: tuple[Example, ...], one: Example) -> tuple[Example, ...]:
    """The examples with one more; where there are enough, in place of one that says what another says."""
    if len(examples) < EXAMPLES:
        return (*examples, one)
    details = [detail for _, detail in examples]
    if one[1] in details:
        return examples
    again = [place for place, detail in enumerate(details) if detail in details[:place]]
    return (*examples[: again[-1]], *examples[again[-1] + 1 :], one) if again else examples


def _noted_in(note: Path) -> Progress | None:
    """What a note says; None if it is damaged."""
    try:
        return msgspec.json.decode(note.read_bytes(), type=Progress)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class Ledger:
    """The files of one import: the note of its progress, and its refused rows.

    Raises `SettingsError` if the folder, which is in the data folder, cannot be written.

    Attributes:
        rejects: the file of refused rows.
        lock: the file whose lock the process that imports holds, for two would send every row twice.
    """

    def __init__(self, folder: Path, import_id: str) -> None:
        self._note = folder / f"{import_id}.json"
        self.rejects = folder / f"{import_id}.rejects.jsonl"
        self.lock = folder / f"{import_id}.lock"
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self.lock.touch()

    def load(self) -> Progress | None:
        """The progress noted last, None if there is none; cuts off refused rows beyond it.

        Raises:
            EventLogError: the note is damaged.
        """
        if not self._note.exists():
            return None
        progress = _noted_in(self._note)
        if progress is None:
            raise EventLogError(
                f"{self._note} is damaged, so how far the import has come is not known; "
                "put a copy in its place, or send the whole log again with --restart"
            )
        if self.rejects.exists() and self.rejects.stat().st_size > progress.rejects_bytes:
            os.truncate(self.rejects, progress.rejects_bytes)
        return progress

    def others(self, progress: Progress) -> list[Progress]:
        """The notes of imports of the log of `progress` whose columns are read in another way."""
        files = (file for file in self._note.parent.glob("*.json") if file != self._note)
        notes = filter(None, map(_noted_in, files))
        return [one for one in notes if one.log == progress.log and one.meaning != progress.meaning]

    def start(self, progress: Progress) -> None:
        """Begin anew with `progress`."""
        with writing_to(self.rejects.parent):
            self.rejects.unlink(missing_ok=True)
        self.save(progress)

    def save(self, progress: Progress) -> None:
        """Note `progress` down, atomically and on disk."""
        with writing_to(self._note.parent):
            write_whole(self._note, msgspec.json.encode(progress).decode())

    def reject(self, chunk: Iterable[Outcome]) -> int:
        """Write down the refused rows of `chunk`; the size of their file, in bytes."""
        refusals = [outcome for outcome in chunk if isinstance(outcome, Refusal)]
        if refusals:
            with writing_to(self.rejects.parent), self.rejects.open("ab") as file:
                for one in refusals:
                    line = {"row": one.row, "reason": one.reason, "detail": one.detail, "text": one.text}
                    file.write(msgspec.json.encode(line) + b"\n")
        return self.rejects.stat().st_size if self.rejects.exists() else 0
