"""Hold the prose of the notebooks to their code and outputs.

Usage: python tools/check_prose.py [NOTEBOOK ...]

Every number and every shape in the prose must stand in the code or in an output of the same notebook, or beside a link
to its source: in the same paragraph, list item or table row as a Markdown link. A shape, such as (26, 26, 2) or 28x28,
must stand there whole, its lengths in that order. Numbers are compared as they are written: 98.643 in the prose wants
98.643. A shape may be part of a longer one: 28x28 of (60000, 28, 28). Comments in code prove nothing. A
picture that is stored with its words beside it must have these as alt text. Left out are headings, list markers, fenced
code, and names with digits in them, such as Conv1D, 2-D and 06_mnist_baseline.
"""

import argparse
import io
from pathlib import Path
import re
import sys
import tokenize
from typing import Any

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"

_NUMBER = r"\d+(?:[,_]\d{3})+(?:\.\d+)?|\d+\.\d+|\.\d+|\d+"
_BARE = re.compile(rf"(?<![\w.])(?:{_NUMBER})(?![\d]|\.\d)")
# (5, 10, 32), (n, 28, 28): a bracket with at least two lengths; 28x28, 5×5×3: lengths with a sign between.
_TUPLE = re.compile(r"\(((?:None|\w+|\.\.\.)(?:,\s*(?:None|[\w*]+|\.\.\.))+,?)\)")
_TIMES = re.compile(r"(?<![\w.])\d+(?:\s*[x×·]\s*\d+| \* \d+)+(?!\w)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\([^)#\s][^)\s]*(?:\s+\"[^\"]*\")?\)|<https?://[^>]+>")
_IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<path>[^)\s]+)\.png\)")
_INLINE_CODE = re.compile(r"`[^`]*`")
_NAMES_WITH_DIGITS = re.compile(r"\b[A-Za-z_]+\d\w*\b|\b[1-4]-D\b|\b\d\d_[a-z]\w*|\S+\.(?:ipynb|npz|py)\b")
_LIST_MARKER = re.compile(r"^\s*(?:\d+\.|[-*+])\s", re.MULTILINE)


def numbers(text: str) -> list[str]:
    """The numbers of a text, thousands separators taken out."""
    return [re.sub("[,_]", "", found) if re.search(r"[,_]\d{3}", found) else found for found in _BARE.findall(text)]


def shapes(text: str) -> list[tuple[str, ...]]:
    """The shapes of a text as tuples of lengths; those without a number in them are left out."""
    tuples = [tuple(part.strip() for part in found.split(",") if part.strip()) for found in _TUPLE.findall(text)]
    times = [tuple(re.split(r"\s*[x×·*]\s*", found)) for found in _TIMES.findall(text)]
    return [shape for shape in tuples + times if sum(part.isdigit() for part in shape) >= 2]


def blocks(markdown: str) -> list[str]:
    """Paragraphs, list items and table rows: the reach of a link."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)):
        rows = [line for line in paragraph.splitlines() if line.lstrip().startswith("|")]
        headings = [line for line in paragraph.splitlines() if line.startswith("#")]
        rest = "\n".join(line for line in paragraph.splitlines() if line not in rows + headings)
        found += [*rows, *re.split(r"\n(?=\s*(?:\d+\.|[-*+])\s)", rest)]
    return [block for block in found if block.strip()]


def unless_it_tells_its_words(image: re.Match[str]) -> str:
    """Nothing, if the alt text of a stored picture is what stands in the file of words beside it; else all of it."""
    words = NOTEBOOKS / f"{image['path']}.txt"
    return "" if words.exists() and words.read_text(encoding="utf-8").strip() == image["alt"] else image[0]


def without_comments(code: str) -> str:
    """Python source without its comments."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return tokenize.untokenize(token for token in tokens if token.type != tokenize.COMMENT)


def evidence(notebook: Any) -> str:
    """All that the notebook's code cells say: their source, and the text of their outputs."""
    texts = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        texts.append(without_comments(cell.source))
        for output in cell.outputs:
            texts.append(output.get("text", ""))
            texts.append(f"{output.get('ename', '')} {output.get('evalue', '')}")
            texts.append(output.get("data", {}).get("text/plain", ""))  # HTML may hold any number of hidden ones
    return "\n".join(texts)


def unsupported(notebook: Any) -> list[str]:
    """What the prose says and nothing in the notebook does, each with the words around it."""
    proof = evidence(notebook)
    known_numbers = set(numbers(proof)) | {number.rstrip("0").rstrip(".") for number in numbers(proof) if "." in number}
    known_shapes = ["".join(f" {length} " for length in shape) for shape in shapes(proof)]
    complaints = []
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for block in blocks(_IMAGE.sub(unless_it_tells_its_words, cell.source)):
            if _LINK.search(_INLINE_CODE.sub("", block)):
                continue
            text = _NAMES_WITH_DIGITS.sub(" ", _LIST_MARKER.sub(" ", block))
            for shape in shapes(text):
                lengths = [length for length in shape if length.isdigit()]
                wanted = "".join(f" {length} " for length in (shape if len(lengths) == len(shape) else lengths))
                if not any(wanted in known for known in known_shapes):
                    complaints.append(f"shape {', '.join(shape)}: {' '.join(block.split())[:90]}")
            complaints += [
                f"number {number}: {' '.join(block.split())[:90]}"
                for number in numbers(_TIMES.sub(" ", text))
                if number not in known_numbers
            ]
    return complaints


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all in notebooks/")
    found = 0
    for path in parser.parse_args().notebooks or sorted(NOTEBOOKS.glob("*.ipynb")):
        for complaint in unsupported(nbformat.read(path, as_version=4)):
            found += 1
            print(f"{path.name}: {complaint}")
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
