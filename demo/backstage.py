"""What a performance needs behind it: worker processes, and for images their server and labelling."""

from dataclasses import dataclass

from demo.image_process import Urls
from demo.labelling import Labelling, State
from streams.supervisor import Supervisor


@dataclass(frozen=True)
class Backstage:
    """What runs behind a performance.

    Attributes:
        workers: those that a list needs.
        images: the URLs of images by kind; None if sales have none.
        labelling: None if sales have no images.
    """

    workers: Supervisor
    images: Urls | None = None
    labelling: Labelling | None = None

    @property
    def restarts(self) -> int:
        """How often a worker had to be started again."""
        return self.workers.restarts + (self.labelling.restarts if self.labelling else 0)

    @property
    def labelling_state(self) -> State:
        """What labelling has come to."""
        return self.labelling.state if self.labelling else "off"
