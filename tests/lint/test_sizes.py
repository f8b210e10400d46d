from lint import sizes

DOCUMENTED = '''"""A module.

It is short.
"""

A = 1  # in s
"""A constant."""


# Why.
class C:
    """A class."""

    def f(self):
        """Return a text."""
        return """
        of four
        lines
        """
'''


def test_only_code_counts():
    assert list(sizes.sizes(DOCUMENTED)) == [("file", "", 1, 7), ("class", "C", 11, 6), ("function", "f", 14, 5)]


def test_what_is_too_long_fails(write, tmp_path, capsys):
    write("green_callbacks/a.py", "def f():\n" + "    x = 1\n" * 30)
    write("green_callbacks/b.py", "class C:\n" + "    x = 1\n" * 200)
    write("green_callbacks/c.py", "x = 1\n" * 301)
    assert sizes.main(tmp_path) == 1
    assert capsys.readouterr().out == (
        "green_callbacks/a.py:1: The function f has 31 lines of code, more than 30.\n"
        "green_callbacks/b.py:1: The class C has 201 lines of code, more than 200.\n"
        "green_callbacks/c.py:1: The file has 301 lines of code, more than 300.\n"
        "sizes: longest file 301 (bar 300), class 201 (bar 200), function 31 (bar 30), "
        "longest file with blank lines and text 301 FAILED\n"
    )


def test_blank_lines_and_text_do_not_fail(write, tmp_path):
    write("green_callbacks/a.py", '"""A module.\n' + "\n" * 400 + '"""\n' + "x = 1\n" * 300)
    assert sizes.main(tmp_path) == 0
