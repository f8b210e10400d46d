"""A real TensorBoard in a real browser, for tests and for the picture of the README."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = Path("/usr/bin/chromium")


@contextmanager
def tensorboard(log_folder: Path | None, *arguments: str) -> Iterator[str]:
    """Serve a log folder on a free port; the address.

    Args:
        log_folder: The log folder. None if the arguments name it.
        *arguments: Further arguments of ``tensorboard``.
    """
    where = [] if log_folder is None else ["--logdir", str(log_folder)]
    command = [sys.executable, "-m", "tensorboard.main", *where, "--host", "127.0.0.1", *arguments]
    with subprocess.Popen(
        [*command, "--port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    ) as server:
        try:
            assert server.stderr is not None
            lines = (re.search(r"http://\S+", line) for line in server.stderr)
            address = next((found[0] for found in lines if found), None)
            assert address, "TensorBoard said no address"
            Thread(target=server.stderr.read, daemon=True).start()  # a full pipe would stop the server
            yield address
        finally:
            server.terminate()


@contextmanager
def browser_page(width: int = 1400, height: int = 1000) -> Iterator["Page"]:
    """A page of headless Chromium. Further pages of its context cost less than pages of contexts of their own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        try:
            yield browser.new_context(viewport={"width": width, "height": height}).new_page()
        finally:
            browser.close()


def screenshot(log_folder: Path, picture: Path, height: int = 1100, *, opens: bool = False) -> None:
    """Take a picture of the tab Carbon, with the first row opened if asked for."""
    with tensorboard(log_folder) as address, browser_page(1440, height) as page:
        page.goto(f"{address}#green_callbacks")
        rows = page.frame_locator("iframe").locator("#rows th button")
        rows.first.wait_for()
        if opens:
            rows.first.click()
        page.wait_for_timeout(4000)
        page.screenshot(path=picture)


if __name__ == "__main__":
    screenshot(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), opens="opened" in sys.argv)
