"""A kernel to play with: it slides over a digit and fills a map, with Keras's own map beside it.

Like the explorer of the layer's settings (``explorer.py``), what a notebook stores is one piece of HTML with its
numbers and a script, and its bytes are the same every time.
"""

from dataclasses import dataclass
from typing import Any

from convtour._checks import finite_numbers
from convtour.layers.explorer import page
import keras
import numpy as np
import numpy.typing as npt

# Wholes and eighths, which every kind of float holds exactly: Keras's numbers are then the same on every machine.
_KERNELS: dict[str, list[list[float]]] = {
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "blur": [[0.125, 0.125, 0.125], [0.125, 0, 0.125], [0.125, 0.125, 0.125]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "vertical edges": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "horizontal edges": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "outline": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
}

_FALLBACK = """\
<p>{description}</p>
<p>Here is where you would move the kernel yourself. That takes JavaScript and, in Jupyter, a trusted notebook: run the
cell, or choose Trust Notebook in the command palette. Meanwhile, here is the digit.</p>
<pre>{digit}</pre>"""


@dataclass(frozen=True, eq=False, repr=False)
class KernelExplorer:
    """An interactive picture of one 3x3 kernel on one digit.

    In a notebook it displays itself. It works with the mouse or the keyboard, and offline.

    Attributes
    ----------
    image : array of uint8, shape (28, 28)
        The digit, in grey values 0 to 255.
    maps : dict
        For the name of each ready-made kernel, the map that Keras made of the digit, an array of float of shape
        (26, 26).

    Examples
    --------
    >>> explorer = explore_kernel(np.eye(28))
    >>> explorer.maps["blur"][0, :4]
    array([63.75 , 63.75 , 31.875,  0.   ])
    """

    image: npt.NDArray[np.uint8]
    maps: dict[str, npt.NDArray[np.float64]]

    @property
    def description(self) -> str:
        """What it holds: the ready-made kernels, and from where to where Keras's map of each runs."""
        ranges = [f"{name} from {seen.min():g} to {seen.max():g}" for name, seen in self.maps.items()]
        return (
            "Kernel explorer: a 3×3 kernel slides over a digit of 28×28 pixels, 0 to 255, and fills a map of 26×26 "
            f"numbers. Keras's own maps: {', '.join(ranges)}."
        )

    def __repr__(self) -> str:
        return self.description

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        """What Jupyter displays: the picture with its script, and what it holds as plain text."""
        maps = {name: [[_short(number) for number in row] for row in seen.tolist()] for name, seen in self.maps.items()}
        data = {"image": self.image.tolist(), "kernels": _KERNELS, "maps": maps}
        digit = "\n".join("".join(2 * " ░▒▓█"[value // 52] for value in row) for row in self.image)
        html = page("kernel_explorer", _FALLBACK.format(description=self.description, digit=digit), data)
        return {"text/html": html, "text/plain": self.description}


def explore_kernel(image: npt.ArrayLike) -> KernelExplorer:
    """Make an interactive picture of a 3x3 kernel that slides over a digit, with Keras's own map beside it.

    The reader chooses a kernel or writes one, plays, steps or drags the window over the digit, and watches each number
    of the map being made. Keras is asked now, for every ready-made kernel; afterwards the picture needs no
    Python.

    Taught in notebook ``00_start_here``.

    Parameters
    ----------
    image : array-like, shape (28, 28) or (28, 28, 1)
        A digit: whole numbers 0 to 255, or floats 0 to 1, which are brought to the nearest of 256 grey values so that
        every sum can be checked by eye.

    Returns
    -------
    KernelExplorer
        Displays itself in a notebook. Its ``maps`` are there to be read, too.

    Raises
    ------
    ValueError
        If the image has another shape or values out of range.
    TypeError
        If it does not hold numbers.

    Examples
    --------
    >>> image = np.zeros((28, 28), "uint8")
    >>> image[:, 14:] = 255
    >>> explore_kernel(image).maps["vertical edges"][0, 10:16]
    array([  0.,   0., 765., 765.,   0.,   0.])
    """
    pixels = _check_image(image)
    kernels = np.array(list(_KERNELS.values()), np.float32)
    # One layer with a filter for each kernel.
    outputs = keras.ops.conv(
        pixels[np.newaxis, ..., np.newaxis].astype(np.float32),
        kernels.transpose(1, 2, 0)[:, :, np.newaxis],
        data_format="channels_last",
    )
    # All are eighths: this takes away what a fast algorithm on a GPU may have added, and the minus of a zero.
    maps = np.rint(8 * keras.ops.convert_to_numpy(outputs)[0].astype(np.float64)) / 8 + 0.0
    return KernelExplorer(pixels, dict(zip(_KERNELS, np.moveaxis(maps, -1, 0), strict=True)))


def _check_image(image: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return the digit in 256 grey values, or say what is wrong with it."""
    values = finite_numbers("image", image)
    if values.shape not in ((28, 28), (28, 28, 1)):
        raise ValueError(f"image has shape {values.shape}; expected one digit, (28, 28) or (28, 28, 1).")
    white = 255 if np.issubdtype(values.dtype, np.integer) else 1
    if values.min() < 0 or values.max() > white:
        raise ValueError(
            f"image runs from {values.min()} to {values.max()}; expected whole numbers 0 to 255 or floats 0 to 1."
        )
    pixels: npt.NDArray[np.uint8] = np.rint(values.reshape(28, 28) * (255 // white)).astype(np.uint8)
    return pixels


def _short(number: float) -> float:
    """A number as JSON writes it shortest: whole ones without a point."""
    return int(number) if number.is_integer() else number
