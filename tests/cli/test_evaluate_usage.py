"""`dtb-run evaluate` refuses options that make no sense together, before anything is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "tcp"], "--data tcp wants the folder of the people, as in --data tcp DIR"),
        (["--data", "simulated", "DIR"], "wants no folder: these people are made up; found DIR"),
        (["--data", "tcp", "DIR"], "add --regions TABLE. Or judge what is trained already"),
        (["--data", "tcp", "DIR", "--regions", "T"], "add --out DIR"),
        (["--data", "tcp", "DIR", "--bundle", "B", "--regions", "T"], "so --regions has no"),
        (["--data", "tcp", "DIR", "--bundle", "B", "--folds", "3"], "so --folds has no meaning"),
        (["--data", "tcp", "DIR", "--bundle", "B", "--updates", "3"], "so --updates has no"),
        (["--data", "tcp", "DIR", "--bundle", "B", "--preset", "paper"], "so --preset has no"),
        (["--data", "tcp", "DIR", "--bundle", "B", "--direct-input"], "so --direct-input has no"),
        (["--data", "tcp", "DIR", "--bundle", "B", "--people", "3"], "takes everybody in DIR"),
        (["--data", "tcp", "DIR", "--bundle", "B", "--resume"], "--resume goes on with"),
        (["--data", "tcp", "DIR", "--bundle", "B", "--activations", "A"], "so --activations has"),
        (["--data", "tcp", "DIR", "--behavior-from", "X"], "takes the behavior in DIR"),
        (["--data", "tcp", "DIR", "--leave-one-out", "--bundle", "B"], "not of tcp"),
        (["--data", "simulated", "--folds", "3"], "--data simulated has no folds"),
        (["--data", "simulated", "--behavior-from", "X"], "makes up behavior, too"),
        (["--data", "simulated", "--protocol", "temporal", "--new", "3"], "judges those it trains"),
        (["--data", "hcp", "DIR"], "judges a bundle (--bundle NAME), or trains without each"),
        (["--data", "hcp", "DIR", "--protocol", "calibrated"], "did no trials"),
        (["--data", "hcp", "DIR", "--bundle", "B", "--derivatives", "D"], "is of --data tcp"),
        (["--data", "hcp", "DIR", "--direct-input", "--leave-one-out"], "judged on trials"),
        (
            ["--data", "tcp", "DIR", "--preset", "paper", "--regions", "T", "--out", "O"],
            "A network of the paper preset cannot learn from a person's trials",
        ),
        (
            ["--data", "tcp", "DIR", "--loss", "density", "--regions", "T", "--out", "O"],
            "A network of densities cannot learn from a person's trials",
        ),
        (
            ["--data", "tcp", "DIR", "--epochs", "3", "--regions", "T", "--out", "O"],
            "The compact preset has no --epochs",
        ),
        (
            [
                *("--data", "tcp", "DIR", "--protocol", "temporal", "--folds", "3"),
                *("--regions", "T", "--out", "O"),
            ],
            "trains on everybody, so --folds has no meaning",
        ),
        (
            [
                *("--data", "hcp", "DIR", "--leave-one-out", "--reuse", "C", "--updates", "3"),
                *("--regions", "T", "--out", "O"),
            ],
            "takes the network and the settings of its checkpoint, so --updates",
        ),
    ],
)
def test_what_makes_no_sense_is_said(dtb_run: Run, words: list[str], message: str) -> None:
    done = dtb_run("evaluate", *words)
    assert done.code == 2, done.err
    assert message in done.err
    assert done.out == ""
