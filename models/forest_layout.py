"""How a forest lies in memory: the views that nodes have of features, words of leaves, and paths.

Each node asks "is the value greater than the threshold?" in float32, nothing else. What else LightGBM
knows (missing values and their default side, zeros, categories) is put into the values beforehand: a view
is a feature as some nodes see it. LightGBM's own reading of a value is in its `include/LightGBM/tree.h`.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numba import types
from numpy.typing import NDArray

from models.lightgbm_text import CATEGORICAL, DEFAULT_LEFT, MISSING_IS_NAN, MISSING_IS_ZERO, TreeText
from reco.kernels import FLOAT32S, FLOAT64S, INT32S, INT64S, columns

WORD = 32
"""Leaves in a word: bits as wide as the float32 compared, which suits vector registers."""
DE_BRUIJN = 0x077CB531
"""Times 2^k, its upper five bits differ for every k: so a lone bit is found without a search (Leiserson,
Prokop, Randall: Using de Bruijn Sequences to Index a 1 in a Computer Word, 1998)."""
DE_BRUIJN_SHIFT = 27
BETWEEN = np.float32(0.5)
"""The threshold of categorical nodes, whose values are 0 at the left and 1 at the right."""
GREATEST = float(np.finfo(np.float32).max)
"""The greatest finite float32."""

UINT32S: Final = types.uint32[::1]


class Views(NamedTuple):
    """The ways in which nodes see features, one row of prepared values each.

    Attributes:
        feature: int32[n_views].
        when_nan: float32[n_views], what stands for NaN.
        when_zero: float32[n_views], what stands for zero.
        most: float32[n_views], what stands for anything greater.
        starts: int64[n_views + 1], where each one's part of `categories` starts.
        categories: uint32[...], the bits of the categories that go left; none if the feature is numerical.
    """

    feature: NDArray[np.int32]
    when_nan: NDArray[np.float32]
    when_zero: NDArray[np.float32]
    most: NDArray[np.float32]
    starts: NDArray[np.int64]
    categories: NDArray[np.uint32]


class Words(NamedTuple):
    """The leaves of each tree in order, 32 in a word, its last word first, with the nodes that touch a word.

    Attributes:
        trees: int64[n_trees + 1], where each tree's words start.
        starts: int64[n_words + 1], where each word's questions start.
        views: int32[n_questions + 1]; parents before children; the last question rules nothing out.
        threshold: float32[n_questions + 1].
        left: uint32[n_questions + 1], the leaves of the word at the left of the node.
        right: uint32[n_questions + 1], the leaves of the word at its right.
        leaf_value: float64[n_words * 32], each word's in the order of the De Bruijn places.
    """

    trees: NDArray[np.int64]
    starts: NDArray[np.int64]
    views: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.uint32]
    right: NDArray[np.uint32]
    leaf_value: NDArray[np.float64]


class Paths(NamedTuple):
    """The trees as nodes to walk through; a child stands behind its parent.

    Attributes:
        roots: int64[n_trees].
        views: int32[n_nodes], -1 for a leaf.
        threshold: float32[n_nodes].
        left: int32[n_nodes].
        right: int32[n_nodes].
        value: float64[n_nodes], the expected output at a node, the output of a leaf.
    """

    roots: NDArray[np.int64]
    views: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]


VIEWS: Final = columns(Views, INT32S, FLOAT32S, FLOAT32S, FLOAT32S, INT64S, UINT32S)
WORDS: Final = columns(Words, INT64S, INT64S, INT32S, FLOAT32S, UINT32S, UINT32S, FLOAT64S)
PATHS: Final = columns(Paths, INT64S, INT32S, FLOAT32S, INT32S, INT32S, FLOAT64S)

View: TypeAlias = tuple[int, float, float, float, tuple[int, ...]]
"""One of `Views`: feature, when_nan, when_zero, most, categories."""


def lay_out(trees: Sequence[TreeText]) -> tuple[Views, Words, Paths]:
    """The forest twice, for sums and for paths, with the views that both read."""
    known: dict[View, int] = {}
    asked = [[known.setdefault(_view(tree, node), len(known)) for node in _nodes(tree)] for tree in trees]
    views = [np.array(rows, np.int32) for rows in asked]
    thresholds = [_thresholds(tree) for tree in trees]
    return _views(list(known)), _words(trees, views, thresholds), _paths(trees, views, thresholds)


def _nodes(tree: TreeText) -> range:
    return range(len(tree.threshold))


def _view(tree: TreeText, node: int) -> View:
    """How the node sees its feature; an infinity stands for what goes to the default side.

    Where the threshold is infinite, so that all but what is missing goes left, infinities of the feature are
    seen as the greatest number.
    """
    decision, feature = int(tree.decision_type[node]), int(tree.split_feature[node])
    if decision & CATEGORICAL:
        return feature, 0.0, 0.0, 0.0, tuple(tree.categories[int(tree.threshold[node])].tolist())
    default = -np.inf if decision & DEFAULT_LEFT else np.inf
    missing = decision >> 2
    when_zero = default if missing == MISSING_IS_ZERO else 0.0
    when_nan = default if missing == MISSING_IS_NAN else when_zero
    most = GREATEST if tree.threshold[node] == np.inf else np.inf
    return feature, when_nan, when_zero, most, ()


def _thresholds(tree: TreeText) -> NDArray[np.float32]:
    """The greatest finite float32 that is not above the threshold: the same values are at most this."""
    with np.errstate(over="ignore"):
        nearest = tree.threshold.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    lowered = np.where((nearest > tree.threshold) | (nearest == np.inf), below, nearest)
    return np.where(tree.decision_type & CATEGORICAL, BETWEEN, lowered)


def _views(known: Sequence[View]) -> Views:
    categories = [one[-1] for one in known]
    return Views(
        feature=np.array([one[0] for one in known], np.int32),
        when_nan=np.array([one[1] for one in known], np.float32),
        when_zero=np.array([one[2] for one in known], np.float32),
        most=np.array([one[3] for one in known], np.float32),
        starts=_starts([len(words) for words in categories]),
        categories=np.array([word for words in categories for word in words], np.uint32),
    )


def _starts(sizes: Sequence[int]) -> NDArray[np.int64]:
    """int64[n + 1]: where each of n consecutive parts starts, and the end."""
    return np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))


def _words(
    trees: Sequence[TreeText], views: Sequence[NDArray[np.int32]], thresholds: Sequence[NDArray[np.float32]]
) -> Words:
    nothing = (np.zeros(1, np.int32), np.full(1, np.inf, np.float32), *np.zeros((2, 1), np.uint32))
    words = [_words_of(*one) for one in zip(trees, views, thresholds, strict=True)]
    questions = [word[:-1] for of_tree in words for word in of_tree]
    view, threshold, left, right = map(np.concatenate, zip(*questions, nothing, strict=True))
    return Words(
        trees=_starts([len(of_tree) for of_tree in words]),
        starts=_starts([len(question[0]) for question in questions]),
        views=view,
        threshold=threshold,
        left=left,
        right=right,
        leaf_value=np.concatenate([word[-1] for of_tree in words for word in of_tree]),
    )


def _words_of(
    tree: TreeText, view: NDArray[np.int32], threshold: NDArray[np.float32]
) -> list[tuple[NDArray[Any], ...]]:
    """View, threshold, left and right of the questions, and the leaf values, of each word, the last first."""
    bounds, order = _leaf_order(tree)
    places = ((DE_BRUIJN << np.arange(WORD)) & 0xFFFFFFFF) >> DE_BRUIJN_SHIFT
    words: list[tuple[NDArray[Any], ...]] = []
    for first in reversed(range(0, len(order), WORD)):
        ends = np.int64(1) << np.clip(bounds - first, 0, WORD)
        left, right = (ends[1] - ends[0]).astype(np.uint32), (ends[2] - ends[1]).astype(np.uint32)
        touching = (left | right) != 0
        values = np.zeros(WORD)
        leaves = order[first : first + WORD]
        values[places[: len(leaves)]] = tree.leaf_value[leaves]
        words.append((view[touching], threshold[touching], left[touching], right[touching], values))
    return words


def _leaf_order(tree: TreeText) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each node's leaves begin, divide and end in the order from left to right, and that order.

    Returns:
        int64[3, n_nodes] and int64[n_leaves].
    """
    children = list(zip(tree.left_child.tolist(), tree.right_child.tolist(), strict=True))
    sizes = dict.fromkeys(range(-len(tree.leaf_value), 0), 1)
    for node in reversed(_nodes(tree)):
        sizes[node] = sizes[children[node][0]] + sizes[children[node][1]]
    begins = {0: 0, -1: 0}
    for node, (left, right) in enumerate(children):
        begins[left], begins[right] = begins[node], begins[node] + sizes[left]
    order = sorted(range(len(tree.leaf_value)), key=lambda leaf: begins[-1 - leaf])
    bounds = [(begins[node], begins[children[node][1]], begins[node] + sizes[node]) for node in _nodes(tree)]
    return np.array(bounds, np.int64).reshape(-1, 3).T, np.array(order, np.int64)


def _paths(
    trees: Sequence[TreeText], views: Sequence[NDArray[np.int32]], thresholds: Sequence[NDArray[np.float32]]
) -> Paths:
    """The nodes of each tree, then its leaves, tree after tree."""
    roots = _starts([2 * len(tree.leaf_value) - 1 for tree in trees])[:-1]
    leaves = [np.full(len(tree.leaf_value), -1, np.int32) for tree in trees]
    rooted = list(zip(trees, roots, strict=True))
    return Paths(
        roots=roots,
        views=_joined(views, leaves),
        threshold=_joined(thresholds, leaves).astype(np.float32),
        left=_joined([_numbered(tree.left_child, root) for tree, root in rooted], leaves),
        right=_joined([_numbered(tree.right_child, root) for tree, root in rooted], leaves),
        value=_joined([tree.internal_value for tree in trees], [tree.leaf_value for tree in trees]),
    )


def _numbered(child: NDArray[np.int64], root: np.int64) -> NDArray[np.int32]:
    """Children as numbers of `Paths`, in which leaf 0 follows the last node."""
    return (np.where(child >= 0, child, len(child) - 1 - child) + root).astype(np.int32)


def _joined(of_nodes: Sequence[NDArray[Any]], of_leaves: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([part for tree in zip(of_nodes, of_leaves, strict=True) for part in tree])
