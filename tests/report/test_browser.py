"""A look at the pages with a real browser, where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")

# One worker: the browser is started once.
pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason="no system Chromium"), pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield running
        running.close()


def window(browser: Any, width: int, scheme: str = "light") -> Any:
    return browser.new_context(viewport={"width": width, "height": 800}, offline=True, color_scheme=scheme)


def open_page(context: Any, address: str) -> tuple[Any, list[str]]:
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.goto(address)
    return page, complaints


def test_pages_render_filter_and_fit(build, machine, browser) -> None:
    root = build(machine).parent
    for width, scheme in ((360, "light"), (1280, "dark")):
        context = window(browser, width, scheme)
        for name in ("index.html", "toy.html", "atlas.html", "atlas/toy.html"):
            page, complaints = open_page(context, (root / name).as_uri())
            assert complaints == [], name
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{name} at {width}"
            page.close()
        context.close()

    page, complaints = open_page(window(browser, 1280), (root / "index.html").as_uri())
    rows = "#all tbody tr:visible"
    assert page.locator(rows).count() == 3
    page.select_option("select[name=tier]", "paper-scale")
    assert page.locator(rows).count() == 1
    assert page.locator("output").inner_text() == "1 of 3"
    page.select_option("select[name=tier]", "")
    page.select_option("select[name=verdict]", "contradicted")
    assert page.locator(rows).count() == 1
    page.fill("input[name=words]", "no such words")
    assert page.locator("#nothing").is_visible()
    assert complaints == []


def test_without_script_every_claim_is_visible(build, browser) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(build().as_uri())
    assert page.locator("#all tbody tr:visible").count() == 3
    assert not page.locator("#filter").is_visible()
