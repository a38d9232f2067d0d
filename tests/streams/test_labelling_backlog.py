"""What is labelled next, and when images are asked for again."""

from reco.events import Sale
from streams.labelling_backlog import FIRST_PAUSE, LONGEST_PAUSE, Retries, groups


def sale(sale_id: str, images: int) -> Sale:
    return Sale(sale_id, sale_id, 0, image_urls=tuple(f"{sale_id}-{n}" for n in range(images)))


def test_images_are_asked_for_again_after_pauses_that_double_until_they_are_given_up() -> None:
    retries, at, pause = Retries(), 100.0, FIRST_PAUSE
    while retries.note("rome", at):
        assert not retries.may_ask("rome", at + pause - 0.001)
        assert retries.may_ask("rome", at + pause)
        at, pause = at + pause, 2 * pause
    assert LONGEST_PAUSE < pause <= 2 * LONGEST_PAUSE
    assert retries.may_ask("rome", at)  # as one may any other sale, should it be published anew


def test_once_nothing_is_missing_the_next_pause_is_short_again() -> None:
    retries = Retries()
    retries.note("rome", 0.0)
    retries.note("rome", FIRST_PAUSE)
    retries.forget("rome")
    retries.note("rome", 100.0)
    assert retries.may_ask("rome", 100.0 + FIRST_PAUSE)
    assert not retries.may_ask("rome", 100.0)
    assert retries.may_ask("oslo", 0.0)


def test_a_group_has_no_more_images_than_it_may_or_is_a_single_sale() -> None:
    sales = [sale("a", 3), sale("b", 2), sale("c", 0), sale("d", 1), sale("e", 9), sale("f", 1)]
    cut = [[one.sale_id for one in group] for group in groups(sales, images=5)]
    assert cut == [["a", "b", "c"], ["d"], ["e"], ["f"]]
    assert list(groups([], images=5)) == []
