"""What each claim file is known to hold: counts, sums and places taken over from the inventory of its paper."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import claims
from claims import Claim


@dataclass(frozen=True, eq=False)
class Inventory:
    """Expectations on one claim file.

    ``claims_by_place`` maps positions to names without the paper's; ``equations`` are the ids that claims may name, and
    ``reasons`` the beginnings that a reason for not running may have outside the paper-scale tier.
    """

    slug: str
    claim_count: int
    number_count: int
    sum_of_numbers: float
    numbers_with_unit: int
    provenances: Mapping[str | None, int]
    tiers: Mapping[str, int]
    kinds: Mapping[str, int]
    reproductions: Mapping[str | None, int]
    claims_by_place: Mapping[int, str]
    equations: frozenset[str]
    reasons: tuple[str, ...] = ("waits for ",)
    needs_with_underscore: frozenset[str] = frozenset()

    @functools.cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The claims of the file, read once per process."""
        return tuple(claims.load_paper(self.slug).claims)

    @property
    def static_claims(self) -> list[Claim]:
        """Claims that a static reproduction answers."""
        static = {f"{self.slug}/identities", f"{self.slug}/tables"}
        return [claim for claim in self.claims if claim.reproduction in static]


INVENTORIES = (
    Inventory(
        "hvae",
        claim_count=107,
        number_count=313,
        sum_of_numbers=4367563.278,
        numbers_with_unit=299,
        provenances={None: 313},
        tiers={"static": 61, "scaled": 27, "paper-scale": 19},
        kinds={
            "identity": 34, "value": 27, "ordering": 19, "trend": 9, "threshold": 7, "ratio": 6, "qualitative": 5,
        },
        reproductions={
            None: 19, "identities": 36, "tables": 10, "parameters": 9, "memory": 6,
            "phase_transition": 5, "collapse": 2, "baselines": 6, "transition_by_shape": 3, "depth_width": 3,
            "smoothing_variants": 2, "free_bits": 2, "colour_patches": 2, "five_layers": 1, "gradient_variance": 1,
        },
        claims_by_place={
            0: "sec-2-1/hermite-basis-orthonormal",
            53: "table-3/one-million-steps",
            -1: "table-6/configuration",
        },
        equations=frozenset(
            {f"A{i}" for i in range(1, 26)} | {f"B{i}" for i in range(1, 23)} | {f"C{i}" for i in range(1, 22)}
        ),
        reasons=("waits for ", "static check", "static count"),
        needs_with_underscore=frozenset({"mlp_grid", "mlp_pyramid4", "mlp_pyramid5"}),
    ),
    Inventory(
        "sigma-vae",
        claim_count=123,
        number_count=275,
        sum_of_numbers=667918.0171,
        numbers_with_unit=275,
        provenances={None: 275},
        tiers={"static": 69, "scaled": 36, "paper-scale": 18},
        kinds={
            "value": 32, "identity": 30, "ordering": 22, "ratio": 13, "threshold": 12, "trend": 7, "qualitative": 7,
        },
        reproductions={
            None: 18, "tables": 30, "identities": 26, "architectures": 11, "linear_vae": 2,
            "decoders": 10, "frey": 8, "beta_grid": 4, "discretised": 3, "colour": 3, "strategies": 3, "order": 1,
            "video": 3, "hierarchical": 1,
        },
        claims_by_place={
            0: "table-3/celeba-nll-discrete",
            61: "figure-9/svhn-trajectories",
            -1: "method/softclip-bias",
        },
        equations=frozenset(f"E{i:02d}" for i in range(1, 54)),
        needs_with_underscore=frozenset(
            {"hierarchical_vae", "small_conv_vae", "small_conv_vae parameter counts", "svg_lp"}
        ),
    ),
    Inventory(
        "efficient-vdvae",
        claim_count=142,
        number_count=467,
        sum_of_numbers=14014374.7033944,
        numbers_with_unit=467,
        provenances={None: 453, "derived": 14},
        tiers={"static": 73, "scaled": 38, "paper-scale": 31},
        kinds={
            "identity": 38, "value": 34, "ordering": 27, "ratio": 12, "trend": 11, "qualitative": 11, "threshold": 9,
        },
        reproductions={None: 85, "identities": 35, "tables": 22},
        claims_by_place={
            0: "abstract/faster-convergence",
            60: "table-3/memory-ratios",
            -1: "sec-5-1/low-res-layers-cheap",
        },
        equations=frozenset({f"E{i}" for i in range(1, 50)} | {"E6b"}),
    ),
    Inventory(
        "nvae",
        claim_count=138,
        number_count=302,
        sum_of_numbers=139294.187,
        numbers_with_unit=302,
        provenances={None: 272, "derived": 17, "unverified": 9, "restored": 4},
        tiers={"static": 77, "scaled": 43, "paper-scale": 18},
        kinds={
            "identity": 47, "ordering": 40, "value": 19, "ratio": 12, "trend": 9, "threshold": 6, "qualitative": 5,
        },
        reproductions={None: 74, "identities": 43, "tables": 21},
        claims_by_place={
            0: "abstract/cifar10-sota-2-98-to-2-91",
            60: "table-1/no-flow-model-outperforms-many",
            -1: "fig-12/lowest-scale-still-long-range",
        },
        equations=frozenset({f"E{i}" for i in range(1, 47)} | {f"E{i}b" for i in (19, 25, 28, 42)}),
    ),
    Inventory(
        "dvaepp",
        claim_count=73,
        number_count=114,
        sum_of_numbers=3716470.894,
        numbers_with_unit=88,
        provenances={None: 114},
        tiers={"static": 49, "scaled": 18, "paper-scale": 6},
        kinds={"value": 18, "identity": 17, "ordering": 13, "qualitative": 12, "trend": 8, "threshold": 5},
        reproductions={None: 35, "identities": 33, "tables": 5},
        claims_by_place={
            0: "app-a/exponential-mixture-cdf",
            36: "app-g/local-groups",
            -1: "app-i/smoothed-vs-binary-likelihood-gap",
        },
        equations=frozenset({f"E{i}" for i in range(1, 69)} | {"E8b", "E16b", "E27b"}),
        reasons=("waits for ", "not decidable"),
        needs_with_underscore=frozenset({"active_groups", "fig6_graphs"}),
    ),
)  # fmt: skip
