"""Every figure of the page on what pays is in the table that the benchmark writes."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from what_pays.names import INFOBATCH
from what_pays.report import tables
from what_pays.results import Gain, Reached, Results

from green_callbacks import what_pays

PAGE = what_pays.__doc__ or ""
RESULTS = Results.kept()
TABLES = ["\n".join(table) for table in tables(RESULTS)]
AUDIT = Path(__file__).parent / "what_pays" / "audit.txt"
SETTINGS = {"0.5", "1.5", "0.02", "0.015", "0.001", "0.9"}
"""Numbers of the page that are settings and no results."""


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table[2:20])
def test_the_page_has_every_table_as_the_benchmark_prints_it(table):
    assert table in PAGE


def test_the_page_has_no_other_table():
    assert [
        line for line in PAGE.splitlines() if line.startswith("|") and not any(line in each for each in TABLES)
    ] == []


def test_every_figure_in_the_text_is_in_a_table():
    prose = "\n".join(line for line in PAGE.splitlines() if not line.startswith("|"))
    shown = set(re.findall(r"\d+\.\d+", "".join(TABLES) + AUDIT.read_text(encoding="utf-8")))
    weights = [1 / each.fullness for (_, _, method), each in RESULTS.groups.items() if method == INFOBATCH]
    shown |= {f"{min(weights):.1f}", f"{max(weights):.1f}"}
    assert set(re.findall(r"\d+\.\d+", prose)) <= shown | SETTINGS


def test_what_the_page_says_that_compare_says_is_in_what_it_printed():
    printed = " ".join(AUDIT.read_text(encoding="utf-8").split())
    quoted = re.findall(r"^- (infobatch.*?|fewer-.*?)(?=\n- |\n\n)", PAGE, re.DOTALL | re.MULTILINE)
    assert len(quoted) == 5
    for sentences in quoted:
        assert " ".join(sentences.split()) in printed


def test_what_is_kept_is_read_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr("what_pays.results.TABLE", tmp_path / "results.csv")
    RESULTS.keep()
    assert Results.kept() == RESULTS


def test_differences_are_paired():
    gain = Reached(1.0, [90.0, 92.0, 94.0]).minus(Reached(1.0, [89.0, 91.0, 93.0]))
    assert gain == Gain([1.0, 1.0, 1.0])
    assert str(gain) == "+1.0 ± 0.0"
