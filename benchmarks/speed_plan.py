"""How large everything is that gets measured: in earnest, and to see that it runs."""

from __future__ import annotations

from dataclasses import dataclass

from dtb_models.config import PAPER_BOLD, PAPER_HIDDEN, PAPER_HYPERNETWORK

SEED = 20261122
"""Of every network and person."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes and repeats of one run of the benchmark."""

    name: str
    """``full`` or ``quick``."""
    n_regions: int
    """Regions of the paper preset's connectomes."""
    n_bold: int
    hidden_size: int
    hypernetwork_sizes: tuple[int, ...]
    """The rest of the paper preset."""
    n_trials: int | None
    """Trials of each task; None for the whole schedules of the study."""
    rounds: int
    """Rounds of what takes up to seconds."""
    slow_rounds: int
    """Rounds of what takes minutes."""
    least_s: float
    """How long a method is called in a round, at least."""
    n_cohort: int
    """People of the cohort."""
    batches: tuple[int, ...]
    """Batch sizes of the re-creation of the paper's way."""
    probe_batch: int
    """Batch by which the re-creation's number of threads is chosen."""
    n_one_by_one: int
    """People that `torch.nn.RNN` does one by one."""
    hypernetwork_batch: int
    people: tuple[int, ...]
    regions: tuple[int, ...]
    stimulus_s: tuple[float, ...]
    hidden_sizes: tuple[int, ...]
    """Values of the cost curves."""
    n_curve: int
    """People of those curves that are not over people."""
    curve_least_s: float
    """How long one point of a curve takes in a round, at least."""
    cold_starts: int
    thread_rounds: int
    thread_s: float
    """How long a process forecasts while its threads are watched."""
    score_people: int
    """People of the cohorts that are scored from files."""
    score_rounds: int
    memory_people: tuple[int, ...]
    """Cohorts whose memory is compared."""
    kills: tuple[int, int, int]
    """People, broken ones among them, and kills."""
    cluster_people: int


FULL = Plan(
    name="full",
    n_regions=434,
    n_bold=PAPER_BOLD,
    hidden_size=PAPER_HIDDEN,
    hypernetwork_sizes=PAPER_HYPERNETWORK,
    n_trials=None,
    rounds=15,
    slow_rounds=3,
    least_s=0.2,
    n_cohort=64,
    batches=(1, 4, 8, 16, 64),
    probe_batch=8,
    n_one_by_one=8,
    hypernetwork_batch=50,
    people=(1, 16, 256, 2048),
    regions=(100, 360, 434, 1000),
    stimulus_s=(50.0, 100.0, 200.0, 400.0, 800.0),
    hidden_sizes=(32, 64, 128, 256, 400),
    n_curve=16,
    curve_least_s=0.5,
    cold_starts=11,
    thread_rounds=5,
    thread_s=4.0,
    score_people=2048,
    score_rounds=3,
    memory_people=(1000, 10_000),
    kills=(500, 50, 20),
    cluster_people=400,
)
QUICK = Plan(
    name="quick",
    n_regions=40,
    n_bold=4,
    hidden_size=24,
    hypernetwork_sizes=(6, 5),
    n_trials=3,
    rounds=2,
    slow_rounds=1,
    least_s=0.0,
    n_cohort=2,
    batches=(1, 2),
    probe_batch=1,
    n_one_by_one=1,
    hypernetwork_batch=3,
    people=(1, 3),
    regions=(12, 20),
    stimulus_s=(4.0, 8.0),
    hidden_sizes=(8, 16),
    n_curve=2,
    curve_least_s=0.0,
    cold_starts=1,
    thread_rounds=1,
    thread_s=0.2,
    score_people=2,
    score_rounds=1,
    memory_people=(1, 2),
    kills=(40, 10, 1),
    cluster_people=24,
)
"""Its figures mean nothing."""
