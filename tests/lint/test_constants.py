import pytest
from lint import constants


def lines(write, tmp_path, text):
    write("green_callbacks/a.py", text)
    return [finding.line for finding in constants.findings(tmp_path)[1]]


@pytest.mark.parametrize(
    "value",
    ["1", "-0.5", "30.0**2", "(1, 2.5)", "{1, 2}", "{'a': 1}", "2 * _OTHER", "1 / (24 * 3600)", "[(1, 2), (3, 4)]"],
)
def test_a_number_without_a_word_is_found(write, tmp_path, value):
    assert lines(write, tmp_path, f"_A = {value}\n") == [1]
    assert lines(write, tmp_path, f"_A: Final = {value}\n") == [1]


@pytest.mark.parametrize("value", ["True", "'1'", "None", "f(1)", "()", "(1, 'a')", "'a' * WIDTH"])
def test_what_is_no_number_needs_no_word(write, tmp_path, value):
    assert lines(write, tmp_path, f"_A = {value}\n") == []


@pytest.mark.parametrize(
    "text",
    ["_A = 1  # in s\n", "# In s.\n_A = 1\n", '_A = 1\n"""In s."""\n', "_A = (\n    1,  # in s\n    2,\n)\n"],
)
def test_a_comment_or_a_docstring_is_a_word(write, tmp_path, text):
    assert lines(write, tmp_path, text) == []


@pytest.mark.parametrize("text", ["_A = 1  # noqa: X1\n", "_B = 's'  # in s\n_A = 1\n", '"""In s."""\n\n\n_A = 1\n'])
def test_a_word_for_tools_or_for_something_else_is_none(write, tmp_path, text):
    assert len(lines(write, tmp_path, text)) == 1


def test_constants_of_classes_count_and_fields_and_locals_do_not(write, tmp_path):
    text = """
    class A:
        LIMIT = 1
        field: int = 2

        def f(self):
            LOCAL = 3
            return LOCAL
    """
    assert lines(write, tmp_path, text) == [2]


def test_constants_under_a_condition_count(write, tmp_path):
    assert lines(write, tmp_path, "if x:\n    _A = 1\nelse:\n    _A = 2\n") == [2, 4]


def test_the_report_names_the_constant_and_fails(write, tmp_path, capsys):
    write("green_callbacks/a.py", "_A, _B = 1, 2\n_C = 3  # in s\n")
    assert constants.main(tmp_path) == 1
    assert capsys.readouterr().out == (
        "green_callbacks/a.py:1: _A, _B has neither a comment nor a docstring below it.\n"
        "constants: 1 of 2 numeric constants without a word (bar 0) FAILED\n"
    )
