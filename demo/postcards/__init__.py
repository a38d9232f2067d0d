"""Postcards of a dozen kinds of places, drawn by the project itself: pictures for the demo's sales."""

from demo.postcards.album import contact_sheet, write_album
from demo.postcards.drawing import KINDS, draw

__all__ = ["KINDS", "contact_sheet", "draw", "write_album"]
