"""The optimiser of a run: AdamW, its learning rates, and its state as named tensors.

Knows: which weights decay, the schedule, clipping, and how the state is written without pickle.
Doesn't know: data, steps' losses, files.

Everything the loop needs stands behind `Optimiser`, so that another rule for some of the weights (Muon for matrices)
changes this module alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from chesslm.config import OptimiserSection
from chesslm.errors import FormatError


def schedule(step: int, *, steps: int, warmup_steps: int, decay_share: float) -> float:
    """Share of the peak learning rate at a step: linear warm-up from zero, constant, linear decay towards zero.

    Warm-up, stable, decay (Hu et al. 2024, MiniCPM; Hägele et al. 2024): the stable part doesn't depend on where the
    run ends. The first step has 1/warmup_steps, the last 1/(number of decay steps), so no step is without effect.

    Args:
        step: 0 for the first.
        steps: of the whole run.
        warmup_steps: steps of warm-up; 0 for none.
        decay_share: share of `steps`, at the end, that decays; 0 for none.

    >>> [round(schedule(s, steps=10, warmup_steps=2, decay_share=0.4), 2) for s in range(10)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    warmup = (step + 1) / warmup_steps if warmup_steps else 1.0
    decay_steps = round(steps * decay_share)
    decay = (steps - step) / decay_steps if decay_steps else 1.0
    return min(1.0, warmup, decay)


class Optimiser:
    """AdamW with decay on matrices only: gains of norms are scales, and decaying them would shrink the stream.

    Args:
        model: its parameters are updated in place.
        section: the hyperparameters.
        steps: of the whole run, for the schedule.
    """

    def __init__(self, model: nn.Module, section: OptimiserSection, *, steps: int) -> None:
        self._section = section
        self._steps = steps
        self._parameters = dict(model.named_parameters())
        matrices = [parameter for parameter in self._parameters.values() if parameter.ndim >= 2]
        vectors = [parameter for parameter in self._parameters.values() if parameter.ndim < 2]
        self._adamw = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": section.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=section.learning_rate,
            betas=section.betas,
            eps=section.eps,
            fused=True,
        )

    def clip(self) -> Tensor:
        """Scale the gradient down to `clip_norm` if it is larger; its norm before that, a scalar."""
        return nn.utils.clip_grad_norm_(self._parameters.values(), self._section.clip_norm)

    def step(self, step: int) -> float:
        """Update the weights from their gradients, forget the gradients; the learning rate used.

        Args:
            step: 0 for the first of the run.
        """
        section = self._section
        share = schedule(step, steps=self._steps, warmup_steps=section.warmup_steps, decay_share=section.decay_share)
        for group in self._adamw.param_groups:
            group["lr"] = section.learning_rate * share
        self._adamw.step()
        self._adamw.zero_grad(set_to_none=True)
        return section.learning_rate * share

    def tensors(self) -> dict[str, Tensor]:
        """The state as `<kind>/<parameter name>` -> tensor; empty before the first step."""
        return {
            f"{kind}/{name}": tensor
            for name, parameter in self._parameters.items()
            for kind, tensor in self._adamw.state[parameter].items()
        }

    def load(self, tensors: Mapping[str, Tensor], *, source: str) -> None:
        """Take up the state that `tensors` gave.

        Raises:
            FormatError: it is the state of other parameters; names `source` and the first tensor that doesn't fit.
        """
        for key, tensor in tensors.items():
            kind, _, name = key.partition("/")
            parameter = self._parameters.get(name)
            # A step counter is a scalar; every other tensor has its parameter's shape.
            if parameter is None or (tensor.ndim and tensor.shape != parameter.shape):
                raise FormatError(f"{source}: {key} {tuple(tensor.shape)} belongs to no weight of this model")
            # torch's fused AdamW keeps its step counter where the weight lives, too.
            self._adamw.state[parameter][kind] = tensor.to(parameter.device)
        for name, parameter in self._parameters.items():
            if not self._adamw.state[parameter]:
                raise FormatError(f"{source}: nothing of weight {name}")
