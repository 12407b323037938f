"""Exercises of notebook 06."""

from collections.abc import Callable
from typing import Any

from convtour.exercises.exercise import Exercise
from convtour.exercises.judges import Choice, Function, Value, Written, layers_of, their_model
from convtour.exercises.mistakes import WrongError
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Folds = list[tuple[Array, Array]]
ModelFunction = Callable[[tuple[int, ...], int], Any]
BUDGET, ASKED = 30_000, 75

# Labels and answers


def answers(seed: int, samples: int, classes: int) -> tuple[Array, Array]:
    """Draw one-hot labels, and probabilities that lean towards them."""
    rng = np.random.default_rng(seed)
    labels = np.eye(classes)[rng.integers(classes, size=samples)]
    weights = rng.random((samples, classes)) + labels / 3
    return labels, weights / weights.sum(axis=1, keepdims=True)


def cross_entropy(labels: Array, probabilities: Array) -> float:
    """Ask Keras."""
    import keras

    losses = keras.losses.categorical_crossentropy(labels.astype("float32"), probabilities.astype("float32"))
    return float(np.mean(keras.ops.convert_to_numpy(losses)))


# Two runs over the same pictures


def runs(seed: int, samples: int) -> tuple[Array, Array]:
    """Draw which pictures two runs read rightly: some are hard for both."""
    rng = np.random.default_rng(seed)
    hard = rng.random(samples) < 0.1
    first, second = (rng.random(samples) > np.where(hard, chance, 0.02) for chance in (0.6, 0.5))
    return first, second


def paired_error(right_a: Array, right_b: Array) -> float:
    """Return what one difference in counts varies by, from its variance per picture."""
    difference = right_a.astype(float) - right_b.astype(float)
    return float(100 * np.sqrt(np.mean(difference**2) / len(difference)))


# A leak


def noise(seed: int) -> tuple[Array, Array, Folds]:
    """Draw 1,000 columns of noise, tossed labels, and five folds of the 100 rows."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(100, 1000)), rng.integers(2, size=100)
    parts = np.array_split(rng.permutation(100), 5)
    return x, y, [(np.setdiff1d(np.arange(100), part), part) for part in parts]


def choose(x: Array, y: Array) -> Array:
    """Return the 20 columns in which the two classes differ most."""
    from sklearn.feature_selection import f_classif

    return np.argsort(f_classif(x, y)[0])[-20:]


def score(x_train: Array, y_train: Array, x_held_out: Array, y_held_out: Array) -> float:
    """Train on one part, return the accuracy on the other."""
    from sklearn.neighbors import NearestCentroid

    return float(NearestCentroid().fit(x_train, y_train).score(x_held_out, y_held_out))


def by_pipeline(x: Array, y: Array, folds: Folds, choose: Any, score: Any) -> Array:
    """Let scikit-learn choose and train within each fold."""
    from sklearn.feature_selection import SelectKBest
    from sklearn.model_selection import cross_val_score
    from sklearn.neighbors import NearestCentroid
    from sklearn.pipeline import make_pipeline

    return np.asarray(cross_val_score(make_pipeline(SelectKBest(k=20), NearestCentroid()), x, y, cv=folds))


def chosen_on(rows: Callable[[Array, Array], Array]) -> Callable[..., list[float]]:
    """Evaluate with columns chosen on some rows of each fold, given its two parts."""

    def evaluate(x: Array, y: Array, folds: Folds, choose: Any, score: Any) -> list[float]:
        scores = []
        for train, held_out in folds:
            columns = choose(x[rows(train, held_out)], y[rows(train, held_out)])
            scores.append(score(x[train][:, columns], y[train], x[held_out][:, columns], y[held_out]))
        return scores

    return evaluate


def first_fold_only(x: Array, y: Array, folds: Folds, choose: Any, score: Any) -> list[float]:
    """Choose once, by the rows that the first fold trains on."""
    columns = choose(x[folds[0][0]], y[folds[0][0]])
    return [score(x[a][:, columns], y[a], x[b][:, columns], y[b]) for a, b in folds]


def on_trained_rows(x: Array, y: Array, folds: Folds, choose: Any, score: Any) -> list[float]:
    """Choose rightly, evaluate on the rows trained on."""
    return [score(x[a][:, c], y[a], x[a][:, c], y[a]) for a, _ in folds for c in [choose(x[a], y[a])]]


def without_choice(x: Array, y: Array, folds: Folds, choose: Any, score: Any) -> list[float]:
    """Keep all columns."""
    return [score(x[a], y[a], x[b], y[b]) for a, b in folds]


def exchanged(x: Array, y: Array, folds: Folds, choose: Any, score: Any) -> list[float]:
    """Do all of it with the parts exchanged."""
    return chosen_on(lambda train, held_out: train)(x, y, [(b, a) for a, b in folds], choose, score)


# A model within a budget


def variant(
    *,
    flatten: bool = True,
    last: str = "softmax",
    loss: str = "categorical_crossentropy",
    learning_rate: float = 0.01,
    compiled: bool = True,
    classes: int | None = None,
    convolution: bool = True,
) -> ModelFunction:
    """Return a function that makes a small network, with one thing changed."""

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> Any:
        import keras

        layers = [keras.Input(input_shape), *([keras.layers.Conv2D(8, 3, activation="relu")] if convolution else [])]
        layers += [keras.layers.MaxPooling2D(4)]
        layers += [keras.layers.Flatten()] if flatten else []
        model = keras.Sequential([*layers, keras.layers.Dense(classes or num_classes, activation=last)])
        if compiled:
            model.compile(keras.optimizers.SGD(learning_rate), loss, metrics=["accuracy"])
        return model

    return model_fn


def baseline(input_shape: tuple[int, ...], num_classes: int) -> Any:
    """Make the network of the page."""
    from convtour import define_model

    return define_model(input_shape, num_classes)


def made_once() -> ModelFunction:
    """Return a function that hands out one and the same model."""
    made: list[Any] = []

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> Any:
        made.extend([] if made else [variant()(input_shape, num_classes)])
        return made[0]

    return model_fn


def look_at_model(model_fn: Any) -> None:
    """Look at shapes, parameters, outputs and loss; then train a little."""
    from convtour import load_dataset, prep_pixels
    import keras

    keras.utils.set_random_seed(1)
    model = their_model(model_fn, (28, 28, 1), 10)
    look_at_shapes(model)
    if not any(isinstance(layer, keras.layers.Conv2D) for layer in layers_of(model)):
        raise WrongError("There is no `Conv2D` among the layers, and what it finds is what this page is about.")
    other = their_model(model_fn, (28, 28, 1), 4)
    if other is model:
        raise WrongError(
            "The second call returns the same model: the next fold would go on with what this one learned."
        )
    if other.output_shape[-1] != 4:
        raise WrongError("Asked for 4 classes, it still has another number of outputs: `num_classes` is not used.")
    raw, y, _, _ = load_dataset("sample")
    x, _ = prep_pixels(raw[:3000], raw[:1])
    look_at_loss(model, x[:100], y[:100])
    try:
        history = model.fit(x[:2000], y[:2000], epochs=2, batch_size=32, verbose=0).history
    except Exception as error:
        raise WrongError(f"Training stopped: {type(error).__name__}: {str(error)[:300]}") from None
    if "accuracy" not in history:
        raise WrongError('It does not report its accuracy, which `cross_validate` asks for: `metrics=["accuracy"]`.')
    if not np.isfinite(history["loss"][-1]):
        raise WrongError("The loss is no longer a number: the steps of the optimizer are too large.")
    said = keras.ops.convert_to_numpy(model(x[2000:], training=False)).argmax(axis=1)
    accuracy = 100 * np.mean(said == y[2000:3000].argmax(axis=1))
    if accuracy < ASKED:
        raise WrongError(
            f"It learns too little: after two epochs it reads {accuracy:.0f} % of 1,000 others rightly. Look at the "
            "steps of the optimizer, at the activations between the layers, and at how much the pooling leaves."
        )


def look_at_shapes(model: Any) -> None:
    """Hold a model to its shapes and its budget."""
    shapes = tuple(model.input_shape), tuple(model.output_shape)
    if shapes[0] != (None, 28, 28, 1):
        raise WrongError(f"It takes inputs of shape {shapes[0]}, not the `input_shape` that it was called with.")
    if len(shapes[1]) > 2:
        raise WrongError(
            f"Its output has shape {shapes[1]}: rows and columns are still there, an answer at each place."
        )
    if shapes[1] != (None, 10):
        raise WrongError(f"Its output has shape {shapes[1]}: an answer has one number for each class.")
    if (count := model.count_params()) > BUDGET:
        raise WrongError(
            f"It has {count:,} parameters, {count - BUDGET:,} over the budget. "
            "Which layer has most, and what does it read?"
        )
    if not model.compiled:
        raise WrongError("It is not compiled: training needs an optimizer and a loss.")


def look_at_loss(model: Any, x: Array, y: Array) -> None:
    """Hold what a model says to probabilities, and its loss to their cross-entropy."""
    import keras

    said = model(x, training=False)
    probabilities = keras.ops.convert_to_numpy(said)
    total = probabilities.sum(axis=1)
    if probabilities.min() < 0 or abs(total - 1).max() > 0.001:
        raise WrongError(
            f"Its ten outputs for one picture add up to {total[0]:.2f}, so they are no probabilities. Look at the "
            "activation of the last layer."
        )
    try:
        loss = float(model.compute_loss(x=x, y=keras.ops.convert_to_tensor(y), y_pred=said)) - float(sum(model.losses))
    except Exception:
        raise WrongError("The loss cannot be computed from ten probabilities and one-hot labels.") from None
    if abs(loss - cross_entropy(y, probabilities)) > 0.01:
        raise WrongError("The loss is not minus the logarithm of the probability given to the right digit.")


EXERCISES = [
    Exercise(
        level="recall",
        question="In the page's network, let the kernel be 5x5 instead of 3x3. How many parameters does the dense "
        "layer of 100 units then have?",
        judge=Value(
            460_900,
            mistakes=[
                (540_900, "That is the layer behind a kernel of 3. A larger window has fewer places."),
                (460_800, "Those are the weights. Each unit has a bias too."),
                (627_300, "The window stays within the picture: the maps are smaller than the picture."),
                (1_843_300, "The pooling is forgotten: it halves rows and columns."),
                (14_500, "The pooling leaves 32 maps, not one; a unit reads them all."),
                (3_300, "Without `Flatten` a unit would read the 32 maps at one place only."),
                (832, "Those are the parameters of the convolution. Asked for is the dense layer of 100."),
                (462_742, "That is the whole network. Asked for is its dense layer of 100."),
                (4_608, "That is what one unit reads. How many weights does that make, for all units?"),
            ],
        ),
        hints=[
            "How many places has a window of 5 on 28 pixels? What does pooling leave?",
            "Rows times columns times maps is what one unit reads; then its bias; then 100 units.",
        ],
        answer="places = (28 - 5 + 1) // 2\nanswer = (places * places * 32 + 1) * 100",
        because="24 places each way, 12 after pooling: 12 · 12 · 32 = 4,608 numbers for each of 100 units, and a bias. "
        "The larger kernel makes the network smaller, since most parameters are not in the convolution.",
    ),
    Exercise(
        level="recall",
        question="Somebody forgot `prep_pixels`. After two epochs the loss on the pictures *trained on* is 2.30, and "
        "11 % of the held-out pictures are read rightly. What does this network answer?",
        judge=Choice(
            [
                ("It knows the pictures trained on, and no others.", "Then the loss on these would be close to 0."),
                (
                    "A 1 for every picture, and it is nearly sure of it.",
                    "Then most pictures would give their right digit a probability near 0, and the loss would be huge.",
                ),
                ("To every picture about the same: ten probabilities, none near 1.", None),
                (
                    "To every picture another digit, sure of it and mostly wrong.",
                    "Sure and wrong is what the loss punishes most. Compare it with that of an even spread.",
                ),
            ]
        ),
        hints=[
            "What was the loss of an even spread over ten digits?",
            "What accuracy has a program that always gives the same answer?",
        ],
        answer='answer = "c"',
        because="2.30 is minus the logarithm of a tenth: an even spread. 11 % is what always giving one digit earns. "
        "Of the 100 dense units of two such networks 2 and 0 still gave more than 0 for any held-out picture; a unit "
        "that always gives 0 passes nothing on, and learns nothing more.",
    ),
    Exercise(
        level="recall",
        question="After five epochs there were 339 mistakes on the held-out pictures, whose losses had a mean of 2.70. "
        "After ten there were 291, with a mean of 3.24. What follows?",
        judge=Choice(
            [
                (
                    "The network overfits, so its accuracy on held-out pictures fell.",
                    "Fewer mistakes are a higher accuracy.",
                ),
                (
                    "The right answers became less sure.",
                    "All four numbers are of mistakes. They say nothing about the right answers.",
                ),
                (
                    "The loss of all mistakes together fell, as there are fewer of them.",
                    "Multiply before you compare: their sum is the count times the mean.",
                ),
                ("There are fewer mistakes, but on average one of them costs more loss.", None),
            ]
        ),
        hints=["What does accuracy count, and what does the loss ask?", "Count times mean is a sum. Compare the two."],
        answer='answer = "d"',
        because="339 · 2.70 = 915 and 291 · 3.24 = 943: fewer mistakes, whose losses add up to more. The "
        "accuracy rose, and so did the mistakes' part of the loss.",
    ),
    Exercise(
        level="apply",
        question="Write `mean_loss(labels, probabilities)`, the categorical cross-entropy of one-hot labels and "
        "probabilities, both arrays of shape `(pictures, classes)`: one number.",
        judge=Function(
            cross_entropy,
            [answers(1, 6, 10), answers(2, 40, 10), answers(3, 5, 3)],
            [
                (lambda t, p: -np.sum(t * np.log(p)), "This is a sum over the pictures. It grows with their number."),
                (
                    lambda t, p: -np.mean(t * np.log(p)),
                    "The zeros of the labels are averaged too: divide by the pictures, not by all entries.",
                ),
                (
                    lambda t, p: -np.mean(np.log(p.max(axis=1))),
                    "This takes the probability of the network's first guess. Look up that of the right digit.",
                ),
                (
                    lambda t, p: -np.log(np.mean((t * p).sum(axis=1))),
                    "The mean comes before the logarithm here. Each picture has a loss of its own.",
                ),
                (
                    lambda t, p: 1 - np.mean((t * p).sum(axis=1)),
                    "The logarithm is missing: sure and wrong should cost far more than 1.",
                ),
                (lambda t, p: -np.mean((t * np.log2(p)).sum(axis=1)), "The logarithm is the natural one, `np.log`."),
                (lambda t, p: -np.mean((t * np.log10(p)).sum(axis=1)), "This logarithm is to the base 10: `np.log`."),
                (
                    lambda t, p: np.mean(t.argmax(axis=1) == p.argmax(axis=1)),
                    "This is the accuracy, which asks only for the first guess.",
                ),
            ],
            tolerance=1e-4,
        ),
        hints=[
            "Multiplied by a one-hot row and added up, ten probabilities leave that of the right digit.",
            "Per picture: minus the logarithm of that. Then the mean.",
        ],
        answer="import numpy as np\n\n\ndef mean_loss(labels, probabilities):\n"
        '    """Return the categorical cross-entropy."""\n'
        "    of_the_right = (labels * probabilities).sum(axis=1)\n"
        "    return -np.log(of_the_right).mean()",
        because="A one-hot label picks one probability from each row. Keras gives the same for the hidden cases.",
        seconds=60,  # Keras may have to be loaded first
    ),
    Exercise(
        level="apply",
        question="A recipe reads about 98 % of its pictures rightly. How many independent pictures must be held out "
        "for a binomial standard error of a tenth of a point?",
        judge=Value(
            19_600,
            mistakes=[
                (196, "This is for a whole point, ten times the error asked for."),
                (1.96, "A point is a hundredth: write both the accuracy and the error as shares of 1."),
                (19.6, "The error stands outside the root. To bring it inside, it must be squared."),
                (
                    140,
                    "The root of $p\\,(1-p)$ was divided by the error. The number of pictures is under the root too.",
                ),
                (20_000, "Only one factor is there, or it is rounded: the variance is $p$ times $1-p$."),
                (78_400, "This is for *two* standard errors in a tenth of a point."),
            ],
            tolerance=1,
        ),
        hints=["Set the formula equal to 0.001 and solve it for $m$.", "$m = p\\,(1-p)$ divided by the squared error."],
        answer="p, error = 0.98, 0.001\nanswer = p * (1 - p) / error**2",
        because="0.98 · 0.02 / 0.001² = 19,600. Half the error costs four times the pictures.",
    ),
    Exercise(
        level="apply",
        question="Two runs read the same pictures. `right_a` and `right_b` are arrays of `True` and `False`: was the "
        "picture read rightly? Write `paired_error(right_a, right_b)`, the paired standard error of the difference of "
        "their accuracies, in points. As on the page, take each disagreement for a fair toss.",
        judge=Function(
            paired_error,
            [runs(1, 8000), runs(2, 500), runs(3, 60)],
            [
                (
                    lambda a, b: 100 * np.sqrt((a.var() + b.var()) / len(a)),
                    "This is for independent runs. A picture that both read alike cannot make a difference.",
                ),
                (
                    lambda a, b: 100 * np.sqrt(abs(int(a.sum()) - int(b.sum()))) / len(a),
                    "Lost and gained pictures cancel here. They are tosses all the same: each adds a variance of 1.",
                ),
                (
                    lambda a, b: 100 * np.mean(a != b),
                    "This is how often they disagree. A variance adds up; the standard error is its root.",
                ),
                (
                    lambda a, b: 100 * np.sqrt(np.mean(a != b)),
                    "The number of pictures stands under the root. Take the root first, then divide.",
                ),
                (
                    lambda a, b: 100 * np.sqrt((~a | ~b).sum()) / len(a),
                    "Pictures that both read wrongly are counted. They make no difference.",
                ),
                (
                    lambda a, b: np.sqrt((a != b).sum()),
                    "This is in pictures. Divide by how many there are; then points.",
                ),
                (
                    lambda a, b: 100 * np.std(a.astype(float) - b) / np.sqrt(len(a)),
                    "This takes the mean difference off first. Fair tosses have mean 0: leave it in.",
                ),
                (
                    lambda a, b: 100 * np.std(a.astype(float) - b, ddof=1) / np.sqrt(len(a)),
                    "This is the spread about the mean difference. A fair toss has mean 0: its square is always 1.",
                ),
            ],
            tolerance=1e-6,
        ),
        hints=[
            "Which pictures can make a difference? Count them.",
            "Each is a toss of +1 or −1, with variance 1. What is the standard deviation of their sum?",
        ],
        answer="import numpy as np\n\n\ndef paired_error(right_a, right_b):\n"
        '    """Return the paired standard error, in points."""\n'
        "    disagree = (right_a != right_b).sum()\n"
        "    return 100 * np.sqrt(disagree) / len(right_a)",
        because="Each disagreement adds a variance of 1 to the difference in pictures; the root of their number, "
        "divided by all pictures, is the standard error of the difference in shares.",
    ),
    Exercise(
        level="apply",
        question="""A leak. `x` is noise, 100 rows of 1,000 columns, and the labels `y` are tossed like coins: in the
long run nothing beats a half. Yet this reports a mean accuracy of 88 %:

```python
def evaluate(x, y, folds, choose, score):
    columns = choose(x, y)
    scores = []
    for train, held_out in folds:
        scores.append(score(x[train][:, columns], y[train], x[held_out][:, columns], y[held_out]))
    return scores
```

`choose(x, y)` returns the 20 columns in which the two classes differ most; `score` trains on its first two arguments
and returns the accuracy on the other two. Write `evaluate` without the leak.""",
        judge=Function(
            by_pipeline,
            [(*noise(seed), choose, score) for seed in (1, 2)],
            [
                (
                    chosen_on(lambda train, held_out: np.sort(np.concatenate([train, held_out]))),
                    "The leak is still there: the columns were chosen with the held-out labels in view.",
                ),
                (
                    chosen_on(lambda train, held_out: held_out),
                    "The columns are chosen by the held-out rows themselves: now *only* these decide.",
                ),
                (
                    first_fold_only,
                    "The columns are chosen once, by rows of which the other folds hold some out.",
                ),
                (on_trained_rows, "The choice is clean, but the accuracy is that on the rows trained on."),
                (
                    without_choice,
                    "The leak is gone, and the choice too. Choosing is part of the recipe: put it where it may be.",
                ),
                (exchanged, "The two parts have changed places: this trains on the held-out rows."),
                (
                    lambda x, y, folds, choose, score: chosen_on(lambda a, b: a)(x, y, folds[:1], choose, score),
                    "There is one score only. Does `return` stand inside the loop?",
                ),
                (
                    lambda x, y, folds, choose, score: float(np.mean(by_pipeline(x, y, folds, choose, score))),
                    "This is the mean. Asked for is a list with a score for each fold.",
                ),
            ],
            tolerance=1e-6,
        ),
        hints=[
            "Which rows have a say in the choice of the columns? Which of them are held out later?",
            "Choosing is part of training: it belongs inside the loop.",
        ],
        answer="def evaluate(x, y, folds, choose, score):\n"
        '    """Return a score for each fold; nothing is learned from held-out rows."""\n'
        "    scores = []\n    for train, held_out in folds:\n"
        "        columns = choose(x[train], y[train])\n"
        "        scores.append(score(x[train][:, columns], y[train], x[held_out][:, columns], y[held_out]))\n"
        "    return scores",
        because="Among 1,000 columns of noise some go with the labels by chance, those of the held-out rows included. "
        "Chosen on the rows trained on alone, they score 55 and 42 % in the two hidden cases, where the "
        "leak makes it 88 and 85 %. What learns from labels is part of training.",
        seconds=60,  # scikit-learn may have to be loaded first
    ),
    Exercise(
        level="project",
        question="The baseline has 542,230 parameters. Write `model_fn(input_shape, num_classes)`, which returns a "
        "new compiled model like `define_model` does, with a convolution, the same loss and metric, but at most "
        "30,000. It is trained for two epochs on 2,000 pictures, and must then read 75 % of 1,000 others rightly. "
        "(Takes some seconds.)",
        judge=Written(
            look_at_model,
            [
                (variant(flatten=False), "rows and columns are still there"),
                (baseline, "over the budget"),
                (variant(last="sigmoid"), "so they are no probabilities"),
                (variant(loss="mean_squared_error"), "The loss is not minus the logarithm"),
                (variant(loss="sparse_categorical_crossentropy"), "The loss cannot be computed"),
                (variant(compiled=False), "It is not compiled"),
                (variant(classes=10), "`num_classes` is not used"),
                (made_once(), "returns the same model"),
                (variant(convolution=False), "There is no `Conv2D` among the layers"),
                (variant(learning_rate=1e-5), "It learns too little"),
            ],
        ),
        hints=[
            "Nearly all parameters are in one dense layer. They are what it reads, times its units.",
            "A second convolution and pooling leave 5x5 places; or take fewer kernels, and fewer units.",
            "Two convolutions of 8 and 16 kernels, each followed by pooling, then 64 units, make 27,562 parameters.",
        ],
        answer="""import keras


def model_fn(input_shape, num_classes):
    \"\"\"Return a new small model, compiled.\"\"\"
    relu = {"activation": "relu", "kernel_initializer": "he_uniform"}
    layers = [keras.Input(input_shape)]
    for kernels in (8, 16):
        layers += [keras.layers.Conv2D(kernels, 3, **relu), keras.layers.MaxPooling2D(2)]
    layers += [keras.layers.Flatten(), keras.layers.Dense(64, **relu)]
    model = keras.Sequential([*layers, keras.layers.Dense(num_classes, activation="softmax")])
    descent = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
    model.compile(descent, "categorical_crossentropy", metrics=["accuracy"])
    return model""",
        because="In the solution a second pooling leaves 5 · 5 · 16 = 400 numbers to read where the baseline has "
        "5,408; that is where its parameters were. Whether the small network is as good after ten epochs, "
        "`cross_validate(..., model_fn=model_fn)` tells, on the same folds.",
        seconds=60,
    ),
]
