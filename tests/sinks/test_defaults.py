import sys
from pathlib import Path

import pytest
from scripted_run import run_context

from green_callbacks.errors import ConfigurationError
from green_callbacks.sinks import TensorBoardSink, default_sinks


@pytest.fixture
def no_tensorboardx(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.startswith("tensorboardX")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboardX", None)


def test_a_run_is_shown_through_the_frameworks_writer(no_tensorboardx: None):
    (sink,) = default_sinks(object())

    assert isinstance(sink, TensorBoardSink)


def test_a_run_without_a_writer_is_shown_where_tensorboardx_is_installed():
    pytest.importorskip("tensorboardX")

    (sink,) = default_sinks(None)

    assert isinstance(sink, TensorBoardSink)


def test_a_run_that_cannot_be_shown_has_no_sink(no_tensorboardx: None):
    assert default_sinks(None) == []


def test_a_sink_that_cannot_write_names_the_remedy(no_tensorboardx: None, tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"green-callbacks\[tensorboard\]"):
        TensorBoardSink().open(run_context(tmp_path))
