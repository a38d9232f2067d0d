"""A way from sales to their labels: some are labelled together, and what was found is sent."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from reco.errors import RefusedRecordError
from reco.events import Sale
from streams.codecs import encode
from streams.dead_letters import bury
from streams.delivery.outbox import Outbox
from streams.images.fetching import may_pass
from streams.labelling_backlog import Backlog, Published
from streams.labelling_desk import Found, LabellingDesk
from streams.topics import TopicSet


class LabellingWay:
    """Labels sales at a desk of its own, and sends by an outbox of its own, of which it awaits everything."""

    def __init__(
        self, desk: LabellingDesk, outbox: Outbox, backlog: Backlog, topics: TopicSet, counts: Counter[str]
    ) -> None:
        self.desk = desk
        self._outbox = outbox
        self._backlog = backlog
        self._topics = topics
        self._counts = counts
        self._sending = asyncio.Lock()
        self._under_way: dict[str, tuple[str, ...]] = {}

    async def label(self, sales: Sequence[Sale]) -> None:
        """Label sales, and send what was found, unless a sale has other images by now.

        A sale whose same images another batch is labelling is left to that.
        """
        own = [one for one in sales if self._under_way.get(one.sale_id) != one.image_urls]
        self._under_way |= {one.sale_id: one.image_urls for one in own}
        labelled = await self.desk.label(own)
        async with self._sending:  # what is settled is one's own
            for found in labelled:
                published = self._backlog.sales.by_id.get(found.sale.sale_id)
                if published and published.sale.image_urls == found.sale.image_urls:
                    await self._send(published, found)
            await self._settle()
        for one in own:
            if self._under_way.get(one.sale_id) == one.image_urls:
                del self._under_way[one.sale_id]

    async def take_back(self, sale_ids: Iterable[str]) -> None:
        """Send tombstones for the labels of these sales."""
        for sale_id in sale_ids:
            await self._outbox.send(self._topics.sale_labels.name, sale_id.encode(), None)
        await self._settle()

    async def _settle(self) -> None:
        """Wait until what was sent has arrived, and is known here: what is labelled is not labelled again."""
        await self._backlog.labelled.reach(await self._outbox.settle())

    async def _send(self, published: Published, found: Found) -> None:
        """Send the labels of a sale, and dead letters for the images that are refused for good.

        Images that are asked for again are left out of the record, so that the sale still lacks them, also
        after a restart. If there is nothing but such, the labels that the sale has stay.
        """
        sale, labels, refused = found
        later = {url for url, refusal in refused.items() if may_pass(refusal)}
        if later and self._backlog.retries.note(sale, time.monotonic()):
            settled = tuple(url for url in sale.image_urls if url not in later)
            if not labels.images or not self._backlog.labelled.lacks(replace(sale, image_urls=settled)):
                return
            labels = replace(labels, image_urls=settled)
        else:
            self._backlog.retries.forget(sale.sale_id)
        for_good = [url for url in refused if url in labels.image_urls]
        for url in self._backlog.labelled.newly_refused(sale.sale_id, for_good):
            self._counts["dead_letters"] += 1
            letter = RefusedRecordError(f"image-{refused[url].reason}", refused[url].detail)
            await bury(self._outbox, self._topics.dead_letters, published.record, letter)
        self._counts["labelled_sales"] += 1
        self._counts["labelled_images"] += labels.images
        await self._outbox.send(self._topics.sale_labels.name, sale.sale_id.encode(), encode(labels))
