"""What holds for every test: a folder of its own, no settings of the machine's, and no thread left behind."""

import gc
import os
import threading

import pytest
from hypothesis import settings

# The machine's speed is no property of ours; and a run must not depend on what an earlier one found.
settings.register_profile("tests", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("tests")


def pytest_collection_modifyitems(items):
    """Note no lines while hypothesis tries its examples: tests of one example execute them too, in less time."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.no_cover)


def pytest_collection_finish():
    """Take what is imported and collected by now out of the garbage collector's work: it lives until the end."""
    gc.collect()
    gc.freeze()


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("green_callbacks")]


@pytest.fixture(autouse=True)
def isolated(tmp_path, monkeypatch):
    """Run in an empty folder, without what users may have set, and leave no thread of ours alive."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GREEN_CALLBACKS")]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    runtime = tmp_path.with_name(f"{tmp_path.name}-runtime")  # beside it, because many tests list their folder
    runtime.mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr("green_callbacks.configuration.reading._ETC", tmp_path / "etc")
    yield
    if our_threads():
        gc.collect()  # a run that a test dropped without closing closes itself
        for thread in our_threads():
            thread.join(5)
    assert not our_threads()
