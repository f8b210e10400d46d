"""Builds the API reference from the docstrings: ``make docs``."""

import sys
import time
from pathlib import Path

from docs.links import broken
from docs.reference import build

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs")

began = time.monotonic()
pages = build(OUT)
found = list(broken(OUT))
print("\n".join(found), end="\n" if found else "")
print(f"docs: {pages} pages in {OUT}, {len(found)} broken links, {time.monotonic() - began:.0f} s")
sys.exit(bool(found))
