"""A process group of torch as the accountant finds it, whose processes are threads over one store in memory."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

LONG_SECONDS = 60.0
MODULE = "torch.distributed.distributed_c10d"


class MemoryStore:
    """A store of ``torch.distributed`` in a dictionary."""

    def __init__(self, prefix="", values=None, lock=None):
        self.values = {} if values is None else values
        self.requests = 0
        self.is_down = False
        self._prefix, self._lock = prefix, lock or threading.RLock()

    def below(self, prefix):
        return MemoryStore(f"{self._prefix}{prefix}/", self.values, self._lock)

    def _key(self, key):
        if self.is_down:
            raise RuntimeError("closed")  # noqa: EM101  as torch does
        self.requests += 1
        return self._prefix + key

    def set(self, key, value):
        with self._lock:
            self.values[self._key(key)] = value.encode()

    def get(self, key):
        return self.values[self._key(key)]

    def multi_get(self, keys):
        self.requests += 1
        return [self.values[self._prefix + key] for key in keys]

    def add(self, key, amount):
        with self._lock:
            key = self._key(key)
            self.values[key] = number = int(self.values.get(key, 0)) + amount
            return number

    def check(self, keys):
        self._key("")
        return all(self._prefix + key in self.values for key in keys)

    def compare_set(self, key, expected, desired):
        with self._lock:
            key = self._key(key)
            if key not in self.values and not expected:
                self.values[key] = desired.encode()
            return self.values[key]

    def delete_key(self, key):
        with self._lock:
            return self.values.pop(self._key(key), None) is not None


class FakeGroup(ModuleType):
    """Stands for the module of torch. Each thread has a rank of its own, once it has joined."""

    def __init__(self, size):
        super().__init__(MODULE)
        self.store, self.size = MemoryStore(), size
        self._own = threading.local()

    def join(self, rank):
        """Take a rank, as ``init_process_group()`` does, or none."""
        self._own.rank = rank

    def is_initialized(self):
        return getattr(self._own, "rank", None) is not None

    def get_world_size(self):
        return self.size

    def get_rank(self):
        return self._own.rank

    def _get_default_store(self):
        return self.store

    @staticmethod
    def PrefixStore(prefix, store):  # noqa: N802  as in torch
        return store.below(prefix)


def on_group(monkeypatch, size, body, *, joins=True):
    """Run ``body(rank, group)`` on every rank of a group at once. Return what each returned."""
    group = FakeGroup(size)
    monkeypatch.setitem(sys.modules, MODULE, group)

    def one(rank):
        if joins:
            group.join(rank)
        return body(rank, group)

    with ThreadPoolExecutor(size) as pool:
        return [done.result(LONG_SECONDS) for done in [pool.submit(one, rank) for rank in range(size)]]
