"""MNIST from three places, checked, and its pixels scaled."""

from collections.abc import Callable
import hashlib
import io
import math
import os
from pathlib import Path
from typing import IO, Any
import zipfile

from convtour._checks import brief, numbers, path_of
import numpy as np
import numpy.typing as npt

SIDE, CLASSES = 28, 10

# The four files that MNIST was published in: how many images or labels, and the MD5 sum, uncompressed.
_MNIST = {
    "x_train": (60_000, "6bbc9ace898e44ae57da46a324031adb"),
    "y_train": (60_000, "a25bea736e30d166cdddb491f175f624"),
    "x_test": (10_000, "2646ac647ad5339dbf082846283269ea"),
    "y_test": (10_000, "27ae3e4e09519cfbb04c329615203637"),
}
_MOST_IMAGES = 1_000_000

_Images = npt.NDArray[np.uint8]
_Float = npt.NDArray[np.float32]
_Array = npt.NDArray[Any]


def load_dataset(source: str | os.PathLike[str] | None = None) -> tuple[_Images, _Float, _Images, _Float]:
    """Load MNIST: images of handwritten digits, and which digit each one is.

    Taught in notebook ``06_mnist_baseline``.

    Parameters
    ----------
    source : {"sample", "full"} or path, optional
        ``"sample"`` is 8,000 + 2,000 images that come with the package and need no network.
        ``"full"`` is all 60,000 + 10,000: from the file that the environment variable ``CONVTOUR_DATA`` names, if it
        names one, otherwise through ``keras.datasets.mnist``, which downloads them once and keeps them.
        Anything else is the path of an ``.npz`` file in the layout of Keras's ``mnist.npz``: ``x_train`` and ``x_test``
        uint8 ``(n, 28, 28)``, ``y_train`` and ``y_test`` whole numbers 0 to 9 ``(n,)``.
        ``None`` takes what ``CONVTOUR_DATA`` says, and the sample where it says nothing.

    Returns
    -------
    x_train : ndarray of uint8, shape (n_train, 28, 28, 1)
        Grey values, 0 (paper) to 255 (ink).
    y_train : ndarray of float32, shape (n_train, 10)
        One-hot labels: 1 in the column of the digit, 0 elsewhere.
    x_test, y_test : ndarray
        The same for the test set.

    Raises
    ------
    FileNotFoundError
        If there is no file at the path.
    ValueError
        If the file is not an ``.npz`` of that layout, is damaged, holds pickled objects (a file of yours is never
        unpickled), or has the size of MNIST but is not MNIST.
    TypeError
        If ``source`` is neither a name nor a path.
    ConnectionError
        If ``"full"`` is not there and cannot be downloaded.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.

    Examples
    --------
    >>> x_train, y_train, x_test, y_test = load_dataset("sample")
    >>> x_test.shape, x_test.dtype, y_test.shape
    ((2000, 28, 28, 1), dtype('uint8'), (2000, 10))
    >>> y_test[0].argmax().item(), y_test[0].sum().item()
    (0, 1.0)
    """
    named = os.environ.get("CONVTOUR_DATA") or "sample"
    source = named if source is None else path_of("source", source)
    if source == "sample":
        arrays = _read_npz(_sample_path())
    elif source == "full" and named in ("sample", "full"):
        arrays = _download()
    else:
        arrays = _read_npz(Path(os.path.expanduser(named if source == "full" else source)))
        if source == "full" and not _has_size_of_mnist(arrays):
            raise ValueError(
                f"{named}: CONVTOUR_DATA names this file, but it holds {len(arrays['x_train'])} + "
                f"{len(arrays['x_test'])} images where full MNIST has 60000 + 10000. Unset the variable to let Keras "
                "download MNIST, or pass the path itself to use this file as it is."
            )
    x_train, y_train, x_test, y_test = (arrays[name] for name in _MNIST)
    one_hot = np.eye(CLASSES, dtype=np.float32)
    return x_train[..., np.newaxis], one_hot[y_train], x_test[..., np.newaxis], one_hot[y_test]


def prep_pixels(train: npt.ArrayLike, test: npt.ArrayLike) -> tuple[_Float, _Float]:
    """Scale pixels from whole numbers 0..255 to float32 in 0..1.

    Taught in notebook ``06_mnist_baseline``.

    Parameters
    ----------
    train, test : array-like of integers
        Pixels of any shape, 0 to 255, as ``load_dataset`` returns them. They are left as they are.

    Returns
    -------
    train_norm, test_norm : ndarray of float32
        The same shapes; 0 is 0.0 and 255 is 1.0.

    Raises
    ------
    ValueError
        If a value is not a whole number from 0 to 255; pixels that are scaled already are told so.
    TypeError
        If the pixels are not numbers.

    Examples
    --------
    >>> train_norm, test_norm = prep_pixels(np.array([[0, 51, 255]], dtype="uint8"), np.array([[102]], dtype="uint8"))
    >>> train_norm.tolist(), test_norm.dtype
    ([[0.0, 0.20000000298023224, 1.0]], dtype('float32'))
    """
    return _scaled("train", train), _scaled("test", test)


def _scaled(name: str, pixels: npt.ArrayLike) -> _Float:
    values = numbers(name, pixels)
    if values.dtype.kind not in "iu":
        raise ValueError(
            f"{name} holds {values.dtype}; expected whole numbers 0 to 255, such as uint8. Pixels already scaled "
            'to 0..1 need no second scaling; whole numbers kept as floats go through .astype("uint8") first.'
        )
    if values.size and (values.min() < 0 or values.max() > 255):
        raise ValueError(f"{name} runs from {values.min()} to {values.max()}; expected pixels from 0 to 255.")
    scaled = values.astype(np.float32)
    scaled /= 255.0
    return scaled


def _sample_path() -> Path:
    """Where the embedded digits lie: in the package of a wheel, in ``data/`` of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "mnist-10k.npz"
    return installed if installed.exists() else package.parents[1] / "data" / "mnist-10k.npz"


def _download() -> dict[str, _Array]:
    """Full MNIST from Keras's cache, or from the network on the first call."""
    import keras

    try:
        train, test = keras.datasets.mnist.load_data()
    except Exception as error:  # Keras raises a bare Exception when the download fails
        raise ConnectionError(
            f'Full MNIST is not on this machine and could not be downloaded ({error}). Use load_dataset("sample"), '
            "which needs no network, or give the path of an mnist.npz that you already have."
        ) from None
    arrays = dict(zip(_MNIST, (*train, *test), strict=True))
    _check_layout("keras.datasets.mnist", arrays)
    _check_values("keras.datasets.mnist", arrays)
    return arrays


def _read_npz(path: Path) -> dict[str, _Array]:
    """Read and check a file in the layout of Keras's ``mnist.npz``, without ever unpickling."""
    if not os.path.exists(path):  # pathlib raises OSError where a name is too long
        raise FileNotFoundError(
            f'{path}: no such file. Expected a source "sample", "full" or the path of an mnist.npz; the sample needs '
            "no file."
        )
    if not path.is_file():
        raise ValueError(f"{path}: not a file; expected the path of an mnist.npz as the source.")
    _check_layout(str(path), _read_members(path, _read_header))  # before any data are inflated
    arrays = _read_members(path, lambda member, size: np.lib.format.read_array(member, allow_pickle=False))
    _check_values(str(path), arrays)
    return arrays


def _read_members(path: Path, read: Callable[[IO[bytes], int], _Array]) -> dict[str, _Array]:
    """Read each of the four files in an archive, or say which one is missing or damaged."""
    found, name = {}, "the archive"
    with path.open("rb") as file:  # what the system refuses, it says itself
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{path}: not a complete .npz archive; the file is cut short, damaged or of another kind.")
        try:
            with zipfile.ZipFile(file) as archive:
                for name in _MNIST:
                    with archive.open(f"{name}.npy") as member:
                        found[name] = read(member, archive.getinfo(f"{name}.npy").file_size)
        except Exception as error:  # a damaged header or stream makes NumPy and zipfile raise almost anything
            raise ValueError(
                f"{path}: {name} {'is not there' if isinstance(error, KeyError) else 'could not be read'}. Expected an "
                f".npz in the layout of Keras's mnist.npz: {', '.join(_MNIST)}, plain arrays without pickled objects."
            ) from None
    return found


def _read_header(member: IO[bytes], size: int) -> _Array:
    """Return an array of the shape and type that are announced, without its data: those can inflate to gigabytes."""
    start = io.BytesIO(member.read(2**14))  # NumPy takes no header of more than 10,000 bytes
    version = np.lib.format.read_magic(start)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(start)
    if size != start.tell() + math.prod(shape) * dtype.itemsize:
        raise ValueError("the data are not as long as the header says")
    return np.broadcast_to(np.zeros((), dtype), shape)  # one zero in memory, whatever the shape


def _check_layout(where: str, arrays: dict[str, _Array]) -> None:
    """Check shapes and types."""
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE) or not 1 <= images.shape[0] <= _MOST_IMAGES:
            raise ValueError(
                f"{where}: x_{part} is {brief(images.dtype)} {brief(images.shape)}; expected uint8 (n, {SIDE}, {SIDE}) "
                f"with n from 1 to {_MOST_IMAGES:,}."
            )
        if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
            raise ValueError(
                f"{where}: y_{part} is {brief(labels.dtype)} {brief(labels.shape)}; expected whole numbers "
                f"{images.shape[:1]}, one label for each image of x_{part}."
            )


def _check_values(where: str, arrays: dict[str, _Array]) -> None:
    """Check labels, and that what has MNIST's size is MNIST."""
    for name in ("y_train", "y_test"):
        low, high = arrays[name].min(), arrays[name].max()
        if low < 0 or high >= CLASSES:
            raise ValueError(f"{where}: {name} has labels from {low} to {high}; expected 0 to {CLASSES - 1}.")
    if _has_size_of_mnist(arrays):
        wrong = [name for name, (_, md5) in _MNIST.items() if _idx_md5(arrays[name]) != md5]
        if wrong:
            raise ValueError(
                f"{where}: it has the size of MNIST but is not MNIST: {', '.join(wrong)} differs from the published "
                "data. Fetch the file again; to train on other images, pass your own arrays to evaluate_model."
            )


def _has_size_of_mnist(arrays: dict[str, _Array]) -> bool:
    return all(len(arrays[name]) == size for name, (size, _) in _MNIST.items())


def _idx_md5(array: _Array) -> str:
    """MD5 sum of an array written as an IDX file, the format that MNIST was published in."""
    unsigned_byte = 0x08
    header = bytes([0, 0, unsigned_byte, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    return hashlib.md5(header + array.astype(np.uint8).tobytes(), usedforsecurity=False).hexdigest()
