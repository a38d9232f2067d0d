"""Promotions: what stands on the topic, the way back, and what cannot be served."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from models.release_promotion import (
    MAX_BEFORE,
    Live,
    P,
    Promoted,
    PromotedLabeller,
    promote,
    promotion_of,
)
from models.text import FILE
from reco.errors import RefusedRecordError, ReleaseError
from streams.codecs import (
    LIVE_LABELLER,
    LIVE_RELEASE,
    decode_labeller_promotion,
    decode_promotion,
    encode,
)
from streams.labellers import LABELLERS
from streams.promotions import Kind, roll_back
from streams.releases import RANKERS, chosen, load
from streams.schemas import CONTENTS, json_schema
from tests import facts
from tests.models.described_sales import text_model
from tests.models.small_models import release

# -- the record on the topic

hexadecimal = st.text("0123456789abcdef", min_size=64, max_size=64)
release_ids = st.builds("{}-{}".format, st.dates().map(str), hexadecimal.map(lambda text: text[:8]))
promoted = st.builds(
    Promoted, release_ids, facts.names, hexadecimal, st.sampled_from(("mix", "visits", "content"))
)
labellers = st.builds(PromotedLabeller, release_ids, facts.names, hexadecimal)


def promotions_of(one: st.SearchStrategy[P]) -> st.SearchStrategy[Live[P]]:
    return st.builds(promotion_of, one, st.lists(one, max_size=3).map(tuple), facts.times)


SCHEMA = Draft202012Validator(json_schema(*CONTENTS["releases"].types))


@given(promotions_of(promoted))
def test_a_promotion_is_read_as_it_was_written_and_fits_its_schema(promotion: Live[Promoted]) -> None:
    assert decode_promotion(LIVE_RELEASE, encode(promotion)) == promotion
    SCHEMA.validate(json.loads(encode(promotion)))


@given(promotions_of(labellers))
def test_so_is_that_of_a_labeller_which_is_none_of_a_ranker(promotion: Live[PromotedLabeller]) -> None:
    assert decode_labeller_promotion(LIVE_LABELLER, encode(promotion)) == promotion
    SCHEMA.validate(json.loads(encode(promotion)))
    with pytest.raises(RefusedRecordError, match=r"missing-field: .*`release_id`"):
        decode_promotion(LIVE_RELEASE, encode(promotion))


@pytest.mark.parametrize("kind", [RANKERS, LABELLERS])
def test_a_tombstone_goes_back_to_what_is_used_without_a_promotion(kind: Kind[Any]) -> None:
    assert kind.decode(kind.key, None) is None


GIVEN = {
    "release_id": "2025-11-24-1a2b3c4d",
    "path": "/releases/2025-11-24-1a2b3c4d",
    "checksum": "0" * 64,
    "promoted_at": 1_764_000_000_000,
}


def test_a_promotion_that_was_written_before_labellers_were_promoted_is_read() -> None:
    earlier = {name: value for name, value in GIVEN.items() if name != "promoted_at"} | {"ranker": "visits"}
    live = decode_promotion(LIVE_RELEASE, json.dumps(GIVEN | {"before": [earlier]}).encode())
    assert live is not None
    assert [one.name for one in live.steps] == ["2025-11-24-1a2b3c4d/mix", "2025-11-24-1a2b3c4d/visits"]


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (b"life", json.dumps(GIVEN).encode(), "wrong-key"),
        (None, json.dumps(GIVEN).encode(), "wrong-key"),
        (LIVE_LABELLER, json.dumps(GIVEN).encode(), "wrong-key"),
        (b"live", b"", "empty"),
        (b"live", b"{", "not-json"),
        (b"live", b"{}", "missing-field"),
        (b"live", b"[" * 300_000, "too-large"),
        (b"live", json.dumps(GIVEN | {"release_id": "../2025-11-24-1a2b3c4d"}).encode(), "bad-value"),
        (b"live", json.dumps(GIVEN | {"checksum": "1a2b"}).encode(), "bad-value"),
        (b"live", json.dumps(GIVEN | {"ranker": "oracle"}).encode(), "bad-value"),
        (b"live", json.dumps(GIVEN | {"promoted_at": "now"}).encode(), "wrong-type"),
    ],
)
def test_what_is_no_promotion_is_refused(key: bytes | None, value: bytes, reason: str) -> None:
    with pytest.raises(RefusedRecordError) as caught:
        decode_promotion(key, value)
    assert caught.value.reason == reason


# -- the way back


def one(number: int) -> Promoted:
    return Promoted(f"2025-11-24-{number:08x}", f"/nowhere/{number}", "0" * 64)


def promoted_in_turn(*steps: Promoted) -> Live[Promoted]:
    live: Live[Promoted] | None = None
    for at, step in enumerate(steps):
        live = promote(step, live, at)
    assert live is not None
    return live


def test_a_promotion_remembers_what_was_live_before_it_newest_first() -> None:
    assert promoted_in_turn(one(1), one(2), one(3)).before == (one(2), one(1))


def test_promoting_again_what_is_live_is_no_step_further() -> None:
    assert promoted_in_turn(one(1), one(2), one(2)).before == (one(1),)


def test_it_remembers_only_so_many_steps() -> None:
    assert len(promoted_in_turn(*(one(number) for number in range(30))).before) == MAX_BEFORE


def test_each_rollback_goes_one_step_further_back_and_ends_at_the_blend(tmp_path: Path) -> None:
    first, second, third = (chosen(release(tmp_path, seed), "mix") for seed in (1, 2, 3))
    live: Live[Promoted] | None = promoted_in_turn(first, second, third)
    for expected in (second, first):
        assert live is not None
        live = roll_back(RANKERS, live, at=100).promotion
        assert live is not None
        assert live.promoted == expected
        assert live.promoted_at == 100
    assert live is not None
    assert roll_back(RANKERS, live, at=100).promotion is None


def test_a_rollback_leaves_out_what_cannot_be_loaded_any_more_and_says_so(tmp_path: Path) -> None:
    first, second, third = (chosen(release(tmp_path, seed), "mix") for seed in (1, 2, 3))
    (Path(second.path) / "mix.lgb.txt").unlink()
    back = roll_back(RANKERS, promoted_in_turn(first, second, third), at=100)
    assert back.promotion is not None
    assert back.promotion.steps == (first,)
    ((left_out, error),) = back.broken
    assert left_out == second
    assert "mix.lgb.txt: is missing" in str(error)


def test_a_rollback_that_finds_nothing_which_can_be_loaded_ends_at_the_blend_and_says_so() -> None:
    back = roll_back(RANKERS, promoted_in_turn(one(1), one(2), one(3)), at=100)
    assert back.promotion is None
    assert [left_out for left_out, _ in back.broken] == [one(2), one(1)]


def test_a_folder_that_holds_another_release_than_was_promoted_is_refused(tmp_path: Path) -> None:
    right, other = (chosen(release(tmp_path, seed), "mix") for seed in (1, 2))
    swapped = Promoted(right.release_id, other.path, right.checksum)
    with pytest.raises(ReleaseError, match=f"holds the release {other.release_id}"):
        load(swapped)


def test_releases_with_the_same_parameters_and_the_same_text_model_are_of_one_basis(tmp_path: Path) -> None:
    texts = {FILE: text_model().to_bytes()}
    without, first, second = (
        load(chosen(release(tmp_path, seed, arrays=arrays), "mix")).basis
        for seed, arrays in ((1, {}), (2, texts), (3, texts))
    )
    assert first == second != without
    assert without.text_model is None
    assert first.text_model is not None
    assert first.text_model.to_bytes() == texts[FILE]


def test_a_text_model_that_cannot_be_applied_is_refused_before_it_is_promoted(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=rf"{FILE}: is no text model"):
        chosen(release(tmp_path, 1, arrays={FILE: b"?"}), "mix")
