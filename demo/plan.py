"""What happens in a demo: how many visitors come, how fast they click, and for how long."""

from msgspec import Struct

from models.labelling.networks import Network


class Plan(Struct, frozen=True):
    """The plan of a demo.

    Attributes:
        seconds: how long visitors click; None until they are told to stop.
        visitors: how many there are.
        rate: events per second of all of them together.
        seed: the same one gives the same sales and visitors.
        images: whether sales have images, and a labelling worker looks at them.
        photographs: labelled scenes that the images are of; None for postcards that the demo draws.
        networks: what looks at them, side by side; without any, a small one that is trained on postcards.
    """

    seconds: float | None
    visitors: int
    rate: float
    seed: int
    images: bool = True
    photographs: str | None = None
    networks: tuple[Network, ...] = ()
