"""Releases on the wire: what is live, how it is loaded, and how another becomes live."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from aiokafka.errors import KafkaError

from models.blend import Blend
from models.release_promotion import Promoted, Promotion, RankerName, promotion_of
from models.releases import Release, load_release
from models.text import FILE, TextModel
from reco.errors import BrokerError, RefusedRecordError, ReleaseError
from reco.features import FEATURES
from reco.parameters import Parameters
from reco.ranker import Ranker
from streams.codecs import LIVE_RELEASE, decode_promotion, encode
from streams.delivery.outbox import Outbox
from streams.reading import read_whole
from streams.settings import Kafka


@dataclass(frozen=True)
class Basis:
    """What knowledge is built with; equal for equal parameters and the same text model.

    Attributes:
        parameters: those of the recommenders.
        text_checksum: SHA-256 of the text model; empty if there is none.
        text_model: what makes vectors of the texts of sales.
    """

    parameters: Parameters = Parameters()  # noqa: RUF009 - it cannot be changed
    text_checksum: str = ""
    text_model: TextModel | None = field(default=None, compare=False, repr=False)


class Served(NamedTuple):
    """A ranker, and the basis of the knowledge that it was trained on."""

    ranker: Ranker
    basis: Basis


BLEND = Served(Blend(), Basis())
"""What is served without a promotion."""


def verified(folder: Path) -> Release:
    """The release in `folder`, verified as every worker does it.

    Raises:
        ReleaseError: it is not whole, or this version cannot serve it.
    """
    return load_release(folder, FEATURES)


def load(promoted: Promoted) -> Served:
    """What was promoted, ready to serve.

    Raises:
        ReleaseError: it is not whole, this version cannot serve it, or it is not what was promoted.
    """
    release = verified(Path(promoted.path))
    manifest = release.manifest
    if (manifest.id, manifest.checksum) != (promoted.release_id, promoted.checksum):
        raise ReleaseError(
            f"{promoted.path}: holds the release {manifest.id} with checksum {manifest.checksum}, "
            f"{promoted.release_id} with {promoted.checksum} was promoted; promote it again"
        )
    return _served(release, promoted.ranker)


def _served(release: Release, name: RankerName) -> Served:
    """A ranker of the release, and the basis that all of them share.

    Raises:
        ReleaseError: there is no such ranker, or the text model cannot be applied.
    """
    manifest, ranker = release.manifest, release.ranker(name)
    if FILE not in release.arrays:
        return Served(ranker, Basis(manifest.parameters))
    try:
        text_model = TextModel.from_bytes(release.arrays[FILE])
    except ReleaseError as error:
        raise ReleaseError(f"release {manifest.id}: {FILE}: {error}") from error
    return Served(ranker, Basis(manifest.parameters, manifest.files[FILE], text_model))


def chosen(folder: Path, ranker: RankerName) -> Promoted:
    """The ranker of the release in `folder`, to be promoted; loaded once, as workers will.

    Raises:
        ReleaseError: workers would refuse it.
    """
    release = verified(folder)
    _served(release, ranker)
    return Promoted(release.manifest.id, str(folder), release.manifest.checksum, ranker)


class Rollback(NamedTuple):
    """One step back.

    Attributes:
        promotion: what becomes live; None is the built-in blend.
        broken: what was left out because it cannot be loaded any more, and why.
    """

    promotion: Promotion | None
    broken: tuple[tuple[Promoted, ReleaseError], ...]


def roll_back(live: Promotion, at: int) -> Rollback:
    """Back to the newest of what was live before `live` and can still be loaded; at last to the blend."""
    broken: list[tuple[Promoted, ReleaseError]] = []
    for steps, earlier in enumerate(live.before, start=1):
        try:
            load(earlier)
        except ReleaseError as error:
            broken.append((earlier, error))
        else:
            return Rollback(promotion_of(earlier, live.before[steps:], at), tuple(broken))
    return Rollback(None, tuple(broken))


async def live_promotion(kafka: Kafka, topic: str) -> Promotion | None:
    """The newest promotion on `topic` that can be read; None if the built-in blend is live.

    Raises:
        BrokerError: the broker cannot be reached, or does not have the topic.
    """
    live: Promotion | None = None
    async for record in read_whole(kafka, topic):
        try:
            live = decode_promotion(record.key, record.value)
        except RefusedRecordError:
            continue
    return live


async def announce(kafka: Kafka, topic: str, promotion: Promotion | None) -> None:
    """Tell all workers what is live; the broker has it when this returns.

    Raises:
        BrokerError: the broker did not take it.
    """
    outbox = Outbox(kafka)
    try:
        await outbox.start()
        await outbox.send(topic, LIVE_RELEASE, None if promotion is None else encode(promotion))
        await outbox.settle()
    except (KafkaError, OSError) as error:
        raise BrokerError(f"{topic}: the promotion did not arrive: {error}. Do the same again.") from error
    finally:
        await outbox.close()
