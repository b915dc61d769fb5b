"""What harmonizing does to simulated people of three sites: what goes, what stays, what is left.

Connectomes are simulated as those of the shipped bundle. On every edge (Fisher z) three sites plant
a shift and a spread, and age a slope; the sites' people are of different ages. Shifts are of all
edges, of pairs of networks and of single edges; in a second part also along the directions in which
people differ most. Site effects are fitted on reference people and
taken off others with `dtb-run score`'s own path. In the end stands what that costs.

    python benchmarks/harmonization.py                  # 10, 20 and 40 reference people a site
    python benchmarks/harmonization.py --reference 20 --people 20 --json
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import tracemalloc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f_oneway
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from dtb_models.simulation import SimulatedCohort
from dtb_models.site_effects import ReferencePeople, fit_sites
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_change import membership
from dtb_runtime.edges import correlations_from_edges, fisher_z
from dtb_runtime.harmonization import Harmonization
from dtb_runtime.harmonization_file import HarmonizationFile, write_harmonization
from dtb_runtime.plan import parcellation_of
from dtb_runtime.scoring import ScoreSettings

Floats = NDArray[np.float64]
SITES = ("A", "B", "C")
AGES = ((20.0, 50.0), (40.0, 70.0), (20.0, 70.0))
"""Youngest and oldest of each site, evenly spread: age and site go together, as in real studies."""
MEAN_SHIFT, NETWORK_SHIFT, EDGE_SHIFT = (0.4, -0.4, 0.0), 0.5, 0.5
"""SDs between people: of all edges of a site, and (SD over them) of pairs of networks and edges."""
LIKE_PEOPLE = (0.0, 1.0)
"""Beside these, a site's place along each of the directions in which people differ most, in SDs."""
N_DIRECTIONS = 5  # as many factors as simulated connectomes have
MEAN_SPREAD, EDGE_SPREAD = (1.2, 0.9, 1.0), 0.1
AGE_SLOPE = 0.2
"""SD over edges of the effect of 15 years, in SDs between people."""
INDICATORS = ("reaction_time", "accuracy", "stroop_effect", "amygdala_response")
N_TIMED = 50  # people who are harmonized to see how long it takes
SIMULATED_SEED = 0  # of the brains around which the shipped bundles were trained


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Simulated people; edges of shape (people, n_edges) as Fisher z."""

    without: Floats
    """As they would be without sites."""
    measured: Floats
    site: NDArray[np.intp]
    age: Floats
    age_effect: Floats
    """What of `without` age makes."""

    def part(self, chosen: NDArray[np.bool_]) -> People:
        """Some of them."""
        return People(
            *(
                array[chosen]
                for array in (self.without, self.measured, self.site, self.age, self.age_effect)
            )
        )

    def own(self, row: int) -> dict[str, str]:
        """A person's cells of a cohort's table."""
        return {"site": SITES[self.site[row]], "age": repr(float(self.age[row]))}


def own_edges(bundle: Bundle, n: int) -> Floats:
    """Edges of simulated people, shape (n, n_edges), before sites and age."""
    cohort = SimulatedCohort(parcellation_of(bundle), n, SIMULATED_SEED)
    upper = np.triu_indices(parcellation_of(bundle).n_regions, k=1)
    return np.array([fisher_z(p.connectome.correlations[upper]) for p in cohort.participants])


def at_sites(bundle: Bundle, own: Floats, like_people: float, seed: int) -> People:
    """Put people at sites, in turn."""
    upper = np.triu_indices(parcellation_of(bundle).n_regions, k=1)
    n = len(own)
    rng = np.random.default_rng(seed)
    n_edges, sd = own.shape[1], own.std(axis=0)
    site = np.arange(n) % len(SITES)
    low, high = np.array(AGES)[site].T
    age = rng.uniform(low, high)
    age_effect = np.outer((age - 45.0) / 15.0, AGE_SLOPE * sd * rng.standard_normal(n_edges))
    without = own + age_effect
    shape = (len(SITES), n_edges)
    member = membership(parcellation_of(bundle))
    pair = np.sort(np.stack([member[of] for of in upper]), axis=0)
    of_pair = np.unique(pair[0] * (member.max() + 1) + pair[1], return_inverse=True)[1]
    of_networks = rng.standard_normal((len(SITES), of_pair.max() + 1))[:, of_pair]
    of_edges = rng.standard_normal(shape)
    shift = np.array(MEAN_SHIFT)[:, None] + NETWORK_SHIFT * of_networks + EDGE_SHIFT * of_edges
    spread = np.array(MEAN_SPREAD)[:, None] * np.exp(EDGE_SPREAD * rng.standard_normal(shape))
    _, size, directions = np.linalg.svd(own - own.mean(axis=0), full_matrices=False)
    of_people = (size / np.sqrt(n))[:N_DIRECTIONS, None] * directions[:N_DIRECTIONS]
    places = like_people * rng.standard_normal((len(SITES), N_DIRECTIONS))
    center = own.mean(axis=0) + age_effect
    measured = center + spread[site] * (without - center) + (sd * shift + places @ of_people)[site]
    return People(without, measured, site, age, age_effect)


def fitted(people: People, bundle: Bundle, covariates: Sequence[str] = ("age",)) -> Harmonization:
    """Fit site effects on people."""
    names = tuple(SITES[k] for k in people.site)
    values = people.age[:, None] if covariates else np.empty((len(names), 0))
    reference = ReferencePeople(people.measured, names, values, tuple(covariates))
    return fit_sites(reference, parcellation_of(bundle), source="sites.npz")


def harmonized(people: People, model: Harmonization) -> Floats:
    """People's edges with site effects taken off."""
    return np.array(
        [
            model.effects.harmonized(
                edges, site, np.array([each.standardized(age) for each in model.covariates])
            )
            for edges, site, age in zip(people.measured, people.site, people.age, strict=True)
        ]
    )


def decoded(train: Floats, sites: NDArray[np.intp], test: Floats, of: NDArray[np.intp]) -> float:
    """Share of people whose site a ridge classifier finds that learned on others."""
    return float((RidgeClassifier(alpha=1.0).fit(train, sites).predict(test) == of).mean())


def decoded_among(edges: Floats, sites: NDArray[np.intp]) -> float:
    """The same, learned on four fifths of these people, in turn."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return float(
        (cross_val_predict(RidgeClassifier(alpha=1.0), edges, sites, cv=folds) == sites).mean()
    )


def differing(edges: Floats, sites: NDArray[np.intp]) -> float:
    """Share of edges whose means differ between sites by an F test with p < 0.05."""
    groups = [edges[sites == k] for k in range(len(SITES))]
    return float((f_oneway(*groups).pvalue < 0.05).mean())


def site_figures(
    bundle: Bundle, reference: People, own: Floats, new: People, edges: Floats
) -> dict[str, float]:
    """What tells the site; the planted effect of age, which differs between sites, taken off."""
    own, edges = own - reference.age_effect, edges - new.age_effect
    latents = [twin.latent for twin in bundle.personalize_edges(edges)]
    return {
        "edges_that_differ": differing(edges, new.site),
        "found_with_reference": decoded(own, reference.site, edges, new.site),
        "found_among_new": decoded_among(edges, new.site),
        "found_in_latents": decoded_among(np.array(latents, dtype=np.float64), new.site),
    }


def age_slopes(edges: Floats, people: People) -> dict[str, float]:
    """How the effect of age on edges, over sites, agrees with the planted one."""
    years = people.age - people.age.mean()
    found = years @ (edges - edges.mean(axis=0)) / (years @ years)
    planted = years @ people.age_effect / (years @ years)
    return {
        "r": float(np.corrcoef(found, planted)[0, 1]),
        "slope": float(found @ planted / (planted @ planted)),
    }


def forecasts(
    bundle: Bundle, edges: Floats, people: People, model: Harmonization | None = None
) -> dict[str, Floats]:
    """Indicators and strangeness of everybody, as `dtb-run score` gives them."""
    n_regions = parcellation_of(bundle).n_regions
    with tempfile.TemporaryDirectory() as folder:
        file = None
        if model is not None:
            path = write_harmonization(Path(folder, "sites.npz"), model)
            file = HarmonizationFile.of(path)
        entries = []
        for row, own in enumerate(edges):
            path = Path(folder, f"sub-{row}.npy")
            np.save(path, correlations_from_edges(own, n_regions))
            entries.append(CohortEntry(f"sub-{row}", None, path, people.own(row)))
        rows = list(bundle.score(entries, ScoreSettings(harmonization=file)))
    failed = [row.error for row in rows if not row.is_ok]
    if failed:
        raise SystemExit(f"{len(failed)} people were not scored: {failed[0]}")
    names = [n for n in (*INDICATORS, "strangeness_distance_percentile") if n in rows[0].values]
    return {name: np.array([row.values[name] for row in rows]) for name in names}


def agreement(found: Mapping[str, Floats], true: Mapping[str, Floats]) -> dict[str, Any]:
    """How near forecasts are to those without sites: r, and RMS error in SDs between people.

    All of it, and what is left without the part that all people share.
    """
    return {
        name: {
            "r": float(np.corrcoef(found[name], true[name])[0, 1]),
            "rms_sd": float(np.sqrt(np.mean((found[name] - true[name]) ** 2)) / true[name].std()),
            "own_rms_sd": float((found[name] - true[name]).std() / true[name].std()),
        }
        for name in INDICATORS
        if name in true
    } | {"unusual": float((found["strangeness_distance_percentile"] > 95.0).mean())}


def measure(bundle: Bundle, everybody: People, sizes: Sequence[int]) -> dict[str, Any]:
    """Everything, for some numbers of reference people a site; the others are new."""
    n_reference = max(sizes)
    order = np.arange(len(everybody.site)) // len(SITES)
    new = everybody.part(order >= n_reference)
    true = forecasts(bundle, new.without, new)
    at_most = everybody.part(order < n_reference)
    result: dict[str, Any] = {
        "bundle": bundle.name,
        "new_people": len(new.site),
        "chance": 1.0 / len(SITES),
        "without_sites": {
            "age": age_slopes(new.without, new),
            "sites": site_figures(bundle, at_most, at_most.without, new, new.without),
            "forecasts": agreement(true, true),
        },
        "measured": {
            "sites": site_figures(bundle, at_most, at_most.measured, new, new.measured),
            "age": age_slopes(new.measured, new),
            "forecasts": agreement(forecasts(bundle, new.measured, new), true),
        },
        "harmonized": {},
    }
    for n in sizes:
        reference = everybody.part(order < n)
        model = fitted(reference, bundle)
        after, own = harmonized(new, model), harmonized(reference, model)
        without_age = harmonized(new, fitted(reference, bundle, ()))
        result["harmonized"][str(n)] = {
            "sites": site_figures(bundle, reference, own, new, after),
            "age": age_slopes(after, new),
            "age_not_protected": age_slopes(without_age, new),
            "forecasts": agreement(forecasts(bundle, new.measured, new, model), true),
        }
    return result


def costs(bundle: Bundle, people: People, sizes: Sequence[int]) -> dict[str, float]:
    """CPU time to harmonize one person, and memory of a fit for each reference person.

    Memory is the highest that arrays take during the fit on the most reference people, with the
    edges that are given.
    """
    order = np.arange(len(people.site)) // len(SITES)
    reference = people.part(order < max(sizes))
    tracemalloc.start()
    model = fitted(reference, bundle)
    peak = tracemalloc.get_traced_memory()[1] + reference.measured.nbytes
    tracemalloc.stop()
    parcellation = parcellation_of(bundle)
    matrix = correlations_from_edges(people.measured[0], parcellation.n_regions)
    connectome = Connectome.from_matrix(matrix, labels=parcellation.labels)
    begin_s = time.process_time()
    for _ in range(N_TIMED):
        model.applied(connectome, people.own(0))
    return {
        "ms_a_person": (time.process_time() - begin_s) / N_TIMED * 1e3,
        "mb_a_reference_person": peak / len(reference.site) / 1e6,
    }


def print_tables(result: Mapping[str, Any]) -> None:
    """Print the figures as Markdown tables."""
    rows = {
        "without sites": result["without_sites"],
        "as measured": result["measured"],
        **{f"harmonized, {n} a site": found for n, found in result["harmonized"].items()},
    }
    print(
        f"{result['new_people']} new people of {len(SITES)} sites, chance {result['chance']:.0%}.\n"
    )
    header = ["", "edges that differ", "site found, learned on reference people"]
    header += ["on new people", "from latents", "effect of age: r, slope"]
    _print(header, ([title, *_site_cells(found)] for title, found in rows.items()))
    for n, found in result["harmonized"].items():
        age = found["age_not_protected"]
        print(f"Age not protected, {n} a site: effect of age {age['r']:.2f}, {age['slope']:.2f}.")
    print()
    names = [name for name in INDICATORS if name in result["measured"]["forecasts"]]
    del rows["without sites"]
    forecast_rows = []
    for title, found in rows.items():
        of = found["forecasts"]
        cells = [_forecast_cell(of[name]) for name in names]
        forecast_rows.append([title, *cells, f"{of['unusual']:.0%}"])
    _print(["r, error (without the shared)", *names, "unusual"], forecast_rows)


def _site_cells(found: Mapping[str, Any]) -> list[str]:
    age = f"{found['age']['r']:.2f}, {found['age']['slope']:.2f}"
    return [*(f"{share:.0%}" for share in found["sites"].values()), age]


def _forecast_cell(of: Mapping[str, float]) -> str:
    return f"{of['r']:.2f}, {of['rms_sd']:.2f} ({of['own_rms_sd']:.2f})"


def _print(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    for cells in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(cells) + " |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bundle", default="tcp434", metavar="NAME|DIR")
    parser.add_argument("--reference", type=int, nargs="+", default=[10, 20, 40], metavar="N")
    parser.add_argument("--people", type=int, default=40, metavar="N", help="new people a site")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bundle = load_bundle(options.bundle, device="cpu")
    sizes = sorted(options.reference)
    own = own_edges(bundle, (max(sizes) + options.people) * len(SITES))
    results = {
        f"{like_people:g}": measure(bundle, at_sites(bundle, own, like_people, options.seed), sizes)
        for like_people in LIKE_PEOPLE
    }
    cost = costs(bundle, at_sites(bundle, own, LIKE_PEOPLE[0], options.seed), sizes)
    if options.json:
        print(json.dumps({**results, "costs": cost}, indent=2))
        return
    for like_people, result in results.items():
        print(f"\nSites differ by {like_people} SD along the directions in which people do.\n")
        print_tables(result)
    print(
        f"\nTo harmonize a person takes {cost['ms_a_person']:.1f} ms of one processor, to fit "
        f"{cost['mb_a_reference_person']:.1f} MB a reference person."
    )


if __name__ == "__main__":
    main()
