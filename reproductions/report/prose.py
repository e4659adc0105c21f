"""Docstring and YAML prose to HTML: inline code, inline mathematics, paragraphs."""

from __future__ import annotations

import html
import re

from reproductions.report.mathml import mathml

_INLINE = re.compile(r"``(?P<code>[^`]+)``|:math:`(?P<math>[^`]+)`|\$(?P<dollar>[^$\n]+)\$|`(?P<name>[^`]+)`")


def inline(text: str) -> str:
    """Return one run of prose as HTML; code in double backquotes, mathematics in ``:math:`` or dollars."""
    parts, last = [], 0
    for match in _INLINE.finditer(text):
        parts.append(html.escape(text[last : match.start()], quote=False))
        formula = match["math"] or match["dollar"]
        parts.append(
            mathml(formula, display=False)
            if formula
            else f"<code>{html.escape(match['code'] or match['name'], quote=False)}</code>"
        )
        last = match.end()
    parts.append(html.escape(text[last:], quote=False))
    return "".join(parts)


def plain_inline(text: str) -> str:
    """Return prose that never holds mathematics (claims, reasons) as HTML, with backquoted code."""
    escaped = html.escape(text, quote=False)
    return re.sub(r"`{1,2}([^`]+)`{1,2}", r"<code>\1</code>", escaped)


def markdown_math(source: str) -> str:
    """Replace ``$$..$$`` and ``$..$`` of a Markdown cell by MathML, so that no script has to."""
    source = re.sub(r"\$\$(.+?)\$\$", lambda m: mathml(m[1].strip()), source, flags=re.DOTALL)
    return re.sub(r"(?<![\\$])\$([^$\n]+)\$", lambda m: mathml(m[1], display=False), source)
