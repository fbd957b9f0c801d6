"""The house: layers, public names, and the README's promises about them."""

from __future__ import annotations

import argparse
import ast
import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import gmmaudio
from gmmaudio.cli import parser

HERE = Path(__file__).parent.parent


def test_each_room_imports_only_what_stands_below_it() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


# Where each outside library may be imported, beside the standard library and numpy.
HOMES = {
    "av": {"corpus/av_decoder.py"},
    "joblib": {"estimators/"},
    "librosa": {"features/librosa_steps.py"},
    "matplotlib": {
        f"evaluate/{name}.py"
        for name in ("clip_picture", "det_picture", "model_picture", "pictures", "plots", "timeline_picture")
    },
    "safetensors": {"tensors.py"},
    "scipy": {"measures/intervals.py", "measures/paired.py"},  # quantiles and tails: scipy.special
    "sklearn": {"classify/backend.py", "corpus/splits.py", "estimators/"},
    "soundfile": {"corpus/decoder.py", "corpus/excerpt.py", "corpus/synth.py"},
    "soxr": {"corpus/passage.py"},
    "threadpoolctl": {"parallel.py"},
    "tqdm": {"cli/output.py"},
}


def test_every_flag_of_a_verb_says_what_it_is_for() -> None:
    [verbs] = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    flags = [(name, action) for name, verb in verbs.choices.items() for action in verb._actions]
    assert len(flags) > 60
    assert [(name, action.dest) for name, action in flags if not action.help] == []


def test_every_flag_of_a_recipe_says_what_it_is_for() -> None:
    found = {}
    for file in sorted((HERE / "recipes").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
                found[f"{file.parent.name}/{file.name}:{node.lineno}"] = {each.arg for each in node.keywords}
    assert len(found) > 50
    assert [place for place, given in found.items() if "help" not in given] == []


def imported(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}


def test_each_outside_library_has_its_room() -> None:
    package = HERE / "gmmaudio"
    files = sorted(package.rglob("*.py"))
    assert len(files) > 30
    for file in files:
        where = file.relative_to(package).as_posix()
        for library in imported(file) - set(sys.stdlib_module_names) - {"numpy", "gmmaudio"}:
            assert any(where.startswith(home) for home in HOMES[library]), f"{where} imports {library}"


def test_public_names_are_sorted_and_there() -> None:
    assert list(gmmaudio.__all__) == sorted(gmmaudio.__all__)
    for name in gmmaudio.__all__:
        assert getattr(gmmaudio, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        gmmaudio.nothing  # noqa: B018


def modules() -> list[str]:
    return [m.name for m in pkgutil.walk_packages(gmmaudio.__path__, "gmmaudio.") if not m.name.endswith("__main__")]


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, "the first lines say what the file is for"
    flags = doctest.NORMALIZE_WHITESPACE
    failures, _ = doctest.testmod(module, optionflags=flags, extraglobs={"np": importlib.import_module("numpy")})
    assert failures == 0
