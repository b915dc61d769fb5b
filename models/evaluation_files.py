"""What an evaluation leaves on disk; from the tables, every figure of trials can be computed again.

::

    metrics.json     all figures
    judged/          one table of judged trials for each method, `judged_files` reads them
    predictions/     each person's forecasts, as ``dtb-run predict --out`` writes them
    folds/           trained networks, where there was a training
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dtb_runtime.atomic import write_files
from dtb_runtime.errors import OutputError
from dtb_runtime.forecast import Forecast
from dtb_runtime.outputs import write_forecasts
from dtb_runtime.twin import Twin

from .evaluation import Evaluation
from .evaluation_report import method_tables
from .judged_files import judged_tsv

METRICS_FILE = "metrics.json"
JUDGED_FOLDER = "judged"
PREDICTIONS_FOLDER = "predictions"
FOLDS_FOLDER = "folds"


def check_place(out: Path, *, resume: bool, force: bool) -> None:
    """Refuse a place where an evaluation lies already, before hours go into another.

    Parameters
    ----------
    out : Path
    resume : bool
        Go on with what is there.
    force : bool
        Replace what is there.

    Raises
    ------
    OutputError
        If the place is a file, or holds an evaluation and neither is set.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(
            f"{out} is a file, expected a folder. Choose another name for --out (out=...)."
        )
    names = (METRICS_FILE, JUDGED_FOLDER, PREDICTIONS_FOLDER, FOLDS_FOLDER)
    found = [name for name in names if (out / name).exists()]
    if found and not (resume or force):
        raise OutputError(
            f"{out} holds an evaluation already ({found[0]}). Go on with --resume "
            "(resume=True), replace it with --force (force=True), or choose another folder."
        )


def check_resumed(out: Path, *, data: str, protocol: str, bundle: str | None, seed: int) -> None:
    """Refuse to go on where another evaluation lies, whose figures would be lost.

    Parameters
    ----------
    out : Path
    data, protocol : str
        As ``metrics.json`` names them.
    bundle : str or None
        None where networks are trained for the evaluation.
    seed : int

    Raises
    ------
    OutputError
    """
    asked = {"data": data, "protocol": protocol, "bundle": bundle, "seed": seed}
    there: dict[str, Any] = {}
    if (out / METRICS_FILE).is_file():
        try:
            found = json.loads((out / METRICS_FILE).read_text(encoding="utf-8"))
            there = {name: found[name] for name in ("protocol", "bundle", "seed")}
            there["data"] = found["data"]["source"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{out / METRICS_FILE} cannot be read, so it is not known whose figures these are. "
                "Replace them with --force (force=True), or choose another folder."
            ) from error
    elif bundle is not None and (out / FOLDS_FOLDER).exists():
        there = {"bundle": None}
    for name, value in there.items():
        if value != asked[name]:
            found, wanted = (
                "networks trained for it"
                if name == "bundle" and each is None
                else f"{name} {each!r}"
                for each in (value, asked[name])
            )
            raise OutputError(
                f"{out} holds an evaluation with {found}, not with {wanted}. Go on with the same "
                "options, replace it with --force (force=True), or choose another folder."
            )


def clear(out: Path) -> None:
    """Remove figures, tables and predictions of an evaluation before, not what was trained.

    Of people who are not judged any more, files would be left otherwise.

    Raises
    ------
    OutputError
        If one of them cannot be removed.
    """
    # The figures first: what a kill leaves then is no evaluation, rather than one without tables.
    for pattern in (
        METRICS_FILE,
        f"{JUDGED_FOLDER}/*.tsv",
        f"{PREDICTIONS_FOLDER}/sub-*_desc-twin_*",
    ):
        try:
            for path in out.glob(pattern):
                path.unlink()
        except OSError as error:
            raise OutputError(
                f"{error.filename or out} of an evaluation before cannot be removed: "
                f"{error.strerror or error}. Remove it yourself, or choose another folder."
            ) from error


class Predictions:
    """Writes each person's forecasts as they are made.

    Parameters
    ----------
    out : Path
        Folder of the evaluation.
    """

    def __init__(self, out: Path) -> None:
        self._folder = out / PREDICTIONS_FOLDER

    def __call__(self, twin: Twin, forecasts: Sequence[Forecast]) -> None:
        """Write one person's files; those of an evaluation before are replaced."""
        write_forecasts(self._folder, twin, forecasts, force=True)


def write_report(out: Path, report: Mapping[str, Any]) -> Path:
    """Write ``metrics.json`` and return its place."""
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (path,) = write_files(out, {METRICS_FILE: text.encode()}, force=True)
    return path


def write_judged(out: Path, evaluation: Evaluation) -> tuple[Path, ...]:
    """Write one table of judged trials for each method, and return their places."""
    contents = {
        f"{name}.tsv": judged_tsv(table) for name, table in method_tables(evaluation).items()
    }
    return write_files(out / JUDGED_FOLDER, contents, force=True)
