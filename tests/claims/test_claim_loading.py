"""The strict loader: each kind of fault is one line with the file, the line, the path and the value."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from claims import ClaimFileError, UnknownClaimError, find, load_all, load_file, load_paper

GOOD = textwrap.dedent(
    """\
    paper: toy
    title: "A toy"
    decision_rule: "As written."
    changelog:
      - {date: 2026-01-02, claim: toy/fig-1/a, change: "tolerance 1e-9", why: "rounding"}
    claims:
      - id: toy/fig-1/a
        where: "Figure 1"
        says: "A."
        numbers:
          - {of: "x", value: 1e-5, unit: "nats"}
          - {of: "grid", value: [1, 2.5]}
        kind: identity
        tier: static
        check: "Error below 1e-9."
        equations: [toy/A1]
        needs: ["digits"]
        reproduction: toy/identities
        tests:
          - {word: identity, metric: error, tolerance: 1e-9}
          - word: ordering
            metric: score
            greater: {rho: 0.9}
            less: {rho: 1.0}
      - id: toy/fig-1/b
        where: "Figure 1"
        says: "B."
        numbers: []
        kind: value
        tier: paper-scale
        check: "Long run."
        equations: []
        needs: []
        not_run: "paper-scale"
    """
)


def write(folder: Path, text: str, name: str = "toy.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def line_of(text: str, part: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), 1) if part in line)


def test_good_file_loads(tmp_path: Path) -> None:
    paper = load_file(write(tmp_path, GOOD))
    assert [claim.id for claim in paper.claims] == ["toy/fig-1/a", "toy/fig-1/b"]
    assert paper.claims[0].numbers[0].value == 1e-5
    assert paper.claims[0].numbers[1].value == (1, 2.5)
    assert [test.word for test in paper.claims[0].tests or ()] == ["identity", "ordering"]
    assert paper.changelog[0].date.year == 2026


FAULTS = {
    "tier": (
        "tier: static",
        "tier: statc",
        "claims[0].tier: 'statc' is not one of static, scaled, paper-scale",
    ),
    "kind": ("kind: value", "kind: vale", "claims[1].kind: 'vale' is not one of identity, value, ordering"),
    "word": ("word: ordering", "word: order", "claims[0].tests[1].word: 'order' is not one of identity"),
    "no word": ("- word: ordering", "- wrod: ordering", "claims[0].tests[1].word: is required"),
    "unknown key": (
        'where: "Figure 1"\n    says: "B."',
        'wher: "Figure 1"\n    says: "B."',
        "claims[1].wher: unknown key 'wher'",
    ),
    "unknown test key": (
        "tolerance: 1e-9}",
        "tolerence: 1e-9}",
        "claims[0].tests[0].tolerence: unknown key 'tolerence'",
    ),
    "unknown file key": ('title: "A toy"', 'title: "A toy"\ntitel: 1', "titel: unknown key 'titel'"),
    "missing key": ('    check: "Long run."\n', "", "claims[1].check: is required"),
    "string number": (
        "value: 1e-5",
        'value: "1e-5"',
        "claims[0].numbers[0].value: '1e-5' is a string",
    ),
    "nan": ("value: 1e-5", "value: .nan", "claims[0].numbers[0].value: nan is not finite"),
    "inf": ("tolerance: 1e-9", "tolerance: .inf", "claims[0].tests[0].tolerance: inf is not finite"),
    "boolean number": ("value: 1e-5", "value: true", "claims[0].numbers[0].value: True is not a number"),
    "string in list": (
        "[1, 2.5]",
        "[1, '2.5']",
        "claims[0].numbers[1].value: [1, '2.5'] is a string, not a number",
    ),
    "string in selector": (
        "{rho: 0.9}",
        "{rho: '0.9'}",
        "claims[0].tests[1].greater.rho: '0.9' is a string",
    ),
    "empty selector": ("{rho: 0.9}", "{}", "claims[0].tests[1].greater: is empty"),
    "negative tolerance": (
        "tolerance: 1e-9",
        "tolerance: -1",
        "claims[0].tests[0].tolerance: input should",
    ),
    "wrong id": ("id: toy/fig-1/b", "id: toy/Fig 1/b", "claims[1].id: 'toy/Fig 1/b' does not match"),
    "id of another paper": (
        "id: toy/fig-1/b",
        "id: other/fig-1/b",
        "claims[1].id: 'other/fig-1/b' does not start with",
    ),
    "duplicate id": (
        "id: toy/fig-1/b",
        "id: toy/fig-1/a",
        "claims[1].id: 'toy/fig-1/a' is a duplicate of claims[0].id",
    ),
    "equation id": ("[toy/A1]", "[toy/a1]", "claims[0].equations[0]: 'toy/a1' does not match"),
    "equation name": ("[toy/A1]", "[hermite_1d]", "claims[0].equations[0]: 'hermite_1d' does not match"),
    "duplicate key": ("tier: static", "tier: static\n    tier: static", "claims[0]: duplicate key 'tier'"),
    "tests and reason": (
        "reproduction: toy/identities",
        "reproduction: toy/identities\n    not_run: why",
        "claims[0]: has both tests and not_run",
    ),
    "neither": ('    not_run: "paper-scale"\n', "", "claims[1]: has neither tests nor not_run"),
    "no reproduction": ("    reproduction: toy/identities\n", "", "claims[0]: has tests but no reproduction"),
    "changelog": (
        "claim: toy/fig-1/a, ch",
        "claim: toy/fig-1/z, ch",
        "changelog[0].claim: 'toy/fig-1/z' is neither",
    ),
    "file name": ("paper: toy", "paper: toys", "paper: 'toys' is not the name of the file"),
    "empty text": ('says: "B."', 'says: ""', "claims[1].says: string should have at least 1"),
}

# The line on which the fault is reported, by a part of the faulty text.
PLACES = {
    "tier": "tier: statc",
    "kind": "kind: vale",
    "word": "word: order",
    "no word": "wrod",
    "unknown key": "wher: ",
    "unknown test key": "tolerence",
    "unknown file key": "titel",
    "missing key": "id: toy/fig-1/b",
    "string number": "1e-5",
    "nan": ".nan",
    "inf": ".inf",
    "boolean number": "value: true",
    "string in list": "'2.5'",
    "string in selector": "'0.9'",
    "empty selector": "greater: {}",
    "negative tolerance": "tolerance: -1",
    "wrong id": "Fig 1/b",
    "id of another paper": "id: other",
    "equation id": "toy/a1",
    "equation name": "hermite_1d",
    "tests and reason": "id: toy/fig-1/a",
    "neither": "id: toy/fig-1/b",
    "no reproduction": "id: toy/fig-1/a",
    "changelog": "date:",
    "file name": "paper: toys",
    "empty text": 'says: ""',
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_one_line_at_the_right_place(tmp_path: Path, name: str) -> None:
    old, new, expected = FAULTS[name]
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    path = write(tmp_path, text)
    with pytest.raises(ClaimFileError) as caught:
        load_file(path)
    message = str(caught.value)
    assert "\n" not in message
    if name == "duplicate id":
        line = text.splitlines().index("  - id: toy/fig-1/a", line_of(text, "- id:")) + 1
    elif name == "duplicate key":
        line = line_of(text, "tier: static") + 1
    else:
        line = line_of(text, PLACES[name])
    assert message.startswith(f"{path}:{line}: {expected}"), message


def test_both_predicates_and_impossible_counts_are_refused(tmp_path: Path) -> None:
    for extra in ("above: 1, below: 2, at_least: 1", "at_least: 1", "above: 1, at_least: 6, of: 5"):
        text = GOOD.replace("{word: identity, metric: error, tolerance: 1e-9}",
                            f"{{word: count, metric: error, where: {{a: 1}}, {extra}}}")  # fmt: skip
        with pytest.raises(ClaimFileError, match=r"claims\[0\]\.tests\[0\]: .*(above, below|exceeds)"):
            load_file(write(tmp_path, text))


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("tier: static", "tier: [static"))
    with pytest.raises(ClaimFileError, match=r"toy\.yaml:\d+: not valid YAML: "):
        load_file(path)


def test_file_that_is_no_mapping_and_empty_file(tmp_path: Path) -> None:
    for text in ("- a\n", ""):
        with pytest.raises(ClaimFileError, match=r"toy\.yaml:1: file: "):
            load_file(write(tmp_path, text))


def test_own_files_are_shown_relative_to_the_project() -> None:
    with pytest.raises(ClaimFileError, match=r"^claims/none\.yaml:1: cannot be read"):
        load_file(Path(sys.modules["claims"].__file__ or "").parent / "none.yaml")


def test_find_and_suggestions(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert find("toy/fig-1/b", directory=tmp_path).tier == "paper-scale"
    with pytest.raises(UnknownClaimError, match="no claim 'toy/fig-1/bb', did you mean 'toy/fig-1/b'"):
        find("toy/fig-1/bb", directory=tmp_path)
    with pytest.raises(UnknownClaimError, match="no paper 'toyy', did you mean 'toy'"):
        load_paper("toyy", directory=tmp_path)
    with pytest.raises(UnknownClaimError, match=r"no paper '\.\./toy'"):
        load_paper("../toy", directory=tmp_path)
    assert list(load_all(directory=tmp_path)) == ["toy"]


def test_reading_claims_imports_no_heavy_package() -> None:
    code = (
        "import sys, claims; claims.load_paper('hvae'); "
        "print([m for m in ('torch', 'matplotlib', 'scipy', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
