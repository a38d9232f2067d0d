"""The topic profile of a visitor: which topics the images show of what they touched ("Beach 46 %")."""

from typing import Final

import numpy as np

from reco.candidates import candidates_of, touched_by, touches_of
from reco.catalogue import Catalogue
from reco.content import TASTE_HALF_LIFE, taste
from reco.label_book import LabelBook
from reco.sessions import Session

_NO_CANDIDATES: Final = candidates_of(Catalogue(partitions=0).live(at=0), {}, 0)


def topic_profile(session: Session | None, labels: LabelBook) -> list[tuple[str, float]]:
    """The share of each topic in what the visitor of `session` touched, highest first, ties by name.

    Each touch weighs as in the feature `profile` of `reco.recommenders.similarity`. Topics without a share
    are left out; the others sum to 1. There are none if none of the touched sales is labelled.
    """
    version, touches = labels.in_use, touches_of(session, _NO_CANDIDATES)
    names = () if version is None else version.topics
    total = np.zeros(len(names))
    weights = taste(touches.ts, touches.counts, TASTE_HALF_LIFE)
    for sale_id, weight in zip(touched_by(session), weights.tolist(), strict=True):
        seen = labels.seen(sale_id)
        if seen is not None and seen.shares is not None:
            total += weight * seen.shares
    shares = zip(names, (total / total.sum()).tolist() if total.any() else total.tolist(), strict=True)
    return sorted(((name, share) for name, share in shares if share > 0), key=lambda one: (-one[1], one[0]))
