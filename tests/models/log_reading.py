"""Rows of logs as events, without the checks that workers make of records."""

import msgspec

from models.event_log import Row, Unreadable
from models.event_table import EventOf
from models.log_columns import EventReader
from reco.events import Event


def conversion(reader: EventReader) -> EventOf:
    """Says which event a row is, by the types of its fields alone."""

    def event_of(number: int, row: Row | Unreadable) -> Event | None:
        if isinstance(row, Unreadable):
            return None
        try:
            event: Event = msgspec.convert(reader.event(number, row), Event)
        except msgspec.ValidationError:
            return None
        return event

    return event_of
