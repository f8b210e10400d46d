import pytest
from lint import rooms


@pytest.mark.parametrize(
    "text",
    [
        "from green_callbacks.sources._a import b\n",
        "from green_callbacks.sources import _a\n",
        "import green_callbacks.sources._a\n",
        "from ..sources._a import b\n",
        "def f():\n    from green_callbacks.sources._a import b\n",
    ],
)
def test_a_private_module_of_another_room_is_found(write, tmp_path, text):
    write("green_callbacks/carbon/c.py", text)
    (finding,) = rooms.private_imports(tmp_path)
    assert finding.sentence == "green_callbacks.sources._a is private to green_callbacks.sources."


def test_a_wing_is_private_from_the_rest_of_its_room(write, tmp_path):
    write("green_callbacks/sources/a.py", "from green_callbacks.sources.wing._a import b\n")
    (finding,) = rooms.private_imports(tmp_path)
    assert finding.sentence == "green_callbacks.sources.wing._a is private to green_callbacks.sources.wing."


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("sources/b.py", "from green_callbacks.sources._a import b\n"),
        ("sources/__init__.py", "from green_callbacks.sources._a import b\n"),
        ("sources/wing/b.py", "from green_callbacks.sources._a import b\n"),
        ("carbon/b.py", "from green_callbacks._version import __version__\nfrom os import _exit\n"),
        ("carbon/b.py", "from green_callbacks.sources.a import b\n"),
    ],
)
def test_a_room_may_use_its_own_and_what_is_public(write, tmp_path, place, text):
    write(f"green_callbacks/{place}", text)
    assert list(rooms.private_imports(tmp_path)) == []


def test_files_and_folders_are_counted_but_not_caches(write, tmp_path, capsys):
    for number in range(13):
        write(f"green_callbacks/sources/a{number}.py", "")
    write("green_callbacks/sources/wing/a.py", "")
    write("green_callbacks/sources/__pycache__/a.pyc", "")
    assert rooms.main(tmp_path) == 0
    write("green_callbacks/sources/__init__.py", "")
    assert rooms.main(tmp_path) == 1
    assert "green_callbacks/sources:0: It holds 15 files and folders, more than 14." in capsys.readouterr().out


def test_a_wing_is_smaller_than_a_room(write, tmp_path):
    for number in range(13):
        write(f"green_callbacks/sources/wing/a{number}.py", "")
    assert [finding.sentence for finding in rooms.crowded(tmp_path)] == ["It holds 13 files and folders, more than 12."]


def test_the_report_fails_on_one_private_import(write, tmp_path, capsys):
    write("green_callbacks/carbon/c.py", "from green_callbacks.sources._a import b, c\n")
    assert rooms.main(tmp_path) == 1
    assert "rooms: 1 imports of another room's private module (bar 0), sources/ 0 (bar 14)" in capsys.readouterr().out
