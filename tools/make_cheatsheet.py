"""Gather the cards that end the notebooks in docs/cheatsheet.md.

Usage: python tools/make_cheatsheet.py

A card is the Markdown cell ``card`` of a notebook, with the heading "In short". A test holds that the file is fresh.
"""

from pathlib import Path
import re

import nbformat

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "docs" / "cheatsheet.md"
TOP = """# The tour on a few cards

What each notebook taught, in five sentences, with its formulas and its calls. Made from the notebooks by
`make cheatsheet`.
"""


def cheatsheet() -> str:
    """Return the text of docs/cheatsheet.md."""
    parts = [TOP]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        title = cells[0].source.splitlines()[0].removeprefix("# ")
        (card,) = (cell.source for cell in cells if cell.id == "card")
        body = re.sub(r"\]\((?=[\w.]+\.ipynb)", "](../notebooks/", card.removeprefix("## In short").strip())
        parts.append(f"## [{title}](../notebooks/{path.name})\n\n{body}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    aside = PLACE.with_suffix(".part")
    aside.write_text(cheatsheet(), encoding="utf-8")
    aside.replace(PLACE)
