import os
import re
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def texts(notebook):
    return [
        "".join(output["text"] for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def lasting(printed):
    """Leave out the id of the run, and the size of a report, which grows with the tables of the package."""
    texts = [text.split("·")[1:] if "·" in text and text[:8].isdigit() else [text] for text in printed]
    return [[re.sub(r"\(\d+ kB\)", "", part.replace("\r", "")) for part in text] for text in texts]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter's own, on how its kernel is reached
@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_still_says_what_it_says(path, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    committed = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)

    nbclient.NotebookClient(fresh, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()

    assert lasting(texts(fresh)) == lasting(texts(committed))
    assert any(output.output_type == "display_data" for cell in fresh.cells for output in cell.get("outputs", []))
