"""A picture of somebody's own digit, brought to the form that MNIST's digits have."""

from collections.abc import Mapping
from dataclasses import dataclass
import itertools
import os
from pathlib import Path
import warnings

from convtour._checks import brief, numbers
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

SIDE, INNER = 28, 20
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_MOST_PIXELS = 64_000_000
_WORKING_SIDE = 1024  # longer pictures are reduced: a digit of a thirtieth of the page still has pixels enough
_LIGHT_SIDE = 96  # the light changes so slowly that it is measured on a small copy
_ROUNDS = 20  # of reweighted least squares, until ink has lost its say
_DARKEST = 0.04  # of white: what is darker cannot be divided by
_WIDEST = 1 / 3  # of the picture's longer side: no stroke is wider
_CALM_SIDE = 256  # a larger picture is blurred by one pixel, against noise; a smaller one by less
_LEAST_CONTRAST = 0.08  # of the paper's brightness
_LEAST_NOISE = 5  # standard deviations of the paper's noise: what stands out less is no ink
_LINKED = 0.2  # ink that links two parts of a stroke; half of the full ink makes a stroke
_SPECK = 0.02  # of the largest mark's area
_GAP = 0.25  # of the largest mark: what is nearer belongs to it
_LIKE_A_DIGIT = 0.4  # of the digit's longer side: a mark so long is another digit
_LEAST_SIDE = 5  # pixels
_BRIGHTNESS = 0.85  # of ink in MNIST, each pixel weighted by its ink: the median over digits is 0.84 to 0.86

_Float = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Digit:
    """A digit as MNIST holds its own, and how the picture became it.

    Taught in notebook ``09_your_own_digit``.

    Attributes
    ----------
    image : ndarray of float32, shape (28, 28, 1)
        0 is paper, 1 is ink; ``image[np.newaxis]`` is a batch for a model.
    steps : mapping of str to ndarray of float32, shape (rows, columns)
        What each step left, in order: ``"grey"``, ``"light evened"``, ``"ink"``, ``"cropped"``,
        ``"scaled into 20x20"`` and ``"centred by mass"``. All in 0..1.
    """

    image: _Float
    steps: Mapping[str, _Float]


def prepare_digit(picture: "str | os.PathLike[str] | npt.ArrayLike | Image.Image") -> Digit:
    """Bring a picture of one handwritten digit to the form of MNIST's digits.

    The light is evened, whatever is darker or lighter than the paper becomes white ink on black, and the digit is
    cropped, scaled into 20x20 pixels with its aspect ratio kept, and placed in 28x28 with its centre of mass in the
    middle.

    Taught in notebook ``09_your_own_digit``.

    Parameters
    ----------
    picture : path, array-like or PIL.Image.Image
        A PNG, JPEG, WebP, GIF, BMP, TIFF or PPM file; of an animation or several pages, the first. Or an array
        ``(rows, columns)`` or ``(rows, columns, channels)``: grey, grey and alpha, RGB or RGBA; uint8, uint16, bool, or
        floats from 0 to 1. Ink may be dark on light or light on dark.

    Returns
    -------
    Digit
        ``.image`` float32 ``(28, 28, 1)`` in 0..1, and ``.steps``.

    Raises
    ------
    FileNotFoundError
        If there is no file at the path.
    ValueError
        If the file is no picture, is damaged, or has more than 64 million pixels (its header is believed, nothing is
        decoded); if an array has another shape, type or range; or if the picture shows nothing, something too small,
        or several separate marks of comparable size.
    TypeError
        If it is neither a path nor numbers.

    Notes
    -----
    Ink is what differs from the paper by more than half as much as the strongest ink does. The sharper the picture, the
    harder this threshold: MNIST was made from black-and-white scans, and its greys come from the scaling alone.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998, section III.A.

    Examples
    --------
    >>> page = np.full((200, 300), 230, dtype="uint8")
    >>> page[50:130, 200:212] = 40
    >>> digit = prepare_digit(page)
    >>> digit.image.shape, [(name, step.shape) for name, step in digit.steps.items()][3:]
    ((28, 28, 1), [('cropped', (80, 12)), ('scaled into 20x20', (20, 3)), ('centred by mass', (28, 28))])
    """
    grey = _read(picture) if isinstance(picture, (str, os.PathLike, Image.Image)) else _from_array(picture)
    grey = _reduced(grey, _WORKING_SIDE)
    even = _even_light(grey)
    ink = _ink(even)
    cropped = _cropped(ink, _one_digit(ink))
    scaled = _scaled(cropped)
    centred = _centred(scaled)
    names = ("grey", "light evened", "ink", "cropped", f"scaled into {INNER}x{INNER}", "centred by mass")
    steps = (grey, np.clip(even / max(1, even.max()), 0, 1), ink, cropped, scaled, centred)
    return Digit(centred[..., np.newaxis], dict(zip(names, steps, strict=True)))


def _read(picture: "str | os.PathLike[str] | Image.Image") -> _Float:
    """Decode a picture and return its grey values; its size is known, and checked, before."""
    if isinstance(picture, Image.Image):
        return _decoded("picture", picture)
    path = Path(os.path.expanduser(picture))
    said = f"picture={brief(repr(str(picture)))}"
    if not os.path.exists(path):
        raise FileNotFoundError(f"{said}: no such file.")
    if not path.is_file():
        raise ValueError(f"{said} is not a file; expected the path of one picture.")
    with path.open("rb") as file, warnings.catch_warnings():  # what the system refuses, it says itself
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(file, formats=_FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise ValueError(
                f"{said} has more than {_MOST_PIXELS:,} pixels; reduce it, or crop it to the digit."
            ) from None
        except Exception as error:  # damaged headers make Pillow raise almost anything
            known = isinstance(error, UnidentifiedImageError)
            reason = "is no picture of a known kind" if known else f"cannot be read ({brief(error)})"
            raise ValueError(
                f"{said} {reason}; expected one of {', '.join(_FORMATS)}. Save it as PNG or JPEG."
            ) from None
        return _decoded(said, image)


def _decoded(said: str, image: Image.Image) -> _Float:
    """Return the grey values of an opened picture, reduced already where it is large."""
    if image.width * image.height > _MOST_PIXELS:
        raise ValueError(
            f"{said} has {image.width} x {image.height}, more than {_MOST_PIXELS:,} pixels; reduce it, or "
            "crop it to the digit."
        )
    try:
        image.draft(None, (2 * _WORKING_SIDE, 2 * _WORKING_SIDE))  # a JPEG comes reduced from its decoder
        image.load()
        deep = image.mode.startswith(("I", "F"))
        if not deep:
            image = image.convert("RGBA" if image.has_transparency_data else "L")
            image = image.reduce(max(1, -(-max(image.size) // (2 * _WORKING_SIDE))))
        pixels = np.asarray(ImageOps.exif_transpose(image))
    except Exception as error:
        raise ValueError(f"{said} is damaged or cut short ({brief(error)}); save or copy the picture again.") from None
    return _from_array(pixels.astype(np.uint16) if deep and image.mode != "F" else pixels)


def _from_array(picture: npt.ArrayLike) -> _Float:
    """Check an array and return its grey values as float32 in 0..1, whatever is transparent as paper."""
    array = numbers("picture", picture)
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4):
        raise ValueError(
            f"picture has shape {brief(array.shape)}; expected (rows, columns) or (rows, columns, channels) with 1 "
            "to 4 channels, one picture at a time."
        )
    if max(array.shape[:2]) < 8 or not min(array.shape):
        raise ValueError(
            f"picture has shape {array.shape}; expected at least 8 pixels along one side, and no empty axis."
        )
    if array.shape[0] * array.shape[1] > _MOST_PIXELS:
        raise ValueError(f"picture has shape {array.shape}, more than {_MOST_PIXELS:,} pixels; reduce or crop it.")
    if array.dtype.kind == "f":
        if not (array.min() >= 0 and array.max() <= 1):  # false for NaN too
            raise ValueError(
                f"picture holds {array.dtype} from {array.min():.4g} to {array.max():.4g}; expected floats from 0 to "
                '1. Whole numbers from 0 to 255 kept as floats go through .astype("uint8") first.'
            )
    elif array.dtype not in (np.uint8, np.uint16, np.bool_):
        raise ValueError(
            f"picture holds {array.dtype}; expected uint8, uint16, bool, or floats from 0 to 1. Values from 0 to 255 "
            'go through .astype("uint8") first.'
        )
    top = 1 if array.dtype.kind in "bf" else np.iinfo(array.dtype).max
    channels = np.atleast_3d(array).astype(np.float32) / np.float32(top)
    luma = [0.299, 0.587, 0.114] if channels.shape[2] > 2 else [1]  # ITU-R 601, as Pillow's mode "L"
    grey: _Float = channels[..., : len(luma)] @ np.array(luma, dtype=np.float32)
    return grey if channels.shape[2] in (1, 3) else _on_paper(grey, channels[..., -1])


def _on_paper(grey: _Float, alpha: _Float) -> _Float:
    """Lay a partly transparent picture on paper: its own where most of it is seen, white (or black) under strokes."""
    seen = grey[alpha > 0.5]
    if not seen.size:
        return np.ones_like(grey)
    paper = float(np.median(seen))
    if seen.size < grey.size / 2:
        paper = 0.0 if paper > 0.7 else 1.0
    return alpha * grey + (1 - alpha) * np.float32(paper)


def _reduced(grey: _Float, side: int) -> _Float:
    """Average whole blocks of pixels, so that the longer side has at most so many."""
    times = -(-max(grey.shape) // side)
    return grey if times == 1 else np.asarray(Image.fromarray(grey).reduce(times))


def _enlarged(small: _Float, shape: tuple[int, ...]) -> _Float:
    return np.asarray(Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _even_light(grey: _Float) -> _Float:
    """Divide by the light on the paper: paper becomes 1, and ink darker, whichever of both was lighter."""
    small = _reduced(grey, _LIGHT_SIDE)
    light, window = _smooth_light(small), round(_WIDEST * max(small.shape))
    # Strokes are apart from the smooth light, and narrow: a closing removes dark ones, an opening light ones.
    darker = np.maximum(light - small, 0) * (ndimage.grey_closing(small, window) - small)
    lighter = np.maximum(small - light, 0) * (small - ndimage.grey_opening(small, window))
    if np.sum(lighter**2) > np.sum(darker**2):
        grey, small, light = 1 - grey, 1 - small, 1 - light
    small, light = np.maximum(small, _DARKEST), np.maximum(light, _DARKEST)
    # What is left of the light, such as the edge of a shadow, is wider than any stroke: a closing keeps it.
    # Beyond the border the paper goes on as it ends there, unless that is as dark as ink.
    rest = ndimage.gaussian_filter(small / light, 1)
    beyond = np.pad(rest, window, mode="edge")
    beyond[beyond < 0.5] = 1
    beyond[window:-window, window:-window] = rest
    rest = ndimage.grey_closing(beyond, window)[window:-window, window:-window]
    even = np.maximum(grey, _DARKEST) / _enlarged(light * rest, grey.shape)
    return np.asarray(even / np.median(even[even > 0.5]), dtype=np.float32)


def _smooth_light(grey: _Float) -> _Float:
    """Fit a quadratic in place to the grey values by least absolute deviations: ink, being rare, has no say.

    The borders count more, as ink is rare there.
    """
    y, x = np.meshgrid(*(np.linspace(-1, 1, length) for length in grey.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    goal = grey.ravel().astype(np.float64)
    trust = 1 + 3 * (np.maximum(abs(x), abs(y)).ravel() > 0.75)
    weights = trust
    for _ in range(_ROUNDS):
        weighted = terms * weights[:, np.newaxis]
        solution = np.linalg.lstsq(weighted.T @ terms, weighted.T @ goal, rcond=None)[0]
        weights = trust / np.maximum(abs(goal - terms @ solution), 0.005)
    light: _Float = (terms @ solution).reshape(grey.shape).astype(np.float32)
    return light


def _ink(even: _Float) -> _Float:
    """Return how much ink each pixel holds, 0 to 1, where 1 is as dark as the strokes near it."""
    side = max(even.shape)
    calm = ndimage.gaussian_filter(1 - even, min(1, side / _CALM_SIDE))
    noise = 1.4826 * float(np.median(abs(calm[even > 0.5])))
    enough = min(calm.size - 1, max(10, calm.size // 10_000))  # so many pixels the ink has, at least
    top = float(np.partition(calm.ravel(), -enough)[-enough])
    if top < max(_LEAST_CONTRAST, _LEAST_NOISE * noise):
        raise ValueError(
            "picture shows nothing that stands out from its paper: it is blank, or too faint. Use a "
            "darker pen or more light."
        )
    ink = np.clip(calm / top, 0, 1)
    ink[ink < _LEAST_NOISE / 2 * noise / top] = 0
    # Where the light is weak or the stroke thin, so is the ink: it is measured against the strokes near it.
    sums = [_reduced(ink**power, _LIGHT_SIDE) for power in (3, 2)]
    cubes, squares = (ndimage.gaussian_filter(part, max(part.shape) / 8, mode="constant") for part in sums)
    strokes = np.clip(1.1 * cubes / np.maximum(squares, 1e-9), 0.5, 1)
    even_ink: _Float = np.clip(ink / _enlarged(strokes, ink.shape), 0, 1)
    return even_ink


def _one_digit(ink: _Float) -> _Mask:
    """Find the digit among the marks, however many parts it has; refuse several digits."""
    marks, _ = ndimage.label(ink > _LINKED, np.ones((3, 3)))
    areas = np.bincount(marks.ravel(), weights=(ink > 0.5).ravel())
    areas[0] = 0
    areas[areas < areas.max() * _SPECK] = 0
    length = max(_sides(marks == areas.argmax()))
    if length < _LEAST_SIDE:
        raise ValueError(
            f"picture shows a mark of {length} pixels only, once reduced to {max(ink.shape)}; expected a digit of at "
            f"least {_LEAST_SIDE}: crop the picture to it, or write larger."
        )
    # Marks with a gap of less than a quarter of the digit belong together, such as the top stroke of a 5 and its body.
    solid = (areas > 0)[marks]
    away = ndimage.distance_transform_edt(~solid)
    for _ in range(3):  # a stroke in pieces grows together
        groups = solid * ndimage.label(away <= _GAP / 2 * length)[0]
        areas = np.bincount(groups.ravel())
        areas[0] = 0
        digit: _Mask = groups == areas.argmax()
        length = max(_sides(digit))
    tall = _LIKE_A_DIGIT * length
    others = [max(_sides(groups == group)) >= tall for group in np.flatnonzero(areas >= areas.max() / 4)]
    found = sum(others) + _beside(marks * digit)
    if found > 1:
        raise ValueError(
            f"picture shows {found} separate marks of comparable size; expected one digit: crop the picture to it."
        )
    return digit


def _beside(marks: npt.NDArray[np.int32]) -> int:
    """Count the digits that stand beside another: as tall, and with a gap between them from top to bottom."""
    boxes = [box for box in ndimage.find_objects(marks) if box]
    top, bottom = min(box[0].start for box in boxes), max(box[0].stop for box in boxes)
    tall = sorted((box[1].start, box[1].stop) for box in boxes if box[0].stop - box[0].start >= 0.6 * (bottom - top))
    return sum(right[0] - left[1] >= 0.1 * (bottom - top) for left, right in itertools.pairwise(tall))


def _sides(mask: _Mask) -> tuple[int, int]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1


def _cropped(ink: _Float, digit: _Mask) -> _Float:
    """Cut out the digit alone, with edges as sharp as scaling will not blur: of a large digit, black and white."""
    sharper = min(max(1.0, max(_sides(digit)) / INNER), 4.0)
    sharp: _Float = np.clip(0.5 + (ink - 0.5) * sharper, 0, 1).astype(np.float32)
    sharp[~ndimage.binary_propagation(digit, np.ones((3, 3)), mask=sharp > 0)] = 0
    rows, columns = (np.flatnonzero(sharp.any(axis=axis)) for axis in (1, 0))
    return sharp[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scaled(cropped: _Float) -> _Float:
    """Scale the longer side to 20 pixels, with antialiasing, and thin strokes to MNIST's brightness."""
    longest = max(cropped.shape)
    height, width = (max(1, round(INNER * side / longest)) for side in cropped.shape)
    if longest == INNER:
        return cropped
    scaled = np.asarray(Image.fromarray(cropped).resize((width, height), Image.Resampling.BILINEAR))
    brightness = float(np.sum(scaled**2) / np.sum(scaled))  # of ink, on average
    bright: _Float = np.clip(scaled * max(1 / float(scaled.max()), _BRIGHTNESS / brightness), 0, 1)
    return bright


def _centred(scaled: _Float) -> _Float:
    """Place a digit so that its centre of mass comes as close to the middle, pixel 14, as whole pixels allow."""
    centre = ndimage.center_of_mass(scaled)
    top, left = (
        min(max(0, round(SIDE / 2 - middle)), SIDE - length)
        for middle, length in zip(centre, scaled.shape, strict=True)
    )
    image = np.zeros((SIDE, SIDE), np.float32)
    image[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
    return image
