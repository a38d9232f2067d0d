"""Segments: values of the context get numbers that last, a bounded number of them."""

from hypothesis import given
from hypothesis import strategies as st

from reco.segments import MAX_REMEMBERED, MAX_VALUES, OTHERS, SegmentIndex

NAMES = ("country", "device")
contexts = st.dictionaries(st.sampled_from((*NAMES, "browser")), st.sampled_from(("", "a", "b", "c")))


@given(st.lists(contexts))
def test_equal_values_have_equal_numbers_and_different_values_different_ones(
    log: list[dict[str, str]],
) -> None:
    index, numbers = SegmentIndex(NAMES), dict[tuple[str, str], int]()
    for context in log:
        for name, number in zip(NAMES, index.learn(context), strict=True):
            if name in context:
                assert numbers.setdefault((name, context[name]), number) == number > 0
            else:
                assert number == 0
    for name in NAMES:
        own = [number for (one, _), number in numbers.items() if one == name]
        assert sorted(own) == list(range(1, len(own) + 1))


@given(st.lists(contexts), contexts)
def test_asking_finds_what_was_learned_and_teaches_nothing(
    log: list[dict[str, str]], asked: dict[str, str]
) -> None:
    index, twin = SegmentIndex(NAMES), SegmentIndex(NAMES)
    learned = {name: {context[name] for context in log if name in context} for name in NAMES}
    for context in log:
        index.learn(context)
        twin.learn(context)
    known = index.known(asked).tolist()
    for name, number in zip(NAMES, known, strict=True):
        assert (number > 0) == (name in asked and asked[name] in learned[name])
    assert index.learn(asked) == twin.learn(asked)
    assert index.known(asked).tolist() == list(index.learn(asked))


def test_values_beyond_the_limit_share_the_last_number_also_when_asked_for() -> None:
    index = SegmentIndex(NAMES)
    numbers = [index.learn({"country": f"C{number}"})[0] for number in range(3 * MAX_VALUES)]
    assert numbers[: OTHERS - 1] == list(range(1, OTHERS))
    assert set(numbers[OTHERS - 1 :]) == {OTHERS}
    for number in (0, MAX_VALUES, 3 * MAX_VALUES - 1):
        assert index.known({"country": f"C{number}"})[0] == numbers[number]
    assert index.known({"device": "phone"})[0] == index.learn({"device": "phone"})[0] == 0


def test_numbers_stay_after_more_combinations_than_are_remembered() -> None:
    index = SegmentIndex(NAMES)
    first = index.learn({"country": "FR", "device": "phone"})
    for number in range(MAX_REMEMBERED + 1):
        index.learn({"device": f"model {number}"})
    assert index.learn({"country": "FR", "device": "phone"}) == first == (1, 1)
    assert index.learn({"country": "FR", "device": f"model {MAX_REMEMBERED}"}) == (1, OTHERS)
