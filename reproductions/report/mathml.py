"""LaTeX to MathML that a browser renders without a script.

``latex2mathml`` passes unknown commands through as text and writes ill-formed XML for some environments.
Both are errors here: a formula is typeset or the build names it.
"""

from __future__ import annotations

import re
import unicodedata
import xml.etree.ElementTree as ET
from functools import lru_cache
from itertools import pairwise

from latex2mathml.converter import convert

_NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
_FUNCTION_GAP = "0.167em"
_OPENING = set("([{\u27e8\u2308\u230a|\u2016\u2061")
_ALPHABETS = {
    "bold": "MATHEMATICAL BOLD",
    "italic": "MATHEMATICAL ITALIC",
    "bold-italic": "MATHEMATICAL BOLD ITALIC",
    "double-struck": "MATHEMATICAL DOUBLE-STRUCK",
    "script": "MATHEMATICAL SCRIPT",
    "bold-script": "MATHEMATICAL BOLD SCRIPT",
    "fraktur": "MATHEMATICAL FRAKTUR",
    "sans-serif": "MATHEMATICAL SANS-SERIF",
    "monospace": "MATHEMATICAL MONOSPACE",
}
_DIGITS = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")


@lru_cache(maxsize=4096)
def mathml(latex: str, *, display: bool = True) -> str:
    r"""Typeset a formula as a ``<math>`` element.

    Parameters
    ----------
    latex : str
        Formula without dollar signs. Line breaks need an ``array`` or ``cases`` environment.
    display : bool
        Block formula (True) or inline (False).

    Returns
    -------
    str
        Well-formed XML without a namespace declaration, as HTML wants it.

    Raises
    ------
    ValueError
        When the formula is empty, its braces do not balance, a command is unknown to the converter, or the
        result is not well-formed. The message quotes the formula.
    """
    _check_source(latex)
    try:
        raw = convert(latex, display="block" if display else "inline")
    except Exception as error:  # the converter has no common base class for its errors
        raise ValueError(f"formula cannot be typeset ({type(error).__name__} {error}): {latex}") from error
    try:
        root = ET.fromstring(raw)
    except ET.ParseError as error:
        raise ValueError(f"formula gives ill-formed MathML ({error}): {latex}") from error
    for node in root.iter():
        node.tag = node.tag.removeprefix(_NAMESPACE)
    root.attrib.pop("xmlns", None)
    _check_tree(root, latex)
    _polish(root)
    return ET.tostring(root, encoding="unicode", short_empty_elements=False)


def _check_source(latex: str) -> None:
    if not latex.strip():
        raise ValueError("formula is empty")
    depth = 0
    for match in re.finditer(r"\\.|[{}]", latex, flags=re.DOTALL):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth < 0:
            break
    if depth != 0:
        raise ValueError(f"formula has unbalanced braces: {latex}")


def _check_tree(root: ET.Element, latex: str) -> None:
    for node in root.iter():
        leaked = re.search(r"\\[A-Za-z]*", node.text or "")
        if leaked:
            raise ValueError(f"formula leaks the unknown command {leaked.group()}: {latex}")
        if node.tag == "mi" and (node.text or "") == "&":
            raise ValueError(f"formula has an alignment mark outside an environment: {latex}")
        if node.tag == "mspace" and node.get("linebreak"):
            raise ValueError(f"formula breaks a line outside an array or cases environment: {latex}")
        if node.tag in {"munderover", "munder", "mover", "msub", "msup", "msubsup"} and len(node) < 2:
            raise ValueError(f"formula leaves {node.tag} without its parts: {latex}")


def _polish(root: ET.Element) -> None:
    """Repair what browsers render badly: alphabets, function names, the tilde of a distribution."""
    for node in root.iter():
        variant = node.get("mathvariant")
        if variant in _ALPHABETS and node.text:
            # Browsers implement mathvariant="normal" only; the letters themselves carry the alphabet.
            node.text = "".join(_letter(character, _ALPHABETS[variant]) for character in node.text)
            del node.attrib["mathvariant"]
        if node.tag == "mi" and node.text == "~":
            node.tag, node.text = "mo", "\u223c"
        if node.tag == "mo" and node.text == "|":
            # As an infix operator the bar of |x| and q(z|x) would get the room of a relation.
            node.attrib.update(lspace="0", rspace="0")
        if node.tag == "mo" and node.text and len(node.text) > 1 and node.text.isalpha():
            node.tag = "mi"
    for parent in root.iter():
        _join_upright_letters(parent)
    for parent in list(root.iter()):
        _space_function_names(parent)


def _letter(character: str, alphabet: str) -> str:
    kind = "SMALL" if character.islower() else "CAPITAL"
    base = unicodedata.name(character, "").rsplit(" ", 1)[-1]
    if character.isdigit():
        names = [f"{alphabet} DIGIT {_DIGITS[int(character)]}"]
    else:
        # A few letters (N, R, e, h ...) got their code points before the mathematical block existed.
        short = alphabet.removeprefix("MATHEMATICAL ").replace("FRAKTUR", "BLACK-LETTER")
        names = [f"{alphabet} {kind} {base}", f"{short} {kind} {base}"]
    for name in names:
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    return character


def _join_upright_letters(parent: ET.Element) -> None:
    """Merge the letters of an upright word (KL, Var) so that they are one identifier."""
    for left, right in pairwise(list(parent)):
        if all(n.tag == "mi" and n.get("mathvariant") == "normal" and n.text for n in (left, right)):
            right.text = f"{left.text}{right.text}"
            parent.remove(left)
    for node in parent:
        if node.tag == "mi" and len(node.text or "") > 1:
            node.attrib.pop("mathvariant", None)


def _is_function(node: ET.Element) -> bool:
    head = node
    while head.tag in {"msub", "msup", "msubsup", "munder", "mrow"} and len(head):
        head = head[0]
    return head.tag == "mi" and len(head.text or "") > 1 and (head.text or "").isalpha()


def _space_function_names(parent: ET.Element) -> None:
    if parent.tag not in {"math", "mrow", "mtd", "mstyle"}:
        return
    children = list(parent)
    for left, right in reversed(list(pairwise(children))):
        opens = right.tag == "mo" and (right.text or "") in _OPENING
        after = _is_function(left) and right.tag not in {"mo", "mspace", "mtext"}
        before = _is_function(right) and left.tag not in {"mo", "mspace", "mtext"}
        if (after and not opens) or before:
            gap = ET.Element("mspace", {"width": _FUNCTION_GAP})
            parent.insert(list(parent).index(right), gap)
