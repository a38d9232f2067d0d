"""The benchmark of labelling: what it waits for is really there, and all its pictures are really fetched."""

import aiohttp

from benchmarks.image_shop import Site, decoded, jpegs
from benchmarks.labelling import SeenContent
from models.labelling.pictures import Sight
from reco.catalogue import catalogue_of
from reco.events import Sale
from reco.label_book import LabelBook
from tests.models.image_ranker import SEA, looks
from tests.reco.worlds import NOON

ROME = Sale("rome", "Three days in Rome", NOON)


def test_an_embedding_is_seen_once_the_index_holds_it_and_no_earlier() -> None:
    book = LabelBook(partitions=1)
    content = SeenContent(book, catalogue_of([ROME]))
    content.take("rome", ROME)
    content.take_labels(["rome"])
    assert set(content.sales) == {"rome"}
    assert not content.embeddings

    book.apply(looks("rome", SEA), partition=0, offset=0)
    content.take_labels(["rome"])
    assert content.sales["rome"] < content.embeddings["rome"]
    assert content.changed.is_set()


def test_an_embedding_that_comes_before_its_sale_is_seen_with_the_sale() -> None:
    book = LabelBook(partitions=1)
    book.apply(looks("rome", SEA), partition=0, offset=0)
    content = SeenContent(book, catalogue_of([ROME]))
    content.take_labels(["rome"])
    assert not content.embeddings
    content.take("rome", ROME)
    assert content.embeddings.keys() == {"rome"}


async def test_every_address_of_every_sale_is_new_and_has_a_picture() -> None:
    files = jpegs(3, side=64)
    async with Site(files) as site, aiohttp.ClientSession() as client:
        sales = [*site.sales("some", 2, images=2), *site.sales("more", 1, images=1)]
        urls = [url for sale in sales for url in sale.image_urls]
        found = [await (await client.get(url)).read() for url in urls]
    assert len(set(urls)) == 5
    assert found == [files[number % 3] for number in range(5)]
    assert decoded(found, Sight((32, 48), views=2)).shape == (5, 2, 32, 48, 3)
