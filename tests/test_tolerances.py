"""Numbers that another processor may move: taken for equal within the tolerance printed beside them, and only then."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from store_notebooks import run
from tolerances import agree, settled


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [
        ("held out: 85 % (± 2)", "held out: 87 % (± 2)"),
        ("mean=96.4 (± 0.3)", "mean=96.1 (± 0.3)"),
        ("loss 0.30 (± 0.1)", "loss 0.20 (± 0.1)"),
        ("a weight of -0.02 (± 0.05)", "a weight of 0.01 (± 0.05)"),
        ("about 1,234 pictures (± 10)", "about 1,226 pictures (± 10)"),
        ("3 seeds: 96.1 95.8 96.4 (each ± 0.5)", "3 seeds: 96.4 95.5 96.0 (each ± 0.5)"),
        ("loss: 0.5 (each ± 0.1), right: 81 % (each ± 2)", "loss: 0.6 (each ± 0.1), right: 79 % (each ± 2)"),
        ("1.0 2.0 (each ± 0.1) and 30 (each ± 5)", "1.1 1.9 (each ± 0.1) and 34 (each ± 5)"),
        ('<img src="data:image/png;base64,AA" alt="7 (± 1)">', '<img src="data:image/png;base64,BB" alt="8 (± 1)">'),
        ("(26, 26, 2) and no tolerance", "(26, 26, 2) and no tolerance"),
    ],
)
def test_numbers_within_their_tolerance_agree(stored: str, fresh: str) -> None:
    assert agree(fresh, stored)


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [
        ("held out: 85 % (± 2)", "held out: 88 % (± 2)"),
        ("held out: 85 % (± 2)", "held out: 82 % (± 2)"),
        ("held out: 85 % (± 2)", "held out: 85 % (± 3)"),
        ("held out: 85 % (± 2)", "held out: nan % (± 2)"),
        ("held out: 85 % (± 2)", "held out: 85 %"),
        ("held out: 85 %", "held out: 85 % (± 2)"),
        ("held out: 85 % (± 2)", "held in: 85 % (± 2)"),
        ("held out: 85 % (± 2)", ""),
        ("3 seeds: 96.1 95.8 (each ± 0.5)", "4 seeds: 96.1 95.8 (each ± 0.5)"),
        ("3 seeds: 96.1 95.8 (each ± 0.5)", "3 seeds: 96.1 (each ± 0.5)"),
        ("3 seeds: 96.1 95.8 (each ± 0.5)", "3 seeds: 96.1 95.8 95.9 (each ± 0.5)"),
        ("3 seeds: 96.1 95.8 (each ± 0.5)", "3 seeds: 96.1 95.2 (each ± 0.5)"),
        ("steps 3\nloss 0.5 (each ± 1)", "steps 4\nloss 0.5 (each ± 1)"),
        ("1.0 2.0 (each ± 0.1) and 30 (each ± 5)", "1.5 2.0 (each ± 0.1) and 30 (each ± 5)"),
        ("1.0 2.0 (each ± 0.1) and 30", "1.0 2.0 (each ± 0.1) and 31"),
        ("12 filters, 85 (± 2)", "13 filters, 85 (± 2)"),
        ("v85 (± 2)", "v86 (± 2)"),
        ('<img src="data:image/png;base64,AA" alt="7">', '<img src="data:image/png;base64,AA" alt="8">'),
        ("26", "26.0"),
    ],
)
def test_everything_else_is_compared_exactly(stored: str, fresh: str) -> None:
    assert not agree(fresh, stored)


def stream(name: str, text: str) -> Any:
    return nbformat.v4.new_output("stream", name=name, text=text)


def test_outputs_are_paired_by_kind_and_order() -> None:
    def shown(text: str) -> Any:
        return nbformat.v4.new_output("display_data", {"text/plain": text})

    stored = [stream("stdout", "1 (± 1)"), shown("5 (± 1)"), shown("9 (± 1)")]
    fresh = [stream("stdout", "2 (± 1)"), shown("6 (± 1)"), shown("7 (± 1)"), stream("stderr", "1 (± 1)")]
    texts = [output.get("text") or output.data["text/plain"] for output in settled(fresh, stored)]
    assert texts == ["1 (± 1)", "5 (± 1)", "7 (± 1)", "1 (± 1)"]
    assert fresh[0].text == "2 (± 1)"  # the outputs that were given stay as they were


@pytest.mark.slow
def test_nbval_takes_a_number_within_its_tolerance_and_nothing_else(
    tmp_path: Path, nbval: Callable[[Path], list[int]]
) -> None:
    good = ["print('right: 97 % (± 2)')", "print('right: 94 % (± 2)')"]
    bad = ["right: 99 % (± 2)", "right: 96 % (± 3)", "wrong: 96 % (± 2)", "right: % (± 2)", "right: 96 %", ""]
    fresh = [*good, *(f"print({words!r})" for words in bad), "1"]
    cells = [nbformat.v4.new_code_cell("print('right: 96 % (± 2)')") for _ in fresh]
    notebook = run(nbformat.v4.new_notebook(cells=cells))
    for cell, source in zip(notebook.cells, fresh, strict=True):
        cell.source = source
    nbformat.write(notebook, tmp_path / "number.ipynb")
    assert nbval(tmp_path / "number.ipynb") == list(range(len(good), len(fresh)))
