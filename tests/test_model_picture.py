"""gmmaudio.evaluate.model_picture: ellipses by the definition of a standard deviation, and every kind of model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.axes import Axes

from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.scorers import MixtureScorer
from gmmaudio.classify.train import Trained
from gmmaudio.errors import DataError
from gmmaudio.evaluate.model_picture import _ellipses, effective, model_figure, model_picture
from gmmaudio.features.frontend import PRESETS
from gmmaudio.gmm.covariance import KINDS
from gmmaudio.gmm.mixture import Mixture


def model(labels: int, d: int = 3, kind: str = "full", components: int = 4, curves: bool = True) -> Classifier:
    draw = np.random.default_rng(labels)
    mixtures = []
    for _ in range(labels):
        roots = draw.standard_normal((components, d, d))
        matrices = roots @ np.swapaxes(roots, 1, 2) + 0.2 * np.eye(d)
        weights = draw.dirichlet(np.full(components, 2.0))
        covariance = KINDS[kind].from_matrices(matrices, weights)
        mixtures.append(Mixture(weights, draw.standard_normal((components, d)) * 4, covariance))
    names = tuple(f"label ${i}" for i in range(labels))  # a dollar sign is no formula
    curve = {name: {"log_likelihood": [-9.0, -8.0, -7.5 + i / 99]} for i, name in enumerate(names)}
    return Classifier(
        names, MixtureScorer(tuple(mixtures)), PRESETS["speech"], training={"classes": curve} if curves else {}
    )


@pytest.mark.parametrize("kind", ["diag", "spherical", "tied", "full"])
def test_an_ellipse_is_one_standard_deviation_from_its_centre(kind: str) -> None:
    mixture = model(1, 3, kind).scorer.mixtures[0]
    centres, sizes, _ = _ellipses(mixture, (2, 0))
    turn = np.linspace(0, 2 * np.pi, 12)
    for k, (major, minor, angle) in enumerate(sizes):
        a = np.radians(angle)
        circle = np.stack([major * np.cos(turn), minor * np.sin(turn)])
        points = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ circle
        covariance = mixture.covariance.matrices(4, 3)[k][np.ix_([2, 0], [2, 0])]  # the marginal
        distance = np.einsum("in,ij,jn->n", points, np.linalg.inv(covariance), points)
        np.testing.assert_allclose(distance, 1, rtol=1e-9)
        assert centres[k].tolist() == mixture.means[k, [2, 0]].tolist()


@pytest.mark.parametrize("labels", [1, 2, 13, pytest.param(50, marks=pytest.mark.long)])
@pytest.mark.parametrize("d", [1, 2])
def test_a_field_per_label(labels: int, d: int) -> None:
    found = model_figure(model(labels, d))
    titles = [axes.get_title() for axes in found.axes]
    assert [title for title in titles if title.startswith("label")] == [f"label ${i}" for i in range(labels)]
    assert len([title for title in titles if title and not title.startswith("label")]) == 2


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
@pytest.mark.parametrize("kind", ["diag", "tied"])
def test_pictures_are_written(kind: str, suffix: str, tmp_path: Path) -> None:
    model_picture(model(3, 4, kind), tmp_path / f"model.{suffix}", (1, 3))
    assert (tmp_path / f"model.{suffix}").stat().st_size > 5000


def test_a_real_model(trained: Trained, tmp_path: Path) -> None:
    model_picture(trained.classifier, tmp_path / "model.png")
    picture = matplotlib.image.imread(tmp_path / "model.png")
    assert picture.shape[0] > 500
    assert 0.5 < picture[..., :3].mean() < 0.999  # neither black nor blank


def test_fits_that_the_model_does_not_know_are_said() -> None:
    words = [text.get_text() for axes in model_figure(model(2, curves=False)).axes for text in axes.texts]
    assert "not kept in the model" in words


@pytest.mark.parametrize(("n", "weights"), [(1, [1.0]), (4, [0.25] * 4), (2, [0.5, 0.5, 0.0])])
def test_equal_weights_count_for_their_number(n: int, weights: list[float]) -> None:
    assert effective(np.array(weights)) == pytest.approx(n)


@pytest.mark.parametrize("dimensions", [(0, 0), (0, 3), (-1, 0)])
def test_dimensions_that_are_not_there(dimensions: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="dimensions") as caught:
        model_figure(model(2, 3), dimensions)
    assert caught.value.code == "bad_dimension"


def test_other_formats_and_other_scorers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.png"):
        model_picture(model(2), tmp_path / "model.gif")

    class Other:
        score_kind = "logit"

    with pytest.raises(DataError) as caught:
        model_figure(Classifier(("a", "b"), Other(), PRESETS["speech"]))
    assert caught.value.code == "no_mixtures"


def fields(found: Classifier) -> list[Axes]:
    return [axes for axes in model_figure(found).axes if axes.get_title() == "log-likelihood still to gain"]


def test_a_model_that_was_adapted_shows_the_fit_of_its_background() -> None:
    # Two steps of 1 and 0.5 nats before the end.
    known = {"background": {"log_likelihood": [-9.0, -8.0, -7.5]}, "classes": {"label $0": {"clips": 3}}}
    (field,) = fields(replace(model(2, curves=False), training=known))
    (curve,) = field.get_lines()
    assert curve.get_ydata().tolist() == [1.5, 0.5]
    assert [text.get_text() for text in field.get_legend().get_texts()] == ["background"]


def test_names_of_the_curves_stand_beside_them() -> None:
    found = model(4)
    figure = model_figure(found)
    figure.canvas.draw()
    (field,) = [axes for axes in figure.axes if axes.get_title() == "log-likelihood still to gain"]
    assert [text.get_text() for text in field.get_legend().get_texts()] == [f"label ${i}" for i in range(4)]
    assert field.get_legend().get_window_extent().x0 >= field.get_window_extent().x1 - 1


def test_a_field_without_curves_has_no_axes() -> None:
    (field,) = fields(model(2, curves=False))
    assert not field.axison
