"""An intervention on disk: the plan, the edges it changes, the connectome, what it does."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .atomic import write_files
from .bundle import Bundle
from .forecast import NOT_AVAILABLE
from .intervention import Intervention
from .plan import PLAN_FILE, parcellation_of
from .summary import package_version, rounded

if TYPE_CHECKING:
    from .gradients import FoundPlan

Floats = NDArray[np.float64]

EDGES_FILE, CONNECTOME_FILE = "edges.tsv", "connectome.npy"
DOSES_FILE, SUMMARY_FILE = "dose_response.tsv", "intervention.json"
TRADE_OFF_FILE = "trade_off.tsv"
WRITTEN = (PLAN_FILE, EDGES_FILE, CONNECTOME_FILE, DOSES_FILE, SUMMARY_FILE)
"""Files that every intervention has."""
_ROUNDING = 1e-7  # of a correlation in float32


def summary_of(
    bundle: Bundle, tried: Intervention, found: FoundPlan | None = None
) -> dict[str, Any]:
    """Sum up what a plan does in a person, as JSON values.

    Parameters
    ----------
    bundle : Bundle
    tried : Intervention
    found : FoundPlan, optional
        Where the plan was made just now.

    Returns
    -------
    dict
        ``plan`` (goals, holds, how much is reached), ``change`` (kind, how many places, size, how
        much of it was possible, smallest eigenvalue), ``strangeness``, ``indicators`` (before,
        after, effect in SDs of the training cohort, percentile among random changes), ``doses``,
        ``warnings``; of a new plan also ``is_reached``, ``is_within_budget`` and what the paper's
        way promised.
    """
    plan = tried.plan
    moved = dict(zip(tried.names, (tried.after - tried.before).tolist(), strict=True))
    indicators = {
        name: {
            "before": rounded(float(tried.before[k])),
            "after": rounded(float(tried.after[k])),
            "effect_sd": rounded(float(tried.effects[k])),
            "percentile_of_random": tried.percentile(name),
            "random_effect_sd_90": _ends(tried, name),
        }
        for k, name in enumerate(tried.names)
        if np.isfinite(tried.before[k]) and np.isfinite(tried.after[k])
    }
    summary: dict[str, Any] = {
        "participant_id": plan.participant_id,
        "bundle": bundle.name,
        "provider": bundle.provider,
        "plan": {
            "goals": [
                {
                    "name": goal.name,
                    "change": rounded(goal.change),
                    "reached": _finite(moved[goal.name]),
                    "share_reached": _finite(moved[goal.name] / goal.change),
                }
                for goal in plan.goals
            ],
            "holds": list(plan.holds),
            "method": plan.method,
        },
        "change": {
            "kind": plan.change.kind,
            "places": plan.change.n,
            "size_r": rounded(tried.size),
            "size_sd": rounded(tried.size_sd),
            "share_possible": rounded(tried.share_possible),
            "smallest_eigenvalue": float(f"{tried.smallest_eigenvalue:.3g}"),
            "smallest_eigenvalue_before": float(f"{np.linalg.eigvalsh(tried.original)[0]:.3g}"),
        },
        "indicators": indicators,
        "strangeness": strangeness_of(bundle, tried),
        "doses": {
            name: [rounded(float(value)) for value in tried.at_doses[:, k]]
            for k, name in enumerate(tried.names)
            if np.isfinite(tried.at_doses[:, k]).all()
        }
        | {"dose": list(tried.doses), "share_possible": _rounded(tried.dose_shares)},
        "n_random": len(tried.shams),
        "warnings": list(bundle.warnings),
        "versions": {"dtb_runtime": package_version(), "bundle_digest": bundle.digest},
    }
    return summary if found is None else summary | _of_new(found)


def strangeness_of(bundle: Bundle, tried: Intervention) -> dict[str, float | None]:
    """Percent of the training cohort's held-out people that are nearer to its mean, before and
    after; None where the bundle does not know.
    """
    found = {}
    for name, correlations in (("before", tried.original), ("after", tried.changed)):
        of = bundle.personalize(correlations).strangeness
        found[f"distance_percentile_{name}"] = None if of is None else of.distance_percentile
    return found


def _ends(tried: Intervention, name: str) -> list[float] | None:
    """Between which effects nine in ten random changes lie."""
    ends = tried.random_range(name)
    return None if ends is None or not np.isfinite(ends).all() else [rounded(end) for end in ends]


def _finite(value: float) -> float | None:
    """JSON has no NaN: a twin that never answers has no response time."""
    return rounded(value) if np.isfinite(value) else None


def _rounded(values: Sequence[float]) -> list[float]:
    return [rounded(value) for value in values]


def _of_new(found: FoundPlan) -> dict[str, Any]:
    """What is known of a plan that was made just now."""
    of_new: dict[str, Any] = {
        "is_reached": found.is_reached,
        "is_within_budget": found.is_within_budget,
    }
    if found.promise is not None:
        of_new["promise"] = found.promise.to_json()
    return of_new


def write_intervention(
    folder: Path,
    bundle: Bundle,
    tried: Intervention,
    *,
    found: FoundPlan | None = None,
    trade_off: Sequence[Mapping[str, float]] = (),
    figures: Mapping[str, bytes] | None = None,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write everything about an intervention to one folder, all or nothing.

    Parameters
    ----------
    folder : pathlib.Path
    bundle : Bundle
    tried : Intervention
    found : FoundPlan, optional
        Where the plan was made just now: its gradient goes into the table of edges.
    trade_off : sequence of mapping, optional
        Rows of the table of what goals cost one another.
    figures : mapping of str to bytes, optional
        Pictures by file name.
    force : bool
        Replace files that are there.

    Raises
    ------
    OutputError
        A file is there already and `force` is not set, or it cannot be written.
    """
    contents = {
        PLAN_FILE: tried.plan.to_bytes(bundle),
        EDGES_FILE: _edges_table(bundle, tried, None if found is None else found.gradient),
        CONNECTOME_FILE: _npy(tried.changed),
        DOSES_FILE: _doses_table(tried),
        SUMMARY_FILE: (json.dumps(summary_of(bundle, tried, found), indent=2) + "\n").encode(),
    }
    if trade_off:
        contents[TRADE_OFF_FILE] = _table(
            list(trade_off[0]), ([f"{v:.6g}" for v in row.values()] for row in trade_off)
        )
    return write_files(folder, contents | dict(figures or {}), force=force)


def _edges_table(bundle: Bundle, tried: Intervention, gradient: Floats | None) -> bytes:
    """One row for each edge that changes, the largest change first."""
    parcellation = parcellation_of(bundle)
    rows, columns = np.triu_indices(len(tried.original), 1)
    before, after = tried.original[rows, columns], tried.changed[rows, columns]
    moved = np.abs(after - before)
    order = np.argsort(-moved, kind="stable")
    order = order[moved[order] > _ROUNDING]
    networks = [name or NOT_AVAILABLE for name in parcellation.network]
    cells = (
        [
            parcellation.labels[rows[e]],
            parcellation.labels[columns[e]],
            networks[rows[e]],
            networks[columns[e]],
            f"{before[e]:.6g}",
            f"{after[e]:.6g}",
            NOT_AVAILABLE if gradient is None else f"{gradient[e]:.6g}",
        ]
        for e in order.tolist()
    )
    header = ["region_1", "region_2", "network_1", "network_2", "r_before", "r_after", "gradient"]
    return _table(header, cells)


def _doses_table(tried: Intervention) -> bytes:
    cells = (
        [f"{dose:g}", f"{share:.6g}", *(f"{value:.6g}" for value in values)]
        for dose, share, values in zip(tried.doses, tried.dose_shares, tried.at_doses, strict=True)
    )
    return _table(["dose", "share_possible", *tried.names], cells)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    lines = ["\t".join(header), *("\t".join(row) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _npy(correlations: Floats) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, correlations.astype(np.float32), allow_pickle=False)
    return buffer.getvalue()
