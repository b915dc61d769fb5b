"""One worker of the service: from the bodies of requests to whole answers."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence

from .bundle import Bundle
from .errors import BundleError, DataError, UsageError
from .oip_models import ServedModel, served_models
from .oip_networks import answer_hypernetwork, answer_main
from .oip_requests import read_call
from .oip_twin import PARAMETERS, TwinModel, TwinRequest
from .service_jobs import LATER, Answer, Job
from .service_limits import ServiceLimits
from .service_people import PeopleApi
from .service_twins import TwinMaker
from .service_words import in_request_words
from .twin_cache import TwinCache

_log = logging.getLogger(__name__)
_OURS = (
    "The service failed on this request, and says no more of it because a person's data may be "
    "part of that. Others are not affected; its log says where."
)


class ServiceWorker:
    """Answers requests with loaded bundles.

    Parameters
    ----------
    bundles : sequence of Bundle
        The first is the one whose models have plain names, and that people's requests take where
        they name none.
    limits : ServiceLimits

    Raises
    ------
    UsageError
        `served_models` refuses them, or one has more regions than the limits allow.
    """

    def __init__(self, bundles: Sequence[Bundle], limits: ServiceLimits) -> None:
        self.models: Mapping[str, ServedModel] = served_models(
            [(each.manifest, each.digest) for each in bundles]
        )
        """What can be asked for, by name."""
        self._limits = limits
        cache = TwinCache(limits.twins_cached)
        self._makers = {each.name: TwinMaker(each, cache) for each in bundles}
        for bundle in bundles:
            parcellation = bundle.manifest.parcellation
            if parcellation is not None and len(parcellation.labels) > limits.n_regions:
                raise UsageError(
                    f"Bundle {bundle.name!r} has {len(parcellation.labels)} regions, but the "
                    f"service takes at most {limits.n_regions}. Raise that limit."
                )
        self._people = PeopleApi(self._makers, limits)
        self._twins = {
            model.bundle: TwinModel(self._makers[model.bundle], limits)
            for model in self.models.values()
            if model.kind == "twin"
        }

    def answer(self, jobs: Sequence[Job]) -> list[Answer]:
        """One answer each, in their order.

        A body that cannot be used is an answer that says so; nothing is raised for it. Requests to
        one bundle's twins are forecast together. Of several jobs, those that average over draws are
        answered with `LATER`: they gain nothing from company, and others would wait for them.
        """
        answers: dict[int, Answer] = {}
        waiting: dict[str, list[tuple[int, TwinRequest]]] = {}
        for number, job in enumerate(jobs):
            try:
                done = self._begin(job)
            except Exception as error:
                answers[number] = refusal(error)
                continue
            if isinstance(done, Answer):
                answers[number] = done
            elif done.draws > 1 and len(jobs) > 1:
                answers[number] = LATER
            else:
                waiting.setdefault(done.call.model.bundle, []).append((number, done))
        for bundle, own in waiting.items():
            try:
                found = self._twins[bundle].answers([request for _, request in own])
            except Exception as error:
                found = [error] * len(own)
            for (number, _), made in zip(own, found, strict=True):
                answers[number] = made if isinstance(made, Answer) else refusal(made)
        return [answers[number] for number in range(len(jobs))]

    def _begin(self, job: Job) -> Answer | TwinRequest:
        """The answer, or a request that is answered together with others."""
        if job.kind != "infer":
            return self._people.answer(job)
        model = self.models.get(job.model)
        if model is None:
            return Answer.refusal(404, "There is no such model.")
        if model.kind == "twin":
            call = read_call(job, model, self._limits, PARAMETERS)
            return self._twins[model.bundle].request(call)
        answer = answer_hypernetwork if model.kind == "hypernetwork" else answer_main
        call = read_call(job, model, self._limits)
        return answer(self._makers[model.bundle].bundle, call, self._limits.body_bytes)


def refusal(error: Exception) -> Answer:
    """What is answered to a request that failed: its own fault with the sentence, ours without.

    Of ours the place in the code is logged, and no message: that may hold somebody's data.
    """
    if isinstance(error, DataError | UsageError) and not isinstance(error, BundleError):
        return Answer.refusal(400, in_request_words(str(error)))
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = ", ".join(f"{frame.filename}:{frame.lineno}" for frame in last) or "nowhere"
    _log.error("A request failed: %s at %s", type(error).__name__, where)
    return Answer.refusal(500, _OURS)
