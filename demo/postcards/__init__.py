"""Postcards of a dozen kinds of places, drawn by the project itself: pictures for the demo's sales."""

from demo.postcards.drawing import KINDS, draw, jpeg

__all__ = ["KINDS", "draw", "jpeg"]
