"""What is refused, and what is warned of, in scikit-learn's terms: settings, starts given, rows, outcomes of fits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral
from numbers import Real as RealNumber
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import KINDS
from gmmaudio.gmm.em import Fit
from gmmaudio.gmm.mixture import BLOCK
from gmmaudio.gmm.shards import Shard

Real = NDArray[np.floating]
Floats = NDArray[np.float64]

LARGE_SHARE = 1e-3  # of a column's variance: what reg_covar may add to it without a word


class RegularisationWarning(UserWarning):
    """``reg_covar`` is large beside the variance of a column, or all that is left of a component's."""


def column_variances(sample: Real) -> Floats:
    """The variance (d,) of what each column shows; zero where it shows nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's word on a column of NaN
        return np.asarray(np.nan_to_num(np.nanvar(sample, axis=0, dtype=np.float64)))


def collapse(sample: Real, variances: Floats, reg_covar: float) -> Floats:
    """The variances (d,) that are all ``reg_covar`` and rounding in the sample's precision."""
    return np.asarray((1 + LARGE_SHARE) * reg_covar + 10 * np.finfo(sample.dtype).eps * variances)


def warn_of_large(reg_covar: float, variances: Floats) -> None:
    """Warn where ``reg_covar`` changes a column's variance (d,) by more than a thousandth."""
    swamped = np.flatnonzero(reg_covar > LARGE_SHARE * variances)
    if len(swamped):
        column = swamped[variances[swamped].argmin()]
        warnings.warn(
            f"reg_covar={reg_covar:g} is more than {LARGE_SHARE:g} of the variance of {len(swamped)} of"
            f" {len(variances)} columns (column {column}: variance {variances[column]:g}); scale the data or lower it",
            RegularisationWarning,
            stacklevel=3,
        )


def remark(fits: Sequence[Fit], names: Sequence[str]) -> None:
    """Warn of fits that did not converge and of components that collapsed."""
    late = [name for fit, name in zip(fits, names, strict=True) if not fit.converged]
    if late:
        message = f"EM did not converge for {', '.join(late)}; try more max_iter, a larger tol or another start"
        warnings.warn(message, ConvergenceWarning, stacklevel=3)
    floored = sum(fit.floored for fit in fits)
    if floored:
        warnings.warn(
            f"{floored} variances have collapsed: all that is left of them is reg_covar, for the component stands on"
            " repeated rows or the column is constant; try fewer components or a larger reg_covar",
            RegularisationWarning,
            stacklevel=3,
        )


def require_finite(values: Real, gaps: bool = False, advice: str = "repair or drop the row") -> None:
    """Refuse rows (n, d) that are not finite, naming the first, in words that scikit-learn's users look for.

    Parameters
    ----------
    values : (n, d)
    gaps : bool, default False
        Let NaN pass.
    advice : str
        What to try where there is a NaN.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        bad = np.argwhere(np.isinf(block) if gaps else ~np.isfinite(block))
        if len(bad):
            row, column = bad[0]
            what = "NaN" if np.isnan(block[row, column]) else f"infinity ({block[row, column]})"
            advice = advice if what == "NaN" else "repair or drop the row"
            raise DataError("non_finite", f"Input X contains {what}: row {start + row}, column {column}", advice)


def require_rows(shards: Sequence[Shard], components: int, where: str = "") -> None:
    """Refuse fewer rows (of positive weight) than components."""
    rows = sum(len(shard.load()) if shard.weights is None else np.count_nonzero(shard.weights) for shard in shards)
    if rows < components:
        raise DataError(
            "too_few_frames",
            f"{where}expected n_samples >= n_components, got n_components = {components}, n_samples = {rows}",
            "rows of weight zero do not count",
        )


def require_common(estimator: Any) -> None:
    """Check the settings that both estimators have."""
    require_number("n_components", estimator.n_components, Integral, 1)
    require_number("max_iter", estimator.max_iter, Integral, 0)
    require_number("tol", estimator.tol, RealNumber, 0)
    require_number("reg_covar", estimator.reg_covar, RealNumber, 0)
    require_number("relative_floor", estimator.relative_floor, RealNumber, 0)
    require_choice("covariance_type", estimator.covariance_type, KINDS)


def require_number(name: str, value: Any, kind: Any, least: float) -> None:
    """Refuse what is not a number of this kind, at least ``least``."""
    if not isinstance(value, kind) or isinstance(value, bool) or not value >= least:
        what = "a whole number" if kind is Integral else "a number"
        raise DataError("bad_setting", f"{name} must be {what} of at least {least}, got {value!r}")


def require_choice(name: str, value: Any, allowed: Any) -> None:
    """Refuse what is not one of the names allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise DataError("bad_setting", f"{name} must be one of {', '.join(sorted(allowed))}; got {value!r}")


def require_array(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Floats:
    """An array of finite numbers of this shape, or a DataError."""
    array = np.asarray(value, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise DataError("bad_setting", f"{name} must be finite numbers of shape {shape}, got shape {array.shape}")
    return array


def require_shares(name: str, value: ArrayLike, n: int) -> Floats:
    """Numbers (n,), not negative, that sum to one, or a DataError."""
    shares = require_array(name, value, (n,))
    if (shares < 0).any() or abs(shares.sum() - 1) > 1e-6:
        raise DataError("bad_setting", f"{name} must not be negative and sum to 1, got sum {shares.sum():g}")
    return shares


def given_parts(
    kind: str,
    shape: tuple[int, int],
    weights: ArrayLike | None,
    means: ArrayLike | None,
    precisions: ArrayLike | None,
) -> dict[str, Any]:
    """The fields of a Mixture of this shape (k, d) that the caller gave, checked."""
    given: dict[str, Any] = {}
    if weights is not None:
        given["weights"] = require_shares("weights_init", weights, shape[0])
    if means is not None:
        given["means"] = require_array("means_init", means, shape)
    if precisions is not None:
        array = require_array("precisions_init", precisions, KINDS[kind].shape(*shape))
        try:
            given["covariance"] = KINDS[kind](KINDS[kind].inverse(array))
        except np.linalg.LinAlgError as error:
            allowed = "positive numbers, or symmetric positive definite matrices"
            raise DataError("bad_setting", f"precisions_init must be {allowed}: {error}") from error
    return given
