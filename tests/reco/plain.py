"""The recommenders once more, one event at a time with dictionaries: what the kernels must equal."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from reco import decay
from reco.events import Action, Cart, Click, Purchase, Sale
from reco.parameters import PopularityParameters
from reco.recommenders import popularity, revisits, segments
from reco.sessions import VISIT_SILENCE, Session
from reco.visits import OWNED, TRAIL

HOUR = 3_600_000
COUNTED_KINDS: Mapping[str, type[Action]] = {
    "clicks": Click,
    "onward": Click,
    "carts": Cart,
    "purchases": Purchase,
}
"""Which actions count, by the first word of the name of a count."""
Scores = dict[str, list[float]]
"""One number per sale, by feature."""


class Step(NamedTuple):
    """An action, and where it stands in the visits of its visitor; see `reco.recommenders.protocol`."""

    action: Action
    visit: int
    companions: list[str]
    owned: list[str]
    repeated: bool


class PlainVisits:
    """The last distinct sales of each visitor's running visit, and those bought before."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._trails: dict[str, list[str]] = {}
        self._owned: dict[str, list[str]] = {}
        self._visits = 0

    def follow(self, action: Action) -> Step:
        """Where this action stands."""
        visitor, sale, newest = action.visitor_id, action.sale_id, self._newest.get(action.visitor_id)
        if newest is None or action.ts > newest + VISIT_SILENCE:
            newest, self._trails[visitor] = action.ts, []
            self._visits += 1
            self._numbers[visitor] = self._visits
        elif action.ts < newest - VISIT_SILENCE:
            return Step(action, 0, [], [], repeated=False)
        self._newest[visitor] = max(newest, action.ts)
        trail = self._trails[visitor]
        others = [one for one in trail if one != sale]
        self._trails[visitor] = [sale, *others][:TRAIL]
        owned = [one for one in self._owned.get(visitor, []) if one != sale]
        if isinstance(action, Purchase):
            self._owned[visitor] = [sale, *owned][:OWNED]
        return Step(action, self._numbers[visitor], others, owned, sale in trail)


def steps_of(log: Sequence[Action]) -> list[Step]:
    """Where each action of a log stands."""
    followed = PlainVisits()
    return [followed.follow(action) for action in log]


def relative(ts: int, to: int, half_life: int) -> float:
    """What time `ts` weighs relative to another."""
    (exponent, factor), (to_exponent, to_factor) = decay.weight(ts, half_life), decay.weight(to, half_life)
    return math.ldexp(factor, exponent - to_exponent) / to_factor


def plain_popularity(
    parameters: PopularityParameters, steps: Sequence[Step], ids: Sequence[str], at: int, opened: int = 0
) -> Scores:
    """All actions added up by the formula, as of the newest on any of the sales; `at` is not before it.

    All sales have been open since `opened`.
    """
    known = [step for step in steps if step.action.sale_id in set(ids)]
    newest = max((step.action.ts for step in known), default=0)
    assert newest <= at
    scores: Scores = {}
    for name in popularity.COUNTED:
        what, _, half_life = name.partition("_")
        wanted = [
            step.action
            for step in known
            if type(step.action) is COUNTED_KINDS[what]
            and (what != "onward" or (step.companions and not step.repeated))
        ]
        scores[name] = [
            math.fsum(
                relative(one.ts, newest, getattr(parameters, half_life))
                for one in wanted
                if one.sale_id == sale
            )
            for sale in ids
        ]
    for name, (wanted_count, clicks) in popularity.RATES.items():
        scores[name] = _rate(scores[wanted_count], scores[clicks])
    for faster, slower in pairwise(("now", "recent", "today", "lasting")):
        prior = 1 / getattr(parameters, slower)
        scores[f"trend_{faster}"] = [
            (quick / getattr(parameters, faster) + prior) / (slow * prior + prior)
            for quick, slow in zip(scores[f"clicks_{faster}"], scores[f"clicks_{slower}"], strict=True)
        ]
    times = [[step.action.ts for step in known if step.action.sale_id == sale] for sale in ids]
    first = [max(min(own), min(opened, newest)) if own else math.nan for own in times]
    scores["age"] = [(newest - one) / HOUR for one in first]
    scores["idle"] = [(newest - max(own)) / HOUR if own else math.nan for own in times]
    return scores


def _rate(wanted: Sequence[float], clicks: Sequence[float]) -> list[float]:
    prior = popularity.PRIOR_CLICKS
    average = min(sum(wanted) / sum(clicks), 1.0) if sum(clicks) > popularity.LEAST_CLICKS else 0.0
    return [(count + prior * average) / (of + prior) for count, of in zip(wanted, clicks, strict=True)]


def plain_segments(
    names: Sequence[str],
    parameters: PopularityParameters,
    log: Sequence[Action],
    context: Mapping[str, str],
    ids: Sequence[str],
) -> Scores:
    """Counts, rates and lifts within each segment, by the formula, as of the newest action."""
    everyone = _counts(parameters, log, log, ids)["clicks_segments"]
    scores: Scores = {}
    for place, name in zip(("first", "second", "third"), names, strict=True):
        value = context.get(name)
        own = [one for one in log if value is not None and one.context.get(name) == value]
        counts = _counts(parameters, own, log, ids)
        said = {
            "clicks": counts["clicks_segments"],
            "clicks_today": counts["clicks_today"],
            "bought_today": counts["purchases_today"],
            "bought_lasting": counts["purchases_lasting"],
            "conversion_today": _rate(counts["purchases_today"], counts["clicks_today"]),
            "conversion": _rate(counts["purchases_lasting"], counts["clicks_lasting"]),
            "lift": _lifts(counts["clicks_segments"], everyone),
        }
        scores |= {f"{place}_{what}": row for what, row in said.items()}
    return scores


def _lifts(own: Sequence[float], everyone: Sequence[float]) -> list[float]:
    if min(sum(own), sum(everyone)) <= popularity.LEAST_CLICKS:
        return [math.nan] * len(own)
    prior, usual = segments.PRIOR_CLICKS, [count / sum(everyone) for count in everyone]
    return [
        (count + prior * share) / (share * sum(own) + prior * share)
        if share > segments.LEAST_SHARE
        else math.nan
        for count, share in zip(own, usual, strict=True)
    ]


def _counts(
    parameters: PopularityParameters, own: Sequence[Action], log: Sequence[Action], ids: Sequence[str]
) -> Scores:
    newest = max((action.ts for action in log), default=0)
    counts: Scores = {}
    for name in segments.COUNTED:
        what, _, half_life = name.partition("_")
        counts[name] = [
            math.fsum(
                relative(one.ts, newest, getattr(parameters, half_life))
                for one in own
                if one.sale_id == sale and type(one) is COUNTED_KINDS[what]
            )
            for sale in ids
        ]
    return counts


def plain_revisits(session: Session, half_life: int, ids: Sequence[str], at: int) -> Scores:
    """The visitor's own touches, by the formula."""
    touches = [
        (one.sale_id, one.ts, one.kind == "click", one.kind == "cart", one.kind == "purchase")
        for one in reversed(session.recent)
    ] + [(old.sale_id, old.last_ts, old.clicks, old.carts, old.purchases) for old in session.memory]
    newest = max(ts for _, ts, *_ in touches)
    click, cart = revisits.KIND_WEIGHTS.tolist()
    scores: Scores = {name: [] for name in revisits.Revisits.features}
    for sale in ids:
        own = [touch for touch in touches if touch[0] == sale]
        decayed = math.fsum(
            (clicks * click + carts * cart) * decay.left(newest - ts, half_life)
            for _, ts, clicks, carts, _ in own
        )
        scores["decayed"].append(0.0 if any(bought for *_, bought in own) else decayed)
        for name, column in (("clicks", 2), ("carts", 3), ("purchases", 4)):
            scores[name].append(float(sum(int(touch[column]) for touch in own)))
        scores["this_visit"].append(float(sum(touch.sale_id == sale for touch in session.visit())))
        newest_first = list(dict.fromkeys(one for one, *_ in touches))
        scores["hours_ago"].append(max(at - own[0][1], 0) / HOUR if own else math.nan)
        scores["sales_ago"].append(float(newest_first.index(sale)) if own else math.nan)
    return scores


def plain_moment(
    session: Session | None, sales: Sequence[Sale], at: int, others: Sequence[Action] = ()
) -> Scores:
    """The context of a list for these sales, which have been published; `others` is what anybody did."""
    visit = session.visit() if session else ()
    moment = datetime.fromtimestamp(at / 1000, UTC)
    gaps = [(later.ts - earlier.ts) / 1000 for earlier, later in pairwise(visit)]
    everywhere = {
        "visit_length": float(len(visit)),
        "earlier_visits": float(session.visits() - 1 if session else 0),
        "dwell": gaps[-1] if gaps else math.nan,
        "idle": max(at - visit[-1].ts, 0) / 1000 if visit else math.nan,
        "pace": math.fsum(gaps) / len(gaps) if gaps else math.nan,
        "hour": moment.hour + moment.minute / 60 + moment.second / 3600 + moment.microsecond / 3.6e9,
        "weekday": float(moment.weekday()),
        "n_sales": float(len(sales)),
        "repeats": float(len(visit) - len({touch.sale_id for touch in visit})),
        "silence": max(at - max(one.ts for one in others) - 2000, 0) / 1000 if others else math.nan,
    }
    scores = {name: [value] * len(sales) for name, value in everywhere.items()}
    scores["sale_age"] = [(at - sale.opens_at) / HOUR for sale in sales]
    scores["closes_in"] = [
        math.nan if sale.closes_at is None else (sale.closes_at - at) / HOUR for sale in sales
    ]
    return scores
