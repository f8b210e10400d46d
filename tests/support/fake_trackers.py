"""Stand-ins for MLflow and W&B, as far as the sinks call them."""

import threading
from types import ModuleType, SimpleNamespace


class FakeMlflow(ModuleType):
    """MLflow with one run per thread. Its client keeps what it is told, and may hang or fail at a gate."""

    def __init__(self):
        super().__init__("mlflow")
        self.local, self.threads = threading.local(), set()
        self.batches, self.artifacts, self.tags = [], [], {}
        self.before_call = lambda: None
        self.entities = SimpleNamespace(Metric=_Metric, RunTag=_Tag)

    def open(self, run_id):
        self.local.run = run_id and SimpleNamespace(info=SimpleNamespace(run_id=run_id))

    def active_run(self):
        return getattr(self.local, "run", None)

    def get_tracking_uri(self):
        return "fake://"

    def MlflowClient(self, tracking_uri):  # noqa: N802  as in MLflow
        assert tracking_uri == "fake://"
        return FakeClient(self)

    def points(self, run_id, key="green/emissions_g"):
        return [(each.step, each.value) for run, each in self.batches if run == run_id and each.key == key]


class FakeClient:
    """A client of the tracking server."""

    def __init__(self, mlflow):
        self._mlflow = mlflow

    def _called(self):
        self._mlflow.threads.add(threading.current_thread())
        self._mlflow.before_call()

    def get_run(self, run_id):
        self._called()
        return SimpleNamespace(data=SimpleNamespace(tags=self._mlflow.tags.get(run_id, {})))

    def log_batch(self, run_id, metrics=(), tags=(), synchronous=None):
        self._called()
        assert synchronous
        self._mlflow.batches += [(run_id, each) for each in metrics]
        self._mlflow.tags.setdefault(run_id, {}).update({each.key: each.value for each in tags})

    def log_artifact(self, run_id, path):
        self._called()
        self._mlflow.artifacts.append((run_id, path))


class _Metric(SimpleNamespace):
    def __init__(self, key, value, timestamp, step):
        super().__init__(key=key, value=value, timestamp=timestamp, step=step)


class _Tag(SimpleNamespace):
    def __init__(self, key, value):
        super().__init__(key=key, value=value)


class FakeUsageError(Exception):
    """W&B's complaint about a run that has finished."""


class FakeWandb(ModuleType):
    """W&B with a run, or None."""

    UsageError = FakeUsageError

    def __init__(self):
        super().__init__("wandb")
        self.run = None


class FakeWandbRun:
    """A run of W&B, whose rows of history end at a commit."""

    def __init__(self, run_id="w1", mode="offline"):
        self.id, self.settings = run_id, SimpleNamespace(mode=mode)
        self.rows, self.open_row, self.step = [], {}, 0
        self.summary, self.config, self.axes, self.artifacts = {}, _Config(), {}, []
        self.failure = None

    def define_metric(self, name, step_metric=None, **options):
        self._check()
        self.axes[name] = step_metric

    def log(self, values, commit=None):
        self._check()
        self.open_row |= values
        if commit is not False:
            self.rows.append(self.open_row)
            self.open_row, self.step = {}, self.step + 1

    def log_artifact(self, path, name, type):  # noqa: A002  as in W&B
        self._check()
        self.artifacts.append((path, name, type))

    def _check(self):
        if self.failure:
            raise self.failure


class _Config(dict):
    def update(self, values, *, allow_val_change):
        assert allow_val_change
        super().update(values)
