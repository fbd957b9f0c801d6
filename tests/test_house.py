"""The house: layers, public names, and the README's promises about them."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import gmmaudio

HERE = Path(__file__).parent.parent


def test_each_room_imports_only_what_stands_below_it() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


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
