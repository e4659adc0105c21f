"""Options of the test suite: which implementation the conformance tests judge, on which device, how hard to look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reference import registry
from tests import profiles
from tests.conformance import observed
from tests.conformance.implementation import DEFAULT, Implementation

profiles.load()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--implementation", default=DEFAULT, metavar="PATH_OR_MODULE", help="functions to test")
    group.addoption("--device", default="cpu", help="device of the tensors: cpu, cuda")
    group.addoption("--observed", type=Path, metavar="FILE", help="write the largest errors seen (one process: -n0)")


def pytest_configure(config: pytest.Config) -> None:
    device = config.getoption("--device")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise pytest.UsageError(f"--device {device}: this machine has no CUDA device")
    if config.getoption("--observed") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--observed needs one process: add -n0")
    torch.set_num_threads(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With another implementation, leave out the tests that never touch it: they cannot tell anything about it."""
    if config.getoption("--implementation") == DEFAULT:
        return
    here = [item for item in items if "implementation" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=[item for item in items if item not in here])
    items[:] = here


@pytest.fixture(scope="session")
def implementation(pytestconfig: pytest.Config) -> Implementation:
    try:
        return Implementation(pytestconfig.getoption("--implementation"), pytestconfig.getoption("--device"))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20200101)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Say of a broken property which equations it is about and how to run it again."""
    report = yield
    under_test = getattr(item, "funcargs", {}).get("implementation")
    if isinstance(under_test, Implementation):
        if report.failed and under_test.called:
            report.sections.append(("the property and its equations", _explanation(item, under_test)))
        under_test.called.clear()
    return report


def _explanation(item: pytest.Item, under_test: Implementation) -> str:
    table = registry.functions()
    lines = [
        f"{function}: {', '.join(f'{row.id} ({row.name})' for row in table[function])}"
        for function in sorted(under_test.called & set(table))
    ]
    rerun = f"pytest '{item.nodeid}' --implementation={under_test.source} --device={under_test.device}"
    return "\n".join([*lines, f"rerun: {rerun}"])


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--observed")
    if path is not None:
        observed.write(path, session.config.getoption("--device"))


def pytest_terminal_summary(terminalreporter) -> None:
    lacking = {
        str(report.longrepr[2])
        for report in terminalreporter.stats.get("skipped", [])
        if " has no " in str(report.longrepr)
    }
    if lacking:
        names = sorted(text.rsplit(" has no ", 1)[1] for text in lacking)
        terminalreporter.write_line(f"{len(names)} functions are not in the implementation: {', '.join(names)}")
