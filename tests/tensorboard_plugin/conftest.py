"""A log folder of two runs, and the tab in this process."""

import warnings

import pytest
from support.carbon_tab import PREFIX, make_run

pytest.importorskip("tensorboard")

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of what TensorBoard itself imports
    from tensorboard.backend.application import TensorBoardWSGI
    from tensorboard.plugins.base_plugin import TBContext
    from werkzeug.test import Client

    from green_callbacks.tensorboard_plugin import CarbonTab


@pytest.fixture
def logs(tmp_path):
    """Return a log folder with two runs."""
    folder = tmp_path / "logs"
    make_run(folder / "first/green-callbacks/run-a.jsonl")
    make_run(folder / "second/green-callbacks/run-b.jsonl", 5)
    return folder


class Tab:
    """The tab, asked as a browser asks it."""

    def __init__(self, **context):
        self.plugin = CarbonTab().load(TBContext(**context))
        provider = context.get("data_provider")
        self._client = Client(TensorBoardWSGI([self.plugin], data_provider=provider))

    def get(self, route, method="GET", **options):
        return self._client.open(f"{PREFIX}{route}", method=method, **options)

    def json(self, route):
        return self.get(route).json


@pytest.fixture
def open_tab():
    """Return a function that opens the tab of a log folder."""
    return Tab


@pytest.fixture
def site(tmp_path):
    """Return an empty folder for modules of other processes."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder
