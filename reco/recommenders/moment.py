"""The moment of asking: where the visitor stands in the visit, what time it is, how long a sale is open."""

import math

import numpy as np
from numpy.typing import NDArray

from reco.candidates import Query
from reco.catalogue import OPEN_END
from reco.parameters import DAY, HOUR, SECOND
from reco.recommenders.protocol import Actions


class Moment:
    """The context in which a list is asked for; nothing of it is learned.

    - `visit_length`, `earlier_visits`: touches in the newest visit, and visits before it.
    - `dwell`, `idle`: seconds between the visitor's newest two touches, and since the newest.
    - `pace`: mean seconds between two touches of the visit.
    - `hour`, `weekday`: of UTC, Monday is 0.
    - `n_sales`: how many sales are scored.
    - `sale_age`, `closes_in`: hours since the sale opened, and until it closes; NaN if it is not known.
    """

    name = "moment"
    features = (
        "visit_length",
        "earlier_visits",
        "dwell",
        "idle",
        "pace",
        "hour",
        "weekday",
        "n_sales",
        "sale_age",
        "closes_in",
    )
    compared = frozenset[str]()

    def learn(self, actions: Actions) -> None:
        """Nothing is learned from others."""

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """The same for all candidates, but for the times of the sales."""
        ts, length = query.touches.ts, query.visit_length
        rows[0], rows[1] = length, query.earlier_visits
        rows[2] = (ts[0] - ts[1]) / SECOND if length > 1 else math.nan
        rows[3] = max(query.at - ts[0], 0) / SECOND if length else math.nan
        rows[4] = (ts[0] - ts[length - 1]) / (length - 1) / SECOND if length > 1 else math.nan
        rows[5], rows[6] = query.at % DAY / HOUR, (query.at // DAY + 3) % 7
        rows[7] = rows.shape[1]
        places, live = query.candidates.places, query.candidates.live
        opens, closes = live.opens_at[places], live.closes_at[places]
        rows[8] = np.where(opens > 0, (query.at - opens) / HOUR, math.nan)
        rows[9] = np.where(closes < OPEN_END, (closes - query.at) / HOUR, math.nan)

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Nothing was learned."""
