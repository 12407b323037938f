"""How JupyterLab opens the tour: at its first page, without asking anybody for news, leaving Git no more than outputs.

It is given to ``jupyter lab --config=``. The repository's root is served, so that links out of the notebooks work; the
notebooks are trusted, so that interactive pictures work before they are run; what is saved gets the stored metadata,
which would else tell the version of Python, and no views of widgets, which end with their kernel. What is opened tells
that version, or JupyterLab would write it in and call the page unsaved.
"""

from pathlib import Path
import sys
from typing import Any
import warnings

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
import nbformat
from nbformat.sign import NotebookNotary
import zmq

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from store_notebooks import KEPT, METADATA, lasting  # noqa: E402


def is_of_tour(model: dict[str, Any], path: str) -> bool:
    """Whether this is one of the tour's notebooks."""
    return bool(model["type"] == "notebook" and path.strip("/").startswith("notebooks/"))


class Contents(AsyncLargeFileManager):
    """Opens a notebook of the tour with what its kernel will say of its language."""

    async def get(self, path: str, content: bool = True, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read a file or a folder."""
        model: dict[str, Any] = await super().get(path, content, *args, **kwargs)  # type: ignore[no-untyped-call]
        if content and is_of_tour(model, path):
            model["content"]["metadata"]["language_info"] = IPythonKernel.language_info
        return model


def keep_form(model: dict[str, Any], path: str, **kwargs: Any) -> None:
    """Before a notebook of the tour is saved: put its metadata back as stored, leave out what ends with its kernel."""
    if is_of_tour(model, path):
        known = model["content"]["metadata"].get("convtour")
        model["content"]["metadata"] = METADATA | ({"convtour": known} if known else {})
        stored = ROOT / path.strip("/")
        cells = nbformat.read(stored, as_version=4).cells if stored.exists() else []
        known_cells = {cell.id: dict(cell.metadata) for cell in cells}
        for cell in model["content"]["cells"]:
            kept = {key: value for key, value in cell["metadata"].items() if key in KEPT}
            is_trusted = cell["metadata"].get("trusted")
            cell["metadata"] = known_cells.get(cell.get("id"), kept)
            if cell["cell_type"] == "code":
                cell["outputs"] = lasting(cell["outputs"])
                if is_trusted:  # what Jupyter takes out again as it signs
                    cell["metadata"]["trusted"] = True


for notebook in (ROOT / "notebooks").glob("*.ipynb"):
    NotebookNotary().sign(nbformat.read(notebook, as_version=4))

warnings.filterwarnings("ignore", "Overriding existing pre_save_hook")  # JupyterLab reads this file twice
c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.ServerApp.root_dir = str(ROOT)
c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.LabApp.app_settings_dir = str(Path(__file__).parent)
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.ServerApp.contents_manager_class = Contents
if zmq.has("curve"):  # or each kernel warns, in the terminal, that others may listen
    c.KernelManager.transport_encryption = "auto"
c.ContentsManager.pre_save_hook = keep_form
