"""Every kind of file that is refused, made here, and what is said of it: `docs/refused-files.md`.

    python -m tests.runtime.refused_files    # in the checkout: writes the page again

`test_refused_files.py` sees that the page says what the code says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .refused_bundles import BUNDLES, TWINS
from .refused_case import Case
from .refused_connectomes import ANY, NUMBERS, NUMPY, TEXT
from .refused_formats import LIBRARIES
from .refused_tables import COHORTS, EVENTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "refused-files.md"
GROUPS: Sequence[tuple[str, Sequence[Case]]] = (
    ("Connectomes and time series, any format", ANY),
    ("NumPy (.npy, .npz)", NUMPY),
    ("Text (.csv, .tsv, .txt)", TEXT),
    ("What the numbers are", NUMBERS),
    ("NIfTI, CIFTI, MATLAB, HDF5, Parquet", LIBRARIES),
    ("Events", EVENTS),
    ("Tables of people and regions", COHORTS),
    ("Bundles", BUNDLES),
    ("Twins and plans", TWINS),
)
_INTRODUCTION = """# Refused files

What is said of each kind of file that is not taken. Every sentence ends a command with exit code 1
and nothing half-written; `dtb-run score` writes it into the row of the person and goes on with the
next. In Python it is the text of a `DtbError`. What stands behind it is in [Security](SECURITY.md).
`(...)` stands for what a library says.

Written by `python -m tests.runtime.refused_files`, which makes each of these files; a test sees
that the page is up to date.
"""


def page() -> str:
    """The page as it has to be."""
    parts = [_INTRODUCTION]
    for title, cases in GROUPS:
        rows = [f"| {case.kind} | {_cell(case.sentence())} |" for case in cases]
        parts.append("\n".join([f"## {title}\n", "| file | what is said |", "|---|---|", *rows]))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _cell(sentence: str) -> str:
    for char in "\\|<>*_[]`":
        sentence = sentence.replace(char, f"\\{char}")
    return sentence


if __name__ == "__main__":
    argparse.ArgumentParser(description="Write docs/refused-files.md again.").parse_args()
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
