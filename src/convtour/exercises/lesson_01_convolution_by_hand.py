"""Exercises of notebook 01_convolution_by_hand."""

from collections.abc import Callable
from typing import Any

from convtour.exercises.exercise import Exercise
from convtour.exercises.judges import Choice, Function, Value, Written, layers_of, their_model, theirs
from convtour.exercises.mistakes import NotAttemptedError, WrongError
from convtour.layers.convolution import convolve
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
RNG = np.random.default_rng(1)


def dense_table(kernel: Array, height: int, width: int) -> Array:
    """Return the table that a convolution is, from what it makes of pictures with a single 1."""
    pixels = np.eye(height * width).reshape(-1, height, width, 1)
    return convolve(pixels, kernel[..., np.newaxis, np.newaxis]).reshape(height * width, -1).T


def _as_a_signal(kernel: Array, height: int, width: int) -> Array:
    """The mistake to lay all weights side by side."""
    places = dense_table(kernel, height, width).shape[0]
    table = np.zeros((places, height * width))
    for place in range(min(places, height * width - kernel.size + 1)):
        table[place, place : place + kernel.size] = kernel.ravel()
    return table


def _not_wrapped(kernel: Array, height: int, width: int) -> Array:
    """The mistake to go on by one pixel from the last place of a row to the first of the next."""
    table = dense_table(kernel, height, width)
    return np.array([np.roll(table[0], place) for place in range(len(table))])


def _wrong_row_length(kernel: Array, height: int, width: int) -> Array:
    """The mistake to count rows of `height` pixels; it may run out of the table."""
    table = np.zeros_like(dense_table(kernel, height, width))
    places = np.ndindex(height - kernel.shape[0] + 1, width - kernel.shape[1] + 1)
    for weights, (row, column) in zip(table, places, strict=True):
        for (down, right), weight in np.ndenumerate(kernel):
            weights[(row + down) * height + column + right] = weight
    return table


def _column_by_column(kernel: Array, height: int, width: int) -> Array:
    """The mistake to lay the pixels in a row column by column."""
    table = dense_table(kernel, height, width)
    return table.reshape(-1, height, width).transpose(0, 2, 1).reshape(table.shape)


def _places_column_by_column(kernel: Array, height: int, width: int) -> Array:
    """The mistake to take the places column by column."""
    rows, columns = height - kernel.shape[0] + 1, width - kernel.shape[1] + 1
    table = dense_table(kernel, height, width)
    return table.reshape(rows, columns, -1).transpose(1, 0, 2).reshape(table.shape)


def _slide(signal: Array, kernel: Array) -> Array:
    return np.array([kernel @ signal[at : at + len(kernel)] for at in range(len(signal) - len(kernel) + 1)])


def merged_kernel(first: Array, second: Array) -> Array:
    """Return the kernel that does what two do in a row, from what they make of signals with a single 1."""
    signals = np.eye(len(first) + len(second) - 1)[..., np.newaxis]
    once = convolve(signals, first[:, np.newaxis, np.newaxis])
    merged: Array = convolve(once, second[:, np.newaxis, np.newaxis]).ravel()
    return merged


def _side_by_side(first: Array, second: Array) -> Array:
    """The mistake to add the kernels."""
    length = max(len(first), len(second))
    both: Array = np.pad(first, (0, length - len(first))) + np.pad(second, (0, length - len(second)))
    return both


SHAPES = [(3, 3, 1, 2), (2,), (2, 10), (10,)]


def _network(weights: list[Array], pictures: Array) -> Array:
    kernel, bias, dense, dense_bias = weights
    maps = np.maximum(convolve(pictures, kernel, bias), 0)
    return np.asarray(maps.max(axis=(1, 2)) @ dense + dense_bias)


def look_at_weights(answer: Any) -> None:
    """Give it weights, and compare what a network answers with those and with what comes back."""
    rng = np.random.default_rng(3)
    before = [rng.normal(size=shape) for shape in SHAPES]
    pictures = rng.normal(size=(8, 9, 9, 1))
    given = theirs(answer, before)
    if isinstance(given, (list, tuple)) and any(part is ... for part in given):
        raise NotAttemptedError
    if not isinstance(given, (list, tuple)):
        raise WrongError(f"Asked for is a list of four arrays; this is of type {type(given).__name__}.")
    if len(given) != len(SHAPES):
        raise WrongError(f"Asked for is a list of four arrays; this list has {len(given)}.")
    after = []
    for part, shape in zip(given, SHAPES, strict=True):
        array = np.asarray(part)
        if array.shape != shape or array.dtype.kind not in "iuf":
            raise WrongError(f"The array of shape `{shape}` came back as one of shape `{array.shape}`, {array.dtype}.")
        after.append(array.astype(float))
    kernel, bias, dense, dense_bias = (
        np.allclose(one, other, atol=1e-3) for one, other in zip(before, after, strict=True)
    )
    if kernel and bias and dense and dense_bias:
        raise WrongError("These are the weights that came in; others are asked for.")
    answers, others = _network(before, pictures), _network(after, pictures)
    if np.allclose(answers, others, rtol=1e-4, atol=1e-4):
        return
    if np.array_equal(after[0], -before[0]):
        raise WrongError("The filters have changed their sign, and ReLU does not let a sign through.")
    if np.array_equal(after[0], np.flip(before[0])):
        raise WrongError("All axes of the kernel are reversed; only the last counts filters.")
    times = after[0] / before[0]
    if bias and not kernel and np.allclose(times, times[0, 0, 0]) and times.min() > 0:
        raise WrongError("The filters are multiplied by a number. The bias must grow with its kernel.")
    filters = np.array_equal(after[0], before[0][..., ::-1])
    if np.array_equal(after[0][..., 0], after[0][..., 1]):
        raise WrongError(
            "Both filters are now the same: a slice is no copy, so the first was overwritten before it was read."
        )
    if filters and bias:
        raise WrongError("The kernels of the two filters changed places; each left its bias behind.")
    if filters and dense:
        raise WrongError(
            "The filters changed places with their biases, but the weights that read their maps stayed where they were."
        )
    if filters and np.array_equal(after[2], before[2][:, ::-1]):
        raise WrongError("The dense layer's columns belong to its ten outputs. Which axis belongs to the maps?")
    if np.array_equal(after[3], before[3][::-1]):
        raise WrongError("The last array is reversed, too. That belongs to the ten outputs.")
    if kernel and np.array_equal(after[2], before[2][::-1]):
        raise WrongError("The dense layer now reads the maps in another order, but the filters make them in the old.")
    raise WrongError("With these weights the network gives other answers.")


def _filters_only(weights: list[Array]) -> list[Array]:
    return [weights[0][..., ::-1], weights[1][::-1], *weights[2:]]


def _reversed(arrays: list[Array]) -> list[Array]:
    return [array[::-1] for array in arrays]


def _overwritten(weights: list[Array]) -> list[Array]:
    kernel, bias, dense, dense_bias = weights
    kernel[..., 0], kernel[..., 1] = kernel[..., 1], kernel[..., 0]
    return [kernel, bias[::-1], dense[::-1], dense_bias]


SIDE, BY = 160, 6


def _sheets() -> Array:
    """Two digits in the middle of large sheets."""
    from convtour.digits.mnist import load_dataset

    digits = load_dataset("sample")[0][:2].astype("float32") / 255
    return np.pad(digits, ((0, 0), (66, 66), (66, 66), (0, 0)))


def _changes(model: Any, move: int) -> bool:
    """Whether what a model says changes as two digits move, beside how much it differs between them."""
    import keras

    sheets = _sheets()
    shifted = [np.roll(sheets, move, axis=axis) for axis in (1, 2)]
    outputs = np.asarray(keras.ops.convert_to_numpy(theirs(model, np.concatenate([sheets, *shifted]))))
    if outputs.shape[1:] != (10,):
        raise WrongError(f"For one sheet it gives an array of shape {outputs.shape[1:]}; ten numbers are asked for.")
    still, *moved = outputs.reshape(3, 2, 10)
    apart = np.abs(still[0] - still[1]).max()
    if not apart > 1e-6:
        raise WrongError("It gives the same ten numbers for two different digits.")
    return bool(np.abs(moved - still).max() > 0.01 * apart)


def look_at_model(answer: Any) -> None:
    """Move digits over its input, and see by how many pixels they may move."""
    import keras

    model = their_model(answer, knows_shapes=False)
    shape = getattr(model, "input_shape", None)
    sheet = (SIDE, SIDE, 1)
    if isinstance(shape, tuple) and not (
        len(shape) == 4 and all(given in (None, asked) for given, asked in zip(shape[1:], sheet, strict=True))
    ):
        raise WrongError(f"It is built for inputs of shape `{shape[1:]}`; sheets of shape `{sheet}` are asked for.")
    layers = list(layers_of(model))
    pools = [layer for layer in layers if isinstance(layer, keras.layers.MaxPooling2D)]
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)]
    if len(pools) != 2:
        raise WrongError(f"It has {len(pools)} `MaxPooling2D`; two are asked for.")
    if min(min(layer.strides) for layer in pools) < 2:
        raise WrongError("One of its `MaxPooling2D` moves in steps of 1; each is asked to move by 2 or more.")
    if len(convolutions) != 3:
        raise WrongError(f"Three `Conv2D` are asked for; this has {len(convolutions)}.")
    order = ["pooling" if layer in pools else "convolution" for layer in layers if layer in pools + convolutions]
    if order != ["convolution", "pooling", "convolution", "pooling", "convolution"]:
        raise WrongError(
            f"It has, in this order, {', '.join(order)}; a convolution goes before and after each pooling."
        )
    if not _changes(model, BY):
        return
    step = int(np.prod([max(layer.strides) for layer in pools + convolutions]))
    if step > 24:
        raise WrongError(f"Moved by {BY} pixels, the ten numbers change: its steps are {step} pixels wide.")
    if _changes(model, step):
        raise WrongError(
            f"Moved by {BY} pixels, the ten numbers change: a layer has weights of its own for each place."
        )
    raise WrongError(f"Moved by {BY} pixels, the ten numbers change. Moved by {step} they stay.")


def _built(plan: str, side: int = SIDE) -> Callable[[], Any]:
    """Return a function that builds a model: `c` is a convolution, a number a pooling, `f` reads all places."""

    def build() -> Any:
        import keras

        layers: list[Any] = [keras.Input((side, side, 1))]
        for number, step in enumerate(plan):
            start = keras.initializers.GlorotUniform(seed=number)
            if step == "c":
                layers.append(keras.layers.Conv2D(16, 3, activation="relu", kernel_initializer=start))
            elif step != "f":
                layers.append(keras.layers.MaxPooling2D(max(2, int(step)), strides=int(step)))
        layers.append(keras.layers.Flatten() if plan.endswith("f") else keras.layers.GlobalMaxPooling2D())
        start = keras.initializers.GlorotUniform(seed=len(plan))
        return keras.Sequential([*layers, keras.layers.Dense(10, kernel_initializer=start)])

    return build


EXERCISES = [
    Exercise(
        level="recall",
        question="`Conv2D(16, 5)` reads pictures of 32x48 pixels with 3 channels. "
        "What is the shape of its kernel, as Keras keeps it?",
        judge=Value(
            (5, 5, 3, 16),
            mistakes=[
                ((16, 5, 5, 3), "Keras keeps the filters last, as they are the channels of the output."),
                ((5, 5, 16, 3), "What comes in and what goes out have changed places."),
                ((5, 5, 16), "A filter has weights of its own for each channel that it reads."),
                ((5, 3, 16), "One number for the kernel size means as many rows as columns."),
                ((32, 48, 3, 16), "That is a weight for every pixel. A kernel is no larger than its window."),
                ((28, 44, 16), "That is the shape of its output."),
            ],
        ),
        hints=["Four lengths. Does the size of the picture matter?", "Taps down, taps across, then the two channels."],
        answer="answer = (5, 5, 3, 16)",
        because="5x5 taps, each with a table of 3 channels in by 16 filters. The 32x48 pixels are not in it.",
    ),
    Exercise(
        level="recall",
        question="`Conv2D(2, 3)` is built for 28x28 pixels with 3 channels, and again for 56x56. "
        'What does the larger picture change? The answer is a letter, such as `"a"`.',
        judge=Choice(
            [
                (
                    "It has about four times the parameters, and does about four times the multiply-adds.",
                    "Which weights would the new places have? They are asked the same question as the old ones.",
                ),
                (
                    "Parameters and multiply-adds stay the same.",
                    "Weights can be shared, products cannot: each output needs its own.",
                ),
                ("It has the same number of parameters, and does about four times the multiply-adds.", None),
                (
                    "It has about four times the parameters, and does the same number of multiply-adds.",
                    "It is the other way round: look at what is counted for each place, and what once for all.",
                ),
            ]
        ),
        hints=[
            "Does the number of taps depend on the picture?",
            "How many places has the kernel, and what does it do?",
        ],
        answer='answer = "c"',
        because="56 parameters for both. The kernel has 54 · 54 places and not 26 · 26, and does 54 multiply-adds at "
        "each: 157,464 and not 36,504.",
    ),
    Exercise(
        level="apply",
        question="A convolution with 24 filters is followed by `MaxPooling2D(2)`, and that by `Conv2D(64, 3)`. "
        "How many parameters does the last of them have?",
        judge=Value(
            13_888,
            mistakes=[
                (13_824, "Those are the weights of the kernel; the layer has biases as well."),
                (13_848, "A bias belongs to a filter of this layer, not to a channel that comes in."),
                (640, "Each filter has a 3x3 table for every map that it reads, not one for all."),
                (217, "That is a single filter."),
                (6_976, "Pooling makes the maps smaller; are there fewer of them?"),
            ],
        ),
        hints=["How many channels does it read?", "(taps · channels in + 1) · filters."],
        answer="answer = (3 * 3 * 24 + 1) * 64",
        because="It reads 24 maps, whatever their size: (9 · 24 + 1) · 64. Pooling has no weights.",
    ),
    Exercise(
        level="apply",
        question="Write `as_dense(kernel, height, width)`: the table of weights with which a dense layer does what "
        "`corr2d` does with images of shape `(height, width)`. For every image of that size, "
        "`as_dense(kernel, height, width) @ image.ravel()` equals `corr2d(image, kernel).ravel()`. "
        "(`ravel` lays rows one after another.)",
        judge=Function(
            dense_table,
            [
                (np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), 3, 5),
                (RNG.normal(size=(2, 2)), 5, 4),
                (RNG.normal(size=(3, 1)), 4, 6),
            ],
            mistakes=[
                (
                    lambda kernel, height, width: dense_table(kernel, height, width).T,
                    "Rows and columns of the table are exchanged: `@` takes the dot product of each *row*.",
                ),
                (
                    lambda kernel, height, width: dense_table(kernel[::-1, ::-1], height, width),
                    "The kernel is flipped.",
                ),
                (
                    lambda kernel, height, width: dense_table(kernel, height, width)[:-1],
                    "The last place of the kernel is left out.",
                ),
                (
                    _as_a_signal,
                    "In a line of pixels, the neighbour below is a whole row away: there the kernel's next row goes.",
                ),
                (
                    _not_wrapped,
                    "The first row of places is right; from the second on the kernel stands too far left: a row of "
                    "places is shorter than a row of pixels.",
                ),
                (
                    _wrong_row_length,
                    "A step down ends at the wrong pixel: how many pixels has one row of the picture?",
                ),
                (_column_by_column, "The pixels are laid in a line column by column; `ravel` does it row by row."),
                (_places_column_by_column, "The outputs come column by column; `ravel` lays them row by row."),
            ],
            tolerance=1e-6,
        ),
        hints=[
            "One row of the table for each place of the kernel. Which pixels have a weight other than 0 there?",
            "Write the kernel into a picture of zeros, at its place, and `ravel` that picture: this is the row.",
            "Loop over the places as `corr2d` does, with `np.ndindex`, row by row.",
        ],
        answer="""
import numpy as np


def as_dense(kernel, height, width):
    rows, columns = kernel.shape
    table = []
    for r, c in np.ndindex(height - rows + 1, width - columns + 1):
        weights = np.zeros((height, width))
        weights[r : r + rows, c : c + columns] = kernel
        table.append(weights.ravel())
    return np.array(table)
""",
        because="Each row holds the same weights at another place, and 0 elsewhere: sharing and locality.",
    ),
    Exercise(
        level="apply",
        question="Slide one kernel over a signal, and a second one over the result. Write `merged(first, second)`: the "
        "single kernel that gives the same for every signal. Kernels are arrays, and may differ in length.",
        judge=Function(
            merged_kernel,
            [
                (np.array([1.0, 1.0]), np.array([-1.0, 2.0])),
                (np.array([1.0, 10.0, 100.0]), np.array([3.0, 0.0, -2.0])),
                (np.array([2.0, -1.0, 4.0, 7.0]), np.array([1.0, 5.0])),
                (np.array([2.0, 3.0]), np.array([1.0, 0.0, -4.0, 6.0])),
            ],
            mistakes=[
                (
                    lambda first, second: merged_kernel(first, second[::-1]),
                    "This is right for the second kernel reversed. Neither kernel is flipped when it slides.",
                ),
                (
                    lambda first, second: merged_kernel(first[::-1], second),
                    "This is right for the first kernel reversed. Neither kernel is flipped when it slides.",
                ),
                (
                    lambda first, second: merged_kernel(first, second)[::-1],
                    "All is there, in reverse: the kernel's first weight is for the input read first.",
                ),
                (
                    _slide,
                    "This slides one kernel over the other. How many inputs does one number of the end result see?",
                ),
                (
                    _side_by_side,
                    "The sum of the kernels adds two results of the *same* signal; here one follows the other.",
                ),
                (np.outer, "All products are there. Those that multiply the same input belong together."),
            ],
            tolerance=1e-6,
        ),
        hints=[
            "Do it on paper for `[a, b]` and `[c, d]`: which inputs does one number of the end result see?",
            "`first[j] * second[k]` multiplies the input `j + k` steps from the start of the window.",
        ],
        answer="""
import numpy as np


def merged(first, second):
    kernel = np.zeros(len(first) + len(second) - 1)
    for place, weight in enumerate(second):
        kernel[place : place + len(first)] += weight * first
    return kernel
""",
        because="A weighted sum of weighted sums is a weighted sum: two layers without an activation between them can "
        "do no more than one with a longer kernel. (`np.convolve(first, second)`, which flips, gives it too.)",
    ),
    Exercise(
        level="apply",
        question="*Find a hidden kernel* used noise. Take stripes instead, `np.tile(rng.normal(size=20), (20, 1))`: "
        "all rows are the same. How many of the ten columns of their `equations` are independent? Predict, then count.",
        judge=Value(
            4,
            mistakes=[
                (10, "So it is for noise. Here, the pixels of a patch that stand below each other are equal."),
                (9, "The nine taps do not all meet different numbers here."),
                (3, "The taps are counted; what else is unknown?"),
                (1, "So it would be if all pixels were equal; from left to right these vary."),
                (18, "So many different equations there are. Asked for are the columns, the unknowns."),
            ],
        ),
        hints=[
            "Which of the nine taps always meet the same number?",
            "Run the cell that makes `patches` and `equations`, with the stripes for `noise`.",
        ],
        answer="""
import numpy as np

stripes = np.tile(np.random.default_rng(7).normal(size=20), (20, 1))
windows = np.lib.stride_tricks.sliding_window_view(stripes, (3, 3))
patches = windows.reshape(-1, 9)
equations = np.column_stack([patches, np.ones(len(patches))])
answer = np.linalg.matrix_rank(equations)
""",
        because="The three taps of a kernel's column always meet the same number: only the sums of the three columns "
        "can be told, and the bias. Many kernels have the sums 4, 0 and -4 of the hidden one, and all give the "
        "same output. Where the data do not vary, from top to bottom, they cannot teach a kernel to see variation.",
    ),
    Exercise(
        level="apply",
        question='A network is `Conv2D(2, 3, activation="relu")`, `GlobalMaxPooling2D()` and `Dense(10)`. Write '
        "`other_weights(weights)`: it takes its four arrays, kernel and bias of the convolution, then of the dense "
        "layer, of shapes `(3, 3, 1, 2)`, `(2,)`, `(2, 10)` and `(10,)`, and returns a list of four with which the "
        "network gives the *same* answers to every picture, though the weights are others.",
        judge=Written(
            look_at_weights,
            mistakes=[
                (lambda weights: weights, "the weights that came in"),
                (
                    lambda weights: [weights[0][..., ::-1], weights[1], weights[2][::-1], weights[3]],
                    "left its bias behind",
                ),
                (_filters_only, "the weights that read their maps stayed"),
                (
                    lambda weights: [*_filters_only(weights)[:2], weights[2][:, ::-1], weights[3]],
                    "columns belong to its ten",
                ),
                (lambda weights: [*weights[:2], weights[2][::-1], weights[3]], "the filters make them in the old"),
                (_overwritten, "Both filters are now the same"),
                (lambda weights: [*_filters_only(weights)[:2], *_reversed(weights[2:])], "belongs to the ten outputs"),
                (lambda weights: [np.flip(weights[0]), *_reversed(weights[1:3]), weights[3]], "All axes of the kernel"),
                (lambda weights: [-weights[0], weights[1], -weights[2], weights[3]], "let a sign through"),
                (lambda weights: [2 * weights[0], weights[1], weights[2] / 2, weights[3]], "grow with its kernel"),
                (lambda weights: [2 * array for array in weights], "gives other answers"),
            ],
        ),
        hints=[
            "What did the page say of the best points of a real network's loss?",
            "Let the two filters change places. What else belongs to a filter?",
            "`array[..., ::-1]` is an array with its last axis reversed, and with two filters that is a swap.",
            "The dense layer has a row of weights for each map.",
        ],
        answer="""
def other_weights(weights):
    kernel, bias, dense, dense_bias = weights
    return [kernel[..., ::-1], bias[::-1], dense[::-1], dense_bias]
""",
        because="The maps change places, and so do the weights that read them. So a best point of the loss has "
        "another as good. (Doubling a filter with its bias and halving its row in the dense layer does it too.)",
    ),
    Exercise(
        level="project",
        question="Write `build()`: it returns a Keras model for sheets of 160x160 pixels with one channel: three "
        "`Conv2D`, a `MaxPooling2D` by 2 or more after each of the first two, at the end ten numbers. "
        "These must differ from digit to digit, but stay the same when a digit, far from the border, moves by **6** "
        "pixels to the right or down. It needs no training.",
        judge=Written(
            look_at_model,
            mistakes=[
                (_built("c2c2cf"), "weights of its own for each place"),
                (_built("c2c2c"), "Moved by 4 they stay"),
                (_built("c3c3c"), "Moved by 9 they stay"),
                (_built("c4c4c"), "Moved by 16 they stay"),
                (_built("c6cc"), "It has 1 `MaxPooling2D`"),
                (_built("c6c1c"), "moves in steps of 1"),
                (_built("c2c3"), "Three `Conv2D` are asked for"),
                (_built("cc2c3"), "a convolution goes before and after"),
                (_built("c2c3c", side=28), "It is built for inputs of shape `(28, 28, 1)`"),
            ],
        ),
        hints=[
            "Which layer keeps how strongly a question was answered, and not where?",
            "A pooling by 2 gives maps that move along only if its input moves by whole patches. And two in a row?",
            "The steps multiply. Which two give 6?",
        ],
        answer="""
import keras


def build():
    return keras.Sequential(
        [
            keras.Input((160, 160, 1)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(24, 3, activation="relu"),
            keras.layers.MaxPooling2D(3),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(10),
        ]
    )
""",
        because="A pooling by 2 and one by 3 make steps of 6: a move by a whole step moves the last maps by one place, "
        "and their largest number stays. Other moves change what falls into which patch. The two poolings by 2 of the "
        "page's last network make steps of 4.",
        seconds=60,
    ),
]
