"""The rules of a list, written down once more, so that the pipeline is not its own judge."""

import math
from collections.abc import Iterator
from itertools import pairwise

from reco.catalogue import Catalogue
from reco.events import Sale
from reco.lists import LIST_LENGTH, TopTen, list_id
from reco.policy import COUNTRY, UNRESTRICTED, Rules


def broken_rules(newest: TopTen, catalogue: Catalogue, rules: Rules = UNRESTRICTED) -> Iterator[str]:
    """What is wrong with a list, by the catalogue and the rules that made it; nothing for a right one."""
    live = catalogue.live(newest.at)
    ids = [one.sale_id for one in newest.sales]
    excluded = [sale_id for sale_id in live.ids if _is_excluded(catalogue.sale(sale_id), rules)]
    expected = min(LIST_LENGTH, len(live.ids) - len(excluded))
    if len(ids) != expected:
        yield f"it holds {len(ids)} sales, not {expected} of the {len(live.ids)} open ones"
    if len(set(ids)) != len(ids):
        yield "it holds a sale twice"
    for sale_id in ids:
        if sale_id not in live.position:
            yield f"{sale_id} is not open"
        if sale_id in excluded:
            yield f"{sale_id} is excluded"
    yield from _scores(newest)
    if not (rules.caps or rules.diversity):
        yield from _order(newest)
    yield from _holds_until(newest, catalogue)
    if newest.list_id != list_id(newest.made_from, newest.at):
        yield "its id does not follow from what it was made from"
    if newest.made_from.rules != rules.digest():
        yield f"it was cut by the rules {newest.made_from.rules!r}, not by {rules.digest()!r}"


def _is_excluded(sale: Sale | None, rules: Rules) -> bool:
    if sale is None:
        return False
    tags = {*sale.tags, f"{COUNTRY}:{sale.country}"}
    return sale.sale_id in rules.excluded_sales or not tags.isdisjoint(rules.excluded_tags)


def _scores(newest: TopTen) -> Iterator[str]:
    for one in newest.sales:
        if not math.isfinite(one.score):
            yield f"the score of {one.sale_id} is {one.score}"


def _order(newest: TopTen) -> Iterator[str]:
    for better, worse in pairwise(newest.sales):
        if (-better.score, better.sale_id) > (-worse.score, worse.sale_id):
            yield f"{better.sale_id} stands before {worse.sale_id}"


def _holds_until(newest: TopTen, catalogue: Catalogue) -> Iterator[str]:
    """A list holds no longer than its sales are open, and no longer than until another sale opens."""
    listed = (catalogue.sale(one.sale_id) for one in newest.sales)
    closings = [sale.closes_at for sale in listed if sale is not None and sale.closes_at is not None]
    openings = [sale.opens_at for sale in catalogue.sales() if sale.opens_at > newest.at]
    limit = min((*closings, *openings), default=None)
    if newest.holds_until is not None and newest.holds_until <= newest.at:
        yield "it does not hold at its own moment"
    if limit is not None and (newest.holds_until is None or newest.holds_until > limit):
        yield f"it claims to hold until {newest.holds_until}, but a sale closes or opens at {limit}"
