import csv
import html
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.text import for_csv_cell, for_html, for_log, for_markdown, for_terminal, for_yaml

ANY = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates too
JOINERS = "\u200c\u200d"


def is_harmless(text):
    """Nothing that moves a cursor, turns the direction of writing, ends a line or cannot be encoded."""
    return all(each.isprintable() or each in JOINERS or each.isspace() for each in text) and not re.search(
        "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text
    )


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\x07b", r"a\x07b"),
        ("a\rb", r"a\rb"),
        ("a\nb", r"a\nb"),
        ("\x9b31m", r"\x9b31m"),
        ("\x7f", r"\x7f"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("caf\udce9", r"caf\udce9"),
        ("\U000e0041", r"\U000e0041"),
        ("val_précision 98 % ± 0,5 µg 東京 🌍", "val_précision 98 % ± 0,5 µg 東京 🌍"),
    ],
)
def test_what_cannot_be_seen_is_written_out_for_a_terminal(raw, shown):
    assert for_terminal(raw) == shown


@given(ANY)
def test_nothing_harmful_reaches_a_terminal_a_log_markdown_html_or_a_cell(text):
    for shown in (for_terminal(text), for_log(text), for_markdown(text), for_html(text), for_csv_cell(text)):
        assert is_harmless(shown)
        shown.encode("utf-8")
        assert len(shown.splitlines()) <= 1


@given(ANY)
def test_escaping_twice_is_escaping_once_for_a_terminal(text):
    assert for_terminal(for_terminal(text)) == for_terminal(text)


def test_newlines_stay_where_lines_are_wanted():
    assert for_terminal("one\ntwo\r\n\x1b", keeps_lines=True) == "one\ntwo\\r\n\\x1b"


def test_a_text_without_end_is_cut():
    assert for_terminal("x" * 10_000) == "x" * 997 + "..."
    assert len(for_terminal("\x1b" * 10**6)) < 5_000
    assert for_terminal("x" * 10_000, limit=None) == "x" * 10_000


def test_what_is_no_text_is_shown_as_text_and_never_raises():
    class Mute:
        def __str__(self):
            raise ZeroDivisionError

    assert for_terminal(1.5) == "1.5"
    assert for_terminal(Mute()) == "<a Mute that has no text>"


@pytest.mark.parametrize(
    "formula",
    ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", "=cmd|' /C calc'!A0", "-x", "+"],
)
def test_a_spreadsheet_takes_no_text_for_a_formula(formula):
    assert for_csv_cell(formula).lstrip()[0] == "'"


def test_a_cell_that_a_semicolon_would_part_holds_no_formula():
    assert for_csv_cell("run;=1+1") == "run;'=1+1"


@pytest.mark.parametrize("number", ["-1.5", "+3", "-2e-3", "0.5", "-.5"])
def test_a_number_stays_a_number(number):
    assert for_csv_cell(number) == number
    assert for_csv_cell(float(number)) == float(number)


def test_an_empty_cell_stays_empty():
    assert (for_csv_cell(None), for_csv_cell("")) == (None, "")


@given(st.lists(ANY, min_size=1, max_size=3))
def test_a_row_is_read_back_as_one_row_in_which_nothing_is_a_formula(texts):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow([*map(for_csv_cell, texts), "end"])
    [row] = csv.reader(io.StringIO(file.getvalue()))
    assert len(row) == len(texts) + 1
    for cell in row:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")) or float(cell) == float(cell)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a|b", r"a\|b"),
        ("`code`", r"\`code\`"),
        ("[x](http://y)", r"\[x\](http://y)"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("*b* _i_ ~s~ $m$", r"\*b\* \_i\_ \~s\~ \$m\$"),
        ("val_acc", "val_acc"),
        ("back\\|slash", r"back\\\|slash"),
        ("two\nlines", r"two\\nlines"),
    ],
)
def test_nothing_is_markup_in_markdown(raw, shown):
    assert for_markdown(raw) == shown


def test_nothing_is_a_tag_or_ends_an_attribute_in_html():
    assert for_html("<a href=\"x\" id='y'>&") == "&lt;a href=&quot;x&quot; id=&#x27;y&#x27;&gt;&amp;"


@given(ANY)
def test_html_and_yaml_are_read_back_as_what_was_written(text):
    assert html.unescape(for_html(text)) == for_terminal(text)
    as_json = re.sub(
        r"(?<!\\)((?:\\\\)*)\\U([0-9a-f]{8})", lambda m: m[1] + json.dumps(chr(int(m[2], 16)))[1:-1], for_yaml(text)
    )
    read = json.loads(as_json)
    assert read == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert is_harmless(for_yaml(text))


def test_numbers_and_nothing_are_themselves_in_yaml():
    assert (for_yaml(1.5), for_yaml(None), for_yaml("1.5"), for_yaml("yes: no")) == (
        "1.5",
        "null",
        '"1.5"',
        '"yes: no"',
    )
