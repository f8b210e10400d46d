import pytest
from lint import sentences
from lint.prose import sentences as split


def judged(root, kind):
    return sentences.tallies(root)[kind]


def offenders(root, kind, rule):
    return [(finding.line, finding.sentence) for finding in judged(root, kind).found[rule]]


def write_docstring(write, text):
    write("green_callbacks/a.py", f'"""{text}"""\n')


@pytest.mark.parametrize(
    "text",
    [
        "It counts once; the rest is left out.",
        "It stops: nothing is left.",
        "It stops (nothing is left; it was spent).",
        'It says "stop": nothing is left.',
        "**It stops**: nothing is left.",
    ],
)
def test_a_second_statement_behind_a_sign_is_found(write, tmp_path, text):
    write_docstring(write, text)
    assert len(offenders(tmp_path, "docstrings", "joined")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "It stops at 10:30 in `a: b; c` or ``d; e``, by https://a.b/c:d;e.",
        "It is called so::\n\n    a = 1; b: int = 2\n",
        "It is called so.\n\n>>> a = 1; b: int = 2\n3\n",
        "It is a table.\n\n| a; b | c: d |\n|---|---|\n",
        "It is code.\n\n```python\na = {1: 2}; b\n```\n",
        "It takes options.\n\nArgs:\n    a: The first.\n    *others: The rest.\n\nRaises:\n    KeyError: Odd.\n",
        "It ends with a colon:\n\n- a list\n",
    ],
)
def test_code_tables_and_names_of_entries_do_not_count(write, tmp_path, text):
    write_docstring(write, text)
    assert offenders(tmp_path, "docstrings", "joined") == []


def test_the_description_of_an_entry_counts(write, tmp_path):
    write_docstring(
        write, "It is short.\n\nArgs:\n    a: The first; may be None.\n        It is odd: see below.\n\nEnd: now.\n"
    )
    assert offenders(tmp_path, "docstrings", "joined") == [
        (4, "[joined] The first; may be None."),
        (4, "[joined] It is odd: see below."),
        (7, "[joined] End: now."),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Return one that is open.",
        "It is as long as those of others.",
        "The value is that of the last epoch.",
        "Say what is left.",
        "What was spent is counted.",
        "Keep the one.",
        "Keep those that are open.",
    ],
)
def test_a_relative_without_a_head_is_found(write, tmp_path, text):
    write_docstring(write, text)
    assert len(offenders(tmp_path, "docstrings", "headless")) == 1


@pytest.mark.parametrize("text", ["Return one of the runs that are open.", "The one exception is a budget of the run."])
def test_a_named_thing_is_no_offence(write, tmp_path, text):
    write_docstring(write, text)
    assert offenders(tmp_path, "docstrings", "headless") == []


def test_the_docstrings_of_private_functions_and_below_constants_count(write, tmp_path):
    write("green_callbacks/a.py", 'A = 1\n"""One; two."""\ndef _f():\n    """Three; four."""\n')
    assert [line for line, _ in offenders(tmp_path, "docstrings", "joined")] == [2, 4]


def test_messages_are_strings_and_formatted_strings_of_several_words(write, tmp_path):
    write(
        "green_callbacks/a.py",
        """
        msg = f"The file {name} cannot be read; the run goes on."
        logger.warning("The disk hangs: records wait in memory.")
        label = "a: b"
        """,
    )
    assert offenders(tmp_path, "messages", "joined") == [
        (1, "[joined] The file X cannot be read; the run goes on."),
        (2, "[joined] The disk hangs: records wait in memory."),
    ]


def test_the_lists_and_headings_of_the_readme_count(write, tmp_path):
    write("README.md", "# House: a home\n\nIt is\nshort.\n\n- It stops; it ends.\n- It goes on.\n")
    assert judged(tmp_path, "README").count == 4
    assert [line for line, _ in offenders(tmp_path, "README", "joined")] == [1, 6]


def test_pages_in_the_package_count_and_credits_of_data_do_not(write, tmp_path):
    write("green_callbacks/sources/README.md", "It stops; it ends.\n")
    write("green_callbacks/carbon/data/CREDITS.md", "It stops; it ends.\n")
    assert len(offenders(tmp_path, "README", "joined")) == 1


def test_an_abbreviation_does_not_end_a_sentence():
    assert split("It takes text, e.g. CODE or ``A``. It returns 1.5 J. (Or None.)") == [
        "It takes text, eg CODE or CODE.",
        "It returns 1.5 J.",
        "(Or None.)",
    ]


def test_a_broken_bar_fails_and_lists_the_offenders(write, tmp_path, capsys):
    write_docstring(write, "It counts once; the rest is left out.")
    assert sentences.main([], tmp_path) == 1
    printed = capsys.readouterr().out
    assert "green_callbacks/a.py:1: [joined] It counts once; the rest is left out." in printed
    assert "sentences of docstrings: 1 sentences, joined 100.0% (bar 8%), headless 0.0% (bar 1%)" in printed


def test_offenders_below_the_bar_are_listed_on_request(write, tmp_path, capsys):
    write_docstring(write, "It is short. " * 20 + "It stops; it ends.")
    assert sentences.main([], tmp_path) == 0
    assert "[joined]" not in capsys.readouterr().out
    assert sentences.main(["--list"], tmp_path) == 0
    assert "a.py:1: [joined] It stops; it ends." in capsys.readouterr().out


def test_paths_limit_the_check(write, tmp_path):
    write_docstring(write, "It counts once; the rest is left out.")
    other = write("green_callbacks/b.py", '"""It is short."""\n')
    assert sentences.main([str(other)], tmp_path) == 0
