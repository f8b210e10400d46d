"""An optimizer with hooks like the optimizers of torch, for tests without torch."""

from collections.abc import Callable
from typing import Any


class HookedOptimizer:
    """Keeps the learning rate that every step has used.

    Args:
        *rates: Learning rate of each parameter group.
    """

    def __init__(self, *rates: Any) -> None:
        self.param_groups: list[dict[str, Any]] = [{"lr": rate} for rate in rates or (1.0,)]
        self.used: list[float] = []
        self.hooks: dict[str, list[Callable[..., object]]] = {"before": [], "after": []}
        self.fails_at: int | None = None

    def step(self) -> None:
        """Take a step."""
        for hook in list(self.hooks["before"]):
            hook(self, (), {})
        if len(self.used) == self.fails_at:
            self.fails_at = None
            msg = "out of memory"
            raise MemoryError(msg)
        self.used.append(float(self.param_groups[0]["lr"]))
        for hook in list(self.hooks["after"]):
            hook(self, (), {})

    def register_step_pre_hook(self, hook: Callable[..., object]) -> "Handle":
        """Register a hook before each step."""
        return Handle(self.hooks["before"], hook)

    def register_step_post_hook(self, hook: Callable[..., object]) -> "Handle":
        """Register a hook after each step."""
        return Handle(self.hooks["after"], hook)

    @property
    def hook_count(self) -> int:
        """Number of registered hooks."""
        return sum(map(len, self.hooks.values()))


class Handle:
    """Removes a hook."""

    def __init__(self, hooks: list[Callable[..., object]], hook: Callable[..., object]) -> None:
        self._hooks, self._hook = hooks, hook
        hooks.append(hook)

    def remove(self) -> None:
        """Remove it."""
        self._hooks.remove(self._hook)
