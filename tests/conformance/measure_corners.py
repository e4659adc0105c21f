"""Measure twins and printed formulas on the corner grids.

Run it as ``python -m tests.conformance.measure_corners [FUNCTION ...]`` after a change of a twin, a grid or a form.

Everything is float32 against the float64 reference, in ulps of the condition scale (see ``comparison``). The worst
error per function, where it is, and what the printed formulas make of the same points goes to
``reference/registry/corners.json``. The tests allow four times the record of the twin.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reference import registry
from tests import profiles
from tests.conformance import comparison, corners, printed
from tests.conformance.implementation import DEFAULT, Implementation, to_numpy

TABLE = Path(registry.__file__).with_name("corners.json")
DTYPE = "float32"
# An argument (or one of a list) and the number of an output.
Slope = tuple[comparison.Place, int]
LARGEST, SMALLEST = float(torch.finfo(torch.float32).max), float(torch.finfo(torch.float32).tiny)
# Ulps up to which a lost digit is the inputs' rounding, or lies in the last five binades above the underflow.
CONDITIONED = 32.0


@dataclass
class Errors:
    """What a function made of a grid: how many points, the worst finite error with its place, and what was lost."""

    points: int = 0
    ulps: float = 0.0
    where: dict[str, Any] = field(default_factory=dict)
    not_finite: int = 0
    no_digit: int = 0
    first_not_finite: dict[str, Any] = field(default_factory=dict)

    def add(self, ulps: np.ndarray, lost: np.ndarray, place: Callable[[np.ndarray], dict[str, Any]]) -> None:
        """Take in the errors of one array; infinite ones are points without a finite value where one is promised."""
        finite = np.isfinite(ulps)
        self.points += ulps.size
        self.not_finite += int(np.sum(~finite))
        self.no_digit += int(np.sum(lost & finite))
        if not finite.all() and not self.first_not_finite:
            self.first_not_finite = place(~finite)
        worst = np.where(finite, ulps, -1.0)
        if worst.size and (largest := float(worst.max())) > self.ulps:
            self.ulps, self.where = largest, place(worst == largest)


@np.errstate(all="ignore")
def value_errors(function: str, forms: Sequence[Callable[..., Any]], implementation: Implementation) -> list[Errors]:
    """Compare several functions of the same arguments with the reference over the grid."""
    reference, found = comparison.reference_of(function), [Errors() for _ in forms]
    for original in corners.grid(function):
        arguments = comparison.rounded(original, DTYPE)
        wanted = comparison._outputs(reference(**arguments))
        scales = comparison._sensitivity(reference, arguments, wanted, DTYPE)
        for form, errors in zip(forms, found, strict=True):
            got = comparison._outputs(to_numpy(form(**implementation.tensors(arguments, DTYPE))))
            limit = _limit(function, original, arguments, got)
            for g, w, s in zip(got, wanted, scales, strict=True):
                _take_in(errors, g, w, s, arguments, limit)
    return found


def _limit(function: str, original: dict[str, Any], arguments: dict[str, Any], got: list[np.ndarray]) -> Any:
    """Ulps that an error is counted as at most: those of the round trip, or none on a ridge."""
    if (measure := corners.residual(function)) is not None:
        finite = np.logical_and.reduce([np.isfinite(output) for output in got])
        found = measure([np.where(finite, output, 0) for output in got], **arguments)
        return np.where(finite, found, np.inf)
    return 0.0 if isinstance(original, corners.Ridge) else np.inf


@np.errstate(all="ignore")
def gradient_errors(function: str, implementation: Implementation) -> Errors:
    """Compare the float32 gradient of every summed output with the float64 one, point by point, where values exist.

    The float64 gradient is the same twin's: ``test_twins`` compares that one with differences of the reference. As
    there, the step is relative below 1 and absolute above, and the scale is that of the value plus the derivative;
    where that does not explain an error, the derivative's own condition is added.
    """
    reference, twin, errors = comparison.reference_of(function), implementation.find(function), Errors()
    if corners.without_gradient(function):
        return errors
    for original in corners.grid(function):
        arguments = comparison.rounded(_expanded(original), DTYPE)
        elementwise = isinstance(original, corners.Product)
        slopes = _slopes(twin, implementation.tensors(arguments, DTYPE), elementwise)
        if not slopes:
            continue
        wide = _slopes(twin, implementation.tensors(arguments, "float64"), elementwise)
        values = comparison._outputs(reference(**arguments))
        scales = comparison._sensitivity(reference, arguments, values, DTYPE)
        limit = 0.0 if isinstance(original, corners.Ridge) else np.inf
        conditions: dict[Slope, np.ndarray] = {}
        for (place, number), got in slopes.items():
            if corners.without_gradient(function, place[0]):
                continue
            point, wanted = comparison._at(arguments, place), wide[place, number]
            size = (
                _like(scales[number], point, np.sum, elementwise) / np.minimum(np.abs(point), 1)
                + np.abs(got)
                + np.abs(wanted)
            )
            # Beyond the range any number will do. Without a float64 gradient there is nothing to hold it against.
            undefined = ~np.isfinite(wanted)
            held = _like(np.abs(values[number]) <= LARGEST, point, np.all, elementwise)
            beyond = ~held | (~undefined & (np.abs(wanted) > LARGEST) & ~np.isnan(got))
            got = np.where(beyond, 0, np.where(undefined, np.nan, got))
            wanted = np.where(beyond | undefined, 0.0, wanted)
            explained = np.abs(got - wanted) <= comparison.SMALLEST_RECORD * comparison._eps(DTYPE) * size
            if not explained.all():
                conditions = conditions or _conditions(twin, arguments, wide, elementwise, implementation)
                size = size + conditions[place, number]
            _take_in(errors, got, wanted, size, arguments, limit)
    return errors


def _like(values: np.ndarray, point: np.ndarray, reduce: Callable[[np.ndarray], Any], elementwise: bool) -> np.ndarray:
    """Bring values per output point to the shape of an argument; where they do not correspond they are reduced."""
    if elementwise and values.size == point.size:
        return values.reshape(point.shape)
    return np.broadcast_to(reduce(values), point.shape)


def _conditions(
    twin: Callable[..., Any],
    arguments: dict[str, Any],
    wide: dict[Slope, np.ndarray],
    elementwise: bool,
    implementation: Implementation,
) -> dict[Slope, np.ndarray]:
    """Condition scales of the float64 gradients."""

    def slopes(**moved: Any) -> tuple[np.ndarray, ...]:
        return tuple(_slopes(twin, implementation.tensors(moved, "float64"), elementwise).values())

    scales = comparison._sensitivity(slopes, arguments, list(wide.values()), DTYPE)
    return dict(zip(wide, scales, strict=True))


def _slopes(twin: Callable[..., Any], tensors: dict[str, Any], elementwise: bool) -> dict[Slope, np.ndarray]:
    """Gradients of the sum of every output by every float tensor; none if no output has a gradient.

    Sums over several outputs of one point are weighted, because the sum of a softmax has no gradient.
    """
    leaves = {place: comparison._at(tensors, place).requires_grad_() for place in _places(tensors)}
    outputs = twin(**tensors)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    wanted = {"allow_unused": True, "materialize_grads": True, "retain_graph": True}
    slopes = {}
    for number, output in enumerate(outputs):
        if output.requires_grad:
            weights = torch.ones_like(output) if elementwise else torch.linspace(1, 2, output.numel()).to(output)
            total = (output * weights.reshape(output.shape)).sum()
            found = torch.autograd.grad(total, list(leaves.values()), **wanted)
            slopes |= {(place, number): to_numpy(slope) for place, slope in zip(leaves, found, strict=True)}
    return slopes


def _places(tensors: dict[str, Any]) -> list[comparison.Place]:
    """Where the float tensors stand: under a name, or at an index of a list."""
    entries = {name: enumerate(v) if isinstance(v, list) else [(None, v)] for name, v in tensors.items()}
    return [(n, i) for n, held in entries.items() for i, v in held if torch.is_tensor(v) and v.is_floating_point()]


def _take_in(
    errors: Errors, got: np.ndarray, wanted: np.ndarray, scale: np.ndarray, arguments: dict[str, Any], limit: Any
) -> None:
    """Count the errors of one output. A true value beyond the type's range must come out huge, with its sign."""
    if wanted.dtype.kind in "bi":
        errors.add(np.zeros(wanted.shape), got != wanted, lambda chosen: _place(arguments, chosen, got, wanted))
        return
    got, wanted = np.asarray(got, float), np.asarray(wanted, float)
    ulps = np.minimum(np.abs(got - wanted) / (comparison._eps(DTYPE) * scale + SMALLEST), limit)
    same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    beyond = (np.abs(wanted) > LARGEST) & (got * np.sign(wanted) > LARGEST / 4)
    asked = np.isfinite(got) & (np.abs(wanted) <= LARGEST)
    ulps = np.where(same | beyond, 0.0, np.where(asked, ulps, np.inf))
    lost = (np.abs(got - wanted) > 0.1 * np.abs(wanted)) & (ulps > CONDITIONED)
    errors.add(ulps, lost, lambda chosen: _place(arguments, chosen, got, wanted))


def _place(arguments: dict[str, Any], chosen: np.ndarray, got: np.ndarray, wanted: np.ndarray) -> dict[str, Any]:
    """Return the arguments at the first chosen point, with what came out and what should have."""
    index = np.unravel_index(int(np.argmax(chosen)), chosen.shape)
    place = {name: _at_point(value, index, chosen.shape) for name, value in arguments.items()}
    return {**place, "got": float(got[index]), "wanted": float(wanted[index])}


def _at_point(value: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """Return the number of an argument that belongs to a point; small arrays that do not broadcast to it, in full."""
    if isinstance(value, list):
        return [_at_point(item, index, shape) for item in value]
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        return value.item() if isinstance(value, np.ndarray) else value
    if value.size == math.prod(shape):
        return value.reshape(shape)[index].item()
    # A summed axis is missing in the output.
    at = (*index, 0)[: value.ndim]
    if len(at) == value.ndim and all(i < n or n == 1 for i, n in zip(at, value.shape, strict=True)):
        return value[tuple(0 if n == 1 else i for i, n in zip(at, value.shape, strict=True))].item()
    return value.tolist() if value.size <= 12 else f"array {value.shape}"


def _expanded(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a product with all its arrays in full size, so that every point has its own gradient."""
    if not isinstance(arguments, corners.Product):
        return arguments
    shape = np.broadcast_shapes(*(value.shape for value in arguments.values() if isinstance(value, np.ndarray)))
    return {n: np.broadcast_to(v, shape).copy() if isinstance(v, np.ndarray) else v for n, v in arguments.items()}


def measure(function: str, device: str) -> dict[str, Any]:
    """Return the record of one function of the default implementation and of its printed forms."""
    implementation = Implementation(DEFAULT, device)
    forms = printed.of(function)
    own, *others = value_errors(
        function, [implementation.find(function), *(form.call for form in forms)], implementation
    )
    gradient = gradient_errors(function, implementation)
    shown = [
        {"equation": form.equation, "label": form.label, **_record(found)}
        for form, found in zip(forms, others, strict=True)
    ]
    return {"value": _record(own), "gradient": _record(gradient), "printed": shown}


def _record(errors: Errors) -> dict[str, Any]:
    where = errors.first_not_finite or errors.where
    return {
        "points": errors.points,
        "ulps": float(f"{errors.ulps:.4g}"),
        "not_finite": errors.not_finite,
        "no_digit": errors.no_digit,
        "where": {name: _shown(value) for name, value in where.items()},
    }


def _shown(value: Any) -> Any:
    """Return a value for the table: six digits; numbers that are not finite as words, which JSON lacks."""
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else str(value)
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help="default: all that have a grid")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    profiles.load()
    known = corners.functions()
    if unknown := [name for name in options.functions if name not in known]:
        parser.error(f"no grid for: {', '.join(unknown)}")
    for function in options.functions or known:
        record = measure(function, options.device)
        print(function, json.dumps({kind: record[kind]["ulps"] for kind in ("value", "gradient")}), flush=True)
        table = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}
        table.setdefault(function, {})[options.device.split(":")[0]] = {DTYPE: record}
        kept = {name: table[name] for name in sorted(table) if name in known}
        TABLE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
