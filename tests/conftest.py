"""What several test modules need: the real audio, and small mixtures."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.mixture import Mixture


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real labelled audio, or a skip that says why."""
    folder = os.environ.get("GMMAUDIO_DATA")
    if not folder:
        pytest.skip("GMMAUDIO_DATA is not set: the real audio is not part of the repository")
    if not Path(folder).is_dir():
        pytest.skip(f"GMMAUDIO_DATA is {folder}, which is not a folder")
    return Path(folder).resolve()


def random_mixture(seed: int, components: int = 4, dimension: int = 3, spread: float = 3.0) -> Mixture:
    """A mixture with well-separated means and uneven weights."""
    generator = np.random.default_rng(seed)
    return Mixture(
        generator.dirichlet(np.full(components, 5.0)),
        spread * generator.standard_normal((components, dimension)),
        Diagonal(generator.uniform(0.3, 2.0, (components, dimension))),
    )
