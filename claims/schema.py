"""What a claim is: the models that every ``claims/<paper>.yaml`` must satisfy.

The models are frozen and refuse unknown keys.  They know nothing of files and lines; `claims.loading` turns
their errors into one line with the file, the line and the path of the offending value.
"""

from __future__ import annotations

import datetime
import math
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictInt,
    StringConstraints,
    model_validator,
)

Kind = Literal["identity", "value", "ordering", "ratio", "trend", "threshold", "qualitative"]
Tier = Literal["static", "scaled", "paper-scale"]
Provenance = Literal["printed", "derived", "external", "restored", "unverified"]


def _finite(value: Any) -> int | float:
    """Return ``value`` if it is a finite number that was written as a number."""
    if isinstance(value, str):
        raise ValueError("is a string, not a number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number")
    if not math.isfinite(value):
        raise ValueError("is not finite")
    return value


def _number_or_numbers(value: Any) -> int | float | tuple[int | float, ...]:
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("is an empty list, not a number")
        return tuple(_finite(item) for item in value)
    return _finite(value)


def _selector_value(value: Any) -> bool | int | float | str:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        # '0.9' in quotes would silently match no row.
        if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", value.strip()):
            raise ValueError("is a string, not a number")
        return value
    return _finite(value)


Number = Annotated[float, BeforeValidator(_finite)]
NonNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
PaperNumberValue = Annotated[int | float | tuple[int | float, ...], PlainValidator(_number_or_numbers)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
ClaimId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9-]+/[a-z0-9-]+$")]
EquationId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*/[A-Z][0-9]+[a-z]?$")]
ReproductionId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*/[a-z][a-z0-9_]*$")]


def _not_empty(value: dict[str, Any]) -> dict[str, Any]:
    if not value:
        raise ValueError("is empty; name at least one arm field")
    return value


Selector = Annotated[
    dict[str, Annotated[bool | int | float | str, PlainValidator(_selector_value)]],
    AfterValidator(_not_empty),
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PaperNumber(_Model):
    """One number that the paper prints (or that follows from printed ones by arithmetic)."""

    of: Text
    value: PaperNumberValue
    unit: str | None = None
    provenance: Provenance | None = None
    note: Text | None = None


class _Test(_Model):
    metric: Name
    unit: Text | None = None


class Identity(_Test):
    """An error metric of an exact check: supported iff ``|value| <= tolerance`` in every row."""

    word: Literal["identity"]
    tolerance: NonNegative
    where: Selector | None = None


class ValueWithin(_Test):
    """A value near a target: the prediction interval over seeds against the tolerance band.

    The half width of the band is the largest of ``tolerance``, ``relative * |target|`` and half of
    ``digits_unit`` (one unit of the paper's last printed digit).
    """

    word: Literal["value_within"]
    target: Number
    tolerance: NonNegative | None = None
    relative: NonNegative | None = None
    digits_unit: Positive | None = None
    where: Selector | None = None

    @model_validator(mode="after")
    def _has_a_band(self) -> ValueWithin:
        if self.tolerance is None and self.relative is None and self.digits_unit is None:
            raise ValueError("value_within needs one of tolerance, relative, digits_unit")
        return self


class Ordering(_Test):
    """One arm above another by more than a margin, seeds paired."""

    word: Literal["ordering"]
    greater: Selector
    less: Selector
    margin: Number = 0.0
    transform: Literal["none", "log"] = "none"


class RatioAtLeast(_Test):
    """Ratio of the medians of two arms, seeds paired.

    ``contradicted_below`` defaults to ``at_least``; 0 means that this test alone never contradicts.
    """

    word: Literal["ratio_at_least"]
    numerator: Selector
    denominator: Selector
    at_least: Positive
    contradicted_below: NonNegative | None = None

    @model_validator(mode="after")
    def _ordered(self) -> RatioAtLeast:
        if self.contradicted_below is not None and self.contradicted_below > self.at_least:
            raise ValueError(f"contradicted_below = {self.contradicted_below} exceeds at_least = {self.at_least}")
        return self


class Trend(_Test):
    """Rank correlation of the median curve (over seeds) with an arm field."""

    word: Literal["trend"]
    along: Name
    direction: Literal["increasing", "decreasing"]
    min_correlation: Annotated[Number, Field(gt=0, le=1)]
    where: Selector | None = None


class Threshold(_Test):
    """A phase transition of a metric along an arm field (procedure C12 of the HVAE specification)."""

    word: Literal["threshold"]
    along: Name
    where: Selector | None = None
    drop_below: Positive = 0.05
    min_start: Positive = 0.5
    min_bic: NonNegative = 10.0
    contradicted_above: Positive = 0.2


class SameTransition(_Test):
    """Two groups of runs have their transition at the same place (procedure C13).

    A word of its own because none of the others fits: the quantity compared is not a metric of a row but the
    place of a drop fitted to a whole curve, and the statement is an equivalence (close enough), which
    `ordering` can only fail to reject and `threshold`, which looks at one curve, cannot express.
    """

    word: Literal["same_transition"]
    along: Name
    first: Selector
    second: Selector
    drop_below: Positive = 0.05
    min_start: Positive = 0.5
    contradicted_steps: Positive = 2.0


class Pair(_Model):
    """Two groups of runs that are compared."""

    first: Selector
    second: Selector


class Overlap(_Test):
    """A quantity of the transition has overlapping 95% intervals in two groups of runs, for each of some pairs.

    A word of its own for the reason of `SameTransition`, of which it is the weaker sibling: no gap is named within
    which two quantities count as equal, and only intervals that are disjoint in every pair contradict. Intervals whose
    ends are more than a factor of two apart could not have shown a difference and do not support.
    """

    word: Literal["overlap"]
    along: Name
    quantity: Literal["rho_half", "rho_on", "width", "sharpness"]
    pairs: Annotated[tuple[Pair, ...], Field(min_length=1)]
    drop_below: Positive = 0.05
    min_start: Positive = 0.5


class Count(_Test):
    """In how many seeds (or rows of a static table) a predicate holds.

    With ``of`` the rule is a proportion (4 of 5 means 7 of 8); without it an absolute number.
    ``contradicted_at_most: null`` means that this test alone never contradicts.
    """

    word: Literal["count"]
    where: Selector
    above: Number | None = None
    below: Number | None = None
    at_least: Annotated[StrictInt, Field(ge=1)]
    of: Annotated[StrictInt, Field(ge=1)] | None = None
    contradicted_at_most: Annotated[StrictInt, Field(ge=0)] | None = 0

    @model_validator(mode="after")
    def _one_predicate(self) -> Count:
        if (self.above is None) == (self.below is None):
            raise ValueError("count needs exactly one of above, below")
        if self.of is not None and self.at_least > self.of:
            raise ValueError(f"at_least = {self.at_least} exceeds of = {self.of}")
        if self.contradicted_at_most is not None and self.contradicted_at_most >= self.at_least:
            raise ValueError(
                f"contradicted_at_most = {self.contradicted_at_most} is not below at_least = {self.at_least}"
            )
        return self


TestSpec = Annotated[
    Identity | ValueWithin | Ordering | RatioAtLeast | Trend | Threshold | SameTransition | Overlap | Count,
    Field(discriminator="word"),
]


class Configuration(_Model):
    """The runs of a paper-scale claim, by name: units of a reproduction at the scale "paper", buildable as they stand.

    ``runs`` is empty where the claim only quotes numbers and nothing is to be run.
    """

    reproduction: ReproductionId
    runs: tuple[Text, ...]


class Cost(_Model):
    """What the runs of a claim would take, one seed each, and how that was estimated; 0 where nothing is to be run."""

    core_hours: NonNegative | None = None
    gpu_hours: NonNegative | None = None
    estimate: Text

    @model_validator(mode="after")
    def _has_hours(self) -> Cost:
        if self.core_hours is None and self.gpu_hours is None:
            raise ValueError("cost needs one of core_hours, gpu_hours")
        return self


class Claim(_Model):
    """One statement of a paper, the numbers it carries and what decides it.

    ``configuration`` and ``cost`` belong to the tier paper-scale: what would be run, and what that would take.
    """

    id: ClaimId
    where: Text
    says: Text
    numbers: tuple[PaperNumber, ...]
    kind: Kind
    tier: Tier
    check: Text
    equations: tuple[EquationId, ...]
    needs: tuple[Text, ...]
    reproduction: ReproductionId | None = None
    tests: Annotated[tuple[TestSpec, ...], Field(min_length=1)] | None = None
    not_run: Text | None = None
    configuration: Configuration | None = None
    cost: Cost | None = None
    note: Text | None = None

    @property
    def paper(self) -> str:
        """Slug of the paper."""
        return self.id.split("/", 1)[0]

    @property
    def decidable(self) -> bool:
        """Whether the claim has tests."""
        return self.tests is not None

    @model_validator(mode="after")
    def _tests_xor_reason(self) -> Claim:
        if self.tests is None and self.not_run is None:
            raise ValueError("has neither tests nor not_run")
        if self.tests is not None and self.not_run is not None:
            raise ValueError("has both tests and not_run")
        if self.tests is not None and self.reproduction is None:
            raise ValueError("has tests but no reproduction")
        return self

    @model_validator(mode="after")
    def _configuration_with_its_cost(self) -> Claim:
        if (self.configuration is None) != (self.cost is None):
            raise ValueError("needs configuration and cost together")
        if self.configuration is not None and self.tier != "paper-scale":
            raise ValueError(f"has a configuration and a cost, which belong to tier paper-scale, not {self.tier}")
        return self


class Change(_Model):
    """One change of a criterion after it was first written."""

    date: datetime.date
    claim: Text
    change: Text
    why: Text


class Paper(_Model):
    """The content of one ``claims/<paper>.yaml``."""

    paper: Slug
    title: Text
    decision_rule: Text
    changelog: tuple[Change, ...] = ()
    claims: tuple[Claim, ...]


__all__ = [
    "Change",
    "Claim",
    "Configuration",
    "Cost",
    "Count",
    "Identity",
    "Ordering",
    "Overlap",
    "Pair",
    "Paper",
    "PaperNumber",
    "RatioAtLeast",
    "SameTransition",
    "Selector",
    "TestSpec",
    "Threshold",
    "Trend",
    "ValueWithin",
]
