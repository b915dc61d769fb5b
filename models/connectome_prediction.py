"""Traits predicted from connectomes by linear models, the control beside every twin.

Two methods. ``"edge_sums"`` is connectome-based predictive modeling (Shen et al. 2017, Nature
Protocols 12:506): edges whose correlation with the trait is significant are summed, those with a
positive correlation and those with a negative one apart, and a linear model is fitted to the two
sums. ``"components"`` is a ridge regression on principal components of all edges, which is hard to
beat with fMRI at this number of people.

Whatever is chosen (the significance, the number of components, the penalty) is chosen by
cross-validation among the training people, and the people to predict enter nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtb_runtime.errors import DataError, MissingDependencyError, UsageError

Method: TypeAlias = Literal["edge_sums", "components"]
METHODS: tuple[Method, ...] = get_args(Method)

SIGNIFICANCE = (0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
"""Two-sided p of an edge's correlation below which it is taken; one of these is chosen."""
N_COMPONENTS = (5, 10, 20, 40, 80, 160)
"""Principal components that the ridge regression may use, as far as there are people for them."""
PENALTIES = tuple(float(10.0**power) for power in np.arange(-3, 4.5, 0.5))
"""Ridge penalties, in units of the components' mean variance times the number of people."""
N_INNER_FOLDS = 5
MIN_PEOPLE = 20
"""Fewer people in training leave nothing to choose with."""

Floats = NDArray[np.float64]


def predict_from_connectomes(
    edges_train: ArrayLike,
    values_train: ArrayLike,
    edges_test: ArrayLike,
    seed: int = 0,
    *,
    method: Method = "edge_sums",
) -> Floats:
    """Predict what people are like from their connectomes, having learned it on others.

    Parameters
    ----------
    edges_train : array_like, shape (n_train, n_edges)
        Fisher z of the upper triangle, as `Connectome.edges` gives it.
    values_train : array_like, shape (n_train,) or (n_train, n_targets)
        What to predict, each target on its own; a person with NaN does not train that target.
    edges_test : array_like, shape (n_test, n_edges)
    seed : int
        Decides the inner folds.
    method : "edge_sums" or "components"

    Returns
    -------
    numpy.ndarray, shape (n_test,) or (n_test, n_targets)
        In the unit of `values_train`. Where no edge is significant at any level that was tried, or
        the values do not differ, the training people's mean.

    Raises
    ------
    UsageError
        If the method is unknown.
    DataError
        If shapes do not go together, edges are not finite, all training connectomes are the same,
        or a target is known of fewer than 20 training people.
    MissingDependencyError
        If scikit-learn is not installed.
    """
    if method not in METHODS:
        raise UsageError(f"The method must be one of {', '.join(METHODS)}, found {method!r}.")
    train, test, targets = _checked(edges_train, values_train, edges_test)
    _require_sklearn()
    fit: Callable[[Floats, Floats, Floats, int], Floats]
    fit = _edge_sums if method == "edge_sums" else _components
    reduced: dict[bytes, tuple[Floats, Floats]] = {}
    predictions = []
    for values in targets.T:
        known = np.isfinite(values)
        if known.sum() < MIN_PEOPLE:
            raise DataError(
                f"Learning from connectomes needs values of at least {MIN_PEOPLE} training people, "
                f"found {int(known.sum())} of {len(values)}. Give more people, or fewer folds."
            )
        if np.ptp(values[known]) == 0:
            predictions.append(np.full(len(test), values[known][0]))
            continue
        here = train[known], test
        if method == "components":
            # Shared by all targets that the same people have.
            if known.tobytes() not in reduced:
                reduced[known.tobytes()] = _rotated(*here)
            here = reduced[known.tobytes()]
        predictions.append(fit(here[0], values[known], here[1], seed))
    table = np.stack(predictions, axis=1)
    return table[:, 0] if np.ndim(values_train) == 1 else table


def predict_held_out(
    edges: ArrayLike,
    values: ArrayLike,
    parts: Sequence[ArrayLike],
    seed: int = 0,
    *,
    method: Method = "edge_sums",
) -> Floats:
    """Predict every person from the people of the other parts.

    Parameters
    ----------
    edges : array_like, shape (n_people, n_edges)
        Fisher z.
    values : array_like, shape (n_people,) or (n_people, n_targets)
        NaN where not known; these people are predicted all the same.
    parts : sequence of array_like of int
        Rows of each part; together they are everybody once.
    seed, method
        As in `predict_from_connectomes`.

    Returns
    -------
    numpy.ndarray, as `values`

    Raises
    ------
    UsageError
        If the parts are not everybody once.
    DataError, MissingDependencyError
        As `predict_from_connectomes`.
    """
    table = np.asarray(edges)
    known = np.asarray(values, np.float64)
    rows = [np.asarray(part, np.int64) for part in parts]
    everybody = np.sort(np.concatenate(rows)) if rows else np.zeros(0, np.int64)
    if not np.array_equal(everybody, np.arange(len(table))) or len(rows) < 2:
        raise UsageError(
            f"At least two parts must together hold each of the {len(table)} people once, found "
            f"{len(rows)} parts with {len(everybody)} people."
        )
    predictions = np.full(known.shape, np.nan)
    for part in rows:
        others = np.setdiff1d(everybody, part)
        predictions[part] = predict_from_connectomes(
            table[others], known[others], table[part], seed, method=method
        )
    return predictions


def _checked(
    edges_train: ArrayLike, values_train: ArrayLike, edges_test: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    # Single precision is what connectomes come in; sums and products below are of float64.
    train, test = np.asarray(edges_train), np.asarray(edges_test)
    values = np.asarray(values_train, np.float64)
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
        raise DataError(
            "Edges of training and test people must be two tables of people by the same edges, "
            f"found shapes {train.shape} and {test.shape}."
        )
    if values.ndim not in (1, 2) or len(values) != len(train):
        raise DataError(
            f"Expected one value, or one row of values, for each of the {len(train)} training "
            f"people, found shape {values.shape}."
        )
    for name, table in (("training", train), ("test", test)):
        bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
        if len(bad):
            raise DataError(
                f"Edges must be finite; those of {len(bad)} {name} people are not, first in row "
                f"{bad[0]} (counted from 0). Leave these people out."
            )
    if not np.ptp(train, axis=0).any():
        raise DataError(
            f"The connectomes of the {len(train)} training people are all the same, so nothing can "
            "be learned from them. Give each person's own."
        )
    return train, test, values.reshape(len(values), -1)


def _require_sklearn() -> None:
    try:
        import sklearn  # noqa: F401
    except ImportError as cause:
        raise MissingDependencyError(
            "Predicting from connectomes needs scikit-learn, which is not installed: "
            'pip install "dtb-runtime[evaluate]".'
        ) from cause


def _edge_sums(train: Floats, values: Floats, test: Floats, seed: int) -> Floats:
    from sklearn.model_selection import KFold

    errors = np.zeros(len(SIGNIFICANCE))
    for inner, held_out in KFold(N_INNER_FOLDS, shuffle=True, random_state=seed).split(train):
        r = _correlations(train[inner], values[inner])
        for k, alpha in enumerate(SIGNIFICANCE):
            expected = _from_sums(train[inner], values[inner], train[held_out], r, alpha)
            errors[k] += np.square(expected - values[held_out]).sum()
    alpha = SIGNIFICANCE[int(np.argmin(errors))]
    return _from_sums(train, values, test, _correlations(train, values), alpha)


def _correlations(edges: Floats, values: Floats) -> Floats:
    """Return each edge's correlation with the values, shape (n_edges,); 0 where it is constant."""
    from sklearn.feature_selection import r_regression

    return np.asarray(r_regression(edges, values))


def _from_sums(train: Floats, values: Floats, test: Floats, r: Floats, alpha: float) -> Floats:
    """Fit a linear model to the sums of the significant edges, and apply it."""
    from sklearn.linear_model import LinearRegression

    limit = critical_correlation(alpha, len(values))
    networks = np.stack([r > limit, r < -limit], axis=1).astype(train.dtype)
    # LinearRegression is least squares of smallest norm, so a network without edges, whose sum is
    # always 0, gets no coefficient, and without any edge the mean is left.
    model = LinearRegression().fit(train @ networks, values)
    return np.asarray(model.predict(test @ networks), np.float64)


def critical_correlation(alpha: float, n_people: int) -> float:
    """Return the |r| at which a correlation over so many people has this two-sided p."""
    from scipy.stats import t

    critical = float(t.isf(alpha / 2, n_people - 2))
    return float(critical / np.sqrt(n_people - 2 + critical**2))


def _rotated(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Return the edges in as many coordinates as there are training people.

    A rotation into the space that the training people span. Principal components and ridge
    regression, also of a part of these people, come out the same as from the edges themselves, and
    take thousandths of the time.
    """
    mean = train.mean(axis=0, dtype=np.float64)
    centered = train - mean
    sizes, vectors = np.linalg.eigh(centered @ centered.T)
    kept = sizes > sizes[-1] * 1e-10
    basis = vectors[:, kept][:, ::-1] / np.sqrt(sizes[kept][::-1])
    spread = np.sqrt(sizes[kept].sum() / len(train) / kept.sum())
    rotated = [(part @ centered.T @ basis) / spread for part in (centered, test - mean)]
    return rotated[0], rotated[1]


def _components(train: Floats, values: Floats, test: Floats, seed: int) -> Floats:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline

    penalties = np.array(PENALTIES) * len(values)
    most = min(len(values) - -(-len(values) // N_INNER_FOLDS) - 1, train.shape[1])
    numbers = np.array([n for n in N_COMPONENTS if n < most] + [most])
    errors = np.zeros((len(numbers), len(penalties)))
    for inner, held_out in KFold(N_INNER_FOLDS, shuffle=True, random_state=seed).split(train):
        components = PCA(most, svd_solver="full").fit(train[inner])
        scores, mean = components.transform(train[inner]), values[inner].mean()
        # Scores are orthogonal, so each component's coefficient is its own, whatever the others.
        slopes = scores.T @ (values[inner] - mean)
        powers = np.square(scores).sum(axis=0)
        coefficients = slopes / (powers + penalties[:, None])
        steps = components.transform(train[held_out])[:, None] * coefficients
        expected = mean + np.cumsum(steps, axis=2)[:, :, numbers - 1]
        errors += np.square(expected - values[held_out, None, None]).sum(axis=0).T
    n, penalty = np.unravel_index(int(np.argmin(errors)), errors.shape)
    model = make_pipeline(
        PCA(int(numbers[n]), svd_solver="full"), Ridge(alpha=float(penalties[penalty]))
    )
    return np.asarray(model.fit(train, values).predict(test), np.float64)
