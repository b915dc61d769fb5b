"""The search for the latent that a person's trials make likeliest, and the posterior around it.

Under the hazard reading the trials' likelihood is that of a discrete-time survival model, and every
step of it is a Bernoulli trial in the action's logit. So the likeliest latent is found by
Gauss-Newton: the Jacobian of the logits by finite differences over the few numbers of the latent,
the curvature ``p (1 - p)`` per step. Around it the posterior is nearly normal; what it is not is
put right by importance sampling, whose mean and covariance are what is kept.

Whoever misses many trials may be slow, or let trials pass. Both are tried, and what makes
the trials likelier is taken.

Numbers of the latent that change BOLD but no action are not searched: given the others they follow
the prior.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .lapses_and_slips import TRIALS_BEFORE, lapse_rates, rates_of_many_misses
from .latent import LatentDistribution
from .trial_likelihood import LAPSES, TrialLikelihood

MAX_STEPS = 25
"""Gauss-Newton steps after which a search ends wherever it is."""
N_DRAWS = 512
"""Draws of the importance sampling."""
TOLERANCE = 0.15
"""The search ends where the next step would be shorter than this, in posterior SDs. Importance
sampling goes the rest of the way, and would go it from anywhere near."""

MAX_ROUNDS = 4
"""How often rates of lapses are found anew, and the latent after them."""
RATE_TOLERANCE = 0.01
"""Rates that change by no more than this are found."""

_DIFFERENCE = 0.1  # length of finite differences, in prior SDs at first, then in posterior SDs
_SHORTEST = 0.01  # the posterior SD, in prior SDs, below which differences are not shortened
_STEP_SHARES = (1.0, 0.5, 0.25, 0.1)  # tried in turn until one leads down
_FIRST_DAMPING, _MOST_DAMPING = 0.01, 1e3


@dataclass(frozen=True, slots=True, eq=False)
class FoundPosterior:
    """The latent's distribution given trials, and how it was found."""

    posterior: LatentDistribution
    """The latent given the trials."""
    log_likelihood: float
    """Log probability of the trials at the likeliest latent, in nats."""
    prior_log_likelihood: float
    """The same at the prior's mean, with the same rates of lapses."""
    steps: int
    """Gauss-Newton steps."""
    converged: bool
    """Whether the last step was too small to matter."""
    effective_draws: float
    """How many independent draws of the posterior its mean and covariance are worth."""

    @classmethod
    def unchanged(cls, prior: LatentDistribution, log_likelihood: float) -> FoundPosterior:
        """The prior itself, where trials say nothing of the latent."""
        return cls(prior, log_likelihood, log_likelihood, 0, True, float(N_DRAWS))


def find_posterior(
    prior: LatentDistribution, likelihood: TrialLikelihood, *, seed: int = 0
) -> FoundPosterior:
    """Find the latent's distribution given trials.

    Parameters
    ----------
    prior : LatentDistribution
        The latent before any trial was seen.
    likelihood : TrialLikelihood
        Of the trials, at least one.
    seed : int
        Of the draws that refine the posterior, 0 or more.
    """
    space, first = Space.around(prior, likelihood)
    if not len(first.place):
        return FoundPosterior.unchanged(prior, first.log_likelihood)
    many = rates_of_many_misses(likelihood.runs)
    space, mode, steps, converged = find_mode_and_lapses(space, first, many)
    mean, root, effective_draws = _refine(space, mode, seed)
    return FoundPosterior(
        posterior=space.whole(mean, root),
        log_likelihood=mode.log_likelihood,
        prior_log_likelihood=-float(space.cost(np.zeros((1, len(mode.place))))[0]),
        steps=steps,
        converged=converged,
        effective_draws=effective_draws,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A place in the search and the shape of the cost there."""

    place: NDArray[np.float64]
    """Shape (n_active,), in prior SDs from the prior's mean."""
    log_likelihood: float
    cost: float
    """Negative log of the posterior's density, up to a constant."""
    gradient: NDArray[np.float64]
    """Of the cost, shape (n_active,)."""
    curvature: NDArray[np.float64]
    """Of the cost, as Gauss and Newton take it, shape (n_active, n_active)."""

    def step(self, damping: float = 0.0) -> NDArray[np.float64]:
        """Where the lowest cost is expected from here, less far the more it is damped."""
        damped = self.curvature + damping * np.diag(np.diag(self.curvature))
        return np.asarray(np.linalg.solve(damped, -self.gradient), dtype=np.float64)

    def laplace(self) -> LatentDistribution:
        """The posterior, were this its mode and the cost a parabola."""
        inverse_root = np.linalg.inv(np.linalg.cholesky(self.curvature))
        return LatentDistribution(self.place, np.asarray(inverse_root.T @ inverse_root))

    def basis(self) -> NDArray[np.float64]:
        """Directions for finite differences near here, in rows.

        A little longer than the posterior's own: where a step changes how the network behaves,
        slopes over ever shorter differences would be ever steeper.
        """
        spread = self.laplace().covariance + _SHORTEST**2 * np.eye(len(self.place))
        return np.asarray(_DIFFERENCE * np.linalg.cholesky(spread).T, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """The numbers of the latent that actions depend on, standardized by the prior."""

    likelihood: TrialLikelihood
    prior: LatentDistribution
    active: NDArray[np.int64]
    """Which numbers of the latent they are, shape (n_active,)."""
    scale: NDArray[np.float64]
    """Root of the prior's covariance of them, shape (n_active, n_active)."""

    @classmethod
    def around(cls, prior: LatentDistribution, likelihood: TrialLikelihood) -> tuple[Space, Point]:
        """The space, and the prior's mean as a point in it."""
        away = _DIFFERENCE * np.diag(prior.sd)
        logits = likelihood.logits(prior.mean + np.vstack([np.zeros(prior.size), away]))
        moved = np.any([(own[1:] != own[:1]).any(axis=(1, 2)) for own in logits], axis=0)
        active = np.flatnonzero(moved)
        scale = np.linalg.cholesky(prior.covariance[np.ix_(active, active)])
        space = cls(likelihood, prior, active, np.asarray(scale, dtype=np.float64))
        basis = np.linalg.solve(scale, away[np.ix_(active, active)]).T
        kept = [own[np.concatenate([[0], active + 1])] for own in logits]
        return space, space._point(np.zeros(len(active)), basis, kept)

    def point(self, place: NDArray[np.float64], basis: NDArray[np.float64]) -> Point:
        """A place (n_active,), with slopes from finite differences along the rows of a basis."""
        return self._point(place, basis, self._logits(np.vstack([place, place + basis])))

    def cost(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cost of several places (n, n_active), shape (n,)."""
        fit = self.likelihood.log_likelihood(self._logits(places))
        return np.asarray(0.5 * np.square(places).sum(axis=1) - fit)

    def first_basis(self) -> NDArray[np.float64]:
        """Directions for finite differences at the prior's mean, in rows."""
        return _DIFFERENCE * np.eye(len(self.active))

    def lapse_rates_at(self, place: NDArray[np.float64]) -> dict[str, float]:
        """The likeliest rates of lapses at a place, by task."""
        logits = [own[0] for own in self._logits(place[np.newaxis])]
        return lapse_rates(self.likelihood.runs, logits)

    def whole(self, mean: NDArray[np.float64], root: NDArray[np.float64]) -> LatentDistribution:
        """The latent's distribution from that of a place; the other numbers follow the prior."""
        prior, active = self.prior, self.active
        # Their regression on the active ones.
        along = prior.covariance[:, active] @ np.linalg.inv(self.scale).T
        moved, spread = along @ mean, along @ root
        rest = prior.covariance - along @ along.T
        rest[active] = rest[:, active] = 0.0  # nothing, but for rounding
        return LatentDistribution(prior.mean + moved, spread @ spread.T + rest)

    def _logits(self, places: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        latents = np.tile(self.prior.mean, (len(places), 1))
        latents[:, self.active] += places @ self.scale.T
        return self.likelihood.logits(latents)

    def _point(
        self,
        place: NDArray[np.float64],
        basis: NDArray[np.float64],
        logits: list[NDArray[np.float64]],
    ) -> Point:
        here = [own[0] for own in logits]
        fit = float(self.likelihood.log_likelihood([own[:1] for own in logits])[0])
        slope, curvature = self.likelihood.residuals(here)
        n = len(basis)
        changes = np.hstack([(own[1:] - own[0]).reshape(n, own[0].size) for own in logits])
        back = np.linalg.inv(basis)
        return Point(
            place=place,
            log_likelihood=fit,
            cost=float(0.5 * place @ place - fit),
            gradient=place + back @ (changes @ slope),
            curvature=np.eye(n) + back @ ((changes * curvature) @ changes.T) @ back.T,
        )


def find_mode(space: Space, point: Point, max_steps: int | None = None) -> tuple[Point, int, bool]:
    """Walk from a point to the likeliest one: that point, the steps, and whether it was reached."""
    max_steps = MAX_STEPS if max_steps is None else max_steps
    damping = _FIRST_DAMPING
    for n_steps in range(max_steps):
        if point.step() @ -point.gradient < TOLERANCE**2:
            return point, n_steps, True
        place = _lower(space, point, point.step(damping))
        while place is None and damping < _MOST_DAMPING:
            damping *= 10.0
            place = _lower(space, point, point.step(damping))
        if place is None:
            return point, n_steps, False
        damping *= 0.3
        point = space.point(place, point.basis())
    return point, max_steps, False


def find_mode_and_lapses(
    space: Space, first: Point, many: Mapping[str, float]
) -> tuple[Space, Point, int, bool]:
    """Walk to the likeliest point, and to the likeliest rates of lapses in tasks with many misses.

    Parameters
    ----------
    space : Space
    first : Point
        Where the search begins.
    many : mapping of str to float
        Tasks with many misses, and the rate if all of these are lapses. Without any the search has
        the rates of the space.

    Returns
    -------
    space, point, steps, converged
        The space has the rates that were found; the steps are those of both searches, at
        most twice `MAX_STEPS`.
    """
    if not many:
        return (space, *find_mode(space, first))
    best, best_cost, total = None, np.inf, 0
    for rates in (many, dict.fromkeys(many, LAPSES)):  # misses are lapses; or the person is slow
        own = replace(space, likelihood=space.likelihood.with_lapses(rates))
        begin = own.point(first.place, own.first_basis())
        point, steps, converged = find_mode(own, begin)
        for _ in range(MAX_ROUNDS):
            found = own.lapse_rates_at(point.place)
            known = {task: found[task] for task in many}
            if all(abs(rate - rates[task]) <= RATE_TOLERANCE for task, rate in known.items()):
                break
            rates = known
            own = replace(space, likelihood=space.likelihood.with_lapses(rates))
            begin = own.point(point.place, point.basis())
            point, more, converged = find_mode(own, begin, MAX_STEPS - steps)
            steps += more
        total += steps
        cost = point.cost - TRIALS_BEFORE * sum(np.log1p(-rate) for rate in rates.values())
        if cost < best_cost:
            best, best_cost = (own, point, converged), cost
    if best is None:  # no cost is a number; the search from where it began says so
        return (space, *find_mode(space, first))
    own, point, converged = best
    return own, point, total, converged


def _lower(space: Space, point: Point, step: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """A place of lower cost along a step, None if there is none."""
    for share in _STEP_SHARES:
        place = point.place + share * step
        if space.cost(place[np.newaxis])[0] < point.cost:
            return place
    return None


def _refine(
    space: Space, mode: Point, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Mean of the posterior, root of its covariance, and how many draws they are worth."""
    laplace = mode.laplace()
    draws = laplace.standard_draws(N_DRAWS, seed=seed)
    log_weight = 0.5 * np.square(draws).sum(axis=1)
    log_weight -= space.cost(laplace.mean + draws @ laplace.root.T)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    # A few draws that the normal approximation finds too seldom must not decide alone.
    weight = np.minimum(weight, N_DRAWS**-0.5)
    weight /= weight.sum()
    effective = float(1.0 / np.square(weight).sum())
    center = weight @ draws
    spread = _shrunk(((draws - center).T * weight) @ (draws - center), effective)
    root = laplace.root @ np.linalg.cholesky(spread)
    return mode.place + laplace.root @ center, root, effective


def _shrunk(covariance: NDArray[np.float64], effective: float) -> NDArray[np.float64]:
    """Draw a weighted covariance towards 1, as far as chance alone can have taken it from there.

    Ledoit and Wolf's rule; equal weights would give exactly 1, so chance is only in what weights
    differ. Of few effective draws the covariance as it is is hardly nearer to that of thousands of
    draws than the normal approximation; after this it is.
    """
    one = np.eye(len(covariance))
    spread = np.trace(covariance) ** 2 + np.square(covariance).sum()
    chance = spread * max(1.0 / effective - 1.0 / N_DRAWS, 0.0)
    distance = np.square(covariance - one).sum()
    share = 1.0 if distance <= chance else chance / distance
    return np.asarray((1.0 - share) * covariance + share * one, dtype=np.float64)
