"""The rules of lists once more, sale by sale with dictionaries: what the arrays must equal."""

import math

from reco.diversity import POOL
from reco.events import Sale
from reco.exploration import _lots
from reco.lists import LIST_LENGTH
from reco.policy import Rules
from reco.rules import WITHOUT_SCORE
from tests.reco.shops import Shop


def plain_choice(shop: Shop, rules: Rules, list_id: str) -> list[tuple[str, float, float]]:
    """Ids, scores and propensities of the list."""
    scores = settled(shop)
    allowed = [
        one
        for one in shop.sales
        if one.sale_id not in rules.excluded_sales and not traits(one) & set(rules.excluded_tags)
    ]
    ranked = sorted(allowed, key=lambda one: (-scores[one.sale_id], one.sale_id))
    fresh = [one for one in ranked if one.sale_id not in shop.bought]
    listed = diverse(fresh[:POOL], scores, rules) if rules.diversity else []
    for one in fresh:
        if len(listed) < LIST_LENGTH and one not in listed and has_room(one, listed, rules):
            listed.append(one)
    propensity = 1.0
    if len(listed) < LIST_LENGTH:
        listed += [one for one in ranked if one not in listed][: LIST_LENGTH - len(listed)]
    elif rules.exploration:
        first = listed[:-1]
        others = [one for one in fresh if one not in listed and has_room(one, first, rules)]
        whether, which = _lots(list_id)
        if others and whether / 2**64 < rules.exploration:
            listed[-1], propensity = others[which * len(others) >> 64], rules.exploration / len(others)
        elif others:
            propensity = 1 - rules.exploration
    return [(one.sale_id, scores[one.sale_id], propensity if one is listed[-1] else 1.0) for one in listed]


def settled(shop: Shop) -> dict[str, float]:
    """The scores, once those that are not finite or not there have sunk, and the bought ones deeper."""
    finite = [score for score in shop.scores if score is not None and math.isfinite(score)]
    lowest = min(finite, default=0.0)
    if finite and None in shop.scores:
        lowest -= WITHOUT_SCORE * (1.0 + abs(lowest))
    scores = {}
    for one, score in zip(shop.sales, shop.scores, strict=True):
        scores[one.sale_id] = score if score is not None and math.isfinite(score) else lowest
        if one.sale_id in shop.bought:
            scores[one.sale_id] = lowest - 1 - abs(lowest)
    return scores


def traits(one: Sale) -> set[str]:
    """The tags of a sale, and its country as one of them."""
    return {*one.tags, f"country:{one.country}"} if one.country else set(one.tags)


def has_room(one: Sale, listed: list[Sale], rules: Rules) -> bool:
    """Whether the caps let a sale join those that are listed."""
    return all(
        sum(trait in traits(other) for other in listed) < cap
        for name, cap in rules.caps.items()
        for trait in traits(one)
        if trait.startswith("country:" if name == "country" else name)
    )


def diverse(pool: list[Sale], scores: dict[str, float], rules: Rules) -> list[Sale]:
    """Maximal marginal relevance, by its formula."""
    if not pool:
        return []
    best, worst = scores[pool[0].sale_id], scores[pool[-1].sale_id]
    listed: list[Sale] = []

    def worth(one: Sale) -> float:
        relevance = (scores[one.sale_id] - worst) / (best - worst) if best > worst else 0.0
        nearest = max((jaccard(traits(one), traits(other)) for other in listed), default=0.0)
        return (1 - rules.diversity) * relevance - rules.diversity * nearest

    while len(listed) < LIST_LENGTH:
        free = [one for one in pool if one not in listed and has_room(one, listed, rules)]
        if not free:
            break
        listed.append(max(free, key=worth))
    return listed


def jaccard(some: set[str], others: set[str]) -> float:
    """The share that two sets have in common."""
    return len(some & others) / len(some | others) if some | others else 0.0
