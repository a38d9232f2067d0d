"""The text model: the same as scikit-learn's pipeline, without it, and refused if it is broken."""

import subprocess
import sys
from typing import Any
from unicodedata import normalize

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer

from models.text import LEAST_KNOWN, MAX_TERMS, TextModel, text_of, words_of
from reco.errors import ReleaseError
from reco.events import Sale
from tests.source_tree import ROOT

TEXTS = (
    "A week on the beach of Rimini, hotel with a pool",
    "Beach hotel with pool, a week in Rimini or Riccione",
    "Three days in Rome: museums, old town, hotel in the centre",
    "Old town of Rome, museums and a hotel in the old town",
    "Skiing in Tyrol, a week in the mountains, sauna",
    "A hut in the mountains of Tyrol with sauna, skiing included",
    "Ĝardeno kaj strando, Žižkov 北京 旅行",
    "Žižkov 北京 旅行 kaj ĝardeno",
)
DIMENSIONS = 5
words = st.sampled_from([*" ".join(TEXTS).split(), "İ", "ß", "beach", "Beach", "x", "unheard"])
texts = st.text() | st.lists(words, max_size=12).map(" ".join) | st.lists(words | st.text()).map(", ".join)


@pytest.fixture(scope="module")
def model() -> TextModel:
    return TextModel.fit(TEXTS, DIMENSIONS, seed=1)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    tfidf = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    svd = TruncatedSVD(DIMENSIONS, random_state=1)
    return Pipeline([("tfidf", tfidf), ("svd", svd), ("normalizer", Normalizer())]).fit(TEXTS)


def test_a_seed_may_be_larger_than_scikit_learn_knows(model: TextModel) -> None:
    assert TextModel.fit(TEXTS, DIMENSIONS, seed=2**32 + 1).to_bytes() == model.to_bytes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hotel_1, a 4* one (b)", ["hotel_1", "one"]),
        ("समुद्र तट, होटल।", ["समुद्र", "तट", "होटल"]),
        ("海边酒店。Spa七晚", ["海边", "边酒", "酒店", "spa", "七晚"]),
        ("プールつきspa", ["プー", "ール", "ルつ", "つき", "spa"]),
        ("สระ ว่าย", ["สร", "ระ", "ว่", "่า", "าย"]),
    ],
)
def test_a_word_is_a_run_of_letters_or_where_no_space_parts_words_each_pair_of_them(
    text: str, words: list[str]
) -> None:
    assert words_of(text.lower()) == words


@pytest.mark.parametrize(
    ("beach", "skiing"),
    [
        (("海边酒店带游泳池七晚", "海滩上的海边酒店"), ("阿尔卑斯滑雪一周", "滑雪与阿尔卑斯桑拿")),
        (("ビーチのホテルとプール", "海辺のビーチホテル"), ("アルプスでスキー旅行", "アルプスのスキー場")),
        (("โรงแรมริมทะเล", "ชายหาดริมทะเล"), ("เล่นสกีบนภูเขาแอลป์", "สกีแอลป์")),
    ],
)
def test_texts_without_spaces_resemble_those_about_the_same(
    beach: tuple[str, str], skiing: tuple[str, str]
) -> None:
    model = TextModel.fit([*beach, *skiing], 2)
    sea, seaside, *snow = (model.vector(text) for text in (*beach, *skiing))
    assert sea is not None
    assert seaside is not None
    assert sea @ seaside > max(sea @ one for one in snow if one is not None)


@given(text=texts)
def test_it_gives_what_the_pipeline_of_scikit_learn_gives(model: TextModel, pipeline: Any, text: str) -> None:
    vector, expected = model.vector(text), pipeline.transform([text])[0]
    if vector is None:
        assert np.linalg.norm(pipeline[:-1].transform([text])) <= LEAST_KNOWN * 1.001
    else:
        assert vector.dtype == np.float32
        np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_a_word_that_is_repeated_counts_less_each_time(model: TextModel, pipeline: Any) -> None:
    text = "beach " * 900 + "rome"
    vector = model.vector(text)
    assert vector is not None
    np.testing.assert_allclose(vector, pipeline.transform([text])[0], atol=1e-5)


@pytest.mark.parametrize("text", ["", "  ", "unheard words only", "x y z", "!?"])
def test_a_text_without_a_known_word_is_unknown(model: TextModel, text: str) -> None:
    assert model.vector(text) is None


def test_texts_about_the_same_are_nearer_than_others(model: TextModel) -> None:
    rimini, riccione, rome = (model.vector(text) for text in ("beach of Rimini", TEXTS[1], TEXTS[2]))
    assert rimini is not None and riccione is not None and rome is not None  # noqa: PT018
    assert rimini @ riccione > 0.5 > rimini @ rome


def test_it_has_no_more_dimensions_than_the_texts_spread_along() -> None:
    model = TextModel.fit(["beach pool", "beach pool", "beach pool", "mountains", "mountains"], components=64)
    assert model.components.shape == (4, 2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [20, 120])
def test_texts_that_are_all_the_same_make_a_model_without_a_warning(count: int) -> None:
    assert TextModel.fit(["a beach by the sea"] * count).components.shape[1] == 1


def test_it_is_read_again_with_as_many_terms_as_it_may_know_or_a_single_dimension() -> None:
    long = " ".join(f"word{number}" for number in range(MAX_TERMS // 2 + 1))
    shapes = [
        TextModel.from_bytes(fitted.to_bytes()).components.shape
        for fitted in (TextModel.fit([long, f"{long} word0"]), TextModel.fit(TEXTS, 1))
    ]
    assert shapes == [(MAX_TERMS, 2), (32, 1)]


@pytest.mark.parametrize(("known", "is_known"), [(1.1 * LEAST_KNOWN, True), (0.9 * LEAST_KNOWN, False)])
def test_a_text_of_which_too_little_is_known_is_unknown(known: float, is_known: bool) -> None:  # noqa: FBT001
    model = TextModel(("beach",), np.full(1000, 2.0), np.full(1, 3.0), np.full((1, 1), known, np.float32))
    assert (model.vector("beach") is not None) == is_known


@pytest.mark.parametrize("few", [[], [""], ["beach"], ["beach", "mountains"], ["beach", "beach"]])
def test_texts_that_have_no_words_in_common_are_refused(few: list[str]) -> None:
    with pytest.raises(ValueError, match="too few words occur in 2 of"):
        TextModel.fit(few)


def test_it_is_the_same_when_read_again(model: TextModel) -> None:
    again = TextModel.from_bytes(model.to_bytes())
    assert again.to_bytes() == model.to_bytes() == TextModel.fit(TEXTS, DIMENSIONS, seed=1).to_bytes()
    for text in TEXTS:
        first, second = model.vector(text), again.vector(text)
        assert first is not None and second is not None  # noqa: PT018
        assert first.tobytes() == second.tobytes()


def test_it_is_applied_without_scikit_learn(model: TextModel) -> None:
    code = (
        "import sys; from models.text import TextModel;"
        "assert TextModel.from_bytes(sys.stdin.buffer.read()).vector('beach') is not None;"
        "sys.exit('sklearn' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, input=model.to_bytes(), check=False)
    assert ran.returncode == 0


@given(st.binary())
def test_bytes_that_are_no_model_are_refused(value: bytes) -> None:
    with pytest.raises(ReleaseError, match="is no text model"):
        TextModel.from_bytes(value)


def as_float64(*values: float) -> bytes:
    return np.array(values).tobytes()


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("format", "text-9", "text-9"),
        ("terms", ["beach"], "5 dimensions of 1 terms"),
        ("terms", ["beach", 3], r"terms\[1\]"),
        ("dimensions", 0, "0 dimensions"),
        ("dimensions", 4, "reshape"),
        ("components", b"", "reshape"),
        ("components", b"123", "buffer size"),
        ("term_weights", as_float64(1.0), "too many or too few"),
        ("count_weights", as_float64(1.0), "too many or too few"),
        ("more", 1, "more"),
    ],
)
def test_a_broken_model_is_refused(model: TextModel, field: str, value: object, fault: str) -> None:
    stored = msgspec.msgpack.decode(model.to_bytes()) | {field: value}
    with pytest.raises(ReleaseError, match=fault):
        TextModel.from_bytes(msgspec.msgpack.encode(stored))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("field", ["term_weights", "count_weights"])
def test_weights_that_are_no_weights_are_refused(model: TextModel, field: str, wrong: float) -> None:
    stored = msgspec.msgpack.decode(model.to_bytes())
    stored[field] = as_float64(wrong) + stored[field][8:]
    with pytest.raises(ReleaseError, match=f"{field}: are not all finite"):
        TextModel.from_bytes(msgspec.msgpack.encode(stored))


def test_a_term_that_occurs_twice_is_refused(model: TextModel) -> None:
    stored = msgspec.msgpack.decode(model.to_bytes())
    stored["terms"][1] = stored["terms"][0]
    with pytest.raises(ReleaseError, match="terms: one occurs twice"):
        TextModel.from_bytes(msgspec.msgpack.encode(stored))


def test_the_text_of_a_sale_is_all_that_it_says() -> None:
    sale = Sale("rome", "Rome", 1, description="Three days", country="IT", tags=("old town", "museum"))
    assert text_of(sale).split("\n") == ["Rome", "Three days", "IT", "old town", "museum"]
    assert text_of(Sale("rome", "Rome", 1)).strip() == "Rome"


def test_the_same_letters_are_the_same_words_however_they_are_written() -> None:
    title = "Séjour élégant au château"
    assert text_of(Sale("a", normalize("NFD", title), 0)) == text_of(Sale("a", normalize("NFC", title), 0))
