"""A simulated experiment: the first hours, what is trained on them, and then a randomised split."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from demo.arms import RankerFor, arm_of
from demo.catalogue import TURNOVER_EVERY, TURNOVERS, DemoSale, travel_catalogue
from demo.visitors import LOOKS, Crowd
from demo.world import World
from models.blend import Blend
from models.event_table import table_of
from models.progress import Progress
from models.release_training import Plan, train_release
from models.releases import Release, Training
from models.text import FILE, TextModel
from models.training import Boosting
from reco.events import Event, Impression, Purchase
from reco.lists import TopTen
from reco.parameters import Parameters
from reco.policy import Rules

START: Final = 1_800_000_000_000
"""When simulated time begins, ms since the epoch, UTC; a constant, so that a trial can be repeated."""
EVERY: Final = 100
"""Simulated time between two events on the site, ms."""
ACTIVE: Final = 200
"""Visitors on the site at once: one acts every 20 s."""
EVENTS_OF_A_VISIT: Final = sum(LOOKS) + 1
"""About so many: an impression and a click for each look, and what goes into the basket and is bought."""
FIRST_VISITS: Final = 2
"""Visits of a visitor in the first hours, on average."""
VISITS: Final = 3
"""Visits of a visitor in the experiment, on average."""
EXPLORATION: Final = 0.1
"""Share of the lists of the first hours whose last place is drawn by lot, so that more can be learned."""
VISIT_LASTS: Final = 0.1
"""Hours: about the length of a visit, within which a list leads to a purchase."""
_EVERYBODY_ELSE: Final = 1_000_000
"""Number of the first visitor of the experiment; none of them was here in the first hours."""


class Trial(Struct, frozen=True):
    """How large a simulated experiment is.

    Attributes:
        seed: the same one gives the same sales, visitors and arms.
        first_visitors: visitors of the first hours, from whom is learned.
        visitors: visitors of the experiment, of all arms together.
        trees, leaves: of the rankers that are trained.
    """

    seed: int = 1
    first_visitors: int = 2_000
    visitors: int = 10_000
    trees: int = 80
    leaves: int = 31

    @property
    def first_events(self) -> int:
        """Events of the first hours."""
        return self.first_visitors * FIRST_VISITS * EVENTS_OF_A_VISIT

    @property
    def events(self) -> int:
        """Events of the experiment."""
        return self.visitors * VISITS * EVENTS_OF_A_VISIT

    def sales(self) -> tuple[DemoSale, ...]:
        """The sales; their turnover lasts from the first hours to the end of the experiment."""
        lasts = (self.first_events + self.events) * EVERY
        return travel_catalogue(self.seed, START, max(1, lasts // (TURNOVER_EVERY * TURNOVERS)))


@dataclass
class Tally:
    """Lists that each visitor was shown, and purchases of each, whatever led to them."""

    lists: Counter[str] = field(default_factory=Counter)
    purchases: Counter[str] = field(default_factory=Counter)

    def count(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, Impression):
            self.lists[event.visitor_id] += 1
        elif isinstance(event, Purchase):
            self.purchases[event.visitor_id] += 1


def first_hours(trial: Trial, sales: Sequence[DemoSale], progress: Progress) -> list[Event]:
    """All events of the first hours, in which lists come from the fixed blend, with some exploration."""
    world, blend = World(sales, Rules(exploration=EXPLORATION)), Blend()
    crowd = Crowd(sales, trial.first_visitors, ACTIVE, trial.seed)

    def shown(visitor_id: str) -> TopTen:
        return world.shown_to(visitor_id, blend)

    return list(_hours(world, crowd, range(trial.first_events), shown, progress))


def trained_on(
    history: Sequence[Event], trial: Trial, sales: Sequence[DemoSale], progress: Progress
) -> Training:
    """Rankers trained as `tenfold train` does it, on what was on the topics after the first hours.

    Raises:
        TrainingError: too little happened in them.
    """
    end = START + trial.first_events * EVERY
    world = World(sales)
    world.pass_to(end)
    return train_release(
        table_of(history),
        world.catalogue,
        Parameters(),
        Boosting(trees=trial.trees, num_leaves=trial.leaves),
        Plan("purchase", window=VISIT_LASTS, seed=trial.seed),
        created_at=end,
        source=f"simulated first hours, seed {trial.seed}",
        progress=progress,
    )


def world_after(history: Sequence[Event], sales: Sequence[DemoSale], release: Release) -> World:
    """The world as a worker with `release` sees it after the first hours."""
    text_model = TextModel.from_bytes(release.arrays[FILE]) if FILE in release.arrays else None
    world = World(sales, text_model=text_model)
    world.learn(history)
    return world


def split(trial: Trial, world: World, arms: Mapping[str, RankerFor], progress: Progress) -> Tally:
    """The experiment: new visitors, each with lists of the arm that the lot gave them.

    All arms live in one world at the same time and share all knowledge, as on a site; so what each of them
    makes visitors do is learned by all. `world` has learned the first hours, and knows none of the visitors.
    """
    crowd = Crowd(world.sales, trial.visitors, ACTIVE, trial.seed + 1, first=_EVERYBODY_ELSE)
    names = tuple(arms)

    def shown(visitor_id: str) -> TopTen:
        arm = arms[arm_of(visitor_id, names, trial.seed)]
        return world.shown_to(visitor_id, arm(crowd.visitors[visitor_id], world.live()))

    tally = Tally()
    numbers = range(trial.first_events, trial.first_events + trial.events)
    for event in _hours(world, crowd, numbers, shown, progress):
        tally.count(event)
    return tally


def _hours(
    world: World, crowd: Crowd, numbers: range, shown: Callable[[str], TopTen], progress: Progress
) -> Iterator[Event]:
    """What the crowd does, an event every `EVERY` ms; `numbers` says which of all events these are."""
    for number in numbers:
        world.pass_to(START + number * EVERY)
        event = crowd.next_event(world.now, shown)
        world.take(event)
        yield event
        if number % 1_000 == 0:
            progress((number - numbers.start) / len(numbers))
