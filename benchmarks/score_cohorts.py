"""Cohorts to score: made-up people around a bundle's example, some of them broken on purpose.

Connectomes are the example's, mixed with noise that keeps them correlations; they are as large and
as quick to read as anybody's, and say nothing of anyone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REPOSITORY = Path(__file__).resolve().parents[1]
NOISE_SAMPLES = 600
"""Time points behind the noise that is mixed in."""
SHARE = 0.3
"""Of the noise."""


def example(bundle: str) -> NDArray[np.float64]:
    """Return the example connectome that comes with a bundle."""
    path = REPOSITORY / "examples" / f"sub-example_atlas-{bundle}_connectome.npy"
    return np.asarray(np.load(path), dtype=np.float64)


def people(bundle: str, n_different: int, seed: int = 0) -> list[NDArray[np.float32]]:
    """Return connectomes of several made-up people."""
    rng = np.random.default_rng(seed)
    typical = example(bundle)
    made = []
    for _ in range(n_different):
        noise = np.corrcoef(rng.normal(size=(len(typical), NOISE_SAMPLES)))
        mixed = (1 - SHARE) * typical + SHARE * noise
        np.fill_diagonal(mixed, 1.0)
        made.append(mixed.astype(np.float32))
    return made


def write_cohort(
    folder: Path, n_people: int, bundle: str, ending: str = ".npy", *, linked: bool = False
) -> None:
    """Write a cohort of files ``sub-00000...``; of 32 different people, in turn.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is not there.
    n_people : int
    bundle : str
        Whose regions they have.
    ending : str
        ``.npy``, or ``.tsv`` for text without labels.
    linked : bool
        Whether those who come after the first 32 are hard links to their files, not copies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = []
    for number, correlations in enumerate(people(bundle, min(n_people, 32))):
        path = folder / f"sub-{number:05d}{ending}"
        if ending == ".npy":
            np.save(path, correlations)
        else:
            np.savetxt(path, correlations, fmt="%.6f", delimiter="\t")
        contents.append(path.read_bytes())
    for number in range(len(contents), n_people):
        path, first = folder / f"sub-{number:05d}{ending}", number % len(contents)
        if linked:
            path.hardlink_to(folder / f"sub-{first:05d}{ending}")
        else:
            path.write_bytes(contents[first])


def _saved(change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        np.save(path, change(np.load(path)))

    return apply


def _with(correlations: NDArray[np.float32], value: float) -> NDArray[np.float32]:
    changed = correlations.copy()
    changed[3, 7] = value
    return changed


BREAKS: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:5000]), "cut short"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "no array": (lambda path: path.write_bytes(b"this is no array"), "not a NumPy array file"),
    "not finite": (_saved(lambda r: _with(r, np.nan)), "nan"),
    "not symmetric": (_saved(lambda r: _with(r, -0.9)), "symmetric"),
    "too large": (_saved(lambda r: 3 * r), "Fisher z"),
    "other regions": (_saved(lambda r: r[:100, :100]), "100"),
    "not square": (_saved(lambda r: r[:, :10]), "square"),
    "three axes": (_saved(lambda r: r[None]), "dimension"),
    "objects": (
        lambda path: np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True),
        "objects",
    ),
}
"""Ways to break a file: what to do, and a word of the reason that a row must give."""


def break_some(folder: Path, n_broken: int) -> dict[str, str]:
    """Break every so many files of a cohort, in turn in all ways.

    Returns
    -------
    dict of str to str
        Participant id to the way.
    """
    files = sorted(folder.glob("sub-*.npy"))
    ways = list(BREAKS)
    broken = {}
    for number in range(n_broken):
        path = files[number * len(files) // n_broken]
        way = ways[number % len(ways)]
        BREAKS[way][0](path)
        broken[path.stem] = way
    return broken
