"""`dtb-run calibrate`: a person's own trials in, a twin that has learned from them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtb_runtime.processors import n_usable
from dtb_runtime.reading import Reading

from . import terminal
from .forecasts import INTERVAL, interval, number, print_forecasts, print_heading, print_remarks
from .options import (
    DEFAULT_BUNDLE,
    AgeOption,
    BundleOption,
    Device,
    DeviceOption,
    FilesOutOption,
    ForceOption,
    JsonOption,
    OptionalConnectome,
    ParticipantOption,
    SeedOption,
    SexOption,
    TwinOption,
)
from .person import Person
from .reading_options import with_reading

if TYPE_CHECKING:
    from dtb_runtime.observed_run import ObservedRun

EXAMPLES = """\b
Examples:
  dtb-run calibrate sub-01_connectome.csv --events sub-01_task-stroop_events.tsv
  dtb-run calibrate --events sub-01_task-hammer_events.tsv --until 196.8 --save sub-01_twin.npz
  dtb-run calibrate --twin sub-01_twin.npz --events sub-01_task-stroop_events.tsv --out twins
"""


@with_reading
def calibrate(
    connectome: OptionalConnectome = None,
    events: Annotated[
        list[Path] | None,
        typer.Option(
            "--events",
            metavar="TSV",
            show_default=False,
            help="BIDS events of a run that the person did, with response_time and "
            "accuracy_binarized; repeat for more runs.",
        ),
    ] = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    twin: TwinOption = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="hammer|stroop",
            show_default=False,
            help="Task of the events; default: what task-<label> in the file's name says, "
            "without one the columns.",
        ),
    ] = None,
    until: Annotated[
        float | None,
        typer.Option(
            "--until",
            metavar="SECONDS",
            show_default=False,
            min=0.0,
            help="Learn only from trials that begin before this time of their run, in seconds.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="NPZ",
            show_default=False,
            help="File to save the twin in; it remembers these trials.",
        ),
    ] = None,
    out: FilesOutOption = None,
    json: JsonOption = False,
    age: AgeOption = None,
    sex: SexOption = None,
    seed: SeedOption = 0,
    participant_label: ParticipantOption = None,
    force: ForceOption = False,
    device: DeviceOption = Device.AUTO,
    *,
    reading: Reading,
) -> None:
    """Let a twin learn from its person's own trials.

    Starts from a connectome, from a saved twin (trials it learned from before count on), or from
    neither: then from what people are like. Prints the forecast before and after, and writes the
    files that predict writes.
    """
    from dtb_runtime.bundle_loading import load_bundle
    from dtb_runtime.errors import OutputError, UsageError
    from dtb_runtime.learning_summary import learning_summary
    from dtb_runtime.outputs import write_forecasts
    from dtb_runtime.summary import summary

    files = tuple(events or ())
    if connectome is None and twin is None and not files:
        raise UsageError(
            "There is nobody to calibrate. Give --events TSV, a CONNECTOME, or --twin NPZ."
        )
    person = Person(
        connectome=connectome,
        twin=twin,
        events=files,
        reading=reading,
        participant_label=participant_label,
        age=age,
        sex=sex,
    )
    person.check()
    if out is not None:
        person.check_has_id()
    if save is not None and any(_is_same(save, file) for file in (connectome, *files)):
        raise UsageError(f"--save {save} is one of the files that go in. Choose another name.")
    if save is not None and save.exists() and not force:
        raise OutputError(f"{save} exists already. Choose another file, or add --force.")
    runs = [_observed(file, task, until) for file in files]
    loaded = load_bundle(bundle, device=device.value)
    before = person.make_twin(loaded)
    after = before.calibrate(runs, seed=seed)
    earlier, forecasts = (
        [own.forecast(name, threads=n_usable()) for name in loaded.manifest.tasks]
        for own in (before, after)
    )
    norm_sex = person.norm_sex
    learning = learning_summary(before, after, earlier, threads=n_usable())
    written: Sequence[Path] = ()
    if out is not None:  # it is what may be refused
        written = write_forecasts(
            out, after, forecasts, age=age, sex=norm_sex, more=learning, force=force
        )
    if save is not None:
        after.save(save, force=force)
    result = summary(after, forecasts, written, age=age, sex=norm_sex) | learning
    if json:
        terminal.print_json(result)
        return
    print_heading(result)
    if result["seen"]:
        terminal.print_lines("The trials it learned from, and its forecast for the same trials:")
        terminal.print_table(_seen_table(result["seen"]))
        as_saved = "" if twin is None else " (as saved)"
        terminal.print_lines(
            "Accuracy counts trials without an answer as wrong.",
            "",
            f"The study's own schedule, before{as_saved} and after:",
        )
    terminal.print_table(_change_table(result))
    terminal.print_lines(*_learned_sentences(result["learned"]), "")
    print_forecasts(result, forecasts)
    print_remarks(result)
    if save is not None:
        terminal.message(f"Saved the twin in {save}.")
    if out is not None:
        terminal.message(f"Wrote {len(written)} files to {out}.")


def _is_same(file: Path, other: Path | None) -> bool:
    return other is not None and file.exists() and other.exists() and file.samefile(other)


def _observed(file: Path, task: str | None, until: float | None) -> ObservedRun:
    from dtb_runtime.errors import UsageError
    from dtb_runtime.trials_seen import read_observed

    run = read_observed(file, task)
    part = run if until is None else run.until(until)
    if part is None:
        raise UsageError(
            f"No trial of {file.name} begins before --until {until:g}; the first begins at "
            f"{run.events.onset_s[0]:g} s. Give a later time."
        )
    return part


def _seen_table(seen: Sequence[Mapping[str, Any]]) -> terminal.Table:
    header = (
        *("task", "trial type", "trials", "answered"),
        *("accuracy", "forecast", "response time (s)", "forecast"),
    )
    measures = ("accuracy", "forecast_accuracy", "response_time_s", "forecast_response_time_s")
    rows = [
        (
            each["task"],
            each["trial_type"] or "all",
            str(each["n_trials"]),
            str(each["n_answered"]),
            *(number(each[name]) for name in measures),
        )
        for each in seen
    ]
    return terminal.Table(header, rows)


def _change_table(result: Mapping[str, Any]) -> terminal.Table:
    earlier = result["before"]
    rows = [
        (
            name,
            number(earlier["indicators"].get(name)),
            interval(earlier["indicator_intervals"].get(name)),
            number(value),
            interval(result["indicator_intervals"].get(name)),
        )
        for name, value in sorted(result["indicators"].items())
        if name.count(":") <= 1  # not by trial type
    ]
    return terminal.Table(("indicator", "before", INTERVAL, "after", INTERVAL), rows)


def _learned_sentences(learned: Mapping[str, Any] | None) -> list[str]:
    if learned is None:
        return ["There was no trial to learn from, so before and after are the same."]
    lapses, slips = learned["lapse_rates"], learned["slip_rates"]
    beyond = "; ".join(
        f"{task}: {100 * lapses[task]:.0f} % of trials let pass (lapses), "
        f"{100 * slips[task]:.0f} % of answers at random (slips)"
        for task in slips
    )
    sentences = [f"Beyond what the networks expect, {beyond}."]
    if learned["answered"]:
        sentences.insert(
            0,
            f"Learning left {100 * learned['spread_left']:.0f} % of the doubt about this person "
            "(standard deviation of the latent, mean over its numbers). Log likelihood of the "
            f"trials that were learned from: {learned['prior_log_likelihood']:.1f} before, "
            f"{learned['log_likelihood']:.1f} after.",
        )
    return sentences
