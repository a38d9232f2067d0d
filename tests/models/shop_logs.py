"""Logs of a small shop in which one sale leads to the next, so that there is something to learn."""

from random import Random

from models.event_table import EventTable, table_of
from reco.events import Action, Cart, Click, Purchase

START = 1_600_000_000_000
MINUTE = 60_000
SALES = 24
STAYS = 0.8
"""How often a visitor goes from a sale to the one that follows it, and not to any other."""
SOMEWHERE = {"country": "FR", "device": "phone"}


def shop_log(sessions: int, seed: int = 0, days: float = 4.0, *, buys: bool = True) -> EventTable:
    """So many sessions spread over some days; most buy the sale that follows their last one."""
    return table_of(sorted(_actions(sessions, seed, days, buys=buys), key=lambda one: one.ts))


def turned_log() -> EventTable:
    """A log in which sale 0 is only looked at alone, until all of the newest visitors go on to it."""
    random, made = Random(0), list[Action]()
    for visit in range(700):
        others = random.sample(range(1, 31), 3)
        sales = [others[0], 0] if visit >= 640 else others if visit % 2 else [0]
        for step, sale in enumerate(sales):
            ts = START + visit * MINUTE + step * 1000
            made.append(_act(Click, f"{visit}.{step}", f"v{visit}", sale, ts, f"s{visit}", SOMEWHERE))
    return table_of(made)


def _actions(sessions: int, seed: int, days: float, *, buys: bool) -> list[Action]:
    random, made = Random(seed), list[Action]()
    for number in range(sessions):
        ts = START + round(random.random() * days * 24 * 60 * MINUTE)
        visitor, session = f"v{random.randrange(max(1, sessions // 2))}", f"s{number}"
        context = {"country": random.choice(("FR", "DE")), "device": random.choice(("phone", "desk"))}
        sale = random.randrange(SALES)
        for step in range(random.randrange(2, 7)):
            made.append(_act(Click, f"{number}.{step}", visitor, sale, ts, session, context))
            ts += random.randrange(10, 90) * 1000
            sale = (sale + 1) % SALES if random.random() < STAYS else random.randrange(SALES)
        if buys and random.random() < 0.7:
            made.append(_act(Cart, f"{number}.c", visitor, sale, ts, session, context))
            made.append(_act(Purchase, f"{number}.b", visitor, sale, ts + 5000, session, context))
    return made


def _act(  # noqa: PLR0917 - what an event says
    kind: type[Action], name: str, visitor: str, sale: int, ts: int, session: str, context: dict[str, str]
) -> Action:
    return kind(name, visitor, f"sale{sale:02}", ts, session_id=session, context=context)
