"""Balancing of the KL terms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference import balancing
from tests.conformance.gradients import assert_no_gradient
from tests.conformance.inputs import balancing as inputs


@given(inputs.free_bits())
def test_free_bits_by_cases(case) -> None:
    means = [sum(row) / len(row) for row in case["layer_terms"].tolist()]
    wanted = sum(mean if mean > case["floor"] else case["floor"] for mean in means)
    assert float(balancing.free_bits(**case)) == pytest.approx(wanted, abs=1e-12)


def test_free_bits_limits() -> None:
    terms = np.array([[3.0, 1.0], [0.2, 0.4]])
    assert float(balancing.free_bits(terms, 0.0)) == pytest.approx(terms.mean(1).sum())
    assert float(balancing.free_bits(terms, 100.0)) == 200
    # The maximum is of the batch mean, not of each image: 3 and 1 average to 2.
    assert float(balancing.free_bits(terms[:1], 2.5)) == 2.5


@given(inputs.free_bits())
def test_free_bits_never_fall_below_the_allowance(implementation, case) -> None:
    got = implementation.call("balancing.free_bits", **case)
    assert got >= case["floor"] * len(case["layer_terms"]) - 1e-12
    assert got >= case["layer_terms"].mean(1).sum() - 1e-9


def test_free_bits_give_no_gradient_below_the_floor(implementation) -> None:
    terms = torch.tensor(
        [[3.0, 1.0], [0.2, 0.4]], dtype=torch.float64, device=implementation.device, requires_grad=True
    )
    implementation.find("balancing.free_bits")(terms, 1.0).backward()
    np.testing.assert_array_equal(terms.grad.cpu(), [[0.5, 0.5], [0.0, 0.0]])


@given(inputs.free_bits_per_image())
def test_free_bits_per_image_by_cases(case) -> None:
    columns = case["layer_terms"].T.tolist()
    wanted = [sum(term if term > case["floor"] else case["floor"] for term in column) for column in columns]
    np.testing.assert_allclose(balancing.free_bits_per_image(**case), wanted, atol=1e-12)


@given(inputs.free_bits_per_image())
def test_free_bits_per_image_are_above_those_of_the_batch(case) -> None:
    """Jensen: the mean of maxima is at least the maximum of means, and not equal in general."""
    per_image = balancing.free_bits_per_image(**case).mean()
    assert per_image >= float(balancing.free_bits(**case)) - 1e-12
    terms = np.array([[3.0, 0.0]])
    assert float(balancing.free_bits(terms, 1.5)) == 1.5
    assert float(balancing.free_bits_per_image(terms, 1.5).mean()) == 2.25


@given(inputs.free_bits_per_image())
def test_free_bits_per_image_do_not_mix_images(implementation, case) -> None:
    got = implementation.call("balancing.free_bits_per_image", **case)
    assert (got >= case["floor"] * len(case["layer_terms"]) - 1e-12).all()
    for i, one in enumerate(got):
        alone = {**case, "layer_terms": case["layer_terms"][:, i : i + 1]}
        np.testing.assert_allclose(implementation.call("balancing.free_bits_per_image", **alone), [one], atol=1e-12)


@given(inputs.soft_free_bits())
def test_soft_free_bits_by_cases(case) -> None:
    wanted = []
    for rate, row in zip(case["rates"].tolist(), case["group_kl"].tolist(), strict=True):
        moved = rate * 1.1 if sum(row) / len(row) > case["target"] else rate * 0.9
        wanted.append(min(max(moved, 0.01), 1.0))
    means = case["group_kl"].mean(1)
    if (np.abs(means - case["target"]) > 1e-9).all():
        np.testing.assert_allclose(balancing.soft_free_bits(**case), wanted, rtol=1e-12)


def test_soft_free_bits_settle_at_their_ends() -> None:
    rates = np.array([0.5, 0.5])
    for _ in range(100):
        rates = balancing.soft_free_bits(rates, [[3.0], [0.5]], 1.0)
    assert rates.tolist() == [1.0, 0.01]


@given(inputs.soft_free_bits())
def test_soft_free_bits_stay_in_range(implementation, case) -> None:
    got = implementation.call("balancing.soft_free_bits", **case)
    assert ((got >= 0.01) & (got <= 1)).all()
    rich = implementation.call("balancing.soft_free_bits", **{**case, "group_kl": case["group_kl"] * 0 + 100})
    poor = implementation.call("balancing.soft_free_bits", **{**case, "group_kl": case["group_kl"] * 0 - 1})
    assert (rich >= case["rates"]).all()
    assert (poor <= case["rates"]).all()


@given(inputs.soft_free_bits())
def test_soft_free_bits_carry_no_gradient(implementation, case) -> None:
    assert_no_gradient(implementation, "balancing.soft_free_bits", case)


@given(inputs.balance_weights())
def test_balance_weights_by_loops(case) -> None:
    raw = []
    for factor, row in zip(case["factor"].tolist(), case["group_kl"].tolist(), strict=True):
        raw.append(factor * (sum(abs(x) for x in row) / len(row) + case["floor"]))
    wanted = [1.0 if sum(raw) == 0 else len(raw) * r / sum(raw) for r in raw]
    np.testing.assert_allclose(balancing.balance_weights(**case), wanted, rtol=1e-12, atol=1e-12)


# Two groups of 4x4 and 8x8 with 1 nat per location: what each reading of the paper charges.
READINGS = [
    ("text", [16.0, 64.0], [0.118, 1.882]),
    ("plain", [1.0, 1.0], [0.4, 1.6]),
    ("code", [1 / 16, 1 / 64], [1, 1]),
]


@pytest.mark.parametrize(("reading", "factor", "weights"), READINGS, ids=[r[0] for r in READINGS])
def test_balance_weights_of_the_readings_of_nvae(reading: str, factor, weights) -> None:
    """Erratum: multiplying by the size penalises the large group 16 times over; the code divides."""
    got = balancing.balance_weights([[16.0], [64.0]], factor, 0.0)
    np.testing.assert_allclose(got, weights, atol=5e-4)


def test_balance_weights_of_dead_groups() -> None:
    """All zero: 0/0 without a floor; the weights are 1. One dead group keeps some weight with a floor."""
    assert balancing.balance_weights(np.zeros((3, 2)), np.ones(3), 0.0).tolist() == [1, 1, 1]
    assert balancing.balance_weights(np.zeros((3, 2)), np.ones(3), 0.1).tolist() == pytest.approx([1, 1, 1])
    assert float(balancing.balance_weights([[0.0], [9.0]], np.ones(2), 0.1)[0]) == pytest.approx(0.2 / 9.2)


def test_stopped_gradient_of_balancing() -> None:
    """K = (1, 4): gradient (0.4231, 1.5769) with constant weights, (-0.4867, 1.8210) through them: the sign flips."""
    kl = np.array([[1.0], [4.0]])
    stopped = balancing.balance_weights(kl, np.ones(2), 0.1)
    np.testing.assert_allclose(stopped, [0.4231, 1.5769], atol=5e-5)

    def total(first: float, second: float) -> float:
        group_kl = np.array([[first], [second]])
        return float(balancing.balance_weights(group_kl, np.ones(2), 0.1) @ group_kl[:, 0])

    h = 1e-6
    through = [(total(1 + h, 4) - total(1 - h, 4)) / (2 * h), (total(1, 4 + h) - total(1, 4 - h)) / (2 * h)]
    np.testing.assert_allclose(through, [-0.4867, 1.8210], atol=5e-5)


@given(inputs.balance_weights())
def test_balance_weights_have_mean_one(implementation, case) -> None:
    got = implementation.call("balancing.balance_weights", **case)
    np.testing.assert_allclose(got.mean(), 1, rtol=1e-12)
    assert (got >= 0).all()
    doubled = {**case, "group_kl": 2 * case["group_kl"], "floor": 2 * case["floor"]}
    np.testing.assert_allclose(
        implementation.call("balancing.balance_weights", **doubled), got, rtol=1e-12, atol=1e-300
    )
    nothing = implementation.call(
        "balancing.balance_weights", **{**case, "group_kl": 0 * case["group_kl"], "floor": 0.0}
    )
    np.testing.assert_array_equal(nothing, 1)


@given(inputs.balance_weights())
def test_balance_weights_carry_no_gradient(implementation, case) -> None:
    assert_no_gradient(implementation, "balancing.balance_weights", case)


@pytest.mark.parametrize("name", ["training_loss", "regularised_loss"])
def test_loss_has_the_balanced_gradient(implementation, name: str) -> None:
    """Along the divergence of group l it is weight * coefficient_l / (B * dims), the coefficients held constant."""
    kl = torch.tensor([[1.0, 2.0], [4.0, 0.5]], dtype=torch.float64, device=implementation.device, requires_grad=True)
    likelihood = torch.ones(2, dtype=kl.dtype, device=kl.device, requires_grad=True)
    weights = implementation.find("balancing.balance_weights")(kl, torch.ones(2, dtype=kl.dtype, device=kl.device), 0.1)
    options = {"dims": 7} if name == "training_loss" else {"penalties": likelihood.detach(), "coefficient": 0.01}
    loss = implementation.find(f"balancing.{name}")(likelihood, kl, 0.3, weights, **options)
    along_likelihood, along_kl = torch.autograd.grad(loss, [likelihood, kl])
    share = 2 * options.get("dims", 1)
    torch.testing.assert_close(along_kl, 0.3 * weights[:, None].expand(2, 2) / share)
    torch.testing.assert_close(along_likelihood, torch.full_like(likelihood, 1 / share))


@pytest.mark.parametrize(
    ("groups", "wanted"),
    [([5, 10], [1, 2]), ([5, 10, 20], [1, 2, 4]), ([4, 4, 4, 8, 16], [1, 4, 16, 32, 64]), ([30], [1])],
)
def test_scale_weights_of_the_paper(groups, wanted) -> None:
    """MNIST, CelebA 64, CelebA-HQ and FFHQ, CIFAR-10."""
    assert balancing.scale_weights(groups).tolist() == wanted


@given(inputs.scale_weights())
def test_scale_weights_by_counting(case) -> None:
    """Variables at a scale over its groups, from an explicit image of 2^i x 2^i."""
    sizes = [np.ones((2**i, 2**i)).sum() / n for i, n in enumerate(case["groups"].tolist())]
    np.testing.assert_allclose(balancing.scale_weights(**case), np.array(sizes) / min(sizes), rtol=1e-12)


@given(inputs.scale_weights())
def test_scale_weights_start_at_one(implementation, case) -> None:
    got = implementation.call("balancing.scale_weights", **case)
    assert got.min() == pytest.approx(1)
    repeated = implementation.call("balancing.scale_weights", groups=3 * case["groups"])
    np.testing.assert_allclose(repeated, got, rtol=1e-12)
    equal = implementation.call("balancing.scale_weights", groups=0 * case["groups"] + 7)
    np.testing.assert_allclose(equal, 4.0 ** np.arange(len(got)), rtol=1e-12)


@given(inputs.balance_excess())
def test_balance_excess_is_what_the_weights_add(case) -> None:
    weights = balancing.balance_weights(case["group_kl"][:, None], np.ones(len(case["group_kl"])), case["floor"])
    added = weights @ case["group_kl"] - case["group_kl"].sum()
    np.testing.assert_allclose(balancing.balance_excess(**case), added, rtol=1e-9, atol=1e-9)


def test_balance_excess_of_one_active_group() -> None:
    """One of 16 groups at 10 nats is charged 139.3 nats."""
    kl = np.array([10.0] + [0.0] * 15)
    assert 10 + float(balancing.balance_excess(kl, 0.1)) == pytest.approx(139.3103, abs=5e-5)


@given(inputs.balance_excess())
def test_balance_excess_is_never_negative(implementation, case) -> None:
    assert (implementation.call("balancing.balance_excess", **case) >= 0).all()
    twice = {**case, "group_kl": np.repeat(case["group_kl"], 2)}
    got = implementation.call("balancing.balance_excess", **case)
    np.testing.assert_allclose(implementation.call("balancing.balance_excess", **twice), 2 * got, rtol=1e-9, atol=1e-9)


def test_balance_excess_of_equal_groups_is_nothing(implementation) -> None:
    # Values whose mean of three rounds to another number.
    for dtype, value in (("float32", 934.3431396484375), ("float64", 0.1)):
        case = {"group_kl": np.full(3, value), "floor": 0.125}
        assert balancing.balance_excess(**case) == 0
        assert implementation.call("balancing.balance_excess", dtype=dtype, **case) == 0


@given(inputs.training_loss())
def test_training_loss_by_loops(case) -> None:
    total = 0.0
    for b, nll in enumerate(case["negative_log_likelihood"].tolist()):
        pairs = zip(case["group_weights"].tolist(), case["group_kl"][:, b].tolist(), strict=True)
        total += nll + case["weight"] * sum(g * k for g, k in pairs)
    wanted = total / len(case["negative_log_likelihood"]) / case["dims"]
    assert float(balancing.training_loss(**case)) == pytest.approx(wanted, rel=1e-10, abs=1e-10)


def test_training_loss_ends_as_the_negative_bound() -> None:
    """Weights 1: nats per dimension; 3.8 bits per dimension are 2.634 nats."""
    loss = balancing.training_loss([8000.0, 8180.0], [[1.0, 3.0], [0.5, 1.5]], 1.0, [1, 1], 3072)
    assert float(loss) == pytest.approx((8090 + 3) / 3072)


@given(inputs.training_loss(), st.sampled_from([1, 4]))
def test_training_loss_is_a_mean(implementation, case, copies: int) -> None:
    """Repeated images, and images that are split over dimensions, change nothing per dimension."""
    got = implementation.call("balancing.training_loss", **case)
    repeated = {name: np.tile(case[name], copies) for name in ("negative_log_likelihood", "group_kl")}
    np.testing.assert_allclose(
        implementation.call("balancing.training_loss", **{**case, **repeated}), got, rtol=1e-9, atol=1e-9
    )
    doubled = {name: 2 * case[name] for name in ("negative_log_likelihood", "group_kl", "dims")}
    np.testing.assert_allclose(
        implementation.call("balancing.training_loss", **{**case, **doubled}), got, rtol=1e-9, atol=1e-9
    )
    free = implementation.call("balancing.training_loss", **{**case, "weight": 0.0})
    np.testing.assert_allclose(free, case["negative_log_likelihood"].mean() / case["dims"], rtol=1e-9, atol=1e-9)


@given(inputs.regularised_loss())
def test_regularised_loss_is_the_sum_of_its_parts(case) -> None:
    plain = {name: case[name] for name in ("negative_log_likelihood", "group_kl", "weight", "group_weights")}
    wanted = balancing.training_loss(**plain, dims=1) + case["coefficient"] * sum(case["penalties"].tolist())
    np.testing.assert_allclose(balancing.regularised_loss(**case), wanted, rtol=1e-12)


def test_regularised_loss_of_a_worked_example() -> None:
    """Two images, two groups: mean(100 + .5 (2*1 + 0*3), 110 + .5 (2*2 + 0*5)) + .1 * (1.5 + 2)."""
    got = balancing.regularised_loss([100.0, 110.0], [[1.0, 2.0], [3.0, 5.0]], 0.5, [2.0, 0.0], [1.5, 2.0], 0.1)
    assert float(got) == pytest.approx(106.5 + 0.35)


@given(inputs.regularised_loss())
def test_regularised_loss_grows_with_the_penalties(implementation, case) -> None:
    """The sign of the penalty: a bound that is maximised would have it subtracted."""
    got = implementation.call("balancing.regularised_loss", **case)
    more = implementation.call("balancing.regularised_loss", **{**case, "penalties": case["penalties"] + 1})
    np.testing.assert_allclose(more - got, case["coefficient"] * len(case["penalties"]), rtol=1e-9, atol=1e-9)
    larger = implementation.call(
        "balancing.regularised_loss", **{**case, "negative_log_likelihood": case["negative_log_likelihood"] + 1}
    )
    np.testing.assert_allclose(larger - got, 1, rtol=1e-9)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (balancing.free_bits, ([1.0], 1.0), r"layer_terms must have shape \(layers, images\), got \(1,\)"),
        (balancing.free_bits_per_image, ([[1.0]], -1.0), r"floor must be >= 0, got -1\.0"),
        (balancing.soft_free_bits, ([1.0, 1.0], [[1.0]], 1.0), r"rates must have shape \(1,\), got \(2,\)"),
        (balancing.balance_weights, ([[1.0]], [0.0], 0.1), r"factor must be > 0, got 0\.0"),
        (balancing.scale_weights, ([[1]],), r"groups must have shape \(S,\), got \(1, 1\)"),
        (balancing.balance_excess, ([1.0], 0.0), r"floor must be > 0, got 0\.0"),
        (balancing.training_loss, ([1.0], [[1.0, 2.0]], 1.0, [1.0], 1), r"must agree, got \(1,\), \(1, 2\), \(1,\)"),
        (balancing.regularised_loss, ([1.0], [[1.0]], 1.0, [1.0], [-1.0], 1.0), r"penalties must be >= 0, got -1\.0"),
    ],
)
def test_bad_input_is_named(function, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*arguments)
