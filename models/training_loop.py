"""The training loop: arrays in, the best network by held-out validation people out.

The order of everything that chance decides (batches, dropout) is drawn from the seed and the
number of the epoch alone, so a run that was killed and resumed continues the same loss curve.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from .config import NetworkConfig
from .hypernetwork import TwinNetwork
from .losses import action_loss, bold_loss, total_loss
from .progress import OnProgress
from .settings import TrainingSettings
from .state_file import StateFile
from .tensors import RunBlock, TrainingData

STATE_FILE = "training_state.safetensors"


@dataclass(frozen=True, slots=True)
class Segment:
    """Steps [start, stop) of a batch of people in one run."""

    start: int
    stop: int


def select_device(name: str = "auto") -> torch.device:
    """Return the device to train on: ``auto`` takes a CUDA device when there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """Return the rate of an epoch, counted from 0: half a cosine from first to final."""
    share = epoch / max(settings.epochs - 1, 1)
    span = settings.learning_rate - settings.final_learning_rate
    return settings.final_learning_rate + span * (1 + math.cos(math.pi * share)) / 2


def segments(n_steps: int, length: int) -> Iterator[Segment]:
    """Yield the segments of a run in order; the last one may be shorter."""
    for start in range(0, n_steps, length):
        yield Segment(start, min(start + length, n_steps))


@dataclass(frozen=True, slots=True)
class EpochLosses:
    """Losses of one epoch: mean over people and steps, before weighting."""

    epoch: int
    train_action: float
    train_bold: float
    validation_action: float
    validation_bold: float

    @property
    def sentence(self) -> str:
        """The losses in words."""
        return (
            f"validation loss: action {self.validation_action:.4f}, BOLD "
            f"{self.validation_bold:.4f} (training {self.train_action:.4f}, {self.train_bold:.4f})"
        )


@dataclass(frozen=True, slots=True)
class Best:
    """The network with the lowest validation loss so far."""

    epoch: int = -1
    loss: float = math.inf
    state: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Losses:
    """Of a batch of people over one segment of one run, before weighting."""

    action: Tensor
    bold: Tensor
    state: Tensor
    """Hidden state after the segment."""


class SegmentLoss:
    """The losses of a batch of people over one segment of one run.

    Parameters
    ----------
    network : TwinNetwork
    settings : TrainingSettings
    device : torch.device
    bold_stride : int, optional
        Steps between the BOLD frames of the data; by default as the settings train.
    """

    def __init__(
        self,
        network: TwinNetwork,
        settings: TrainingSettings,
        device: torch.device,
        bold_stride: int | None = None,
    ) -> None:
        self.network = network
        self.settings = settings
        self.device = device
        trained = 1 if settings.interpolate_bold else network.config.bold_stride
        self.stride = bold_stride or trained

    def __call__(
        self,
        weights: Tensor,
        block: RunBlock,
        rows: Sequence[int],
        segment: Segment,
        state: Tensor | None,
    ) -> Losses:
        """Return the losses and the state after the segment."""
        chosen = torch.as_tensor(list(rows))
        steps = slice(segment.start, segment.stop)
        frames = slice(segment.start // self.stride, -(-segment.stop // self.stride))

        def take(values: Tensor, span: slice) -> Tensor:
            return values[chosen, span].to(self.device, torch.float32)

        output = self.network.run(weights, take(block.stimulus, steps), state, self.stride)
        action = action_loss(
            output.action_logits, take(block.targets, steps), take(block.counted, steps)
        )
        bold = bold_loss(output.bold, take(block.bold, frames), take(block.bold_counted, frames))
        return Losses(action, bold, output.state)

    def total(self, losses: Losses) -> Tensor:
        """Return the weighted sum that is descended."""
        s = self.settings
        return total_loss(losses.action, losses.bold, s.action_weight, s.bold_weight)


def batches(
    data: TrainingData, settings: TrainingSettings, generator: torch.Generator
) -> Iterator[tuple[RunBlock, list[int]]]:
    """Yield (block, rows of the block) in random order, every person's every run once."""
    plan: list[tuple[RunBlock, list[int]]] = []
    for block in data.blocks:
        order = torch.randperm(len(block.people), generator=generator).tolist()
        plan.extend(
            (block, order[i : i + settings.batch_size])
            for i in range(0, len(order), settings.batch_size)
        )
    for i in torch.randperm(len(plan), generator=generator).tolist():
        yield plan[i]


def train_epoch(
    loss_of: SegmentLoss,
    optimizer: torch.optim.Optimizer,
    data: TrainingData,
    epoch: int,
) -> tuple[float, float]:
    """Train one epoch in place; return the mean action and BOLD loss seen on the way."""
    network, settings, device = loss_of.network, loss_of.settings, loss_of.device
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch + 1)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(settings, epoch)
    sums, n_people_steps = [0.0, 0.0], 0
    for block, rows in batches(data, settings, generator):
        people = torch.as_tensor([block.people[row] for row in rows])
        edges = data.edges[people].to(device)
        state: Tensor | None = None
        for segment in segments(block.n_steps, settings.segment_steps):
            if not settings.carry_state:
                state = None
            weights = network.weights(edges, generator)
            losses = loss_of(weights, block, rows, segment, state)
            optimizer.zero_grad(set_to_none=True)
            loss_of.total(losses).backward()  # type: ignore[no-untyped-call]
            if settings.clip_norm > 0:
                torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)
            optimizer.step()
            state = losses.state.detach()
            size = len(rows) * (segment.stop - segment.start)
            sums[0] += float(losses.action.detach()) * size
            sums[1] += float(losses.bold.detach()) * size
            n_people_steps += size
    return sums[0] / n_people_steps, sums[1] / n_people_steps


@torch.no_grad()
def held_out_losses(
    network: TwinNetwork,
    data: TrainingData,
    settings: TrainingSettings,
    device: torch.device,
    bold_stride: int | None = None,
) -> tuple[float, float]:
    """Return the mean action and BOLD loss of whole runs from a zero state, without dropout."""
    loss_of = SegmentLoss(network, settings, device, bold_stride)
    sums, n_people_steps = [0.0, 0.0], 0
    for block in data.blocks:
        for i in range(0, len(block.people), settings.batch_size):
            rows = list(range(i, min(i + settings.batch_size, len(block.people))))
            people = torch.as_tensor([block.people[row] for row in rows])
            weights = network.weights(data.edges[people].to(device))
            whole = Segment(0, block.n_steps)
            losses = loss_of(weights, block, rows, whole, None)
            size = len(rows) * block.n_steps
            sums[0] += float(losses.action) * size
            sums[1] += float(losses.bold) * size
            n_people_steps += size
    return sums[0] / n_people_steps, sums[1] / n_people_steps


def fit(
    config: NetworkConfig,
    settings: TrainingSettings,
    training: TrainingData,
    validation: TrainingData,
    folder: Path,
    *,
    resume: bool = False,
    device: torch.device | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[TwinNetwork, tuple[EpochLosses, ...]]:
    """Train a network; return the one with the lowest validation loss and the loss curve.

    Parameters
    ----------
    config, settings : NetworkConfig, TrainingSettings
    training, validation : TrainingData
        Different people.
    folder : Path
        The state after every epoch is kept in it, so that a killed run can go on.
    resume : bool
        Go on from the state in `folder` if there is one; its settings must be the same.
    device : torch.device, optional
    on_progress : callable, optional
        Called after each epoch, for progress bars; training ends where it returns True.

    Raises
    ------
    CheckpointError
        If the state in `folder` is damaged or was made with other settings.
    """
    device = device or select_device()
    network = TwinNetwork(config, seed=settings.seed).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    loss_of = SegmentLoss(network, settings, device)
    state_file = StateFile(
        folder / STATE_FILE,
        {"config": config.to_json(), "settings": settings.to_json(), "people": training.digest()},
        {"network": network},
        {"network": optimizer},
    )
    best = Best()
    history: list[EpochLosses] = []
    if resume and state_file.path.exists():
        progress = state_file.load()
        history = [EpochLosses(**losses) for losses in progress["history"]]
        best = Best(progress["best_epoch"], progress["best_loss"], progress["extra"])

    while len(history) < settings.epochs and len(history) - best.epoch <= settings.patience:
        epoch = len(history)
        train_action, train_bold = train_epoch(loss_of, optimizer, training, epoch)
        action, bold = held_out_losses(network, validation, settings, device)
        history.append(EpochLosses(epoch, train_action, train_bold, action, bold))
        loss = settings.action_weight * action + settings.bold_weight * bold
        if loss < best.loss:
            state = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
            best = Best(epoch, loss, state)
        progress = {
            "history": [asdict(losses) for losses in history],
            "best_epoch": best.epoch,
            "best_loss": best.loss,
        }
        state_file.save(progress, best.state)
        if on_progress is not None and on_progress(
            epoch + 1, settings.epochs, history[-1].sentence
        ):
            break
    network.load_state_dict(best.state)
    network.cpu().eval()
    return network, tuple(history)
