"""What Keras takes along is hidden from it, from nobody else, and no longer than it is imported."""

from importlib import import_module
from pathlib import Path
from threading import Thread

import pytest

from models.labelling.lean_keras import without


def test_what_is_left_out_is_missing_in_the_block_to_its_thread_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("left_out", "left_out_too", "needed"):
        (tmp_path / f"{name}.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    found = list[str]()
    other = Thread(target=lambda: found.append(import_module("left_out_too").__name__))
    with without("left_out", "left_out_too"):
        with pytest.raises(ImportError):
            import_module("left_out")
        import_module("needed")
        other.start()
        other.join()
    assert found == ["left_out_too"]
    assert import_module("left_out").__name__ == "left_out"


def test_what_is_there_already_stays() -> None:
    with without("pathlib"):
        assert import_module("pathlib").Path is Path
