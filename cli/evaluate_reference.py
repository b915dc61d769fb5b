"""`dtb-run evaluate reference`: the authors' public model, in both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import terminal
from .options import JsonOption, SeedOption

EXAMPLES = """\b
Examples:
  dtb-run evaluate reference reference_model
  dtb-run evaluate reference reference_model --train --json
"""
REFERENCE_EPOCHS = 60


def reference(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", show_default=False, help="Folder with dataset.npz and weights.npz."
        ),
    ],
    train: Annotated[
        bool,
        typer.Option(
            "--train", help="Train from scratch on the authors' people instead of their weights."
        ),
    ] = False,
    epochs: Annotated[
        int, typer.Option(min=1, help="With --train: epochs, at most.")
    ] = REFERENCE_EPOCHS,
    seed: SeedOption = 0,
    json: JsonOption = False,
) -> None:
    """Measure the authors' public model in PyTorch and ONNX Runtime.

    The figures are computed from the files on the test people: choice accuracy and cross-entropy
    of the actions, squared error of BOLD.
    """
    from dtb_export.reference import evaluate_reference, train_reference

    if train:
        with terminal.progress("Epoch", epochs) as progress:

            def on_progress(done: int, _total: int, sentence: str) -> None:
                progress.advance(done, sentence)

            figures = train_reference(folder, seed=seed, epochs=epochs, on_progress=on_progress)
    else:
        figures = evaluate_reference(folder)
    if json:
        terminal.print_json(figures)
        return
    names = list(figures["torch"])
    rows = [(name, *(f"{figures[engine][name]:.8f}" for engine in figures)) for name in names]
    terminal.print_table(terminal.Table(("figure on test people", *figures), rows))
