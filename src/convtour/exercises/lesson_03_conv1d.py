"""Exercises of notebook 03_conv1d."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from convtour import conv_padding, convolve
from convtour.exercises.exercise import Exercise
from convtour.exercises.judges import Choice, Function, Value, Written, their_model, theirs
from convtour.exercises.mistakes import Array, WrongError, compare
import numpy as np

# Exercise 3: causal padding by hand, held against Keras.


def keras_causal(x: Array, kernel: Array, dilation_rate: int) -> Array:
    """Keras's own causal layer with these weights."""
    import keras

    size, _, filters = kernel.shape
    layer = keras.layers.Conv1D(filters, size, padding="causal", dilation_rate=dilation_rate, use_bias=False)
    layer.build(x.shape)
    layer.set_weights([kernel])
    return np.asarray(keras.ops.convert_to_numpy(layer(x)))


def padded_by_hand(
    zeros: Callable[[int, int], tuple[int, int]], mode: Any = "constant", flip: bool = False, spread: bool = True
) -> Callable[[Array, Array, int], Array]:
    """Pad by hand, in ways that readers choose."""

    def causal(x: Array, kernel: Array, dilation_rate: int) -> Array:
        steps = zeros(len(kernel), dilation_rate)
        padded = np.pad(x, [(0, 0), steps, (0, 0)], mode=mode)
        return convolve(padded, kernel[::-1] if flip else kernel, dilation_rate=dilation_rate if spread else 1)

    return causal


def drawn_case(steps: int, size: int, features: int, filters: int, dilation_rate: int) -> tuple[Array, Array, int]:
    """A stretch, a kernel and a dilation, from a seed."""
    rng = np.random.default_rng(steps)
    x, kernel = rng.normal(size=(2, steps, features)), rng.normal(size=(size, features, filters))
    return x.astype("float32"), kernel.astype("float32"), dilation_rate


# Exercise 4: how far ahead a layer reads.


@dataclass(frozen=True)
class Stack:
    """Layers of one filter that adds up what it meets: (kernel size, padding, dilation) of each."""

    layers: Sequence[tuple[int, str, int]]

    def __call__(self, x: Array) -> Array:
        """Pass a stretch of shape (1, steps, 1) through all of them."""
        for size, padding, dilation_rate in self.layers:
            x = convolve(x, np.ones((size, 1, 1)), padding=padding, dilation_rate=dilation_rate)
        return x

    def ahead(self, steps: int) -> int:
        """As many steps as there are zeros behind the series."""
        return sum(
            conv_padding(steps, size, padding=padding, dilation_rate=dilation_rate)[1]
            for size, padding, dilation_rate in self.layers
        )

    def __repr__(self) -> str:
        return ", then ".join(
            f"kernel {size}, {padding}, dilation {dilation}" for size, padding, dilation in self.layers
        )


@dataclass(frozen=True)
class Told:
    """A layer as a function of a stretch, with what it is called and how far it looks ahead in so many steps."""

    name: str
    function: Callable[[Array], Array]
    reads_ahead: Callable[[int], int]

    def __call__(self, x: Array) -> Array:
        """Of a stretch of shape (1, steps, 1)."""
        return np.asarray(self.function(x))

    def ahead(self, steps: int) -> int:
        """The number that is asked for."""
        return self.reads_ahead(steps)

    def __repr__(self) -> str:
        return self.name


ONES = np.ones((3, 1, 1))
WEEKLY = Told(
    "the sum of each week",
    lambda x: np.repeat(np.add.reduceat(x, range(0, x.shape[1], 7), axis=1), 7, axis=1)[:, : x.shape[1]],
    lambda steps: min(7, steps) - 1,  # the first day of a week depends on its last
)
CENTRED = Told(
    "x - x.mean(axis=1, keepdims=True)",
    lambda x: x - x.mean(axis=1, keepdims=True),
    lambda steps: steps - 1,  # the first output depends on the last step
)
BIASED = Told("kernel 3, causal, with a bias of 1", lambda x: convolve(x, ONES, padding="causal") + 1, lambda steps: 0)
FALLING = Told(
    "kernel 3 of weights -1, same, then ReLU",
    lambda x: np.maximum(convolve(x, -ONES, padding="same"), 0),
    lambda steps: 1,
)
YESTERDAY = Told(
    "the value of the day before",
    lambda x: np.pad(x, [(0, 0), (1, 0), (0, 0)])[:, :-1],
    lambda steps: 0,  # and the last day moves no output at all
)

Layer = Callable[[Array], Array]


def moved(layer: Layer, steps: int, day: int, scale: float = 1) -> Array:
    """Outputs that move when one day grows by 1, from numbers that were drawn or, with a scale of 0, from zeros."""
    before = scale * np.random.default_rng(0).normal(size=(1, steps, 1))
    after = before.copy()
    after[0, day] += 1
    return np.flatnonzero((layer(after) != layer(before))[0, :, 0])


def answering(layer: Layer, steps: int, day: int) -> Array:
    """Outputs that are not 0 when one day is 1 and all others are 0."""
    only = np.zeros((1, steps, 1))
    only[0, day] = 1
    return np.flatnonzero(layer(only)[0, :, 0])


def reach(
    count: Callable[[Array, int], int],
    days: Callable[[int], Sequence[int]] = range,
    find: Callable[[Layer, int, int], Array] = moved,
) -> Callable[..., int]:
    """Change these days in turn, count something of the outputs that move, and keep the largest count."""
    return lambda layer, steps: max(count(find(layer, steps, day), day) for day in days(steps))


def days_ahead(outputs: Array, day: int) -> int:
    """How long before that day the first of them stands."""
    return int(max(0, day - outputs.min(initial=day)))


# Exercise 5: a stack that sees a quarter of a year.

DAYS = 60


def stack_of(
    dilations: Sequence[int], last: str = "causal", size: int = 3, filters: int = 1, padding: str = "causal"
) -> Callable[[], Any]:
    """Build a stack of layers of 8 filters, and a last one of other padding and filters."""

    def build() -> Any:
        import keras

        model = keras.Sequential([keras.Input((None, 4))])
        for d in dilations[:-1]:
            model.add(keras.layers.Conv1D(8, size, padding=padding, dilation_rate=d, activation="relu"))
        model.add(keras.layers.Conv1D(filters, size, padding=last, dilation_rate=dilations[-1]))
        return model

    return build


def look_at_stack(build: Any) -> None:
    """Build it, give it weights that hide nothing, and change one day after the other."""
    import keras

    model = their_model(build, knows_shapes=False)
    steps, day = 150, 85
    x = np.ones((1 + steps, steps, 4), dtype="float32")
    x[1 + np.arange(steps), np.arange(steps)] += 0.5  # example 1 + p has another day p
    if getattr(model, "inputs", None) and model.inputs[0].shape[1] is not None:
        raise WrongError(f"It takes stretches of {model.inputs[0].shape[1]} days alone: `None` stands for any length.")
    shape = np.shape(keras.ops.convert_to_numpy(theirs(model, x[:2])))
    if len(shape) == 3 and shape[1] < steps:
        raise WrongError(f"{steps} days go in, {shape[1]} come out: there is no forecast for some of the days.")
    compare(np.zeros(shape), np.zeros((2, steps, 1)))
    convolutions = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    for layer in convolutions:
        if not isinstance(layer, keras.layers.Conv1D):
            raise WrongError(f"There is a {type(layer).__name__} among the layers; `Conv1D` alone will do.")
        if layer.kernel_size[0] > 3:
            raise WrongError(f"A kernel of {layer.kernel_size[0]} is too long; none may be longer than 3.")
        layer.set_weights([np.full(w.shape, 1 / w[..., 0].size if w.ndim > 1 else 0.0) for w in layer.get_weights()])
    if len(convolutions) > 4:
        raise WrongError(f"It has {len(convolutions)} layers, more than it needs.")
    outputs = np.asarray(keras.ops.convert_to_numpy(theirs(model, x)))[..., 0]
    changed, moved_with_it = np.nonzero(abs(outputs[1:] - outputs[0]) > 3e-6)
    ahead = max(changed - moved_with_it, default=0)
    if ahead > 0:
        raise WrongError(f"It looks ahead: the output of a day moves when the price {ahead} days later does.")
    read = changed[moved_with_it == day]
    if not read.size:
        raise WrongError("The output of a day does not depend on any day of the input.")
    if read.min() > day - DAYS + 1:
        raise WrongError(f"It sees {day - read.min() + 1} days, today among them: too few.")
    missing = np.setdiff1d(np.arange(day - DAYS + 1, day + 1), read)
    if missing.size:
        raise WrongError(f"It reaches back far enough, but leaves out {missing.size} of the last {DAYS} days.")


# Exercise 7: an evaluation that leaks.


def evaluation(padding: str = "same", tested: str = "late", known: int = 0) -> Callable[[Array], float]:
    """The colleague's evaluation, with a padding, the rows that are tested, and days of the past left out."""

    def evaluate(tosses: Array) -> float:
        walk = np.cumsum(tosses).reshape(1, -1, 1)
        smooth = convolve(walk, np.full((3, 1, 1), 1 / 3), padding=padding)[0, :, 0]
        past = np.diff(np.lib.stride_tricks.sliding_window_view(smooth, 20)[:-1], axis=1)
        past, up = past[:, : past.shape[1] - known], tosses[20:]
        half = len(up) // 2
        weights = np.linalg.lstsq(past[:half], up[:half], rcond=None)[0]
        rows = slice(half, None) if tested == "late" else slice(0, half)
        return float(np.mean(np.sign(past[rows] @ weights) == up[rows]))

    return evaluate


def coin_tosses(seed: int, repeated: float = 0.5) -> Array:
    """Tosses of 1 and -1, each like the last one with a probability; 0.5 is a fair coin."""
    rng = np.random.default_rng(seed)
    return np.cumprod(np.where(rng.random(220) < repeated, 1.0, -1.0))


def look_at_evaluation(evaluate: Any) -> None:
    """An honest evaluation finds nothing in fair tosses, and something where there is something."""

    def scores(repeated: float) -> list[float]:
        found = []
        for seed in range(40):
            score = theirs(evaluate, coin_tosses(seed, repeated))
            compare(score, 0.5, tolerance=0.5)
            found.append(float(np.ravel(score)[0]))
        return found

    fair, sticky = scores(0.5), scores(0.9)
    if len({*fair, *sticky}) == 1:
        raise WrongError("It returns the same number whatever the tosses are. Let it measure.")
    told = f"Over 40 series of fair tosses it is right in {100 * np.mean(fair):.0f} %."
    if np.mean(fair) > 0.7:
        raise WrongError(f"{told} Among the inputs of a row there is still something of the toss to come.")
    if np.mean(fair) > 0.54:
        raise WrongError(f"{told} That is more than a coin allows: is it tested on what it was trained on?")
    if np.mean(fair) < 0.46:
        raise WrongError(f"{told} That is less than a coin allows: are the answers still those of the right days?")
    if np.mean(sticky) < 0.7:
        raise WrongError(
            f"{told} But where each toss repeats the last one nine times in ten, it is right in "
            f"{100 * np.mean(sticky):.0f} % only. The past up to today may be used, and must be."
        )


EXERCISES = [
    Exercise(
        level="recall",
        question="An armband measures its acceleration in 3 directions, 50 times a second. 16 recordings of 10 seconds "
        'each go through `Conv1D(8, 5, strides=2, padding="causal")`. What shape comes out?',
        judge=Value(
            (16, 250, 8),
            mistakes=[
                ((16, 248, 8), 'So it is with `"valid"`; causal padding adds zeros, and no place is lost.'),
                ((16, 500, 8), "The stride is forgotten: every second output only is computed."),
                ((16, 250, 3), "The directions are the features that go in; another number comes out at each place."),
                ((16, 10, 8), "Steps are measurements, not seconds; and the stride shortens them."),
                ((16, 252, 8), "Zeros at both ends, as many as causal padding has in front, are too many."),
            ],
        ),
        hints=[
            "What goes in is (batch, steps, features). How many steps are 10 seconds?",
            "With causal padding and no stride there are as many outputs as steps. The stride keeps every second one.",
        ],
        answer="answer = (16, 10 * 50 // 2, 8)",
        because="500 steps of 3 features go in. Causal padding gives an output for each step, the stride keeps every "
        "second one, 250, and each has 8 numbers, one for each filter.",
    ),
    Exercise(
        level="recall",
        question='A layer has `kernel_size=3`, `dilation_rate=4` and `padding="causal"`. Which steps does output 20 '
        "read? Give all three, the earliest first.",
        judge=Value(
            (12, 16, 20),
            mistakes=[
                ((16, 20, 24), 'So it is with `"same"`: the window has its middle at 20, and looks ahead.'),
                ((20, 24, 28), "These begin at 20 and look ahead; causal is the other way."),
                ((18, 19, 20), "The dilation is forgotten: the steps stand apart."),
                ((10, 15, 20), "The steps are too far apart: a dilation of 1 means neighbours."),
                ((8, 12, 16), "Today is allowed: an output reads its own step, too."),
            ],
        ),
        hints=["The last step that a causal output reads is its own.", "From there, two more, each 4 steps earlier."],
        answer="answer = (20 - 2 * 4, 20 - 4, 20)",
        because="The last tap meets the output's own step, 20; the other two stand 4 and 8 steps before it.",
    ),
    Exercise(
        question="Write causal padding yourself. `x` has the shape (batch, steps, features), `kernel` the shape "
        '(kernel size, features, filters). Put zeros around `x`, then call `convolve`, which pads nothing (`"valid"`) '
        'unless asked to. The result must be that of Keras\'s `Conv1D` with `padding="causal"`.',
        judge=Function(
            keras_causal,
            [
                drawn_case(12, 3, 1, 1, 2),
                drawn_case(16, 2, 4, 3, 5),
                drawn_case(9, 5, 2, 1, 1),
                drawn_case(7, 1, 2, 2, 3),
            ],
            mistakes=[
                (padded_by_hand(lambda k, d: (0, d * (k - 1))), "These zeros stand behind: every output reads ahead."),
                (
                    padded_by_hand(lambda k, d: (d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2)),
                    'Zeros on both sides: this is `"same"`, which reads ahead.',
                ),
                (padded_by_hand(lambda k, d: (0, 0)), "Without any zeros the first outputs are missing."),
                (
                    padded_by_hand(lambda k, d: (k - 1, 0)),
                    "The number of zeros does not depend on the dilation here; a dilated kernel spans more steps.",
                ),
                (
                    padded_by_hand(lambda k, d: (k - 1, 0), spread=False),
                    "This is right for neighbouring steps only: `dilation_rate` is used nowhere.",
                ),
                (padded_by_hand(lambda k, d: (d * k, 0)), "Too many zeros: the first output reads none but zeros."),
                (
                    padded_by_hand(lambda k, d: (d * (k - 1), 0), mode="edge"),
                    "Here the first step is repeated. It reads nothing ahead, but Keras puts zeros.",
                ),
                (
                    padded_by_hand(lambda k, d: (d * (k - 1), 0), flip=True),
                    "The padding is right, but the kernel is turned around: its last weight belongs to today.",
                ),
            ],
            tolerance=1e-4,
        ),
        hints=[
            "How many steps before its own does the first output read?",
            "`np.pad(x, [(0, 0), (before, 0), (0, 0)])` puts zeros in front of the steps alone.",
            "The kernel spans `d * (k - 1) + 1` steps, and the last of them is the output's own.",
        ],
        answer="""
from convtour import convolve
import numpy as np


def causal(x, kernel, dilation_rate):
    before = dilation_rate * (len(kernel) - 1)
    padded = np.pad(x, [(0, 0), (before, 0), (0, 0)])
    return convolve(padded, kernel, dilation_rate=dilation_rate)
""",
        because="The kernel reaches d · (k - 1) steps back from the output's own. So many zeros in front let the first "
        "output have its place, and with none behind no output can read ahead.",
        seconds=60,
    ),
    Exercise(
        question="Find leaks by machine. `layer` is any function that makes an array of shape (1, steps, 1) of another "
        "one. Write `days_ahead(layer, steps)`: by how many days, at most, does an output look ahead? 0 if none does. "
        "(`layer` may be a stack of layers, and not every leak comes from padding.)",
        judge=Function(
            lambda layer, steps: layer.ahead(steps),
            [
                (Stack([(3, "same", 1)]), 8),
                (Stack([(3, "causal", 2)]), 9),
                (Stack([(3, "same", 3)]), 12),
                (WEEKLY, 10),
                (Stack([(2, "causal", 1), (2, "causal", 2), (2, "causal", 4), (2, "same", 8)]), 24),
                (Stack([(5, "same", 2), (3, "same", 1)]), 14),
                (CENTRED, 10),
                (BIASED, 8),
                (FALLING, 12),
                (YESTERDAY, 9),
            ],
            mistakes=[
                (
                    reach(lambda outputs, day: len(outputs)),
                    "These are all outputs that read a day, its own and the later ones among them.",
                ),
                (
                    reach(lambda outputs, day: int(max(0, outputs.max(initial=day) - day))),
                    "That is how far outputs look back: those after the changed day. A leak shows before it.",
                ),
                (
                    lambda layer, steps: any(days_ahead(moved(layer, steps, day), day) for day in range(steps)),
                    "This says whether there is a leak; asked is how many days ahead it reads.",
                ),
                (
                    reach(days_ahead, lambda steps: [0]),
                    "This is 0 for every layer. Changing the first day alone gives that: no output stands before it.",
                ),
                (
                    reach(days_ahead, lambda steps: [steps // 2]),
                    "One day in the middle is not enough: a layer may read farther ahead than that.",
                ),
                (
                    reach(days_ahead, find=lambda layer, steps, day: moved(layer, steps, day, scale=0)),
                    "From zeros, and upwards only, a ReLU may hide what a day moves. Begin with drawn numbers.",
                ),
                (
                    reach(days_ahead, find=answering),
                    "These outputs are not 0, which a bias alone can do. Which of them *move*? Compare with what the "
                    "layer gave before the change.",
                ),
                (
                    reach(lambda outputs, day: day - int(outputs[0] if outputs.size else 0)),
                    "A day may move no output at all, such as the last day of a layer that hands on yesterday. Then "
                    "the first output that moves is not number 0: there is none.",
                ),
            ],
        ),
        hints=[
            "Draw a stretch, change one day, as the page does, and see which outputs move: `layer(before) != "
            "layer(after)`.",
            "If an output moves that stands before the changed day, it read ahead, by the distance between the two.",
            "Do it for every day, and keep the largest distance; `np.flatnonzero(...)` gives the outputs that moved.",
        ],
        answer="""
import numpy as np


def days_ahead(layer, steps):
    before = np.random.default_rng(0).normal(size=(1, steps, 1))
    ahead = 0
    for day in range(steps):
        after = before.copy()
        after[0, day] += 1
        moved = np.flatnonzero((layer(after) != layer(before))[0, :, 0])
        ahead = max(ahead, day - min(moved, default=day))
    return int(ahead)
""",
        because="Among the cases were three causal layers with one `same` layer of dilation 8 on top: one leak is "
        "enough, it reads 4 days ahead. And a layer that takes the mean of the whole stretch away: its first output "
        "reads all days to come.",
    ),
    Exercise(
        question="See a quarter of a year. Write `build()`, which returns a Keras model for stretches of any length "
        "with four prices a day, `keras.Input((None, 4))`. It gives one number for each day, which depends on each of "
        "the last 60 days, today among them, and on no later one. Use at most four layers, all `Conv1D`, with kernels "
        "of at most 3. (It is not trained. Filters are up to you.)",
        judge=Written(
            look_at_stack,
            mistakes=[
                (stack_of([1, 3, 9, 27], last="same"), "It looks ahead"),
                (stack_of([1, 2, 4, 8]), "It sees 31 days"),
                (stack_of([4, 8, 16, 32]), "leaves out 45 of the last 60 days"),
                (stack_of([1, 3, 9, 27], padding="valid", last="valid"), "no forecast for some of the days"),
                (stack_of([1, 2, 4, 8, 16]), "It has 5 layers"),
                (stack_of([1, 3, 9, 27], filters=4), "Its shape is (2, 150, 4)"),
                (stack_of([1, 9, 18], size=4), "A kernel of 4 is too long"),
            ],
        ),
        hints=[
            "Each layer adds `d * (k - 1)` days to the one day that is there without layers.",
            "With kernels of 2 the dilations doubled, and no day was left out. What would they do with kernels of 3?",
            "The last layer has one filter; and every layer must be causal.",
        ],
        answer="""
import keras


def build():
    model = keras.Sequential([keras.Input((None, 4))])
    for dilation_rate in (1, 3, 9):
        model.add(keras.layers.Conv1D(8, 3, padding="causal", dilation_rate=dilation_rate, activation="relu"))
    model.add(keras.layers.Conv1D(1, 3, padding="causal", dilation_rate=27))
    return model
""",
        because="One way: dilations of 1, 3, 9, 27 add 2, 6, 18 and 54 days to the one: 81, each along exactly one "
        "path. Three layers, tripling, would stop at 27.",
        seconds=30,
    ),
    Exercise(
        question="With the same optimizer, passes and seeds, network A (kernel 3, strides 2) is right in 80 %, network "
        "B (kernel 5, pooling in place of the stride) in 88 %. You may evaluate one more network. Which one tells "
        "whether B owes its lead to pooling?",
        judge=Choice(
            [
                (
                    "B with three other seeds",
                    "That tells how far chance moves B, which is worth knowing; A and B still differ in two things.",
                ),
                ("kernel 5 with strides 2", None),
                (
                    "kernel 9 with pooling",
                    "Compared with B it changes the kernel, so it tells about the kernel; from A it differs in both.",
                ),
                (
                    "B with another optimizer",
                    "Compared with B it changes the optimizer, compared with A all three: nothing about pooling.",
                ),
                (
                    "B with four more layers",
                    "Should it be better still, that is due to the layers; both old differences remain.",
                ),
            ]
        ),
        hints=[
            "Which network differs from A or from B in one thing?",
            "The one thing must be the one that is asked about.",
        ],
        answer='answer = "b"',
        because="It differs from B in pooling alone. If it stays near 80 %, pooling made the lead; if it comes near "
        "88 %, the kernel did. (With this optimizer, and these passes; and more seeds would make it surer.)",
    ),
    Exercise(
        level="project",
        question="A colleague forecasts coin tosses, 1 or -1, and is right in nearly all of them, on held-out days:\n\n"
        "```python\n"
        "def evaluate(tosses):\n"
        "    walk = np.cumsum(tosses).reshape(1, -1, 1)\n"
        '    smooth = convolve(walk, np.full((3, 1, 1), 1 / 3), padding="same")[0, :, 0]\n'
        "    past = np.diff(np.lib.stride_tricks.sliding_window_view(smooth, 20)[:-1])\n"
        "    up = tosses[20:]  # for each row of past, the toss after its 20 days\n"
        "    half = len(up) // 2  # the early half is for training, the late one is held out\n"
        "    weights = np.linalg.lstsq(past[:half], up[:half], rcond=None)[0]  # the best weights for past @ weights\n"
        "    return np.mean(np.sign(past[half:] @ weights) == up[half:])\n"
        "```\n\n"
        "Something leaks. Find it, and write `honest(tosses)`: the same evaluation, mended. On fair tosses it must "
        "come out near one half, and on tosses that mostly repeat the last one well above.",
        judge=Written(
            look_at_evaluation,
            mistakes=[
                (evaluation(), "there is still something of the toss to come"),
                (evaluation("causal", tested="early"), "is it tested on what it was trained on?"),
                (lambda tosses: 0.5, "the same number whatever the tosses are"),
                (evaluation("causal", known=6), "The past up to today may be used, and must be."),
                (lambda tosses: 1 - evaluation()(tosses), "are the answers still those of the right days?"),
            ],
        ),
        hints=[
            "Take the lines one by one. What does a row of `past` hold that was not known on the evening of its day?",
            "Rows and answers are cut right, and the late half is never trained on. What is done before the cutting?",
            "An average of three days: which three?",
        ],
        answer="""
from convtour import convolve
import numpy as np


def honest(tosses):
    walk = np.cumsum(tosses).reshape(1, -1, 1)
    smooth = convolve(walk, np.full((3, 1, 1), 1 / 3), padding="causal")[0, :, 0]
    past = np.diff(np.lib.stride_tricks.sliding_window_view(smooth, 20)[:-1])
    up = tosses[20:]
    half = len(up) // 2
    weights = np.linalg.lstsq(past[:half], up[:half], rcond=None)[0]
    return np.mean(np.sign(past[half:] @ weights) == up[half:])
""",
        because="Each average of `same` reaches into tomorrow, and from twenty of them the next toss can be worked "
        "out: right in nearly 100 %. With `causal` it is right in 49 % of fair tosses, and in 89 % of those that "
        "repeat the last one nine times in ten. The split into early and late was right all along, and could not find "
        "the leak.",
        seconds=30,
    ),
]
