"""What does not fit is said before any training: samples, folds, the model."""

import inspect
from typing import TYPE_CHECKING, Any

from convtour._checks import brief, finite_numbers, one_hot_rows, whole
from convtour.evaluation.state import Array, ModelFunction, Rows
import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, check_cv

if TYPE_CHECKING:
    import keras

Splitter = int | Any  # or what scikit-learn calls a splitter, or pairs of row numbers


def check_samples(x_name: str, data_x: npt.ArrayLike, y_name: str, data_y: npt.ArrayLike) -> tuple[Array, Array]:
    """Return both as arrays of numbers that belong together, or say why they do not."""
    x, y = finite_numbers(x_name, data_x), finite_numbers(y_name, data_y)
    if x.ndim < 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(
            f"{x_name} has shape {x.shape} and {y_name} {y.shape}; expected (n, ...) and (n, num_classes) with the "
            "same n. Whole-number labels become one-hot with keras.utils.to_categorical(labels)."
        )
    one_hot = one_hot_rows(y)
    if y.shape[1] < 2 or not one_hot.all():
        wrong = f"; row {one_hot.argmin()} is {brief(y[one_hot.argmin()].tolist())}" if not one_hot.all() else ""
        raise ValueError(
            f"{y_name} of shape {y.shape} is not one-hot{wrong}. Expected at least 2 columns and, in every row, a "
            "single 1 among zeros. Whole-number labels become one-hot with keras.utils.to_categorical(labels)."
        )
    return x, y


def check_folds(name: str, n_folds: object, n_samples: int) -> int:
    """Return a number of folds that so many samples can be cut into."""
    number = whole(name, n_folds, at_least=2)
    if number > n_samples:
        raise ValueError(f"{name}={number}, but there are only {n_samples} samples; each fold needs at least one.")
    return number


def shuffled_folds(n_folds: int) -> KFold:
    """The article's way to cut samples into folds: always the same for the same number of samples."""
    return KFold(n_folds, shuffle=True, random_state=1)


def split(cv: Splitter, x: Array, y: Array, groups: npt.ArrayLike | None) -> list[tuple[Rows, Rows]]:
    """Cut the samples into what is trained on and what is held out, for each fold."""
    try:
        shape = None if groups is None else np.shape(groups)
    except ValueError:
        shape = ()  # ragged
    if shape not in (None, (len(x),)):
        raise ValueError(f"groups has shape {shape}; expected ({len(x)},), the group of each sample.")
    given = brief(repr(cv))
    if isinstance(cv, (int, np.integer, float)) or (isinstance(cv, np.ndarray) and cv.ndim == 0):
        splitter = shuffled_folds(check_folds("cv", cv, len(x)))
    else:
        try:
            splitter = check_cv("none" if cv is None else cv)
        except ValueError:
            raise ValueError(
                f"cv={given}: expected a number of folds, a splitter of scikit-learn, or pairs of row numbers."
            ) from None
    try:
        pairs = list(splitter.split(x, y.argmax(axis=1), groups))
    except (TypeError, ValueError) as error:
        raise ValueError(f"cv={given} cannot cut these samples: {brief(error)}") from error
    if not pairs:
        raise ValueError(f"cv={given} gives no folds; expected at least one.")
    return [_check_pair(fold, pair, len(x)) for fold, pair in enumerate(pairs, 1)]


def _check_pair(fold: int, pair: Any, n_samples: int) -> tuple[Rows, Rows]:
    try:
        train, held_out = (np.asarray(rows) for rows in pair)
    except (TypeError, ValueError):
        raise ValueError(f"cv: fold {fold} is {brief(repr(pair))}; expected two arrays of row numbers.") from None
    for what, rows in (("train on", train), ("hold out", held_out)):
        if rows.ndim != 1 or rows.dtype.kind not in "iu" or not len(rows):
            raise ValueError(f"cv: what fold {fold} should {what} is {brief(repr(rows))}; expected row numbers.")
        if rows.min() < 0 or rows.max() >= n_samples:
            raise ValueError(f"cv: fold {fold} names row {rows.min()} to {rows.max()}; there are 0 to {n_samples - 1}.")
    if both := set(train.tolist()) & set(held_out.tolist()):
        raise ValueError(
            f"cv: fold {fold} trains on {len(both)} of the samples that it holds out, row {min(both)} among them."
        )
    return train.astype(np.intp, copy=False), held_out.astype(np.intp, copy=False)


def check_model(model_fn: ModelFunction, seed: int, x: Array, y: Array) -> "keras.Model":
    """Build a model and try it on a few samples, so that what does not fit is said before any training."""
    from convtour.evaluation.training import own_random, trains_many_steps
    import keras

    input_shape, num_classes = x.shape[1:], y.shape[1]
    if isinstance(model_fn, keras.Layer):
        raise ValueError("model_fn is a model; pass the function that builds it, so that every fold gets a new one.")
    try:
        inspect.signature(model_fn).bind(input_shape, num_classes)
    except (TypeError, ValueError) as error:  # some functions of Python have no signature
        raise ValueError(
            f"model_fn is called as model_fn(input_shape, num_classes), like define_model, which does not fit: {error}."
        ) from None
    with own_random():
        keras.utils.set_random_seed(seed)
        models = [model_fn(input_shape, num_classes) for _ in range(2)]
        for model in models:
            if not isinstance(model, keras.Model):
                raise ValueError(f"model_fn returned {type(model).__name__}; expected a compiled keras.Model.")
            if not model.compiled:
                raise ValueError("model_fn returned a model that is not compiled; call model.compile(...) in it.")
        _check_apart(*models)  # before they are tried: a model that is used twice has its eager mode from here
        trains_many_steps(models[0])  # refuses what cannot be trained by single epochs
        for model in models:
            model.run_eagerly = True  # a graph would take longer to build than it saves, for a batch or two
        output = _try(models[0], x, y)
        models[1].predict_on_batch(x)  # builds what a model without an Input layer consists of
        _check_apart(*models)
    _check_metrics(models[0], output, x, y)
    return models[0]


def _check_apart(model: "keras.Model", another: "keras.Model") -> None:
    """Compare two models of the same function; refuse what one fold would hand on to the next."""
    if model is another or {id(one) for one in model.variables} & {id(one) for one in another.variables}:
        raise ValueError(
            "model_fn returned the same model, or the same layer, twice: what one fold learns would leak into the "
            "next. Build the model and all its layers inside model_fn, so that each fold starts afresh."
        )
    if model.optimizer is None:
        raise ValueError("model_fn compiled its model without an optimizer; compile it with one, such as 'sgd'.")
    if model.optimizer is another.optimizer:
        raise ValueError(
            "model_fn compiled two models with the same optimizer, which remembers the first one's steps. Make the "
            "optimizer inside model_fn, so that each fold starts afresh."
        )


def _try(model: "keras.Model", x: Array, y: Array) -> Array:
    """Return what the model says of a few samples."""
    try:
        output: Array = model.predict_on_batch(x)
    except Exception as error:
        raise ValueError(f"The model does not take samples of shape {x.shape[1:]}: {error}") from error
    if np.shape(output) != y.shape:
        raise ValueError(
            f"For {len(x)} samples the model gives an output of shape {np.shape(output)}; expected {y.shape}, a "
            "probability for each class. A missing Flatten layer leaves more axes; the last Dense layer sets how many "
            "classes there are."
        )
    return output


def _check_metrics(model: "keras.Model", output: Array, x: Array, y: Array) -> None:
    """Refuse a model that does not report its accuracy, or reports something else under that name."""
    try:
        reported = model.test_on_batch(x, y, return_dict=True)
    except Exception as error:
        raise ValueError(f"The model's loss or metrics do not fit one-hot labels: {error}") from error
    if "accuracy" not in reported:
        raise ValueError(
            f"The model reports {', '.join(reported)}; expected accuracy as well: compile it with metrics=['accuracy']."
        )
    if vectors := [name for name, value in reported.items() if np.ndim(value)]:
        raise ValueError(
            f"The model's metric {vectors[0]} gives {np.size(reported[vectors[0]])} values; expected one number: "
            "F1Score, for one, needs average='macro'."
        )
    right = np.mean(np.argmax(output, axis=1) == np.argmax(y, axis=1))
    if abs(reported["accuracy"] - right) > 1e-3:
        raise ValueError(
            f"The model's metric called accuracy reports {reported['accuracy']:.3f} where {right:.3f} of the samples "
            "are classified correctly; compile it with metrics=['accuracy'], which fits one-hot labels."
        )
