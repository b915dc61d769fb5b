"""The process in which files are damaged and read: `fuzz.py` starts it and watches it.

    python benchmarks/fuzz_worker.py '{"target": ".npy", "seed": 1, ...}'

Before each input it writes into a file which one it is, and what came of those before, so that
whoever watches knows what it died of, and how long it has been at it. Input number n of a target is
always the same for one seed.
"""

from __future__ import annotations

import json
import struct
import sys
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from fuzz_targets import TARGETS, Prepared, Target

from dtb_runtime.errors import DtbError, MissingDependencyError

STATE = struct.Struct("<qd?")
"""The file of state begins with the number of the input, when it was begun (`time.time`), and
whether it was the last; a line of JSON follows, the `Counts` of those before."""
STATE_FILE, INPUT_STEM = "state", "input"
MEMORY_BYTES = 6 * 2**30
"""Address space of this process: an input that asks for more fails here, and not the machine."""
LONGEST_MESSAGE = 20_000
"""Characters of an error's message; the command line shows fewer."""


@dataclass
class Counts:
    """What came of the inputs so far."""

    tried: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By error class."""
    failed: Counter[str] = field(default_factory=Counter)
    """By what was raised, and where."""
    slowest_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            "tried": self.tried,
            "accepted": self.accepted,
            "refused": dict(self.refused),
            "failed": dict(self.failed),
            "slowest_s": round(self.slowest_s, 3),
            "peak_mb": _peak_mb(),
        }


def damaged(target: Target, prepared: Prepared, seed: int, number: int) -> bytes:
    """Return input `number` of a target."""
    rng = np.random.default_rng([seed, zlib.crc32(target.name.encode()), number])
    good = prepared.good[int(rng.integers(len(prepared.good)))]
    way = prepared.ways[int(rng.integers(len(prepared.ways)))]
    return way(good, rng, prepared.good)


def problem_of(read: Any, path: Path) -> tuple[str | None, str | None]:
    """Return the class of a refusal, and what is wrong with how the file was read.

    Both None: it was taken.
    """
    try:
        read(path)
    except MissingDependencyError:
        raise
    except DtbError as error:
        text = str(error)
        if not text.isprintable():
            return None, f"a message that is not printable at {_place(error)}"
        if not 20 <= len(text) <= LONGEST_MESSAGE or not text.endswith((".", ".)")):
            return None, f"a message that is no sentence at {_place(error)}"
        return type(error).__name__, None
    except Exception as error:
        return None, f"{type(error).__name__} at {_place(error)}"
    return None, None


def work(
    target: Target,
    folder: Path,
    saved: Path,
    *,
    seed: int,
    first: int,
    last: int | None,
    seconds: float | None,
) -> None:
    """Try inputs until the last one or the time is over, and say how it goes."""
    (folder / "beside").mkdir(exist_ok=True)
    prepared = target.prepare(folder / "beside")
    for good in prepared.good:
        path = folder / f"good{target.ending}"
        path.write_bytes(good)
        prepared.read(path)  # what cannot be read undamaged is a mistake of the seeds
    counts, path = Counts(), folder / f"{INPUT_STEM}{target.ending}"
    end_s = None if seconds is None else time.time() + seconds
    number = first
    with (folder / STATE_FILE).open("wb", buffering=0) as state:
        while (last is None or number < last) and (end_s is None or time.time() < end_s):
            path.write_bytes(damaged(target, prepared, seed, number))
            begun_s = time.time()
            _report(state, number, begun_s, counts, is_last=False)
            refusal, problem = problem_of(prepared.read, path)
            counts.tried += 1
            counts.slowest_s = max(counts.slowest_s, time.time() - begun_s)
            if problem is not None:
                if counts.failed[problem] < 3:
                    saved.mkdir(parents=True, exist_ok=True)
                    (saved / f"failed-{number}{target.ending}").write_bytes(path.read_bytes())
                counts.failed[problem] += 1
            elif refusal is not None:
                counts.refused[refusal] += 1
            else:
                counts.accepted += 1
            number += 1
        _report(state, number, time.time(), counts, is_last=True)


def _report(
    state: IO[bytes], number: int, begun_s: float, counts: Counts, *, is_last: bool
) -> None:
    state.seek(0)
    line = json.dumps(counts.to_json()).encode()
    state.write(STATE.pack(number, begun_s, is_last) + line + b"\n")


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "dtb_runtime" in frame.filename] or list(frames)
    return f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "nowhere"


def _peak_mb() -> int:
    """Most memory of this process, or of one that it waited for, in MB."""
    import resource

    most = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return round(most / (1e6 if sys.platform == "darwin" else 1e3))


def main(arguments: Mapping[str, Any]) -> None:
    """Run the process."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    work(
        TARGETS[arguments["target"]],
        Path(arguments["folder"]),
        Path(arguments["saved"]),
        seed=arguments["seed"],
        first=arguments["first"],
        last=arguments["last"],
        seconds=arguments["seconds"],
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
