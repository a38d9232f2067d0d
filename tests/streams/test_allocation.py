"""Knowledge that is replaced gives back its memory."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
from psutil import Process
from reco.knowledge import Knowledge
from streams.allocation import return_large_arrays
return_large_arrays()
for _ in range(4):
    Knowledge()
    print(Process().memory_info().rss)
"""
"""As a worker to which another release is promoted, again and again."""
ARRAYS_ON_THE_HEAP = 20_000_000
"""What is kept of knowledge, bytes, without the limit; with it, it is less than a tenth."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc moves large arrays to its heap")
def test_knowledge_that_is_let_go_leaves_no_arrays_behind() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    first, *others = map(int, ran.stdout.split())
    assert max(others) - first < ARRAYS_ON_THE_HEAP
