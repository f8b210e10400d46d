"""Writes the API reference, with pages of metric keys, ledger fields and the architecture."""

import pkgutil
import re
import shutil
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Final

import pdoc

ROOT: Final = Path(__file__).parents[2]

_PAGES: Final = {
    "metric_keys": "green_callbacks.sinks.scalars",
    "ledger_fields": "green_callbacks.ledger.format",
    "what_pays": "green_callbacks.what_pays",
}
"""Pages that show the docstring of a module under a name of their own."""

_GUIDE: Final = ROOT / ".github" / "CONTRIBUTING.md"
"""The guide whose sections on rooms, data, layers and words are the page of the architecture."""

_TITLES: Final = {
    "index": "green_callbacks",
    "metric_keys": "Metric keys",
    "ledger_fields": "Ledger fields",
    "what_pays": "What pays",
    "architecture": "Architecture",
}
"""Titles of the pages that are no modules. pdoc would show the names of their files."""

_SECTIONS: Final = ("The house", "The way of the data", "Layers", "Glossary")

_INDEX: Final = """
| You want to | Look at |
|---|---|
| measure a Lightning run | [green_callbacks.lightning](green_callbacks/lightning.html) |
| measure a Keras run | [green_callbacks.keras](green_callbacks/keras.html) |
| measure a run of Hugging Face's Trainer | [green_callbacks.transformers](green_callbacks/transformers.html) |
| measure an Ignite run | [green_callbacks.ignite](green_callbacks/ignite.html) |
| search with Optuna | [green_callbacks.optuna](green_callbacks/optuna.html) |
| measure a loop of your own | [green_callbacks.EnergyAccountant](green_callbacks.html#EnergyAccountant) |
| measure a few lines of code | [green_callbacks.measure](green_callbacks.html#measure) |
| average the weights of a PyTorch run | [green_callbacks.torch](green_callbacks/torch.html) |
| stop a run in time | [green_callbacks.policies](green_callbacks/policies.html) |
| choose what is measured | [green_callbacks.sources](green_callbacks/sources.html) |
| choose a carbon intensity | [green_callbacks.carbon](green_callbacks/carbon.html) |
| read a finished run | [green_callbacks.ledger](green_callbacks/ledger.html) |
| send records elsewhere | [green_callbacks.sinks](green_callbacks/sinks.html) |
| spend less for the same quality | [What pays](what_pays.html) |
| export a run | [green_callbacks.exports](green_callbacks/exports.html) |
| know a metric key and its unit | [Metric keys](metric_keys.html) |
| know a field of the ledger | [Ledger fields](ledger_fields.html) |
| change the package | [Architecture](architecture.html) |
"""


_ELSEWHERE: Final = {
    "transformers.trainer_callback": ("TrainerCallback",),
    "optuna.pruners": ("BasePruner", "TrialPruned"),
    "ray.tune": ("Callback", "Checkpoint", "Stopper"),
}
"""The classes that adapters need whose framework has an environment of its own, by a module of the framework."""


def build(out: Path) -> int:
    """Write all pages.

    Args:
        out: The folder, which is emptied before.

    Returns:
        The number of pages.
    """
    shutil.rmtree(out, ignore_errors=True)
    warnings.simplefilter("error")  # a name that does not resolve has no page
    warnings.filterwarnings("ignore", "Error parsing type annotation")  # these stay text
    warnings.filterwarnings("ignore", "Failed to run TYPE_CHECKING code")  # of packages that are not installed here
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # of frameworks that are imported
    pdoc.render.configure(docformat="google", show_source=False, footer_text="green_callbacks")
    _stand_in()
    modules = {module.__name__: module for module in _public_modules()}
    modules |= {name: _page(name, modules[source].__doc__ or "") for name, source in _PAGES.items()}
    modules |= {"architecture": _page("architecture", _architecture()), "index": _page("index", _INDEX)}
    documented = {name: pdoc.doc.Module(module) for name, module in modules.items()}
    for name, module in documented.items():
        path = out / f"{name.replace('.', '/')}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_polished(pdoc.render.html_module(module, documented), module.obj), encoding="utf-8")
    (out / "search.js").write_text(pdoc.render.search_index(documented), encoding="utf-8")
    return len(documented)


def _stand_in() -> None:
    """Let adapters be imported without their framework. A page needs no more than a base class."""
    for name, bases in _ELSEWHERE.items():
        package = name.partition(".")[0]
        if find_spec(package) is None:
            sys.modules[package] = sys.modules[name] = ModuleType(package)
            for base in bases:
                setattr(sys.modules[name], base, type(base, (), {"__module__": name}))


def _public_modules() -> list[ModuleType]:
    """Import all modules without an underscore in their name, and load the names that they load late."""
    package = import_module("green_callbacks")
    names = [package.__name__, *(found.name for found in pkgutil.walk_packages(package.__path__, "green_callbacks."))]
    modules = [import_module(name) for name in names if not re.search(r"\._|__main__", name)]
    for module in modules:
        for name in getattr(module, "__all__", ()):
            setattr(module, name, getattr(module, name))
    return modules


def _polished(html: str, module: ModuleType) -> str:
    """Give pages their titles. Drop marks of literal blocks, and links to members that a class has from a framework.

    The framework documents these members, and pdoc writes links to them that lead nowhere.
    """
    anchors = set(re.findall(r'id="([^"]+)"', html))

    def kept(link: re.Match[str]) -> str:
        owner = getattr(module, link["name"].split(".")[0], None)
        bases = owner.__mro__[:-1] if isinstance(owner, type) else ()
        has_foreign_members = any(not base.__module__.startswith("green_callbacks") for base in bases)
        return link["text"] if link["name"] not in anchors and has_foreign_members else link[0]

    html = re.sub(r'<a href="#(?P<name>\w+\.\w+)">(?P<text>.*?)</a>', kept, html)
    if title := _TITLES.get(module.__name__):
        html = re.sub(r'(<h1 class="modulename">).*?(</h1>)', rf"\1{title}\2", html, flags=re.DOTALL)
        html = html.replace(f"<title>{module.__name__} API documentation</title>", f"<title>{title}</title>")
    return html.replace("<p>::</p>", "").replace("::</p>", ":</p>")


def _page(name: str, text: str) -> ModuleType:
    """Make a module that has nothing but a docstring."""
    page = ModuleType(name, text)
    page.__all__ = []  # type: ignore[attr-defined]
    return page


def _architecture() -> str:
    parts = re.split(r"^## ", _GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = {part.split("\n", 1)[0]: part for part in parts}
    return "\n".join(f"## {sections[name]}" for name in _SECTIONS)
