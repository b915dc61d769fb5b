"""Every evaluation that the results page shows, as a command of `dtb-run`, and how one is run.

Commands are run in the data folder and name its files from there, so that neither figures nor
page depend on where it lies.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

METRICS_FILE = "metrics.json"
STAMP_FILE = "finished.json"
FOLDS_FOLDER = "folds"
_TCP434 = "--regions parcellations/tcp434_regions.csv"
_GLASSER360 = "--regions parcellations/glasser360_cabnp.csv"
_MAPS = "--activations hcp_rest --activations-regions parcellations/glasser360_cabnp.csv"


@dataclass(frozen=True, slots=True)
class Run:
    """One command, the folder that it fills, and what must be there before."""

    name: str
    """Of its folder, and of the file with its figures."""
    line: str
    """What comes after ``dtb-run``, without what says where results go."""
    folds_of: str | None = None
    """Another run, whose trainings are used; the trainings of both are planned alike."""
    reuse: str | None = None
    """Another run, a training, whose checkpoint is begun with."""
    is_evaluation: bool = True
    """Whether it leaves figures; else it is a training that an evaluation needs."""
    smoke: str = ""
    """Options that make it a matter of seconds."""

    def command(self, work: Path, jobs: int, checkpoint: Path | None = None) -> list[str]:
        """Return the words after ``dtb-run``, which go on with what is there.

        Parameters
        ----------
        work : Path
            Where all runs' folders are.
        jobs : int
        checkpoint : Path, optional
            Begun with instead of that of the run named by `reuse`.
        """
        words = [*self.line.split(), "--out", str(work / self.name), "--resume"]
        if self.reuse is not None:
            words += ["--reuse", str(checkpoint or work / self.reuse)]
        return [*words, "--jobs", str(jobs)] if self.is_evaluation else words

    def shown(self) -> str:
        """Return the command for readers."""
        reuse = "" if self.reuse is None else f" --reuse {self.reuse}"
        return f"dtb-run {self.line} --out {self.name}{reuse}"


RUNS = (
    Run(
        "tcp_calibrated",
        f"evaluate --data tcp tcp --protocol calibrated {_TCP434} {_MAPS}",
        smoke="--folds 2",
    ),
    Run("tcp_temporal", f"evaluate --data tcp tcp --protocol temporal {_TCP434} {_MAPS}"),
    Run(
        "tcp_new_people",
        f"evaluate --data tcp tcp --protocol new-people {_TCP434} {_MAPS}",
        folds_of="tcp_calibrated",
        smoke="--folds 2",
    ),
    Run(
        "simulated_tcp434",
        f"evaluate --data simulated --people 228 --new 200 {_TCP434} --direct-input",
        smoke="--people 24 --new 12 --direct-epochs 1",
    ),
    Run(
        "simulated_glasser360",
        f"evaluate --data simulated --people 228 --new 200 {_GLASSER360}",
        smoke="--people 24 --new 12",
    ),
    Run(
        "simulated_calibrated",
        f"evaluate --data simulated --protocol calibrated --people 228 --new 200 {_GLASSER360}",
        folds_of="simulated_glasser360",
        smoke="--people 24 --new 12",
    ),
    Run(
        "glasser360_checkpoint",
        f"train --behavior-from tcp {_GLASSER360} --activations hcp_rest --held-out 0",
        is_evaluation=False,
    ),
    Run(
        "hcp_leave_one_out",
        f"evaluate --data hcp hcp_rest {_GLASSER360} --behavior-from tcp --leave-one-out",
        reuse="glasser360_checkpoint",
    ),
)
"""Every run, in an order in which each finds what it needs."""
_SMOKE = "--updates 3 --personal-units 6 --latent-size 4"


def small(run: Run) -> Run:
    """Return a run that only shows that the chain works; its figures mean nothing."""
    words = f"{run.smoke} {'' if run.reuse is not None else _SMOKE}".split()
    line = run.line
    for option, value in zip(words[::2], words[1::2], strict=True):
        line = re.sub(rf" {option} \S+", "", line) + f" {option} {value}"
    return replace(run, line=line)


def needed_by(name: str) -> tuple[str, ...]:
    """Return the runs that must be finished before one, itself last."""
    run = next(run for run in RUNS if run.name == name)
    return (*(needed_by(run.reuse) if run.reuse is not None else ()), name)


def is_finished(run: Run, work: Path) -> bool:
    """Whether a run, exactly as it is now, has been done."""
    stamp = work / run.name / STAMP_FILE
    return stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")) == run.shown()


def do(run: Run, data: Path, work: Path, jobs: int, checkpoint: Path | None = None) -> None:
    """Do a run, or what is left of it.

    Parameters
    ----------
    run : Run
    data : Path
        The data folder, in which the command is run.
    work : Path
        Where the run's folder goes.
    jobs : int
        Trainings, and people judged, at a time.
    checkpoint : Path, optional
        A finished training to begin with, where a run needs one.

    Raises
    ------
    SystemExit
        If the command fails; its own message stands above.
    """
    place = work / run.name
    if run.folds_of is not None:
        _link(place / FOLDS_FOLDER, work / run.folds_of / FOLDS_FOLDER)
    words = run.command(work.resolve(), jobs, checkpoint)
    code = dtb_run(words, data)
    if code != 0:
        raise SystemExit(f"dtb-run {' '.join(words)} ended with exit code {code}.")
    (place / STAMP_FILE).write_text(json.dumps(run.shown()) + "\n", encoding="utf-8")


def dtb_run(words: Sequence[str], folder: Path) -> int:
    """Run `dtb-run` of this environment in a folder and return its exit code."""
    start = "import sys; from dtb_cli.app import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", start, *words], cwd=folder, check=False).returncode


def _link(link: Path, target: Path) -> None:
    """Make a folder of trainings that is another run's, which may not have begun."""
    target.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(os.path.relpath(target, link.parent), target_is_directory=True)
