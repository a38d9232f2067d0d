"""Images from files: what lies below the folder is read, and no path leads out of it."""

import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reco.errors import ImageRefusedError
from streams.images.folder import read_below

STEPS = [
    "..",
    ".",
    "a",
    "inside",
    "outside",
    "sunny beach.jpg",
    "secret.txt",
    "images",
    "up",
    "%2e%2e",
    "",
    "\0",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of images, with links in it, beside a file that is not to be had."""
    (tmp_path / "secret.txt").write_bytes(b"secret")
    root = tmp_path / "images"
    (root / "a").mkdir(parents=True)
    (root / "a" / "sunny beach.jpg").write_bytes(b"beach")
    (root / "inside").symlink_to(root / "a")
    (root / "outside").symlink_to(tmp_path / "secret.txt")
    (root / "up").symlink_to(tmp_path)
    (root / "circle").symlink_to(root / "circle")
    os.mkfifo(root / "pipe")
    return root


def reason(root: Path, place: str, max_bytes: int = 100) -> str:
    with pytest.raises(ImageRefusedError) as refused:
        read_below(root, place, max_bytes)
    return refused.value.reason


def test_a_file_is_read_by_path_and_by_url(root: Path) -> None:
    whole = f"{root}/a/sunny beach.jpg"
    url = (root / "a" / "sunny beach.jpg").as_uri()
    places = ["a/sunny beach.jpg", whole, url, url.replace("///", "//localhost/"), "file:a/sunny%20beach.jpg"]
    places += ["inside/sunny beach.jpg", "a/../inside/./sunny beach.jpg"]
    assert [read_below(root, place, 5) for place in places] == [b"beach"] * len(places)


@pytest.mark.parametrize(
    "place",
    [
        "../secret.txt",
        "a/../../secret.txt",
        "outside",
        "up/secret.txt",
        "/etc/passwd",
        "//host/a",
        "../images-of-others",
        "file:///etc/passwd",
        "file:../secret.txt",
        "file:%2e%2e/secret.txt",
        "file:up/secret.txt",
    ],
)
def test_no_path_and_no_link_leads_out_of_the_folder(root: Path, place: str) -> None:
    assert reason(root, place) == "outside-root"


@pytest.mark.parametrize(
    "place", ["", "a", "missing.jpg", "pipe", "circle", "a/sunny beach.jpg/b", "a" * 999]
)
def test_what_is_no_file_is_said_to_be_none(root: Path, place: str) -> None:
    assert reason(root, place) == "no-such-file"


@pytest.mark.parametrize("place", ["a\0b", "file:a%00b", "file://other/a", "file://[a/b", "\ud800"])
def test_what_cannot_be_a_name_is_a_bad_url(root: Path, place: str) -> None:
    assert reason(root, place) == "bad-url"


def test_a_file_over_the_limit_is_not_read(root: Path) -> None:
    assert reason(root, "a/sunny beach.jpg", max_bytes=4) == "too-large"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_may_be_readable_later(root: Path) -> None:
    (root / "a" / "sunny beach.jpg").chmod(0)
    assert reason(root, "a/sunny beach.jpg") == "unreachable"


def test_what_is_there_and_cannot_be_opened_may_be_readable_later(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)  # the address of a socket has to be short
    with socket.socket(socket.AF_UNIX) as at:
        at.bind("socket")
        assert reason(root, "socket") == "unreachable"


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("host/a.jpg?token=s3cret", "'host/a.jpg': No such file or directory"),
        ("missing#s3cret", "'missing': No such file or directory"),
        ("//user:s3cret@host/a.jpg", "(hidden, it has an @) is not below the folder of images"),
    ],
)
def test_an_error_shows_the_place_and_no_secret(root: Path, place: str, shown: str) -> None:
    with pytest.raises(ImageRefusedError) as refused:
        read_below(root, place, 100)
    assert refused.value.detail == shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(STEPS)), st.sampled_from(["", "/", "file:", "file:///", "FILE://localhost/"]))
def test_whatever_is_asked_only_what_lies_below_is_had(root: Path, steps: list[str], start: str) -> None:
    with suppress(ImageRefusedError):
        assert read_below(root, start + "/".join(steps), 100) == b"beach"
