"""Templates and their filters: how a number, a p-value, a criterion is written."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from reproductions.report import prose, sources
from reproductions.report.model import SOURCE_LABELS, STATUSES, TIERS, ClaimView, Site, equation_anchor

TEMPLATES = Path(__file__).parent / "templates"
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MINUS = "\u2212"


def number(value: Any) -> str:
    """Write a number with four significant digits, thousands apart, a true minus, and a power of ten if needed."""
    if value is None:
        return "\u2013"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, list | tuple):
        return ", ".join(number(item) for item in value)
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f").replace("-", _MINUS)
    if not math.isfinite(value):
        return {math.inf: "\u221e", -math.inf: f"{_MINUS}\u221e"}.get(value, "not a number")
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = (
            f"{value:.3g}e0".split("e")[0:2] if "e" not in f"{value:.3g}" else f"{value:.3g}".split("e")
        )
        return f"{mantissa}\u00a0\u00d7\u00a010{_superscript(int(exponent))}".replace("-", _MINUS)
    rounded = float(f"{value:.4g}")
    # From here on Python would write a power of ten.
    return number(round(rounded)) if abs(rounded) >= 1e4 else f"{value:.4g}".replace("-", _MINUS)


def _superscript(exponent: int) -> str:
    table = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
    return str(exponent).translate(table)


def printed(value: Any) -> str:
    """Write a number as the paper printed it: all its digits."""
    if isinstance(value, list | tuple):
        return ", ".join(printed(item) for item in value)
    if isinstance(value, float) and math.isfinite(value) and 1e-4 <= abs(value) < 1e6:
        return repr(value).replace("-", _MINUS)
    return number(value)


def p_value(value: float | None) -> str:
    """Write a p-value with two digits; nothing where there is none."""
    if value is None:
        return "\u2013"
    return "<\u00a00.0001" if value < 1e-4 else f"{value:.2g}"


def criterion(test: Mapping[str, Any]) -> str:
    """Write one test specification on a line, as it stands in the claim file."""
    rest = ", ".join(f"{key}={_flat(value)}" for key, value in test.items() if key != "word")
    return f"{test.get('word', '')}({rest})"


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_flat(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flat(item) for item in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def full_run(claim: ClaimView) -> str:
    """Write what a paper-scale claim would run and what that would take; empty where the claim does not say."""
    if claim.configuration is None or claim.cost is None:
        return ""
    runs = ", ".join(f"`{name}`" for name in claim.configuration["runs"])
    if not runs:
        return "nothing to run"
    units = {"core_hours": "core-hours", "gpu_hours": "GPU-hours"}
    hours = " and ".join(f"{number(claim.cost[key])} {name}" for key, name in units.items() if claim.cost.get(key))
    return f"runs {runs} of `{claim.configuration['reproduction']}`, about {hours} for one seed"


def breakable(text: str) -> Markup:
    """Let a long path or test name break after its separators."""
    escaped = html.escape(text)
    for separator in ("/", "::", "_", "."):
        escaped = escaped.replace(separator, f"{separator}<wbr>")
    return Markup(escaped)


def equation_href(equation_id: str) -> str:
    """Return the address of an equation in the atlas, relative to the report's root."""
    return f"atlas/{equation_id.split('/', 1)[0]}.html#{equation_anchor(equation_id)}"


def code_href(reproduction: str) -> str:
    """Return the address of a reproduction's source page, relative to the report's root."""
    return f"code/{reproduction.replace('/', '--')}.html"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the templates' environment; a name that a template misspells is an error."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update(
        num=number,
        printed=printed,
        pvalue=p_value,
        criterion=criterion,
        full_run=full_run,
        prose=lambda text: Markup(prose.plain_inline(str(text))),
        python=lambda code: Markup(sources.python_html(code)),
        breakable=breakable,
        equation_href=equation_href,
        code_href=code_href,
        words=lambda n: _WORDS[n] if n < len(_WORDS) else str(n),
    )
    env.globals.update(labels=SOURCE_LABELS, statuses=STATUSES, tiers=TIERS)
    return env


def page(template: str, here: str, site: Site, **values: Any) -> str:
    """Render a page; ``here`` is its address relative to the report's root."""
    root = "../" * here.count("/")
    return environment().get_template(template).render(site=site, here=here, root=root, **values)


def claim_card(claim: ClaimView, site: Site, *, level: int = 3) -> str:
    """Render one claim with everything that is known about it, for a page at the report's root."""
    module: Any = environment().get_template("macros.html").module
    return str(module.claim_card(claim, site, "", level))


def badge(status: str) -> Markup:
    """Render a verdict: shape, colour and word."""
    module: Any = environment().get_template("macros.html").module
    return Markup(module.badge(status))
