"""Exercises of notebook 02_every_option."""

from itertools import product
import math
from numbers import Integral
from typing import Any

from convtour import convolve, receptive_field
from convtour.exercises.exercise import Exercise
from convtour.exercises.judges import Choice, Function, Value, Written, their_model, theirs
from convtour.exercises.mistakes import Array, NotAttemptedError, WrongError
import numpy as np

Layers = list[tuple[int, int, int]]

SIGNAL = np.arange(16.0) ** 2
KERNEL = np.array([1.0, -2.0, 5.0])


def spread_out(signal: Array, kernel: Array, strides: int, dilation_rate: int) -> Array:
    """Stride and dilation at once: a longer kernel, with zeros between its taps, may be strided."""
    longer = np.zeros(dilation_rate * (len(kernel) - 1) + 1)
    longer[::dilation_rate] = kernel
    return convolve(signal[None, :, None], longer[:, None, None], strides=strides)[0, :, 0]


def dilated(signal: Array, kernel: Array, dilation_rate: int) -> Array:
    """One axis, one channel, no stride."""
    return convolve(signal[None, :, None], kernel[:, None, None], dilation_rate=dilation_rate)[0, :, 0]


def first_and_last(layers: Layers, output: int) -> tuple[int, int]:
    """Neighbouring outputs see windows that are all strides apart, each as long as the receptive field."""
    first = output * math.prod(strides for _, strides, _ in layers)
    return first, first + receptive_field(layers) - 1


def walked(layers: Layers, first: int, last: int, dilated: bool = True, more: int = 0) -> tuple[int, int]:
    """Go through layers in the order given, from a window of outputs to the inputs that it depends on."""
    for size, strides, dilation_rate in layers:
        first, last = first * strides, last * strides + (dilation_rate if dilated else 1) * (size - 1) + more
    return first, last


def too_late(layers: Layers, output: int) -> tuple[int, int]:
    """Count each layer's own stride before its window."""
    step, field = 1, 1
    for size, strides, dilation_rate in layers:
        step *= strides
        field += dilation_rate * (size - 1) * step
    return output * step, output * step + field - 1


def look_at_rates(answer: Any) -> None:
    """Follow every way down from one output through three layers of 3 taps."""
    if not isinstance(answer, (list, tuple, np.ndarray)):
        raise WrongError(f"Asked for is a list of three whole numbers; this is of type {type(answer).__name__}.")
    if any(rate is ... for rate in answer):
        raise NotAttemptedError
    if len(answer) != 3:
        raise WrongError(f"Asked for are three rates, one for each layer; these are {len(answer)}.")
    if any(isinstance(rate, bool) or not isinstance(rate, Integral) or rate < 1 for rate in answer):
        raise WrongError(
            "A dilation rate is a whole number from 1 up; one of these is not. (Without a point: `3`, not `3.0`.)"
        )
    rates = [int(rate) for rate in answer]
    field = receptive_field([(3, 1, rate) for rate in rates])
    read = {sum(taps) for taps in product(*[(0, rate, 2 * rate) for rate in rates])}
    if field < 27:
        raise WrongError(f"One output sees {field} inputs, too few.")
    if field > 27:
        raise WrongError(f"One output sees {field} inputs from the first to the last, more than are asked for.")
    if 1 not in read:
        raise WrongError("The field is as long as asked, but input 1 is left out: no layer reads direct neighbours.")
    if len(read) < field:
        raise WrongError(
            f"The field is as long as asked, with holes: {field - len(read)} inputs are left out, the first of them "
            f"number {min(set(range(field)) - read)}, counted from 0."
        )


def look_at_clip_model(answer: Any) -> None:
    """Change one frame of a clip after the other, and see which frames of the output notice."""
    import keras

    model = their_model(answer, knows_shapes=False)
    rng = np.random.default_rng(2)
    clips = np.repeat(rng.normal(size=(1, 6, 8, 8, 1)), 7, axis=0).astype("float32")
    for frame in range(6):
        clips[frame + 1, frame] += rng.normal(size=(8, 8, 1))
    outputs = np.asarray(keras.ops.convert_to_numpy(theirs(model, clips)))
    if outputs.ndim != 5:
        raise WrongError(f"What comes out has {outputs.ndim} axes; a batch of clips has five.")
    if outputs.shape[1] < 6 < max(outputs.shape[2:4]):
        raise WrongError("The zeros lie along another axis; time is the first.")
    if outputs.shape[1] != 6:
        wrong = "few frames: zeros are missing" if outputs.shape[1] < 6 else "many frames: there are zeros to spare"
        raise WrongError(f"Too {wrong}. {outputs.shape[1]} frames come out of 6.")
    notices = np.abs(outputs[1:] - outputs[:1]).max(axis=(2, 3, 4)) > 1e-3  # frame of the clip, frame of the output
    read = {(late - early).item() for early, late in np.argwhere(notices)}  # how many frames back
    if not read:
        raise WrongError("No frame of the output notices when a frame of the clip changes.")
    if min(read) < 0:
        where = "on both sides of the clip" if max(read) > 0 else "behind the last frame"
        raise WrongError(f"An output reads frames that come later, up to {-min(read)}: the zeros stand {where}.")
    if not outputs[:, 0].any():
        raise WrongError(
            "The first frame that comes out is plain zeros: they stand behind the layer, which should read them."
        )
    if not notices.diagonal().all():
        raise WrongError(f"Frame {notices.diagonal().argmin()} of the output does not read its own frame.")
    if max(read) == 0:
        raise WrongError("An output reads its own frame, and none before it.")
    if max(read) != 2:
        raise WrongError(f"The earliest frame that output t reads is t - {max(read)}.")
    if 1 not in read:
        raise WrongError("The frame between is left out: an output reads its own, and the last but one.")
    if outputs.shape[2:4] != (6, 6):
        raise WrongError(f"In time it is right. Rows and columns are now {outputs.shape[2]}x{outputs.shape[3]}.")
    if outputs.shape[4] != 2:
        raise WrongError(f"In time and space it is right. The last axis counts filters; it is {outputs.shape[4]} long.")


def clip_model(zeros: Any, kernel_size: Any = 3, padding: str = "valid", step: int = 1) -> Any:
    """Zeros around a clip, then a convolution; the other way round for a step of -1."""
    import keras

    layers = [keras.layers.ZeroPadding3D(zeros), keras.layers.Conv3D(2, kernel_size, padding=padding)]
    return keras.Sequential([keras.Input((6, 8, 8, 1)), *layers[::step]])


EXERCISES = [
    Exercise(
        level="recall",
        question="A second of sound is 16,000 numbers in one channel. What shape does `Conv1D(64, 10, strides=5)` "
        "give for a batch of 8 such sounds?",
        judge=Value(
            (8, 3199, 64),
            mistakes=[
                ((8, 3200, 64), "The last window must fit whole: 16,000 / 5 windows would hang over the end."),
                ((8, 3198, 64), "One window too few: the first begins at 0, before any step of 5."),
                ((8, 15991, 64), "The stride is forgotten: windows begin at every fifth place only."),
                ((8, 1600, 64), "Windows overlap: the next begins 5 further on, not 10."),
                ((8, 3199, 1), "The last axis holds the filters; each filter gives a number of its own."),
                ((8, 3199), "The axis of filters is missing, which comes last."),
                ((8, 3199, 10), "The last axis is as long as the kernel; it counts filters."),
                ((3199, 64), "The batch axis is missing: eight sounds go in, and eight come out."),
            ],
        ),
        hints=["How many windows of 10 fit, if the next begins 5 further on?", "`(length - span) // stride + 1`."],
        answer="answer = (8, (16_000 - 10) // 5 + 1, 64)",
        because="Windows begin at 0, 5, and so on up to 15,990: `(16_000 - 10) // 5 + 1`, each with 64 numbers.",
    ),
    Exercise(
        level="recall",
        question="How many parameters does `Conv2D(64, 3, groups=4, dilation_rate=2)` have on 64 channels?",
        judge=Value(
            9280,
            mistakes=[
                (9216, "Those are the weights. Each filter has a bias too."),
                (36_928, "That is for one group. A filter reads the channels of its own group, and no others."),
                (2320, "Those are the filters of one group; there are as many in each of the four."),
                (25_664, "Dilation spreads the taps over 5x5 pixels; there are still 3x3 of them."),
                (145, "That is one filter with its bias."),
                (9217, "There is one bias for all here; each filter has its own."),
                (147_520, "Groups do not multiply what a filter reads: it reads fewer channels."),
                (3136, "A picture's kernel has 3x3 taps."),
                (640, "That is one channel for each filter, as with 64 groups."),
            ],
        ),
        hints=[
            "How many channels does one filter read?",
            "Count one filter's weights, add its bias, then all filters.",
        ],
        answer="answer = (3 * 3 * 64 // 4 + 1) * 64",
        because="Each of 64 filters has 3 · 3 · 16 weights and a bias. Dilation moves the taps, and adds none.",
    ),
    Exercise(
        level="recall",
        question="A batch of shape (5, 8, 8, 4) is to become (5, 4, 4, 8). Which layer does it?",
        judge=Choice(
            [
                ("`Conv2D(8, 3, strides=2)`", "With `valid` padding the fourth window would hang over the border."),
                (
                    '`Conv2D(8, 3, strides=2, padding="same", groups=3)`',
                    "Keras refuses: groups must divide the channels, and the filters too.",
                ),
                (
                    '`Conv2D(8, 3, strides=2, padding="same", dilation_rate=2)`',
                    "Keras refuses strides and dilation together, whatever the padding.",
                ),
                ("`Conv2D(8, 5, groups=2)`", None),
                ("`Conv2D(4, 5)`", "The lengths fit. The last axis of the output counts the filters."),
            ]
        ),
        hints=["Two of them are refused.", "Of those that run, count the places of the window, then the filters."],
        answer='answer = "d"',
        because="Five taps have 8 - 5 + 1 = 4 places along each axis; two groups divide 4 channels and 8 filters.",
    ),
    Exercise(
        question="Two layers with 3 taps along each axis see as far as one layer with 5. All have 32 channels, 32 "
        "filters and no bias. Which needs fewer weights, the two small layers together or the large one? "
        "Think of ranks 1, 2 and 3.",
        judge=Choice(
            [
                ("The two small ones, in every rank.", "Not in every rank: along a line, count the taps of both."),
                ("The large one, in every rank.", "Not in every rank: in a volume, count the taps of both."),
                ("The small ones for pictures and volumes, the large one for signals.", None),
                (
                    "That depends on the number of channels.",
                    "Each tap, small layer or large, has 32 · 32 weights: with another number the ratio stays.",
                ),
                ("Neither: they see the same.", "They see the same, with different numbers of taps: count these."),
            ]
        ),
        hints=[
            "How many taps has each layer, in rank 1, 2 and 3?",
            "Compare twice 3 with 5, and twice 9 with 25; and in rank 3?",
        ],
        answer='answer = "c"',
        because="Taps: 6 against 5 for signals, 18 against 25 for pictures, 54 against 125 for volumes, each with "
        "32 · 32 weights.",
    ),
    Exercise(
        question="Keras refuses strides and dilation together, though the sums are well defined: taps "
        "`dilation_rate` apart, windows `strides` apart. Write `both(signal, kernel, strides, "
        "dilation_rate)`, which returns these sums for a signal and a kernel of one axis each, without "
        "padding.",
        judge=Function(
            spread_out,
            [
                (SIGNAL, KERNEL, 2, 2),
                (SIGNAL, KERNEL, 3, 2),
                (SIGNAL, KERNEL, 2, 3),
                (SIGNAL, KERNEL[:2], 5, 2),
                (SIGNAL[:15], KERNEL, 2, 1),
            ],
            mistakes=[
                (
                    lambda signal, kernel, strides, dilation_rate: dilated(signal[::strides], kernel, dilation_rate),
                    "You thinned out the signal first, and then dilated: so the taps stand too far apart.",
                ),
                (
                    lambda signal, kernel, strides, dilation_rate: dilated(signal, kernel, dilation_rate),
                    "The stride is missing: every window is there, also those between.",
                ),
                (
                    lambda signal, kernel, strides, dilation_rate: dilated(signal, kernel, 1)[::strides],
                    "The dilation is missing: each window reads direct neighbours.",
                ),
                (
                    lambda signal, kernel, strides, dilation_rate: spread_out(signal, kernel, dilation_rate, strides),
                    "The two have changed places: strides lie between windows, dilation between taps.",
                ),
                (
                    lambda signal, kernel, strides, dilation_rate: spread_out(
                        signal, kernel[::-1], strides, dilation_rate
                    ),
                    "The kernel is flipped; a convolution layer does not do that.",
                ),
                (
                    lambda signal, kernel, strides, dilation_rate: spread_out(signal, kernel, strides, dilation_rate)[
                        :-1
                    ],
                    "The last window is missing.",
                ),
                (
                    lambda x, w, s, d: spread_out(x[:-1], w, s, d),
                    "The last window that fits is missing: it may end with the signal.",
                ),
                (
                    lambda x, w, s, d: spread_out(np.pad(x, (0, d * (len(w) - 1))), w, s, d),
                    "Windows hang over the end: each must fit whole.",
                ),
                (
                    lambda x, w, s, d: spread_out(np.pad(x, d * (len(w) - 1) // 2), w, s, d),
                    "There are zeros around the signal; no padding is asked for.",
                ),
            ],
        ),
        hints=[
            "A stride leaves out outputs; it does not change those that stay.",
            "The kernel spans `dilation_rate * (len(kernel) - 1) + 1`: where may a window begin?",
            "What a window reads is `signal[start : start + span : dilation_rate]`.",
        ],
        answer="""
import numpy as np


def both(signal, kernel, strides, dilation_rate):
    span = dilation_rate * (len(kernel) - 1) + 1
    starts = range(0, len(signal) - span + 1, strides)
    return np.array([kernel @ signal[start : start + span : dilation_rate] for start in starts])
""",
        because="The window jumps by the stride, the taps by the dilation. In Keras: a layer with dilation and "
        "stride 1, then `[::strides]` on its output.",
    ),
    Exercise(
        question="A stack of layers is given from the input on, each as `(kernel_size, strides, dilation_rate)`, all "
        "without padding. Write `sees(layers, output)`, which returns a tuple: the first and the last input "
        "that number `output` of the last layer's outputs depends on, both counted from 0.",
        judge=Function(
            first_and_last,
            [
                ([(3, 2, 1), (3, 1, 1)], 3),
                ([(5, 2, 1), (3, 1, 3), (1, 1, 1)], 1),
                ([(3, 3, 1), (2, 2, 1), (4, 1, 2)], 2),
                ([(2, 2, 1)] * 3, 5),
                ([(3, 1, 2)], 0),
            ],
            mistakes=[
                (
                    lambda layers, output: walked(layers, output, output),
                    "You go from the input up. Begin at the output: the last layer's window comes first.",
                ),
                (
                    lambda layers, output: walked(layers[::-1], output, output, dilated=False),
                    "The dilation is missing: a window is as long as the kernel spans.",
                ),
                (
                    lambda layers, output: walked([(size, 1, rate) for size, _, rate in layers], output, output),
                    "The strides are missing: a step of a later layer is several inputs wide.",
                ),
                (
                    lambda layers, output: (output, output + receptive_field(layers) - 1),
                    "The length is right, the place is not: how far apart are the windows of neighbouring outputs?",
                ),
                (
                    lambda layers, output: (first_and_last(layers, output)[0], first_and_last(layers, output)[1] + 1),
                    "The last input is counted in: this is the one after it.",
                ),
                (
                    lambda layers, output: walked(layers[::-1], output, output, more=1),
                    "A window's length is added to where it begins: that is the place after its end.",
                ),
                (
                    lambda layers, output: (first_and_last(layers, output)[0], receptive_field(layers)),
                    "The second is how many inputs there are; asked for is the last of them.",
                ),
                (
                    lambda layers, output: tuple(np.add(first_and_last(layers, output), 1)),
                    "Inputs are counted from 0.",
                ),
                (too_late, "A layer's own stride does not widen its own window, only those of later layers."),
            ],
        ),
        hints=[
            "For one layer: where does the window of output number `output` begin, and where does it end?",
            "It begins at `output * strides` and ends `dilation_rate * (kernel_size - 1)` further on.",
            "These two are outputs of the layer below. Go on down, with `reversed(layers)`.",
        ],
        answer="""
def sees(layers, output):
    first = last = output
    for kernel_size, strides, dilation_rate in reversed(layers):
        first = first * strides
        last = last * strides + dilation_rate * (kernel_size - 1)
    return first, last
""",
        because="`last - first + 1` is the receptive field, and `first` is `output` times the product of all strides.",
    ),
    Exercise(
        question="Three `Conv1D` layers, each with a kernel of 3, stride 1 and no padding. Which dilation rates let "
        "one output read 27 inputs in a row, with none of them left out? Answer with a list of three, in "
        "any order.",
        judge=Written(
            look_at_rates,
            mistakes=[
                ([1, 2, 4], "One output sees 15 inputs, too few."),
                ([9, 9, 9], "more than are asked for"),
                ([3, 4, 6], "input 1 is left out: no layer reads direct neighbours"),
                ([1, 2, 10], "with holes: 6 inputs are left out"),
                ([1, 3], "three rates, one for each layer"),
            ],
        ),
        hints=[
            "How long must the field be? That gives you the sum of the three rates.",
            "From one output, 3 · 3 · 3 ways lead down: each must end at an input of its own.",
            "One layer reads 3 in a row. How far apart may the taps above it stand, so that such rows touch?",
        ],
        answer="answer = [1, 3, 9]",
        because="A layer that reads 3 in a row, then taps 3 apart make 9 in a row, then taps 9 apart make 27. "
        "Doubling (1, 2, 4) leaves no holes either, and sees 15.",
    ),
    Exercise(
        level="project",
        question="`Conv3D` has no causal padding; you can make it. A clip has 6 frames of 8x8 pixels with one "
        "channel. Write `causal_clips()`, which returns a Keras model for batches of such clips that ends "
        "in `Conv3D(2, 3)`. Six frames of 6x6 come out, and each depends on its own frame and the two "
        "before it.",
        judge=Written(
            look_at_clip_model,
            mistakes=[
                (lambda: clip_model(0), "Too few frames: zeros are missing"),
                (lambda: clip_model(((0, 0), (0, 0), (2, 0))), "The zeros lie along another axis"),
                (lambda: clip_model(((2, 0), (0, 0), (0, 0)), step=-1), "they stand behind the layer"),
                (lambda: clip_model(2), "Too many frames: there are zeros to spare"),
                (lambda: clip_model(0, padding="same"), "the zeros stand on both sides of the clip"),
                (lambda: clip_model(((0, 2), (0, 0), (0, 0))), "the zeros stand behind the last frame"),
                (lambda: clip_model(((2, 0), (1, 1), (1, 1))), "Rows and columns are now 8x8"),
                (lambda: clip_model(0, (1, 3, 3)), "its own frame, and none before it"),
                (
                    lambda: clip_model(((4, 0), (0, 0), (0, 0)), (5, 3, 3)),
                    "The earliest frame that output t reads is t - 4",
                ),
            ],
        ),
        hints=[
            "`keras.layers.ZeroPadding3D` takes a pair (before, after) for each axis, as in "
            "`((1, 1), (1, 1), (1, 1))`. Which axis is time?",
            "How many zeros does a kernel of 3 want before the first frame?",
            "`keras.Sequential` of an `Input`, the zeros, and the layer with its own padding left at `valid`.",
        ],
        answer="""
import keras


def causal_clips():
    return keras.Sequential(
        [
            keras.Input((6, 8, 8, 1)),
            keras.layers.ZeroPadding3D(((2, 0), (0, 0), (0, 0))),
            keras.layers.Conv3D(2, 3),
        ]
    )
""",
        because="Two frames of zeros stand before the first; without padding the kernel then reads frames t - 2, t "
        "- 1 and t of the clip, and six windows fit into 8 frames.",
    ),
]
