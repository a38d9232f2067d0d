"""The fast forest: LightGBM trees, summed over all sales of a list by our own kernel, to the same bits.

No sale walks down a tree. A node that sends a sale to the right rules out the leaves at its left; when all
nodes of a tree have been asked, the sale ends in the leftmost leaf that is left (QuickScorer: Lucchese et
al., SIGIR 2015; for many documents at once: the same, SIGIR 2016). As leaves are bits of words, this is
comparing and masking along rows of sales, without branches or jumps in memory, and it vectorises. A node
that sends all sales of a list to the same side, as with features of the visitor, is asked once for all.
"""

from copy import copy
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models import lightgbm_text
from models.forest_layout import (
    DE_BRUIJN,
    DE_BRUIJN_SHIFT,
    PATHS,
    UINT32S,
    VIEWS,
    WORD,
    WORDS,
    Paths,
    Views,
    Words,
    lay_out,
)
from models.lightgbm_text import ModelText
from reco.kernels import (
    FLOAT32_ROWS,
    FLOAT32S,
    FLOAT64_ROWS,
    FLOAT64S,
    INT32_ROWS,
    INT32S,
    INT64,
    INT64S,
    NOTHING,
    columns,
    compiled,
)

ZERO = np.float32(1e-35)
"""LightGBM takes what is no farther from 0 for 0 (kZeroThreshold)."""
BLOCK = 512
"""Most sales at a time; the prepared values of so many stay in a processor's second cache."""
LANES = 16
"""Sales are padded to a multiple of this many, so that vector registers of any width are filled."""
ALL_LEAVES = np.uint32(0xFFFFFFFF)
LOWER_BITS = np.int32(0x7FFFFFFF)
MULTIPLIER = np.uint32(DE_BRUIJN)


class LeftOver(NamedTuple):
    """What is left to be asked of each sale, once the questions that all sales answer alike are settled.

    Attributes:
        possible: uint32[n_words], the leaves that some sale may reach.
        starts: int64[n_words + 1], where each word's part of `questions` starts.
        questions: int64[...], an even number for each word; what is behind the last start is undefined.
    """

    possible: NDArray[np.uint32]
    starts: NDArray[np.int64]
    questions: NDArray[np.int64]


LEFT_OVER: Final = columns(LeftOver, UINT32S, INT64S, INT64S)


class Forest:
    """A LightGBM model with one output, ready to score; it holds no state and may be shared by threads.

    Attributes:
        features: the names of the rows that it reads.
        trees: how many.
    """

    def __init__(self, model: ModelText) -> None:
        self.features = model.features
        self.trees = len(model.trees)
        self._views, self._words, self._paths = lay_out(model.trees)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The forest in `text`, which `Booster.model_to_string` wrote.

        Raises:
            ReleaseError: if it is malformed, cut off, or of a kind that is no sum of plain trees.
        """
        return cls(lightgbm_text.parse(text))

    def narrowed(self) -> Self:
        """The same trees, which read only the features that they ask about: no bit of any score differs."""
        asked, feature = np.unique(self._views.feature, return_inverse=True)
        narrow = copy(self)
        narrow.features = tuple(self.features[one] for one in asked.tolist())
        narrow._views = self._views._replace(feature=feature.astype(np.int32))  # noqa: SLF001 - of this class
        return narrow

    def raw_scores(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """float64[n_sales] from float32[n_features, n_sales]: the sum of the trees, in their order.

        Equal to LightGBM's `predict(rows.T, raw_score=True)`, bit for bit.
        """
        scores = np.zeros(self._sales(rows))
        for start in range(0, len(scores), BLOCK):
            block = scores[start : start + BLOCK]
            prepared = self._prepared(rows, start, len(block))
            _sum(self._words, prepared, self._left_over(prepared), block)
        return scores

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """float64[n_sales, n_features + 1] from float32[n_features, n_sales]: what each feature added.

        Each split on a sale's path changes the expected output, and its feature is credited with the change
        (Saabas: Interpreting random forests, 2014). The last column holds the expected outputs at the roots;
        a row sums to the raw score.
        """
        credited = np.zeros((self._sales(rows), len(self.features) + 1))
        for start in range(0, len(credited), BLOCK):
            block = credited[start : start + BLOCK]
            prepared = self._prepared(rows, start, len(block))
            _credit(self._paths, self._views.feature, prepared, block)
        return credited

    def _sales(self, rows: NDArray[np.float32]) -> int:
        if len(rows) != len(self.features):
            raise ValueError(f"The forest reads {len(self.features)} features, and was given {len(rows)}")
        return int(rows.shape[1])

    def _prepared(self, rows: NDArray[np.float32], start: int, sales: int) -> NDArray[np.float32]:
        """float32[n_views, padded]: what the nodes see of so many sales."""
        prepared = np.empty((len(self._views.feature), -(-sales // LANES) * LANES), np.float32)
        _prepare(self._views, rows, start, sales, prepared)
        return prepared

    def _left_over(self, prepared: NDArray[np.float32]) -> LeftOver:
        low, high = np.empty((2, len(prepared)), np.float32)
        _ranges(prepared.view(np.int32), low.view(np.int32), high.view(np.int32))
        n_words = len(self._words.starts) - 1
        left_over = LeftOver(
            possible=np.empty(n_words, np.uint32),
            starts=np.empty(n_words + 1, np.int64),
            questions=np.empty(len(self._words.views) + n_words, np.int64),
        )
        _ask_for_all(self._words, low, high, left_over)
        return left_over


@compiled(NOTHING(UINT32S, FLOAT32S, FLOAT32S))
def _sides(words: NDArray[np.uint32], values: NDArray[np.float32], seen: NDArray[np.float32]) -> None:
    """0 for a category that goes left; 1 for any other, for negative numbers and for NaN."""
    for sale in range(len(values)):
        seen[sale] = 1.0
        if -1.0 < values[sale] < len(words) * 32:
            category = int(values[sale])
            if (words[category >> 5] >> (category & 31)) & 1:
                seen[sale] = 0.0


@compiled(NOTHING(VIEWS, FLOAT32_ROWS, INT64, INT64, FLOAT32_ROWS))
def _prepare(
    views: Views, rows: NDArray[np.float32], start: int, sales: int, prepared: NDArray[np.float32]
) -> None:
    """The values of each view, padded with its first, which leaves its range as it is."""
    for view in range(len(views.feature)):
        values, seen = rows[views.feature[view], start : start + sales], prepared[view]
        words = views.categories[views.starts[view] : views.starts[view + 1]]
        if len(words) > 0:
            _sides(words, values, seen)
        else:
            when_nan, when_zero, most = views.when_nan[view], views.when_zero[view], views.most[view]
            for sale in range(sales):
                value = most if values[sale] > most else values[sale]  # noqa: FURB136 - NaN must stay NaN
                value = when_zero if abs(value) <= ZERO else value
                seen[sale] = when_nan if value != value else value  # noqa: PLR0124 - only NaN differs
        seen[sales:] = seen[0]


@compiled(NOTHING(INT32_ROWS, INT32S, INT32S))
def _ranges(prepared: NDArray[np.int32], low: NDArray[np.int32], high: NDArray[np.int32]) -> None:
    """The least and the greatest value of each view; all three arrays are the bits of float32 values.

    With the lower bits of negative ones turned round, the bits of numbers are in the order of the numbers;
    and the least of integers is found in vector registers, which floats without a NaN flag are not.
    """
    for view in range(len(low)):
        least, greatest = np.int32(np.iinfo(np.int32).max), np.int32(np.iinfo(np.int32).min)
        for sale in range(prepared.shape[1]):
            bits = prepared[view, sale]
            turned = np.int32(bits ^ np.int32(np.int32(bits >> 31) & LOWER_BITS))
            least, greatest = min(least, turned), max(greatest, turned)
        low[view] = least ^ ((least >> 31) & LOWER_BITS)
        high[view] = greatest ^ ((greatest >> 31) & LOWER_BITS)


@compiled(NOTHING(WORDS, FLOAT32S, FLOAT32S, LEFT_OVER))
def _ask_for_all(
    words: Words,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    left_over: LeftOver,
) -> None:
    """The leaves of each word that some sale may reach, and the questions that are left.

    Left are those that sales answer differently, unless the leaves at their left are ruled out anyway; an
    even number for each word.
    """
    views, thresholds, lefts, rights = words.views, words.threshold, words.left, words.right
    possible, starts, questions = left_over.possible, left_over.starts, left_over.questions
    count = 0
    for word in range(len(possible)):
        reached = ALL_LEAVES
        starts[word] = count
        for question in range(words.starts[word], words.starts[word + 1]):
            view, threshold = views[question], thresholds[question]
            if low[view] > threshold:
                reached &= ~lefts[question]
            elif high[view] <= threshold:
                reached &= ~rights[question]
            elif reached & lefts[question]:
                questions[count] = question
                count += 1
        if (count - starts[word]) % 2:
            questions[count] = len(views) - 1
            count += 1
        possible[word] = reached
    starts[len(possible)] = count


@compiled(NOTHING(WORDS, FLOAT32_ROWS, LEFT_OVER, FLOAT64S))
def _sum(
    words: Words,
    prepared: NDArray[np.float32],
    left_over: LeftOver,
    scores: NDArray[np.float64],
) -> None:
    """Add each tree's leaf to the scores: ask what is left, two questions at a time, and find the leaf."""
    views, thresholds, lefts, leaf_value = words.views, words.threshold, words.left, words.leaf_value
    possible, starts, questions = left_over.possible, left_over.starts, left_over.questions
    padded = prepared.shape[1]
    survivors, leaf = np.empty(padded, np.uint32), np.zeros(padded, np.int32)
    for tree in range(len(words.trees) - 1):
        for word in range(words.trees[tree], words.trees[tree + 1]):
            if not possible[word]:
                continue
            survivors[:] = possible[word]
            for place in range(starts[word], starts[word + 1], 2):
                one, two = questions[place], questions[place + 1]
                view, threshold, kept = views[one], thresholds[one], ~lefts[one]
                view2, threshold2, kept2 = views[two], thresholds[two], ~lefts[two]
                for sale in range(padded):
                    survivors[sale] &= (kept if prepared[view, sale] > threshold else ALL_LEAVES) & (
                        kept2 if prepared[view2, sale] > threshold2 else ALL_LEAVES
                    )
            for sale in range(padded):
                lowest = np.uint32(survivors[sale] & (~survivors[sale] + np.uint32(1)))
                bit = np.uint32(np.uint32(lowest * MULTIPLIER) >> np.uint32(DE_BRUIJN_SHIFT))
                leaf[sale] = np.int32(bit + np.uint32(word * WORD)) if lowest else leaf[sale]
        for sale in range(len(scores)):
            scores[sale] += leaf_value[leaf[sale]]


@compiled(NOTHING(PATHS, INT32S, FLOAT32_ROWS, FLOAT64_ROWS))
def _credit(
    paths: Paths, feature: NDArray[np.int32], prepared: NDArray[np.float32], credited: NDArray[np.float64]
) -> None:
    """Walk each sale down each tree, all sales while a tree is at hand."""
    for root in paths.roots:
        for sale in range(len(credited)):
            node = root
            credited[sale, -1] += paths.value[root]
            while paths.views[node] >= 0:
                goes_right = prepared[paths.views[node], sale] > paths.threshold[node]
                child = paths.right[node] if goes_right else paths.left[node]
                credited[sale, feature[paths.views[node]]] += paths.value[child] - paths.value[node]
                node = child
