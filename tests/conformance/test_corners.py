"""Full float32 grids of the corners that the specifications promise: finite, and as exact as on record.

What the printed formulas make of the same points is on record beside it (``reference/registry/corners.json``).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from reference import registry
from tests.conformance import comparison, corners, measure_corners, printed
from tests.conformance.implementation import Implementation

FUNCTIONS = corners.functions()
ERRATA = [row for row in registry.EQUATIONS.values() if row.erratum]


def record_of(function: str, device: str = "cpu") -> dict[str, Any]:
    found = registry.corners()[function]
    return found.get(device.split(":")[0], found["cpu"])[measure_corners.DTYPE]


def judge(function: str, kind: str, found: measure_corners.Errors, device: str) -> None:
    """Fail if a value is not finite where it must be, has no correct digit, or is four times worse than on record."""
    limit = comparison.ALLOWED * max(record_of(function, device)[kind]["ulps"], comparison.SMALLEST_RECORD)
    where = json.dumps(found.first_not_finite or found.where)
    rerun = f"pytest tests/conformance/test_corners.py -k 'test_{kind} and {function}'"
    assert not found.not_finite, f"{function}: {found.not_finite} of {found.points} not finite, {where}\n{rerun}"
    assert not found.no_digit, f"{function}: {found.no_digit} of {found.points} without a digit, {where}\n{rerun}"
    assert found.ulps <= limit, f"{function}: {found.ulps:.4g} ulps, allowed {limit:.4g}, {where}\n{rerun}"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_value(function: str, implementation: Implementation) -> None:
    [found] = measure_corners.value_errors(function, [implementation.find(function)], implementation)
    assert found.points
    judge(function, "value", found, implementation.device)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradient(function: str, implementation: Implementation) -> None:
    found = measure_corners.gradient_errors(function, implementation)
    judge(function, "gradient", found, implementation.device)


PLANTED = ("dvaepp/E4", "dvaepp/E6", "dvaepp/E15", "nvae/E5", "sigma-vae/E28", "sigma-vae/E13", "efficient-vdvae/E13")


@pytest.mark.parametrize("form", [f for f in printed.FORMS if f.equation in PLANTED], ids=lambda form: form.equation)
def test_a_printed_form_in_place_of_the_twin_is_caught(form: printed.Form) -> None:
    [found] = measure_corners.value_errors(form.function, [form.call], Implementation())
    with pytest.raises(AssertionError, match=r"not finite|without a digit"):
        judge(form.function, "value", found, "cpu")


# Share of draws that the specification of DVAE++ (E7) saw lost in single precision, for uniform noise and probability.
@pytest.mark.parametrize(("beta", "share"), [(8.0, 2e-5), (10.0, 1.5e-4), (12.0, 1.1e-3), (16.0, 0.05), (36.0, 0.49)])
def test_the_printed_root_of_appendix_a_fails_as_often_as_the_specification_says(beta: float, share: float) -> None:
    draws = 200_000
    rho, q = torch.rand(2, draws, generator=torch.Generator().manual_seed(7))
    lost = ~printed.exponential_root_printed(rho, q.logit(), torch.tensor(beta)).isfinite()
    assert abs(int(lost.sum()) - share * draws) < 5 * math.sqrt(share * draws) + 0.05 * share * draws


@pytest.mark.parametrize(
    ("form", "threshold"),
    [(printed.logistic_root_printed, 0.02214), (printed.logistic_root_substituted, 0.01107)],
)
def test_the_printed_roots_of_appendix_b_overflow_where_the_specification_says(form, threshold: float) -> None:
    """E15, at q = 0.3 and rho = 0.25; where the root cancels instead, single scales fail by the luck of rounding."""
    scale, ends = threshold * torch.tensor([0.999, 1.001]), torch.tensor([0.0, 1.0])
    assert form(torch.tensor(0.25), torch.tensor(0.3).logit(), *ends, scale).isfinite().tolist() == [False, True]


def test_the_logarithm_of_the_difference_is_infinite_in_86_of_254_bins() -> None:
    codes, mean, scale = torch.arange(1, 255), torch.tensor(0.5), torch.tensor(0.01)
    assert int(printed.logistic_bins_printed(codes, mean, scale).isinf().sum()) == 86


TRAP = """
import torch

def log_density(z, mean, scale):
    standardised = torch.where(scale > 0, (z - mean) / scale, (scale - 1).sqrt())
    return -(0.5 * standardised.square() + scale.log() + 0.9189385332046727).sum(-1)
"""


def test_a_gradient_lost_in_the_untaken_branch_is_caught(tmp_path: Path) -> None:
    (tmp_path / "gaussian.py").write_text(TRAP, encoding="utf-8")
    trapped = Implementation(str(tmp_path / "gaussian.py"))
    [value] = measure_corners.value_errors("gaussian.log_density", [trapped.find("gaussian.log_density")], trapped)
    judge("gaussian.log_density", "value", value, "cpu")
    with pytest.raises(AssertionError, match="not finite"):
        judge(
            "gaussian.log_density", "gradient", measure_corners.gradient_errors("gaussian.log_density", trapped), "cpu"
        )


REPLACED = {
    ("calibration.optimal_sigma", "gradient"): """
def optimal_sigma(squared_error, dims, floor=0.0):
    return (squared_error.mean() / dims).sqrt().clamp(min=floor)
""",
    ("bounds.importance_weighted", "value"): """
import math
import torch

def importance_weighted(log_weights):
    return torch.logsumexp(log_weights, 0) - math.log(log_weights.shape[0])
""",
    ("gaussian.kl_standard", "value"): """
import torch

def kl_standard(mean, scale):
    return (0.5 * torch.expm1(2 * scale.log()) - scale.log() + 0.5 * mean.square()).sum(-1)
""",
    ("ornstein_uhlenbeck.mehler_kernel", "value"): """
def mehler_kernel(x, y, rho):
    rho = rho[..., None]
    remainder = (1 - rho) * (1 + rho)
    return (0.5 * (y.square() - (y - rho * x).square() / remainder - remainder.log())).sum(-1).exp()
""",
}


@pytest.mark.parametrize(("function", "kind"), REPLACED)
def test_a_form_that_was_replaced_is_caught(function: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"{function.split('.')[0]}.py"
    path.write_text(REPLACED[function, kind], encoding="utf-8")
    faulty = Implementation(str(path))
    if kind == "value":
        [found] = measure_corners.value_errors(function, [faulty.find(function)], faulty)
    else:
        found = measure_corners.gradient_errors(function, faulty)
    with pytest.raises(AssertionError, match=r"not finite|ulps, allowed"):
        judge(function, kind, found, "cpu")


def test_the_table_holds_every_grid_and_every_printed_form() -> None:
    table = registry.corners()
    assert sorted(table) == FUNCTIONS
    recorded = {(f["equation"], name, f["label"]) for name in table for f in record_of(name)["printed"]}
    assert recorded == {(form.equation, form.function, form.label) for form in printed.FORMS}
    assert all(form.equation in registry.EQUATIONS for form in printed.FORMS)


@pytest.mark.parametrize("row", ERRATA, ids=lambda row: row.id)
def test_every_erratum_is_measured_or_has_no_formula(row: registry.Equation) -> None:
    measured = [form for form in printed.FORMS if form.equation == row.id]
    assert bool(measured) != (row.id in printed.NOT_MEASURED)


def test_no_reason_without_an_erratum() -> None:
    assert set(printed.NOT_MEASURED) <= {row.id for row in ERRATA}


@pytest.mark.parametrize("row", [r for r in ERRATA if r.id not in printed.NOT_MEASURED], ids=lambda row: row.id)
def test_the_formula_of_an_erratum_is_worse_than_the_twin(row: registry.Equation) -> None:
    worst = 0.0
    for form in (form for form in printed.FORMS if form.equation == row.id):
        record = record_of(form.function)
        [own] = [f for f in record["printed"] if (f["equation"], f["label"]) == (form.equation, form.label)]
        lost = own["not_finite"] + own["no_digit"]
        worst = max(worst, math.inf if lost else own["ulps"] / max(record["value"]["ulps"], comparison.SMALLEST_RECORD))
    assert worst > 10
