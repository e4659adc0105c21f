"""The atlas shows what the corner grids found: twin, gradient, printed forms, each with its equation."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from reference import registry
from reproductions.report import atlas, render
from reproductions.report.builder import Inputs


def measured(points: int, ulps: float, not_finite: int = 0, no_digit: int = 0, **form: str) -> dict[str, Any]:
    return {"points": points, "ulps": ulps, "not_finite": not_finite, "no_digit": no_digit, "where": {}, **form}


RECORD = {
    "value": measured(120, 2.5),
    "gradient": measured(240, 3.25),
    "printed": [
        measured(120, 7e6, 3, 4, equation="toy/A2", label="as printed, with a minus"),
        measured(120, 9.75, equation="toy/A1", label="common code, a quotient"),
    ],
}
CORNERS = {"gaussian.kl": {"cpu": {"float32": RECORD}}}


def rows_of(article: str) -> list[list[str]]:
    [table] = re.findall(r'<section class="corners".*?</section>', article, re.DOTALL)
    lines = re.findall(r"<tr>(.*?)</tr>", table.split("<tbody>")[1], re.DOTALL)
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in lines]


def test_the_atlas_shows_the_corner_grid_beside_the_accuracy(build, inputs: Inputs) -> None:
    page = build(use=dataclasses.replace(inputs, corners=CORNERS)).parent / "atlas" / "toy.html"
    first, second = re.findall(r"<article .*?</article>", page.read_text(encoding="utf-8"), re.DOTALL)
    assert rows_of(first) == [
        ["Twin", "120", "2.5", "0", "0"],
        ["Twin, gradient", "240", "3.25", "0", "0"],
        ["Common code, a quotient", "120", "9.75", "0", "0"],
        ["As printed, with a minus (toy/A2)", "120", "7\u00a0\u00d7\u00a010\u2076", "3", "4"],
    ]
    # The second equation has no function of its own: the grid is the one that its printed form was measured on.
    assert rows_of(second)[2] == ["As printed, with a minus", "120", "7\u00a0\u00d7\u00a010\u2076", "3", "4"]


def test_without_a_grid_nothing_is_shown(build) -> None:
    assert 'class="corners"' not in (build().parent / "atlas" / "toy.html").read_text(encoding="utf-8")


def test_the_printed_root_of_the_overlapping_exponentials_is_on_its_page() -> None:
    [grid] = atlas.corner_grids("dvaepp/E7", registry.find("dvaepp/E7").function, registry.corners())
    assert grid.function == "relaxations.overlap_exp_icdf"
    [own] = [row for row in grid.rows if row.equation == "dvaepp/E7"]
    # The specification: half of all draws are lost at sharpness 36 and above.
    assert own.not_finite > 0.2 * own.points


def test_numbers_of_five_and_six_places_are_written_out() -> None:
    written = [render.number(value) for value in (9999.6, 12345.6, -868140.0, 999960.0, 1e6)]
    assert written == [
        "10\u202f000",
        "12\u202f350",
        "\u2212868\u202f100",
        "1\u202f000\u202f000",
        "1\u00a0\u00d7\u00a010\u2076",
    ]
