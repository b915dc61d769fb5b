"""One person of an in-silico trial: every arm, tried out with the person's own connectome."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .arm_settings import BEFORE, Arm, TrialSettings, column, dose_name, sham_of
from .cohort_connectomes import CohortConnectomes
from .cohort_entry import CohortEntry
from .connectome import Connectome
from .connectome_change import membership, network_names
from .errors import MissingDependencyError, OutputError, UsageError
from .gradients import FoundPlan, PlanFinder, plan_finder
from .indicator_forecasts import all_indicators, cohort_sds
from .intervention import Intervention, try_plan
from .intervention_outputs import strangeness_of, write_intervention
from .parcellation import Parcellation
from .plan import parcellation_of, plan_of_text
from .score_rows import atlas_notes, failed_row
from .scored_person import ScoredPerson, Stamp, stamp_of
from .summary import rounded

if TYPE_CHECKING:
    from .bundle import Bundle

FEATURE = "connectivity:"
"""Begins the names of baseline features: mean correlation between two networks."""
_ENDS_THE_RUN = (OutputError, MissingDependencyError)
Floats = NDArray[np.float64]


class TrialScorer:
    """Puts people through a trial with one bundle.

    Parameters
    ----------
    bundle : Bundle
    settings : TrialSettings

    Raises
    ------
    UsageError
        Settings out of their range, or of something that the bundle cannot give.
    PlanError
        The common plan is of another bundle.
    MissingDependencyError
        Personal plans are asked for, and PyTorch is not installed.
    """

    def __init__(self, bundle: Bundle, settings: TrialSettings) -> None:
        settings.check()
        self.bundle, self.settings = bundle, settings
        self._connectomes = CohortConnectomes(bundle, settings.reading)
        self._common = None
        if "common" in settings.arms:
            if settings.common is None:
                raise UsageError("A common arm needs a plan.")
            self._common = plan_of_text(settings.common, "the common plan", bundle)
        self._finder: PlanFinder | None = None
        if "personal" in settings.arms:
            self._finder = plan_finder(bundle, settings.goals, settings.holds)
        self._names = all_indicators(bundle)
        own = (*(goal.name for goal in settings.goals), *settings.holds)
        cohort_sds(bundle, tuple(dict.fromkeys((*own, *self._names))))  # nobody could do without

    def score(self, entries: Sequence[CohortEntry]) -> list[ScoredPerson]:
        """See `Scorer`.

        Raises
        ------
        OutputError, MissingDependencyError
            What the settings ask for cannot be done for anybody. A package that only reads
            somebody's file is that person's row: others may have files of another format.
        """
        rows = []
        own_files = self.settings.own_files
        for entry in entries:
            if own_files is not None:  # nothing of an earlier run stays
                own_files.clear(entry)
            # Before it is read: a file that changes meanwhile is then known to have changed.
            stamp = stamp_of(entry)
            try:
                connectome = self._connectomes.read(entry)
            except Exception as error:  # one bad person costs one row, whatever it is
                rows.append(failed_row(entry, error, stamp))
                continue
            try:
                rows.append(self._row(entry, connectome, stamp))
            except _ENDS_THE_RUN:
                raise
            except Exception as error:
                rows.append(failed_row(entry, error, stamp))
        return rows

    def _row(self, entry: CohortEntry, connectome: Connectome, stamp: Stamp | None) -> ScoredPerson:
        values: dict[str, float] = {}
        own_files = self.settings.own_files
        first: Intervention | None = None
        for arm in self.settings.arms:
            tried, found = self._try(arm, entry, connectome, is_first=first is None)
            values |= self._values(arm, tried)
            if found is not None:
                values[f"{arm}_share_reached"] = found.plan.share_reached
                values[f"{arm}_within_budget"] = float(found.is_within_budget)
            else:
                values[f"{arm}_share_possible"] = tried.share_possible
            if own_files is not None:
                folder = own_files.of(entry) / arm
                write_intervention(folder, self.bundle, tried, found=found, force=True)
            first = first or tried
        if first is None:
            raise UsageError("A trial needs an arm.")
        values |= baseline_features(first.original, parcellation_of(self.bundle))
        twin = self.bundle.personalize(connectome)
        notes = (*twin.notes, *atlas_notes(entry, parcellation_of(self.bundle)))
        if twin.strangeness is not None and twin.strangeness.is_outside:
            notes = (*notes, twin.strangeness.sentence)
        kept = {name: rounded(value) for name, value in values.items()}
        return ScoredPerson.ok(entry, kept, notes, stamp=stamp)

    def _try(
        self, arm: Arm, entry: CohortEntry, connectome: Connectome, *, is_first: bool
    ) -> tuple[Intervention, FoundPlan | None]:
        found: FoundPlan | None = None
        plan = self._common
        if arm == "personal" and self._finder is not None:
            found = self._finder.find(
                connectome, self.settings.limits, participant_id=entry.participant_id
            )
            plan = found.plan
        if plan is None:
            raise UsageError(f"There is no plan for the {arm} arm.")
        tried = try_plan(
            self.bundle,
            connectome,
            plan,
            changed=None if found is None else found.correlations,
            doses=self.settings.doses if is_first else (),
            shams=1,
            seed=own_seed(entry, self.settings.seed),
            names=self._names,
        )
        return tried, found

    def _values(self, arm: Arm, tried: Intervention) -> dict[str, float]:
        values = {
            f"{arm}_size_r": tried.size,
            f"{arm}_size_sd": tried.size_sd,
            f"{arm}_smallest_eigenvalue": tried.smallest_eigenvalue,
        }
        strangeness = strangeness_of(self.bundle, tried)
        for when, where in ((BEFORE, BEFORE), ("after", arm)):
            percentile = strangeness[f"distance_percentile_{when}"]
            if percentile is not None:
                values[f"{where}_distance_percentile"] = percentile
        for dose, share in zip(tried.doses, tried.dose_shares, strict=True):
            values[f"{dose_name(dose)}_share_possible"] = share
        for k, name in enumerate(tried.names):
            values[column(name, BEFORE)] = float(tried.before[k])
            values[column(name, arm)] = float(tried.after[k])
            values[column(name, sham_of(arm))] = float(tried.shams[0, k])
            for dose, at_dose in zip(tried.doses, tried.at_doses, strict=True):
                values[column(name, dose_name(dose))] = float(at_dose[k])
        return values


def own_seed(entry: CohortEntry, seed: int) -> int:
    """A person's own seed: nobody's sham depends on who else is in the cohort."""
    text = "\n".join([str(seed), *entry.key])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def baseline_features(correlations: Floats, parcellation: Parcellation) -> dict[str, float]:
    """Mean correlation within and between networks.

    Parameters
    ----------
    correlations : numpy.ndarray, shape (n_regions, n_regions)
    parcellation : Parcellation

    Returns
    -------
    dict
        ``connectivity:A:B`` for networks A and B (or A twice); pairs without an edge are left out.
    """
    member, names = membership(parcellation), network_names(parcellation)
    of_network = (member[:, None] == np.arange(len(names))).astype(np.float64)
    without_own = correlations - np.diag(np.diag(correlations))
    sums = of_network.T @ without_own @ of_network
    counts = of_network.sum(axis=0)
    pairs = np.outer(counts, counts) - np.diag(counts)
    return {
        f"{FEATURE}{names[i] or 'none'}:{names[j] or 'none'}": float(sums[i, j] / pairs[i, j])
        for i in range(len(names))
        for j in range(i, len(names))
        if pairs[i, j] > 0
    }


def feature_names(parcellation: Parcellation) -> tuple[str, ...]:
    """Names of `baseline_features`, in their order."""
    return tuple(baseline_features(np.eye(len(parcellation.labels)), parcellation))
