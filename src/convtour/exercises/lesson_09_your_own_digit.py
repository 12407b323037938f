"""Exercises of notebook 09."""

from collections.abc import Callable
from functools import cache
from typing import Any

from convtour.exercises.exercise import Exercise
from convtour.exercises.judges import Choice, Function, Value, Written, theirs
from convtour.exercises.mistakes import WrongError, compare
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

Array = npt.NDArray[Any]

# Pages


def written(row: int, *, paper: float, ink: float, seed: int, at: tuple[int, int] = (30, 40)) -> Array:
    """Write a digit of MNIST on an evenly lit page of 150x180 pixels, with some noise."""
    from convtour import load_dataset

    cover = np.zeros((150, 180))
    digit = np.asarray(Image.fromarray(load_dataset("sample")[0][row, ..., 0]).resize((84, 84)))
    cover[at[0] : at[0] + 84, at[1] : at[1] + 84] = digit / 255
    noise = np.random.default_rng(seed).normal(0, 0.01, cover.shape)
    return np.clip(paper + (ink - paper) * cover + noise, 0, 1).astype("float32")


def squared_page(seed: int = 0) -> Array:
    """Write a digit on squared paper whose lines are as dark as the ink; the same seed gives the same page."""
    return _squared(seed, lines=True)


def _squared(seed: int, *, lines: bool) -> Array:
    rng = np.random.default_rng(seed)
    row, start = int(rng.integers(200)), rng.integers(0, 15, 2)
    at = int(rng.integers(10, 50)), int(rng.integers(10, 80))
    page = written(row, paper=0.85, ink=0.2, seed=seed, at=at)
    if lines:
        on = (np.indices(page.shape) + start[:, np.newaxis, np.newaxis]) % 24 < 2
        page = np.where(on.any(axis=0), np.minimum(page, np.float32(0.2)), page)
    return page


@cache
def hidden_pages() -> list[tuple[Array, Array, Array]]:
    """Make pages of squared paper, the same without lines, and what `prepare_digit` makes of these."""
    from convtour import prepare_digit

    plain = [_squared(seed, lines=False) for seed in range(5)]
    return [(squared_page(seed), page, prepare_digit(page).image) for seed, page in enumerate(plain)]


def look_at_squared(function: Any) -> None:
    """Look whether the lines went, whether the strokes stayed, and what `prepare_digit` makes of the page."""
    from convtour import prepare_digit

    for page, plain, expected in hidden_pages():
        given = theirs(function, page)
        compare(given, plain, tolerance=1e9)  # any numbers, of this shape
        given = np.asarray(given, dtype="float32")
        if not (given.min() >= 0 and given.max() <= 1):
            raise WrongError(f"It holds values from {given.min():.3g} to {given.max():.3g}; a page has 0 to 1.")
        covered = (0.85 - given) / 0.65  # 0 is paper, 1 is ink
        stroke, line = plain < 0.4, (plain > 0.8) & (page < 0.4)
        blank = (plain > 0.8) & ~line
        wide = line & np.roll(line, 1, axis=1) & np.roll(line, -1, axis=1)  # of lines across
        lines = covered[wide].mean(), covered[line & ~wide].mean()
        if covered[stroke].mean() > 1.2 or covered[blank].mean() > 0.8:
            raise WrongError("Paper should stay light and ink dark.")
        if covered[stroke].mean() < 0.5 and min(lines) > covered[stroke].mean() + 0.2:
            raise WrongError(
                "The lines are left and the strokes gone: dividing by the closing, or subtracting, keeps just what it "
                "takes away."
            )
        if covered[stroke].mean() < 0.5:
            raise WrongError("The strokes went with the lines. (A window wider than they are would do that.)")
        if covered[blank].mean() > 0.2:
            raise WrongError("The lines got wider: this takes the darkest nearby, and does not go back.")
        if min(lines) > 0.7:
            raise WrongError("The lines are still there, as dark as the strokes.")
        if max(lines) > 0.7:
            raise WrongError("Lines of one direction are gone, the others are still there.")
        if max(lines) > 0.2:
            raise WrongError("The lines are paler, or gone in places only, and still lead through the digit.")
        try:
            image = prepare_digit(given).image
        except ValueError as error:
            raise WrongError(f"Of one page `prepare_digit` says: {error}") from None
        aside = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]  # the centre is rounded
        if min(np.abs(np.roll(image, shift, (0, 1)) - expected).mean() for shift in aside) > 0.06:
            raise WrongError("The lines are gone, but on one page `prepare_digit` makes another digit of it.")


def filtered(name: str, size: tuple[int, int]) -> Callable[[Array], Array]:
    """Return a filter of scipy.ndimage with its window."""

    def without_lines(page: Array) -> Array:
        found: Array = getattr(ndimage, name)(page, size)
        return found

    return without_lines


# Lighter or darker


def lighter(page: Array) -> bool:
    """Most of a page is paper, so its median is paper; ink pulls the mean to its side."""
    return bool(page.mean() > np.median(page))


def spoiled(page: Array, corner: float) -> Array:
    """Give a page one bad pixel, in its corner."""
    page = page.copy()
    page[0, 0] = corner
    return page


PAGES = [
    (written(7, paper=0.85, ink=0.2, seed=1),),
    (spoiled(written(8, paper=0.42, ink=0.12, seed=2), 1.0),),
    (spoiled(written(12, paper=0.6, ink=0.25, seed=6), 1.0),),
    (spoiled(written(9, paper=0.15, ink=0.75, seed=3), 1.0),),
    (spoiled(written(10, paper=0.55, ink=0.9, seed=4), 0.0),),
    (written(11, paper=0.45, ink=0.8, seed=5),),
]

# Centring by mass


def moved(image: Array) -> Array:
    """Move each pixel by itself, from the definition of the centre of mass."""
    rows, columns = np.indices(image.shape)
    down = round(14 - float((rows * image).sum() / image.sum()))
    right = round(14 - float((columns * image).sum() / image.sum()))
    result = np.zeros_like(image)
    for row, column in np.ndindex(image.shape):
        if 0 <= row + down < 28 and 0 <= column + right < 28:
            result[row + down, column + right] = image[row, column]
    return result


def shifting(
    of: Callable[[Array], Any] = ndimage.center_of_mass,
    *,
    to: float = 14,
    whole: Callable[[Any], Any] = np.round,
    sign: int = 1,
    wrap: bool = False,
    order: int = 1,
    mode: str = "constant",
) -> Callable[[Array], Array]:
    """Return the centring with one thing changed."""

    def centred(image: Array) -> Array:
        shift = sign * whole(to - np.array(of(image)))
        if wrap:
            return np.roll(image, shift.astype(int), axis=(0, 1))
        found: Array = ndimage.shift(image, shift, order=order, mode=mode)
        return found

    return centred


def middle_of_box(image: Array) -> Array:
    """Return the middle of the rows and columns that hold ink."""
    found: Array = np.mean([np.min(np.nonzero(image), axis=1), np.max(np.nonzero(image), axis=1)], axis=0)
    return found


def placed(*blocks: tuple[int, int, int, int, float]) -> tuple[Array]:
    """Draw rectangles of ink."""
    image = np.zeros((28, 28), "float32")
    for top, left, height, width, ink in blocks:
        image[top : top + height, left : left + width] = ink
    return (image,)


# Keeping silent


def spoken(probabilities: Array, truth: Array, limit: float) -> tuple[float, float]:
    """Go through the pictures one by one."""
    right = [row.argmax() == digit for row, digit in zip(probabilities, truth, strict=True) if row.max() >= limit]
    return len(right) / len(truth), sum(right) / len(right)


def answered(seed: int, n: int) -> tuple[Array, Array]:
    """Draw probabilities of ten digits, and right digits that follow them roughly."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(10, 0.1), size=n)
    return probabilities, np.where(rng.random(n) < 0.8, probabilities.argmax(axis=1), rng.integers(0, 10, n))


EXERCISES = [
    Exercise(
        level="recall",
        question="A light grey page of 400x400 pixels holds all of these. Which is gone after a closing, "
        "`ndimage.grey_closing(page, 57)`?",
        judge=Choice(
            [
                (
                    "a shadow over the left half",
                    "It is wider than the window: inside it, the brightest nearby is dark.",
                ),
                ("a dark ruled line, 2 pixels wide, from edge to edge", None),
                (
                    "a white speck of 2 pixels",
                    "The brightest nearby makes it larger, the darkest of these makes it small again.",
                ),
                ("a dark square of 100x100 pixels", "In its middle a window holds nothing bright."),
            ]
        ),
        hints=[
            "First each pixel becomes the brightest in a window of 57x57 around it, then the darkest of these.",
            "Must a thing be narrow down *and* across, so that every window on it reaches beyond it?",
        ],
        answer='answer = "b"',
        because="Every window of 57x57 on the line holds paper as well, above or below: narrow in one direction is "
        "enough, be it ever so long. So strokes go too, and what is left is the light.",
    ),
    Exercise(
        question="You write digits 60 mm tall and 40 mm wide, and photograph them from far or near. How many "
        "millimetres wide must the pen be for strokes of 2.5 pixels after scaling into 20x20?",
        judge=Value(
            7.5,
            tolerance=0.01,
            mistakes=[
                (60 * 2.5 / 28, "A digit does not fill the 28 pixels: there is a margin around it."),
                (40 * 2.5 / 20, "The longer side is what becomes 20 pixels."),
                (40 * 2.5 / 28, "The longer side counts, and a margin is left around the digit."),
                (60 / 20, "That is the width of one pixel."),
                (20 * 2.5 / 60, "The ratio is upside down: how many millimetres is a pixel?"),
                (2.5, "Millimetres are asked for; a pixel is not one of them."),
            ],
        ),
        hints=["How many millimetres become one pixel?", "The longer side, 60 mm, becomes 20 pixels."],
        answer="answer = 60 / 20 * 2.5",
        because="3 mm become a pixel, so 2.5 pixels are 7.5 mm, an eighth of the height, from far or near: cropping "
        "takes the distance out. With an ordinary pen, write small.",
    ),
    Exercise(
        question="Write `ink_is_lighter(page)`: whether a page of floats, 0 to 1, has light ink on darker paper. The "
        "light is even, most of the page is paper, and single pixels may be spoiled. Return `True` or `False`.",
        judge=Function(
            lighter,
            PAGES,
            mistakes=[
                (lambda page: page.mean() < np.median(page), "Every answer is the opposite of the right one."),
                (
                    lambda page: page.mean() < 0.5,
                    "A fixed half tells a dark page from a light one. Ink can be darker than dark paper.",
                ),
                (lambda page: page[0, 0] < page.mean(), "One pixel is taken for the paper, and it may be spoiled."),
                (
                    lambda page: page.max() - np.median(page) > np.median(page) - page.min(),
                    "The lightest and the darkest pixel decide, and either may be spoiled.",
                ),
                (lambda page: True, "Always the same answer."),
            ],
        ),
        hints=[
            "Which number of a page is paper for sure, if more than half of its pixels are?",
            "Ink pulls the mean away from the median. To which side?",
        ],
        answer="""
import numpy as np


def ink_is_lighter(page):
    return page.mean() > np.median(page)
""",
        because="The median is paper; light ink lifts the mean above it, and one spoiled pixel of thousands hardly "
        "moves either. In uneven light this fails: `prepare_digit` looks which of the two is narrower.",
    ),
    Exercise(
        question="Write `centred(image)`, for an image of shape (28, 28) with some ink anywhere in it. Move it by "
        "whole rows and columns: by 14 minus its centre of mass (before the move), rounded. What comes in is 0, what "
        "is pushed out is lost. No cropping.",
        judge=Function(
            moved,
            [
                placed((3, 15, 9, 2, 1.0), (3, 10, 2, 5, 0.5)),
                placed((20, 18, 6, 9, 0.9), (1, 2, 3, 1, 0.2)),
                placed((2, 3, 4, 4, 0.3), (9, 8, 12, 3, 0.9), (20, 11, 3, 9, 0.6)),
                placed((16, 1, 10, 2, 1.0), (17, 3, 1, 7, 0.4)),
                placed((0, 4, 9, 3, 1.0), (3, 0, 2, 4, 0.5)),
            ],
            mistakes=[
                (
                    shifting(wrap=True),
                    "What leaves at one edge comes in at the other: `np.roll` goes round.",
                ),
                (shifting(mode="nearest"), "The ink at the edge goes on where 0 should come in."),
                (
                    lambda image: image,
                    "Nothing has moved; the page's `centre` moves only what is smaller than 28x28.",
                ),
                (shifting(middle_of_box), "The box around the ink is centred, not its mass."),
                (
                    shifting(lambda image: ndimage.center_of_mass(image > 0)),
                    "All pixels with any ink count alike. Dark ink has more mass than faint ink.",
                ),
                (shifting(sign=-1), "It moves away from the middle: the sign of the shift is the other one."),
                (shifting(to=13), "Pixels are counted from 0: this centres on the pixel before."),
                (shifting(whole=np.trunc), "The shift is cut towards 0, as `int` does. Nearest means rounded."),
                (shifting(whole=np.floor), "The shift is cut down to whole pixels, or the aim is half a pixel short."),
                (
                    shifting(whole=np.array),
                    "It moves by parts of a pixel, which blurs. Whole pixels are asked for.",
                ),
                (
                    shifting(whole=np.array, order=3),
                    "It moves by parts of a pixel, with a spline between them. Whole pixels are asked for.",
                ),
                (
                    shifting(lambda image: ndimage.center_of_mass(image)[::-1]),
                    "Rows and columns are exchanged.",
                ),
            ],
            tolerance=1e-4,
        ),
        hints=[
            "`ndimage.center_of_mass(image)` gives a row and a column. How far from 14 are they, rounded?",
            "`np.roll` goes round the edge; `ndimage.shift(image, shift, order=0)` does not.",
        ],
        answer="""
import numpy as np
from scipy import ndimage


def centred(image):
    shift = np.round(14 - np.array(ndimage.center_of_mass(image)))
    return ndimage.shift(image, shift, order=0)
""",
        because="The centre of mass is the mean place of the ink, each pixel weighted with its ink; rounding brings "
        "it within half a pixel of 14, unless ink is pushed out. On the page none can be: it moves a cropped digit.",
    ),
    Exercise(
        question="A network may keep silent. Write `when_sure(probabilities, truth, limit)`, for an array (n, 10) of "
        "its probabilities and the n right digits. Return the share of pictures where the largest of the ten is at "
        "least `limit` (some are), and the share of *these* that are read rightly, both from 0 to 1.",
        judge=Function(
            spoken,
            [
                (*answered(1, 40), 0.6),
                (*answered(2, 60), 0.9),
                (0.75 * np.eye(10)[[3, 1, 4]] + 0.25 * np.eye(10)[[3, 0, 5]], np.array([2, 1, 4]), 0.75),
            ],
            mistakes=[
                (
                    lambda p, y, limit: (
                        np.mean(p.max(axis=1) >= limit),
                        np.mean((p.argmax(axis=1) == y) & (p.max(axis=1) >= limit)),
                    ),
                    "The second share is one of all pictures. Silence is no answer: leave it out.",
                ),
                (
                    lambda p, y, limit: (np.mean(p.max(axis=1) >= limit), np.mean(p.argmax(axis=1) == y)),
                    "The second share takes in the pictures on which it keeps silent.",
                ),
                (
                    lambda p, y, limit: (1 - spoken(p, y, limit)[0], spoken(p, y, limit)[1]),
                    "The first is the share of silence.",
                ),
                (
                    lambda p, y, limit: (np.mean(p[np.arange(len(y)), y] >= limit), 1.0),
                    "The right digit's probability is looked at. The network does not know which that is.",
                ),
                (lambda p, y, limit: spoken(p, y, np.nextafter(limit, 1)), "At least the limit: equal counts."),
                (
                    lambda p, y, limit: tuple(100 * share for share in spoken(p, y, limit)),
                    "These are percent. Shares are asked for, from 0 to 1.",
                ),
                (
                    lambda p, y, limit: (len(y) * spoken(p, y, limit)[0], len(y) * np.prod(spoken(p, y, limit))),
                    "These are counts. Shares are asked for, from 0 to 1.",
                ),
                (
                    lambda p, y, limit: spoken(p, y, limit)[::-1],
                    "The order is the other one: first how often, then how well.",
                ),
            ],
        ),
        hints=[
            "`sure = probabilities.max(axis=1) >= limit` is true or false for each picture.",
            "`right[sure]` keeps the entries for which `sure` is true.",
        ],
        answer="""
def when_sure(probabilities, truth, limit):
    sure = probabilities.max(axis=1) >= limit
    right = probabilities.argmax(axis=1) == truth
    return sure.mean(), right[sure].mean()
""",
        because="Only pictures that it is sure of count in the second share. Try it on those kept back, "
        "`when_sure(model.predict(x[-1000:]), digits[-1000:], 0.9)`: about one answer in seven is lost, and nearly all "
        "of the rest are right. It does not stop the house.",
    ),
    Exercise(
        question="A network reads 94 % of MNIST's pictures. You photograph twenty digits of your own and it reads 17, "
        "which is 85 %. What may you say? (`scipy.stats.binom` helps.)",
        judge=Choice(
            [
                (
                    "It reads mine worse.",
                    "Of twenty at 94 %, how often are 17 or fewer read? More than one time in ten.",
                ),
                (
                    "It reads mine as well as MNIST's.",
                    "That it may be so is not that it is: how likely are 17 if it reads 75 % of yours?",
                ),
                ("Cannot tell: 94 % and 70 % of my digits are both possible.", None),
                (
                    "Of a thousand digits of mine it would read 85 %, give or take two points.",
                    "Two points would take hundreds of digits; with twenty the standard error is four times that.",
                ),
            ]
        ),
        hints=[
            "`binom.cdf(17, 20, 0.94)`: 17 or fewer, if it reads 94 % of yours.",
            "`binom.sf(16, 20, p)`: 17 or more, if it reads a share p of yours. Try 0.7.",
        ],
        answer='answer = "c"',
        because="At 94 %, 17 or fewer happen in 11 % of cases; at 70 %, 17 or more in 11 % too. The standard error of "
        "the share is 8 points.",
    ),
    Exercise(
        level="project",
        question="The `page` of the next cell is squared paper with lines as dark as the ink, and `prepare_digit` "
        "fails on it. Look at its steps to see why. Then write `without_lines(page)`: the page, same shape, "
        "floats 0 to 1, without its lines and with its strokes, so that `prepare_digit` makes of it about "
        "what it makes of the same digit on plain paper. The lines are 2 pixels wide, the strokes mostly "
        "more than twice that. It is tried on several pages.",
        judge=Written(
            look_at_squared,
            mistakes=[
                (lambda page: page, "The lines are still there"),
                (filtered("grey_closing", (5, 1)), "Lines of one direction are gone"),
                (filtered("grey_closing", (41, 41)), "The strokes went with the lines"),
                (lambda page: page / ndimage.grey_closing(page, (5, 5)), "The lines are left and the strokes gone"),
                (filtered("grey_erosion", (5, 5)), "The lines got wider"),
                (filtered("uniform_filter", (7, 7)), "paler, or gone in places only"),
                (lambda page: 1 - ndimage.grey_closing(page, (5, 5)), "Paper should stay light"),
                (lambda page: ndimage.grey_closing(page, (5, 5))[::4, ::4], "another length"),
                (lambda page: 255 * ndimage.grey_closing(page, (5, 5)), "a page has 0 to 1"),
            ],
        ),
        seconds=30,
        hints=[
            'In `.steps["ink"]` lines and digit are one mark.',
            "What takes away whatever is dark and narrower than a window? The page does it to find the light.",
            "Which window is wider than the lines and narrower than the strokes, down and across?",
        ],
        answer="""
from scipy import ndimage


def without_lines(page):
    return ndimage.grey_closing(page, size=(5, 5))
""",
        because="One way: a closing takes away what is dark and narrower than its window. 57 pixels take the strokes "
        "and leave the light; 5 take the lines and leave the strokes. Lines as wide as the strokes would be beyond it.",
    ),
]
