"""The examples in the docstrings of the pure heart, and the few elsewhere, run and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import reco

HEART = [found.name for found in pkgutil.walk_packages(reco.__path__, "reco.")]
MODULES = [*HEART, "models.file_values", "streams.clock", "streams.delivery.books", "streams.terminal"]


def test_there_are_examples() -> None:
    found = [doctest.DocTestFinder().find(importlib.import_module(name)) for name in MODULES]
    assert any(test.examples for tests in found for test in tests)


@pytest.mark.parametrize("name", MODULES)
def test_its_examples_give_what_they_say(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
