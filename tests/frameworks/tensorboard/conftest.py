"""A browser for the tests of the tab *Carbon*, one for each module."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from support.screenshot import CHROMIUM, browser_page

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def browser() -> Iterator["Page"]:
    """A page of headless Chromium."""
    pytest.importorskip("tensorboard")
    pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with browser_page(1440, 1000) as page:
        page.set_default_timeout(6_000)
        yield page
