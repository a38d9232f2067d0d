"""What a URL itself tells: whether it may be asked for, and how it is shown."""

import pytest
from yarl import URL

from reco.errors import ImageRefusedError
from streams.images.urls import checked, redirected, shown

SECURE = URL("https://shop.example/a/b.jpg")


def reason(url: str) -> str:
    with pytest.raises(ImageRefusedError) as refused:
        checked(url)
    assert "s3cret" not in str(refused.value)
    return refused.value.reason


@pytest.mark.parametrize(
    "url", ["http://shop.example/a.jpg", "HTTPS://SHOP.example:8443/", "http://[2001:db8::1]/"]
)
def test_the_web_may_be_asked_at_any_port(url: str) -> None:
    assert checked(url).raw_host


@pytest.mark.parametrize(
    "url", ["ftp://shop.example/a", "data:image/png;base64,s3cret", "gopher://h/", "file:/a"]
)
def test_no_other_scheme_may_be_asked(url: str) -> None:
    assert reason(url) == "not-allowed-scheme"


@pytest.mark.parametrize(
    "url",
    [
        "http://user:s3cret@shop.example/",
        "http://s3cret@shop.example/",
        "http://:s3cret@shop.example/",
        "http://:@shop.example/",
        "http:///s3cret",
        "http:s3cret",
        "http://[::1/s3cret",
        "http://[]@",
        "http://[:s3cret]/",
        "http://shop.example:99999/s3cret",
        "http://good\\@evil.example/s3cret",
        "http://two words.example/s3cret",
        "http://null\0.example/s3cret",
        "http://\ud800/s3cret",
    ],
)
def test_a_url_with_credentials_or_without_sense_is_bad(url: str) -> None:
    assert reason(url) == "bad-url"


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("c.jpg", "https://shop.example/a/c.jpg"),
        ("/c.jpg?size=2", "https://shop.example/c.jpg?size=2"),
        ("//cdn.example/c.jpg", "https://cdn.example/c.jpg"),
        ("https://cdn.example:444/c.jpg", "https://cdn.example:444/c.jpg"),
    ],
)
def test_a_redirect_is_relative_to_where_it_stands(location: str, target: str) -> None:
    assert redirected(SECURE, location) == URL(target)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://h/fetch/https%3A%2F%2Fe%2Fa%7eb.jpg", "/fetch/https%3A%2F%2Fe%2Fa%7eb.jpg"),
        (
            "https://h/a?from=https%3A%2F%2Fe%2Fa.jpg&sign=%40+%2c#top",
            "/a?from=https%3A%2F%2Fe%2Fa.jpg&sign=%40+%2c",
        ),
        ("https://h?from=%2F", "/?from=%2F"),
        ("https://h//a%2Cb", "//a%2Cb"),
        ("https://h/a b.jpg?c=ü", "/a%20b.jpg?c=%C3%BC"),
        ("https://h/a/../b%2Cc", "/b,c"),
    ],
)
def test_escapes_are_sent_as_they_are_written_as_a_signature_may_cover_them(url: str, sent: str) -> None:
    assert checked(url).raw_path_qs == sent
    assert redirected(SECURE, url).raw_path_qs == sent
    assert checked(url).host == "h"


def test_a_redirect_to_a_place_beside_it_keeps_its_escapes() -> None:
    assert redirected(SECURE, "c%2Cd.jpg?sign=%2F").raw_path_qs == "/a/c%2Cd.jpg?sign=%2F"
    assert redirected(SECURE, "?sign=%2F").raw_path_qs == "/a/b.jpg?sign=%2F"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://shop.example/a/b.jpg", "insecure-redirect"),
        ("file:///etc/passwd", "not-allowed-scheme"),
        ("https://user:s3cret@shop.example/", "bad-url"),
        ("https://[::1/s3cret", "bad-url"),
        ("https://[]@", "bad-url"),
        ("https://[:s3cret]/", "bad-url"),
    ],
)
def test_a_redirect_is_checked_like_the_first_url_and_stays_encrypted(location: str, expected: str) -> None:
    with pytest.raises(ImageRefusedError) as refused:
        redirected(SECURE, location)
    assert refused.value.reason == expected
    assert "s3cret" not in str(refused.value)


def test_a_url_is_shown_without_its_query_and_not_at_any_length() -> None:
    assert (
        shown(URL("https://shop.example:444/a b.jpg?token=s3cret#c")) == "https://shop.example:444/a%20b.jpg"
    )
    assert len(shown(URL("https://shop.example/" + "a" * 2000))) == 200
