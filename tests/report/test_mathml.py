"""Formulas are typeset without a script, or named in an error."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from reference.registry import EQUATIONS
from reproductions.report.mathml import mathml
from reproductions.report.prose import inline, markdown_math


def test_every_registered_formula_is_typeset() -> None:
    for row in EQUATIONS.values():
        root = ET.fromstring(mathml(row.latex))
        assert root.tag == "math", row.id
        assert "\\" not in "".join(root.itertext()), row.id


@pytest.mark.parametrize(
    ("latex", "complaint"),
    [
        (r"\unheardof{x}", r"unknown command \unheardof"),
        (r"\begin{aligned}a&=b\\c&=d\end{aligned}", "ill-formed"),
        (r"\text{a < b}", "ill-formed"),
        (r"a \\ b", "breaks a line"),
        (r"a} + b", "unbalanced"),
        (r"\frac{a}{b", "unbalanced"),
        (r"\left( a", "cannot be typeset"),
        ("  ", "empty"),
    ],
)
def test_a_formula_that_cannot_be_typeset_is_named(latex: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)) as caught:
        mathml(latex)
    assert latex.strip() in str(caught.value)


def test_names_are_one_identifier_and_stand_apart_from_their_argument() -> None:
    markup = mathml(r"\mathrm{KL}+2\log q")
    assert "<mi>KL</mi>" in markup
    assert re.search(r"<mn>2</mn><mspace[^>]*></mspace><mi>log</mi><mspace[^>]*></mspace><mi>q</mi>", markup)
    assert re.search(r"<mi>Var</mi></mrow><mspace[^>]*></mspace><mi>f</mi>", mathml(r"\mathrm{Var}f"))


def test_alphabets_are_characters_because_browsers_ignore_the_attribute() -> None:
    markup = mathml(r"\mathbb{N}\mathbf{x}\mathbb{E}")
    assert "mathvariant" not in markup
    assert all(letter in markup for letter in "\u2115\U0001d431\U0001d53c")


def test_no_namespace_declaration_is_left() -> None:
    assert "http" not in mathml("x^2")


def test_prose_holds_code_and_mathematics() -> None:
    assert inline("a < ``b & c``") == "a &lt; <code>b &amp; c</code>"
    assert "<math" in inline("the mean :math:`\\mu`")
    assert markdown_math("cost $x$ and $$y$$").count("<math") == 2
