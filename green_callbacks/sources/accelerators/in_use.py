"""The accelerators that this process uses, as reported by the imported frameworks.

Only loaded modules are asked. Nothing is imported, and no framework or driver is initialized.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from green_callbacks.records import Reading
from green_callbacks.sources.nvidia.visible_devices import bare_uuid

_HOST: Final = frozenset({"cpu", "dram", "ane", "ram", "memory", "disk", "network"})
"""Components that contain no accelerator."""
_TORCH: Final = ("cuda", "xpu", "npu", "mlu", "hpu", "mtia")
"""Modules of torch that report whether they are initialized."""
_AMD_NAME: Final = re.compile(r"gpu:GPU-[0-9a-f]{16}(@.*)?")
_PCI_NAME: Final = re.compile(r"gpu:[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]")
_MAKERS: Final[Mapping[str, frozenset[str]]] = {
    "cuda": frozenset({"nvidia"}),
    "rocm": frozenset({"amd"}),
    "xpu": frozenset({"intel"}),
    "mps": frozenset({"apple"}),
    "metal": frozenset({"apple"}),
    "gpu": frozenset({"nvidia", "amd", "intel", "apple"}),
}
"""Makers of a GPU by the framework's name of it."""
_OTHER_NOUNS: Final = {"xla": "TPU", "tpu": "TPU"}


class Accelerator(NamedTuple):
    """A device other than the processors on which a process computes.

    Attributes:
        kind: The framework's name of it, e.g. ``cuda``, ``rocm``, ``xpu``, ``mps`` or ``tpu``.
        uuid: Its UUID, without ``GPU-`` or ``MIG-``. Empty if the framework does not report it.
    """

    kind: str
    uuid: str = ""

    @property
    def noun(self) -> str:
        """Its noun in a sentence, e.g. ``GPU``."""
        return "GPU" if self.kind in _MAKERS else _OTHER_NOUNS.get(self.kind, self.kind.upper())

    @property
    def component(self) -> str:
        """Its component in records, e.g. ``gpu``."""
        return self.noun.lower()

    @property
    def name(self) -> str:
        """Its name in records, if nothing measures it."""
        return f"gpu:GPU-{self.uuid}" if self.uuid else f"{self.component}:{self.kind}"

    @property
    def names(self) -> tuple[str, ...]:
        """Its possible names in sources. Empty if its UUID is not known."""
        return (f"gpu:GPU-{self.uuid}", f"gpu:MIG-{self.uuid}") if self.uuid else ()

    def is_in(self, readings: Mapping[str, Reading]) -> bool:
        """Return whether its energy is measured, by its own sensor or by a meter that includes it.

        Args:
            readings: Readings of the sources.
        """
        return any(self._is_held_by(name, reading) for name, reading in readings.items())

    def _is_held_by(self, name: str, reading: Reading) -> bool:
        if reading.joules is None or reading.component in _HOST:
            return False
        if reading.component == self.component:
            maker = _maker(name)
            return maker is None or self.kind not in _MAKERS or bool(_MAKERS[self.kind] & maker)
        # It may be a meter of the whole machine. A model only adds a constant for the rest of the machine.
        return reading.component != "gpu" and reading.method != "modelled"


def _maker(name: str) -> frozenset[str] | None:
    """Return the possible makers of a GPU by its name in our sources. None for a user's own name."""
    if _AMD_NAME.fullmatch(name):
        return _MAKERS["rocm"]
    if name.startswith(("gpu:GPU-", "gpu:MIG-")):
        return frozenset({"nvidia"})
    if _PCI_NAME.fullmatch(name):
        return frozenset({"amd", "intel"})
    return _MAKERS["mps"] if name == "gpu:apple" else None


def told(gpu_uuids: Iterable[str], gpu_name: str | None) -> tuple[Accelerator, ...]:
    """Return the accelerators that an adapter reports.

    Args:
        gpu_uuids: Their UUIDs. A GPU that may be a slice is named with both prefixes.
        gpu_name: The framework's name of the accelerator, e.g. ``cuda:0``. None or empty if there is none.
    """
    kind = (gpu_name or "cuda").partition(":")[0]
    if kind == "cuda" and _is_rocm(sys.modules.get("torch")):
        kind = "rocm"
    uuids = dict.fromkeys(bare_uuid(uuid) for uuid in gpu_uuids)
    return tuple(Accelerator(kind, uuid) for uuid in uuids) or ((Accelerator(kind),) if gpu_name else ())


def in_use() -> tuple[Accelerator, ...]:
    """Return the accelerators that torch, TensorFlow or JAX hold in this process. This takes a few µs."""
    found: dict[Accelerator, None] = {}
    for look, name in ((_of_torch, "torch"), (_of_tensorflow, "tensorflow"), (_of_jax, "jax")):
        framework = sys.modules.get(name)
        if framework is None:
            continue
        try:
            found.update(dict.fromkeys(map(Accelerator, look(framework))))
        # Internal names and exceptions of frameworks differ between versions, and a module may be half imported. The
        # framework is asked again later.
        except Exception:  # noqa: BLE001, S112
            continue
    return tuple(found)


def unmeasured(used: Sequence[Accelerator], readings: Mapping[str, Reading]) -> list[Accelerator]:
    """Return the accelerators whose energy is in no reading.

    A GPU may have another name in its sensor than in the framework. So a GPU without a reading of its name counts as
    measured if a reading is left that belongs to none of the others.

    Args:
        used: The accelerators.
        readings: Readings of the sources.
    """
    names = {name for each in used for name in each.names}
    rest = {name: reading for name, reading in readings.items() if name not in names}
    return [
        each
        for each in used
        if not each.is_in(rest) and not each.is_in({name: readings[name] for name in each.names if name in readings})
    ]


def _is_rocm(torch: object) -> bool:
    return bool(getattr(getattr(torch, "version", None), "hip", None))


def _of_torch(torch: Any) -> Iterator[str]:  # noqa: ANN401  a framework is never imported here
    for kind in _TORCH:
        module = getattr(torch, kind, None)
        if module is not None and hasattr(module, "is_initialized") and module.is_initialized():
            yield "rocm" if kind == "cuda" and _is_rocm(torch) else kind
    if sys.platform == "darwin" and torch.backends.mps.is_available() and torch.mps.current_allocated_memory() > 0:
        yield "mps"


def _of_tensorflow(tensorflow: Any) -> Iterator[str]:  # noqa: ANN401
    context = sys.modules["tensorflow.python.eager.context"]._context  # noqa: SLF001
    if context is not None and context._initialized:  # noqa: SLF001  to list the devices would initialize it
        if tensorflow.config.list_logical_devices("GPU"):
            is_rocm = tensorflow.sysconfig.get_build_info().get("is_rocm_build", False)
            yield "metal" if sys.platform == "darwin" else "rocm" if is_rocm else "cuda"
        if tensorflow.config.list_logical_devices("TPU"):
            yield "tpu"


def _of_jax(_: Any) -> Iterator[str]:  # noqa: ANN401
    backends = sys.modules["jax._src.xla_bridge"]._backends  # noqa: SLF001
    yield from (str(kind).lower() for kind in list(backends) if kind not in {"cpu", "interpreter"})
