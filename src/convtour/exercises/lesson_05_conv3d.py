"""Exercises of notebook 05_conv3d."""

from collections.abc import Callable
from functools import cache
from typing import Any

from convtour.digits.mnist import load_dataset
from convtour.exercises.exercise import Exercise
from convtour.exercises.judges import Choice, Value, Written, their_model, theirs
from convtour.exercises.mistakes import WrongError, compare, without_colours
from convtour.layers.convolution import convolve
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

STEPS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
NAMES = list(STEPS)
SPEEDS, ASKED = (1, 2, 3), 97
OPPOSITE = dict(zip(NAMES, ["down", "up", "right", "left"], strict=True))
TRANSPOSED = dict(zip(NAMES, ["left", "right", "up", "down"], strict=True))


def moved(picture: Array, start: tuple[int, int], step: tuple[int, int], frames: int) -> Array:
    """Return a film, (frames, rows, columns), of a picture that moves; what leaves comes in on the other side."""
    places = [np.add(start, np.multiply(frame, step)) for frame in range(frames)]
    return np.stack([np.roll(picture, tuple(place), axis=(0, 1)) for place in places])


@cache
def digits() -> Array:
    """Return the sample's training images in the page's form, 16x16 each."""
    images = load_dataset("sample")[0][..., 0]
    small = images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    return np.pad(small, ((0, 0), (0, 2), (0, 2)))


def make_films(first: int, count: int, *, speed: int = 1, frames: int = 4) -> tuple[Array, Array]:
    """Return films of shape (count, frames, 16, 16, 1) and the numbers of their directions."""
    rng = np.random.default_rng(first)
    labels = rng.permutation(np.repeat(np.arange(4), count // 4))
    made = []
    for number, label in enumerate(labels):
        down, across = STEPS[NAMES[label]]
        start = (int(rng.integers(16)), int(rng.integers(16)))
        made.append(moved(digits()[first + number], start, (speed * down, speed * across), frames))
    return np.stack(made)[..., np.newaxis].astype("float32"), labels


def same(answer: Any, expected: Array) -> bool:
    """Say whether an answer is this array."""
    try:
        compare(answer, expected)
    except WrongError:
        return False
    return True


# Exercise 4: a kernel for a direction.

KERNEL = (2, 3, 3, 1, 1)


def dot(step: tuple[int, int]) -> Array:
    """Return a film of a dot that moves, of shape (1, 3, 9, 9, 1)."""
    picture = np.zeros((9, 9))
    picture[4, 4] = 1
    return moved(picture, (0, 0), step, 3).reshape(1, 3, 9, 9, 1)


def look_at_detector(answer: Any) -> None:
    """Convolve films of dots with the kernels for all four steps."""
    for way, step in STEPS.items():
        kernel = theirs(answer, step)
        try:
            weights = np.asarray(kernel, dtype=float)
        except Exception:
            compare(kernel, np.zeros(KERNEL))
            raise WrongError("A kernel is an array of numbers.") from None
        if weights.shape == (3, 3, 2, 1, 1):
            raise WrongError("Of the kernel's axes the frames come first, then rows and columns.")
        if weights.shape != KERNEL:
            compare(weights, np.zeros(KERNEL))
        if not np.isfinite(weights).all():
            raise WrongError("There are weights that are no finite numbers.")
        films = {name: dot(other) for name, other in STEPS.items()} | {"still": dot((0, 0))}
        largest = {name: float(convolve(film, weights).max()) for name, film in films.items()}
        most = max(largest.values())
        liked = {name for name, value in largest.items() if value > most - 1e-6}
        if liked != {way}:
            raise WrongError(f"For {way}, step {step}: {_what_it_likes(way, liked)}")


def _what_it_likes(way: str, liked: set[str]) -> str:
    if len(liked) == 5:
        return "the kernel answers every film alike, even the one that stands still."
    if liked == {OPPOSITE[way]}:
        return (
            "the kernel answers most to what goes the opposite way. Which of its slices meets the earlier frame? "
            "Keras does not flip a kernel."
        )
    if liked == {"still"}:
        return "the kernel answers most to what stands still: both of its slices wait at one place."
    if liked == {TRANSPOSED[way]}:
        return f"the kernel answers most to {TRANSPOSED[way]}: rows and columns are exchanged."
    if {way, OPPOSITE[way]} <= liked <= {way, OPPOSITE[way], "still"}:
        return "the kernel answers the opposite way as much: it sees the line, but not which frame comes first."
    return f"the kernel answers most to {', '.join(sorted(liked))}."


def _kernel(earlier: Callable[[int, int], tuple[int, int]], later: Callable[[int, int], tuple[int, int]]) -> Any:
    """Return a function that gives a kernel with a one in each slice."""

    def detector(step: tuple[int, int]) -> Array:
        kernel = np.zeros(KERNEL)
        kernel[(0, *earlier(*step), 0, 0)] = kernel[(1, *later(*step), 0, 0)] = 1
        return kernel

    return detector


def _centre(down: int, across: int) -> tuple[int, int]:
    return 1, 1


def _ahead(down: int, across: int) -> tuple[int, int]:
    return 1 + down, 1 + across


def _exchanged(down: int, across: int) -> tuple[int, int]:
    return 1 + across, 1 + down


def _without_order(step: tuple[int, int]) -> Array:
    kernel = _kernel(_centre, _ahead)(step)
    return np.maximum(kernel, kernel[::-1])  # type: ignore[no-any-return]


# Exercise 5: films in a mirror.


def look_at_mirror(answer: Any) -> None:
    """Compare with films that are turned round from left to right, and with the directions that they then show."""
    films, labels = make_films(7000, 8)
    result = theirs(answer, films, labels)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise WrongError(f"Two things are asked for, films and labels; this is of type {type(result).__name__}.")
    seen, says = result
    if np.shape(says) == films.shape:
        raise WrongError("The clips come first, then the labels.")
    if np.shape(seen)[:1] == (2 * len(films),):
        raise WrongError("The mirrored clips alone are asked for, not the others with them.")
    for axes, message in (
        ((), "The films are as they were."),
        ((1,), "The films are played backwards: axis 1 is time."),
        ((2,), "The films stand on their heads: axis 2 holds the rows."),
        ((0,), "The films are as they were, in another order: axis 0 is the batch."),
    ):
        if same(seen, np.flip(films, axes)):
            raise WrongError(message)
    _hold("films", seen, films[:, :, :, ::-1])
    right = np.array([0, 1, 3, 2])[labels]
    if same(says, labels):
        raise WrongError("The films are right; their labels are as they were, and are not true of all of them now.")
    if same(says, np.array([1, 0, 3, 2])[labels]):
        raise WrongError("The films are right. Of the labels, more have changed than a mirror turns round.")
    if any(same(says, np.where(labels < 2, labels, one)) for one in (2, 3)):
        raise WrongError(
            "The films are right. Left and right have become one label: the second line changed back what the first "
            "had made."
        )
    _hold("labels", says, right)


def _hold(what: str, answer: Any, expected: Array) -> None:
    """Compare one of two things, and say which one is meant."""
    try:
        compare(answer, expected)
    except WrongError as error:
        raise WrongError(f"Of the {what}: {error}") from None


# Exercise 7: no network at all.


def look_at_rule(answer: Any) -> None:
    """Ask which way digits go: first some that stay within the picture, then some that cross its border."""
    for start, where in (((1, 1), "within the picture"), ((12, 12), "across the border")):
        pairs = []
        for number in range(12):
            way = NAMES[number % 4]
            said = theirs(answer, moved(digits()[7500 + number], start, STEPS[way], 4))
            if not isinstance(said, str) or said not in NAMES:
                raise WrongError(f"Asked for is one of {', '.join(map(repr, NAMES))}; this is {said!r:.40}.")
            pairs.append((way, said))
        wrong = [(way, said) for way, said in pairs if way != said]
        if not wrong:
            continue
        if all(said == OPPOSITE[way] for way, said in pairs):
            raise WrongError("Every answer is the way that the digit came from.")
        if all(said == TRANSPOSED[way] for way, said in pairs):
            raise WrongError("Up is taken for left, and down for right: rows and columns are exchanged.")
        if len({said for _, said in pairs}) == 1:
            raise WrongError(
                f"Every film gets the same answer, {pairs[0][1]!r}. (In a sum, differences of both signs may cancel.)"
            )
        if where == "across the border":
            raise WrongError(
                f"Right as long as a digit stays within the picture; {len(wrong)} of {len(pairs)} are wrong where it "
                "leaves on one side and comes in on the other."
            )
        raise WrongError(f"{len(wrong)} of {len(pairs)} are wrong; one that goes {wrong[0][0]} gets {wrong[0][1]!r}.")


def _rule(steps: dict[str, tuple[int, int]]) -> Any:
    """Return a function that shifts the first frame and compares it with the second."""

    def direction(film: Array) -> str:
        return min(steps, key=lambda way: float(np.abs(np.roll(film[0], steps[way], axis=(0, 1)) - film[1]).sum()))

    return direction


def _cancelled(film: Array) -> str:
    return min(NAMES, key=lambda way: round(float((np.roll(film[0], STEPS[way], axis=(0, 1)) - film[1]).sum()), 6))


def _centre_of_ink(film: Array) -> str:
    rows, columns = np.indices((16, 16))
    down, across = (((film[3] - film[0]) * places).sum() for places in (rows, columns))
    if abs(down) > abs(across):
        return "down" if down > 0 else "up"
    return "right" if across > 0 else "left"


# Exercise 8: a network for all lengths and three speeds.


def look_at_network(answer: Any) -> None:
    """Look at a network, then train it on all speeds and ask about other films, short and long."""
    import keras

    keras.utils.set_random_seed(1)
    model = their_model(answer)
    if not (len(model.input_shape) == 5 and model.input_shape[1] is None and model.input_shape[4] == 1):
        raise WrongError(
            f"It takes inputs of shape {model.input_shape}, not films of any length: in `keras.Input`, "
            "`None` stands for a length that is open."
        )
    if model.output_shape != (None, 4):
        raise WrongError(f"Its output has the shape {model.output_shape}; four numbers a film are asked for.")
    if model.count_params() > 1000:
        raise WrongError(f"It has {model.count_params():,} parameters, more than a thousand.")
    films, _ = make_films(7900, 8)
    try:
        model.compute_output_shape(films.shape)
    except ValueError as error:
        raise WrongError(
            "It cannot take films of 4 frames of 16x16. Are its kernels, one behind the other, too long for them? "
            f"({without_colours(str(error))[:200]})"
        ) from None
    shares = keras.ops.convert_to_numpy(model(films))
    if (shares < 0).any() or np.abs(shares.sum(axis=1) - 1).max() > 1e-3:
        raise WrongError("Its four outputs are no shares that sum to 1.")
    differ = np.ptp(shares, axis=0).max() > 1e-5  # not so if the last layer starts at zeros
    if differ and np.abs(shares - keras.ops.convert_to_numpy(model(films[:, ::-1]))).max() < 1e-5:
        raise WrongError(
            "Before any training it answers a film and the same film played backwards alike. Does any layer see two "
            "frames and their order?"
        )
    shown = [make_films(300 * (speed - 1), 300, speed=speed) for speed in SPEEDS]
    films, ways = (np.concatenate(parts) for parts in zip(*shown, strict=True))
    model.compile(keras.optimizers.Adam(0.02), "categorical_crossentropy")
    model.fit(films, keras.utils.to_categorical(ways, 4), epochs=10, batch_size=32, verbose=0)
    for frames in (4, 16):
        for speed in SPEEDS:
            films, ways = make_films(6000, 200, speed=speed, frames=frames)
            share = 100 * np.mean(np.argmax(keras.ops.convert_to_numpy(model(films)), axis=1) == ways)
            if share < ASKED:
                raise WrongError(
                    f"Trained on all three speeds, it is right about {share:.0f} % of films of {frames} frames at "
                    f"{speed} pixel{'s' * (speed > 1)} a frame; {ASKED} % are asked for."
                )


def _network(frames: int | None, filters: int, kernel_size: Any, *, classes: int = 4, last: str = "softmax") -> Any:
    """Return a function that builds a network."""

    def network() -> Any:
        import keras

        behind = keras.layers.GlobalMaxPooling3D() if frames is None else keras.layers.Flatten()
        return keras.Sequential(
            [
                keras.Input((frames, 16, 16, 1)),
                keras.layers.Conv3D(filters, kernel_size, activation="relu"),
                behind,
                keras.layers.Dense(classes, activation=last),
            ]
        )

    return network


EXERCISES = [
    Exercise(
        level="recall",
        question="Six films in colour, each of 10 frames of 32x32 pixels, lie in one batch. What is the output's "
        "shape of `Conv3D(8, (4, 5, 5), strides=(1, 2, 2))`?",
        judge=Value(
            (6, 7, 14, 14, 8),
            mistakes=[
                ((6, 7, 28, 28, 8), "The strides are forgotten: along rows and columns every second place counts."),
                ((6, 4, 14, 14, 8), "The first stride is 1: along time no place is left out."),
                ((6, 7, 14, 14, 3), "The colours are used up in the sum; what comes last are the filters."),
                ((6, 7, 14, 14, 24), "A filter reads all three colours and gives one number, not three."),
                ((6, 14, 14, 8), "Time is an axis of the output too: the box moves along it."),
                ((6, 6, 14, 15, 8), "Take the three numbers of the kernel in order: frames, rows, columns."),
                ((6, 10, 16, 16, 8), "So it would be with `padding='same'`; without, the box stays within the film."),
            ],
        ),
        hints=[
            "Do each axis for itself: time, rows, columns.",
            "`(length - size) // stride + 1`, with the axis's own size and stride; then the batch and the filters.",
        ],
        answer="answer = (6, 10 - 4 + 1, (32 - 5) // 2 + 1, (32 - 5) // 2 + 1, 8)",
        because="There are 7 places along time, and every second of 28 along rows and columns; each gives 8 numbers.",
    ),
    Exercise(
        level="recall",
        question="The four kernels, 3 frames long, take films of any length, but not of *any*: they need 3 frames. "
        "Put a second `Conv3D` behind the first, its kernels 3 frames long as well. How many frames must a film now "
        "have at least?",
        judge=Value(
            5,
            mistakes=[
                (3, "That does for the first layer, which then hands on a single frame."),
                (4, "The first layer then hands on two frames, too few for a kernel of the second."),
                (6, "Too many: windows of the first layer that follow each other share frames."),
                (9, "Far too many: the windows of the first layer do not lie end to end."),
                (1, "A kernel that is 3 frames long finds no place in one frame."),
            ],
        ),
        hints=[
            "Go from the back: how many frames does the second layer need from the first?",
            "It needs 3. The first layer makes `n - 3 + 1` of `n` frames.",
        ],
        answer="answer = 3 + (3 - 1)",
        because="The second layer needs 3 frames from the first, and `n - 3 + 1` is 3 for a film of 5.",
    ),
    Exercise(
        level="apply",
        question="*A long exposure.* A network gets the mean of the four frames of each clip, one picture. What "
        "share can the best of networks get right, in the long run?",
        judge=Choice(
            [
                (
                    "25 %: it is one still picture, and one picture tells nothing.",
                    "One *frame* tells nothing. This picture holds all four of them, and the digit is smeared.",
                ),
                ("50 %: it tells two directions from the other two, no more.", None),
                (
                    "Nearly 100 %: all four frames are in it.",
                    "They are in it, but which came first is not. Compare the mean of a clip with that of the same "
                    "clip played backwards.",
                ),
            ]
        ),
        hints=[
            "Along which line is the digit smeared?",
            "What does the mean say about the order of the frames?",
        ],
        answer='answer = "b"',
        because="The smear shows the line. A clip and the same clip backwards, which goes the other way, have the "
        "same mean, so the rest is a guess. `define_model` gets about 44 % of held-out clips.",
    ),
    Exercise(
        level="apply",
        question="*A kernel for a direction.* Write `detector(step)`, which makes a `Conv3D` kernel by hand, 2 frames "
        "long, 3 rows high, 3 columns wide, for one channel and one filter: an array of shape `(2, 3, 3, 1, 1)`. On "
        "films of a single dot, its largest output is larger where the dot moves by `step` than where it moves in "
        "one of the other directions or stands still. `step` is (rows, columns), so `(-1, 0)` is up.",
        judge=Written(
            look_at_detector,
            mistakes=[
                (_kernel(_ahead, _centre), "opposite way. Which of its slices meets the earlier frame?"),
                (_kernel(_centre, _exchanged), "rows and columns are exchanged"),
                (_kernel(_centre, _centre), "what stands still"),
                (_without_order, "not which frame comes first"),
                (lambda step: np.ones(KERNEL), "every film alike"),
                (lambda step: np.zeros((3, 3, 2, 1, 1)), "frames come first"),
            ],
        ),
        hints=[
            "The kernel is what it looks for: slice 0 is laid on a frame, slice 1 on the next.",
            "Two ones are enough, one in each slice. Let the one of slice 0 be in the middle.",
            "If the dot is at row 1, column 1 of the box, where is it one frame later?",
        ],
        answer="""
import numpy as np

def detector(step):
    kernel = np.zeros((2, 3, 3, 1, 1))
    kernel[0, 1, 1] = 1
    kernel[1, 1 + step[0], 1 + step[1]] = 1
    return kernel
""",
        because="Both ones meet the dot only if it moves by the step: then the sum is 2, otherwise at most 1. It is "
        "the slant of this page, two frames long, and may lead along rows as well as columns.",
    ),
    Exercise(
        level="apply",
        question="*Twice as many clips.* Films seen in a mirror, left and right exchanged, are films too, and cost "
        "nothing. Write `mirror(clips, labels)`: it returns the mirrored clips, and the labels that are true of "
        "them. `clips` has the shape `(n, 4, 16, 16, 1)`; labels 0 to 3 are up, down, left, right.",
        judge=Written(
            look_at_mirror,
            mistakes=[
                (lambda clips, labels: (clips[:, :, :, ::-1], labels), "labels are as they were"),
                (lambda clips, labels: (clips[:, :, :, ::-1], labels ^ 1), "more have changed than a mirror"),
                (lambda clips, labels: (clips[:, :, ::-1], labels), "stand on their heads"),
                (lambda clips, labels: (clips[:, ::-1], labels ^ 1), "played backwards"),
                (lambda clips, labels: (clips, labels ^ 1), "The films are as they were."),
                (lambda clips, labels: clips[:, :, :, ::-1], "Two things are asked for"),
            ],
        ),
        hints=[
            "The axes are clips, time, rows, columns, channels. Which one does a mirror turn round?",
            "What goes up in front of a mirror goes up in it.",
            "An array may be indexed with labels: `np.array([...])[labels]`.",
        ],
        answer="""
import numpy as np

def mirror(clips, labels):
    return clips[:, :, :, ::-1], np.array([0, 1, 3, 2])[labels]
""",
        because="Only columns are turned round, so left and right change places and up and down stay. Clips that are "
        "changed without their labels would teach something false.",
    ),
    Exercise(
        level="apply",
        question="*Take time away.* In the network with four trained kernels, the kernels become one frame long: "
        "`kernel_size=(1, 3, 3)`; everything else stays. What share of held-out clips will it get right?",
        judge=Choice(
            [
                (
                    "Nearly 100 %, as the frozen kernels did that were one frame long.",
                    "Behind those, pooling in pairs kept an earlier and a later place apart. What does *global* "
                    "pooling keep apart?",
                ),
                (
                    "About 50 %: it finds the line, and guesses which way.",
                    "To find the line one must compare places in several frames. Which layer still could?",
                ),
                ("About 25 %: it guesses.", None),
                (
                    "About 70 %, as the frozen kernels 3 frames long did.",
                    "Those were random, but they read three frames at once.",
                ),
            ]
        ),
        hints=[
            "What can one output of such a kernel know?",
            "The dense layer gets the largest output of each kernel, over all places and all frames.",
        ],
        answer='answer = "c"',
        because="Each kernel sees one frame, and the largest of its outputs says neither where nor when it was found; "
        "clips of all directions show the same frames. Three folds gave 24, 26 and 27 %.",
    ),
    Exercise(
        level="apply",
        question="*No network at all.* Write `direction(film)`: it takes one film as `move` makes it, of shape "
        "`(4, 16, 16)`, and returns `'up'`, `'down'`, `'left'` or `'right'`. It has to be right for each hidden film, "
        "without any training. Remember that what leaves on one side comes in on the other.",
        judge=Written(
            look_at_rule,
            mistakes=[
                (_rule({way: STEPS[OPPOSITE[way]] for way in NAMES}), "the way that the digit came from"),
                (_rule({way: STEPS[TRANSPOSED[way]] for way in NAMES}), "rows and columns are exchanged"),
                (_cancelled, "Every film gets the same answer"),
                (_centre_of_ink, "Right as long as a digit stays within the picture"),
                (lambda film: 2, "Asked for is one of"),
            ],
        ),
        hints=[
            "You know how the films were made. Make the second frame from the first, in four ways.",
            "`np.roll(film[0], step, axis=(0, 1))` moves a frame; which of the four is the second frame?",
            "Compare with `np.abs(...).sum()`, and take the way with the smallest.",
        ],
        answer="""
import numpy as np

def direction(film):
    steps = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
    wrong = {way: np.abs(np.roll(film[0], step, axis=(0, 1)) - film[1]).sum() for way, step in steps.items()}
    return min(wrong, key=wrong.get)
""",
        because="One of four shifts makes the second frame from the first without a remainder. Whoever knows how the "
        "films were made needs no network; the network found out from clips and labels alone.",
    ),
    Exercise(
        level="project",
        question="*Three speeds, any length.* Double speed was hard for networks that had never seen it. Write "
        "`network()`: it returns a Keras model with at most 1,000 parameters that takes films of any number of "
        "frames, `(None, 16, 16, 1)`, and gives four shares. It need not be compiled: the check trains it for some "
        "seconds on 300 films each at one, two and three pixels a frame. Of others, with 4 frames and with 16, at "
        f"each speed, it must get {ASKED} % right. (The network with four kernels does not.)",
        judge=Written(
            look_at_network,
            mistakes=[
                (_network(4, 4, 3), "not films of any length"),
                (_network(None, 64, 5), "more than a thousand"),
                (_network(None, 8, (1, 3, 3)), "the same film played backwards alike"),
                (_network(None, 8, 3, last="linear"), "no shares that sum to 1"),
                (_network(None, 8, 3, classes=10), "four numbers a film are asked for"),
            ],
        ),
        hints=[
            "`Flatten` fixes the length, `GlobalMaxPooling3D` does not.",
            "A step of three pixels leads out of a window of 3x3. How large must it be? How many frames are enough to "
            "see a movement?",
            "Three speeds and four directions are twelve movements. Parameters: `(points of the box + 1) * filters`.",
        ],
        answer="""
import keras

def network():
    return keras.Sequential([
        keras.Input((None, 16, 16, 1)),
        keras.layers.Conv3D(8, (2, 5, 5), activation="relu", kernel_initializer="he_uniform"),
        keras.layers.GlobalMaxPooling3D(),
        keras.layers.Dense(4, activation="softmax"),
    ])
""",
        because="The solution has 8 kernels of 2 frames and 5x5 pixels, 408 parameters, and 36 in its dense layer. "
        "Shown all speeds, it gets nearly all films right at each, with 4 frames and with 16; four kernels of 3x3x3 "
        "get about 90 % at three pixels a frame.",
        seconds=60,
    ),
]
