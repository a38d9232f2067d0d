"""What topics are worth: their names, how they agree with the true classes of photographs, their coherence.

    python -m benchmarks.topics ../shared/images/sun25/split.csv ../shared/weights/backbones.py

The label scores are the probabilities of 365 scenes (Zhou et al.: Places, TPAMI 2018) of a network that knows
nothing of the classes. Topics are fitted to the photographs of the split `train`, everything else is measured
on those of `test`. Agreement is the adjusted mutual information of the class of a photograph and its largest
topic, 0 by chance and 1 at most (Vinh, Epps and Bailey, JMLR 2010). Coherence is that of the strongest labels
of each topic, beside the same labels grouped at random.
"""

import argparse
import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.metrics import adjusted_mutual_info_score

from benchmarks.machine import in_words, machine, run_main, step
from models.labelling.networks import builder
from models.labelling.pictures import decode
from models.labelling.scenes import Scenes, read_scenes
from models.labelling.topics import TopicOptions, Topics, fit_topics, stabilities

SIZE = (224, 224)
"""Height and width that the network takes, in pixels."""
BATCH = 50
"""Photographs in memory at a time."""
REGROUPINGS = 1000
"""Random groupings, whose spread is told beside their mean."""

Score = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Label scores, float32[n, n_classes], of uint8[n, height, width, 3]."""


def network(file: Path, name: str) -> tuple[Score, tuple[str, ...]]:
    """The label scores of the network `name` that the Python file `file` builds, and its labels."""
    given = builder(file)
    model = given.load(name)
    return lambda images: np.asarray(model(images)["labels"], np.float32), tuple(given.labels())


def scores_of(scenes: Scenes, score: Score) -> NDArray[np.float32]:
    """float32[n, n_classes]: the label scores of photographs."""
    batches = [scenes.paths[start : start + BATCH] for start in range(0, len(scenes.paths), BATCH)]
    pictures = (np.stack([decode(path.read_bytes(), SIZE) for path in batch]) for batch in batches)
    return np.concatenate([score(batch) for batch in pictures])


def most_stable(console: Console, scores: NDArray[np.float32], options: TopicOptions) -> int:
    """The number of topics that is most stable, after all of them are printed."""
    stable = stabilities(scores, options)
    told = ", ".join(f"{number} {value:.3f}" for number, value in stable.items())
    console.print(f"Stability of each number of topics: {told}")
    return max(stable, key=lambda number: (stable[number], number))


def table(topics: Topics, shares: NDArray[np.float32], scenes: Scenes) -> Table:
    """Each topic: its share, the photographs that it is the largest of, and their most frequent classes."""
    shown = Table("topic", "share", "photographs", "classes")
    largest = shares.argmax(axis=1)
    for number, name in enumerate(topics.names):
        labels = scenes.labels[largest == number]
        classes = Counter(scenes.classes[label] for label in labels.tolist()).most_common(3)
        share = f"{100 * shares[:, number].mean():.1f} %"
        shown.add_row(name, share, str(len(labels)), ", ".join(f"{one} {count}" for one, count in classes))
    return shown


def label_npmi(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64[n_classes, n_classes]: how often two labels are in one picture, from -1, never, to 1, always.

    This is normalised pointwise mutual information (Bouma, 2009): 0 if they meet as often as by chance. A
    label is in a picture if it is more probable there than 1 / n_classes.
    """
    present = (scores > 1 / scores.shape[1]).astype(np.float64)
    both = present.T @ present / len(scores)
    alone = np.diag(both)
    with np.errstate(divide="ignore", invalid="ignore"):
        npmi = np.log(both / np.outer(alone, alone)) / -np.log(both)
    return np.where(both <= 0, -1.0, np.where(both >= 1, 1.0, npmi))


def coherence(groups: Sequence[Sequence[int]], npmi: NDArray[np.float64]) -> float:
    """How much the labels of a group belong together, from -1 to 1; nan if no group has two.

    This is the mean of `npmi` over pairs of labels, of which people think alike (Lau, Newman and Baldwin:
    Machine reading tea leaves, EACL 2014), and then over groups. Take it on other pictures than the topics
    were fitted on, and compare it with that of the same labels `regrouped`.
    """
    pairs = [list(combinations(sorted(set(group)), 2)) for group in groups]
    means = [np.mean([npmi[pair] for pair in within]) for within in pairs if within]
    return float(np.mean(means)) if means else math.nan


def regrouped(groups: Sequence[Sequence[int]], rng: np.random.Generator) -> list[list[int]]:
    """The same labels, in groups of the same sizes, put together by chance."""
    labels = rng.permutation([label for group in groups for label in group])
    ends = np.cumsum([len(group) for group in groups])
    return [part.tolist() for part in np.split(labels, ends[:-1])]


def compare_coherence(console: Console, groups: Sequence[Sequence[int]], scores: NDArray[np.float32]) -> None:
    """Print the coherence of groups of labels, and of the same labels in random groups."""
    npmi, rng = label_npmi(scores), np.random.default_rng(0)
    random = np.array([coherence(regrouped(groups, rng), npmi) for _ in range(REGROUPINGS)])
    console.print(f"Coherence (NPMI, -1 to 1): {coherence(groups, npmi):.3f}; random grouping:", end=" ")
    console.print(f"{random.mean():.3f} (at most {random.max():.3f} of {REGROUPINGS})")


def main() -> None:
    """Score, fit, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenes", type=Path, help="labelled photographs with the splits train and test")
    parser.add_argument("builder", type=Path, help="Python file with load(name) and labels()")
    parser.add_argument("--network", default="squeezenet_places365")
    parser.add_argument("--numbers", type=int, nargs="+", default=TopicOptions().numbers)
    given = parser.parse_args()
    console = Console()
    train, test = (read_scenes(given.scenes, split) for split in ("train", "test"))
    score, labels = network(given.builder, given.network)
    step(f"looking at {len(train.paths) + len(test.paths):,} photographs")
    known, unseen = scores_of(train, score), scores_of(test, score)
    step("fitting topics")
    number = most_stable(console, known, TopicOptions(tuple(given.numbers)))
    topics = fit_topics(known, labels, TopicOptions((number,)))
    shares = topics.shares(unseen)
    console.print(table(topics, shares, test))
    agreement = adjusted_mutual_info_score(test.labels, shares.argmax(axis=1))
    console.print(f"Agreement of the largest topic with {len(test.classes)} classes: {agreement:.3f}")
    step("grouping labels at random, and fitting topics to other photographs")
    compare_coherence(console, topics.strongest(), unseen)
    again = fit_topics(unseen, labels, TopicOptions((number,))).matched(topics)
    kept = len(set(again.ids) & set(topics.ids))
    console.print(f"Fitted to other photographs, {kept} of {len(topics.ids)} topics are the same.")
    photographs = {"photographs": given.scenes, "fitted to": len(train.paths), "judged on": len(test.paths)}
    console.print(in_words(photographs | {"network": given.network} | machine()))


if __name__ == "__main__":
    run_main(main)
