import pytest

from green_callbacks.text.layout import WIDTH, aligned, labeled


def test_lines_stand_beside_their_label():
    text = labeled("Energy", "3.2 kWh", "all of it measured", label_width=10)
    assert text == "Energy    3.2 kWh\n          all of it measured"


def test_a_long_label_keeps_a_blank_before_the_text():
    assert labeled("Environment", "set", label_width=4) == "Environment set"


def test_long_text_is_wrapped_between_words_only():
    path = "/" + "x" * 2 * WIDTH
    lines = labeled("Ledger", f"{'word ' * 30}{path}", label_width=11).split("\n")
    assert all(len(line) <= WIDTH for line in lines[:-1])
    assert lines[-1] == f"{' ' * 11}{path}"


def test_numbers_align_right_and_names_left():
    assert aligned([["run", "kWh"], ["first", "0.5"], ["second", "12"]]) == (
        "run     kWh\n-----------\nfirst   0.5\nsecond   12"
    )


def test_the_rule_stands_below_all_rows_of_the_header():
    rows = [["epoch", "gpu"], ["", "counter"], ["0", "500 Wh"]]
    assert aligned(rows, left=(), header_rows=2) == "epoch      gpu\n       counter\n--------------\n    0   500 Wh"


@pytest.mark.parametrize(("cell", "shown"), [("x" * 11, "xxxxxxx..."), ("a\x1b", "a\\x1b")])
def test_cells_are_cut_and_escaped(cell, shown):
    assert aligned([["head"], [cell]], longest_cell=10).split("\n")[-1] == shown
