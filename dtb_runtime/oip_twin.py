"""The twin model of the protocol: from connectomes to forecasts, many requests in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from .errors import DataError, DtbError
from .oip_answers import check_size, infer_answer
from .oip_models import SAMPLED
from .oip_requests import InferCall
from .oip_twin_outputs import OF_TRIALS, TwinOutputs
from .prepared_run import PreparedRun, prepare_run
from .scoring import people_at_once
from .service_forecasts import PersonForecast, Wanted, forecast_over_draws, forecast_together
from .service_jobs import Answer
from .service_limits import ServiceLimits
from .service_messages import ALL_TASKS, MAX_SEED
from .service_twins import GivenConnectome, TwinMaker
from .tables import listed_names, shown
from .tasks import get_task
from .twin import Twin

PARAMETERS = ("draws", "seed", "fisher_z", "impute")
"""What a request may say beside its tensors."""


@dataclass(frozen=True, slots=True, eq=False)
class TwinRequest:
    """What one request wants to know of how many people."""

    call: InferCall
    people: tuple[GivenConnectome, ...]
    tasks: tuple[str, ...]
    draws: int
    outputs: tuple[str, ...]
    """Names of those that are given."""
    wanted: Wanted


class TwinModel:
    """Forecasts the people of requests with one bundle.

    Parameters
    ----------
    maker : TwinMaker
    limits : ServiceLimits
    """

    def __init__(self, maker: TwinMaker, limits: ServiceLimits) -> None:
        self._maker, self._limits = maker, limits
        tasks = maker.bundle.manifest.tasks
        self._outputs = {each: self._outputs_of(each) for each in (tasks, *((t,) for t in tasks))}

    def _outputs_of(self, tasks: Sequence[str]) -> TwinOutputs:
        runs = [prepare_run(get_task(task), None) for task in tasks]
        return TwinOutputs(self._maker.bundle, runs)

    def request(self, call: InferCall) -> TwinRequest:
        """Make sense of a request.

        Raises
        ------
        DataError
            It does not fit this bundle, or its answer would be too large.
        """
        seed = call.whole("seed", 0, MAX_SEED)
        outputs = tuple(call.outputs)
        if seed is None:
            asked = [name for name in SAMPLED if name in outputs and call.names_outputs]
            if asked:
                raise DataError(
                    f"The output {asked[0]!r} is one response drawn for each trial, which needs "
                    "the parameter 'seed'."
                )
            outputs = tuple(name for name in outputs if name not in SAMPLED)
        labels = call.inputs.get("labels")
        names = None if labels is None else tuple(labels.tolist())
        fisher_z, impute = call.flag("fisher_z"), call.flag("impute")
        request = TwinRequest(
            call=call,
            people=tuple(
                GivenConnectome(values, names, fisher_z=fisher_z, impute=impute)
                for values in call.inputs["connectome"]
            ),
            tasks=self._tasks(call),
            draws=self._draws(call),
            outputs=outputs,
            wanted=Wanted(
                trials=any(name in OF_TRIALS for name in outputs),
                bold="bold" in outputs,
                seed=seed,
            ),
        )
        shapes = self._outputs[request.tasks].shapes(outputs, len(request.people))
        check_size(call, shapes, self._limits.body_bytes)
        return request

    def _draws(self, call: InferCall) -> int:
        draws, n = call.whole("draws", 1, self._limits.draws) or 1, len(call.inputs["connectome"])
        if draws > 1 and n * draws > self._limits.draws:
            raise DataError(
                f"{n} people with {draws} draws each are {n * draws} forecasts, expected at most "
                f"{self._limits.draws} in one request. Divide it among several."
            )
        return draws

    def _tasks(self, call: InferCall) -> tuple[str, ...]:
        tasks, given = self._maker.bundle.manifest.tasks, call.inputs.get("task")
        task = ALL_TASKS if given is None else str(given[0])
        if task != ALL_TASKS and task not in tasks:
            raise DataError(
                f"Input 'task' is {shown(task)}, expected one of "
                f"{listed_names([*tasks, ALL_TASKS])}."
            )
        return tasks if task == ALL_TASKS else (task,)

    def answers(self, requests: Sequence[TwinRequest]) -> list[Answer | Exception]:
        """The answer to each, or why there is none; whoever fails is their own request's trouble.

        As many people at once as is best, whichever requests they are of.
        """
        opened = [_Opened(each, self._outputs[each.tasks]) for each in requests]
        alike: dict[tuple[tuple[str, ...], int], list[_Opened]] = {}
        for each in opened:
            alike.setdefault((each.request.tasks, each.request.draws), []).append(each)
        for (tasks, draws), own in alike.items():
            waiting = ((each, i) for each in own for i in each.going())
            while batch := list(islice(waiting, people_at_once(self._maker.bundle))):
                self._forecast(batch, self._outputs[tasks].runs, draws)
        return [each.answer() for each in opened]

    def _forecast(
        self, batch: Sequence[tuple[_Opened, int]], runs: Sequence[PreparedRun], draws: int
    ) -> None:
        made = self._maker.twins([each.request.people[i] for each, i in batch])
        people: list[tuple[_Opened, int, Twin]] = []
        for (each, i), twin in zip(batch, made, strict=True):
            if isinstance(twin, Exception):
                each.fail(i, twin)
            else:
                people.append((each, i, twin))
        if not people:
            return
        several = [(twin, each.request.wanted) for each, _, twin in people]
        found: list[PersonForecast | Exception]
        if draws == 1:
            found = forecast_together(self._maker.bundle, runs, several)
        else:
            found = [forecast_over_draws(twin, runs, wanted, draws) for twin, wanted in several]
        for (each, i, twin), forecast in zip(people, found, strict=True):
            if isinstance(forecast, Exception):
                each.fail(i, forecast)
            else:
                each.put(i, twin, forecast)


class _Opened:
    """A request whose outputs are being filled, person by person."""

    def __init__(self, request: TwinRequest, outputs: TwinOutputs) -> None:
        self.request = request
        self._outputs = outputs
        self._tensors = outputs.tensors(request.outputs, len(request.people))
        self._problem: Exception | None = None
        self._warnings: dict[int, tuple[str, ...]] = {}

    def going(self) -> Iterator[int]:
        """People still to be forecast: none once one of them has failed."""
        for person in range(len(self.request.people)):
            if self._problem is None:
                yield person

    def fail(self, person: int, error: Exception) -> None:
        """Remember the first person who cannot be forecast, and why."""
        if self._problem is None:
            several = len(self.request.people) > 1 and isinstance(error, DtbError)
            self._problem = type(error)(f"Person {person + 1}: {error}") if several else error

    def put(self, person: int, twin: Twin, forecast: PersonForecast) -> None:
        """Write one person's rows."""
        self._outputs.write(self._tensors, person, twin, forecast)
        self._warnings[person] = twin.warnings

    def answer(self) -> Answer | Exception:
        """The response, or why there is none."""
        if self._problem is not None:
            return self._problem
        n_people = len(self.request.people)
        return infer_answer(self.request.call, self._tensors, n_people, self._said())

    def _said(self) -> Iterator[str]:
        """Warnings: those of everybody once, the others with whom they are about."""
        shared = set.intersection(*map(set, self._warnings.values())) if self._warnings else set()
        for person in sorted(self._warnings):
            for sentence in self._warnings[person]:
                yield sentence if sentence in shared else f"Person {person + 1}: {sentence}"
