"""Exercises of notebook 04_conv2d."""

from functools import cache
import math
from typing import Any

import convtour
from convtour.exercises.exercise import Exercise
from convtour.exercises.judges import Choice, Function, Value, Written
from convtour.exercises.mistakes import WrongError
import numpy as np

UPRIGHT = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
RNG = np.random.default_rng(4)


def moves(row: int, column: int) -> np.ndarray:
    """Return a kernel of nine numbers: a single 1, and zeros."""
    kernel = np.zeros((3, 3), int)
    kernel[row, column] = 1
    return kernel


# Edges without lines at the borders.


def filtered(image: np.ndarray, kernel: np.ndarray, padding: str = "valid") -> np.ndarray:
    """Convolve one picture of one channel."""
    return convtour.convolve(image[None, :, :, None], kernel[:, :, None, None], padding=padding)[0, :, :, 0]


def edges(image: np.ndarray, mode: Any = "edge", kernel: np.ndarray = UPRIGHT, padding: str = "valid") -> np.ndarray:
    """Find edges in a picture that goes on beyond its borders."""
    return filtered(np.pad(image, 1, mode=mode), kernel, padding)


# More batch axes.


def in_a_pile(pictures: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve all pictures, and leave them lying in one pile."""
    return convtour.convolve(pictures.reshape(-1, *pictures.shape[-3:]), kernel)


def each(pictures: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve the pictures one after another."""
    front = pictures.shape[:-3]
    results = np.array([convtour.convolve(pictures[place][None], kernel)[0] for place in np.ndindex(front)])
    return results.reshape(*front, *results.shape[1:])


def other_order(pictures: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Give the leading axes back in the wrong order."""
    pile = in_a_pile(pictures, kernel)
    return pile.reshape(*pictures.shape[:-3][::-1], *pile.shape[1:])


def mixed(pictures: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Fold so that the pixels of a picture are torn apart."""
    pile = np.moveaxis(pictures, 0, -2).reshape(-1, *pictures.shape[-3:])
    results = convtour.convolve(pile, kernel)
    return results.reshape(*pictures.shape[:-3], *results.shape[1:])


def first_of_each(pictures: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve the first picture of each clip."""
    return convtour.convolve(pictures[:, 0], kernel)


# A separable layer.


def separable(inputs: np.ndarray, depthwise: np.ndarray, pointwise: np.ndarray) -> Any:
    """Return what Keras does."""
    from keras import ops

    return ops.convert_to_numpy(ops.separable_conv(inputs, depthwise, pointwise, padding="valid"))


def by_channel(inputs: np.ndarray, depthwise: np.ndarray, *_: np.ndarray) -> np.ndarray:
    """Read each channel with its own kernel, and mix nothing."""
    return convtour.convolve(inputs, np.swapaxes(depthwise, 2, 3), groups=inputs.shape[-1])


def one_kernel_for_all(inputs: np.ndarray, depthwise: np.ndarray, pointwise: np.ndarray) -> np.ndarray:
    """Read all channels with the first one's kernel."""
    return convtour.convolve(by_channel(inputs, np.repeat(depthwise[:, :, :1], inputs.shape[-1], axis=2)), pointwise)


def added_too_early(inputs: np.ndarray, depthwise: np.ndarray, pointwise: np.ndarray) -> np.ndarray:
    """Add up the channels before they are weighed."""
    total = by_channel(inputs, depthwise).sum(axis=-1, keepdims=True)
    return convtour.convolve(total, pointwise.sum(axis=2, keepdims=True))


def mixed_first(inputs: np.ndarray, depthwise: np.ndarray, pointwise: np.ndarray) -> np.ndarray:
    """Mix the channels, then read each."""
    return by_channel(convtour.convolve(inputs, pointwise), depthwise)


def wrong_way_round(inputs: np.ndarray, depthwise: np.ndarray, pointwise: np.ndarray) -> np.ndarray:
    """Take the rows of the table for its columns."""
    return convtour.convolve(by_channel(inputs, depthwise), np.swapaxes(pointwise, 2, 3))


def cut_off_between(inputs: np.ndarray, depthwise: np.ndarray, pointwise: np.ndarray) -> np.ndarray:
    """Put a ReLU between the two."""
    return convtour.convolve(np.maximum(by_channel(inputs, depthwise), 0), pointwise)


def whole_numbers(*shape: int) -> np.ndarray:
    """Return small whole numbers below and above 0, as float32."""
    return RNG.integers(-4, 5, shape).astype("float32")


# Diagonal strokes.


def stroke(degrees: float, width: float) -> np.ndarray:
    """Draw a stroke through the middle of a sheet; 0 degrees are level, 45 rise to the right."""
    up, right = 13.5 - np.arange(28)[:, None], np.arange(28) - 13.5
    angle = np.deg2rad(degrees)
    along, across = right * np.cos(angle) + up * np.sin(angle), up * np.cos(angle) - right * np.sin(angle)
    return np.asarray(np.clip(width / 2 + 0.5 - abs(across), 0, 1) * np.clip(9.5 - abs(along), 0, 1))


@cache
def handwritten_ones() -> tuple[np.ndarray, np.ndarray]:
    """Return 1s that rise clearly to the right, and ones that stand upright or lean to the left."""
    images, labels, _, _ = convtour.load_dataset("sample")
    ones = images[labels[:, 1] == 1, :, :, 0] / 255
    ink = ones / ones.sum(axis=(1, 2), keepdims=True)
    up = -np.arange(28)[:, None] + (ink.sum(axis=2) @ np.arange(28))[:, None, None]
    right = np.arange(28) - (ink.sum(axis=1) @ np.arange(28))[:, None, None]
    lean = (ink * up * right).sum(axis=(1, 2)) / (ink * up**2).sum(axis=(1, 2))  # pixels to the right for each one up
    return ones[lean > 0.6], ones[lean < 0]


def strongest(kernel: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Return the mean of the ten strongest answers to each picture."""
    maps = convtour.convolve(pictures[..., None], kernel[:, :, None, None], padding="same")
    return np.asarray(np.maximum(np.sort(maps.reshape(len(maps), -1))[:, -10:], 0).mean(axis=1))


def strokes_mistake(kernel: np.ndarray) -> str | None:
    """Say what is wrong with a kernel on strokes that were drawn for it."""
    directions = {"rise to the right": 45, "fall to the right": -45, "stand upright": 90, "lie level": 0}
    scores = {
        name: float(strongest(kernel, np.array([stroke(degrees, width) for width in (2, 3)])).mean())
        for name, degrees in directions.items()
    }
    rising = scores.pop("rise to the right")
    best = max(scores, key=lambda name: scores[name])
    if scores[best] > 1.05 * rising:
        return f"It finds other strokes best: those that {best}. (Row 0 of a kernel is its top.)"
    if scores[best] > 0.8 * rising:
        share = math.ceil(100 * scores[best] / rising) / 100
        return f"It finds your strokes, but others too: those that {best} get {share:.2f} of what yours get."
    return None


def pairs_won(kernel: np.ndarray) -> float:
    """Return the share of pairs of handwritten ones in which the one that rises to the right gets more."""
    rising, others = handwritten_ones()
    return float((strongest(kernel, rising)[:, None] > strongest(kernel, others)).mean())


def look_at_strokes(answer: Any) -> None:
    """Try a kernel on plain surfaces, on drawn strokes and on handwritten ones."""
    try:
        kernel = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        raise WrongError(f"Asked for is an array of numbers; this is of type {type(answer).__name__}.") from None
    if kernel.shape not in ((3, 3), (5, 5), (7, 7)):
        raise WrongError(f"Its shape is {kernel.shape}; 3x3, 5x5 or 7x7 numbers are asked for, without further axes.")
    if not np.isfinite(kernel).all():
        raise WrongError("Some of its numbers are infinite, or NaN.")
    size = abs(kernel).sum()
    if size == 0:
        raise WrongError("Nothing but zeros: it answers to nothing.")
    if abs(kernel.sum()) > 0.001 * size:
        raise WrongError("It answers to plain ink, where there is no stroke at all. Add up its numbers.")
    mistake = strokes_mistake(kernel)
    if mistake is not None and strokes_mistake(-kernel) is None:
        mistake = "It answers beside your strokes, and not on them: it looks for white strokes on black."
    if mistake is not None:
        raise WrongError(mistake)
    won = pairs_won(kernel)
    if won < 0.99:
        raise WrongError(
            "Drawn strokes are found, handwritten ones less well: "
            f"{math.floor(1000 * won) / 10} % of the pairs are right; 99 are asked for."
        )


RISING = np.array([[-1, -1, 2], [-1, 2, -1], [2, -1, -1]])
LOPSIDED = np.array([[-2, 2, 0], [2, 0, -1], [-1, -1, 1]])

EXERCISES = [
    Exercise(
        level="recall",
        question="In a picture, every column is darker by 10 than the one to its left. What does the kernel for "
        "vertical edges give, away from the borders?",
        judge=Value(
            80,
            mistakes=[
                (40, "The columns that it compares are two steps apart: its middle column is 0."),
                (60, "So many, if each row counted once. Look at the kernel's middle row."),
                (20, "This is one row of the window; the kernel adds up three."),
                (30, "Neighbours are compared here, and each row counted once; the kernel does neither."),
                (0, "Kernels that add up to 0 give that on a *plain* surface. This one gets darker."),
                (-80, "Darker is a larger number here, and the positive weights stand on the right."),
            ],
        ),
        hints=[
            "Write down a window: three rows, all the same, such as 0, 10, 20.",
            "Right minus left, for each row; the middle row counts twice.",
        ],
        answer="answer = (1 + 2 + 1) * (20 - 0)",
        because="Right minus left is 20 in each row, two steps of 10, and the rows count 1, 2 and 1: 4 times 20.",
    ),
    Exercise(
        level="recall",
        question="`SeparableConv2D(64, 3)` reads 32 channels. Its window grows to 5x5. What becomes of its weights?",
        judge=Choice(
            [
                (
                    "Depthwise and pointwise weights become nearly three times as many.",
                    "The window belongs to one of the two layers. How large is the window of the other?",
                ),
                ("The depthwise weights become nearly three times as many, the pointwise ones stay as many.", None),
                (
                    "The pointwise weights become nearly three times as many, the depthwise ones stay as many.",
                    "Which of the two looks at neighbours, and which mixes channels within a pixel?",
                ),
                (
                    "Both stay as many: all places share them.",
                    "Places share their weights, taps do not: each tap of a window has weights of its own.",
                ),
            ]
        ),
        hints=[
            "One part says *where*, the other *what with what*.",
            "Write down the shapes of both arrays of weights, as the page prints them. Where do they hold the window?",
        ],
        answer='answer = "b"',
        because="Of the two arrays, (3, 3, 32, 1) and (1, 1, 32, 64), only the first holds the window: 288 weights "
        "become 800, and 2,048 stay. With the 64 biases, 2,400 parameters become 2,912. An ordinary `Conv2D` of 64 "
        "filters would go from 18,496 to 51,264.",
    ),
    Exercise(
        question="A kernel that moves the picture: which nine numbers, as an array of 3x3, make `filtered` shift the "
        "photograph by one pixel *up and to the left*?",
        judge=Value(
            moves(2, 2),
            mistakes=[
                (moves(0, 0), "This moves it down and to the right. The 1 says where an output comes *from*."),
                (moves(2, 1), "This moves it up only."),
                (moves(1, 2), "This moves it to the left only."),
                (moves(2, 0), "This moves it up, and to the right."),
                (moves(0, 2), "This moves it to the left, and down."),
                (moves(1, 1), "This is the identity: each pixel stays where it is."),
                (np.full((3, 3), 1 / 9), "This is a blur. A shift mixes nothing: it needs one pixel for each output."),
            ],
        ),
        hints=[
            "In the identity a single 1 stands in the middle: each output is the pixel there.",
            "Which pixel must an output become, for all to move up and to the left?",
        ],
        answer="import numpy as np\n\nanswer = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 1]])",
        because="Each output becomes the pixel at its lower right, which so comes to stand one up and one to the left. "
        "The last row and the last column become 0, white paper, from the padding.",
    ),
    Exercise(
        question="Ten pictures in colour, of 64 rows and 48 columns, go through `Conv2D(8, 5, dilation_rate=2)` and "
        "then `MaxPooling2D(2)`. What shape comes out?",
        judge=Value(
            (10, 28, 20, 8),
            mistakes=[
                ((10, 30, 22, 8), "The dilation is forgotten: five taps with gaps span more than five pixels."),
                ((10, 27, 19, 8), "A gap lies between two taps; there is none after the last."),
                ((10, 56, 40, 8), "That is what comes out of the convolution; the pooling is still to come."),
                ((10, 55, 39, 8), "The pooling is forgotten, and there is no gap after the last tap."),
                ((10, 28, 20, 3), "The last axis counts filters now: each adds up over all colours."),
                ((10, 32, 24, 8), "By default nothing is padded: the convolution takes some rows and columns, too."),
            ],
        ),
        hints=[
            "How many pixels do five taps span, with a gap of one pixel between two?",
            "Count the places for such a window along 64 and along 48, then halve.",
        ],
        answer="span = 2 * (5 - 1) + 1\nanswer = (10, (64 - span + 1) // 2, (48 - span + 1) // 2, 8)",
        because="Five taps with four gaps span 9 pixels, and have 56 places along 64, 40 along 48. Pooling halves "
        "both; pictures stay 10, and filters are 8.",
    ),
    Exercise(
        question="Write `edges_without_lines(image)`: the vertical edges of a picture, an array of the same shape, "
        "computed as if each outermost pixel were repeated beyond the border, on all four sides.",
        judge=Function(
            edges,
            [(RNG.integers(50, 255, (6, 8)),), (RNG.integers(50, 255, (5, 4)).astype(float),)],
            mistakes=[
                (
                    lambda image: filtered(image, UPRIGHT, "same"),
                    "The lines are still there: `same` puts zeros around the picture, and 0 is white paper.",
                ),
                (
                    lambda image: filtered(image, UPRIGHT),
                    "No line, but the picture has lost its border: the window must find something there to read.",
                ),
                (
                    lambda image: np.pad(filtered(image, UPRIGHT), 1),
                    "The *answers* at the border are set to 0. Give the kernel something to read there instead.",
                ),
                (
                    lambda image: np.pad(filtered(image, UPRIGHT), 1, mode="edge"),
                    "The *answers* at the border are copied from beside it; give the kernel something to read there "
                    "instead.",
                ),
                (
                    lambda image: filtered(np.pad(image, ((0, 0), (1, 1)), mode="edge"), UPRIGHT, "same")[:, 1:-1],
                    "Left and right are as asked; above and below the kernel still reads zeros.",
                ),
                (
                    lambda image: edges(image, "reflect"),
                    "What goes on here is the pixel *beside* the outermost one: NumPy calls it `reflect`.",
                ),
                (
                    lambda image: edges(image, "wrap"),
                    "The picture goes on with its opposite border here: NumPy calls it `wrap`.",
                ),
                (
                    lambda image: edges(image, padding="same"),
                    "The picture has grown: it is padded twice, once by you and once by the convolution.",
                ),
                (
                    lambda image: edges(image, kernel=UPRIGHT.T),
                    "These are the horizontal edges.",
                ),
            ],
        ),
        hints=[
            "Make the picture larger first, by one pixel on each side, and let the convolution add nothing.",
            "`np.pad` has modes; one of them repeats the outermost values.",
        ],
        answer="""
from convtour import convolve
import numpy as np


def edges_without_lines(image):
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    larger = np.pad(image, 1, mode="edge")[None, :, :, None]
    return convolve(larger, kernel[:, :, None, None])[0, :, :, 0]
""",
        because="Where the outermost pixels go on, a border is no edge. In the photograph's first and last column the "
        "strongest answer falls from 1,011 to 279.",
    ),
    Exercise(
        question="Batch axes by hand, as many as there are: write `convolve_each(pictures, kernel)`. The pictures have "
        "shape (..., rows, columns, channels), with any number of axes in front, even none. Use `convolve`, which "
        "takes exactly one, and give the axes in front back.",
        judge=Function(
            each,
            [
                (whole_numbers(2, 3, 7, 6, 2), whole_numbers(3, 3, 2, 4)),
                (whole_numbers(4, 2, 3, 5, 5, 1), whole_numbers(2, 3, 1, 2)),
                (whole_numbers(5, 6, 7, 1), whole_numbers(3, 3, 1, 2)),
                (whole_numbers(6, 7, 1), whole_numbers(3, 3, 1, 2)),
            ],
            mistakes=[
                (in_a_pile, "All are convolved, and lie in one pile still: the axes in front are not given back."),
                (other_order, "The axes in front have come back in another order."),
                (mixed, "The pile is not made of whole pictures: axes were moved, and pixels went astray."),
                (first_of_each, "Each clip has lost all pictures but its first."),
            ],
        ),
        hints=[
            "`pictures.shape[:-3]` are the axes in front, none, one or many.",
            "`reshape(-1, ...)` makes one pile, of one picture at least.",
            "After the convolution rows, columns and channels are others: take them from the result.",
        ],
        answer="""
from convtour import convolve


def convolve_each(pictures, kernel):
    pile = pictures.reshape(-1, *pictures.shape[-3:])
    results = convolve(pile, kernel)
    return results.reshape(*pictures.shape[:-3], *results.shape[1:])
""",
        because="Each picture is convolved by itself, so that any pile of them will do. A single picture is a pile of "
        "1, and the result gets no axis in front.",
    ),
    Exercise(
        question="Take a separable layer apart: write `separable(inputs, depthwise, pointwise)`, which gives what "
        "`SeparableConv2D` gives without bias and padding. The weights are as in the layer, (3, 3, channels, 1) and "
        "(1, 1, channels, filters).",
        judge=Function(
            separable,
            [
                (whole_numbers(2, 6, 5, 3), whole_numbers(3, 3, 3, 1), whole_numbers(1, 1, 3, 3)),
                (whole_numbers(1, 5, 7, 4), whole_numbers(3, 3, 4, 1), whole_numbers(1, 1, 4, 6)),
            ],
            mistakes=[
                (by_channel, "Each channel is read by itself; they are not mixed yet."),
                (
                    lambda inputs, depthwise, _: convtour.convolve(inputs, depthwise),
                    "All channels are read at once and added up; first, each is to be read by itself.",
                ),
                (one_kernel_for_all, "Every channel is read with the kernel of the first."),
                (added_too_early, "The maps are added up before the pointwise weights could weigh each of them."),
                (mixed_first, "The channels are mixed first, and read afterwards: it is the other way round."),
                (wrong_way_round, "The pointwise weights are transposed: rows of its table are channels in."),
                (cut_off_between, "There is a ReLU between the two layers; it has none there."),
            ],
            tolerance=0.001,
        ),
        seconds=30,  # Keras may have to be loaded first
        hints=[
            "First a map for each channel, of `inputs[..., c : c + 1]` and that channel's kernel.",
            "Put the maps side by side with `np.concatenate`; the pointwise layer is a convolution of 1x1.",
        ],
        answer="""
from convtour import convolve
import numpy as np


def separable(inputs, depthwise, pointwise):
    maps = []
    for c in range(inputs.shape[-1]):
        channel = inputs[..., c : c + 1]
        maps.append(convolve(channel, depthwise[:, :, c : c + 1]))
    return convolve(np.concatenate(maps, axis=-1), pointwise)
""",
        because="Where first, each channel with a kernel of its own; then what with what, at each place. For 4 "
        "channels and 6 filters that takes 36 and 24 weights, instead of 216.",
    ),
    Exercise(
        level="project",
        question="Find diagonal strokes in handwritten digits. Make a kernel, an array of 3x3, 5x5 or 7x7, that "
        "answers to strokes that *rise to the right*, like `/`, and gives 0 on plain paper and plain ink. A picture's "
        "score is the mean of its ten strongest answers. Two trials:\n\n"
        "- Of drawn strokes, those that fall, stand upright or lie level get at most 0.8 of what rising ones get.\n"
        "- Of a handwritten 1 that leans clearly to the right and one that does not lean to it at all, the first gets "
        "more, in 99 % of all such pairs.",
        judge=Written(
            look_at_strokes,
            mistakes=[
                (RISING[:, ::-1], "those that fall to the right"),
                (UPRIGHT, "those that stand upright"),
                (UPRIGHT.T, "those that lie level"),
                (np.eye(3)[::-1], "It answers to plain ink"),
                (-RISING, "beside your strokes, and not on them"),
                (np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]), "but others too"),
                (LOPSIDED, "81.2 % of the pairs are right"),
                (RISING, "98.0 % of the pairs are right"),
                (RISING[None, :, :, None], "without further axes"),
                (np.zeros((3, 3)), "answers to nothing"),
            ],
        ),
        hints=[
            "What must lie under the positive weights, what under the negative ones?",
            "Positive along the diagonal from the lower left to the upper right, negative beside it, and all weights "
            "together add up to 0.",
            "Strokes of digits are two or three pixels wide; a larger kernel sees more of their direction.",
        ],
        answer="import numpy as np\n\ndiagonal = np.eye(5)[::-1]\nanswer = diagonal - diagonal.mean()",
        because="Positive weights along the stroke and negative ones beside it find it. With the diagonal of "
        "5x5, less its mean, falling strokes get 0.33 of what rising ones get, upright and level ones 0.39, and 99.3 % "
        "of the pairs are right. With that of 7x7 it is 99.8 %, with that of 3x3 only 98.0 %.",
    ),
]
