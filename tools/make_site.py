"""Gather the pages of the site in build/site-source and let Sphinx build them in build/site.

Usage: python tools/make_site.py

Nothing is executed: pages show the stored outputs of the notebooks. Their pictures become files, loaded when they come
into view. The tree keeps the places of the repository, so that every link between its pages holds.
"""

import base64
import hashlib
import importlib.metadata
import io
from pathlib import Path
import re
import shutil
import subprocess
import sys
from typing import Any

import nbformat
from PIL import Image

ROOT = Path(__file__).parents[1]
SOURCE, BUILT = ROOT / "build" / "site-source", ROOT / "build" / "site"
TEXTS = ("docs", "data", "notebooks/pictures")  # folders whose pages and pictures are part of the site
SHOWN = {".md", ".png"}
PAGES = {".md", ".ipynb"}

_LINK = re.compile(r"\]\(([^)#\s:]+)")
_EMBEDDED = re.compile(r'<img src="data:image/png;base64,(?P<bytes>[^"]*)"')


def gather() -> None:
    """Make the tree that Sphinx reads."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "site", SOURCE)
    for folder in TEXTS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SHOWN:
                _copy(path, SOURCE / path.relative_to(ROOT))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                _as_seen(output)
        notebook.metadata.pop("widgets", None)
        place = SOURCE / "notebooks" / path.name
        place.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, place)
    for page in (path for path in sorted(SOURCE.rglob("*")) if path.suffix in PAGES):
        for target in _LINK.findall(page.read_text(encoding="utf-8")):
            linked = (ROOT / page.relative_to(SOURCE)).parent / target
            if linked.is_file() and linked.suffix not in PAGES:
                _copy(linked, page.parent / target)
    mathjax = importlib.metadata.distribution("sphinx-mathjax-offline")
    _copy(
        Path(str(mathjax.locate_file("sphinx-mathjax-offline/static/mathjax/tex-svg.js"))),
        SOURCE / "_static" / "tex-svg.js",
    )
    (SOURCE / "reference.md").write_text(reference(), encoding="utf-8")


def _copy(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, place)


def _as_seen(output: Any) -> None:
    """Keep of an output what a browser shows, its pictures as files."""
    data = output.get("data", {})
    if "text/html" in data:
        data.pop("image/png", None)
        data["text/html"] = _EMBEDDED.sub(_as_file, data["text/html"])


def _as_file(image: re.Match[str]) -> str:
    content = base64.b64decode(image["bytes"])
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.png"
    place = SOURCE / "_extra" / "pictures" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    width, height = Image.open(io.BytesIO(content)).size
    return f'<img loading="lazy" width="{width}" height="{height}" src="../pictures/{name}"'


def reference() -> str:
    """Return the page of all public names, in the groups and the order of the package's stub."""
    lines = ["# Reference", "", "Every public name, in the order in which the tour meets them."]
    for line in (ROOT / "src" / "convtour" / "__init__.pyi").read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and not line.startswith(("# ruff", "# Every")):
            lines += ["", f"## {line[2:]}"]
        elif match := re.fullmatch(r"from (?:\.\S*) import (\w+) as \1", line):
            lines += ["", *_entry(match[1])]
    return "\n".join(lines) + "\n"


def _entry(name: str) -> list[str]:
    """Return the directive that documents a name."""
    import convtour

    thing = getattr(convtour, name)
    if name == "exercises":
        return [
            "```{eval-rst}",
            ".. autofunction:: convtour.exercises.load",
            "",
            ".. autoclass:: convtour.exercises.Exercise",
            "   :members: check, hint, solution",
            "```",
        ]
    kind, more = (
        ("class", ["   :members:", "   :exclude-members: set"]) if isinstance(thing, type) else ("function", [])
    )
    return ["```{eval-rst}", f".. auto{kind}:: convtour.{name}", *more, "```"]


def main() -> int:
    gather()
    shutil.rmtree(BUILT, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(SOURCE), str(BUILT)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
