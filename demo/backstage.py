"""What a performance needs behind it: workers, training, and for images their server and labelling."""

from collections.abc import Sequence
from dataclasses import dataclass

from demo.image_process import Urls
from demo.kinds import KINDS, Kind
from demo.labelling import Labelling, State
from demo.ranking import Ranking
from streams.supervisor import Supervisor


@dataclass(frozen=True)
class Backstage:
    """What runs behind a performance.

    Attributes:
        workers: those that a list needs.
        ranking: trains what ranks.
        images: the URLs of images by kind; None if sales have none.
        labelling: None if sales have no images.
        kinds: what sales are about.
    """

    workers: Supervisor
    ranking: Ranking
    images: Urls | None = None
    labelling: Labelling | None = None
    kinds: Sequence[Kind] = KINDS

    @property
    def restarts(self) -> int:
        """How often a worker had to be started again."""
        return self.workers.restarts + (self.labelling.restarts if self.labelling else 0)

    @property
    def labelling_state(self) -> State:
        """What labelling has come to."""
        return self.labelling.state if self.labelling else "off"

    @property
    def trained(self) -> float:
        """How much of the labeller's training is done, 0 to 1."""
        return self.labelling.trained if self.labelling else 0.0
