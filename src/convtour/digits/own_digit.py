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
_WORKING_SIDE = 512  # longer pictures are reduced: fine ruled lines fade, and a digit of a thirtieth still has pixels
_WINDOW = 0.4  # of the picture's shorter side: no stroke is wider, the light may change over less only if it is an edge
_LEAST_CONTRAST = 0.08  # of the paper's brightness; chosen, not measured
_LEAST_NOISE = 5  # standard deviations of the paper's noise: of the 200,000 pixels of a blank page none differs so much
_STROKE = 0.4  # of the darkest ink near it; chosen: more breaks hairlines, less takes in ruled lines
_SPECK = 0.02  # of the largest mark's area
_GAP = 0.3  # of the largest mark's length: what is nearer belongs to it, such as the top of a 5
_BESIDE = 0.12  # of a digit's height: so wide a gap, from top to bottom, is between two digits
_LIKE_A_DIGIT = 0.4  # of the digit's length: a mark so long, with a quarter of its area, is another digit
_LEAST_SIDE = 5  # pixels
_BRIGHTNESS = 0.85  # of ink, each pixel weighted by its ink: the median over MNIST's 60,000 training digits

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
    The light is the picture without its strokes: a closing fills whatever is dark and narrower than a window, and keeps
    the edge of a shadow or a table. Ink is what differs from it by more than 0.4 of the strongest ink nearby.
    The larger the digit, the harder this threshold: MNIST was made from black-and-white scans, and its greys come from
    the scaling alone.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998, section III.A.

    Examples
    --------
    >>> page = np.full((200, 300), 230, dtype="uint8")
    >>> page[50:130, 200:212] = 40
    >>> digit = prepare_digit(page)
    >>> digit.image.shape, [(name, step.shape) for name, step in digit.steps.items()][3:]
    ((28, 28, 1), [('cropped', (82, 14)), ('scaled into 20x20', (20, 3)), ('centred by mass', (28, 28))])
    """
    grey = _read(picture) if isinstance(picture, (str, os.PathLike, Image.Image)) else _from_array(picture)
    grey = _reduced(grey, _WORKING_SIDE)
    even = _even_light(grey)
    ink = _ink(even)
    cropped = _cropped(ink, _one_digit(ink))
    scaled = _scaled(cropped)
    centred = _centred(scaled)
    names = ("grey", "light evened", "ink", "cropped", f"scaled into {INNER}x{INNER}", "centred by mass")
    steps = (grey, np.clip(even, 0, 1), ink, cropped, scaled, centred)
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
            raise ValueError(f"{said} has more than {_MOST_PIXELS:,} pixels; reduce or crop it.") from None
        except Exception as error:  # damaged headers make Pillow raise almost anything
            known = isinstance(error, UnidentifiedImageError)
            reason = "is no picture of a known kind" if known else f"cannot be read ({brief(error)})"
            raise ValueError(f"{said} {reason}; expected {', '.join(_FORMATS)}. Save it as PNG or JPEG.") from None
        return _decoded(said, image)


def _decoded(said: str, image: Image.Image) -> _Float:
    """Return the grey values of an opened picture, reduced already where it is large."""
    if image.width * image.height > _MOST_PIXELS:
        size = f"{image.width} x {image.height}"
        raise ValueError(f"{said} has {size}, more than {_MOST_PIXELS:,} pixels; reduce or crop it.")
    try:
        image.draft(None, (2 * _WORKING_SIDE, 2 * _WORKING_SIDE))  # a JPEG comes reduced from its decoder
        image.load()
        deep = image.mode.startswith(("I", "F"))
        if not deep:
            image = image.convert("RGBA" if image.has_transparency_data else "L")
            image = image.reduce(max(1, max(image.size) // _WORKING_SIDE))
        pixels = np.asarray(ImageOps.exif_transpose(image))
    except Exception as error:
        raise ValueError(f"{said} is damaged or cut short ({brief(error)}); save or copy the picture again.") from None
    return _from_array(pixels.astype(np.uint16) if deep and image.mode != "F" else pixels)


def _from_array(picture: npt.ArrayLike) -> _Float:
    """Check an array and return its grey values as float32 in 0..1, whatever is transparent as paper."""
    array = numbers("picture", picture)
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4):
        raise ValueError(
            f"picture has shape {brief(array.shape)}; expected one picture, (rows, columns) or (rows, columns, 1 to 4)."
        )
    if max(array.shape[:2]) < 8 or not min(array.shape):
        raise ValueError(f"picture has shape {array.shape}; expected a side of at least 8 pixels, and no empty axis.")
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


def _window(grey: _Float) -> int:
    return int(max(3, round(_WINDOW * min(grey.shape))))


def _closed(grey: _Float, window: int) -> _Float:
    """Fill what is dark and narrower than the window; the picture goes on beyond its border as it ends there."""
    half = window // 2 + 1
    wider = np.pad(grey, half, mode="edge")
    closed: _Float = ndimage.grey_closing(wider, window, mode="nearest")[half:-half, half:-half]
    return closed


def _even_light(grey: _Float) -> _Float:
    """Measure each pixel against the light: paper becomes 1, and ink darker, whichever of both was lighter."""
    if _is_ink_lighter(grey):
        grey = 1 - grey
    # Against the grain of the paper, which a small picture has not; its thin strokes would suffer.
    calm = ndimage.gaussian_filter(grey, min(1, max(grey.shape) / 256))
    light = _closed(calm, _window(grey))
    # By less than half of the best light nothing is divided: the grain of a dark desk would be as strong as ink.
    even = 1 - (light - calm) / np.maximum(light, max(light.max() / 2, 0.05))
    return np.asarray(even / np.quantile(even, 0.75), dtype=np.float32)  # a closing lies above the grain of the paper


def _is_ink_lighter(grey: _Float) -> bool:
    """Tell which is narrower, what is dark or what is light: strokes are narrower than what they enclose.

    Both are measured in windows of several widths, and counted in areas of the window: the narrower, the more.
    """
    small, evidence = _reduced(grey, 96), 0.0
    for share in (32, 16, 8, 4):
        window = min(small.shape) // share | 1
        dark, light = _closed(small, window) - small, _closed(1 - small, window) - (1 - small)
        evidence += float(np.sum(light**2) - np.sum(dark**2)) / window**2
    return evidence > 0


def _ink(even: _Float) -> _Float:
    """Return how much ink each pixel holds, 0 to 1, where 1 is as dark as the darkest near it."""
    ink = 1 - even
    noise = -float(np.quantile(ink, 0.05))  # ink makes no pixel lighter; from the 75th percentile it is one deviation
    top = float(np.quantile(ink, 1 - min(max(10 / ink.size, 1e-4), 0.5)))  # so few pixels may be dirt
    if top < max(_LEAST_CONTRAST, _LEAST_NOISE * noise):
        raise ValueError(
            "picture shows nothing that stands out from its paper: it is blank, or too faint. Use a "
            "darker pen or more light."
        )
    # Where the light is weak, so is light ink. By less than half of the top nothing is divided, as it is no ink.
    window = _window(ink)
    near = ndimage.gaussian_filter(ndimage.maximum_filter(ink, window), window / 4)
    strength: _Float = np.clip((ink - 3 * noise) / (np.clip(near, top / 2, top) - 3 * noise), 0, 1)
    return strength.astype(np.float32)


def _one_digit(ink: _Float) -> _Mask:
    """Find the digit among the marks, however many parts it has; refuse several digits."""
    marks, _ = ndimage.label(ink > _STROKE, np.ones((3, 3)))
    areas = np.bincount(marks.ravel())
    areas[0] = 0  # the paper
    length = _length(marks == areas.argmax())
    if length < _LEAST_SIDE:
        raise ValueError(
            f"picture shows a mark of {length} pixels only, once reduced to {max(ink.shape)}; expected a digit of at "
            f"least {_LEAST_SIDE}: crop the picture to it, or write larger."
        )
    solid = (areas >= max(1, _SPECK * areas.max()))[marks]
    away = ndimage.distance_transform_edt(~solid)
    for _ in range(3):  # a stroke in pieces grows together
        groups = solid * ndimage.label(away <= _GAP / 2 * length)[0]
        areas = np.bincount(groups.ravel())
        areas[0] = 0
        digit: _Mask = groups == areas.argmax()
        length = _length(digit)
    large = np.flatnonzero(areas >= areas.max() / 4)
    found = sum(_length(groups == group) >= _LIKE_A_DIGIT * length for group in large) + _beside(marks * digit)
    if found > 1:
        raise ValueError(
            f"picture shows {found} separate marks of comparable size; expected one digit: crop the picture to it."
        )
    return digit


def _beside(marks: npt.NDArray[np.int32]) -> int:
    """Count the digits that stand close beside another: about as tall, and nothing above or below the gap."""
    boxes = [box for box in ndimage.find_objects(marks) if box]
    height = max(rows.stop for rows, _ in boxes) - min(rows.start for rows, _ in boxes)
    tall = sorted((columns.start, columns.stop) for rows, columns in boxes if rows.stop - rows.start >= 0.6 * height)
    return sum(right[0] - left[1] >= _BESIDE * height for left, right in itertools.pairwise(tall))


def _length(mask: _Mask) -> int:
    """Longer side of the box around a mark, in pixels."""
    return 1 + max(int(np.ptp(places)) for places in np.nonzero(mask))


def _cropped(ink: _Float, digit: _Mask) -> _Float:
    """Cut out the digit alone, with edges as sharp as scaling will not blur: of a large digit, black and white."""
    sharper = np.clip(_length(digit) / INNER, 1, 4)
    sharp: _Float = np.clip(_STROKE + (ink - _STROKE) * sharper, 0, 1).astype(np.float32)
    sharp[~ndimage.binary_propagation(digit, np.ones((3, 3)), mask=sharp > 0)] = 0
    box: tuple[slice, slice] = ndimage.find_objects((sharp > 0).astype(int))[0]
    return sharp[box]


def _scaled(cropped: _Float) -> _Float:
    """Scale the longer side to 20 pixels, with antialiasing, and bring strokes to MNIST's brightness."""
    longest = max(cropped.shape)
    if longest == INNER:
        return cropped
    height, width = (max(1, round(INNER * side / longest)) for side in cropped.shape)
    scaled = np.asarray(Image.fromarray(cropped).resize((width, height), Image.Resampling.BILINEAR))
    brightness = float(np.sum(scaled**2) / np.sum(scaled))
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
