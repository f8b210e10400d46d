"""The files of the page are exactly those of the table, small, harmless, and those that the credits name."""

import gzip
import re
from hashlib import sha256

import pytest

from green_callbacks.errors import GreenCallbacksError
from green_callbacks.page.assets import ASSETS, LICENSE, MODULES, STATIC, Asset

OURS = {name: asset for name, asset in ASSETS.items() if not name.startswith("vendor/")}
BAR_BYTES = 30_000
"""Largest size of our own JavaScript and CSS together, as they lie in the package."""
BAR_SENT_BYTES = 15_000
"""The same as they are sent, compressed by gzip."""


def test_the_folder_holds_the_files_of_the_table_and_the_credits():
    found = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()}
    assert found == {*ASSETS, "vendor/CREDITS.md", "vendor/uPlot.LICENSE"}


def test_types_come_from_the_table():
    assert ASSETS["vendor/uPlot.iife.min.js"].mime == "text/javascript; charset=utf-8"
    assert {asset.mime.partition(";")[0] for asset in ASSETS.values()} <= {"text/javascript", "text/css", "text/html"}


def test_what_comes_from_elsewhere_is_what_the_credits_say():
    credits_text = (STATIC / "vendor" / "CREDITS.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([0-9a-f]{64})` \| `([^`]+)` \|", credits_text, re.MULTILINE)
    named = {name: digest for digest, name in rows}
    vendored = {path.name: path for path in (STATIC / "vendor").iterdir() if path.suffix != ".md"}
    assert named == {name: sha256(path.read_bytes()).hexdigest() for name, path in vendored.items()}
    version = re.search(r"\(v([\d.]+)\)", ASSETS["vendor/uPlot.iife.min.js"].text())[1]
    assert f"| {version} | MIT" in credits_text


def test_the_license_goes_with_the_library():
    assert "Permission is hereby granted" in LICENSE.text()
    assert "--" not in LICENSE.text(), "a report carries it in a comment"


def test_our_own_code_stays_small():
    code = [asset.read() for name, asset in OURS.items() if name.endswith((".js", ".css"))]
    assert sum(map(len, code)) <= BAR_BYTES
    assert sum(len(gzip.compress(each)) for each in code) <= BAR_SENT_BYTES


@pytest.mark.parametrize("name", ASSETS)
def test_no_file_evaluates_text_or_writes_markup(name):
    text = ASSETS[name].text()
    words = (r"\beval\b", r"new Function", "innerHTML", "insertAdjacentHTML", r"document\.write", "outerHTML", "srcdoc")
    assert not [word for word in words if re.search(word, text)]


@pytest.mark.parametrize("name", ASSETS)
def test_no_file_names_another_host(name):
    text = re.sub(r"\A/\*!.*?\*/", "", ASSETS[name].text(), flags=re.DOTALL)
    addresses = re.findall(r"""(?:https?:)?//[\w.-]+\.[a-z]{2,}""", text)
    assert not [address for address in addresses if address != "http://www.w3.org"]


@pytest.mark.parametrize("name", ASSETS)
def test_no_file_ends_the_element_that_carries_it_in_a_report(name):
    text = ASSETS[name].text()
    carried = text.partition("<body>")[2] if name == "page.html" else text
    assert carried
    assert not re.search(r"</(?:script|style)|<!--", carried, re.IGNORECASE)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(GreenCallbacksError, match=r"cannot be read .* Install green_callbacks again"):
        Asset(tmp_path / "none.js", "text/javascript").read()


def test_line_breaks_of_windows_do_not_change_a_hash(tmp_path):
    path = tmp_path / "a.js"
    path.write_bytes(b"a;\r\nb;\r\n")
    assert Asset(path, "text/javascript").text() == "a;\nb;\n"


def test_modules_are_files_of_the_table():
    assert set(MODULES) == {name for name in OURS if name.endswith(".js")}
