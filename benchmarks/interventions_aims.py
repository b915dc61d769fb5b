"""What was aimed at with interventions, and whether it was reached: computed from the figures."""

from __future__ import annotations

from collections.abc import Mapping

import interventions_direction as direction
import interventions_gradients as gradients
import interventions_people as people
import interventions_trial as trial
import numpy as np
from interventions_words import Figures, percent
from page_aims import Aim, AimRow, Sections, judged
from results_claims import Verdict

IN_PEOPLE = 0.95
SELECTIVE_SD = 0.1
STABLE_R = 0.99
GRADIENT_S = 2.0


def aims(sections: Sections) -> list[Aim]:
    """Return every aim with its verdict."""
    return judged(_AIMS, sections)


def _gradients(figures: Figures) -> Verdict:
    error = gradients.largest_error(figures)
    n_edges = len(figures["compared"]["relative_errors"][0])
    detail = f"{error:.1e} ({len(figures['compared']['names'])} indicators, {n_edges} edges)"
    return Verdict(_GRADIENTS, error < gradients.LIMIT, detail)


def _gradient_time(figures: Figures) -> Verdict:
    seconds = gradients.slowest(figures)
    return Verdict(_GRADIENT_TIME, seconds <= GRADIENT_S, f"{seconds:.2f} s (three indicators)")


def _reach(figures: Figures) -> Verdict:
    found = {name: people.share_within(of["rows"]) for name, of in figures.items()}
    return Verdict(_IN_95, min(found.values()) >= IN_PEOPLE, _each(found))


def _chance(figures: Figures) -> Verdict:
    found = {name: people.share_beyond(of["rows"]) for name, of in figures.items()}
    return Verdict(_IN_95, min(found.values()) >= IN_PEOPLE, _each(found))


def _selective(figures: Figures) -> Verdict:
    found = {name: people.held(of["rows"]) for name, of in figures.items()}
    words = "; ".join(f"`{name}` plan: {value:.4f} SD" for name, value in found.items())
    return Verdict(_SELECTIVE, max(found.values()) < SELECTIVE_SD, words)


def _true(figures: Figures) -> Verdict:
    words, ways = [], []
    for name, of in figures.items():
        shares = people.true_shares(of["rows"])
        ways.append(float(np.mean(shares > 0)))
        words.append(
            f"`{name}` {percent(ways[-1])} of people, median share {np.median(shares):.2f}"
        )
    return Verdict(_TRUE, min(ways) >= IN_PEOPLE, "; ".join(words))


def _possible(figures: Figures) -> Verdict:
    found = [people.is_possible(row) for of in figures.values() for row in of["rows"]]
    return Verdict(_POSSIBLE, all(found), f"{sum(found)} of {len(found)}")


def _stable(figures: Figures) -> Verdict:
    found = {name: direction.stability(of) for name, of in figures.items()}
    words = "; ".join(f"`{name}` {value:.4f}" for name, value in found.items())
    return Verdict(_STABLE, min(found.values()) > STABLE_R, words)


def _monotonic(figures: Figures) -> Verdict:
    found = {name: direction.share_monotonic(of) for name, of in figures.items()}
    return Verdict(_MONOTONIC, min(found.values()) >= IN_PEOPLE, _each(found))


def _correlated(figures: Figures) -> Verdict:
    found = {name: direction.r_people(of) for name, of in figures.items()}
    words = "; ".join(f"`{name}` {value:.2f}" for name, value in found.items())
    is_reached = all(value >= direction.PAPER[name] for name, value in found.items())
    return Verdict(_CORRELATED, is_reached, words)


def _trial_time(figures: Figures) -> Verdict:
    minutes = figures["seconds"] / 60
    detail = f"{minutes:.1f} min, {figures['n_people']} people, {figures['n_failed']} failed"
    return Verdict(_TRIAL_TIME, minutes <= trial.LIMIT_MIN, detail)


def _each(found: Mapping[str, float]) -> str:
    return "; ".join(f"`{name}` {percent(value)}" for name, value in found.items())


_GRADIENTS = f"below {gradients.LIMIT:g}"
_GRADIENT_TIME = f"at most {GRADIENT_S:g} s"
_IN_95 = f"at least {percent(IN_PEOPLE)} of people"
_SELECTIVE = f"less than {SELECTIVE_SD:g} SD in the median person"
_TRUE = "the planned direction; the share is reported"
_POSSIBLE = "every one"
_STABLE = f"r above {STABLE_R:g}"
_MONOTONIC = "monotonic to 2.5 SD"
_CORRELATED = "the paper's .59 and .68 (of measured indicators; here of the twins' own)"
_TRIAL_TIME = f"at most {trial.LIMIT_MIN:g} min"
_AIMS: tuple[AimRow, ...] = (
    ("Gradient against central differences in float64", "gradients", _GRADIENTS, _gradients),
    ("Gradients of one person, both tasks", "gradients", _GRADIENT_TIME, _gradient_time),
    ("Personal plan of 0.5 SD, run through ONNX again: within 10 %", "people", _IN_95, _reach),
    ("Beyond the 99th percentile of random changes", "people", _IN_95, _chance),
    ("Selectivity: what is held moves", "people", _SELECTIVE, _selective),
    ("Planted truth: what was planted moves with the plan", "people", _TRUE, _true),
    ("Edited connectomes are possible", "people", _POSSIBLE, _possible),
    ("Paper's way: SmoothGrad over noise and copies", "direction", _STABLE, _stable),
    ("Paper's way: dose-response of W + alpha v", "direction", _MONOTONIC, _monotonic),
    ("Paper's way: |r| of score and indicator", "direction", _CORRELATED, _correlated),
    ("Trial of 228 people with personal plans", "trial", _TRIAL_TIME, _trial_time),
)
