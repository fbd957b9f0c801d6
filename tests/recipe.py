"""Recipes as modules: they are scripts, outside the package, and import their neighbours by bare names."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

SMALL = "its figures are no results"
"""What every recipe says of its small form."""

RECIPES = Path(__file__).parents[1] / "recipes"


def load(recipe: str, name: str = "run") -> ModuleType:
    """A module of a recipe, run anew."""
    return load_script(RECIPES / recipe / f"{name}.py", f"recipe_{recipe}_{name}".replace("-", "_"))


def load_script(path: Path, name: str) -> ModuleType:
    """A script as a module of that name."""
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up by name
    sys.path.insert(0, str(path.parent))  # as Python does for a script
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module
