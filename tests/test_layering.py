"""Imports run one way, what a top 10 is stays pure, and TensorFlow is loaded by the labelling only."""

import ast
import subprocess
import sys

import pytest

from tests.source_tree import PACKAGES, ROOT, Source, inside, loaded_with, sources

SOURCES = sources(PACKAGES)
TREE = {source.module: source for source in SOURCES}

MAY_IMPORT = {
    "reco": ("reco",),
    "models": ("models", "reco"),
    "infra": ("infra", "reco.errors"),
    "streams": ("streams", "models", "reco", "infra"),
    "demo": ("demo", "streams", "models", "reco", "infra"),
}
OPENS_THE_DEMO = "streams.commands.demo"
IMPURE = (
    "aiokafka",
    "faust",
    "mode",
    "rocksdict",
    "tensorflow",
    "keras",
    "time",
    "pathlib",
    "os",
    "io",
    "asyncio",
)
CLOCKS = ("now", "utcnow", "today")
TENSORFLOW = ("tensorflow", "keras", "tf_keras")
LABELLING = ("models.labelling", "streams.agents.labelling")


def wrong_imports(source: Source) -> list[str]:
    """The imports of our own packages that a module may not have."""
    allowed = MAY_IMPORT[source.module.partition(".")[0]]
    ours = [one for one in source.imports if inside(one.module, PACKAGES)]
    return [
        f"{source.module}:{one.line} imports {one.module}"
        for one in ours
        if not inside(one.module, allowed)
        and not any(inside(kept, [one.module]) for kept in allowed)
        and not (source.module == OPENS_THE_DEMO and one.lazy and inside(one.module, ["demo"]))
    ]


def impurities(source: Source) -> list[str]:
    """What a pure module may not do: use the outside world, ask for the time, open a file."""
    imported = [one.module for one in source.imports if inside(one.module, IMPURE)]
    calls = [node.func for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
    clocks = [call.attr for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS]
    opened = [call.id for call in calls if isinstance(call, ast.Name) and call.id == "open"]
    return [f"{source.module}: {what}" for what in imported + clocks + opened]


def test_imports_run_one_way_from_streams_to_models_to_reco() -> None:
    assert [wrong for source in SOURCES for wrong in wrong_imports(source)] == []


def test_reco_has_no_kafka_no_tensorflow_no_clock_and_no_files() -> None:
    assert [
        impure for source in SOURCES if inside(source.module, ["reco"]) for impure in impurities(source)
    ] == []


def test_only_the_labelling_mentions_tensorflow() -> None:
    others = [source for source in SOURCES if not inside(source.module, LABELLING)]
    assert [s.module for s in others if any(inside(one.module, TENSORFLOW) for one in s.imports)] == []


def test_no_module_but_the_labelling_loads_tensorflow_when_it_is_imported() -> None:
    others = [module for module in TREE if not inside(module, LABELLING)]
    assert [m for m in others if any(inside(one, TENSORFLOW) for one in loaded_with(m, TREE))] == []


@pytest.mark.parametrize("module", ["streams.cli", "streams.worker", "streams.agents.scoring"])
def test_no_command_no_worker_that_scores_and_no_console_loads_tensorflow_or_faiss(module: str) -> None:
    assert packages_after_import([module]).isdisjoint(("tensorflow", "faiss"))


def test_a_top_ten_is_computed_without_kafka() -> None:
    pure = [module for module in TREE if inside(module, ["reco"])]
    assert packages_after_import(pure).isdisjoint(("aiokafka", "faust", "tensorflow"))


def packages_after_import(modules: list[str]) -> set[str]:
    """The top packages that a fresh Python holds after the import of `modules`."""
    code = f"import sys, {', '.join(modules)}; print(*(name.partition('.')[0] for name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(ran.stdout.split())


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("reco.rules", "import streams.codecs"),
        ("reco.rules", "from models import blend"),
        ("reco.rules", "def late():\n    from streams import codecs"),
        ("models.blend", "from streams.topics import DAY"),
        ("models.blend", "from infra import broker"),
        ("infra.broker", "from reco.events import Sale"),
        ("infra.broker", "import streams"),
        ("streams.codecs", "import demo.run"),
        ("streams.codecs", "def late():\n    import demo.run"),
        (OPENS_THE_DEMO, "from demo import run"),
    ],
)
def test_an_import_against_the_direction_is_found(module: str, text: str) -> None:
    assert wrong_imports(Source(module, text))


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("reco.rules", "from reco.events import Sale"),
        ("models.blend", "from reco import errors"),
        ("infra.broker", "from reco.errors import BrokerError"),
        ("streams.codecs", "from infra import broker\nfrom models import blend\nimport reco.events"),
        ("demo.run", "from streams import topics"),
        (OPENS_THE_DEMO, "def command():\n    from demo import run"),
    ],
)
def test_an_import_along_the_direction_is_fine(module: str, text: str) -> None:
    assert wrong_imports(Source(module, text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "from pathlib import Path",
        "from aiokafka import AIOKafkaProducer",
        "def late():\n    import tensorflow as tf",
        "from datetime import datetime\nat = datetime.now()",
        "text = open('a').read()",
    ],
)
def test_what_is_not_pure_is_found(text: str) -> None:
    assert impurities(Source("reco.rules", text))


def test_relative_imports_are_found_under_their_full_name() -> None:
    within = Source("streams.agents.sessions", "from ..topics import DAY")
    package = Source("streams.agents", "from .sessions import sessions_app", is_package=True)
    assert within.imports[0].module == "streams.topics"
    assert package.imports[0].module == "streams.agents.sessions"


def test_tensorflow_is_found_behind_other_modules_and_not_behind_a_lazy_import() -> None:
    tree = {
        "streams.cli": Source("streams.cli", "from streams import commands"),
        "streams.commands": Source(
            "streams.commands", "from models.labelling import training", is_package=True
        ),
        "models.labelling.training": Source("models.labelling.training", "import tensorflow"),
        "streams.worker": Source("streams.worker", "def main():\n    import tensorflow"),
    }
    assert "tensorflow" in loaded_with("streams.cli", tree)
    assert "tensorflow" not in loaded_with("streams.worker", tree)
