"""Every command explains itself, with an example that its own options allow."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]

COMMANDS = {
    ("predict",): [
        *("--bundle", "--task", "--events", "--out", "--json", "--fisher-z", "--timeseries"),
        *("--seed", "--participant-label", "--force", "--device", "--twin", "--age", "--sex"),
    ],
    ("calibrate",): [
        *("--events", "--bundle", "--twin", "--task", "--until", "--save", "--out", "--fisher-z"),
        *("--timeseries", "--age", "--sex", "--seed", "--participant-label", "--force", "--device"),
    ],
    ("bids",): [
        *("--bundle", "--participant-label", "--session-label", "--bids-filter-file", "--draws"),
        *("--nprocs", "--mem-mb", "--stop-on-first-crash", "--force", "--device", "--impute"),
    ],
    ("harmonize",): ["--out", "--bundle", "--site-column", "--covariates"],
    ("simulate",): ["--bundle", "--regions", "--n", "--seed", "--out", "--behavior-from"],
    ("train",): [
        *("--cohort", "--regions", "--preset", "--out", "--resume", "--seed", "--epochs"),
        *("--updates", "--held-out", "--personal-units"),
    ],
    ("export",): ["--out", "--name", "--bundle", "--triton", "--force"],
    ("demo",): ["--out", "--force"],
    ("report",): ["--out", "--bundle", "--region", "--participant-label", "--force"],
    ("sign",): ["--key", "--out", "--force"],
    ("serve",): [
        *["--bundle", "--host", "--port", "--workers", "--token-file", "--insecure"],
        *["--tls-cert", "--tls-key", "--queue"],
    ],
    ("bundles",): [],
    ("inspect",): ["--verify-key"],
    ("doctor",): [],
    ("evaluate",): [
        *("--data", "--protocol", "--bundle", "--folds", "--derivatives", "--people", "--new"),
        *("--regions", "--preset", "--updates", "--direct-input", "--leave-one-out", "--reuse"),
        *("--seed", "--jobs", "--out", "--resume", "--force"),
    ],
    ("evaluate", "reference"): ["--train"],
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_a_description_its_options_and_an_example(
    command: tuple[str, ...], dtb_run: Run
) -> None:
    done = dtb_run(*command, "--help")
    assert done.code == 0
    assert done.err == ""
    assert done.out.startswith(f"Usage: dtb-run {' '.join(command)} ")
    for option in (*COMMANDS[command], "--json", "--help"):
        assert re.search(rf"^  {option}\b", done.out, flags=re.MULTILINE), option
    examples = done.out.partition("Examples:\n")[2].splitlines()
    assert examples
    for example in examples:
        assert example.startswith(f"    dtb-run {' '.join(command)}")
        options = [word for word in shlex.split(example) if word.startswith("--")]
        assert all(re.search(rf"^  {option}\b", done.out, re.MULTILINE) for option in options)


def test_the_front_page_lists_the_commands_and_what_this_is_not_for(dtb_run: Run) -> None:
    done = dtb_run("--help")
    assert done.code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command[0]}  +\w", done.out, flags=re.MULTILINE)
    assert "not a medical device" in done.out
    assert "..." not in done.out.partition("Commands:")[2]  # each first sentence fits its line


def test_no_command_shows_the_front_page_as_a_usage_error(dtb_run: Run) -> None:
    done = dtb_run()
    assert done.code == 2
    assert "Usage: dtb-run" in done.out + done.err


def test_an_unknown_command_is_a_usage_error_that_offers_a_near_one(dtb_run: Run) -> None:
    done = dtb_run("predikt")
    assert done.code == 2
    assert "No such command 'predikt'" in done.err
    assert "predict" in done.err


def test_help_is_plain_text(dtb_run: Run) -> None:
    done = dtb_run("predict", "--help")
    assert done.out.isascii()
    assert "\x1b" not in done.out


def test_defaults_shown_in_help_are_those_of_the_layers_below() -> None:
    """They are written down again in the command line only so that help imports nothing heavy."""
    from dtb_cli import cohorts, evaluate, evaluate_reference, figures, options
    from dtb_models import direct_input, reference_training, simple_rules, simulation
    from dtb_runtime import bundle_loading

    assert bundle_loading.DEFAULT_BUNDLE == options.DEFAULT_BUNDLE
    assert simulation.DEFAULT_SHARE == cohorts.DEFAULT_SHARE
    prefixes = {"", simple_rules.SHUFFLED_PREFIX, simple_rules.RULE_PREFIX}
    assert set(figures.COLUMNS) == prefixes
    settings = reference_training.reference_settings(10)
    assert settings.epochs == evaluate_reference.REFERENCE_EPOCHS
    assert direct_input.EPOCHS == evaluate.DIRECT_EPOCHS
