"""The moment of asking: where the visitor stands in the visit, what time it is, how long a sale is open."""

import math

import numpy as np
from numpy.typing import NDArray

from reco.candidates import Query
from reco.catalogue import OPEN_END
from reco.kernels import FLOAT32_ROWS, INT32S, INT64, INT64S, NOTHING, compiled
from reco.parameters import DAY, HOUR, SECOND
from reco.recommenders.protocol import Actions

BEHIND = 2 * SECOND
"""What is known is up to so far behind the present, ms, as it happens; that is nobody's silence."""


class Moment:
    """The context in which a list is asked for; of others, only how long ago they did anything.

    - `visit_length`, `earlier_visits`: touches in the newest visit, and visits before it.
    - `dwell`, `idle`: seconds between the newest two touches of the visit, and since the newest; NaN without.
    - `pace`: mean seconds between two touches of the visit, likewise.
    - `hour`, `weekday`: of UTC, Monday is 0.
    - `n_sales`: how many sales are scored.
    - `repeats`: touches in the newest visit of a sale that was touched in it before.
    - `silence`: seconds since the newest action of anybody that is known, as far as they are more than
      `BEHIND`; NaN before any. The longer it is, the less is known of what all look at now.
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
        "repeats",
        "silence",
        "sale_age",
        "closes_in",
    )
    compared = frozenset[str]()

    def __init__(self) -> None:
        self._newest = 0

    def learn(self, actions: Actions) -> None:
        """Remember the time of the newest action."""
        self._newest = max(self._newest, int(actions.ts.max(initial=0)))

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """The same for all candidates, but for the times of the sales."""
        ts, length = query.touches.ts, query.visit_length
        rows[0], rows[1] = length, query.earlier_visits
        rows[2] = (ts[0] - ts[1]) / SECOND if length > 1 else math.nan
        rows[3] = max(query.at - ts[0], 0) / SECOND if length else math.nan
        rows[4] = (ts[0] - ts[length - 1]) / (length - 1) / SECOND if length > 1 else math.nan
        rows[5], rows[6] = query.at % DAY / HOUR, (query.at // DAY + 3) % 7
        rows[7] = rows.shape[1]
        rows[8] = length - len(set(query.touched[:length]))
        rows[9] = max(query.at - self._newest - BEHIND, 0) / SECOND if self._newest else math.nan
        live = query.candidates.live
        _times(live.opens_at, live.closes_at, query.candidates.places, query.at, rows[10:])

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Nothing that was learned is about a sale."""


@compiled(NOTHING(INT64S, INT64S, INT32S, INT64, FLOAT32_ROWS))
def _times(
    opens_at: NDArray[np.int64],
    closes_at: NDArray[np.int64],
    places: NDArray[np.int32],
    at: int,
    rows: NDArray[np.float32],
) -> None:
    """Write the rows `sale_age` and `closes_in`."""
    for position in range(len(places)):
        opens, closes = opens_at[places[position]], closes_at[places[position]]
        rows[0, position] = (at - opens) / HOUR if opens > 0 else math.nan
        rows[1, position] = (closes - at) / HOUR if closes < OPEN_END else math.nan
