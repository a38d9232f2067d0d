"""What was seen of labels: counted over all sales, quoted from the newest."""

from msgspec.structs import replace

from demo.labels_seen import EXAMPLES, labels_seen
from reco.labels import SaleLabels, Scored

AT = 1_800_000_000_000
KINDS = {f"sale-{number}": "beach" if number % 2 else "golf" for number in range(10)}


def labelled(sale_id: str, *labels: str, images: int = 2) -> SaleLabels:
    scored = tuple(Scored(name, 1 / (2 + place)) for place, name in enumerate(labels))
    topics = (Scored("Golf", 0.25), Scored("Beach - Pool", 0.75))
    return SaleLabels(sale_id, "version", ("http://a/1.jpg",), images, scored, topics, b"", AT)


def test_sales_are_right_if_their_strongest_label_is_their_kind() -> None:
    seen = labels_seen("at work", [labelled(one, "beach", "golf") for one in KINDS], KINDS)
    assert (seen.labeller, seen.sales, seen.right) == ("version", 10, 5)
    assert [one.sale_id for one in seen.examples] == [f"sale-{number}" for number in range(10)][-EXAMPLES:]
    assert [one.is_right for one in seen.examples] == [one.kind == "beach" for one in seen.examples]
    assert [label.name for label in seen.examples[-1].labels] == ["beach", "golf"]


def test_the_labeller_is_the_one_that_labelled_last() -> None:
    before, after = (replace(labelled(one, "beach"), labeller=one) for one in ("sale-1", "sale-2"))
    assert labels_seen("at work", [before, after], KINDS).labeller == "sale-2"


def test_an_example_names_the_strongest_topic_first() -> None:
    (example,) = labels_seen("at work", [labelled("sale-1", "beach")], KINDS).examples
    assert [topic.name for topic in example.topics] == ["Beach - Pool", "Golf"]


def test_a_sale_none_of_whose_images_could_be_had_is_not_labelled() -> None:
    seen = labels_seen("at work", [labelled("sale-1", images=0)], KINDS)
    assert (seen.labeller, seen.sales, seen.examples) == (None, 0, ())
