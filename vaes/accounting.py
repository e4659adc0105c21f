"""What a training step costs: parameters, bytes kept for the backward pass, multiply-adds.

Nothing here needs the numbers in the tensors, so a model of any size is measured without a GPU and without its memory:
build it and its inputs on the meta device (or under ``FakeTensorMode``). The same functions give the same answers on
real tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

ADAM_BYTES_PER_PARAMETER = 16
"""float32 weight, gradient and the two moments of Adam (or Adamax)."""


@dataclass(frozen=True)
class Kept:
    """Bytes of the distinct storages that a pass keeps for its backward pass; parameters and buffers are not counted.

    Parameters
    ----------
    computed : int
        Of tensors that the pass computed.
    given : int
        Of its inputs.
    """

    computed: int
    given: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.computed + self.given


def parameter_count(model: nn.Module) -> int:
    """Number of parameters; a shared one counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def kept_for_backward(run: Callable[[], Any], model: nn.Module, inputs: Iterable[Tensor] = ()) -> Kept:
    """Measure what ``run`` keeps for the backward pass of its result.

    Parameters
    ----------
    run : callable
        Computes the loss, without arguments. What it returns is held until the measurement ends.
    model : Module
        Its parameters and buffers are left out.
    inputs : iterable of Tensor
        Tensors counted as given rather than computed.

    Notes
    -----
    A tensor is counted with its whole storage, once, however many views of it are kept. A buffer that only the forward
    pass needs is not counted, nor what the backward pass allocates: the peak of a step lies above this number.
    """
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        # Holding the storage keeps its address from being given to another.
        kept[storage._cdata] = storage
        return tensor

    own = [tensor.untyped_storage() for tensor in (*model.parameters(), *model.buffers())]
    given = [tensor.untyped_storage() for tensor in inputs]
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        result = run()
    for storage in own:
        kept.pop(storage._cdata, None)
    found = {storage._cdata: storage for storage in given if storage._cdata in kept}
    from_inputs = sum(storage.nbytes() for storage in found.values())
    everything = sum(storage.nbytes() for storage in kept.values())
    del result
    return Kept(computed=everything - from_inputs, given=from_inputs)


def flops(run: Callable[[], Any]) -> int:
    """Floating-point operations of the matrix products and convolutions of ``run``: two for each multiply-add."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def training_bytes(kept: Kept, parameters: int, per_parameter: int = ADAM_BYTES_PER_PARAMETER) -> int:
    """Bytes of training: what the backward pass needs, and weights, gradients and the optimiser's state."""
    return kept.total + per_parameter * parameters
