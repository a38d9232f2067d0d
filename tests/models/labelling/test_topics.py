"""Topics are what was planted, shares are what scikit-learn finds, and a topic stays itself when refitted."""

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.decomposition import NMF

from models.labelling.topics import MAX_NAME, TopicOptions, Topics, fit_topics, stabilities
from reco.errors import LabellingError
from reco.labels import SaleLabels, Scored
from tests.source_tree import ROOT

LABELS_EACH = 5
CLASSES = tuple(f"{subject}_{number}" for subject in "abcdef" for number in range(LABELS_EACH))
OPTIONS = TopicOptions(numbers=(2, 3, 4, 5, 6, 7, 8, 9), samples=5)


def planted(subjects: int, seed: int, pictures: int = 240) -> NDArray[np.float32]:
    """Scores of pictures, each of a few of so many subjects, which have labels of their own."""
    rng = np.random.default_rng(seed)
    mixed = rng.dirichlet(np.full(subjects, 0.2), pictures)
    labels = np.array([0.4, 0.25, 0.15, 0.12, 0.08])
    expected = (mixed[:, :, np.newaxis] * labels).reshape(pictures, -1)
    noisy = np.array([rng.dirichlet(80 * row + 1e-3) for row in expected])
    return np.pad(noisy, ((0, 0), (0, len(CLASSES) - noisy.shape[1]))).astype(np.float32)


def topics_of(rows: object, classes: tuple[str, ...], ids: tuple[int, ...] | None = None) -> Topics:
    weights = np.asarray(rows, np.float32)
    ids = tuple(range(len(weights))) if ids is None else ids
    return Topics(classes, weights / weights.sum(axis=1, keepdims=True), ids, max(ids) + 1)


@pytest.fixture(scope="module")
def fitted() -> Topics:
    return fit_topics(planted(6, seed=1), CLASSES, TopicOptions(numbers=(6,)))


@pytest.mark.parametrize("subjects", [4, 6])
def test_there_are_as_many_topics_as_were_planted(subjects: int) -> None:
    topics = fit_topics(planted(subjects, seed=2), CLASSES, OPTIONS)
    found = {frozenset(CLASSES[label][0] for label in group) for group in topics.strongest()}
    assert found == {frozenset(subject) for subject in "abcdef"[:subjects]}


def test_the_planted_number_is_more_stable_than_others() -> None:
    stable = stabilities(planted(6, seed=3), OPTIONS)
    assert set(stable) == set(OPTIONS.numbers)
    assert all(0 <= value <= 1 for value in stable.values())
    assert stable[6] > max(value for number, value in stable.items() if number != 6)


def test_the_largest_topic_comes_first(fitted: Topics) -> None:
    sizes = fitted.shares(planted(6, seed=1)).sum(axis=0)
    assert sizes.tolist() == sorted(sizes.tolist(), reverse=True)
    assert (fitted.ids, fitted.issued) == ((0, 1, 2, 3, 4, 5), 6)


def test_the_same_catalogue_has_the_same_topics() -> None:
    scores, options = planted(4, seed=4), TopicOptions(numbers=(3, 4, 5), samples=3)
    assert fit_topics(scores, CLASSES, options).to_bytes() == fit_topics(scores, CLASSES, options).to_bytes()


def test_there_are_not_more_topics_than_a_few_labels_can_have() -> None:
    scores = planted(2, seed=5)[:, :5]
    assert len(fit_topics(scores, CLASSES[:5], TopicOptions(samples=2)).ids) == 2
    assert len(fit_topics(scores[:, :1], CLASSES[:1], TopicOptions()).ids) == 1
    assert len(fit_topics(scores[:1], CLASSES[:5], TopicOptions()).ids) == 1


def test_there_are_not_more_topics_than_a_sample_of_few_pictures_has() -> None:
    scores = planted(6, seed=6, pictures=10)
    stable = stabilities(scores, TopicOptions(numbers=(2, 9, 10), samples=2))
    assert sorted(stable) == [2, 8]
    assert len(fit_topics(scores, CLASSES, TopicOptions(samples=2)).ids) <= 8


def test_pictures_that_are_all_alike_have_one_topic() -> None:
    topics = fit_topics(np.full((9, 6), 1 / 6, np.float32), CLASSES[:6], TopicOptions(numbers=(3,)))
    assert len(topics.ids) == 1


def test_shares_are_those_of_scikit_learn(fitted: Topics) -> None:
    scores = planted(6, seed=6)
    model = NMF(len(fitted.ids), init="nndsvd").fit(planted(6, seed=1))
    model.set_params(tol=1e-9, max_iter=5000)
    model.components_ = fitted.weights.astype(np.float64)
    expected = model.transform(scores.astype(np.float64))
    expected /= expected.sum(axis=1, keepdims=True)
    shares = fitted.shares(scores)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares, expected, atol=1e-3)


@given(scores=arrays(np.float32, (5, len(CLASSES)), elements=st.floats(0, 1, width=32)))
def test_shares_of_any_picture_sum_to_1(fitted: Topics, scores: NDArray[np.float32]) -> None:
    shares = fitted.shares(scores)
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


def test_a_picture_has_the_same_shares_whatever_is_beside_it(fitted: Topics) -> None:
    scores = planted(6, seed=7, pictures=20)
    alone = np.concatenate([fitted.shares(row[np.newaxis]) for row in scores])
    np.testing.assert_allclose(fitted.shares(scores), alone, atol=1e-6)


def test_a_picture_of_no_topic_has_equal_shares() -> None:
    topics = topics_of([[1, 1, 0, 0], [0, 0, 1, 0]], ("a", "b", "c", "d"))
    shares = topics.shares(np.array([[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]], np.float32))
    assert shares.tolist() == [[0.5, 0.5], [0.5, 0.5], [0, 1]]


def test_shares_need_no_scikit_learn_and_no_scipy(fitted: Topics, tmp_path: Path) -> None:
    (tmp_path / "topics").write_bytes(fitted.to_bytes())
    code = (
        "import sys; from pathlib import Path; import numpy as np;"
        "from models.labelling.topics import Topics;"
        "topics = Topics.from_bytes(Path(sys.argv[1]).read_bytes());"
        "assert topics.shares(np.ones((1, len(topics.classes)), np.float32)).sum() > 0.99 and topics.names;"
        "sys.exit(bool({'sklearn', 'scipy', 'tensorflow'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "topics")]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_a_topic_is_named_after_its_strongest_labels() -> None:
    topics = topics_of(
        [[3, 5, 4, 2, 1], [0, 1, 0, 9, 0], [0, 0, 0, 1, 4]],
        ("harbor", "beach", "ocean_coast", "swimming_pool/outdoor", "NYC  view"),
    )
    assert topics.names == (
        "Beach - Ocean coast - Harbor",
        "Swimming pool outdoor",
        "NYC view - Swimming pool outdoor",
    )


def test_two_topics_of_one_name_are_told_apart() -> None:
    topics = topics_of([[9, 1, 0], [9, 0, 1], [0, 0, 1]], ("beach", "a", "b"), ids=(3, 5, 6))
    assert topics.names == ("Beach (3)", "Beach (5)", "B")


def test_a_long_name_still_fits_a_record() -> None:
    classes = tuple(letter * 200 for letter in "abc")
    names = topics_of([[1, 1, 1], [1, 1, 1]], classes, ids=(10**6, 10**6 + 1)).names
    assert [len(name) for name in names] == [MAX_NAME + 10] * 2
    labels = SaleLabels("s", "v", (), 1, (), tuple(Scored(name, 0.5) for name in names), b"", 10**12)
    assert msgspec.json.decode(msgspec.json.encode(labels), type=SaleLabels) == labels


def test_a_topic_keeps_its_number_and_place_when_fitted_to_other_pictures(fitted: Topics) -> None:
    again = fit_topics(planted(6, seed=8), CLASSES, TopicOptions(numbers=(6,)))
    assert not np.array_equal(again.weights.argmax(axis=1), fitted.weights.argmax(axis=1))
    matched = again.matched(fitted)
    assert (matched.ids, matched.issued) == (fitted.ids, fitted.issued)
    assert [group[0] for group in matched.strongest()] == [group[0] for group in fitted.strongest()]
    assert sorted(matched.weights.tolist()) == sorted(again.weights.tolist())


def test_new_topics_come_last_and_never_get_the_number_of_one_that_went() -> None:
    old = topics_of([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], ("a", "b", "c", "d"), ids=(4, 2, 7))
    first = topics_of([[0, 0, 0, 1], [0.1, 1, 0, 0], [1, 0, 0, 0]], old.classes).matched(old)
    assert (first.ids, first.issued) == ((4, 2, 8), 9)
    assert first.weights.argmax(axis=1).tolist() == [0, 1, 3]
    gone = topics_of([[1, 0, 0, 0]], old.classes).matched(first)
    assert (gone.ids, gone.issued) == ((4,), 9)
    assert topics_of([[0, 0, 1, 0]], old.classes).matched(gone).ids == (9,)


def test_topics_that_are_hardly_alike_are_not_the_same_one() -> None:
    old = topics_of([[1, 0, 0]], ("a", "b", "c"))
    assert topics_of([[1, 1.8, 0]], old.classes).matched(old).ids == (1,)
    assert topics_of([[1, 1.7, 0]], old.classes).matched(old).ids == (0,)


def test_pairs_that_are_hardly_alike_do_not_part_one_that_is() -> None:
    old = topics_of([[1, 0, 0, 0], [0, 1, 0, 0]], ("a", "b", "c", "d"))
    new = topics_of([[0.6, 0.45, 0.66, 0], [0.45, 0, 0, 0.89]], old.classes)
    assert new.matched(old).ids == (0, 2)


def test_labels_that_came_went_or_moved_are_compared_by_name() -> None:
    old = topics_of([[1, 1, 0], [0, 0, 1]], ("a", "b", "gone"))
    matched = topics_of([[0, 1, 0], [0, 1, 2], [1, 0, 0]], ("new", "b", "a")).matched(old)
    assert matched.ids == (0, 2, 3)
    assert matched.weights[0].tolist() == [0, np.float32(1 / 3), np.float32(2 / 3)]


def test_they_are_the_same_when_read_again(fitted: Topics) -> None:
    again, scores = Topics.from_bytes(fitted.to_bytes()), planted(6, seed=10)
    assert again.to_bytes() == fitted.to_bytes()
    assert again.names == fitted.names
    assert again.shares(scores).tobytes() == fitted.shares(scores).tobytes()


@given(st.binary())
def test_bytes_that_are_no_topics_are_refused(value: bytes) -> None:
    with pytest.raises(LabellingError, match="are no topics"):
        Topics.from_bytes(value)


def as_float32(*values: float) -> bytes:
    return np.array(values, "<f4").tobytes()


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("format", "topics-9", "topics-9"),
        ("classes", ["a"], "reshape"),
        ("classes", ["a", "a"], "classes: one occurs twice"),
        ("classes", ["a", ""], "has no name"),
        ("ids", [0], "reshape"),
        ("ids", [], "reshape"),
        ("ids", [1, 1], "ids: there are none, or one occurs twice"),
        ("ids", [-1, 1], "never given"),
        ("issued", 1, "never given, of the 1 that were"),
        ("weights", b"123", "buffer size"),
        ("weights", as_float32(1, 0, np.nan, 1), "weights: are not from 0 to 1"),
        ("weights", as_float32(1, 0, np.inf, 1), "weights: are not from 0 to 1"),
        ("weights", as_float32(1, 0, 2, -1), "weights: are not from 0 to 1"),
        ("weights", as_float32(1, 0, 0, 0), "do not sum to 1"),
        ("more", 1, "more"),
    ],
)
def test_broken_topics_are_refused(field: str, value: object, fault: str) -> None:
    whole = topics_of([[1, 0], [1, 1]], ("a", "b")).to_bytes()
    stored = msgspec.msgpack.decode(whole) | {field: value}
    with pytest.raises(LabellingError, match=fault):
        Topics.from_bytes(msgspec.msgpack.encode(stored))


def test_topics_without_any_topic_are_refused() -> None:
    stored = msgspec.msgpack.decode(topics_of([[1, 0]], ("a", "b")).to_bytes()) | {"ids": [], "weights": b""}
    with pytest.raises(LabellingError, match="ids: there are none"):
        Topics.from_bytes(msgspec.msgpack.encode(stored))


@pytest.mark.parametrize(
    ("scores", "classes", "options", "fault"),
    [
        (
            np.ones((2, 3)),
            ("a", "b"),
            OPTIONS,
            r"topics of 2 labels cannot be fitted to scores of shape \(2, 3\)",
        ),
        (np.ones((0, 2)), ("a", "b"), OPTIONS, r"shape \(0, 2\)"),
        (np.ones(2), ("a", "b"), OPTIONS, r"shape \(2,\)"),
        (np.ones((2, 2)), ("a", "a"), OPTIONS, "two labels have one name"),
        (np.ones((2, 2)), ("a", ""), OPTIONS, "or one has none"),
        (np.array([[1, np.nan]]), ("a", "b"), OPTIONS, "not all finite"),
        (np.array([[1, -1]]), ("a", "b"), OPTIONS, "from 0 up"),
        (np.zeros((2, 2)), ("a", "b"), OPTIONS, "all are 0"),
        (np.full((2, 2), 1e-30), ("a", "b"), OPTIONS, "so small, 1e-30 at most, that they have no topics"),
        (np.full((8, 6), 1e-30), tuple("abcdef"), OPTIONS, "so small, 1e-30 at most"),
        (np.ones((2, 2)), ("a", "b"), TopicOptions(numbers=()), "no number of topics"),
        (np.ones((2, 2)), ("a", "b"), TopicOptions(numbers=(0,)), "ask for 1 or more"),
        (np.ones((2, 2)), ("a", "b"), TopicOptions(samples=0), "ask for 1 or more"),
    ],
)
def test_what_topics_cannot_be_fitted_to_is_refused(
    scores: NDArray[np.float64], classes: tuple[str, ...], options: TopicOptions, fault: str
) -> None:
    with pytest.raises(LabellingError, match=fault):
        fit_topics(scores.astype(np.float32), classes, options)
