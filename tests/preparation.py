"""What is made once, before the processes of a run start: none of them waits for it, or makes it again."""

import subprocess
import sys
from contextlib import suppress
from typing import Final

from reco.errors import BrokerError
from tests import quick_kafka

KERNELS: Final = (
    ("reco.recommenders.session_knn", "reco.recommenders.similarity", "models.forest", "models.calibration"),
    ("reco.recommenders.covisitation", "reco.recommenders.attributes", "reco.knowledge"),
)
"""Modules whose import compiles their kernels, in two halves; of `reco.knowledge` what is left by then."""


def prepare() -> None:
    """Compile all kernels, which takes a minute in a fresh clone, and meanwhile make Kafka quick.

    If there is no Kafka to be had, or a module cannot be imported, it is the tests of it that say so.
    """
    compiling = [
        subprocess.Popen((sys.executable, "-c", f"import {', '.join(modules)}"), stderr=subprocess.DEVNULL)
        for modules in KERNELS
    ]
    with suppress(BrokerError):
        quick_kafka.keep_classes()
    for process in compiling:
        process.wait()
