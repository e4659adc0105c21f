"""Twin against reference: errors in units that mean the same for every equation, and messages to act on.

An error is measured in ulps of the *condition scale*: |wanted| plus the root-mean-square change of the reference when
every input is perturbed by a random relative amount, per unit of perturbation. An error of 1 is as good as rounding
every input and the output once; a form that loses digits by cancellation shows as a large number.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

from reference import registry
from tests.conformance.implementation import DTYPES, Implementation, to_numpy

DRAWS = 6
ALLOWED = 4.0
# A record comes from a few hundred draws; below this it says more about them than about the twin.
SMALLEST_RECORD = 2.0
Place = tuple[str, int | None]
# Steps of the differences: halves, so that their stencils share points.
COARSE, MIDDLE, FINE = 2.0**-8, 2.0**-9, 2.0**-10


@dataclass(frozen=True)
class Discrepancy:
    """Largest error of one comparison, with where it is."""

    ulps: float
    index: tuple[int, ...]
    got: Any
    wanted: Any
    what: str = "value"


def reference_of(function: str) -> Callable[..., Any]:
    """Return the reference function ``"topic.name"``."""
    return registry.resolve(registry.functions()[function][0].id)


def rounded(arguments: dict[str, Any], dtype: str) -> dict[str, Any]:
    """Return the arguments with every float rounded to ``dtype``, as float64: both sides then see the same numbers."""

    def once(value: Any) -> Any:
        if isinstance(value, list):
            return [once(item) for item in value]
        if isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
            narrow = torch.as_tensor(value, dtype=torch.float64).to(DTYPES[dtype]).double().numpy()
            return float(narrow) if isinstance(value, float) else narrow
        return value

    return {name: once(value) for name, value in arguments.items()}


def value_discrepancy(
    function: str, arguments: dict[str, Any], dtype: str, implementation: Implementation
) -> Discrepancy:
    """Compare a twin's value with the reference at (rounded) arguments."""
    arguments = rounded(arguments, dtype)
    reference = reference_of(function)
    wanted = _outputs(reference(**arguments))
    found = implementation.find(function)(**implementation.tensors(arguments, dtype))
    got = _outputs(to_numpy(found))
    _same_form(function, got, wanted)
    scales = _sensitivity(reference, arguments, wanted, dtype)
    worst = Discrepancy(0.0, (), None, None)
    for g, w, s in zip(got, wanted, scales, strict=True):
        worst = max(worst, _largest(g, w, s, dtype), key=lambda d: d.ulps)
    return worst


def gradient_discrepancy(
    function: str, arguments: dict[str, Any], dtype: str, implementation: Implementation
) -> Discrepancy | None:
    """Compare a twin's gradients with central differences of the reference, one random direction per argument.

    Returns None when nothing can be said: no differentiable argument, or the differences have not converged there
    (a kink, an edge of the domain).
    """
    arguments = rounded(arguments, dtype)
    reference = reference_of(function)
    tensors = implementation.tensors(arguments, dtype)
    places = _float_places(arguments)
    leaves = [_at(tensors, place).requires_grad_() for place in places]
    outputs = implementation.find(function)(**tensors)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    outputs = [o for o in outputs if isinstance(o, torch.Tensor) and o.is_floating_point()]
    if not leaves or not outputs or not any(o.requires_grad for o in outputs):
        return None
    rng = np.random.default_rng(len(function))
    cotangents = [rng.normal(size=tuple(o.shape)) for o in outputs]
    total = sum((o * torch.as_tensor(c).to(o)).sum() for o, c in zip(outputs, cotangents, strict=True))
    gradients = torch.autograd.grad(total, leaves, allow_unused=True)
    size = _weighted_scale(reference, arguments, cotangents)
    if not np.isfinite(size):
        # NaN by definition (a correlation of ties) has no derivative.
        return None
    worst: Discrepancy | None = None
    for place, gradient in zip(places, gradients, strict=True):
        point = _at(arguments, place)
        # Relative steps below 1, absolute ones above: a relative step in a log weight of -7500 would leap.
        direction = np.clip(point, -1, 1) * rng.uniform(0.5, 1, size=point.shape)
        found = _directional(reference, arguments, place, direction, cotangents)
        if found is None:
            continue
        wanted, uncertainty, bend = found
        # The differences carry the rounding of the values that they subtract, divided by their step.
        uncertainty += (2.0**-50 * size + 2.0**-100) / MIDDLE
        scale = size + abs(wanted) + bend
        own = np.zeros_like(direction) if gradient is None else to_numpy(gradient)
        got = float(np.sum(own * direction))
        scale += float(np.sum(np.abs(own * direction)))
        eps, tiny = _eps(dtype), torch.finfo(DTYPES[dtype]).tiny
        ulps = max(abs(got - wanted) - uncertainty, 0.0) / (eps * scale + tiny) if np.isfinite(got) else np.inf
        if worst is None or ulps > worst.ulps:
            worst = Discrepancy(ulps, (), got, wanted, f"derivative along {place[0]}")
    return worst


def allowed(function: str, kind: str, dtype: str, device: str) -> float:
    """Return four times the largest error on record for this function, dtype and device, in ulps."""
    record = registry.tolerances().get(function, {})
    by_dtype = record.get(device.split(":")[0]) or record.get("cpu") or {}
    if dtype not in by_dtype or kind not in by_dtype[dtype]:
        raise AssertionError(
            f"no measured tolerance for {function} ({kind}, {dtype}, {device}); "
            f"run: python -m tests.conformance.measure {function}"
        )
    return ALLOWED * max(by_dtype[dtype][kind], SMALLEST_RECORD)


def message(
    function: str,
    dtype: str,
    implementation: Implementation,
    arguments: dict[str, Any],
    found: Discrepancy,
    limit: float,
) -> str:
    """Say what failed, at which inputs, by how much, and how to run it again."""
    rows = registry.functions()[function]
    shown = "\n".join(f"    {name} = {_shown(value)}" for name, value in rounded(arguments, dtype).items())
    kind = "value" if found.what == "value" else "gradient"
    options = f"--implementation={implementation.source} --device={implementation.device}"
    return (
        f"{function} ({', '.join(row.id for row in rows)}: {rows[0].name}) disagrees with the reference\n"
        f"  {found.what} in {dtype} on {implementation.device}, implementation {implementation.source}\n"
        f"  inputs:\n{shown}\n"
        f"  got       {found.got!r}{f' at index {found.index}' if found.index else ''}\n"
        f"  wanted    {found.wanted!r}\n"
        f"  error     {found.ulps:.4g} ulps, allowed {limit:.4g}\n"
        f"  formula   {rows[0].latex}\n"
        f"  read      reference/{function.split('.')[0]}.py, function {function.split('.')[1]}\n"
        f"  rerun     pytest tests/conformance/test_twins.py -k 'test_{kind} and {function}-{dtype}' {options}"
    )


def _float_places(arguments: dict[str, Any]) -> list[Place]:
    """Where the float arrays stand: directly under a name, or at an index of a list."""
    places: list[Place] = []
    for name, value in arguments.items():
        entries = enumerate(value) if isinstance(value, list) else [(None, value)]
        places += [(name, i) for i, v in entries if isinstance(v, np.ndarray) and v.dtype.kind == "f" and v.size]
    return places


def _at(arguments: dict[str, Any], place: Place) -> Any:
    name, index = place
    return arguments[name] if index is None else arguments[name][index]


def _moved(arguments: dict[str, Any], place: Place, step: np.ndarray) -> dict[str, Any]:
    """Arguments with one array moved."""
    name, index = place
    if index is None:
        return {**arguments, name: arguments[name] + step}
    return {**arguments, name: [v + step if i == index else v for i, v in enumerate(arguments[name])]}


def _weighted_scale(reference: Callable[..., Any], arguments: dict[str, Any], cotangents: list[np.ndarray]) -> float:
    """Condition scale of the sum of the outputs, weighted as in the gradient test."""
    values = _outputs(reference(**arguments))
    scales = _sensitivity(reference, arguments, values, "float64")
    scales = [scale for scale, value in zip(scales, values, strict=True) if value.dtype.kind == "f"]
    return float(sum(np.sum(np.abs(c) * s) for c, s in zip(cotangents, scales, strict=True)))


def _sensitivity(
    reference: Callable[..., Any], arguments: dict[str, Any], wanted: list[np.ndarray], dtype: str
) -> list[np.ndarray]:
    """Condition scale of every output element."""
    rng = np.random.default_rng(7)
    step = max(_eps(dtype), 2.0**-26)
    spreads = [np.zeros(np.shape(w)) for w in wanted]
    moved = 0
    for _ in range(DRAWS):
        try:
            with np.errstate(all="ignore"):
                outputs = _outputs(reference(**_perturbed(arguments, step, rng)))
        except ValueError:
            # The perturbation left the domain (rho > 1); the mirrored one may not.
            continue
        moved += 1
        for i, (output, w) in enumerate(zip(outputs, wanted, strict=True)):
            with np.errstate(invalid="ignore"):
                change = (np.asarray(output, float) - np.asarray(w, float)) / step
            # Not the root of summed squares: those of changes below 1e-154 underflow.
            spreads[i] = np.hypot(spreads[i], np.where(np.isfinite(change), change, 0))
    floors = _floors(reference, arguments, wanted)
    sides = zip(wanted, spreads, floors, strict=True)
    return [np.abs(np.asarray(w, float)) + s / np.sqrt(max(moved, 1)) + floor for w, s, floor in sides]


def _floors(reference: Callable[..., Any], arguments: dict[str, Any], wanted: list[np.ndarray]) -> list[float]:
    """Least scale of each output: quadrature sums terms that are larger than a result which happens to vanish.

    With function arguments it is the largest output for their absolute values; with no float input at all (the nodes
    of a rule) it is the largest output.
    """
    if functions := {name: value for name, value in arguments.items() if callable(value)}:
        absolute = {name: (lambda z, f=f: np.abs(f(z))) for name, f in functions.items()}
        wanted = _outputs(reference(**{**arguments, **absolute}))
    elif any(isinstance(v, float | list) or np.asarray(v).dtype.kind == "f" for v in arguments.values()):
        return [0.0] * len(wanted)
    exact = [np.asarray(w).dtype.kind in "bi" for w in wanted]
    return [0.0 if e else float(np.max(np.abs(w), initial=0)) for e, w in zip(exact, wanted, strict=True)]


def _perturbed(arguments: dict[str, Any], step: float, rng: np.random.Generator) -> dict[str, Any]:
    def once(value: Any) -> Any:
        if isinstance(value, list):
            return [once(item) for item in value]
        if isinstance(value, float):
            return float(_inside(value, value * (1 + step * rng.uniform(-1, 1))))
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            # A zero is perturbed by the rounding unit of its array, upwards (0 is an edge of many domains).
            size = np.max(np.abs(value), initial=0) or 1.0
            moved = value * (1 + step * rng.uniform(-1, 1, size=value.shape))
            return _inside(value, np.where(value == 0, step * size * rng.uniform(0, 1, size=value.shape), moved))
        # A test function is rounded too: its own constants are inputs.
        return value.perturbed(step, rng) if hasattr(value, "perturbed") else value

    return {name: once(value) for name, value in arguments.items()}


def _inside(value: Any, moved: Any) -> Any:
    """Keep a value of at most 1 at most 1, where probabilities and correlations end, by moving it the other way."""
    return np.where((np.abs(value) <= 1) & (np.abs(moved) > 1), 2 * value - moved, moved)


def _directional(
    reference: Callable[..., Any],
    arguments: dict[str, Any],
    place: Place,
    direction: np.ndarray,
    cotangents: list[np.ndarray],
) -> tuple[float, float, float] | None:
    """Derivative of the weighted output along a direction, the uncertainty of the differences, the second derivative.

    None where the point is at an edge of the domain, at a kink, or where the differences have not converged.
    """

    @cache
    def terms(shift: float) -> np.ndarray:
        outputs = _outputs(reference(**_moved(arguments, place, shift * direction)))
        floats = [o for o in outputs if o.dtype.kind == "f"]
        return np.concatenate([np.ravel(o * c) for o, c in zip(floats, cotangents, strict=True)])

    def differences(h: float) -> tuple[float, np.ndarray]:
        values = [terms(k * h) for k in (-2, -1, 0, 1, 2)]
        first = (values[0] - 8 * values[1] + 8 * values[3] - values[4]) / (12 * h)
        return float(np.sum(first)), (values[1] - 2 * values[2] + values[3]) / h

    try:
        with np.errstate(all="ignore"):
            (coarse, coarse_bend), (middle, middle_bend), (fine, fine_bend) = map(differences, (COARSE, MIDDLE, FINE))
            # By element: kinks of opposite sign in two outputs would hide each other in the sum.
            coarse_size, fine_size, left = (
                float(np.sum(np.abs(bend))) for bend in (coarse_bend, fine_bend, 2 * fine_bend - middle_bend)
            )
    except ValueError:
        return None
    # The bend of a smooth function shrinks with the step (to a quarter here), that of a kink stays.
    kink = fine_size > 0.5 * coarse_size and fine_size > 1e-6 * abs(middle)
    # What is left of the bend at step 0 is a small kink that a larger smooth bend hides: the slopes beside it differ.
    uncertainty = 4 * max(abs(middle - coarse), abs(middle - fine)) + left
    return (
        None
        if kink or not np.isfinite(middle) or uncertainty > 1e-3 * abs(middle) + 1e-6
        else (middle, uncertainty, fine_size / FINE)
    )


def _largest(got: np.ndarray, wanted: np.ndarray, scale: np.ndarray, dtype: str) -> Discrepancy:
    """Largest error over the elements of one output."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    if wanted.size == 0:
        return Discrepancy(0.0, (), got, wanted)
    if wanted.dtype.kind in "bi":
        ulps = np.where((got != wanted) & (scale <= np.abs(wanted.astype(float))), np.inf, 0.0)
    else:
        finfo = torch.finfo(DTYPES[dtype])
        with np.errstate(invalid="ignore", over="ignore"):
            ulps = np.abs(got - wanted) / (_eps(dtype) * scale + finfo.tiny)
        same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
        beyond = np.abs(wanted) > finfo.max
        ulps = np.where(same | beyond, 0.0, np.where(np.isfinite(got) & np.isfinite(wanted), ulps, np.inf))
    index = tuple(int(i) for i in np.unravel_index(np.argmax(ulps), ulps.shape))
    return Discrepancy(float(ulps[index]), index, got[index].item(), wanted[index].item())


def _same_form(function: str, got: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    shapes = [[np.shape(o) for o in side] for side in (got, wanted)]
    if shapes[0] != shapes[1]:
        raise AssertionError(f"{function}: output shapes must be {shapes[1]}, got {shapes[0]}")


def _outputs(value: Any) -> list[np.ndarray]:
    return [np.asarray(v) for v in value] if isinstance(value, tuple) else [np.asarray(value)]


def _eps(dtype: str) -> float:
    return torch.finfo(DTYPES[dtype]).eps / 2


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=17, threshold=40, separator=", ").replace("\n", "\n" + " " * 8)
    return inspect.getsource(value).strip() if inspect.isfunction(value) else repr(value)
