"""A model in several processes: replicated (DDP) or sharded (FSDP2), and made whole again for files and validations.

Knows: how each micro-batch's gradient becomes part of the step's, when gradients travel, what a sharded tensor is.
Doesn't know: steps, schedules, files.

Gradients come out as the sum over all processes of each one's gradient, as if one process had computed everything.
Sources: DDP (Li et al. 2020), fully sharded data parallel (Zhao et al. 2023; torch's `fully_shard`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from chesslm.batches import MicroBatch
from chesslm.loss import autocast, summed_nats
from chesslm.model import Decoder
from chesslm.processes import Processes

Kind = Literal["ddp", "fsdp"]


class _Loss(nn.Module):
    """The loss as a module, because DDP and FSDP act around a module's forward."""

    def __init__(self, model: Decoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: MicroBatch) -> Tensor:
        return summed_nats(self.model, batch)


class Learner:
    """Adds up the gradients of a model over micro-batches and processes.

    Args:
        model: on its device, with the weights to start from; the same on every process. With `fsdp` its parameters
            become sharded ones, so that an optimiser must be made afterwards.
        processes: that train it together.
        kind: `ddp`: each process holds everything. `fsdp`: weights, gradients and optimiser state are divided among
            the processes; each block is gathered when it computes.
        dtype: float32, or bfloat16 under autocast.
    """

    def __init__(self, model: Decoder, processes: Processes, *, kind: Kind, dtype: str) -> None:
        self._model = model
        self._device = model.embedding.weight.device
        self._dtype = dtype
        self._size = processes.size
        self._loss: nn.Module = _Loss(model)
        self._ddp: DistributedDataParallel | None = None
        self._is_sharded = processes.size > 1 and kind == "fsdp"
        if self._is_sharded:
            for block in model.blocks:
                fully_shard(block)
            fully_shard(self._loss)
        elif processes.size > 1:
            self._loss = self._ddp = DistributedDataParallel(self._loss, gradient_as_bucket_view=True)
            # Rotary tables are alike everywhere and never change. An attribute: torch renamed the argument after 2.9.
            self._ddp.broadcast_buffers = False

    def backward(self, batch: MicroBatch, *, num_tokens: int, is_last: bool) -> Tensor:
        """Add a micro-batch's gradient to its step's; its summed nats, a detached scalar.

        Args:
            batch: on the model's device.
            num_tokens: targets of the whole step, on all processes.
            is_last: of this process in this step: replicas exchange gradients only then. Shards exchange them each
                time: to keep whole gradients would take the memory that sharding is there to save.
        """
        with nullcontext() if is_last or self._ddp is None else self._ddp.no_sync():
            with autocast(self._device, self._dtype):
                nats: Tensor = self._loss(batch)
            # Both wrappers give the mean over processes; the step's gradient is a sum.
            torch.autograd.backward(nats * self._size / num_tokens)
        return nats.detach()

    def whole_model(self) -> Decoder:
        """The model with whole weights, for reading only; on all processes or none."""
        if not self._is_sharded:
            return self._model
        copy = Decoder(self._model.config, self._model.vocabulary_len).to(self._device)
        copy.load_state_dict(whole(self._model.state_dict()))
        return copy


def whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as they are without sharding; on all processes or none."""
    return {name: whole_tensor(tensor) for name, tensor in tensors.items()}


def whole_tensor(tensor: Tensor) -> Tensor:
    """One tensor as it is without sharding; on all processes or none."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def sharded_alike(tensors: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The optimiser's whole tensors (`<kind>/<parameter name>`), each sharded as its parameter is."""
    placed = {}
    for key, tensor in tensors.items():
        parameter = parameters.get(key.partition("/")[2])
        if isinstance(parameter, DTensor) and tensor.shape == parameter.shape:
            tensor = distribute_tensor(tensor.to(parameter.device), parameter.device_mesh, parameter.placements)
        placed[key] = tensor
    return placed
