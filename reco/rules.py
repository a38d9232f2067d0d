"""The rules that a ranking must obey before a list is cut from it."""

import numpy as np
from numpy.typing import NDArray

from reco.candidates import Touches
from reco.recommenders.protocol import PURCHASE


def bought(touches: Touches) -> NDArray[np.int32]:
    """Positions of the candidates that the visitor has bought, in the visit or as far as is remembered."""
    return touches.positions[(touches.counts[:, PURCHASE] > 0) & (touches.positions >= 0)]


def obey(scores: NDArray[np.float32], touches: Touches) -> NDArray[np.float64]:
    """float64[n_sales]: the scores by which a list is cut.

    A score that is not finite sinks to the lowest finite one. Bought sales sink below all others, by at
    least 1: they fill up a list only if there are not ten others.
    """
    settled = scores.astype(np.float64)
    finite = np.isfinite(settled)
    lowest = float(settled.min(where=finite, initial=np.inf))
    lowest = lowest if np.isfinite(lowest) else 0.0
    settled[~finite] = lowest
    settled[bought(touches)] = lowest - 1.0 - abs(lowest)
    return settled
