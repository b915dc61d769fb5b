"""Give damaged files to every reader, and see that each is read or refused with a sentence.

    python benchmarks/fuzz.py --minutes 10 --write
    python benchmarks/fuzz.py --minutes 1 --only .npz --only manifest
    python benchmarks/fuzz.py --inputs 300 --json

Good files are damaged by chance (`fuzz_mutators.py`) and read as any command reads them. Each kind
of file has a process of its own, so that a crash or a hang is one finding and not the end. Whatever
is not an error of `dtb_runtime.errors` with one printable sentence is a finding: the file is kept
below `--folder`, and the program ends with exit code 1. `--write` puts the figures into
`docs/SECURITY.md`. Needs Linux or macOS.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any

from fuzz_page import FIGURES, REPOSITORY, update_figures, write_page
from fuzz_targets import TARGETS
from fuzz_worker import INPUT_STEM, STATE, STATE_FILE

HANG_S = 20.0
"""An input that takes longer hangs."""
ISOLATED_HANG_S = 240.0
"""The same where another process reads, which is stopped by its own limits before."""
_WORKER = Path(__file__).with_name("fuzz_worker.py")
_START_S = 60.0  # of the worker until its first input: it loads libraries and bundles
_MOST_RESTARTS = 50
_TURN_S = 0.2


@dataclass
class Found:
    """What came of one kind of file."""

    target: str
    inputs: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    crashes: int = 0
    hangs: int = 0
    slowest_s: float = 0.0
    peak_mb: int = 0
    seconds: float = 0.0
    kept: list[str] = field(default_factory=list)
    """Names of files that were kept."""

    @property
    def is_good(self) -> bool:
        """Whether nothing was found; crashes that a process is there for do not count."""
        is_contained = TARGETS[self.target].is_contained
        return not self.failed and (is_contained or not (self.crashes or self.hangs))

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return values | {"refused": dict(self.refused), "failed": dict(self.failed)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Found:
        """Read what `to_json` gave, whatever stands beside it."""
        return cls(**{each.name: values[each.name] for each in fields(cls)})

    def add(self, report: Mapping[str, Any]) -> None:
        """Take in what one process reported last."""
        self.inputs += report["tried"]
        self.accepted += report["accepted"]
        self.refused.update(report["refused"])
        self.failed.update(report["failed"])
        self.slowest_s = max(self.slowest_s, report["slowest_s"])
        self.peak_mb = max(self.peak_mb, report["peak_mb"])


def fuzz(
    name: str,
    folder: Path,
    *,
    seed: int,
    seconds: float | None = None,
    inputs: int | None = None,
    hang_s: float | None = None,
) -> Found:
    """Fuzz one kind of file.

    Parameters
    ----------
    name : str
        Of `TARGETS`.
    folder : pathlib.Path
        Where files are kept that were not read as they should.
    seed : int
    seconds : float, optional
        Time after which no further input is tried.
    inputs : int, optional
        Number of inputs after which none is tried.
    hang_s : float, optional
        Seconds of one input that are a hang.
    """
    target, found = TARGETS[name], Found(name)
    saved = folder / _file_name(name)
    if hang_s is None:
        hang_s = ISOLATED_HANG_S if target.is_isolated else HANG_S
    begun_s, first = time.time(), 0
    for _ in range(_MOST_RESTARTS):
        left_s = None if seconds is None else seconds - (time.time() - begun_s)
        if (left_s is not None and left_s <= 0) or (inputs is not None and first >= inputs):
            break
        with tempfile.TemporaryDirectory(prefix="dtb-fuzz-") as temporary:
            work = Path(temporary)
            question = {
                "target": name,
                "folder": temporary,
                "saved": str(saved),
                "seed": seed,
                "first": first,
                "last": inputs,
                "seconds": left_s,
            }
            state, code, is_hang = _watched(question, work, hang_s)
            found.add(state.counts)
            if state.is_last:
                break
            found.inputs += 1  # the one that it ended at
            found.hangs += is_hang
            found.crashes += not is_hang
            kind = "hang" if is_hang else f"crash{code}"
            saved.mkdir(parents=True, exist_ok=True)
            kept = saved / f"{kind}-{state.number}{target.ending}"
            shutil.copyfile(work / f"{INPUT_STEM}{target.ending}", kept)
            first = state.number + 1
    found.seconds = round(time.time() - begun_s, 1)
    found.kept = sorted(path.name for path in saved.glob("*")) if saved.is_dir() else []
    return found


@dataclass(frozen=True)
class _State:
    """What a process says of itself."""

    number: int = -1
    """Of its input; below 0 before the first."""
    begun_s: float = 0.0
    is_last: bool = False
    counts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, work: Path) -> _State:
        try:
            data = (work / STATE_FILE).read_bytes()
            number, begun_s, is_last = STATE.unpack(data[: STATE.size])
            counts = json.loads(data[STATE.size :].partition(b"\n")[0])
        except (OSError, struct.error, ValueError):  # not there, or not wholly
            return cls()
        return cls(number, begun_s, is_last, counts)


def _watched(question: Mapping[str, Any], work: Path, hang_s: float) -> tuple[_State, int, bool]:
    """Run a process to its end: what it said last, its exit code, and whether it hung."""
    with (work / "stderr").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, str(_WORKER), json.dumps(question)],
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        begun_s, is_hang = time.time(), False
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_TURN_S)
            state = _State.read(work)
            late_s = hang_s if state.number >= 0 else _START_S
            if time.time() - max(state.begun_s, begun_s) > late_s and not state.is_last:
                is_hang = True
                process.kill()
                process.wait()
    state = _State.read(work)
    if state.number < 0 or (process.returncode > 0 and not state.is_last):
        text = (work / "stderr").read_text(encoding="utf-8", errors="replace")
        raise SystemExit(
            f"{question['target']}: the process ended with {process.returncode}:\n{text[-3000:]}"
        )
    return state, process.returncode, is_hang


def _file_name(name: str) -> str:
    return name.strip(".").replace(" ", "-").replace("(", "").replace(")", "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, help="for each kind of file")
    parser.add_argument("--inputs", type=int, help="for each kind of file, instead of minutes")
    parser.add_argument("--only", action="append", choices=list(TARGETS), help="may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hang-s", type=float, help="seconds of one input that are a hang")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--write", action="store_true", help="put them into docs/SECURITY.md")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "runs" / "fuzz")
    options = parser.parse_args(arguments)
    if (options.minutes is None) == (options.inputs is None):
        parser.error("give either --minutes or --inputs.")
    seconds = None if options.minutes is None else 60 * options.minutes
    every, is_good = [], True
    for name in options.only or TARGETS:
        found = fuzz(
            name,
            options.folder,
            seed=options.seed,
            seconds=seconds,
            inputs=options.inputs,
            hang_s=options.hang_s,
        )
        print(_line(found), file=sys.stderr, flush=True)
        figures = found.to_json() | {"date": date.today().isoformat(), "seed": options.seed}
        every.append(figures)
        is_good = is_good and found.is_good
        if options.write:  # after each: the next may be interrupted
            update_figures(REPOSITORY / FIGURES, figures)
            write_page(REPOSITORY)
    if options.json:
        print(json.dumps(every, indent=1))
    return 0 if is_good else 1


def _line(found: Found) -> str:
    refused = ", ".join(f"{name} {n}" for name, n in found.refused.most_common())
    text = (
        f"{found.target}: {found.inputs} inputs in {found.seconds:g} s, {found.accepted} taken, "
        f"refused: {refused or 'none'}; {found.crashes} crashes, {found.hangs} hangs, slowest "
        f"{found.slowest_s:.2f} s, {found.peak_mb} MB"
    )
    failed = "".join(f"\n  FAILED {n} times: {what}" for what, n in found.failed.items())
    return text + failed


if __name__ == "__main__":
    sys.exit(main())
