"""What a newcomer reads in a real TensorBoard: a small run of Lightning and one of Keras side by side."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.screenshot import CHROMIUM, browser_page, tensorboard
from support.scripted_run import device, finished, record, run_context

from green_callbacks.records import EpochRecord, History, Verdict
from green_callbacks.sinks import TensorBoardSink

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytest.importorskip("tensorboard")
torch_writer = pytest.importorskip("torch.utils.tensorboard")
playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed")

EPOCHS = 20
JOULES = 3.04
"""Of an epoch on a CPU: at 360 gCO2e/kWh and a PUE of 1.25 that is 0.38 mg; 0.844 mWh."""


def epoch(number: int, metric: str) -> EpochRecord:
    """An epoch of 45 steps, as small as one of ``make demo``."""
    used_kg = 0.38e-6 * (number + 1)
    told = {"green/budget_left_kg": 1e-3 - used_kg, "green/budget_share": 1e3 * used_kg, "green/gain_per_kg": 1e5}
    forecast = {f"green/forecast_{which}kg": 8e-6 for which in ("", "low_", "high_")} | {"green/forecast_kwh": 2e-5}
    return record(
        number,
        devices={"cpu": device(JOULES, "cpu", "modelled", low_joules=JOULES / 2, high_joules=2 * JOULES)},
        step=45 * (number + 1),
        metrics={metric: 1 - 0.5 / (number + 1)},
        verdicts=(Verdict(stop=False, code="active", reason="", values=told | forecast),),
    )


def show(folder: Path, metric: str, writer: Any | None = None) -> None:
    history = History()
    sink = TensorBoardSink(folder)
    sink.open(run_context(folder, history, monitor=metric, writer=writer))
    for number in range(EPOCHS):
        history.append(epoch(number, metric))
        sink.write(epoch(number, metric))
    sink.finish(finished(history, "The budget is spent."))
    sink.close()


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    with torch_writer.SummaryWriter(folder / "lightning") as writer:
        writer.add_scalar("green/emissions_total_g", 0.0, 0)  # as for a table of hyperparameters that shows the total
        show(folder, "val_acc", writer)
    show(folder / "keras", "val_accuracy")
    return folder


@pytest.fixture(scope="module")
def address(logs: Path) -> Iterator[str]:
    with tensorboard(logs) as address:
        yield address


@pytest.fixture(scope="module")
def page() -> Iterator["Page"]:
    with browser_page(1500, 2600) as page:
        yield page


@pytest.fixture(scope="module")
def time_series(page: "Page", address: str) -> "Page":
    """The first tab, with all its cards in sight."""
    go(page, address, "timeseries")
    seen(page, "/watts", "green_detail")
    return page


def go(page: "Page", address: str, tab: str) -> None:
    page.goto("about:blank")
    page.goto(f"{address}#{tab}&_smoothingWeight=0")


def seen(page: "Page", *texts: str) -> None:
    """Wait until all of the texts can be seen."""
    for text in texts:
        playwright.expect(page.get_by_text(text).filter(visible=True).first).to_be_visible(timeout=60_000)


def card(page: "Page", tag: str) -> "Locator":
    return page.locator("card-view").filter(has=page.get_by_title(tag, exact=True)).first


def test_the_time_series_are_a_handful_of_cards_and_the_details_a_group_below(time_series: "Page"):
    tags = [str(title.get_attribute("title")) for title in time_series.locator("card-view tb-truncated-path").all()]
    assert [tag.removeprefix("green/") for tag in tags if tag.startswith("green/")] == [
        "1_quality_by_mg_co2e",
        "budget_left_g",
        "emissions_g",
        "emissions_total_g",
        "energy_wh",
        "gain_per_kg",
        "measured_percent",
        "watts",
    ]
    assert not any("cpu" in tag for tag in tags)


@pytest.mark.parametrize(
    ("tag", "value", "step"),
    [
        ("green/emissions_total_g", "0.0076", "899"),
        ("green/budget_left_g", "0.9924", "899"),
        ("green/emissions_g", "0.0004", "899"),
        ("green/energy_wh", "0.0008", "899"),
        ("green/1_quality_by_mg_co2e", "0.975", "8"),
    ],
)
def test_a_small_run_is_readable_beside_one_of_another_framework(time_series: "Page", tag: str, value: str, step: str):
    shown = card(time_series, tag)
    playwright.expect(shown.get_by_text(value, exact=True)).not_to_have_count(0, timeout=60_000)

    rows = {row.split()[0]: row.split() for row in shown.locator("tb-data-table-content-row").all_inner_texts()}
    assert rows.keys() == {"keras", "lightning"}
    assert all({value, step} <= set(row) for row in rows.values()), rows


def test_the_important_charts_stand_together_under_titles_with_units(page: "Page", address: str):
    go(page, address, "custom_scalars")
    seen(
        page,
        "Emissions so far (g CO2e)",
        "Quality by emissions so far (horizontal: mg CO2e)",
        "Emissions per epoch (g CO2e)",
        "Budget left (g CO2e)",
        "Energy per epoch (Wh)",
        "Emissions so far with bounds (g CO2e)",
        "Matches (2)",
    )

    titles = ("Emissions so far (g CO2e)", "Quality by emissions so far (horizontal: mg CO2e)", "Energy per epoch (Wh)")
    boxes = [page.get_by_text(title, exact=True).first.bounding_box() for title in titles]
    places = [(round(box["y"], -2), box["x"]) for box in boxes if box]
    assert places == sorted(places)
    playwright.expect(page.get_by_text("1M is")).to_have_count(0)
    playwright.expect(page.get_by_text("do not match")).to_have_count(0)


def test_the_page_says_what_it_came_to_and_how_that_is_known(page: "Page", address: str):
    go(page, address, "text")
    seen(
        page,
        "Totals",
        "7.60 mg",
        "0.0169 Wh, 0.0211 Wh with the facility",
        "0 %",
        "The budget is spent.",
        "Germany (DE), 2025",
    )
    seen(page, "val_accuracy, more is better", "val_acc, more is better")

    playwright.expect(page.locator("table table")).to_have_count(0)
