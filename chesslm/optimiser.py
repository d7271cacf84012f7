"""The optimiser of a run: AdamW and Muon, their learning rates, and their state as named tensors.

Knows: which rule updates which weights, which decay, the schedule, clipping, how the state is written without pickle,
and that processes with the same weights share Muon's work.
Doesn't know: data, steps' losses, files.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from chesslm.batches import deal
from chesslm.config import OptimiserSection
from chesslm.errors import FormatError
from chesslm.processes import Processes


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
    """AdamW, and Muon for the blocks' matrices where `muon_learning_rate` is set.

    AdamW decays matrices only: gains of norms are scales, and decaying them would shrink the stream. Muon (Jordan et
    al. 2024) steps along the nearest orthogonal matrix to the momentum of the gradient, so that every direction of a
    matrix learns at the same rate; embeddings and the head aren't maps of a stream to a stream and stay with AdamW.

    Args:
        model: its parameters are updated in place; blocks' weights are named `blocks.…`.
        section: the hyperparameters.
        steps: of the whole run, for the schedule.
        replicas: processes that hold the same weights and gradients. Each updates some of Muon's matrices, whose
            orthogonalising would otherwise cost every one of them the same, and hands them out.
    """

    def __init__(
        self, model: nn.Module, section: OptimiserSection, *, steps: int, replicas: Processes | None = None
    ) -> None:
        self._section = section
        self._replicas = replicas or Processes()
        self._steps = steps
        self._parameters = dict(model.named_parameters())
        maps = {
            name: parameter
            for name, parameter in self._parameters.items()
            if section.muon_learning_rate is not None and parameter.ndim == 2 and name.startswith("blocks.")
        }
        rest = [parameter for name, parameter in self._parameters.items() if name not in maps]
        self._rules: list[tuple[torch.optim.Optimizer, float]] = [
            (
                torch.optim.AdamW(
                    [
                        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": section.weight_decay},
                        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
                    ],
                    lr=section.learning_rate,
                    betas=section.betas,
                    eps=section.eps,
                    fused=True,
                ),
                section.learning_rate,
            )
        ]
        if maps and section.muon_learning_rate is not None:
            muon = torch.optim.Muon(
                maps.values(),
                lr=section.muon_learning_rate,
                momentum=section.muon_momentum,
                weight_decay=section.muon_weight_decay,
            )
            self._rules.append((muon, section.muon_learning_rate))
        self._maps_of = self._dealt(list(maps.values()))

    def _dealt(self, maps: list[nn.Parameter]) -> list[list[nn.Parameter]]:
        """Muon's matrices, shared out among the replicas by what orthogonalising them costs."""
        sides = np.array([sorted(matrix.shape) for matrix in maps], np.int64).reshape(-1, 2)
        costs = sides[:, 0] ** 2 * (2 * sides[:, 1] + sides[:, 0])  # of X Xᵀ, its square, and that times X
        return [[maps[index] for index in share] for share in deal(costs, self._replicas.size)]

    def clip(self) -> Tensor:
        """Scale the gradient down to `clip_norm` if it is larger; its norm before that, a scalar."""
        return nn.utils.clip_grad_norm_(self._parameters.values(), self._section.clip_norm)

    def step(self, step: int) -> float:
        """Update the weights from their gradients, forget the gradients; AdamW's learning rate in this step.

        Args:
            step: 0 for the first of the run.
        """
        section = self._section
        share = schedule(step, steps=self._steps, warmup_steps=section.warmup_steps, decay_share=section.decay_share)
        for rank, maps in enumerate(self._maps_of):
            if rank != self._replicas.rank:
                for matrix in maps:
                    matrix.grad = None  # Muon passes it by
        for rule, peak in self._rules:
            for group in rule.param_groups:
                group["lr"] = peak * share
            rule.step()
            rule.zero_grad(set_to_none=True)
        self._hand_out({matrix: matrix.data for maps in self._maps_of for matrix in maps})
        return section.learning_rate * share

    def _hand_out(self, tensors: Mapping[nn.Parameter, Tensor]) -> None:
        """Give all replicas what the one that updates a matrix has for it."""
        if self._replicas.size == 1:
            return
        for rank, maps in enumerate(self._maps_of):
            own = [tensors[matrix] for matrix in maps]
            if own:
                together = torch.cat([tensor.flatten() for tensor in own])
                self._replicas.hand_out(together, source=rank)
                for tensor, values in zip(own, torch.split(together, [tensor.numel() for tensor in own]), strict=True):
                    tensor.copy_(values.view_as(tensor))

    def tensors(self) -> dict[str, Tensor]:
        """The state as `<kind>/<parameter name>` -> tensor, on all replicas or none; empty before the first step."""
        if len(self._rules) > 1 and self._rules[0][0].state:
            state = self._rules[1][0].state
            momenta = {
                matrix: state[matrix].setdefault("momentum_buffer", torch.zeros_like(matrix.data))
                for maps in self._maps_of
                for matrix in maps
            }
            self._hand_out(momenta)
        return {
            f"{kind}/{name}": tensor
            for name, parameter in self._parameters.items()
            for kind, tensor in self._rule_of(parameter).state[parameter].items()
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
            self._rule_of(parameter).state[parameter][kind] = tensor.to(parameter.device)
        for name, parameter in self._parameters.items():
            if not self._rule_of(parameter).state[parameter]:
                raise FormatError(f"{source}: nothing of weight {name}")

    def _rule_of(self, parameter: Tensor) -> torch.optim.Optimizer:
        return next(
            rule for rule, _ in self._rules for group in rule.param_groups for p in group["params"] if p is parameter
        )
