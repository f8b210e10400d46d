"""The entry points that an installed package would have, as the project declares them."""

import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def register(folder: Path) -> Path:
    """Write them into a folder for the search path, where they hide those of an older installation."""
    about = folder / "green_callbacks-99.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: green-callbacks\nVersion: 99\n")
    groups = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in found.items())
        for group, found in groups.items()
    ]
    (about / "entry_points.txt").write_text("\n".join(lines))
    return folder
