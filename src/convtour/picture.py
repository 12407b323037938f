"""Figures that say what they show.

Every function here returns a `Picture`: a matplotlib figure with a sentence that is read back from what was drawn, not
from what was meant to be drawn. In a notebook the picture carries that sentence as its alt text and as its plain text,
and shows it folded up beneath. A screen reader can read it, and a test that compares text notices a wrong curve.
"""

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

BLUE, VERMILION = "#0072B2", "#D55E00"
STYLE = Path(__file__).with_name("convtour.mplstyle")


class Picture(Figure):
    """A matplotlib figure with a description in words.

    It is made without pyplot, so that nothing is shown twice and nothing stays open; ``savefig`` and ``axes`` work as
    usual.

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

    def _ipython_display_(self) -> None:
        """Show the picture and, folded up beneath it, its words: JupyterLab gives a screen reader no alt text."""
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)
        words = html.escape(self.description, quote=False)
        display({"text/html": f"<details><summary>The picture in words</summary>{words}</details>"}, raw=True)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """What Jupyter displays: the picture, its alt text, and the same sentence as plain text."""
        about = {"alt": self.description, "width": round(100 * self.get_figwidth())}
        return {"image/png": self._png(), "text/plain": self.description}, {"image/png": about}

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
        buffer = io.BytesIO()
        with mpl.rc_context(fname=STYLE):
            self.savefig(buffer, format="png", metadata={"Software": None, "Description": self.description})
        return buffer.getvalue()


@contextmanager
def styled(**kwargs: Any) -> Iterator[Picture]:
    """A new picture, in the tour's style while it is drawn."""
    with mpl.rc_context(fname=STYLE):
        yield Picture(**kwargs)
