"""Whom `evaluate` judges and whom it trains on, from its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import terminal
from .cohorts import choose_parcellation, simulated_cohort

if TYPE_CHECKING:
    from dtb_models.cohorts import Cohort
    from dtb_models.hcp import HcpCohort
    from dtb_runtime.bundle import Bundle
    from dtb_runtime.parcellation import Parcellation

DEFAULT_PEOPLE = 228
DEFAULT_NEW = 200


class DataKind(StrEnum):
    """Where people come from."""

    TCP = "tcp"
    SIMULATED = "simulated"
    HCP = "hcp"


class ProtocolName(StrEnum):
    """What a twin knows of its person."""

    TEMPORAL = "temporal"
    NEW_PEOPLE = "new-people"
    CALIBRATED = "calibrated"


@dataclass(frozen=True, slots=True)
class PeopleChoice:
    """What the command line says of the people; may be sent to another process."""

    kind: DataKind
    folder: Path | None
    derivatives: Path | None
    regions: Path | None
    parcellation_name: str | None
    bundle: str | None
    """Whose regions are taken instead of a table."""
    n_people: int
    n_new: int
    share: float
    behavior_from: Path | None
    activations: Path | None
    activations_regions: Path | None
    seed: int

    def check(self) -> None:
        """Refuse options that do not go together, before anything is read.

        Raises
        ------
        UsageError
        """
        from dtb_runtime.errors import UsageError

        if self.kind is not DataKind.SIMULATED:
            self.real_folder()
        elif self.folder is not None:
            raise UsageError(
                f"--data {self.kind.value} wants no folder: these people are made up; found "
                f"{self.folder}."
            )
        if self.kind is not DataKind.TCP and self.derivatives is not None:
            raise UsageError(
                f"--derivatives {self.derivatives} is of --data tcp, not of "
                f"--data {self.kind.value}. Leave it out."
            )
        if self.bundle is not None:
            given = {
                "--regions": self.regions,
                "--parcellation": self.parcellation_name,
                "--behavior-from": self.behavior_from,
            }
            if self.kind is not DataKind.SIMULATED:
                given |= {"--activations": self.activations}
            refuse(given, f"--bundle {self.bundle} is trained already and has its regions")
        if self.kind is DataKind.SIMULATED:
            refuse(
                {"--behavior-from": self.behavior_from},
                "--data simulated makes up behavior, too",
            )
        if self.kind is DataKind.TCP:
            refuse(
                {"--behavior-from": self.behavior_from},
                "--data tcp DIR takes the behavior in DIR",
            )

    @property
    def series(self) -> Path | None:
        """Folder of the real people's scans; None where there is none."""
        if self.kind is not DataKind.TCP:
            return None
        inside = self.real_folder() / "derivatives"
        return self.derivatives or (inside if inside.is_dir() else None)

    @property
    def has_made_up_brains(self) -> bool:
        """Whether real people would have to be trained on with simulated brains."""
        return self.kind is DataKind.TCP and self.series is None

    def real_folder(self) -> Path:
        """Return the folder of people who were not made up.

        Raises
        ------
        UsageError
            If none was given.
        """
        from dtb_runtime.errors import UsageError

        if self.folder is None:
            raise UsageError(
                f"--data {self.kind.value} wants the folder of the people, as in "
                f"--data {self.kind.value} DIR; found none."
            )
        return self.folder

    def trained_bundle(self) -> Bundle:
        """Return the bundle that is judged, on the CPU.

        One small network after the other runs faster there than on a GPU.

        Raises
        ------
        UsageError
            If none was given.
        """
        from dtb_runtime.bundle_loading import load_bundle
        from dtb_runtime.errors import UsageError

        if self.bundle is None:
            raise UsageError("No bundle was given to be judged. Add --bundle NAME.")
        return load_bundle(self.bundle, device="cpu")

    def parcellation(self) -> Parcellation:
        """Return the regions.

        Raises
        ------
        UsageError
            If none were given.
        """
        from dtb_runtime.errors import UsageError

        if self.regions is None and self.bundle is None:
            raise UsageError(
                "A training needs to know the regions. Add --regions TABLE, or judge a bundle "
                "that is trained already: --bundle NAME."
            )
        return choose_parcellation(self.regions, self.bundle, self.parcellation_name)

    def judged_cohort(self) -> Cohort:
        """Return the people to judge, with real brains where there are any."""
        from dtb_models.tcp import TcpCohort

        if self.kind is DataKind.TCP:
            return TcpCohort(
                self.real_folder(),
                self.series,
                parcellation=None if self.series is None else self.parcellation(),
            )
        return self.training_cohort()

    def training_cohort(self, without: tuple[str, ...] = ()) -> Cohort:
        """Return the people to train on, with simulated brains where there are no real ones.

        Parameters
        ----------
        without : tuple of str
            Ids of people whose activations are kept out of the response maps.
        """
        from dtb_models.response_maps import maps_from_betas
        from dtb_models.simulation import SimulatedCohort

        if self.kind is DataKind.TCP and not self.has_made_up_brains:
            return self.judged_cohort()
        if self.kind is DataKind.HCP:
            return SimulatedCohort(
                self.parcellation(),
                None if self.behavior_from is not None else self.n_people,
                self.seed,
                share=self.share,
                behavior_from=self.behavior_from,
                response_maps=maps_from_betas(
                    self.real_folder(), self.parcellation(), without=without
                ),
            )
        return simulated_cohort(
            self.parcellation(),
            n_people=None if self.kind is DataKind.TCP else self.n_people + self.n_new,
            seed=self.seed,
            share=self.share,
            behavior_from=self.folder,
            activations=self.activations,
            activations_regions=self.activations_regions,
        )

    def hcp_cohort(self) -> HcpCohort:
        """Return people with activations and no trials."""
        from dtb_models.hcp import HcpCohort

        cohort = HcpCohort(self.real_folder(), self.parcellation())
        for participant_id, reason in cohort.skipped.items():
            terminal.message(f"Left out {participant_id}: {reason}")
        return cohort


def refuse(options: Mapping[str, Any], because: str) -> None:
    """Refuse options that were given though they have no meaning.

    Raises
    ------
    UsageError
    """
    from dtb_runtime.errors import UsageError

    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UsageError(f"{because}, so {given[0]} has no meaning here. Leave it out.")
