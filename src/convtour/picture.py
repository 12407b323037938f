"""Figures that say what they show.

Every function here returns a `Picture`: a matplotlib figure with a sentence that is read back from what was drawn, not
from what was meant to be drawn. In a notebook the picture carries that sentence as its alt text and as its plain text,
and shows it folded up beneath. A screen reader can read it, and a test that compares text notices a wrong curve.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
import html
import io
import os
from pathlib import Path
from typing import Any

from convtour._checks import brief, path_of
from convtour._files import write
import matplotlib as mpl
from matplotlib.figure import Figure

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#8C8C8C"
PALETTE = (BLUE, VERMILION, "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
STYLE = Path(__file__).with_name("convtour.mplstyle")


class Picture(Figure):
    """A matplotlib figure with a description in words.

    It is made without pyplot, so that nothing is shown twice and nothing stays open; ``savefig`` and ``axes`` work as
    usual.

    Taught in notebook ``01_convolution_by_hand``.

    Attributes
    ----------
    description : str
        What the figure shows, with its numbers.

    Examples
    --------
    >>> from convtour import plot_folds
    >>> picture = plot_folds(n_samples=4, n_folds=2)
    >>> print(picture.description)
    4 samples in 2 folds. Held out: fold 1: samples 2 3; fold 2: samples 0 1. Every sample is held out exactly once.
    """

    description: str = ""

    def __repr__(self) -> str:
        return self.description or super().__repr__()

    __str__ = __repr__

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, str], dict[str, Any]]:
        """What Jupyter displays: the picture with its alt text and, folded up beneath it, its words.

        JupyterLab and nbconvert pass alt text on in HTML alone; the PNG is for viewers that take no HTML.
        """
        png, width = base64.b64encode(self._png()).decode(), round(100 * self.get_figwidth())
        page = (
            f'<figure style="margin: 0"><img src="data:image/png;base64,{png}" alt="{html.escape(self.description)}" '
            f'width="{width}" style="max-width: 100%; height: auto"><details><summary>The picture in words</summary>'
            f"{html.escape(self.description, quote=False)}</details></figure>"
        )
        data = {"text/html": page, "image/png": png, "text/plain": self.description}
        return data, {"image/png": {"width": width}}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as PNG, and its description into it and beside it, as ``.txt``.

        Parameters
        ----------
        path : path
            A file name that ends in ``.png``, in a folder that exists. A file that is there already is replaced, whole.

        Raises
        ------
        ValueError
            If the name ends otherwise or the folder does not exist.
        """
        target = Path(path_of("path", path))
        if target.suffix != ".png" or not target.parent.is_dir():
            raise ValueError(f"path={brief(target)}: expected a name that ends in .png, in a folder that exists.")
        write(target, self._png())
        write(target.with_suffix(".txt"), f"{self.description}\n".encode())

    def _png(self) -> bytes:
        buffer, about = io.BytesIO(), {"Software": None, "Description": self.description}
        with mpl.rc_context(fname=STYLE):
            self.savefig(buffer, format="png", metadata=about)
        return buffer.getvalue()


@contextmanager
def styled(**kwargs: Any) -> Iterator[Picture]:
    """A new picture, in the tour's style while it is drawn."""
    with mpl.rc_context(fname=STYLE):
        yield Picture(**kwargs)
