"""The JSON API for people: a person's forecast, what trials teach a twin, what a plan does."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .bundle import Bundle
from .demographics import check_person
from .errors import DataError
from .events import Events, events_from_columns
from .forecast import Forecast
from .observed_run import ObservedRun
from .oip_messages import checked
from .recorded_responses import Responses
from .seen_trials import seen_trials
from .service_jobs import Answer, Job
from .service_json import NUMBER_BYTES, read_json, write_json
from .service_limits import ServiceLimits
from .service_messages import (
    ALL_TASKS,
    ApplyPlanRequest,
    CalibrateRequest,
    Columns,
    PersonRequest,
    PredictRequest,
)
from .service_person import maker_of, twin_of
from .service_plans import apply_plan
from .service_twins import TwinMaker
from .service_words import in_request_words
from .summary import summary
from .tables import shortened
from .tasks import DT_S, get_task
from .twin import Twin
from .twin_file import twin_bytes


class PeopleApi:
    """Answers requests about one person each.

    Parameters
    ----------
    makers : mapping of str to TwinMaker
        By name of the bundle; the first is that of requests that name none.
    limits : ServiceLimits
    """

    def __init__(self, makers: Mapping[str, TwinMaker], limits: ServiceLimits) -> None:
        self._makers, self._limits = makers, limits

    def answer(self, job: Job) -> Answer:
        """The response to one request.

        Raises
        ------
        DataError, UsageError
            The body cannot be used.
        """
        if job.header_length is not None:
            raise DataError(
                "Inference-Header-Content-Length belongs to inference requests. Send JSON alone."
            )
        body = read_json(job.body)
        if job.kind == "predict":
            found = self._predict(checked(PredictRequest, body))
        elif job.kind == "calibrate":
            found = self._calibrate(checked(CalibrateRequest, body))
        else:
            message = checked(ApplyPlanRequest, body)
            bundle = maker_of(message, self._makers).bundle
            found = apply_plan(message, bundle, self._limits.n_regions)
        return Answer(200, write_json(found), n_people=1)

    def _predict(self, message: PredictRequest) -> dict[str, Any]:
        maker = maker_of(message, self._makers)
        self._check(message)
        schedules = self._schedules(message, maker.bundle)
        twin = twin_of(message, maker, self._limits.n_regions)
        if twin is None:
            raise DataError(
                "There is nobody to forecast. Send a connectome, edges or a twin; from trials "
                "alone: calibrate."
            )
        forecasts = twin.forecast_tasks(schedules, seed=message.seed, draws=message.draws)
        found: dict[str, Any] = {
            "summary": _summary(twin, forecasts, message),
        }
        if message.trials:
            found["trials"] = {
                each.task: {name: values.tolist() for name, values in each.trials.items()}
                for each in forecasts
            }
        if message.bold:
            found["bold"] = {each.task: _bold(each) for each in forecasts}
        return found

    def _calibrate(self, message: CalibrateRequest) -> dict[str, Any]:
        maker = maker_of(message, self._makers)
        self._check(message)
        runs = self._observed(message)
        before = twin_of(message, maker, self._limits.n_regions)
        if before is None:
            before = maker.bundle.population_twin(participant_id=message.participant_id)
        self._check_duration([*before.observed, *runs])
        after = before.calibrate(runs, seed=message.seed)
        earlier, later = (
            _summary(twin, twin.forecast_tasks(draws=message.draws), message)
            for twin in (before, after)
        )
        return {
            "before": earlier,
            "after": later,
            "seen": [each.to_json() for each in seen_trials(after, draws=message.draws)],
            "twin": base64.b64encode(twin_bytes(after)).decode("ascii"),
        }

    def _check(self, message: PersonRequest) -> None:
        if message.draws is not None and message.draws > self._limits.draws:
            raise DataError(
                f"draws are {shortened(str(message.draws))}, expected at most "
                f"{self._limits.draws}. More change hardly anything."
            )
        if (message.age is None) != (message.sex is None):
            lacking = "sex" if message.sex is None else "age"
            raise DataError(f"Percentiles by age and sex need both. Add {lacking}.")
        check_person(message.age, message.sex)

    def _schedules(self, message: PredictRequest, bundle: Bundle) -> dict[str, Events | None]:
        """What to forecast: own schedules, or the study's."""
        given = message.events
        schedules: dict[str, Events | None]
        if given is None:
            tasks = bundle.manifest.tasks if message.task == ALL_TASKS else (message.task,)
            schedules = dict.fromkeys(tasks)
        else:
            if message.task != ALL_TASKS and {*given} != {message.task}:
                raise DataError(
                    "events are schedules of other tasks than task says. Leave task out, or send "
                    "its own schedule alone."
                )
            self._check_trials([*given.values()])
            schedules = {
                task: _events(columns, task, f"events of {task}") for task, columns in given.items()
            }
        if not schedules:
            raise DataError(
                "There is no task to forecast. Send a schedule, leave events out, or name a bundle "
                "that knows a task."
            )
        for task, events in schedules.items():
            n_frames = (events or get_task(task).schedule()).n_frames
            n_bytes = n_frames * bundle.manifest.n_bold * NUMBER_BYTES
            if message.bold and n_bytes > self._limits.body_bytes:
                raise DataError(
                    f"BOLD of {task} would take about {n_bytes / 1e6:.0f} MB, expected at most "
                    f"{self._limits.body_bytes / 1e6:.0f}. Send a shorter schedule, or ask for no "
                    "bold."
                )
        return schedules

    def _observed(self, message: CalibrateRequest) -> list[ObservedRun]:
        """The trials to learn from, run by run."""
        runs: list[ObservedRun] = []
        several = {
            task: own if isinstance(own, list) else [own] for task, own in message.trials.items()
        }
        self._check_trials([columns for own in several.values() for columns in own])
        for task, own in several.items():
            for number, columns in enumerate(own, start=1):
                # Names as files have them: they tell runs from parts of one run.
                name = f"task-{task}" + (f"_run-{number}" if len(own) > 1 else "")
                events = _events(columns, task, name)
                runs.append(ObservedRun(events, Responses.from_events(events)))
        if not runs:
            raise DataError("There are no trials to learn from. Send at least one run.")
        return runs

    def _check_duration(self, runs: Sequence[ObservedRun]) -> None:
        seconds = sum(run.events.n_steps for run in runs) * DT_S
        if seconds > self._limits.learned_s:
            raise DataError(
                f"The runs to learn from last {seconds:.0f} s together, with those that a twin "
                f"knows already, expected at most {self._limits.learned_s:.0f}: learning from more "
                "takes longer than a request may. Use dtb-run calibrate."
            )

    def _check_trials(self, runs: Sequence[Columns]) -> None:
        n_trials = sum(max(map(len, columns.values()), default=0) for columns in runs)
        if n_trials > self._limits.n_trials:
            raise DataError(
                f"There are {n_trials} trials, expected at most {self._limits.n_trials} in one "
                "request."
            )


def _summary(twin: Twin, forecasts: Sequence[Forecast], message: PersonRequest) -> dict[str, Any]:
    found = summary(twin, forecasts, age=message.age, sex=message.sex)
    return found | {"warnings": [in_request_words(each) for each in found["warnings"]]}


def _events(columns: Columns, task: str, source: str) -> Events:
    definition = get_task(task)  # before anything is named after it
    values = {
        name: [math.nan if cell is None else cell for cell in column]
        for name, column in columns.items()
    }
    return events_from_columns(values, definition, source)


def _bold(forecast: Forecast) -> dict[str, Any]:
    return {
        "region_labels": list(forecast.region_labels),
        "tr_s": forecast.tr_s,
        "values": forecast.bold.tolist(),
    }
