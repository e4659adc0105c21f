"""Inputs of the schedules: steps before, on and after every break."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.conformance.inputs.common import array

DTYPES = {"kl_warmup": ("float64", "float32")}


@st.composite
def kl_warmup(draw: DrawFn) -> dict[str, Any]:
    start = draw(st.sampled_from([0.0, 10.0, 10_000.0]))
    length = draw(st.sampled_from([1.0, 100.0, 500_000.0]))
    steps = st.one_of(st.sampled_from([0.0, start, start + 1, start + length]), st.integers(0, 600_000).map(float))
    return {"step": np.asarray(array(draw, steps, (4,))), "start": start, "length": length}
