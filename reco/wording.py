"""Reasons in words for people."""

from collections.abc import Mapping

from reco.lists import EVERYTHING_ELSE, Reason

_LIKE: Mapping[str, str] = {
    "covisitation": "others who looked at {like} looked at this next",
    "session_knn": "in visits like this one, others who looked at {like} looked at this",
    "attributes": "is like {like}, which you looked at, in country or kind",
    "text": "reads like {like}, which you looked at",
    "image": "looks like {like}, which you looked at",
    "topics": "shows scenes like {like}, which you looked at",
}
"""What speaks for a sale because of a touched one."""
_FOR: Mapping[str, str] = {
    "revisits": "you looked at it before",
    "popularity": "many look at it just now",
    "segments": "many visitors who come as you do look at it",
    "covisitation": "others who looked at the same sales looked at this next",
    "session_knn": "visitors with visits like this one looked at it",
    "attributes": "its price, country and kind are like those you looked at",
    "text": "it reads like what you looked at",
    "image": "it looks like what you looked at",
    "topics": "it shows scenes like those you looked at",
    "moment": "it is the moment for it",
    EVERYTHING_ELSE: "everything else speaks for it",
}
_AGAINST: Mapping[str, str] = {
    "revisits": "you have not looked at it lately",
    "popularity": "few look at it just now",
    "segments": "few visitors who come as you do look at it",
    "covisitation": "few who looked at the same sales looked at this next",
    "session_knn": "few visitors with visits like this one looked at it",
    "attributes": "its price, country and kind are not those you looked at",
    "text": "it does not read like what you looked at",
    "image": "it does not look like what you looked at",
    "topics": "it shows other scenes than those you looked at",
    "moment": "it is not the moment for it",
    EVERYTHING_ELSE: "everything else speaks against it",
}


def sentence(reason: Reason, title_of: Mapping[str, str]) -> str:
    """A reason in words, said to the visitor; a sale without a title in `title_of` is named by its id.

    >>> sentence(Reason("image", 0.7, like="oslo"), {"oslo": "A weekend in Oslo"})
    'looks like A weekend in Oslo, which you looked at'
    >>> sentence(Reason("popularity", -0.7), {})
    'few look at it just now'
    """
    if reason.like is not None and reason.name in _LIKE:
        return _LIKE[reason.name].format(like=title_of.get(reason.like, reason.like))
    if reason.log_odds > 0:
        return _FOR.get(reason.name, f"its {reason.name} speaks for it")
    return _AGAINST.get(reason.name, f"its {reason.name} speaks against it")
