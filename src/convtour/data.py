"""MNIST from three places, checked, and its pixels scaled."""

import hashlib
import os
from pathlib import Path
from typing import Any
import zipfile

import numpy as np
import numpy.typing as npt

SIDE, CLASSES = 28, 10
_NAMES = ("x_train", "y_train", "x_test", "y_test")

# MD5 sums of the four files that MNIST was published in, uncompressed.
_MNIST_MD5 = {
    "x_train": "6bbc9ace898e44ae57da46a324031adb",
    "y_train": "a25bea736e30d166cdddb491f175f624",
    "x_test": "2646ac647ad5339dbf082846283269ea",
    "y_test": "27ae3e4e09519cfbb04c329615203637",
}
_MNIST_SIZES = {"x_train": 60_000, "y_train": 60_000, "x_test": 10_000, "y_test": 10_000}

_Images = npt.NDArray[np.uint8]
_Float = npt.NDArray[np.float32]


def load_dataset(source: str | os.PathLike[str] | None = None) -> tuple[_Images, _Float, _Images, _Float]:
    """Load MNIST: images of handwritten digits, and which digit each one is.

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
    source = named if source is None else os.fsdecode(source)
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
    one_hot = np.eye(CLASSES, dtype=np.float32)
    return (
        arrays["x_train"][..., np.newaxis],
        one_hot[arrays["y_train"]],
        arrays["x_test"][..., np.newaxis],
        one_hot[arrays["y_test"]],
    )


def prep_pixels(train: npt.ArrayLike, test: npt.ArrayLike) -> tuple[_Float, _Float]:
    """Scale pixels from whole numbers 0..255 to float32 in 0..1.

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

    Examples
    --------
    >>> train_norm, test_norm = prep_pixels(np.array([[0, 51, 255]], dtype="uint8"), np.array([[102]], dtype="uint8"))
    >>> train_norm.tolist(), test_norm.dtype
    ([[0.0, 0.20000000298023224, 1.0]], dtype('float32'))
    """
    return _scaled("train", train), _scaled("test", test)


def _scaled(name: str, pixels: npt.ArrayLike) -> _Float:
    values = np.asarray(pixels)
    if not np.issubdtype(values.dtype, np.integer):
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
    """Where the embedded digits lie: beside this module in a wheel, in ``data/`` of a checkout."""
    installed = Path(__file__).with_name("mnist-10k.npz")
    return installed if installed.exists() else Path(__file__).parents[2] / "data" / "mnist-10k.npz"


def _download() -> dict[str, npt.NDArray[Any]]:
    """Full MNIST from Keras's cache, or from the network on the first call."""
    from convtour._keras import keras

    try:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:  # Keras raises a bare Exception when the download fails
        raise ConnectionError(
            f'Full MNIST is not on this machine and could not be downloaded ({error}). Use load_dataset("sample"), '
            "which needs no network, or give the path of an mnist.npz that you already have."
        ) from None
    arrays = dict(zip(_NAMES, (x_train, y_train, x_test, y_test), strict=True))
    _check_layout("keras.datasets.mnist", arrays)
    return arrays


def _read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read and check a file in the layout of Keras's ``mnist.npz``, without ever unpickling."""
    if not path.exists():
        raise FileNotFoundError(
            f'{path}: no such file. Expected "sample", "full" or the path of an mnist.npz; the sample needs no file.'
        )
    if not path.is_file():
        raise ValueError(f"{path}: not a file; expected the path of an mnist.npz.")
    with path.open("rb") as file:  # what the system refuses, it says itself
        is_archive = zipfile.is_zipfile(file)
    if not is_archive:
        raise ValueError(f"{path}: not a complete .npz archive; the file is cut short, damaged or of another kind.")
    arrays = {}
    name = "the archive"
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in _NAMES if name not in archive]
            if missing:
                raise ValueError(f"it has no {', '.join(missing)}; it holds {', '.join(archive.files) or 'nothing'}")
            for name in _NAMES:
                arrays[name] = archive[name]
                if not isinstance(arrays[name], np.ndarray):
                    raise ValueError("it is no array")
    except Exception as error:  # a damaged header or stream makes NumPy raise almost anything
        raise ValueError(
            f"{path}: {name} could not be read: {' '.join(str(error).split())}. Expected an .npz in the layout of "
            f"Keras's mnist.npz: {', '.join(_NAMES)}, plain arrays without pickled objects."
        ) from None
    _check_layout(str(path), arrays)
    return arrays


def _check_layout(where: str, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Check shapes, types and labels, and that what has MNIST's size is MNIST."""
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE) or not len(images):
            raise ValueError(
                f"{where}: x_{part} is {images.dtype} {images.shape}; expected uint8 (n, {SIDE}, {SIDE}) with n >= 1."
            )
        if not np.issubdtype(labels.dtype, np.integer) or labels.shape != images.shape[:1]:
            raise ValueError(
                f"{where}: y_{part} is {labels.dtype} {labels.shape}; expected whole numbers {images.shape[:1]}, one "
                f"label for each image of x_{part}."
            )
        if labels.min() < 0 or labels.max() >= CLASSES:
            raise ValueError(
                f"{where}: y_{part} has labels from {labels.min()} to {labels.max()}; expected 0 to {CLASSES - 1}."
            )
    if _has_size_of_mnist(arrays):
        wrong = [name for name in _NAMES if _idx_md5(arrays[name]) != _MNIST_MD5[name]]
        if wrong:
            raise ValueError(
                f"{where}: it has the size of MNIST but is not MNIST: {', '.join(wrong)} differs from the published "
                "data. Fetch the file again; to train on other images, pass your own arrays to evaluate_model."
            )


def _has_size_of_mnist(arrays: dict[str, npt.NDArray[Any]]) -> bool:
    return all(len(arrays[name]) == size for name, size in _MNIST_SIZES.items())


def _idx_md5(array: npt.NDArray[Any]) -> str:
    """MD5 sum of an array written as an IDX file, the format that MNIST was published in."""
    unsigned_byte = 0x08
    header = bytes([0, 0, unsigned_byte, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    digest = hashlib.md5(header, usedforsecurity=False)
    digest.update(np.ascontiguousarray(array, dtype=np.uint8).tobytes())
    return digest.hexdigest()
