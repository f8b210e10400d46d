"""Libraries of a comparison that are installed and do not work, as after an upgrade of NumPy."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from green_callbacks.cli.pictures import draw
from green_callbacks.errors import ConfigurationError
from green_callbacks.text.optional_packages import optional_package

BROKEN = [
    ImportError("numpy.core.multiarray failed to import"),
    ValueError("numpy.dtype size changed, may indicate binary incompatibility"),
    AttributeError("_ARRAY_API not found"),
]


class Broken(ModuleType):
    """A library that fails when it is loaded."""

    def __init__(self, name, error):
        super().__init__(name)
        self.__path__, self.error = [], error

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise self.error


@pytest.mark.parametrize("error", BROKEN, ids=lambda each: type(each).__name__)
def test_a_broken_scipy_is_no_fault_of_ours(command, ledger, monkeypatch, error):
    monkeypatch.delitem(sys.modules, "scipy.stats", raising=False)
    monkeypatch.setitem(sys.modules, "scipy", Broken("scipy", error))
    status, out, err = command("compare", ledger("new"), "--against", ledger("old"), "--reach", "val_acc=0.8")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "SciPy, which is installed but cannot be loaded" in err
    assert "pip install --force-reinstall numpy scipy" in err


def test_an_old_scipy_is_to_be_upgraded(command, ledger, monkeypatch):
    old = ModuleType("scipy")
    old.stats = ModuleType("scipy.stats")
    monkeypatch.setitem(sys.modules, "scipy", old)
    status, out, err = command("compare", ledger("new"), "--against", ledger("old"), "--reach", "val_acc=0.8")
    assert (status, out) == (2, "")
    assert "A comparison needs a newer SciPy. Run pip install --upgrade 'green-callbacks[compare]'." in err


def test_a_broken_matplotlib_is_no_fault_of_ours(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", Broken("matplotlib", BROKEN[0]))
    with pytest.raises(ConfigurationError, match="matplotlib, which is installed but cannot be loaded"):
        draw(Path(tmp_path, "curves.png"), (1.0, 1.0), lambda figure: None)


@pytest.mark.parametrize("error", BROKEN, ids=lambda each: type(each).__name__)
def test_a_package_of_any_extra_is_missing_or_broken(monkeypatch, error):
    needed = {"what": "A thing", "name": "Quux", "extra": "quux"}
    with pytest.raises(ConfigurationError, match=r"A thing needs Quux. Run pip install 'green-callbacks\[quux\]'"):
        optional_package("quux", "part", **needed)
    monkeypatch.setitem(sys.modules, "quux", Broken("quux", error))
    with pytest.raises(ConfigurationError, match="A thing needs Quux, which is installed but cannot be loaded"):
        optional_package("quux", "part", **needed)
