"""Small results of an evaluation, made by hand or drawn, for the tests of results, plots and reports."""

import numpy as np

from models.evaluation.results import About, Calibration, Kind, Metric, Results, Scorer

SCORERS: tuple[tuple[str, Kind], ...] = (
    ("popularity", "baseline"),
    ("kin.share", "recommender"),
    ("kin.rank", "recommender"),
    ("carted <first> & $new$", "rule"),
    ("logistic regression", "challenger"),
    ("meta-model", "ranker"),
)


def about(scorers: tuple[tuple[str, Kind], ...] = SCORERS) -> About:
    return About(
        protocol="hourly",
        asked="the last click of a session",
        data_set="shop <north>",
        metrics=(Metric("NDCG", 20), Metric("HR", 20)),
        scorers=tuple(Scorer(name, kind) for name, kind in scorers),
        slices=("carted", "never touched"),
        parameters={"sessions cut to": 20, "half-life": 0.5, "strict": True, "note": None},
        training={"trees": 150},
        made={"cpu": "a fast one", "commit": "abc123"},
        command="uv run tenfold evaluate 'shop <north>'",
        importance=(("kin.share", 0.5), ("kin.rank", 0.3), ("popularity", 0.2)),
        published={"XLNet": {"NDCG@20": 0.3675, "HR@20": 0.6721}, "STAN": {"HR@20": 0.6681}},
    )


def by_hand(ranks: list[list[int]], kinds: list[Kind], **arrays: np.ndarray) -> Results:
    """Results of scorers of `kinds`, named by number, each question a cluster of its own."""
    scorers = tuple((f"scorer {number}", kind) for number, kind in enumerate(kinds))
    given: dict[str, np.ndarray] = {"clusters": np.arange(len(ranks[0]))} | arrays
    return Results(about=about(scorers), ranks=np.array(ranks, np.int32), **given)  # type: ignore[arg-type]


def drawn(questions: int = 600, *, windows: bool = True, times: bool = True) -> Results:
    """Results in which later scorers are better, and questions of a cluster are alike."""
    random = np.random.default_rng(7)
    clusters = np.sort(random.integers(0, questions // 3 + 1, questions))
    ease = random.normal(size=clusters.max() + 1)[clusters]
    luck = random.normal(size=(len(SCORERS), questions)) + ease
    ranks = np.ceil(np.exp(3.5 - 0.6 * np.arange(len(SCORERS))[:, None] + luck)).astype(np.int32)
    probabilities = random.beta(1, 20, 500).astype(np.float32)
    labels = random.random(500) < probabilities
    return Results(
        about=about(),
        ranks=ranks,
        clusters=clusters.astype(np.int64),
        windows=(np.arange(questions) // 50).astype(np.int32) if windows else None,
        slices=(np.arange(questions) % 2).astype(np.int8),
        times=1_507_200_000_000 + 60_000 * np.arange(questions) if times else None,
        calibration=Calibration(probabilities, labels),
    )
