"""Exercises of notebook 07_reading_the_results."""

from functools import cache
from itertools import pairwise
from typing import Any

from convtour.exercises.exercise import Exercise
from convtour.exercises.judges import Choice, Function, Value, Written, their_model, theirs
from convtour.exercises.mistakes import WrongError, compare
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def answered(seed: int, pictures: int) -> tuple[Array, Array, Array]:
    """Give the answers of two networks, and the labels; a fifth of each network's answers are drawn anew."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, pictures)
    first, second = (np.where(rng.random(pictures) < 0.2, rng.integers(0, 10, pictures), labels) for _ in range(2))
    return first, second, labels


def only_one_right(first: Array, second: Array, labels: Array) -> int:
    """Count pictures that exactly one of two networks read rightly, one after the other."""
    return sum(int((one == label) != (two == label)) for one, two, label in zip(first, second, labels, strict=True))


def probabilities(seed: int, rows: int, sharpness: float) -> tuple[Array, Array]:
    """Draw labels that follow some probabilities, and the probabilities raised to a power: sharper, or blunter."""
    rng = np.random.default_rng(seed)
    true = rng.dirichlet(np.full(4, 0.6), rows)
    labels = np.array([rng.choice(4, p=row) for row in true])
    powers = true**sharpness
    said = powers / powers.sum(axis=1, keepdims=True)
    said[: rows // 3] = 0.5 * said[: rows // 3] + 0.125  # a third too modest
    return labels, said


def by_bins(labels: Array, said: Array, bins: int) -> tuple[Array, Array, Array]:
    """Give for each bin that has answers their number, their mean confidence and the share that is right."""
    confidence, right = said.max(axis=1), said.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    inside = [(low < confidence) & (confidence <= high) for low, high in pairwise(edges)]
    rows = [(part.sum(), confidence[part].mean(), right[part].mean()) for part in inside if part.any()]
    numbers, means, shares = np.array(rows).T
    return numbers, means, shares


def calibration_error(labels: Array, said: Array, bins: int) -> float:
    """Mean distance of the bins' share right from their mean confidence, each bin with the weight of its answers."""
    numbers, means, shares = by_bins(labels, said, bins)
    return float((numbers * abs(shares - means)).sum() / numbers.sum())


def of_the_middles(labels: Array, said: Array, bins: int) -> float:
    """Take the middle of a bin for the confidence of its answers."""
    numbers, means, shares = by_bins(labels, said, bins)
    middles = (np.ceil(means * bins) - 0.5) / bins
    return float((numbers * abs(shares - middles)).sum() / numbers.sum())


def of_the_true_class(labels: Array, said: Array, bins: int) -> float:
    """Take the probability of the true class for the confidence."""
    sure, right = said[np.arange(len(labels)), labels], said.argmax(axis=1) == labels
    bin_of = np.ceil(sure * bins)
    return float(sum(abs((right - sure)[bin_of == one].sum()) for one in np.unique(bin_of)) / len(labels))


def unweighted(labels: Array, said: Array, bins: int) -> float:
    """Let all bins count alike."""
    _, means, shares = by_bins(labels, said, bins)
    return float(abs(shares - means).mean())


def of_all(labels: Array, said: Array, bins: int) -> float:
    """Use no bins at all."""
    return float(abs(said.max(axis=1).mean() - (said.argmax(axis=1) == labels).mean()))


def dots(*places: tuple[int, int]) -> Array:
    """Draw dots of ink on a picture of 8x8."""
    picture = np.zeros((8, 8, 1), "float32")
    for place in places:
        picture[place] = 1
    return picture


def of_the_open_bin(labels: Array, said: Array, bins: int) -> float:
    """Leave out answers of confidence 1, as bins without their upper end do."""
    sure = said.max(axis=1) == 1
    return calibration_error(labels[~sure], said[~sure], bins) * float((~sure).mean())


def network(side: int, layer: str, weight: float) -> Any:
    """Build a layer between a picture and two outputs, whose weights differ by about this much."""
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((side, side, 1))
    features = getattr(keras.layers, layer)()(inputs)
    outputs = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(inputs, outputs(features))
    each = weight * np.linspace(1, 2, features.shape[-1])
    outputs.set_weights([np.stack([each, 0 * each], axis=1), np.zeros(2)])
    return model


def look_at_blind(answer: Any) -> None:
    """Hold a model to its two promises: ink matters, and no single pixel does."""
    from convtour import occlusion_map

    model = their_model(answer)
    if model.input_shape != (None, 8, 8, 1) or model.output_shape != (None, 2):
        shapes = f"{model.input_shape} and gives {model.output_shape}"
        raise WrongError(f"The model takes {shapes}; pictures of (8, 8, 1) should go in, two numbers come out.")
    for one, other in [((2, 2), (5, 6)), ((0, 0), (7, 7)), ((1, 6), (4, 3))]:
        picture = dots(one, other)
        inked, empty = model.predict_on_batch(np.stack([picture, 0 * picture]))
        if abs(inked.sum() - 1) > 1e-3:
            raise WrongError("Its two outputs do not add up to 1: `softmax` is asked for.")
        where = f"With dots at {one} and {other}: "
        if not abs(inked[0] - empty[0]) >= 0.1:
            raise WrongError(f"{where}it says nearly the same as of an empty picture, so their ink decides nothing.")
        drops = occlusion_map(model, picture, size=1, label=0)
        if abs(drops).max() <= 1e-3:
            continue
        if np.isclose(drops[one], drops[other], atol=1e-4):
            raise WrongError(
                f"{where}covering one changes its answer, and either changes it alike, as if they were added up. With "
                "one dot left, the answer should be what it was."
            )
        raise WrongError(f"{where}covering one changes its answer, the other by another amount: each place counts.")


def shifted(pictures: Array) -> tuple[Array, Array]:
    """Give five copies of each picture, four of them shifted by a pixel, and the row that each comes from."""
    origin = np.repeat(np.arange(len(pictures)), 5)
    moves = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)] * len(pictures)
    copies = [np.roll(pictures[row], move, axis=(0, 1)) for row, move in zip(origin, moves, strict=True)]
    return np.stack(copies), origin


def neighbours(copies: Array, labels: Array, groups: Array | None) -> float:
    """Mean accuracy of the nearest neighbour over three folds, at random or by groups."""
    from sklearn.model_selection import GroupKFold, KFold, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    cv = KFold(3, shuffle=True, random_state=1) if groups is None else GroupKFold(3)
    flat = copies.reshape(len(copies), -1)
    return float(np.mean(cross_val_score(KNeighborsClassifier(1), flat, labels, cv=cv, groups=groups)))


def leak(pictures: Array, digits: Array) -> tuple[float, float]:
    """Accuracy with copies on both sides, and with copies together."""
    copies, origin = shifted(pictures)
    return neighbours(copies, digits[origin], None), neighbours(copies, digits[origin], origin)


def leak_backwards(pictures: Array, digits: Array) -> tuple[float, float]:
    """Return the two in the other order."""
    random, together = leak(pictures, digits)
    return together, random


def leak_twice(pictures: Array, digits: Array) -> tuple[float, float]:
    """Make every copy a group of its own."""
    copies, origin = shifted(pictures)
    return neighbours(copies, digits[origin], None), neighbours(copies, digits[origin], np.arange(len(origin)))


def leak_without_copies(pictures: Array, digits: Array) -> tuple[float, float]:
    """Cross-validate the pictures themselves."""
    return neighbours(pictures, digits, None), neighbours(pictures, digits, np.arange(len(pictures)))


def leak_of_tiled_labels(pictures: Array, digits: Array) -> tuple[float, float]:
    """Put the labels in another order than the copies."""
    copies, origin = shifted(pictures)
    labels = np.tile(digits, 5)
    return neighbours(copies, labels, None), neighbours(copies, labels, origin)


@cache
def two_hundred() -> tuple[Array, Array, tuple[float, float]]:
    """Give the digits that the leak is looked for in, and the two accuracies that are right."""
    from convtour import load_dataset

    x, y, _, _ = load_dataset("sample")
    pictures, digits = x[:200].astype("float32") / 255, y[:200].argmax(axis=1)
    return pictures, digits, leak(pictures, digits)


def look_at_leak(answer: Any) -> None:
    """Compare the two accuracies with the right ones, and name what went wrong by their sizes."""
    pictures, digits, right = two_hundred()
    given = theirs(answer, pictures, digits)
    compare(given, right, tolerance=1e6)  # two numbers at all
    random, together = map(float, given)
    if max(random, together) > 1.5:
        raise WrongError("Shares from 0 to 1 are asked for, not percent.")
    if np.allclose([1 - random, 1 - together], right, atol=0.02):
        raise WrongError("These are the shares of mistakes.")
    if max(random, together) < 0.5:
        raise WrongError("Little better than guessing: does every copy have its own digit's label beside it?")
    if together > random + 0.05:
        raise WrongError("It is the other way round: the accuracy with random folds comes first.")
    if random < 0.9:
        raise WrongError(
            "Random folds find few copies here: are there five of each digit in what is cut into folds, is it "
            "shuffled, and is it the *one* nearest that answers?"
        )
    if together > random - 0.05:
        raise WrongError("In the second number, too, copies of a digit are on both sides: what do the groups say?")
    compare((random, together), right, tolerance=0.017)  # which copies random folds hold out depends on their order
    compare((right[0], together), right, tolerance=0.005)


EXERCISES = [
    Exercise(
        level="recall",
        question="In ten epochs the loss on the pictures trained on has sunk evenly from 2.30 to 1.10. The held-out "
        "loss has sunk with it, to 1.15. What do you try first?",
        judge=Choice(
            [
                ("to stop training earlier", "That is for a held-out loss that rises. This one falls to the end."),
                ("a smaller step", "That is for a loss that jumps up again. This one is even, and would sink slower."),
                ("more epochs, or a larger step", None),
                (
                    "more pictures",
                    "They help where the two losses part. Here both pictures trained on and others are read badly.",
                ),
            ]
        ),
        hints=["Are the two curves at their end?", "Look back at the step of 0.0005."],
        answer='answer = "c"',
        because="Both losses still fall, close together: training has stopped too early, as with the small step.",
    ),
    Exercise(
        level="recall",
        question="The probabilities of a network are warmed with a temperature of 2. What changes?",
        judge=Choice(
            [
                ("how many answers it is surer of than 0.9", None),
                ("its accuracy", "The largest of ten numbers stays the largest when all are raised to one power."),
                ("its confusion matrix", "The matrix counts answers. Does any answer become another digit?"),
                (
                    "which digit comes second",
                    "Raising to a power above 0 keeps the order of all ten, not only of the first.",
                ),
            ]
        ),
        hints=["Take 0.9, 0.08 and 0.02, take their roots, and make them add up to 1."],
        answer='answer = "a"',
        because="The order of the digits stays, so every answer stays; 0.9, 0.08 and 0.02 become 0.69, 0.21 and 0.10.",
    ),
    Exercise(
        question="A network gave each of a thousand answers a probability of 0.99. Fifteen are wrong. By how many "
        "standard errors is that more than is expected of a calibrated network?",
        judge=Value(
            float((15 - 10) / np.sqrt(1000 * 0.99 * 0.01)),
            mistakes=[
                (5.0, "That is the distance in answers. How far does chance move such a count?"),
                (15 / np.sqrt(9.9), "A calibrated network errs as well: take off what it would expect."),
                (5 / 9.9, "Divided by the variance. The standard error is its square root."),
                (5 / np.sqrt(0.0099), "Divided by the standard deviation of a single answer; there are a thousand."),
                (np.sqrt(9.9), "That is the standard error itself. How many of them are the five mistakes too many?"),
                (
                    5 / np.sqrt(1000 * 0.985 * 0.015),
                    "Take the probability that it claims, not the share that was right.",
                ),
            ],
            tolerance=0.02,
        ),
        hints=[
            "How many mistakes does a network expect that is right with probability 0.99?",
            "The variance of the number of mistakes is m · p · (1 - p).",
        ],
        answer="import numpy as np\n\nanswer = (15 - 1000 * 0.01) / np.sqrt(1000 * 0.99 * 0.01)",
        because="10 are expected, give or take √9.9 = 3.1, so 15 is 1.6 standard errors above: too few to call it "
        "overconfident.",
    ),
    Exercise(
        question="Two networks answered the same pictures. Write `only_one_right(first, second, labels)`: of their "
        "answers and the true digits, each an array of n whole numbers, it counts the pictures that exactly one of the "
        "two reads rightly.",
        judge=Function(
            only_one_right,
            [answered(5, 10), answered(2, 200), answered(3, 1000)],
            mistakes=[
                (
                    lambda first, second, labels: int((first != second).sum()),
                    "Two different answers may both be wrong; such a picture does not count.",
                ),
                (
                    lambda first, second, labels: int(((first != labels) | (second != labels)).sum()),
                    "Pictures that both read wrongly are counted too.",
                ),
                (
                    lambda first, second, labels: int((first != labels).sum() + (second != labels).sum()),
                    "Pictures that both read wrongly are counted twice.",
                ),
                (
                    lambda first, second, labels: abs(int((first == labels).sum() - (second == labels).sum())),
                    "That is how far the two are apart in all: what one gains and the other loses cancels.",
                ),
                (
                    lambda first, second, labels: int(((first == labels) | (second == labels)).sum()),
                    "Pictures that both read rightly are counted too. (Between True and False, `+` means *or*.)",
                ),
                (
                    lambda first, second, labels: int(((first == labels) & (second != labels)).sum()),
                    "Only those are counted that the first network alone reads rightly.",
                ),
                (
                    lambda first, second, labels: float(((first == labels) != (second == labels)).mean()),
                    "That is their share. A number of pictures is asked for.",
                ),
            ],
        ),
        hints=[
            "Make an array of True and False for each network: is it right?",
            "Where do these two arrays differ?",
        ],
        answer="def only_one_right(first, second, labels):\n    return ((first == labels) != (second == labels)).sum()",
        because="Only these pictures can make a difference between two scores; of the others both got the same.",
    ),
    Exercise(
        question="Write `calibration_error(labels, probabilities, bins)`: the expected calibration error, from 0 to 1, "
        "for bins of equal width. `labels` are n whole numbers, `probabilities` n rows that add up to 1.",
        judge=Function(
            calibration_error,
            [
                (*probabilities(1, 300, 2.0), 5),
                (*probabilities(2, 400, 0.5), 10),
                (*probabilities(3, 50, 2.0), 20),
                (np.array([1, 1, 0, 1]), np.array([[1, 0], [1, 0], [1, 0], [0.35, 0.65]]), 5),
            ],
            mistakes=[
                (unweighted, "All bins count alike here. Give each the weight of its answers."),
                (of_all, "There are no bins in it: too sure in one place and too modest in another cancel."),
                (of_the_open_bin, "Answers of confidence 1 are in no bin here: the last one holds its upper end, too."),
                (of_the_middles, "Compare with the mean confidence of a bin's answers, not with the bin's middle."),
                (
                    of_the_true_class,
                    "The confidence of an answer is the largest number of its row, be the answer right or wrong.",
                ),
            ],
            tolerance=1e-6,
        ),
        hints=[
            "You need each answer's confidence, whether it is right, and its bin: `(confidence * bins).astype(int)`, "
            "but 1 belongs into the last.",
            "A bin may have no answers; it adds nothing.",
            "Weight times distance of a bin: the absolute sum of `right - confidence` over its answers, divided by n.",
        ],
        answer="""
import numpy as np


def calibration_error(labels, probabilities, bins):
    confidence = probabilities.max(axis=1)
    off = (probabilities.argmax(axis=1) == labels) - confidence
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    return sum(abs(off[bin_of == number].sum()) for number in range(bins)) / len(labels)
""",
        because="It grows with the number of bins, since chance moves the share right of a few answers: 500 answers of "
        "a calibrated network, their confidences spread evenly from 0.5 to 1, make about 0.025 with 5 bins, about 0.07 "
        "with 50. Compare only errors of the same bins.",
    ),
    Exercise(
        question="A shop has the sales of every day of three years. A network is to predict those of next month. Which "
        "days are held out?",
        judge=Choice(
            [
                (
                    "random ones: `KFold` with `shuffle=True`",
                    "The days before and after each of them would be known. Which neighbours of next month's days are?",
                ),
                (
                    "all of one weekday together: `GroupKFold`",
                    "Then Mondays are predicted without any Monday. Next month's weekdays have all been seen.",
                ),
                (
                    "some of each month: `StratifiedKFold`",
                    "Each fold has its share of every month then, and past and future stay mixed.",
                ),
                ("later ones than all that is trained on: `TimeSeriesSplit`", None),
            ]
        ),
        hints=["What will be new when the network is used?"],
        answer='answer = "d"',
        because="New will be what comes later, so that is what must be held out. For X-rays it is the patient, for "
        "sentences the author: `GroupKFold`, or `StratifiedGroupKFold` if a class is rare.",
    ),
    Exercise(
        question="Can a picture's ink decide, and its occlusion map be 0 everywhere? Write `blind()`, which returns a "
        "`keras.Model` from (8, 8, 1) to two outputs, by softmax. For *every* picture with two dots, pixels of 1 on "
        "0, the first output must differ from that for an empty picture by 0.1 or more, and `occlusion_map(..., "
        "size=1)` must be 0 at every pixel.",
        judge=Written(
            look_at_blind,
            mistakes=[
                (lambda: network(8, "Flatten", 2.0), "the other by another amount"),
                (lambda: network(8, "GlobalAveragePooling2D", 60.0), "as if they were added up"),
                (lambda: network(8, "GlobalMaxPooling2D", 0.01), "their ink decides nothing"),
                (lambda: network(28, "GlobalMaxPooling2D", 3.0), "(None, 28, 28, 1)"),
                (lambda: "GlobalMaxPooling2D", "gave something of type str"),
            ],
        ),
        hints=[
            "The two dots must stand in for each other: with either alone, the answer is the same.",
            "Which pooling gives the same for one dot as for two?",
            'After `GlobalMaxPooling2D` put `Dense(2, activation="softmax")`; `set_weights` gives it weights.',
        ],
        answer="""
import keras
import numpy as np


def blind():
    inputs = keras.Input((8, 8, 1))
    darkest = keras.layers.GlobalMaxPooling2D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(darkest))
    model.layers[-1].set_weights([np.array([[3.0, 0.0]]), np.zeros(2)])
    return model
""",
        because="In the solution the largest value stays 1 as long as one dot is there. Both dots together decide, "
        "0.95 with them and 0.50 without, and the map shows neither.",
        seconds=60,
    ),
    Exercise(
        level="project",
        question="Does a leak need a network? `KNeighborsClassifier(1)` of scikit-learn answers with the label of the "
        "most similar picture that it knows; a picture is a row of numbers to it. Write `leak(pictures, digits)`, for "
        "pictures of shape (n, 28, 28, 1) and n whole numbers: make the five copies of each, as above, and return two "
        "mean accuracies, 0 to 1, by `cross_val_score`: with `KFold(3, shuffle=True, random_state=1)`, then with "
        "`GroupKFold(3)`, copies together. It is called with 200 digits.",
        judge=Written(
            look_at_leak,
            mistakes=[
                (leak_backwards, "the other way round"),
                (leak_twice, "copies of a digit are on both sides"),
                (leak_without_copies, "are there five of each digit"),
                (leak_of_tiled_labels, "its own digit's label"),
                (lambda pictures, digits: tuple(100 * share for share in leak(pictures, digits)), "not percent"),
            ],
        ),
        hints=[
            "The copies and `origin` are made in the last part of the page.",
            "`cross_val_score(KNeighborsClassifier(1), rows, labels, cv=..., groups=...)`.",
            "The labels of the copies are `digits[origin]`, and `origin` is also their group.",
        ],
        answer="""
import numpy as np
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier


def leak(pictures, digits):
    origin = np.repeat(np.arange(len(pictures)), 5)
    moves = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)] * len(pictures)
    copies = [np.roll(pictures[row], move, axis=(0, 1)).ravel() for row, move in zip(origin, moves)]
    nearest, labels = KNeighborsClassifier(1), digits[origin]
    random = cross_val_score(nearest, copies, labels, cv=KFold(3, shuffle=True, random_state=1))
    together = cross_val_score(nearest, copies, labels, cv=GroupKFold(3), groups=origin)
    return random.mean(), together.mean()
""",
        because="0.97 with random folds, 0.71 with copies together: the most similar picture is mostly a copy. "
        "Whatever can remember is flattered by such a leak.",
        seconds=60,
    ),
]
