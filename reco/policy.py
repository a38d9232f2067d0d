"""The rules of the shop, by which lists are cut from rankings: the group `[rules]` of the settings."""

from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from reco.events import Id, Tag
from reco.lists import LIST_LENGTH

COUNTRY = "country"
"""The group of sales in one country."""
MAX_EXPLORATION = 0.2
"""Largest share of lists with an explored place."""

Group = Annotated[str, Meta(max_length=64, pattern=f"^({COUNTRY}|.+:)$")]
Cap = Annotated[int, Meta(ge=1, le=LIST_LENGTH)]


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be listed, how much alike, and how much of it is tried out; nothing is restricted by default.

    The country of a sale counts as its tag `country:IT`, in all of these.

        [rules]
        excluded_tags = ["adults only"]
        excluded_sales = ["rome-spring"]
        caps = { country = 4, "brand:" = 2 }
        diversity = 0.3
        exploration = 0.05

    Attributes:
        excluded_tags: sales with one of these tags are never listed, even if fewer than ten remain.
        excluded_sales: ids of sales that are never listed.
        caps: at most so many sales of one group in a list. A group is all sales of one country, for the name
            `country`; or all with the same tag, for each tag that begins with a name such as `brand:`. A sale
            counts in each group that it is in, and one that is in none is never capped. More than
            that only fill up a list of fewer than ten.
        diversity: how much a sale is marked down for being like one that stands before it; from 0, off,
            to 1, at which all that counts is to be unlike (`reco.diversity`).
        exploration: share of the lists whose last place goes to a sale drawn by lot (`reco.exploration`).
    """

    excluded_tags: tuple[Tag, ...] = ()
    excluded_sales: tuple[Id, ...] = ()
    caps: dict[Group, Cap] = {}
    diversity: Annotated[float, Meta(ge=0, le=1)] = 0.0
    exploration: Annotated[float, Meta(ge=0, le=MAX_EXPLORATION)] = 0.0

    def digest(self) -> str:
        """Eight hexadecimal digits that name these rules in lists; none if nothing is restricted.

        >>> Rules().digest(), Rules(caps={"country": 4}).digest()
        ('', '205444a8')
        """
        if self == UNRESTRICTED:
            return ""
        return blake2b(msgspec.json.encode(self, order="sorted"), digest_size=4).hexdigest()


UNRESTRICTED = Rules()
"""The rules by default."""
