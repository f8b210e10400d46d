"""Reports of runs with odd numbers in a real browser: each is drawn, or a sentence says why not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.screenshot import CHROMIUM, browser_page
from support.scripted_run import GERMANY, device, record
from support.written import Written

from green_callbacks.cli import main

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed")

NO_EMISSIONS = replace(GERMANY, g_per_kwh=0.0, low_g_per_kwh=0.0, high_g_per_kwh=0.0)


@pytest.fixture(scope="module")
def browser() -> Iterator["Page"]:
    with browser_page() as page:
        page.set_default_timeout(5_000)
        page.faults = []
        page.on("console", lambda message: page.faults.append(message.text))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        yield page


@pytest.fixture
def page(browser: "Page") -> Iterator["Page"]:
    """The page of all tests, which costs a second less than one of its own, with nothing of the test before."""
    browser.goto("about:blank")
    browser.faults.clear()
    yield browser
    assert browser.faults == []


def write(folder: Path, joules: list[float | None], *, mode: str = "max", **fields) -> None:
    """Write a closed run with one epoch for each energy in J."""
    folder.mkdir()
    written = Written(folder / "run.jsonl", run_id=folder.name, monitor="quality", mode=mode)
    for epoch, each in enumerate(joules):
        used = {"devices": {"gpu:0": device(each)}, **fields}
        written.write(record(epoch, metrics={"quality": 0.1 * (epoch + 1)}, **used))
    written.ledger.end(None)
    assert written.ledger.close(30.0)


def show(page: "Page", folder: Path) -> None:
    """Write a report and open it."""
    path = folder.with_suffix(".html")
    assert main(["report", str(folder), "-o", str(path)]) == 0
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-read]", state="attached")


def move(page: "Page") -> None:
    """Ask how all would have been elsewhere, with every choice that changes the charts."""
    page.get_by_label("Zone").select_option("FR")
    page.locator("select[name=pue]").select_option(index=2)
    page.locator("select[name=kind]").select_option("so far")
    page.locator("select[name=scale]").select_option("linear")


@pytest.mark.parametrize(
    "joules",
    [[1000.0], [1e21], [0.0], [0.0, 1e5], [None, None], [1e3, None, 1e3], [1e-20, 1e20]],
    ids=lambda joules: " ".join(map(str, joules)),
)
@pytest.mark.parametrize("intensity", [GERMANY, NO_EMISSIONS], ids=["emissions", "none"])
def test_any_energy_is_drawn_or_said(page, tmp_path, joules, intensity):
    write(tmp_path / "run", joules, intensity=intensity)
    show(page, tmp_path)
    move(page)
    assert "NaN" not in page.inner_text("body")
    assert page.locator("svg :is([d*=NaN], [d*=Infinity], [x*=NaN], [y*=NaN])").count() == 0


@pytest.mark.parametrize("pue", [1.0 + each / 20 for each in range(20)])
def test_the_labels_of_a_logarithmic_axis_are_found_wherever_it_begins(page, tmp_path, pue):
    write(tmp_path / "run", [1000.0], pue=pue)
    write(tmp_path / "other", [1000.0 * 10 ** (pue * 10 - 10)], pue=pue)
    show(page, tmp_path)
    page.locator("select[name=pue]").select_option(index=2)
    assert page.inner_text("#place").startswith("PUE")


def test_a_run_without_emissions_moves_to_a_place_with_emissions(page, tmp_path):
    write(tmp_path / "run", [3.6e6, 3.6e6], intensity=NO_EMISSIONS, pue=1.0)
    show(page, tmp_path)
    assert "1 of 1 runs needs a linear axis" in page.inner_text("#direction")
    page.get_by_label("Zone").select_option("FR")
    assert page.inner_text("#direction") == "More quality is better."
    page.locator("#front").press("ArrowRight")
    assert "quality 0.2 at 82.8 g, epoch 1" in page.inner_text("#front-text")


def test_a_first_epoch_without_energy_hides_no_run(page, tmp_path):
    write(tmp_path / "run", [0.0, 1e6])
    show(page, tmp_path)
    page.locator("#front").press("ArrowRight")
    assert "quality 0.2 at 125 g" in page.inner_text("#front-text")


def test_one_metric_in_two_directions_is_two_pictures(page, tmp_path):
    write(tmp_path / "up", [1e6, 1e6])
    write(tmp_path / "down", [1e6, 1e6], mode="min")
    show(page, tmp_path)
    found = page.locator("select[name=metric] option").all_inner_texts()
    assert set(found) == {
        "quality (max) (1)",
        "quality (min) (1)",
    }


@pytest.mark.parametrize("kept", ['{"sort":null,"open":"x","filter":7,"ticked":{},"zone":[]}', "null", "[1]", "7", "{"])
def test_whatever_an_earlier_page_has_kept_is_no_fault(page, tmp_path, kept):
    write(tmp_path / "run", [1e6])
    show(page, tmp_path)
    page.evaluate("kept => sessionStorage.setItem(`green-callbacks ${location.pathname}`, kept)", kept)
    page.reload()
    page.wait_for_selector("html[data-read]", state="attached")
    assert page.locator("#rows tr").count() == 1


def test_a_stop_moves_with_the_energy_until_it(page, tmp_path):
    write(tmp_path / "run", [3.6e6] * 4, pue=1.0, intensity=NO_EMISSIONS)
    path = tmp_path / "run.html"
    assert main(["report", str(tmp_path), "-o", str(path), "--rule", "budget=2.5 kWh"]) == 0
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-read]", state="attached")
    page.get_by_label("Rule").fill("budget=2.5 kWh")
    page.get_by_label("Rule").press("Tab")
    page.locator("#stops", has_text="would stop").wait_for()
    assert page.locator(".mark").count() == 0
    page.get_by_label("Zone").select_option("FR")
    assert page.locator(".mark").count() == 1
