"""What an intervention plan does in the person of a request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .bundle import Bundle
from .errors import DataError
from .intervention import try_plan
from .intervention_outputs import summary_of
from .participants import checked_participant_id
from .plan import plan_of_text
from .service_json import write_json
from .service_messages import ApplyPlanRequest
from .service_person import given_connectome


def apply_plan(message: ApplyPlanRequest, bundle: Bundle, n_regions: int) -> dict[str, Any]:
    """Try a plan, as JSON values; see `ApplyPlanResponse`.

    Parameters
    ----------
    message : ApplyPlanRequest
    bundle : Bundle
    n_regions : int
        Most regions of a connectome.

    Raises
    ------
    DataError, UsageError
        The plan or the connectome cannot be used, or the plan is of another bundle.
    """
    participant_id = checked_participant_id(message.participant_id)
    given = given_connectome(message, n_regions)
    if given is None:
        raise DataError("There is nobody to try the plan in. Send a connectome or edges.")
    # Through its text: it then goes through the checks of a plan's file.
    plan = plan_of_text(write_json(message.plan), "plan", bundle)
    # A dose of the plan is a plan of its own, of which everything is said at dose 1.
    dosed = replace(plan, change=replace(plan.change, sizes=message.dose * plan.change.sizes))
    tried = try_plan(
        bundle,
        given.connectome(),
        dosed,
        doses=(),
        shams=message.shams,
        seed=message.seed,
    )
    found = summary_of(bundle, tried)
    del found["doses"]  # there are none but this one
    found |= {"participant_id": participant_id, "dose": message.dose}
    if message.with_connectome:
        found["connectome"] = tried.changed.tolist()
    return found
