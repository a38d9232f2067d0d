"""`tenfold releases`: which releases of rankers there are, how good they are, and which one is live."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from models.release_promotion import Live, Promoted, RankerName
from reco.errors import BrokerError, ReleaseError
from streams.clock import in_utc
from streams.commands.loading import loading
from streams.commands.promoting import go_back, live_of, make_live
from streams.embedded import reachable
from streams.settings import Settings, load
from streams.terminal import borderless, say

if TYPE_CHECKING:
    from models.release_manifest import Manifest
    from models.releases import Release

app = typer.Typer(
    no_args_is_help=True, help="Releases of rankers: list them, look at one, make one live, go back."
)

PERIOD = ("first_event", "last_event")
"""What a release is trained on, from when to when, ms since the epoch, UTC."""
SHOWN_METRICS = 4
"""Metrics of a release in the list; `show` has all."""

_console = Console(highlight=False, soft_wrap=True)

ReleaseName = Annotated[str, typer.Argument(metavar="ID", help="A release, by the name of its folder.")]


@app.command("list")
def list_command() -> None:
    """List the releases in the folder, the newest first, broken ones last; and say which one is live."""
    from models.release_manifest import RELEASE

    settings = load()
    live = _live_if_reachable(settings)
    whole, broken = RELEASE.newest_first(_folders(settings.releases_dir()))
    table = borderless("release", "trained", "trained on", "metrics", "")
    for manifest in whole:
        table.add_row(*_row(manifest, live))
    for folder in broken:
        table.add_row(folder.name, "broken", style="red")
    if table.row_count:
        _console.print(table)
    else:
        say(_console, f"There are no releases in {settings.releases_dir()}; `tenfold train` makes one.")
    for reason in broken.values():
        say(_console, f"- {reason}", "yellow")


@app.command("show")
def show_command(release_id: ReleaseName) -> None:
    """Show a release, every byte of it verified: rankers, features, metrics, parameters, files."""
    with loading(_console):
        from streams.releases import verified

    _show(verified(_folder(load(), release_id)))


@app.command("promote")
def promote_command(
    release_id: ReleaseName,
    *,
    ranker: Annotated[RankerName, typer.Option(help="Which of its rankers.")] = "mix",
) -> None:
    """Make a release live: running workers load it and change over between two lists.

    It is loaded here first, as workers will, and refused if they would refuse it.
    """
    with loading(_console):
        from streams.releases import RANKERS, chosen

    make_live(RANKERS, chosen(_folder(load(), release_id), ranker))


@app.command("rollback")
def rollback_command() -> None:
    """Go back to what was live before.

    Each rollback goes one step further back, and what it leaves is forgotten: after promoting A, B and C,
    one rollback makes B live, the next one A, the next one the built-in blend. A release that can no longer
    be loaded is left out. To go forward again, promote.
    """
    from streams.releases import RANKERS

    go_back(RANKERS)


def _live_if_reachable(settings: Settings) -> Live[Promoted] | None:
    """The ranker that is live, said on a line, and the labeller; without a broker, why it is not known."""
    from streams.labellers import LABELLERS
    from streams.releases import RANKERS

    try:
        reached = reachable(settings)
        ranker, labeller = live_of(reached, RANKERS), live_of(reached, LABELLERS)
    except BrokerError as error:
        say(_console, f"Which one is live cannot be known: {error}", "yellow")
        return None
    say(_console, f"Live: {RANKERS.name(ranker)}{_since(ranker)}.")
    if labeller or settings.labelling.labeller:
        say(_console, f"Live labeller: {LABELLERS.name(labeller)}{_since(labeller)}.")
    return ranker


def _since(live: Live[Any] | None) -> str:
    return f", since {in_utc(live.promoted_at)}" if live else ""


def _folders(releases: Path) -> Iterable[Path]:
    """The folders of releases; what is unfinished has a dot in front."""
    return (path for path in releases.glob("[!.]*") if path.is_dir())


def _folder(settings: Settings, release_id: str) -> Path:
    if release_id not in {folder.name for folder in _folders(settings.releases_dir())}:
        raise ReleaseError(
            f"There is no release {release_id} in {settings.releases_dir()}; see `tenfold releases list`."
        )
    return settings.releases_dir() / release_id


def _row(manifest: "Manifest", live: Live[Promoted] | None) -> tuple[str, ...]:
    metrics = [f"{name} {value:.4g}" for name, value in manifest.metrics.items()][:SHOWN_METRICS]
    promoted = live.promoted if live else None
    mark = f"live: {promoted.ranker}" if promoted and promoted.checksum == manifest.checksum else ""
    return manifest.id, in_utc(manifest.created_at), _trained_on(manifest), ", ".join(metrics), mark


def _trained_on(manifest: "Manifest") -> str:
    """Source and period of a training, as far as it says so."""
    known = manifest.trained_on
    ends = (known.get(name) for name in PERIOD)
    days = " to ".join(in_utc(end)[:10] for end in ends if isinstance(end, int))
    return f"{known.get('source', '')} {days}".strip()


def _show(release: "Release") -> None:
    manifest = release.manifest
    facts: dict[str, Any] = {"release": manifest.id, "trained": in_utc(manifest.created_at)}
    facts |= {
        f"trained on, {name}": in_utc(value) if name in PERIOD else value
        for name, value in manifest.trained_on.items()
    }
    facts |= {f"metric, {name}": f"{value:.6g}" for name, value in manifest.metrics.items()}
    for name, trained in manifest.rankers.items():
        read = len(release.rankers[name].features)
        facts[f"ranker, {name}"] = f"reads {read} of {len(trained.features)} features, {trained.model}"
    facts |= {f"file, {name}": f"verified, sha256 {checksum}" for name, checksum in manifest.files.items()}
    facts["parameters"] = msgspec.json.encode(manifest.parameters).decode()
    _console.print(_rows(facts))
    features = borderless("feature", "version", *release.rankers)
    for feature, version in manifest.features.items():
        reads = ["reads" if feature in one.features else "" for one in release.rankers.values()]
        features.add_row(feature, str(version), *reads)
    _console.print(features)


def _rows(facts: dict[str, Any]) -> Text:
    """Facts on lines; not a table, which would break long values."""
    width = max(map(len, facts))
    lines = (Text.assemble((f"{name:<{width}}  ", "bold"), str(fact), "\n") for name, fact in facts.items())
    return Text().join(lines)
