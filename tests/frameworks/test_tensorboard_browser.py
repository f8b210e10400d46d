from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from screenshot import CHROMIUM, browser_page, tensorboard
from scripted_run import finished, record, run_context

from green_callbacks.records import History, Verdict
from green_callbacks.sinks import TensorBoardSink

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("tensorboard")
playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    history = History()
    sink = TensorBoardSink()
    sink.open(run_context(folder, history, monitor="val_acc"))
    for epoch in range(12):
        left = Verdict(stop=False, code="armed", reason="", values={"green/budget_left_kg": 0.02 - 0.0005 * epoch})
        history.append(record(epoch, metrics={"val_acc": 1 - 0.5 / (epoch + 1)}))
        sink.write(record(epoch, metrics={"val_acc": 1 - 0.5 / (epoch + 1)}, verdicts=(left,)))
    sink.finish(finished(history, "The budget is spent."))
    sink.close()
    return folder


@pytest.fixture(scope="module")
def address(logs: Path) -> Iterator[str]:
    with tensorboard(logs) as address:
        yield address


@pytest.fixture(scope="module")
def page() -> Iterator["Page"]:
    with browser_page() as page:
        yield page


def shown(page: "Page", address: str, tab: str, *texts: str) -> None:
    """Go to a tab and wait until all of the texts can be seen on it."""
    page.goto("about:blank")
    page.goto(f"{address}#{tab}")
    for text in texts:
        playwright.expect(page.get_by_text(text).filter(visible=True).first).to_be_visible(timeout=60_000)


def test_the_time_series_show_our_tags(page: "Page", address: str, tmp_path: Path):
    shown(page, address, "timeseries", "green/budget_left_kg", "green/cpu_energy_kwh")

    picture = page.screenshot(path=tmp_path / "timeseries.png")
    assert len(picture) > 20_000


def test_the_important_curves_stand_together(page: "Page", address: str, tmp_path: Path):
    shown(
        page,
        address,
        "custom_scalars",
        "Quality by emissions so far (1M is 1 g CO2e)",
        "Emissions so far and budget left (kg CO2e)",
        "Energy per epoch (kWh)",
        "Mean power (W)",
        "Matches (3)",
    )

    picture = page.screenshot(path=tmp_path / "custom_scalars.png")
    assert len(picture) > 20_000


def test_the_page_says_what_it_came_to_and_how_that_is_known(page: "Page", address: str, tmp_path: Path):
    shown(page, address, "text", "What it came to", "The budget is spent.", "energy counter", "Germany (DE), 2025")

    picture = page.screenshot(path=tmp_path / "text.png")
    assert len(picture) > 20_000
