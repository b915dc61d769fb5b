"""From the body of an inference request to arrays, parameters and the outputs that are wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .errors import DataError
from .events import MAX_RUN_S
from .oip_binary import BinaryReader, split_body
from .oip_messages import InferRequest, Parameter, RequestInput, RequestOutput, checked
from .oip_models import ServedModel, TensorInfo
from .oip_tensors import Array, check_shape, takes, tensor_of_json
from .service_jobs import Job
from .service_json import read_json
from .service_limits import ServiceLimits
from .tables import listed_names, shown
from .tasks import DT_S

_ALL_BINARY, _BINARY, _SIZE = "binary_data_output", "binary_data", "binary_data_size"
_MAX_STEPS = round(MAX_RUN_S / DT_S)  # of a stimulus


@dataclass(frozen=True, slots=True)
class InferCall:
    """What one request asks of one model."""

    model: ServedModel
    id: str | None
    """Given back with the answer."""
    inputs: Mapping[str, Array]
    """By name; optional ones only if given."""
    parameters: Mapping[str, Parameter]
    """The model's own."""
    outputs: Mapping[str, bool]
    """Those wanted in their order, and whether each is binary."""
    names_outputs: bool
    """Whether the request said which it wants, and not just all there are."""

    def flag(self, name: str) -> bool:
        """A parameter that is true or false, false by default; raises `DataError`."""
        value = self.parameters.get(name, False)
        if not isinstance(value, bool):
            raise DataError(f"The parameter {name!r} must be true or false, found {_text(value)}.")
        return value

    def whole(self, name: str, lowest: int, highest: int) -> int | None:
        """A parameter that is a whole number, None where it is not given; raises `DataError`."""
        value = self.parameters.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise DataError(
                f"The parameter {name!r} must be a whole number from {lowest} to {highest}, found "
                f"{_text(value)}."
            )
        return value


def read_call(
    job: Job, model: ServedModel, limits: ServiceLimits, parameters: Collection[str] = ()
) -> InferCall:
    """Read the body of an inference request.

    Parameters
    ----------
    job : Job
    model : ServedModel
        The one that is asked for.
    limits : ServiceLimits
    parameters : collection of str
        Names of parameters that this model knows.

    Raises
    ------
    DataError
        The body is no such request, or not one for this model; the sentence says why.
    """
    head, tail = split_body(job.body, job.header_length)
    request = checked(InferRequest, read_json(head))
    for name, given, own in (
        ("model_name", request.model_name, (model.name,)),
        ("model_version", request.model_version, model.versions),
    ):
        if given is not None and given not in own:
            raise DataError(f"The address is of {name} {own[0]!r}, but the body says another one.")
    options = dict(request.parameters or {})
    all_binary = _flag(options.pop(_ALL_BINARY, False), _ALL_BINARY)
    _check_known(options, parameters, "parameter of the request")
    longest = {"people": limits.people_per_request, "time": _MAX_STEPS}
    return InferCall(
        model=model,
        id=request.id,
        inputs=_inputs(request.inputs, model, longest, BinaryReader(tail)),
        parameters=options,
        outputs=_outputs(request.outputs or (), model, is_binary=all_binary),
        names_outputs=bool(request.outputs),
    )


def _inputs(
    given: Sequence[RequestInput],
    model: ServedModel,
    longest: Mapping[str, int],
    binary: BinaryReader,
) -> dict[str, Array]:
    known = {spec.name: spec for spec in model.inputs}
    found: dict[str, Array] = {}
    for tensor in given:
        _check_known([tensor.name], known, f"input of {model.name}")
        if tensor.name in found:
            raise DataError(f"The input {tensor.name!r} stands twice in the request. Send it once.")
        found[tensor.name] = _tensor(tensor, known[tensor.name], longest, binary)
    binary.close()
    missing = [name for name, spec in known.items() if not spec.is_optional and name not in found]
    if missing:
        raise DataError(f"{model.name} needs the input {missing[0]!r}, which is missing. Send it.")
    return found


def _tensor(
    tensor: RequestInput, spec: TensorInfo, longest: Mapping[str, int], binary: BinaryReader
) -> Array:
    where = f"Input {spec.name!r}"
    if not takes(spec, tensor.datatype):
        also = " or FP64" if spec.datatype == "FP32" else ""
        raise DataError(f"{where} is {tensor.datatype}, expected {spec.datatype}{also}.")
    check_shape(spec, tensor.shape, longest)
    options = dict(tensor.parameters or {})
    size = options.pop(_SIZE, None)
    _check_known(options, (_SIZE,), f"parameter of input {spec.name!r}")
    if (size is None) == (tensor.data is None):
        both = "both" if tensor.data is not None else "neither"
        raise DataError(
            f"{where} has {both} of data and {_SIZE}. Send its values in the JSON, or behind it."
        )
    if tensor.data is not None:
        return tensor_of_json(tensor.data, tensor.datatype, tensor.shape, where)
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise DataError(f"{where}: {_SIZE} must be a number of bytes, found {_text(size)}.")
    return binary.take(size, tensor.datatype, tensor.shape, where)


def _outputs(
    given: Sequence[RequestOutput], model: ServedModel, *, is_binary: bool
) -> dict[str, bool]:
    names = [spec.name for spec in model.outputs]
    if not given:
        return dict.fromkeys(names, is_binary)
    found: dict[str, bool] = {}
    for output in given:
        _check_known([output.name], names, f"output of {model.name}")
        if output.name in found:
            raise DataError(f"The output {output.name!r} is asked for twice. Ask once.")
        options = dict(output.parameters or {})
        found[output.name] = _flag(options.pop(_BINARY, is_binary), _BINARY)
        _check_known(options, (_BINARY,), f"parameter of output {output.name!r}")
    return found


def _check_known(names: Collection[str], known: Collection[str], what: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(
            f"There is no {what} named {shown(unknown[0])}, only: {listed_names(known)}."
        )


def _flag(value: Parameter, name: str) -> bool:
    if not isinstance(value, bool):
        raise DataError(f"The parameter {name!r} must be true or false, found {_text(value)}.")
    return value


def _text(value: Parameter | None) -> str:
    return shown(value) if isinstance(value, str) else shown(str(value))[1:-1]
