"""What several test modules need: the real audio, and small mixtures."""

from __future__ import annotations

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a core; its BLAS must not want the others'
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest

from gmmaudio.classify.model_file import save
from gmmaudio.classify.train import Trained, Training, train
from gmmaudio.corpus.manifest import in_split, read_corpus
from gmmaudio.corpus.synth import write_corpus
from gmmaudio.features.frontend import PRESETS
from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.mixture import Mixture

hypothesis.settings.register_profile("house", deadline=None)  # how long a law takes to check is no part of it
hypothesis.settings.load_profile("house")


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


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of a small synthetic corpus: 4 labels, 4 speakers each (3 train, 1 test), 4 clips of 2 s."""
    return write_corpus(tmp_path_factory.mktemp("corpus"), speakers=4, clips=4, seconds=2.0)


@pytest.fixture(scope="session")
def trained(corpus: Path) -> Trained:
    """A classifier trained on the training speakers of ``corpus``."""
    return train(in_split(read_corpus(corpus), "train"), Training(PRESETS["speech"], components=4))


@pytest.fixture(scope="session")
def model(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of that classifier."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save(trained.classifier, path)
    return path
