"""A list on the wire: as short as it can be, what a CMS divides by is never 0, and its id is its own."""

import msgspec
import pytest
from msgspec.structs import replace

from reco.events import MAX_ID_LENGTH
from reco.lists import CERTAIN, Provenance, Reason, Recommendation, list_id
from reco.policy import Rules

MADE_FROM = Provenance(2, 5170, 1_764_000_001, (101, 99), "blend-1")
AT = 1_764_000_002_345


def wire(one: Recommendation) -> bytes:
    return msgspec.json.encode(one)


def test_a_sale_without_reasons_that_was_not_drawn_is_its_id_and_its_score() -> None:
    assert wire(Recommendation("rome", 0.5, CERTAIN, ())) == b'{"sale_id":"rome","score":0.5}'


def test_what_is_not_as_usual_is_said() -> None:
    one = Recommendation("rome", 0.5, 0.25, (Reason("popularity", 0.5), Reason("image", 0.25, "oslo")))
    assert msgspec.json.decode(wire(one)) == {
        "sale_id": "rome",
        "score": 0.5,
        "propensity": 0.25,
        "reasons": [
            {"name": "popularity", "log_odds": 0.5},
            {"name": "image", "log_odds": 0.25, "like": "oslo"},
        ],
    }
    assert msgspec.json.decode(wire(one), type=Recommendation) == one


@pytest.mark.parametrize("propensity", [0, -0.5, 1.5])
def test_a_propensity_is_above_0_and_at_most_1(propensity: float) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"sale_id": "rome", "score": 0.5, "propensity": propensity}, Recommendation)


def test_rules_of_the_shop_are_named_only_if_there_are_any() -> None:
    assert "rules" not in msgspec.json.decode(msgspec.json.encode(MADE_FROM))
    assert msgspec.json.decode(msgspec.json.encode(MADE_FROM), type=Provenance) == MADE_FROM
    by_rules = replace(MADE_FROM, rules="1a2b3c4d")
    assert msgspec.json.decode(msgspec.json.encode(by_rules))["rules"] == "1a2b3c4d"
    assert list_id(MADE_FROM, AT) == "blend-1.2.5170.1764000001.200.1764000002345"
    assert list_id(by_rules, AT) == "blend-1.2.5170.1764000001.200.1764000002345.1a2b3c4d"


def test_labels_of_images_are_named_only_if_there_are_any() -> None:
    assert "labels_offsets" not in msgspec.json.decode(msgspec.json.encode(MADE_FROM))
    with_labels = replace(MADE_FROM, labels_offsets=(30, 0, 5))
    assert msgspec.json.decode(msgspec.json.encode(with_labels), type=Provenance) == with_labels
    assert list_id(with_labels, AT) == "blend-1.2.5170.1764000001.200-35.1764000002345"


def test_an_id_is_never_too_long() -> None:
    longest = Provenance(
        999, 2**53, 4_102_444_800, (2**53,), "2100-01-01-1a2b3c4d/content", "1a2b3c4d", (2**53,)
    )
    assert len(list_id(longest, 4_102_444_800_000)) <= MAX_ID_LENGTH


def test_a_digest_names_rules_whichever_way_they_were_written_down() -> None:
    rules = Rules(caps={"country": 4, "brand:": 2}, diversity=0.5)
    assert rules.digest() == Rules(diversity=0.5, caps={"brand:": 2, "country": 4}).digest()
    assert len(rules.digest()) == 8
    assert int(rules.digest(), 16) > 0


def test_rules_that_differ_have_different_digests_and_the_default_has_none() -> None:
    different = (
        Rules(excluded_tags=("a",)),
        Rules(excluded_sales=("a",)),
        Rules(caps={"country": 4}),
        Rules(caps={"country": 3}),
        Rules(diversity=0.1),
        Rules(exploration=0.1),
    )
    assert len({rules.digest() for rules in different} - {""}) == len(different)
    assert Rules().digest() == ""
