"""Compare outputs of notebooks: numbers within the tolerance printed beside them, everything else exactly.

Two forms of a tolerance are read. ``accuracy 96.4 % (± 0.5)`` holds the number before it, with a unit between if need
be. ``scores: 96.1 95.8 96.4 (each ± 0.5)`` holds all numbers between the last colon before it, or the start of the
line or of the last such bracket, and itself. What counts is the tolerance that is stored; a fresh output must print the
same one. Pictures inside HTML are left out, as nbval leaves out PNG: their words stand beside them.
"""

from collections.abc import Iterator
import copy
import re
from typing import Any

_NUMBER = r"(?<![\w.])[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?!\w)"
_ONE = re.compile(rf"(?P<number>{_NUMBER})(?P<rest>(?: ?%|(?: [A-Za-z]+){{1,2}})? \(± (?P<tolerance>\d+(?:\.\d+)?)\))")
_EACH = re.compile(r"(?P<span>[^:\n]*?)(?P<rest>\(each ± (?P<tolerance>\d+(?:\.\d+)?)\))")
_PICTURE = re.compile(r'src="data:image/[^"]*"')


def agree(fresh: str, stored: str) -> bool:
    """Whether two texts are equal but for numbers that lie within the stored tolerance of the stored ones."""
    fresh_words, fresh_numbers = _apart(fresh)
    stored_words, stored_numbers = _apart(stored)
    if fresh_words != stored_words or len(fresh_numbers) != len(stored_numbers):
        return False
    # Decimals have no exact double: 0.3 and 0.2 differ by a little less than 0.1, 0.4 and 0.3 by a little more.
    pairs = zip(fresh_numbers, stored_numbers, strict=True)
    return all(abs(new - old) <= tolerance * (1 + 1e-9) + 1e-12 for (new, _), (old, tolerance) in pairs)


def settled(fresh: list[Any], stored: list[Any]) -> list[Any]:
    """Fresh outputs of a cell, in which every text that agrees with the stored one at its place is that stored one.

    Outputs are paired as nbval pairs them: the n-th of a kind with the n-th of that kind.
    """
    outputs = copy.deepcopy(fresh)
    known: dict[str, list[str]] = {}
    for _, kind, text in _texts(stored):
        known.setdefault(kind, []).append(text)
    for holder, kind, text in _texts(outputs):
        before = known.get(kind, [])
        if before and agree(text, old := before.pop(0)):
            holder[kind.rpartition(" ")[2]] = old
    return outputs


def _texts(outputs: list[Any]) -> Iterator[tuple[Any, str, str]]:
    """What holds each text of a cell's outputs, the kind of text, its last word being the key, and the text."""
    for output in outputs:
        for key, value in list(output.get("data", {}).items()):
            if isinstance(value, str) and not key.startswith("image/"):
                yield output["data"], key, value
        if "text" in output:
            yield output, f"{output.get('name')} text", output["text"]


def _apart(text: str) -> tuple[str, list[tuple[float, float]]]:
    """A text with a mark in place of each number that has a tolerance, and those numbers with their tolerances."""
    found: list[tuple[float, float]] = []

    def mark(number: str, tolerance: str) -> str:
        found.append((float(number.replace(",", "").replace("−", "-")), float(tolerance)))
        return "\0"

    def mark_each(match: re.Match[str]) -> str:
        return re.sub(_NUMBER, lambda number: mark(number[0], match["tolerance"]), match["span"]) + match["rest"]

    def mark_one(match: re.Match[str]) -> str:
        return mark(match["number"], match["tolerance"]) + match["rest"]

    return _ONE.sub(mark_one, _EACH.sub(mark_each, _PICTURE.sub("", text))), found
