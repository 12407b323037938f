"""The stored notebooks: complete, clean, fresh, and held to their own numbers.

nbval compares outputs, but not pictures, prose, or a cell that was never run; what it lets through is held here.
"""

import base64
from collections.abc import Callable
import copy
import html
import io
from pathlib import Path
import re
from typing import Any

from check_prose import unsupported
from make_cheatsheet import PLACE, cheatsheet
import nbformat
from PIL import Image
import pytest
from store_notebooks import canonical, code_hash, stored_form

ROOT = Path(__file__).parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
Notebook = Any

# The one tag that loosens a check: a cell that is meant to fail.
ALLOWED_TAGS = {"raises-exception"}


def read(path: Path) -> Notebook:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: Notebook) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def problems(notebook: Notebook) -> list[str]:
    """Everything that is wrong with a stored notebook apart from its prose."""
    found = []
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    if [cell.execution_count for cell in cells] != list(range(1, len(cells) + 1)):
        found.append("not run from top to bottom in one go")
    if notebook.metadata.get("convtour", {}).get("code_sha256") != code_hash(notebook):
        found.append("the code has changed since the outputs were stored")
    for cell in cells:
        tags = set(cell.metadata.get("tags", []))
        lines = [line for line in cell.source.splitlines() if line.strip()]
        kinds = [output.output_type for output in cell.outputs]
        if tags - ALLOWED_TAGS:
            found.append(f"{cell.id}: tags {tags - ALLOWED_TAGS}")
        if ("error" in kinds) != ("raises-exception" in tags):
            found.append(f"{cell.id}: fails without saying so, or says so without failing")
        if len(lines) > 15:
            found.append(f"{cell.id}: {len(lines)} lines of code")
        if not lines:
            found.append(f"{cell.id}: empty")
        if re.search("NBVAL_|PYTEST_VALIDATE", cell.source):  # nbval takes such comments for tags
            found.append(f"{cell.id}: a comment that loosens the check")
        for output in cell.outputs:
            if output.get("name") == "stderr":
                found.append(f"{cell.id}: wrote to standard error")
            found += [f"{cell.id}: {problem}" for problem in picture_problems(output)]
    return found


def picture_problems(output: Any) -> list[str]:
    """What is wrong with a stored picture: no words, or other words than were drawn into it."""
    data = output.get("data", {})
    if "image/png" not in data:
        return ["a figure without its picture"] if "<Figure" in str(data.get("text/plain")) else []
    words, page = data.get("text/plain", ""), data.get("text/html", "")
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    alt = html.unescape("".join(re.findall('<img src="data:[^"]*" alt="([^"]*)"', page)))
    folded = html.unescape("".join(re.findall("</summary>(.*)</details>", page, re.DOTALL)))
    if not (len(words) > 40 and words == alt == folded == image.info.get("Description")):
        return ["picture, alt text, folded words and plain text do not say the same"]
    return [] if data["image/png"] in page else ["the picture in HTML is another one"]


def test_there_are_notebooks() -> None:
    assert PATHS


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_is_complete_clean_and_fresh(path: Path) -> None:
    assert problems(read(path)) == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_in_its_one_form(path: Path) -> None:
    assert stored_form(canonical(read(path))) == path.read_text(encoding="utf-8"), "run make notebooks"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_prose_says_nothing_that_code_and_outputs_do_not(path: Path) -> None:
    assert unsupported(read(path)) == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_links_within_the_repository_lead_somewhere(path: Path) -> None:
    prose = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)#\s]+)", prose):
        if "://" not in target:
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_opens_with_a_title_and_what_it_costs_and_ends_with_exercises_and_reading(path: Path) -> None:
    prose = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    assert prose[0].startswith("# ")
    for promise in ("**What you will see.**", "**What you need.**", "**What it costs.**"):
        assert promise in prose[0]
    assert "## Exercises" in "\n".join(prose)
    assert "## Further reading" in prose[-1]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_card_of_five_sentences_and_the_calls_ends_a_notebook(path: Path) -> None:
    *_, card, _ = read(path).cells
    assert card.id == "card"
    assert card.source.startswith("## In short\n")
    assert len(re.findall("^- ", card.source, re.MULTILINE)) == 5
    assert "**Calls.**" in card.source
    assert len(card.source.split()) <= 130


def test_the_cheatsheet_is_made_of_the_cards() -> None:
    assert cheatsheet() == PLACE.read_text(encoding="utf-8"), "run make cheatsheet"


# The checks above must be able to fail: each of these changes a good notebook in one way.


@pytest.fixture
def baseline() -> Notebook:
    return read(ROOT / "notebooks" / "06_mnist_baseline.ipynb")


def find(notebook: Notebook, cell_id: str) -> Any:
    return next(cell for cell in notebook.cells if cell.id == cell_id)


def picture_of(cell: Any) -> Any:
    return next(output for output in cell.outputs if "image/png" in output.get("data", {}))


def never_run(notebook: Notebook) -> None:
    find(notebook, "conv").update(execution_count=None, outputs=[])


def other_code(notebook: Notebook) -> None:
    find(notebook, "conv").source += "\n# edited"


def skipped(notebook: Notebook) -> None:
    find(notebook, "conv").metadata["tags"] = ["nbval-skip"]


def loosened_by_a_comment(notebook: Notebook) -> None:
    find(notebook, "conv").source += "\n# NBVAL_IGNORE_OUTPUT"
    notebook.metadata["convtour"]["code_sha256"] = code_hash(notebook)


def unexpected_error(notebook: Notebook) -> None:
    find(notebook, "conv").outputs.append(
        nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    )


def standard_error(notebook: Notebook) -> None:
    find(notebook, "conv").outputs.append(nbformat.v4.new_output("stream", name="stderr", text="a warning"))


def swapped_pictures(notebook: Notebook) -> None:
    one, other = (picture_of(find(notebook, cell_id)).data for cell_id in ("curves", "stored"))
    for kind in ("image/png", "text/html"):
        one[kind], other[kind] = other[kind], one[kind]


def other_picture_in_html(notebook: Notebook) -> None:
    one, other = (picture_of(find(notebook, cell_id)).data for cell_id in ("curves", "stored"))
    one["text/html"] = one["text/html"].replace(one["image/png"], other["image/png"])


def dropped_alt_text(notebook: Notebook) -> None:
    data = picture_of(find(notebook, "curves")).data
    data["text/html"] = re.sub(' alt="[^"]*"', "", data["text/html"])


def other_folded_words(notebook: Notebook) -> None:
    data = picture_of(find(notebook, "curves")).data
    data["text/html"] = data["text/html"].replace("</details>", " more</details>")


def dropped_picture(notebook: Notebook) -> None:
    output = picture_of(find(notebook, "curves"))
    output["data"] = {"text/plain": "<Figure size 900x380>"}


def long_cell(notebook: Notebook) -> None:
    find(notebook, "conv").source = "\n".join(f"x = {line}" for line in range(16))
    notebook.metadata["convtour"]["code_sha256"] = code_hash(notebook)


@pytest.mark.parametrize(
    "change",
    [
        never_run,
        other_code,
        skipped,
        loosened_by_a_comment,
        unexpected_error,
        standard_error,
        swapped_pictures,
        other_picture_in_html,
        dropped_alt_text,
        other_folded_words,
        dropped_picture,
        long_cell,
    ],
)
def test_a_spoiled_notebook_is_noticed(baseline: Notebook, change: Any) -> None:
    spoiled = copy.deepcopy(baseline)
    change(spoiled)
    assert problems(spoiled) != []


@pytest.mark.parametrize(
    ("cell_id", "true", "false"),
    [
        ("onehot-why", "a 3", "a 3.5"),
        ("load-showed", "8,000 pictures", "8,100 pictures"),
        ("prep-showed", "3x3", "3x4"),
        ("no-flatten-showed", "13x13", "14x13"),
        ("conv-params-showed", "320", "321"),
        ("dense-showed", "99.8 %", "98.9 %"),
        ("own", "(n, steps, channels)", "(n, 77, 13)"),
    ],
)
def test_false_prose_is_noticed(baseline: Notebook, cell_id: str, true: str, false: str) -> None:
    cell = find(baseline, cell_id)
    assert true in cell.source
    cell.source = cell.source.replace(true, false)
    assert unsupported(baseline) != []


@pytest.mark.parametrize(
    "prose",
    [
        "It was 77.7 %.",
        "## Result\nThe accuracy is 77.7 %.",
        "`model.layers[0](x)` has 77.7 %.",
        "It was 77.7 %, [see below](#below).",
        "![77.7 %](picture.png)",
        "There are 99_999 images.",
        "- [a source](https://example.org) says so\n- and this is 77.7",
        "| [a source](https://example.org) | so |\n| 77.7 | and this |",
        "See [a source](https://example.org):\n| a | 77.7 |",
        "A shape of (26, 27).",
        "A shape of 26x27.",
    ],
)
def test_what_nothing_proves_is_noticed(prose: str) -> None:
    cells = nbformat.v4.new_markdown_cell(prose), nbformat.v4.new_code_cell("x = (26, 26, 32), 27  # 77.7")
    assert unsupported(nbformat.v4.new_notebook(cells=list(cells))) != []


@pytest.mark.parametrize(
    "prose",
    [
        "1. First, of 26x32.",
        "The shape is (26, 32), or 1,600 in all, that is 0.5.",
        "Conv1D and 2-D, see 06_mnist_baseline and [the table of 77.7](https://example.org).",
        "# 77 things\n\n```\n77\n```",
    ],
)
def test_what_is_proved_passes(prose: str) -> None:
    code = nbformat.v4.new_code_cell("shape = (None, 26, 32)")
    code.outputs = [nbformat.v4.new_output("stream", name="stdout", text="1600 of them, 0.50")]
    assert unsupported(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(prose), code])) == []


MINIATURE = """
from types import SimpleNamespace
from convtour import summarize_diagnostics
curves = {"loss": [1.0, 0.5], "accuracy": [0.5, 0.8], "val_loss": [1.1, 0.7], "val_accuracy": [0.4, 0.7]}
summarize_diagnostics([SimpleNamespace(history=curves)])
"""


@pytest.mark.slow
def test_nbval_sees_a_wrong_curve(tmp_path: Path, nbval: Callable[[Path], list[int]]) -> None:
    """Outputs are stored with one curve and checked with another."""
    from store_notebooks import run

    notebook = run(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(MINIATURE) for _ in range(3)]))
    notebook.cells[1].source = MINIATURE.replace("0.7]", "0.6]")
    notebook.cells[2].source = MINIATURE.replace('"val_loss": [1.1', '"val_loss": [1.2')
    nbformat.write(notebook, tmp_path / "curve.ipynb")
    assert nbval(tmp_path / "curve.ipynb") == [1, 2]


def test_storing_twice_gives_the_same_bytes() -> None:
    from store_notebooks import run

    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(MINIATURE), nbformat.v4.new_code_cell("1 / 0")]
    )
    notebook.cells[1].metadata["tags"] = ["raises-exception"]
    once = run(notebook)
    assert stored_form(once) == stored_form(run(once))
    assert problems(once) == []
    assert str(ROOT) not in stored_form(once)


def test_a_bar_leaves_nothing_behind_and_what_was_printed_around_it_is_one_piece() -> None:
    from store_notebooks import WIDGET, lasting

    def said(text: str, name: str = "stdout") -> Any:
        return nbformat.v4.new_output("stream", name=name, text=text)

    def view(**others: str) -> Any:
        return nbformat.v4.new_output("display_data", {WIDGET: "random", "text/plain": "a bar", **others})

    pad = {"text/html": "<p>a pad</p>", "text/plain": "a pad"}
    outputs = [view(), said("one\n"), view(), said("two\n"), said("oh", "stderr"), view(**pad), said("three")]
    kept = [said("one\ntwo\n"), said("oh", "stderr"), nbformat.v4.new_output("display_data", pad), said("three")]
    assert lasting(outputs) == kept
