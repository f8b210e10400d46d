import pytest
from lint import spelling


@pytest.mark.parametrize(
    ("word", "better"),
    [
        ("colour", "color"),
        ("_is_labelled", "labeled"),
        ("NORMALISE", "normalize"),
        ("runOptimiser", "optimizer"),
    ],
)
def test_british_text_and_names_are_found(write, tmp_path, word, better):
    write("green_callbacks/a.py", f"# A line.\n{word}\n")
    (finding,) = spelling.findings(tmp_path)
    assert (finding.line, finding.sentence.split()[-4]) == (2, better)


def test_the_name_of_a_file_counts(write, tmp_path):
    write("green_callbacks/colour_map.py", "")
    assert [finding.line for finding in spelling.findings(tmp_path)] == [0]


def test_values_that_users_rely_on_are_kept(write, tmp_path):
    write("README.md", "The method `modelled`, and the licence of a figure.\n")
    assert list(spelling.findings(tmp_path)) == []


def test_american_words_and_folders_of_others_are_left_alone(write, tmp_path, capsys):
    write("README.md", "The color of the center.\n")
    write("green_callbacks/carbon/data/CREDITS.md", "The colour of the centre.\n")
    write(".venv/a.py", "colour\n")
    assert spelling.main(tmp_path) == 0
    assert capsys.readouterr().out.startswith("spelling: 0 British spellings (bar 0)")
