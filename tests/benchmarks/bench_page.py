"""How long the tab Carbon takes to appear in a real TensorBoard and a real browser, beside the stock tab Time series.

Run it where TensorBoard, playwright and Chromium are installed::

    python tests/benchmarks/bench_page.py --runs 1000 --epochs 1000

It makes ledgers and event files first, which takes minutes for a million epochs. ``--folder`` keeps them for the next
time, and ``--make`` only makes them. A cold start is the first start after the ledgers have left the memory of the
operating system. A second start has them in memory. A warm page is opened in a TensorBoard that has read them. Times go
from the navigation to the first picture, by the clock of the browser.
"""

import argparse
import gzip
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.many_runs import grow, make_runs
from support.screenshot import browser_page

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Page

PATIENCE_SECONDS = 120.0
"""Longest time to wait for a page, in s."""
LOOK_SECONDS = 0.05
"""Time between two looks at a page, in s."""
IDLE_SECONDS = 0.5
"""Time without a request after which the stock tab has settled, in s, as playwright defines it."""
WARM_PAGES = 3
"""Number of warm pages, of which the median is told."""
MEGABYTE = 1e6
"""Bytes in a megabyte."""


@dataclass
class Server:
    """A TensorBoard.

    Attributes:
        address: Its address.
        process: Its process, without the data server.
    """

    address: str
    process: psutil.Process

    def rss_megabytes(self) -> float:
        """Return its memory, in MB."""
        return self.process.memory_info().rss / MEGABYTE

    def cpu_seconds(self) -> float:
        """Return its processor time so far, in s."""
        used = self.process.cpu_times()
        return used.user + used.system

    def runs(self) -> tuple[dict[str, Any], int]:
        """Ask for all runs. Return them, and the compressed size of the answer in bytes."""
        address = f"{self.address}data/plugin/green_callbacks/runs"
        with urlopen(Request(address, headers={"Accept-Encoding": "gzip"})) as answer:
            body = answer.read()
            is_packed = answer.headers["Content-Encoding"] == "gzip"
        packed = body if is_packed else gzip.compress(body)
        return json.loads(gzip.decompress(packed)), len(packed)

    def runs_when_read(self) -> tuple[dict[str, Any], int]:
        """Ask for all runs until all ledgers are read."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            runs, size = self.runs()
            if runs["of"] and runs["read"] == runs["of"]:
                return runs, size
            time.sleep(LOOK_SECONDS)
        msg = "The ledgers are not read in time."
        raise TimeoutError(msg)


def free_port() -> int:
    """Return a free port, so that all servers have the same address, as for a user."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextmanager
def tensorboard(folder: Path, port: int) -> Iterator[Server]:
    """Serve a log folder on a port."""
    where = ["--logdir", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-m", "tensorboard.main", *where]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as started:
        try:
            assert started.stderr is not None
            address = next(found[0] for line in started.stderr if (found := re.search(r"http://\S+/", line)))
            Thread(target=started.stderr.read, daemon=True).start()  # a full pipe would stop it
            yield Server(address, psutil.Process(started.pid))
        finally:
            started.terminate()


WATCH = """
if (location.pathname.endsWith("/page.html")) {
  const look = () => {
    const isDrawn = parseInt(document.documentElement?.dataset.read) > 0;
    requestAnimationFrame(isDrawn ? () => (window.painted = performance.now()) : look);
  };
  look();
}
"""
"""Notes when the page has drawn the first runs that were read, one frame after the page says so."""


FRAMED = """performance.getEntriesByType("resource").find(({ name }) => name.includes("plugin_entry")).startTime"""
"""Asks TensorBoard's page when it asked for the frame of the tab."""


@dataclass
class Opened:
    """What a page of the tab did.

    Attributes:
        painted_seconds: Time from the navigation to the first picture, in s.
        read_after_second: Ledgers read of all ledgers one second after the navigation, or at the first picture if that
            comes later, such as ``312/1000``.
        complete_seconds: Time from the navigation until all ledgers are read, in s.
        framed_seconds: Time from the navigation until TensorBoard asked for the frame of the tab, in s.
    """

    painted_seconds: float
    read_after_second: str
    complete_seconds: float
    framed_seconds: float


def open_tab(page: "Page", server: Server) -> Opened:
    """Navigate to the tab, and wait until all ledgers are read."""
    page.goto("about:blank")
    page.goto(f"{server.address}#green_callbacks", wait_until="commit")
    began = page.evaluate("performance.timeOrigin")
    painted, first = 0.0, ""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        told = _told(page)
        if told is not None:
            painted, now, read = told
            if not first and now - began >= 1000:
                first = read
            done, of = read.split("/")
            if done == of:
                framed = page.evaluate(FRAMED)
                return Opened((painted - began) / 1000, first or read, (now - began) / 1000, framed / 1000)
        page.wait_for_timeout(1000 * LOOK_SECONDS)  # unlike a plain sleep, this lets the list of frames change
    msg = "The tab has not drawn all runs in time."
    raise TimeoutError(msg)


def _told(page: "Page") -> tuple[float, float, str] | None:
    """Return when the tab was painted, the time now, and the share that is read. None before the first picture."""
    from playwright.sync_api import Error

    frame: Frame | None = next((each for each in page.frames if "/page.html" in each.url), None)
    if frame is None:
        return None
    try:
        return frame.evaluate(
            """() => {
              const { timeOrigin } = performance;
              const { read } = document.documentElement.dataset;
              return window.painted ? [timeOrigin + window.painted, timeOrigin + performance.now(), read] : null;
            }"""
        )
    except Error:  # the frame is about to load
        return None


def open_stock_tab(page: "Page", server: Server) -> tuple[float, int]:
    """Navigate to Time series. Return the time in s until it has settled, and the number of ticked runs."""
    page.goto("about:blank")
    began = time.monotonic()
    page.goto(f"{server.address}#timeseries", wait_until="commit")
    page.locator("card-view").first.wait_for(timeout=1000 * PATIENCE_SECONDS)
    page.wait_for_load_state("networkidle", timeout=1000 * PATIENCE_SECONDS)
    settled = time.monotonic() - began - IDLE_SECONDS
    return settled, page.locator("runs-data-table input[type=checkbox]:checked").count()


def forget(folder: Path) -> None:
    """Let the operating system drop the files of a folder from its memory."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def reload_seconds(server: Server, ledger: Path | None) -> float:
    """Return the processor time in s of a reload, after a ledger has grown by one epoch if one is named.

    The server answers a reload by what it knows, and the next request by the news.
    """
    wait_until_idle(server)
    if ledger is not None:
        grow(ledger)
    before = server.cpu_seconds()
    server.runs_when_read()
    time.sleep(LOOK_SECONDS)
    server.runs_when_read()
    return server.cpu_seconds() - before


def wait_until_idle(server: Server) -> None:
    """Wait until the server has been idle for more than a second, because earlier requests would count."""
    until = time.monotonic() + PATIENCE_SECONDS
    before = -1.0
    while server.cpu_seconds() > before and time.monotonic() < until:
        before = server.cpu_seconds()
        time.sleep(1.5)


def measure(folder: Path, growing: Path, say: Callable[[str, str, str], None]) -> None:
    """Measure the tab of a folder.

    Args:
        folder: The log folder.
        growing: A ledger without an end.
        say: Takes a name, a figure and its bar.
    """
    forget(folder)
    port = free_port()
    with browser_page() as page:
        page.add_init_script(WATCH)
        with tensorboard(folder, port) as server:
            memory = server.rss_megabytes()
            cold = open_tab(page, server)
            say("cold start, first picture", f"{cold.painted_seconds:.2f} s", "5 s")
            say("  of these, TensorBoard's own page", f"{cold.framed_seconds:.2f} s", "")
            say("  read at 1 s or first picture", cold.read_after_second, "after 1 s")
            say("  all ledgers read", f"{cold.complete_seconds:.2f} s", "")
            say("memory of the plugin", f"{server.rss_megabytes() - memory:.0f} MB", "300 MB")
            page.goto("about:blank")
        with tensorboard(folder, port) as server:
            second = open_tab(page, server)
            say("second start, first picture", f"{second.painted_seconds:.2f} s", "1.5 s")
            say("  of these, TensorBoard's own page", f"{second.framed_seconds:.2f} s", "")
            say("  all ledgers read", f"{second.complete_seconds:.2f} s", "")
            opened = [open_tab(page, server) for _ in range(WARM_PAGES)]
            say("warm, first picture, median", f"{median(each.painted_seconds for each in opened):.2f} s", "1.2 s")
            own = median(each.framed_seconds for each in opened)
            say("  of these, TensorBoard's own page", f"{own:.2f} s", "")
            page.goto("about:blank")
            runs, size = server.runs_when_read()
            say("runs as JSON, gzipped", f"{size / MEGABYTE:.2f} MB", f"1 MB ({len(runs['runs'])} runs)")
            say("reload, nothing new", f"{reload_seconds(server, None):.3f} s CPU", "")
            reload_seconds(server, growing)  # the first growth of a run reads it whole, and the others do not
            say("reload, one run grew", f"{reload_seconds(server, growing):.3f} s CPU", "0.1 s")
            settled, ticked = open_stock_tab(page, server)
            say("stock tab Time series, settled", f"{settled:.2f} s", f"{ticked} runs ticked")


def measure_report(folder: Path, say: Callable[[str, str, str], None]) -> None:
    """Write the page of a folder as one file, and measure the file."""
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary, "report.html")
        before = os.times()
        command = [sys.executable, "-m", "green_callbacks.cli", "report", str(folder), "--output", str(report)]
        subprocess.run(command, check=True, capture_output=True)
        after = os.times()
        say("report in one file", f"{report.stat().st_size / MEGABYTE:.2f} MB", "3 MB")
        used = after.children_user + after.children_system - before.children_user - before.children_system
        say("  processor time", f"{used:.1f} s CPU", "")


def measure_code(say: Callable[[str, str, str], None]) -> None:
    """Measure our own JavaScript and CSS."""
    from green_callbacks.page.assets import ASSETS

    code = [each.read() for name, each in ASSETS.items() if "/" not in name and name.endswith((".js", ".css"))]
    sent = sum(len(gzip.compress(each)) for each in code)
    say("own JavaScript and CSS", f"{sum(map(len, code)) / 1000:.1f} kB", f"25 kB ({sent / 1000:.1f} kB as sent)")


def _say(name: str, figure: str, bar: str) -> None:
    print(f"{name:34}{figure:>14}  {bar}", flush=True)


def main() -> None:
    """Make runs, and measure the page of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", type=Path, metavar="FOLDER", help="only make the runs, in this folder")
    parser.add_argument("--folder", type=Path, help="folder of the runs, made where it does not exist")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--killed", type=float, default=0.05, metavar="SHARE", help="share of runs without an end")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="green-callbacks-bench-") as temporary:
        folder = arguments.make or arguments.folder or Path(temporary)
        if not folder.exists() or not any(folder.iterdir()):
            make_runs(folder, arguments.runs, arguments.epochs, killed=arguments.killed)
        ledgers = sorted(folder.rglob("green-callbacks/*.jsonl"), key=lambda path: path.stat().st_mtime)
        size = sum(path.stat().st_size for path in ledgers) / MEGABYTE
        print(f"{len(ledgers)} runs, ledgers of {size:.0f} MB in {folder}")
        if not arguments.make:
            os.utime(ledgers[-1])
            print(f"{'':34}{'':>14}  bar")
            measure(folder, ledgers[-1], _say)
            measure_report(folder, _say)
            measure_code(_say)


if __name__ == "__main__":
    main()
