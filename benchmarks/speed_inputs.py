"""What every method of a run gets: the same networks, people and schedules, made when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from speed_networks import first_regions, made_up_edges, untrained, untrained_bundle
from speed_plan import Plan

from dtb_models.bold_regions import paper_bold_regions
from dtb_models.config import paper_config
from dtb_models.hypernetwork import TwinNetwork
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_files import read_bundle_files
from dtb_runtime.bundle_graphs import BundleGraphs
from dtb_runtime.bundle_loading import DEFAULT_BUNDLE, SHIPPED_BUNDLES, load_bundle
from dtb_runtime.edges import correlations_from_edges
from dtb_runtime.events import Events, events_from_columns
from dtb_runtime.processors import n_usable
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import TASKS


@dataclass(frozen=True, slots=True, eq=False)
class TaskRun:
    """One task with its schedule."""

    task: str
    events: Events | None
    """None for the study's own, which the runtime prepares once for all people."""
    network_input: NDArray[np.float32]
    """The same as the main network sees it, shape (n_steps, n_inputs)."""


class Inputs:
    """Networks, people and schedules of one run.

    Parameters
    ----------
    plan : Plan
    folder : Path
        A temporary folder, for bundles and compiled code.
    environment : Path
        Virtual environment whose `dtb-run` is started cold.
    """

    def __init__(self, plan: Plan, folder: Path, environment: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.environment = environment
        self.n_cores = n_usable()
        torch_threads(1)  # methods that are to have more say so themselves

    @cached_property
    def runs(self) -> tuple[TaskRun, ...]:
        """Both tasks."""
        return tuple(_task_run(name, self.plan.n_trials) for name in TASKS)

    @property
    def stimuli(self) -> list[NDArray[np.float32]]:
        """What the main network sees in each of them."""
        return [run.network_input for run in self.runs]

    @cached_property
    def compact(self) -> Bundle:
        """The bundle that ships."""
        return load_bundle(DEFAULT_BUNDLE, device="cpu")

    @cached_property
    def network(self) -> TwinNetwork:
        """The paper preset in PyTorch, untrained."""
        plan = self.plan
        return untrained(
            paper_config(
                plan.n_regions * (plan.n_regions - 1) // 2,
                plan.n_bold,
                hidden_size=plan.hidden_size,
                hypernetwork_sizes=plan.hypernetwork_sizes,
            )
        )

    @cached_property
    def paper_folder(self) -> Path:
        """The same network as a bundle."""
        parcellation = self.compact.manifest.parcellation
        assert parcellation is not None  # the shipped bundle has one
        regions = first_regions(parcellation, self.plan.n_regions)
        bold = regions.labels[: self.plan.n_bold]
        if regions is parcellation:
            bold = paper_bold_regions(parcellation)[: self.plan.n_bold]
        return untrained_bundle(self.network, regions, bold, self.folder / "paper")

    @cached_property
    def paper(self) -> Bundle:
        """That bundle, loaded."""
        return load_bundle(self.paper_folder, device="cpu")

    @cached_property
    def paper_graphs(self) -> BundleGraphs:
        """Its graphs alone, without what the runtime does around them."""
        return _graphs(self.paper_folder)

    @cached_property
    def compact_graphs(self) -> BundleGraphs:
        """Those of the bundle that ships."""
        return _graphs(SHIPPED_BUNDLES / DEFAULT_BUNDLE)

    @property
    def folders(self) -> dict[str, Path]:
        """Bundle folder of each preset."""
        return {"paper": self.paper_folder, "compact": SHIPPED_BUNDLES / DEFAULT_BUNDLE}

    @cached_property
    def paper_connectomes(self) -> NDArray[np.float32]:
        """Correlations of the cohort's people for the paper preset, shape (people, n, n)."""
        return _connectomes(self.plan.n_cohort, self.plan.n_regions)

    @cached_property
    def compact_connectomes(self) -> NDArray[np.float32]:
        """The same for the bundle that ships; the same people where it has as many regions."""
        parcellation = self.compact.manifest.parcellation
        assert parcellation is not None
        if parcellation.n_regions == self.plan.n_regions:
            return self.paper_connectomes
        return _connectomes(self.plan.n_cohort, parcellation.n_regions)


def torch_threads(n_threads: int) -> None:
    """Let PyTorch compute with so many threads from here on."""
    torch.set_num_threads(n_threads)


def _graphs(folder: Path) -> BundleGraphs:
    files = read_bundle_files(folder)
    return BundleGraphs.open(files.manifest, files.contents, device="cpu", threads=1)


def _connectomes(n_people: int, n_regions: int) -> NDArray[np.float32]:
    edges = made_up_edges(n_people, n_regions * (n_regions - 1) // 2)
    return np.stack([correlations_from_edges(row, n_regions) for row in edges])


def _task_run(name: str, n_trials: int | None) -> TaskRun:
    task = TASKS[name]
    events = task.schedule()
    if n_trials is None:
        return TaskRun(name, None, network_input(task.stimulus(events)))
    columns = {
        "onset": events.onset_s[:n_trials].tolist(),
        "duration": events.duration_s[:n_trials].tolist(),
        "trial_type": events.trial_type[:n_trials],
    } | {column: cells[:n_trials] for column, cells in events.columns.items()}
    short = events_from_columns(columns, task)
    return TaskRun(name, short, network_input(task.stimulus(short)))
