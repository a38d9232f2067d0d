"""Reads a model in LightGBM's own text format, checked whole, so that what evaluates it needs no check.

The format is what `Booster.model_to_string` writes (LightGBM 4, `version=v4`): a header, then one block of
`key=value` lines for each tree. Nothing is documented but the source: `src/boosting/gbdt_model_text.cpp`
and `src/io/tree.cpp` of LightGBM.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reco.errors import ReleaseError

CATEGORICAL, DEFAULT_LEFT = 1, 2
"""Bits of a node's decision type."""
MISSING_IS_ZERO, MISSING_IS_NAN, MISSING_UNKNOWN = 1, 2, 3
"""The third and fourth bit of a node's decision type; 0 where nothing is missing."""
KNOWN_BITS = 16
_END = "\nend of trees"


@dataclass(frozen=True, eq=False)
class TreeText:
    """One tree as written: `n` nodes in which a parent stands before its children, and `n + 1` leaves.

    Attributes:
        split_feature: int64[n], the row of the features that a node looks at.
        threshold: float64[n], at most this goes left (inf: all but what is missing); of a categorical
            node its place in `categories`.
        decision_type: int64[n], bits: categorical, default left, and what counts as missing.
        left_child: int64[n], a node, or `-1 - leaf`.
        right_child: int64[n], likewise.
        leaf_value: float64[n + 1], the output.
        internal_value: float64[n], the expected output at a node, on the scale of `leaf_value`.
        categories: for each categorical node uint32[1 or more], whose bits are the categories that go left.
    """

    split_feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    decision_type: NDArray[np.int64]
    left_child: NDArray[np.int64]
    right_child: NDArray[np.int64]
    leaf_value: NDArray[np.float64]
    internal_value: NDArray[np.float64]
    categories: tuple[NDArray[np.uint32], ...]


@dataclass(frozen=True, eq=False)
class ModelText:
    """A model with one output, the sum of its trees' outputs.

    Attributes:
        features: the names, in the order of the rows.
    """

    features: tuple[str, ...]
    trees: tuple[TreeText, ...]


def parse(text: str) -> ModelText:
    """The model that `text` holds.

    Raises:
        ReleaseError: if it is malformed, cut off, or of a kind with another meaning than a sum of trees.
    """
    body, end, _ = text.partition(_END)
    head, *blocks = body.split("\nTree=")
    if not end:
        raise ReleaseError("The model is cut off: it has no line 'end of trees'. Train or copy it again.")
    header = _Block("the header", head)
    features = _features(header)
    if not len(blocks) == len(header.words("tree_sizes")) > 0:
        raise header.error(f"{len(header.words('tree_sizes'))} trees are announced, and {len(blocks)} follow")
    trees = tuple(
        _tree(_Block(f"tree {place}", block), place, len(features)) for place, block in enumerate(blocks)
    )
    return ModelText(features, trees)


class _Block:
    """The `key=value` lines of the header or of one tree."""

    def __init__(self, place: str, text: str) -> None:
        self._place = place
        self._values = dict(_pairs(text))

    def error(self, what: str) -> ReleaseError:
        return ReleaseError(f"The LightGBM model cannot be served: {self._place}: {what}.")

    def has(self, key: str) -> bool:
        return key in self._values

    def words(self, key: str) -> list[str]:
        if key not in self._values:
            raise self.error(f"{key} is missing")
        return self._values[key].split()

    def numbers(self, key: str, dtype: DTypeLike, count: int | None = None) -> NDArray[Any]:
        """So many numbers, none of them NaN."""
        words = self.words(key)
        if count is not None and len(words) != count:
            raise self.error(f"{key} has {len(words)} values, not {count}")
        try:
            values = np.array(words, dtype)
        except (ValueError, OverflowError) as error:
            raise self.error(f"{key} is not made of numbers ({error})") from error
        if np.isnan(values).any():
            raise self.error(f"{key} is not made of numbers (it holds NaN)")
        return values

    def number(self, key: str) -> int:
        """One number that counts something."""
        count = int(self.numbers(key, np.int64, 1)[0])
        if count < 0:
            raise self.error(f"{key} is negative")
        return count

    def within(self, key: str, values: NDArray[Any], end: int) -> None:
        """All of `values`, which stand under `key`, must be from 0 up to, not including, `end`."""
        if not ((values >= 0) & (values < end)).all():
            raise self.error(f"{key} holds a number outside 0 to {end - 1}")


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, _, value = line.partition("=")
        yield key, value


def _features(header: _Block) -> tuple[str, ...]:
    if not header.has("tree") or header.words("version") != ["v4"]:
        raise header.error("it is not the text of a tree model, version v4")
    if header.number("num_class") != 1 or header.number("num_tree_per_iteration") != 1:
        raise header.error("a model with several classes has no single score")
    if header.has("average_output"):
        raise header.error("a random forest averages its trees, and only sums are served")
    features = tuple(header.words("feature_names"))
    if len(set(features)) != len(features) or len(features) != header.number("max_feature_idx") + 1:
        raise header.error("feature_names are not as many different names as max_feature_idx says")
    return features


def _tree(block: _Block, place: int, n_features: int) -> TreeText:
    if not block.has(str(place)):
        raise block.error("another tree stands in its place")
    leaves = block.number("num_leaves")
    if leaves == 0:
        raise block.error("num_leaves is 0")
    if block.has("is_linear") and block.number("is_linear") != 0:
        raise block.error("its leaves are linear models, and only constant leaves are served")
    nodes = leaves - 1
    tree = TreeText(
        split_feature=block.numbers("split_feature", np.int64, nodes),
        threshold=block.numbers("threshold", np.float64, nodes),
        decision_type=block.numbers("decision_type", np.int64, nodes),
        left_child=block.numbers("left_child", np.int64, nodes),
        right_child=block.numbers("right_child", np.int64, nodes),
        leaf_value=block.numbers("leaf_value", np.float64, leaves),
        internal_value=block.numbers("internal_value", np.float64, nodes),
        categories=_categories(block),
    )
    block.within("split_feature", tree.split_feature, n_features)
    for key, outputs in (("leaf_value", tree.leaf_value), ("internal_value", tree.internal_value)):
        if not np.isfinite(outputs).all():
            raise block.error(f"{key} holds a number that is not finite")
    _check_children(block, tree)
    _check_decisions(block, tree)
    return tree


def _categories(block: _Block) -> tuple[NDArray[np.uint32], ...]:
    count = block.number("num_cat")
    if count == 0:
        return ()
    bounds = block.numbers("cat_boundaries", np.int64, count + 1)
    words = block.numbers("cat_threshold", np.int64)
    block.within("cat_threshold", words, 1 << 32)
    if bounds[0] != 0 or bounds[-1] != len(words) or (np.diff(bounds) < 1).any():
        raise block.error("cat_boundaries do not divide cat_threshold")
    return tuple(words[a:b].astype(np.uint32) for a, b in pairwise(bounds.tolist()))


def _check_children(block: _Block, tree: TreeText) -> None:
    """Every node but the first and every leaf is the child of one earlier node; so there are no cycles."""
    nodes = len(tree.threshold)
    children = np.concatenate((tree.left_child, tree.right_child))
    expected = np.concatenate((np.arange(-nodes - 1, 0), np.arange(1, nodes)))
    parents = np.tile(np.arange(nodes), 2)
    if nodes and not np.array_equal(np.sort(children), expected):
        raise block.error("left_child and right_child do not hold every node and every leaf once")
    if ((children >= 0) & (children <= parents)).any():
        raise block.error("left_child or right_child leads back to an earlier node")


def _check_decisions(block: _Block, tree: TreeText) -> None:
    block.within("decision_type", tree.decision_type, KNOWN_BITS)
    if (tree.decision_type >> 2 == MISSING_UNKNOWN).any():
        raise block.error("decision_type holds an unknown kind of missing values")
    places = tree.threshold[tree.decision_type & CATEGORICAL != 0]
    block.within("threshold", places, len(tree.categories))
    if (places != np.floor(places)).any():
        raise block.error("threshold of a categorical node is not the place of its categories")
