"""What came of a simulated experiment: purchases per list of each arm, with intervals, and what they say."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from demo.arms import BLEND, ORACLE, SINGLES, TRAINED, arm_of
from demo.trial import Tally
from models.evaluation.intervals import Estimate, Resampled, Units, resample

AIM = 7.0
"""Per cent more purchases per list than with the best single recommender: what training is to bring here."""


class Arm(Struct, frozen=True):
    """One arm: its visitors, the lists that they were shown, and what they bought, whatever led to it."""

    name: str
    visitors: int
    lists: int
    purchases: int
    purchases_per_list: Estimate


class Verdict(Struct, frozen=True):
    """The outcome; uplifts are per cent more purchases per list of the trained mix.

    Attributes:
        best_single: the single recommender that did best here. It is chosen by the same figures that it is
            compared by, so the uplift over it is rather too small than too large.
        over_oracle: below 0; how much is still missing to a ranker that knows every visitor's taste.
    """

    arms: tuple[Arm, ...]
    best_single: str
    over_blend: Estimate
    over_best_single: Estimate
    over_oracle: Estimate


def judge(tally: Tally, names: Sequence[str], seed: int) -> Verdict:
    """The outcome of a split among the arms `names`, by the arm that each visitor was in.

    Intervals are of the bootstrap over visitors, since lists of one visitor resemble each other; visitors of
    different arms are different ones, so these are drawn apart.

    Raises:
        ValueError: an arm had no visitor.
    """
    members: dict[str, list[str]] = {name: [] for name in names}
    for visitor_id in tally.lists:
        members[arm_of(visitor_id, names, seed)].append(visitor_id)
    drawn = [_resampled(tally, members[name], seed=place) for place, name in enumerate(names)]
    together = Resampled(
        np.concatenate([one.means for one in drawn]), np.concatenate([one.draws for one in drawn], axis=1)
    )
    arms = tuple(
        _arm(name, tally, members[name], together.estimate(place)) for place, name in enumerate(names)
    )
    per_list = {arm.name: arm.purchases_per_list.mean for arm in arms}
    best_single = max(SINGLES, key=per_list.__getitem__)
    place_of: Mapping[str, int] = {name: place for place, name in enumerate(names)}
    blend, single, oracle = (
        together.uplift(place_of[TRAINED], place_of[other]) for other in (BLEND, best_single, ORACLE)
    )
    return Verdict(arms, best_single, blend, single, oracle)


def _resampled(tally: Tally, members: Sequence[str], seed: int) -> Resampled:
    """Purchases per list of one arm: one column, in which each visitor weighs as many as their lists."""
    lists = np.array([tally.lists[one] for one in members], np.float64)
    purchases = np.array([tally.purchases[one] for one in members], np.float64)
    return resample((purchases / lists)[np.newaxis], Units(np.arange(len(lists)), lists), seed=seed)


def _arm(name: str, tally: Tally, members: Sequence[str], per_list: Estimate) -> Arm:
    lists = sum(tally.lists[one] for one in members)
    return Arm(name, len(members), lists, sum(tally.purchases[one] for one in members), per_list)


def sentence(verdict: Verdict) -> str:
    """The outcome in words, for a person."""
    single, trained = verdict.over_best_single, verdict.over_oracle
    oracle = Estimate(*(100 / (1 + one / 100) - 100 for one in (trained.mean, trained.high, trained.low)))
    aim = "" if single.mean >= AIM else f", less than the {AIM:.0f} % aimed at"
    return (
        f"In this simulation the {TRAINED} sells {_more(verdict.over_blend, f'the {BLEND}')}, and "
        f"{_more(single, f'{verdict.best_single}, the best single recommender')}{aim}; an oracle that knows "
        f"every taste sells {_more(oracle, 'it')}. "
        "Simulated visitors, not real ones: it shows that learning works, not what a shop would gain."
    )


def _more(uplift: Estimate, than: str) -> str:
    unclear = "" if uplift.low > 0 or uplift.high < 0 else ", so perhaps no difference"
    return (
        f"{abs(uplift.mean):.1f} % {'more' if uplift.mean >= 0 else 'less'} per list than {than} "
        f"(95 % interval {uplift.low:.1f} to {uplift.high:.1f} %{unclear})"
    )


def shown(verdict: Verdict) -> RenderableType:
    """The outcome as a table, with its sentence below."""
    visitors, lists = sum(arm.visitors for arm in verdict.arms), sum(arm.lists for arm in verdict.arms)
    title = f"Simulation: {visitors:,} simulated visitors, split at random, with {lists:,} lists"
    table = Table(title=title, title_justify="left")
    table.add_column("ranker", overflow="fold")
    for name in ("purchases", "per 100 lists", "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    for arm in verdict.arms:
        rate = arm.purchases_per_list
        table.add_row(
            Text(arm.name, style="bold" if arm.name == TRAINED else ""),
            f"{arm.purchases:,}",
            f"{100 * rate.mean:.2f}",
            f"{100 * rate.low:.2f} to {100 * rate.high:.2f}",
        )
    return Group(table, Text(sentence(verdict)))
