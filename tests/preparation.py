"""What is made once, before the processes of a run start: none of them waits for it, or makes it again."""

from contextlib import ExitStack, suppress
from typing import Final

from reco.errors import BrokerError
from tests import quick_kafka
from tests.infra.processes import run

KERNELS: Final = (
    ("reco.recommenders.session_knn", "reco.recommenders.similarity", "models.forest", "models.calibration"),
    ("reco.recommenders.covisitation", "reco.recommenders.attributes", "reco.knowledge"),
)
"""Modules whose import compiles their kernels, in two halves; of `reco.knowledge` what is left by then."""


def prepare() -> None:
    """Compile all kernels, which takes a minute in a fresh clone, and meanwhile make Kafka quick.

    If there is no Kafka to be had, or a module cannot be imported, it is the tests of it that say so.
    """
    with ExitStack() as compiling:
        for modules in KERNELS:
            compiling.enter_context(run(f"import {', '.join(modules)}"))
        with suppress(BrokerError):
            quick_kafka.keep()
