"""The tab *Carbon* in a TensorBoard that is started in other ways, and over folders that hold little or nothing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.carbon_page import FRAME, CarbonTab
from support.many_runs import make_runs
from support.screenshot import tensorboard

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    make_runs(folder, 3, 8)
    return folder


@contextmanager
def bare(browser: "Page", folder: Path | None, *arguments: str) -> Iterator[CarbonTab]:
    """The page of the frame, once it has asked for the runs and shows a sentence or a row."""
    with tensorboard(folder, *arguments) as address:
        tab = CarbonTab(browser, address)
        tab.page.goto(address + FRAME)
        tab.until(lambda: bool(sentence(tab)) or bool(tab.rows()), waiting_for="a sentence or a row")
        yield tab
        assert tab.faults == []


def sentence(tab: CarbonTab) -> str:
    """What the page says at its top."""
    said = tab.get("#said")
    return said.inner_text().strip() if said.count() else ""


def test_the_tab_works_below_a_path_prefix(browser, logs):
    with tensorboard(logs, "--path_prefix", "/foo/bar") as address:
        tab = CarbonTab(browser, address, is_bare=False).open()
        assert "/foo/bar" in tab.frame.url
        assert len(tab.swatches()) == 3
        tab.button("search/trial_001").click()
        tab.until(lambda: "made-run-000001" in tab.get(".facts").inner_text())
        assert tab.faults == []


def test_the_tab_works_with_the_slow_loading_of_event_files(browser, logs):
    with tensorboard(logs, "--load_fast=false") as address:
        tab = CarbonTab(browser, address, is_bare=False).open()
        assert set(tab.swatches()) == {"resnet18_lr0.1_000", "search/trial_001", "resnet50_lr0.03_002"}
        assert tab.faults == []


def test_without_a_log_folder_scalars_are_shown_with_a_banner(browser, logs):
    spec = f"one:{logs / 'resnet18_lr0.1_000'},two:{logs / 'search' / 'trial_001'}"
    with bare(browser, None, "--logdir_spec", spec) as tab:
        tab.until(lambda: len(tab.swatches()) == 2, seconds=30, waiting_for="the scalars")
        assert set(tab.swatches()) == {"one/.", "two/."}
        assert re.search(r"ledger", sentence(tab))
        assert tab.row("one/.")["CO2e"] != "0 g"
        assert tab.get("select[name=zone]").is_disabled()


def test_an_empty_folder_says_that_there_is_no_ledger(browser, tmp_path):
    with bare(browser, tmp_path) as tab:
        assert re.search(r"There is no ledger in or below .*\. Train with a callback", sentence(tab))
        assert "0" in tab.totals()[0]


def test_a_folder_that_does_not_exist_says_so(browser, tmp_path):
    with bare(browser, tmp_path / "nowhere") as tab:
        assert sentence(tab).endswith(".")


def test_a_folder_with_ledgers_only_shows_them_in_the_only_tab(browser, tmp_path):
    make_runs(tmp_path, 3, 8, has_events=False)
    with tensorboard(tmp_path) as address:
        tab = CarbonTab(browser, address, is_bare=False).open()
        assert len(tab.swatches()) == 3
        assert len(set(tab.swatches().values())) == 3
        assert tab.faults == []


def test_torn_ledgers_are_shown_as_runs_or_named_in_a_sentence(browser, tmp_path):
    for number, ledger in enumerate(make_runs(tmp_path, 5, 8, has_events=False)):
        content = ledger.read_bytes()
        ends = [content.index(b"\n") // 2, content.index(b"\n") + 1, len(content) // 2, len(content) - 7, 0]
        ledger.write_bytes(content[: ends[number]])
    with bare(browser, tmp_path) as tab:
        tab.page.wait_for_timeout(1000)
        assert "NaN" not in tab.get("main").inner_text()
        assert "undefined" not in tab.get("main").inner_text()
        assert len(tab.swatches()) + sentence(tab).count(".jsonl") >= 3


def test_ledgers_that_cannot_be_read_leave_a_sentence_in_place_of_a_blank_tab(browser, tmp_path):
    for ledger in make_runs(tmp_path, 2, 8, has_events=False):
        content = ledger.read_bytes()
        ledger.write_bytes(content[: content.index(b"\n") // 2])
    with bare(browser, tmp_path) as tab:
        assert sentence(tab) or tab.rows()
        assert "NaN" not in tab.get("main").inner_text()
