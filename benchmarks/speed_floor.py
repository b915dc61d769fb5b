"""The recurrence in hand-written C, compiled here: how fast one core can be in float32.

Without a C compiler there is no floor, and the benchmark says so.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SOURCE = Path(__file__).with_name("speed_floor.c")
COMPILER = "cc"
FLAGS = ("-O3", "-march=native")
TOLERANCE = 1e-4
"""Largest difference from float64 of a hidden state that counts as the same sums."""
_ALIGNMENT = 64
_POINTER = ctypes.POINTER(ctypes.c_float)


class Floor:
    """The compiled code.

    Parameters
    ----------
    library : Path
        What `compile_floor` made.
    """

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        run_types = [_POINTER] * 3 + [ctypes.c_long, ctypes.c_int, ctypes.c_int]
        for name in ("floor_run_one", "floor_run_two"):
            function = getattr(self._library, name)
            function.argtypes, function.restype = run_types, None
        self._library.floor_tanh.argtypes = [_POINTER, _POINTER, ctypes.c_long]
        self._library.floor_tanh.restype = None

    @property
    def lanes(self) -> int:
        """How many numbers one of its vectors holds: 16 with AVX-512, 8 with AVX, else 4."""
        return int(self._library.floor_lanes())

    def tanh(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return its tanh of numbers, shape (n,), n a multiple of 16."""
        y = np.zeros_like(x)
        self._library.floor_tanh(_pointer(x), _pointer(y), len(x))
        return y

    def prepare(self, w_hh: NDArray[np.float32], drives: Sequence[NDArray[np.float32]]) -> FloorRun:
        """Lay out one network's matrix and its drives for the code.

        Parameters
        ----------
        w_hh : ndarray, shape (hidden, hidden)
        drives : sequence of ndarray, shape (time, hidden)
            Input and biases of one or two sequences, which go through together; as many steps are
            run as all of them have.
        """
        n_units, n_sequences = len(w_hh), len(drives)
        panel = int(self._library.floor_panel(n_sequences))
        width = -(-n_units // panel) * panel
        n_steps = min(len(drive) for drive in drives)
        padded = np.zeros((n_units, width), np.float32)
        padded[:, :n_units] = w_hh.T
        panels = _aligned((width // panel, n_units, panel))
        panels[:] = padded.reshape(n_units, -1, panel).transpose(1, 0, 2)
        drive = _aligned((n_steps, n_sequences, width))
        for sequence, values in enumerate(drives):
            drive[:, sequence, :n_units] = values[:n_steps]
        hidden = _aligned((n_steps + 1, n_sequences, width))
        name = "floor_run_two" if n_sequences == 2 else "floor_run_one"
        return FloorRun(getattr(self._library, name), panels, drive, hidden, n_units)


@dataclass(frozen=True, slots=True, eq=False)
class FloorRun:
    """One network and its sequences, ready to be run again and again from a state of zeros."""

    function: ctypes._CFuncPtr
    panels: NDArray[np.float32]
    drive: NDArray[np.float32]
    hidden: NDArray[np.float32]
    """Shape (time + 1, sequences, width): the first row is the state before the run."""
    n_units: int

    def __call__(self) -> None:
        """Run all steps; `states` then holds what came out."""
        n_steps, _, width = self.drive.shape
        arrays = (_pointer(array) for array in (self.panels, self.drive, self.hidden))
        self.function(*arrays, n_steps, self.n_units, width)

    @property
    def states(self) -> NDArray[np.float32]:
        """Hidden states of the last call, shape (time, sequences, hidden)."""
        return self.hidden[1:, :, : self.n_units]


def compile_floor(folder: Path) -> Floor | None:
    """Compile the code for this very processor; None without a compiler.

    Parameters
    ----------
    folder : Path
        Where the library goes.

    Raises
    ------
    RuntimeError
        If there is a compiler and it fails.
    """
    if shutil.which(COMPILER) is None:
        return None
    library = folder / "floor.so"
    command = [COMPILER, *FLAGS, "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return Floor(library)


def compiler_version() -> str | None:
    """Return the first line of what the compiler says of itself; None without one."""
    if shutil.which(COMPILER) is None:
        return None
    done = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0] or None


def states_in_float64(w_hh: NDArray[np.float32], drive: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return hidden states of one sequence by numpy in double precision, shape (time, hidden)."""
    matrix = w_hh.T.astype(np.float64)
    h = np.zeros(len(w_hh))
    states = np.empty((len(drive), len(w_hh)))
    for step, row in enumerate(drive.astype(np.float64)):
        h = np.tanh(row + h @ matrix)
        states[step] = h
    return states


def largest_difference(run: FloorRun, references: Sequence[NDArray[np.float64]]) -> float:
    """Return how far a run is from float64 at most, over all its sequences and steps.

    Raises
    ------
    ArithmeticError
        If that is more than `TOLERANCE`, so that its time would be that of something else.
    """
    run()
    difference = max(
        float(np.abs(run.states[:, sequence] - reference[: len(run.states)]).max())
        for sequence, reference in enumerate(references)
    )
    if not difference <= TOLERANCE:
        raise ArithmeticError(
            f"The hand-written recurrence is off by {difference:.2g} from numpy in float64, where "
            f"at most {TOLERANCE:g} was expected, so it is not timed. Compile it without "
            f"{' '.join(FLAGS)} to see whether the compiler is at fault."
        )
    return difference


def _aligned(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return zeros whose first number begins a cache line, which vector loads ask for."""
    n_bytes = int(np.prod(shape)) * 4
    memory = np.zeros(n_bytes + _ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT
    return memory[first : first + n_bytes].view(np.float32).reshape(shape)


def _pointer(array: NDArray[np.float32]) -> ctypes._Pointer[ctypes.c_float]:
    return array.ctypes.data_as(_POINTER)
