"""The requests and responses of the JSON API for people, typed: they check and document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field, WithJsonSchema

from .forecast import DRAWS
from .oip_messages import Message

MAX_SEED = 2**63 - 1
MAX_ID = 200
"""Characters of a participant_id: names of files are made of it, which have 255 bytes."""
MAX_COLUMNS = 100
MAX_RUNS = 50
"""Of one task, to learn from."""
MAX_DOSE = 10.0
MAX_SHAMS = 50
"""Each is a search for the nearest possible connectome, of half a second."""
ALL_TASKS = "all"

# Numbers are looked at where they become arrays: one by one would take longer than the forecast.
Numbers: TypeAlias = Annotated[
    list[Any], WithJsonSchema({"type": "array", "items": {"type": "number"}})
]
Rows: TypeAlias = Annotated[
    list[Any],
    WithJsonSchema({"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
]
Cell: TypeAlias = str | float | None
Columns: TypeAlias = Annotated[
    dict[str, Annotated[list[Cell], Field(fail_fast=True)]], Field(max_length=MAX_COLUMNS)
]
"""Of an events table: column name to one value a trial, null for n/a."""
Seed: TypeAlias = Annotated[int, Field(ge=0, le=MAX_SEED)]
_CONNECTOME = "Correlations r between regions, row by row: symmetric, diagonal 1 (or 0)."
_EDGES = "Instead: r of the upper triangle without the diagonal, row by row."


class ConnectomeRequest(Message):
    """Somebody's connectome, and which bundle to use."""

    bundle: str | None = Field(default=None, description="By default the first that is served.")
    connectome: Rows | None = Field(default=None, description=_CONNECTOME)
    edges: Numbers | None = Field(default=None, description=_EDGES)
    labels: Annotated[list[str], Field(fail_fast=True)] | None = Field(
        default=None, description="Names of the regions; by default they are in the bundle's order."
    )
    fisher_z: bool = Field(default=False, description="Whether the values are Fisher z.")
    participant_id: Annotated[str, Field(max_length=MAX_ID)] | None = Field(
        default=None, description="BIDS label, with or without `sub-`."
    )


class PersonRequest(ConnectomeRequest):
    """Somebody, by a connectome or by a twin made before."""

    twin: str | None = Field(
        default=None, description="Instead: a saved twin (.npz) in base64, as `calibrate` gives it."
    )
    impute: bool = Field(
        default=False,
        description="Take regions of which every r is 0 (at most 5 %) from the training cohort.",
    )
    age: float | None = Field(default=None, description="In years, for the percentiles.")
    sex: Literal["female", "male"] | None = Field(default=None, description="Together with age.")
    draws: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description=f"Of the latent, to average over; by default {DRAWS} where the bundle knows "
        "how sure it is, else 1. 1 is the mean of what is known.",
    )


class PredictRequest(PersonRequest):
    """Whom to forecast, in which tasks; one of `connectome`, `edges` and `twin` is needed."""

    task: str = Field(default=ALL_TASKS, description="`hammer`, `stroop` or `all`.")
    events: dict[str, Columns] | None = Field(
        default=None,
        description="Schedules by task, as columns of BIDS events; then only these tasks are "
        "forecast. By default the study's own.",
    )
    seed: Seed | None = Field(
        default=None, description="Also draw one response for each trial, with this seed."
    )
    trials: bool = Field(default=True, description="Whether to give every trial.")
    bold: bool = Field(default=False, description="Whether to give BOLD of every region.")


class CalibrateRequest(PersonRequest):
    """Who shall learn from which trials. Without connectome, edges and twin: from what people are
    like.
    """

    trials: dict[str, Columns | Annotated[list[Columns], Field(max_length=MAX_RUNS)]] = Field(
        description="By task, what the person did: columns as in a recorded events.tsv, with "
        "`response_time` (s after onset, null for none) and `accuracy_binarized`. A list of "
        "several runs, too."
    )
    seed: Seed = Field(default=0, description="Of the draws that refine what was learned.")


class ApplyPlanRequest(ConnectomeRequest):
    """Whose connectome to change, and by which plan; one of `connectome` and `edges` is needed."""

    plan: dict[str, Any] = Field(description="The content of a `plan.json` of this bundle.")
    dose: Annotated[float, Field(ge=0.0, le=MAX_DOSE)] = Field(
        default=1.0, description="Multiple of the plan's change."
    )
    shams: Annotated[int, Field(ge=0, le=MAX_SHAMS)] = Field(
        default=0, description="Random changes of the same size to compare with."
    )
    seed: Seed = Field(default=0, description="Of the random changes.")
    with_connectome: bool = Field(
        default=False, description="Whether to give the changed connectome."
    )


class PercentileMessage(BaseModel):
    """Where a value stands, and among whom."""

    percent: float
    compared_to: str


class Summary(BaseModel):
    """What a person's forecasts say, as `dtb-run predict --json` prints it."""

    participant_id: str | None
    bundle: str
    provider: str
    draws: int
    calibration: dict[str, Any]
    indicators: dict[str, float]
    indicator_intervals: dict[str, list[float]]
    indicator_meanings: dict[str, dict[str, str]]
    percentiles: dict[str, PercentileMessage]
    connectome: dict[str, Any] | None
    strangeness: dict[str, float | str | None] | None
    warnings: list[str]
    files: list[str]
    versions: dict[str, str]


class BoldMessage(BaseModel):
    """BOLD of one run."""

    region_labels: list[str]
    tr_s: float
    values: list[list[float]] = Field(
        description="One row a frame, in SDs of each region in the training data."
    )


class PredictResponse(BaseModel):
    """A person's forecast."""

    summary: Summary
    trials: dict[str, dict[str, list[Cell]]] | None = Field(
        default=None, description="By task and column; null where there is no value."
    )
    bold: dict[str, BoldMessage] | None = Field(default=None, description="By task.")


class SeenMessage(BaseModel):
    """Trials of one kind that were learned from, beside the forecast for the same trials."""

    task: str
    trial_type: str | None
    n_trials: int
    n_answered: int
    accuracy: float
    forecast_accuracy: float
    response_time_s: float | None
    forecast_response_time_s: float | None
    response_time_error_s: float | None


class CalibrateResponse(BaseModel):
    """A person before and after learning from trials."""

    before: Summary
    after: Summary
    seen: list[SeenMessage]
    twin: str = Field(description="The twin after, as a .npz file in base64.")


class GoalMessage(BaseModel):
    """How much of a plan's goal is reached in this person."""

    name: str
    change: float
    reached: float | None
    share_reached: float | None


class PlanMessage(BaseModel):
    """What the plan is for."""

    goals: list[GoalMessage]
    holds: list[str]
    method: str


class EffectMessage(BaseModel):
    """One indicator before and after."""

    before: float
    after: float
    effect_sd: float
    percentile_of_random: float | None
    random_effect_sd_90: list[float] | None


class ApplyPlanResponse(BaseModel):
    """What a plan does in a person: goals, side effects, and how possible it is."""

    participant_id: str | None
    bundle: str
    provider: str
    dose: float
    plan: PlanMessage
    change: dict[str, str | float | int | None]
    indicators: dict[str, EffectMessage]
    strangeness: dict[str, float | None]
    n_random: int
    warnings: list[str]
    versions: dict[str, str]
    connectome: list[list[float]] | None = None
