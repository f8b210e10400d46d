from lint import examples

EXAMPLE = '"""Return one.\n\n    >>> f()\n    1\n    """'


def names(tmp_path):
    return [finding.sentence.split()[0] for finding in examples.findings(tmp_path)[1]]


def test_a_function_needs_an_example(write, tmp_path):
    write(
        "green_callbacks/a.py", f'__all__ = ["f", "g"]\n\ndef f():\n    {EXAMPLE}\n\ndef g():\n    """Return one."""\n'
    )
    assert names(tmp_path) == ["g"]


def test_names_are_followed_to_their_definition(write, tmp_path):
    write("green_callbacks/room/__init__.py", 'from green_callbacks.room.a import f as h\n__all__ = ["h"]\n')
    write("green_callbacks/room/a.py", f"def f():\n    {EXAMPLE}\n")
    write(
        "green_callbacks/__init__.py",
        """
        if TYPE_CHECKING:
            from green_callbacks.room import h

        __all__ = ["h"]
        """,
    )
    assert names(tmp_path) == []
    write("green_callbacks/room/a.py", 'def f():\n    """Return one."""\n')
    assert names(tmp_path) == ["h", "h"]


def test_the_example_of_a_value_is_in_its_module_or_below_it(write, tmp_path):
    write("green_callbacks/a.py", '"""Text.\n\n>>> A\n1\n"""\n__all__ = ["A"]\nA = 1\n')
    write("green_callbacks/b.py", '__all__ = ["B"]\nB: int = 1\n"""Text.\n\n>>> B\n1\n"""\n')
    write("green_callbacks/c.py", '"""Text."""\n__all__ = ["C"]\nC = 1\n"""Text."""\n')
    assert names(tmp_path) == ["C"]


def test_a_class_without_a_docstring_has_the_one_of_its_base(write, tmp_path):
    write("green_callbacks/_body.py", f"class Hooks:\n    {EXAMPLE}\n")
    write(
        "green_callbacks/a.py",
        """
        from framework import Callback
        from green_callbacks._body import Hooks

        class Monitor(Hooks, Callback):
            __doc__ = Hooks.__doc__

        __all__ = ["Monitor"]
        """,
    )
    assert names(tmp_path) == []


def test_a_name_that_is_a_module_has_the_docstring_of_the_module(write, tmp_path):
    write("green_callbacks/room/a.py", '"""Text.\n\n>>> 1\n1\n"""\n')
    write("green_callbacks/room/__init__.py", 'from green_callbacks.room import a\n__all__ = ["a"]\n')
    assert names(tmp_path) == []


def test_a_function_comes_before_the_module_of_its_name(write, tmp_path):
    write("green_callbacks/room/f.py", f'"""Text."""\n\ndef f():\n    {EXAMPLE}\n')
    write("green_callbacks/room/__init__.py", "from green_callbacks.room.f import f\n")
    write("green_callbacks/__init__.py", 'from green_callbacks.room import f\n__all__ = ["f"]\n')
    assert names(tmp_path) == []


def test_a_name_from_nowhere_is_found(write, tmp_path, capsys):
    write("green_callbacks/a.py", '__all__ = ["ghost"]\n')
    assert examples.main(tmp_path) == 1
    assert capsys.readouterr().out == (
        "green_callbacks/a.py:1: ghost is public and has no example.\n"
        "examples: 1 of 1 names in an __all__ without an example (bar 0) FAILED\n"
    )
