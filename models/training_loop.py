"""The training loop: arrays in, the best network by held-out validation people out.

The order of everything that chance decides (batches, dropout) is drawn from the seed and the
number of the epoch alone, so a run that was killed and resumed continues the same loss curve.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from .bold_targets import N_DESIGN_SIGNALS
from .config import NetworkConfig
from .hypernetwork import CompactHypernetwork, TwinNetwork
from .losses import action_loss, bold_loss, total_loss
from .settings import TrainingSettings
from .tensors import RunBlock, TrainingData
from .training_state import EpochLosses, TrainingState, load_training_state, save_training_state

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


def people_digest(edges: Tensor) -> str:
    """Return a digest of the training people's edges, by which a resumed run knows its cohort."""
    return hashlib.sha256(edges.contiguous().numpy().tobytes()).hexdigest()


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """Return the rate of an epoch, counted from 0: half a cosine from first to final."""
    share = epoch / max(settings.epochs - 1, 1)
    span = settings.learning_rate - settings.final_learning_rate
    return settings.final_learning_rate + span * (1 + math.cos(math.pi * share)) / 2


def segments(n_steps: int, length: int) -> Iterator[Segment]:
    """Yield the segments of a run in order; the last one may be shorter."""
    for start in range(0, n_steps, length):
        yield Segment(start, min(start + length, n_steps))


def make_probe(config: NetworkConfig) -> torch.nn.Linear:
    """Return the readout of the design loss, starting from zero."""
    probe = torch.nn.Linear(config.hidden_size, N_DESIGN_SIGNALS)
    torch.nn.init.zeros_(probe.weight)
    torch.nn.init.zeros_(probe.bias)
    return probe


def make_optimizer(
    network: TwinNetwork, probe: torch.nn.Linear, settings: TrainingSettings
) -> torch.optim.Optimizer:
    """Return Adam, with weight decay on the compact encoder only."""
    decayed: list[Tensor] = []
    if isinstance(network.hypernetwork, CompactHypernetwork):
        hyper = network.hypernetwork
        decayed = [hyper.hidden.weight, hyper.latent.weight, hyper.skip.weight]
    others = [p for p in network.parameters() if all(p is not d for d in decayed)]
    groups = [{"params": [*others, *probe.parameters()], "weight_decay": 0.0}]
    if decayed:
        groups.append({"params": decayed, "weight_decay": settings.encoder_decay})
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


@dataclass(frozen=True, slots=True)
class Losses:
    """Of a batch of people over one segment of one run, before weighting."""

    action: Tensor
    bold: Tensor
    design: Tensor
    """How far the probe is from the design's signals; 0 where that is switched off."""
    state: Tensor
    """Hidden state after the segment."""


class SegmentLoss:
    """The losses of a batch of people over one segment of one run.

    Parameters
    ----------
    network : TwinNetwork
    probe : torch.nn.Linear
        From hidden states to design signals, the same for everybody; it is trained along and then
        thrown away. What it is good for is what it makes the hidden states carry.
    settings : TrainingSettings
    device : torch.device
    bold_stride : int, optional
        Steps between the BOLD frames of the data; by default as the settings train.
    """

    def __init__(
        self,
        network: TwinNetwork,
        probe: torch.nn.Linear,
        settings: TrainingSettings,
        device: torch.device,
        bold_stride: int | None = None,
    ) -> None:
        self.network = network
        self.probe = probe
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
        design = action.new_zeros(())
        if self.settings.design_weight > 0:
            signals = take(block.design, frames)
            design = (self.probe(output.hidden) - signals).square().mean()
        return Losses(action, bold, design, output.state)

    def total(self, losses: Losses) -> Tensor:
        """Return the weighted sum that is descended."""
        s = self.settings
        total = total_loss(losses.action, losses.bold, s.action_weight, s.bold_weight)
        return total + s.design_weight * losses.design


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
    inputs: Tensor,
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
        batch_inputs = inputs[people].to(device)
        state: Tensor | None = None
        for segment in segments(block.n_steps, settings.segment_steps):
            if not settings.carry_state:
                state = None
            weights = network.weights_from(batch_inputs, generator)
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
    probe = make_probe(network.config).to(device)
    loss_of = SegmentLoss(network, probe, replace(settings, design_weight=0.0), device, bold_stride)
    inputs = network.encoder_inputs(data.edges.to(device))
    sums, n_people_steps = [0.0, 0.0], 0
    for block in data.blocks:
        for i in range(0, len(block.people), settings.batch_size):
            rows = list(range(i, min(i + settings.batch_size, len(block.people))))
            people = torch.as_tensor([block.people[row] for row in rows])
            weights = network.weights_from(inputs[people])
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
    on_epoch: Callable[[EpochLosses], bool | None] | None = None,
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
    on_epoch : callable, optional
        Called after each epoch, for progress bars; training ends where it returns True.

    Raises
    ------
    CheckpointError
        If the state in `folder` is damaged or was made with other settings.
    """
    device = device or select_device()
    network = TwinNetwork(config, seed=settings.seed)
    if isinstance(network.hypernetwork, CompactHypernetwork):
        network.hypernetwork.fit_basis(training.edges)
    network.to(device)
    probe = make_probe(config).to(device)
    optimizer = make_optimizer(network, probe, settings)
    loss_of = SegmentLoss(network, probe, settings, device)
    state = TrainingState(
        epoch=0,
        history=(),
        best_epoch=-1,
        best_loss=math.inf,
        best={},
        people_digest=people_digest(training.edges),
    )
    path = folder / STATE_FILE
    if resume and path.exists():
        state = load_training_state(path, network, probe, optimizer, settings, state.people_digest)
    inputs = network.encoder_inputs(training.edges.to(device))

    while state.epoch < settings.epochs and state.epoch - state.best_epoch <= settings.patience:
        epoch = state.epoch
        train_action, train_bold = train_epoch(loss_of, optimizer, training, inputs, epoch)
        action, bold = held_out_losses(network, validation, settings, device)
        loss = settings.action_weight * action + settings.bold_weight * bold
        losses = EpochLosses(epoch, train_action, train_bold, action, bold)
        is_best = loss < state.best_loss
        state = replace(
            state,
            epoch=epoch + 1,
            history=(*state.history, losses),
            best_epoch=epoch if is_best else state.best_epoch,
            best_loss=loss if is_best else state.best_loss,
            best={k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
            if is_best
            else state.best,
        )
        save_training_state(path, state, network, probe, optimizer, settings)
        if on_epoch is not None and on_epoch(losses):
            break
    network.load_state_dict(state.best)
    network.cpu().eval()
    return network, state.history
