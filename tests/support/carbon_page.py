"""The tab *Carbon* in a real browser, inside TensorBoard or as the bare page of its frame."""

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from green_callbacks.ledger import Closing, closing_of, read_ledger

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Locator, Page

FRAME = "data/plugin/green_callbacks/page.html?name=green_callbacks"
"""Address of the page of the frame, relative to TensorBoard's address."""

UNKNOWN = "\N{EN DASH}"
"""Text of a cell without a value."""

_WATCH = """
window.opened = [];
for (const name of ["alert", "confirm", "prompt", "open"]) window[name] = (...given) => { window.opened.push(name); };
addEventListener("securitypolicyviolation", (event) => console.error("CSP", event.violatedDirective, event.blockedURI));
"""
"""Remembers what a hostile name would do, and what the policy of the page forbids."""

_ROWS = """() => {
    const heads = [...document.querySelectorAll("thead th + th")].map((head) => head.textContent);
    const rows = [...document.querySelectorAll("tbody tr")].filter((row) => row.cells.length > heads.length);
    return rows.map((row) => Object.fromEntries(heads.map((head, i) => [head, row.cells[i + 1].textContent])));
}"""

_COLORS = """([place, least]) => {
    const plot = document.querySelectorAll(".plot")[place];
    const canvas = plot.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const counts = {};
    for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] < 255) continue;
        const color = `rgb(${data[i]}, ${data[i + 1]}, ${data[i + 2]})`;
        counts[color] = (counts[color] ?? 0) + 1;
    }
    const dots = Object.keys(counts).filter((color) => counts[color] >= least);
    const shapes = [...plot.querySelectorAll("svg path, svg text")].filter((each) => each.getBBox().width);
    return [...dots, ...shapes.flatMap((each) => [getComputedStyle(each).stroke, getComputedStyle(each).fill])];
}"""

_PICTURE = """(place) => {
    const plot = document.querySelectorAll(".plot")[place];
    const shapes = [...plot.querySelectorAll("svg path, svg text")].map((each) => getComputedStyle(each).stroke);
    return plot.querySelector("canvas").toDataURL() + plot.querySelector("svg").innerHTML + shapes;
}"""


class CarbonTab:
    """The tab in a browser.

    Args:
        page: A page of the browser.
        address: TensorBoard's address, or the address of a report.
        is_bare: Whether to open the page of the frame instead of TensorBoard. Defaults to True.

    Attributes:
        page: The page of the browser.
        address: The address.
        faults: Errors of the console, exceptions, dialogs and requests to other places.
    """

    def __init__(self, page: "Page", address: str, *, is_bare: bool = True) -> None:
        self.page, self.address, self.is_bare = page, address, is_bare
        self.faults: list[str] = []
        page.add_init_script(_WATCH)
        page.on("console", self._keep_error)
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self._keep_foreign(request.url))

    def _keep_error(self, message: Any) -> None:
        url = message.location.get("url", "")
        is_theirs = "favicon.ico" in url or "/font-roboto/" in url
        is_answer = "/stop?" in url and "400" in message.text  # a rule that does not fit the run
        if message.type == "error" and not is_theirs and not is_answer:
            self.faults.append(f"console: {message.text} {url}")

    def _keep_foreign(self, url: str) -> None:
        origin = self.address if self.address.startswith("file:") else re.match(r"\w+://[^/]+/", self.address)[0]  # type: ignore[index]
        if not url.startswith((origin, "data:", "blob:")) and "fonts.g" not in url:  # TensorBoard asks for fonts
            self.faults.append(f"request: {url}")

    @property
    def frame(self) -> "Frame":
        """The frame of the tab."""
        if self.is_bare:
            return self.page.main_frame
        return next(frame for frame in self.page.frames if "name=green_callbacks" in frame.url)

    def open(self) -> "CarbonTab":
        """Open the page anew, without anything that it has kept, and wait for its picture."""
        self.page.goto(f"{self.address}data/plugin/green_callbacks/style.css")  # a page that keeps nothing itself
        self.page.evaluate("sessionStorage.clear()")
        self.page.goto(self.address + (FRAME if self.is_bare else "#green_callbacks"))
        return self.drawn()

    def drawn(self) -> "CarbonTab":
        """Wait for the picture."""
        if not self.is_bare:
            self.page.frame_locator("iframe").locator("main").wait_for()
        self.frame.wait_for_function("""() => {
            const [read, of] = (document.documentElement.dataset.read ?? "").split("/");
            const isAsking = [...document.querySelectorAll(".facts, li")].some((each) => /…$/.test(each.textContent));
            return read && read === of && !isAsking;
        }""")
        self.page.wait_for_load_state("networkidle")
        return self

    def get(self, selector: str) -> "Locator":
        """Return what a selector of CSS finds."""
        return self.frame.locator(selector)

    def labeled(self, text: str) -> "Locator":
        """Return the control with a label."""
        return self.frame.get_by_label(text, exact=True)

    def button(self, name: str) -> "Locator":
        """Return the first button with this text."""
        return self.frame.get_by_role("button", name=name).first

    def rows(self) -> list[dict[str, str]]:
        """Return the texts of the rows of the table, with groups, by the texts of the heads."""
        rows: list[dict[str, str]] = self.frame.evaluate(_ROWS)
        return rows

    def names(self) -> list[str]:
        """Return the names in the first column."""
        return [row["Run"].lstrip("▸▾ ") for row in self.rows()]

    def row(self, name: str) -> dict[str, str]:
        """Return the row of a run."""
        return next(row for row in self.rows() if row["Run"].lstrip("▸▾ ") == name)

    def totals(self) -> list[str]:
        """Return the figures at the top."""
        return self.get(".totals .figure").all_inner_texts()

    def swatches(self) -> dict[str, str]:
        """Return the color of each run in the table."""
        pairs = self.frame.evaluate(
            """() => [...document.querySelectorAll("tbody tr:has(i)")].map((row) => [
                row.querySelector("th").textContent.replace(/^[▸▾] /, ""),
                getComputedStyle(row.querySelector("i")).backgroundColor,
            ])"""
        )
        return dict(pairs)

    def colors(self, place: int, least: int = 20) -> list[str]:
        """Return the colors of a chart, opaque dots and shapes, as the browser writes them.

        Args:
            place: Which chart, from 0.
            least: Smallest number of dots of a color. Defaults to 20.
        """
        found: list[str] = self.frame.evaluate(_COLORS, [place, least])
        return found

    def picture(self, place: int) -> str:
        """Return all dots and shapes of a chart."""
        found: str = self.frame.evaluate(_PICTURE, place)
        return found

    def csv(self) -> list[dict[str, str]]:
        """Return the rows of the table that the button saves."""
        with self.page.expect_download() as download:
            self.button("CSV").click()
        with download.value.path().open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def until(self, is_true: Callable[[], bool], *, seconds: float = 10.0, waiting_for: str = "a change") -> None:
        """Wait until something is true."""
        for _ in range(int(seconds / 0.1)):
            if is_true():
                return
            self.page.wait_for_timeout(100)
        msg = f"{waiting_for} has not come within {seconds} s"
        raise AssertionError(msg)


def closings(folder: Path) -> dict[str, Closing]:
    """Return the totals of all ledgers in a folder, by the folder of the run."""
    found = {}
    for path in folder.rglob("*.jsonl"):
        contents = read_ledger(path)
        name = str(path.parent.parent.relative_to(folder))
        found[name] = closing_of(contents.run_id, contents.history, monitor=contents.monitor, mode=contents.mode)
    return found


def few(value: float, unit_of: dict[float, str], digits: int = 3) -> str:
    """Write an amount as the page does, with the largest unit that is smaller."""
    size = float(f"{value:.{digits}g}")
    unit = max((unit for unit in unit_of if unit <= size), default=min(unit_of))
    shown = float(f"{value / unit:.{digits}g}")
    return f"{shown:,.10g} {unit_of[unit]}"


def mass(grams: float) -> str:
    """Write grams as the page does."""
    return few(grams, {1e6: "t", 1e3: "kg", 1.0: "g", 1e-3: "mg", 1e-6: "µg"})


def energy(kwh: float) -> str:
    """Write kilowatt-hours as the page does."""
    return few(kwh, {1e3: "MWh", 1.0: "kWh", 1e-3: "Wh", 1e-6: "mWh"})


@contextmanager
def opened(page: "Page", address: str, *, is_bare: bool = True) -> Iterator[CarbonTab]:
    """Open the tab, and check at the end that nothing was executed that should not be, and that nothing failed."""
    tab = CarbonTab(page, address, is_bare=is_bare)
    yield tab.open()
    assert tab.faults == []
    assert tab.frame.evaluate("window.opened") == []
