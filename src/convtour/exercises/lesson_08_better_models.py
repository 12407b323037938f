"""Exercises of notebook 08."""

from collections.abc import Callable, Sequence
from typing import Any

from convtour.exercises.exercise import Exercise
from convtour.exercises.judges import Choice, Function, Value, Written, layers_of, their_model, theirs
from convtour.exercises.mistakes import WrongError
import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[Any]
Scores = Sequence[float]
BUDGET = 50_000

# Dropout


def look_at_dropout(function: Any) -> None:
    """Look at what is dropped, and at what happens to the rest."""
    x, rate = np.random.default_rng(0).uniform(1, 2, size=(2000, 6)), 0.25
    first, second = (theirs(function, x, rate, np.random.default_rng(seed)) for seed in (1, 2))
    try:
        ratio = np.asarray(first, float)
    except (TypeError, ValueError):
        raise WrongError(f"Your function returned no array of numbers, but a {type(first).__name__}.") from None
    if ratio.shape != x.shape:
        raise WrongError(f"The result has shape {ratio.shape}, x has {x.shape}.")
    ratio = ratio / x
    dropped = ratio == 0
    if not dropped.any():
        raise WrongError("Nothing was set to 0.")
    if not np.array_equal(first, theirs(function, x, rate, np.random.default_rng(1))):
        raise WrongError("The same seed gives other numbers: draw from the generator handed in, and from no other.")
    if np.array_equal(first, second):
        raise WrongError("Two generators with different seeds give the same numbers: draw from the one handed in.")
    if (dropped == dropped[0]).all():
        raise WrongError("The same places are 0 in every picture: each picture wants a draw of its own.")
    if (dropped == dropped[:, :1]).all():
        raise WrongError("A picture loses all of its numbers or none: each number wants a draw of its own.")
    if abs(dropped.mean() - (1 - rate)) < 0.05:
        raise WrongError(
            "With a rate of 0.25, three quarters were dropped: the rate says how many go, not how many stay."
        )
    if abs(dropped.mean() - rate) > 0.05:
        raise WrongError(f"With a rate of 0.25, {100 * dropped.mean():.0f} % were set to 0.")
    kept = ratio[~dropped]
    if np.ptp(kept) > 1e-4:
        raise WrongError("Numbers that stay were multiplied by different factors: one factor holds for all.")
    if abs(kept[0] - 1) < 1e-4:
        raise WrongError("Zeros are right. The others stay as they were, so the sum has shrunk on average.")
    if abs(kept[0] * (1 - rate) - 1) > 1e-4:
        raise WrongError("Zeros are right. The others grew by another factor than keeps the sum on average.")


def dropping(
    rate_of: Callable[[float], float] = lambda rate: rate,
    factor: Callable[[float], float] = lambda rate: 1 / (1 - rate),
    shape: Callable[[Array], tuple[int, ...]] = np.shape,
    seed: int | None = None,
) -> Callable[[Array, float, np.random.Generator], Array]:
    """Return dropout with one thing changed."""

    def dropout(x: Array, rate: float, rng: np.random.Generator) -> Array:
        rng = rng if seed is None else np.random.default_rng(seed)
        return np.where(rng.random(shape(x)) < rate_of(rate), 0, x * factor(rate))

    return dropout


def elsewhere(x: Array, rate: float, rng: np.random.Generator) -> Array:
    """Drop as asked, by numbers from another generator."""
    return dropping()(x, rate, np.random.default_rng())


# Paired tests

BASELINE, CANDIDATE = [0.962, 0.955, 0.968, 0.949, 0.960], [0.964, 0.964, 0.971, 0.960, 0.965]


def corrected(baseline: Scores, candidate: Scores, test_to_train: float) -> float:
    """Ask compare_models."""
    from convtour import compare_models

    return compare_models(baseline, candidate, test_to_train=test_to_train).p_value


def p_with(
    *,
    ddof: int = 1,
    ratio: Callable[[float], float] = lambda ratio: ratio,
    sides: int = 2,
    less: int = 1,
    bell: bool = False,
    signed: bool = False,
    paired: bool = True,
    k: int | None = None,
    degrees: int | None = None,
) -> Callable[[Scores, Scores, float], float]:
    """Return a test with one thing changed."""

    def p(baseline: Scores, candidate: Scores, test_to_train: float) -> float:
        differences = np.subtract(candidate, baseline)
        apart = float(differences.var(ddof=ddof) if paired else np.var(baseline, ddof=1) + np.var(candidate, ddof=1))
        t = differences.mean() / np.sqrt(apart * (1 / (k or len(differences)) + ratio(test_to_train)))
        t = t if signed else abs(t)
        return float(sides * (stats.norm.sf(t) if bell else stats.t.sf(t, degrees or len(differences) - less)))

    return p


# Many comparisons


def adjusted(p_values: Scores) -> Array:
    """Multiply each p by how many are no smaller, then take the largest of all that are no larger."""
    p = np.asarray(p_values, float)
    multiplied = np.minimum(1, p * (p >= p[:, None]).sum(axis=1))
    return np.array([multiplied[p <= one].max() for one in p])


def stepped(multipliers: str = "down", *, running: bool = True, cap: bool = True, back: bool = True) -> Any:
    """Return Holm's correction with one thing changed."""

    def holm(p_values: Scores) -> Array:
        order = np.argsort(p_values)
        down = np.arange(len(order), 0, -1)
        factors = {"down": down, "up": down[::-1], "all": np.full(len(order), len(order))}[multipliers]
        found = np.asarray(p_values, float)[order] * factors
        found = np.maximum.accumulate(found) if running else found
        found = np.minimum(1, found) if cap else found
        return found[np.argsort(order)] if back else found

    return holm


# The best of many on one test set


def best_of(networks: int, n: int, accuracy: float) -> float:
    """Return the mean of the largest of several counts, minus the mean of one, in points."""
    at_most = stats.binom.cdf(np.arange(n), n, accuracy)
    return float(100 * ((1 - at_most**networks).sum() / n - accuracy))


# A model of one's own


def look_at_model(function: Any) -> None:
    """Look for the ingredients, each in its place."""
    import keras

    model = their_model(function, (28, 28, 1), 10)
    if not getattr(model, "compiled", False):
        raise WrongError("The model is not compiled, so it cannot be trained.")
    other = their_model(function, (32, 32, 1), 4)
    if tuple(other.output_shape) != (None, 4) or tuple(other.input_shape) != (None, 32, 32, 1):
        raise WrongError("Asked for pictures of 32x32 and 4 classes, the model has other shapes: use both arguments.")
    sums = keras.ops.convert_to_numpy(other(np.random.default_rng(0).random((2, 32, 32, 1), "float32"))).sum(axis=1)
    if abs(sums - 1).max() > 1e-3:
        raise WrongError("The answers for a picture do not sum to 1: which activation makes probabilities?")
    if model.count_params() > BUDGET:
        raise WrongError(f"The model has {model.count_params():,} parameters, more than it may.")
    layers = list(layers_of(model))
    look_at_moves(layers)
    look_at_normalisation(layers)
    dense = [i for i, layer in enumerate(layers) if isinstance(layer, keras.layers.Dense)]
    dropped = [i for i, layer in enumerate(layers) if isinstance(layer, keras.layers.Dropout)]
    if len(dense) < 2:
        raise WrongError("There is no hidden dense layer whose outputs could be dropped.")
    if not dropped:
        raise WrongError("Nothing is dropped.")
    if max(dropped) > dense[-1]:
        raise WrongError("The dropout comes last: in training, it would set probabilities to 0.")
    between = [i for i in dropped if dense[-2] < i < dense[-1]]
    if not between:
        raise WrongError("The dropout does not stand between the two last dense layers.")
    if not any(layers[i].rate for i in between):
        raise WrongError("The dropout has a rate of 0: nothing is dropped.")
    check_training(function)


def check_training(function: Any) -> None:
    """Ask what `cross_validate` asks before it trains."""
    from convtour.evaluation.checks import check_model

    try:
        check_model(function, 1, np.zeros((8, 28, 28, 1), "float32"), np.eye(10, dtype="float32")[:8])
    except (TypeError, ValueError) as error:
        raise WrongError(f"`cross_validate` would refuse it: {error}") from None


def look_at_moves(layers: list[Any]) -> None:
    """Look at how the pictures are moved."""
    import keras

    names = [type(layer).__name__ for layer in layers]
    if "RandomFlip" in names:
        raise WrongError("A mirrored picture is another shape, not a digit that somebody wrote: do not flip.")
    moves = [i for i, name in enumerate(names) if name in ("RandomTranslation", "RandomRotation", "RandomCrop")]
    first = next((i for i, layer in enumerate(layers) if isinstance(layer, keras.layers.Conv2D)), None)
    if first is None:
        raise WrongError("There is no Conv2D among the layers.")
    if not moves:
        raise WrongError("No layer moves or turns the pictures.")
    if max(moves) > first:
        raise WrongError("Maps are moved, not pictures: moving comes before the first convolution.")
    turns = [np.max(np.abs(layers[i].get_config()["factor"])) for i in moves if names[i] == "RandomRotation"]
    if max(turns, default=0) > 0.125:
        raise WrongError("Pictures are turned too far: a 6 that stands on its head is a 9.")
    shifts = [layers[i].get_config() for i in moves if names[i] == "RandomTranslation"]
    factors = [np.max(np.abs(shift[name])) for shift in shifts for name in ("height_factor", "width_factor")]
    if "RandomCrop" not in names and not np.any([*turns, *factors]):
        raise WrongError("Pictures are moved and turned by 0.")
    if max(factors, default=0) > 0.25:
        raise WrongError("Pictures are moved too far: a part of the digit leaves the sheet.")


def look_at_normalisation(layers: list[Any]) -> None:
    """Look at what follows each convolution."""
    import keras

    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        if not isinstance(layer, keras.layers.Conv2D):
            continue
        if layer.activation is not keras.activations.linear:
            raise WrongError("The activation is inside the convolution, so what follows normalises too late.")
        if not isinstance(after, keras.layers.BatchNormalization):
            raise WrongError("A convolution is not followed by batch normalisation.")
        if layer.use_bias:
            raise WrongError("A convolution has a bias, which the batch normalisation subtracts again.")


def own(
    *,
    moves: Sequence[Any] = (("RandomTranslation", 0.1, 0.1),),
    bias: bool = False,
    inside: str | None = None,
    normalise: bool = True,
    hidden: int = 50,
    drop: tuple[float, ...] = (0.5,),
    last: str = "softmax",
    compiled: bool = True,
    loss: str = "categorical_crossentropy",
) -> Callable[[tuple[int, ...], int], Any]:
    """Return a function that makes a model, with one thing changed."""

    def make(input_shape: tuple[int, ...], num_classes: int) -> Any:
        import keras

        layers = keras.layers
        stack = [keras.Input(input_shape), *(getattr(layers, name)(*arguments) for name, *arguments in moves)]
        stack += [layers.Conv2D(16, 3, use_bias=bias, activation=inside)]
        stack += [layers.BatchNormalization()] if normalise else []
        stack += [layers.ReLU(), layers.MaxPooling2D(4), layers.Flatten(), layers.Dense(hidden, activation="relu")]
        stack += [layers.Dropout(rate) for rate in drop]
        model = keras.Sequential([*stack, layers.Dense(num_classes, activation=last)])
        if compiled:
            model.compile("sgd", loss, metrics=["accuracy"])
        return model

    return make


EXERCISES = [
    Exercise(
        level="recall",
        question="A `BatchNormalization` layer is trained with batches whose mean is always 3. Its own mean begins at "
        "0 and moves a hundredth of the way with every batch. After how many batches, a whole number, has it reached "
        "1.5?",
        judge=Value(
            69,
            mistakes=[
                (50, "You count a hundredth of 3 for each batch. It is a hundredth of the way that is *left*."),
                (68, "Very nearly: the mean is then 1.485."),
                (70, "It was there already one batch earlier."),
                (100, "It never goes all the way; and half of it takes fewer batches."),
                (1, "After one batch it has moved by a hundredth of 3, and no more."),
            ],
        ),
        hints=[
            "After one batch, 0.99 of the way is left; after two, 0.99 of that.",
            "Which power of 0.99 is at most a half?",
        ],
        answer="""
import math

answer = math.ceil(math.log(0.5) / math.log(0.99))
""",
        because="After n batches `0.99**n` of the way is left, and `0.99**69` is the first below a half. In the long "
        "cell an epoch has 100 batches; a network that trains for fewer predicts with numbers far from those of its "
        "training.",
    ),
    Exercise(
        question="Write `dropped(x, rate, rng)`, which does to an array of shape (pictures, numbers) what the layer "
        "does in training. `rng` is a generator of NumPy, such as `np.random.default_rng(0)`; draw from it.",
        judge=Written(
            look_at_dropout,
            mistakes=[
                (dropping(factor=lambda rate: 1), "so the sum has shrunk on average"),
                (dropping(factor=lambda rate: 1 / rate), "another factor than keeps the sum"),
                (dropping(rate_of=lambda rate: 1 - rate), "the rate says how many go, not how many stay"),
                (dropping(shape=lambda x: x.shape[1:]), "The same places are 0 in every picture"),
                (dropping(shape=lambda x: (len(x), 1)), "A picture loses all of its numbers or none"),
                (dropping(seed=0), "draw from the one handed in"),
                (elsewhere, "The same seed gives other numbers"),
                (lambda x, rate, rng: x, "Nothing was set to 0"),
            ],
        ),
        hints=[
            "`rng.random(x.shape)` draws a number from 0 to 1 for each entry: what share of them is below `rate`?",
            "Of 4 numbers 3 stay at a rate of 0.25. By what must you multiply each of the 3, to make up for one?",
            "`np.where(condition, 0, otherwise)`.",
        ],
        answer="""
import numpy as np


def dropped(x, rate, rng):
    return np.where(rng.random(x.shape) < rate, 0, x / (1 - rate))
""",
        because="A number stays with probability `1 - rate`, so dividing by that keeps the sum on average, and nothing "
        "need be done when predicting.",
    ),
    Exercise(
        question="Write `p_value(baseline, candidate, test_to_train)`: the corrected paired test of the page, for two "
        "lists of scores of any length. `scipy.stats` may be used, `compare_models` not.",
        judge=Function(
            corrected,
            [
                (BASELINE, CANDIDATE, 0.25),
                ([0.91, 0.93, 0.90], [0.90, 0.92, 0.86], 0.5),
                ([0.81, 0.83, 0.80, 0.84, 0.86, 0.79, 0.80], [0.82, 0.85, 0.80, 0.83, 0.89, 0.82, 0.84], 1 / 6),
                ([0.5, 0.6, 0.7, 0.55], [0.6, 0.8, 0.65, 0.75], 0.1),
            ],
            mistakes=[
                (p_with(ratio=lambda ratio: 0), "This is the naive test: it takes the folds for independent."),
                (p_with(ratio=lambda ratio: 1 / ratio), "The ratio is the wrong way up: n_test belongs above n_train."),
                (p_with(ddof=0), "The variance divides by k. A few numbers show their spread too small so."),
                (p_with(sides=1), "One tail only: a candidate that is worse by as much would be as surprising."),
                (p_with(less=0), "The degrees of freedom are one too many."),
                (p_with(degrees=4), "Four degrees of freedom are for five folds; take one less than there are folds."),
                (p_with(k=5), "`1 / 5` is for five folds; it is one over their number."),
                (p_with(degrees=4, k=5), "The 5 and the 4 of the page are for five folds; here there may be others."),
                (p_with(bell=True), "These are the tails of a bell curve, too thin for so few differences."),
                (
                    p_with(signed=True),
                    "Where the candidate is worse, the tail on the wrong side is taken: p exceeds 1.",
                ),
                (
                    p_with(paired=False),
                    "The spreads of both models are added, as if each had met other folds. Subtract fold by fold.",
                ),
            ],
        ),
        hints=[
            "Begin with the differences, one for each fold; all else is made of these.",
            "The page does it by hand for five folds. What is a 5 or a 4 there depends on the number of folds.",
            "`2 * stats.t.sf(abs(t), df=k - 1)`.",
        ],
        answer="""
import numpy as np
from scipy import stats


def p_value(baseline, candidate, test_to_train):
    differences = np.subtract(candidate, baseline)
    k = len(differences)
    error = np.sqrt(differences.var(ddof=1) * (1 / k + test_to_train))
    return 2 * stats.t.sf(abs(differences.mean()) / error, df=k - 1)
""",
        because="Only the differences count, and the second term makes their standard error larger, since folds share "
        "data. With `test_to_train=0` it is `scipy.stats.ttest_rel`.",
    ),
    Exercise(
        question="Two models on the same five folds. The baseline has 0.962, 0.955, 0.968, 0.949, 0.960; the candidate "
        "0.964, 0.964, 0.971, 0.960, 0.965. It is the only comparison. What may you say, at 95 %?",
        judge=Choice(
            [
                (
                    "The candidate is better: it leads in every fold.",
                    "Of two equal models, one leads in all five of five independent folds in 2 of 32 cases; and how "
                    "far the leads are apart counts too.",
                ),
                (
                    "The candidate is better: the paired t test gives a p of 0.03.",
                    "That is the naive test. The folds share data, so it finds differences too often.",
                ),
                (
                    "The two are equally good.",
                    "A difference that is not shown need not be 0: the interval leaves room for one point and more.",
                ),
                ("Cannot tell; but that the candidate is half a point worse is excluded.", None),
                (
                    "Cannot tell, and nothing is excluded.",
                    "The interval has two ends. What lies beyond them is excluded, at its confidence.",
                ),
            ]
        ),
        hints=[
            "Which test, and what is its p? Your `p_value` tells.",
            "Where does the interval begin, where does it end? `compare_models` tells, with its verdict.",
        ],
        answer='answer = "d"',
        because="The mean difference is 0.60 points, p is 0.08, and the interval goes from -0.12 to 1.32: it holds 0, "
        "and it does not reach half a point below.",
    ),
    Exercise(
        question="Write `holm(p_values)`, which returns Holm's corrected p values of a list as an array: *in the order "
        "in which the p values were given*, and none above 1.",
        judge=Function(
            adjusted,
            [
                ([0.20, 0.01, 0.04, 0.012, 0.70],),
                ([0.030, 0.020, 0.026],),
                ([0.9, 0.6, 0.8, 0.001, 0.04, 0.04],),
                ([0.04],),
            ],
            mistakes=[
                (stepped("all"), "This is Bonferroni: every p is multiplied by the number of all comparisons."),
                (stepped("up"), "The multipliers run the wrong way: the largest belongs to the smallest p."),
                (stepped(running=False), "A larger p ends up below a smaller one: none may fall below the one before."),
                (stepped(cap=False), "Some exceed 1, which no probability does."),
                (stepped(back=False), "They come in sorted order; each belongs where its p value stood."),
                (
                    lambda p: np.minimum(1, np.maximum.accumulate(np.arange(len(p), 0, -1) * p)),
                    "They are taken in the order given. Sort them first: the page's came sorted.",
                ),
                (
                    lambda p: stepped(back=False)(p)[np.argsort(p)],
                    "Put back the wrong way: `result[order] = corrected`, not `corrected[order]`.",
                ),
            ],
        ),
        hints=[
            "`order = np.argsort(p_values)` tells where the smallest stands, where the next, and so on.",
            "Multipliers `np.arange(n, 0, -1)`, then `np.maximum.accumulate`, then `np.minimum`.",
            "To put numbers back: `result[order] = corrected`.",
        ],
        answer="""
import numpy as np


def holm(p_values):
    order = np.argsort(p_values)
    n = len(order)
    result = np.empty(n)
    result[order] = np.minimum(1, np.maximum.accumulate(np.arange(n, 0, -1) * np.sort(p_values)))
    return result
""",
        because="Once the smallest p has passed, only the others are left to err on, so their multiplier is smaller. "
        "No corrected p is larger than Bonferroni's.",
    ),
    Exercise(
        question="Ten networks are each right on 96 % of all pictures that could ever be shown to them. Each is "
        "asked about a test set of its own, 1,000 pictures drawn anew, and the best accuracy is reported. By how "
        "many percentage points is the reported number too high, on average? Simulate it; to within 0.03 is enough.",
        judge=Value(
            round(best_of(10, 1000, 0.96), 2),
            tolerance=0.03,
            mistakes=[
                (
                    0.96 + best_of(10, 1000, 0.96) / 100,
                    "That is the accuracy reported, as a share. Asked for is how much of it is luck, in points.",
                ),
                (
                    0.0,
                    "Next to nothing? Each network by itself is measured rightly on average; the best of ten is "
                    "not just any of them. (If this is a share: points are asked for.)",
                ),
                (0.62, "That is the standard error of one network's accuracy. How far out is the best of ten of them?"),
                (1.21, "That is how far the 95 % interval of one network reaches. Ask for the mean of the best."),
                (96 + best_of(10, 1000, 0.96), "That is the accuracy reported. Asked for is how much of it is luck."),
                (best_of(1000, 1000, 0.96), "So much luck takes some thousand networks. There are ten."),
            ],
        ),
        hints=[
            "`np.random.default_rng(0).binomial(1000, 0.96, size=(10_000, 10))` is how many each of ten has right, in "
            "10,000 tries.",
            "The largest of each ten, the mean of these, minus what is true.",
        ],
        answer="""
import numpy as np

right = np.random.default_rng(0).binomial(1000, 0.96, size=(10_000, 10))
answer = 100 * (right.max(axis=1).mean() / 1000 - 0.96)
""",
        because="No network is better than another, yet the best looks 0.93 points better than it is. A test set that "
        "chooses among networks says too much of the one chosen; used once, it is right on average.",
    ),
    Exercise(
        level="project",
        question="Write `my_model(input_shape, num_classes)`: a compiled Keras model of your own with at most 50,000 "
        "parameters for pictures of 28x28 and ten classes, whose outputs are probabilities. It moves or turns "
        "pictures in training, as far as digits allow; each `Conv2D` has no bias and no activation and is followed at "
        "once by `BatchNormalization`; a `Dropout` stands between a hidden `Dense` and the last. Then compare it with "
        "the baseline on your own, and count your comparisons.",
        judge=Written(
            look_at_model,
            mistakes=[
                (own(moves=()), "No layer moves or turns the pictures"),
                (own(moves=[("RandomFlip", "horizontal")]), "do not flip"),
                (own(moves=[("RandomRotation", 0.5)]), "Pictures are turned too far"),
                (own(bias=True), "A convolution has a bias"),
                (own(inside="relu"), "The activation is inside the convolution"),
                (own(normalise=False), "not followed by batch normalisation"),
                (own(drop=()), "Nothing is dropped"),
                (own(hidden=100), "more than it may"),
                (own(last="sigmoid"), "do not sum to 1"),
                (own(compiled=False), "not compiled"),
                (own(moves=[("RandomRotation", 0.0)]), "by 0"),
                (own(drop=(0.0,)), "a rate of 0"),
                (own(loss="sparse_categorical_crossentropy"), "`cross_validate` would refuse it"),
                (lambda input_shape, num_classes: own()((28, 28, 1), 10), "use both arguments"),
            ],
        ),
        seconds=60,
        hints=[
            "Take `everything` apart: moves, convolution, batch normalisation, `ReLU`, pooling, dense, dropout, dense.",
            "The hidden dense layer has most of the parameters. How many numbers does it read? A larger pooling, or "
            "one more convolution and pooling, leaves fewer.",
            "After `MaxPooling2D(4)`, 16 maps of 26x26 are 16 of 6x6.",
        ],
        answer="""
import keras


def my_model(input_shape, num_classes):
    layers = [
        keras.Input(input_shape),
        keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant"),
        keras.layers.Conv2D(16, 3, use_bias=False, kernel_initializer="he_uniform"),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.MaxPooling2D(4),
        keras.layers.Flatten(),
        keras.layers.Dense(50, activation="relu", kernel_initializer="he_uniform"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(num_classes, activation="softmax"),
    ]
    network = keras.Sequential(layers)
    network.compile(keras.optimizers.SGD(0.01, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    return network
""",
        because="Whether it is better, `cross_validate` and `compare_models` tell. Each version that you tried on the "
        "way is a comparison of its own, also one that you threw away.",
    ),
]
