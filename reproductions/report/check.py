"""Checks of a built report: links and anchors resolve, ids are unique, nothing loads from the network."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_ADDRESS_ATTRIBUTES = ("href", "src", "srcset", "poster", "data", "action", "xlink:href")


class _Page(HTMLParser):
    """Collect what a page refers to and what can be referred to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.images_without_text = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            elif name in _ADDRESS_ATTRIBUTES and value is not None:
                self.addresses.append(value)
        if tag == "img" and not dict(attrs).get("alt"):
            self.images_without_text += 1


def parse(path: Path) -> tuple[list[str], list[str], int]:
    """Return (ids, addresses, images without a text alternative) of a page."""
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page.ids, page.addresses, page.images_without_text


def problems(root: Path, *, elsewhere: Iterable[str] = ()) -> list[str]:
    """Return what is wrong with a built report, one line per fault, empty when all is well.

    Parameters
    ----------
    root : Path
        Folder of the report.
    elsewhere : iterable of str
        Addresses relative to the root that exist without being in this folder.
    """
    parsed = {path: parse(path) for path in sorted(root.rglob("*.html"))}
    ids = {path.resolve(): set(found) for path, (found, _, _) in parsed.items()}
    outside = {(root / address).resolve() for address in elsewhere}
    faults = []
    for path, (found, addresses, bare) in parsed.items():
        name = path.relative_to(root).as_posix()
        faults += [f"{name}: id {i!r} is used twice" for i in sorted({i for i in found if found.count(i) > 1})]
        if bare:
            faults.append(f"{name}: {bare} image(s) without a text alternative")
        for address in sorted(set(addresses)):
            fault = _fault(path, address, root, ids, outside)
            if fault:
                faults.append(f"{name}: {fault}")
    for path in sorted(root.rglob("*.css")):
        for address in re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s]+)", path.read_text(encoding="utf-8")):
            faults.append(f"{path.relative_to(root).as_posix()}: stylesheet loads {address}")
    return faults


def _fault(path: Path, address: str, root: Path, ids: dict[Path, set[str]], outside: set[Path]) -> str:
    parts = urlsplit(address)
    if address == "data:,":
        return ""
    if parts.scheme or parts.netloc:
        return f"address outside the report: {address}"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    if not target.is_relative_to(root.resolve()):
        return f"link leaves the report: {address}"
    if target in outside:
        return ""
    if not target.is_file():
        return f"link to a file that does not exist: {address}"
    if parts.fragment and parts.fragment not in ids.get(target, set()):
        return f"link to an anchor that does not exist: {address}"
    return ""
