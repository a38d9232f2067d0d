"""What the text of a sale is about, as a vector: TF-IDF of words and pairs of words, in a few dimensions.

This is latent semantic analysis (Deerwester, Dumais, Furnas, Landauer, Harshman: Indexing by Latent Semantic
Analysis, JASIS 1990). It is fitted with scikit-learn, and applied without it: a worker that scores never
imports it, and the same text has the same vector, bit for bit, on every machine.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from reco.errors import ReleaseError
from reco.events import Sale

FILE = "text.msgpack"
"""The file of a text model in a release."""
MAX_TERMS = 20_000
"""Words and pairs of words that a model knows, those that occur most often."""
MIN_TEXTS = 2
"""Texts that a term must occur in; one that occurs in a single text makes nothing alike."""
MAX_COUNT = 1000
"""A term that occurs more often in a text counts as often as this."""
LEAST_KNOWN = 0.01
"""The part of a text, by length, that must lie in the dimensions of the model; less of it is noise."""
LEAST_SPREAD = 1e-5
"""How far texts must spread along a dimension, relative to the first one, for it to be one."""
SEEDS = 2**32
"""So many seeds scikit-learn knows; a larger one is taken modulo them."""
LARGEST = 1e6
"""No weight of a model that was fitted comes near; keeps sums finite."""

_INDIC = "\u0900-\u0963\u0966-\u0dff"
"""Scripts whose vowel signs are no letters to `re`, without their full stops."""
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer
    "\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Japanese and Chinese
)
"""Scripts that put no space between words."""
_WORD = re.compile(rf"(?:(?![{_UNSPACED}])[\w{_INDIC}]){{2,}}|(?=([{_UNSPACED}]{{2}}))")
_AGAIN = "train the release again"


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="format", tag="text-2"):
    """A text model as it stands in its file; arrays are little-endian, row by row."""

    terms: tuple[str, ...]
    count_weights: bytes
    term_weights: bytes
    components: bytes
    dimensions: int


@dataclass(frozen=True, eq=False)
class TextModel:
    """Terms, what each weighs, and where it points.

    Attributes:
        terms: words, and pairs of words with a space between them; lower case, all different.
        count_weights: float64[MAX_COUNT], 1 + ln(1), 1 + ln(2) ...: what a term weighs that occurs so often;
            kept because the last bit of a logarithm depends on the machine.
        term_weights: float64[n_terms], the inverse document frequency of each term.
        components: float32[n_terms, n_dimensions], where each term points.
    """

    terms: tuple[str, ...]
    count_weights: NDArray[np.float64]
    term_weights: NDArray[np.float64]
    components: NDArray[np.float32]

    @classmethod
    def fit(cls, texts: Sequence[str], components: int = 64, seed: int = 0) -> "TextModel":
        """A model of at most so many dimensions; fewer, if the texts do not spread along so many.

        Raises:
            ValueError: fewer than two words occur in `MIN_TEXTS` of the texts.
        """
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        tfidf = TfidfVectorizer(
            tokenizer=words_of,
            token_pattern=None,
            sublinear_tf=True,
            ngram_range=(1, 2),
            min_df=MIN_TEXTS,
            max_features=MAX_TERMS,
        )
        try:
            weights = tfidf.fit_transform(texts)
            svd = TruncatedSVD(min(components, *weights.shape), random_state=seed % SEEDS)
            with np.errstate(all="ignore"):  # texts that are all the same have no variance to explain
                svd.fit(weights)
        except ValueError as error:
            message = (
                f"too few words occur in {MIN_TEXTS} of {len(texts)} texts; fit on more of them: {error}"
            )
            raise ValueError(message) from error
        kept = svd.singular_values_ > LEAST_SPREAD * svd.singular_values_[0]
        return cls(
            terms=tuple(tfidf.get_feature_names_out().tolist()),
            count_weights=1.0 + np.log(np.arange(1, MAX_COUNT + 1)),
            term_weights=np.ascontiguousarray(tfidf.idf_, np.float64),
            components=np.ascontiguousarray(svd.components_[kept].T, np.float32),
        )

    @classmethod
    def from_bytes(cls, value: bytes) -> "TextModel":
        """The model that `to_bytes` stored.

        Raises:
            ReleaseError: the bytes are no such model, or a broken one.
        """
        try:
            stored = msgspec.msgpack.decode(value, type=_Stored)
            return _checked(cls(stored.terms, *_arrays(stored)))
        except (msgspec.DecodeError, ValueError) as error:
            raise ReleaseError(f"is no text model that can be read: {error}; {_AGAIN}") from error

    def to_bytes(self) -> bytes:
        """The model as bytes, the same for the same model."""
        return msgspec.msgpack.encode(
            _Stored(
                terms=self.terms,
                count_weights=self.count_weights.astype("<f8").tobytes(),
                term_weights=self.term_weights.astype("<f8").tobytes(),
                components=self.components.astype("<f4").tobytes(),
                dimensions=self.components.shape[1],
            )
        )

    def vector(self, text: str) -> NDArray[np.float32] | None:
        """float32[n_dimensions] of length 1: what the text is about; None if it has no word that says so."""
        total, square = np.zeros(self.components.shape[1]), 0.0
        for term, count in sorted(self._counts(text).items()):
            weight = self.count_weights[min(count, MAX_COUNT) - 1] * self.term_weights[term]
            square += weight * weight
            total += weight * self.components[term]
        length = math.sqrt(math.fsum((total * total).tolist()))
        if not length > LEAST_KNOWN * math.sqrt(square):
            return None
        return (total / length).astype(np.float32)

    def _counts(self, text: str) -> Counter[int]:
        """How often each known term, by number, occurs in the text."""
        return Counter(self._numbers[term] for term in _terms(text) if term in self._numbers)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {term: number for number, term in enumerate(self.terms)}


def text_of(sale: Sale) -> str:
    """All that a sale says in words: title, description, country and tags.

    An accented letter is one character in it: written as two, as some systems do, it would end a word.
    """
    said = "\n".join((sale.title, sale.description, sale.country or "", *sale.tags))
    return unicodedata.normalize("NFC", said)


def words_of(text: str) -> list[str]:
    """The words of two letters or more in a lower-case text.

    Where a script puts no space between words, they are all pairs of letters that follow each other, as in
    Lucene's CJKBigramFilter: a clause as a whole would never occur again.
    """
    return [word[1] or word[0] for word in _WORD.finditer(text)]


def _terms(text: str) -> list[str]:
    """The words of a text, and the pairs of words that follow each other."""
    words = words_of(text.lower())
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def _arrays(stored: _Stored) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
    """The arrays of a stored model.

    Raises:
        ValueError: they do not have the size that belongs to its terms.
    """
    if not 0 < stored.dimensions <= len(stored.terms) <= MAX_TERMS:
        raise ValueError(f"it has {stored.dimensions} dimensions of {len(stored.terms)} terms")
    counts, weights = np.frombuffer(stored.count_weights, "<f8"), np.frombuffer(stored.term_weights, "<f8")
    components = np.frombuffer(stored.components, "<f4").reshape(len(stored.terms), stored.dimensions)
    return counts.astype(np.float64), weights.astype(np.float64), components.astype(np.float32)


def _checked(model: TextModel) -> TextModel:
    """The model, if it can be applied.

    Raises:
        ValueError: it cannot.
    """
    if len(set(model.terms)) < len(model.terms):
        raise ValueError("terms: one occurs twice")
    if len(model.count_weights) != MAX_COUNT or len(model.term_weights) != len(model.terms):
        raise ValueError("count_weights, term_weights: are too many or too few")
    for name in ("count_weights", "term_weights", "components"):
        if not (np.abs(getattr(model, name)) <= LARGEST).all():
            raise ValueError(f"{name}: are not all finite, or too large")
    return model
