"""Run every notebook from a clean start and store its outputs.

Usage: python tools/store_notebooks.py [--check] [NOTEBOOK ...]

What is stored is the same, byte for byte, when nothing has changed: no timings, no volatile metadata, cell ids kept,
streams joined, tracebacks cut down to the error itself. A hash of the code goes into the metadata, so that a test can
tell outputs that are older than their code. A notebook is written aside and moved into place, and only if it changed.
``--check`` runs nothing: it says which notebooks are not in that form, or whose code was edited since.
"""

import argparse
import hashlib
import os
from pathlib import Path
import sys
from typing import Any

from nbclient import NotebookClient
import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
KEPT = ("tags", "jupyter")  # of a cell's metadata; the second says what JupyterLab shows folded
WIDGET = "application/vnd.jupyter.widget-view+json"
Notebook = Any


def code_hash(notebook: Notebook) -> str:
    """SHA-256 over the source of all code cells, in order."""
    sources = (cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def run(notebook: Notebook) -> Notebook:
    """Execute a copy of the notebook in a new kernel, in the notebooks' folder."""
    fresh = nbformat.from_dict(notebook)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        fresh,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    environment = {name: value for name, value in os.environ.items() if name != "CONVTOUR_DATA"}
    client.execute(env={**environment, "TQDM_DISABLE": "1"})  # a progress bar never comes out the same twice
    return canonical(fresh)


def canonical(notebook: Notebook) -> Notebook:
    """The one form in which a notebook is stored."""
    notebook.metadata = nbformat.from_dict({**METADATA, "convtour": {"code_sha256": code_hash(notebook)}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        kept = {name: cell.metadata[name] for name in KEPT if cell.metadata.get(name)}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type == "code":
            cell.outputs = lasting(cell.outputs)
        for output in cell.get("outputs", []):
            if output.output_type == "error":  # a full traceback names files of this machine
                output.traceback = [f"{output.ename}: {output.evalue}"]
    return notebook


def lasting(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Outputs without views of widgets, which end with their kernel; what was printed around one is joined."""
    kept = list[dict[str, Any]]()
    for output in outputs:
        data = output.get("data", {})
        if data.pop(WIDGET, None) is not None and not data.keys() - {"text/plain"}:
            continue
        if kept and output["output_type"] == "stream" and kept[-1].get("name") == output["name"]:
            kept[-1]["text"] += output["text"]
        else:
            kept.append(output)
    return kept


def stored_form(notebook: Notebook) -> str:
    """The text of the stored file."""
    return str(nbformat.writes(notebook)) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="run nothing, write nothing; say what is not as stored")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all in notebooks/")
    options = parser.parse_args()
    stale = 0
    for path in options.notebooks or sorted(NOTEBOOKS.glob("*.ipynb")):
        before = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(before, as_version=4)
        if options.check:
            is_stale = stored_form(canonical(notebook)) != before
            stale += is_stale
            print(f"{path.name}: {'run make notebooks' if is_stale else 'as stored'}")
            continue
        after = stored_form(run(notebook))
        if after != before:
            aside = path.with_suffix(".part")
            aside.write_text(after, encoding="utf-8")
            aside.replace(path)
        print(f"{path.name}: {'stored' if after != before else 'unchanged'}", flush=True)
    return min(stale, 1)


if __name__ == "__main__":
    sys.exit(main())
