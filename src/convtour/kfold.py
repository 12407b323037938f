"""k-fold cross-validation of a Keras classifier: one protocol for every rank, model and data set."""

from collections.abc import Callable
import inspect
import os
from typing import Any

from convtour._checks import whole
from convtour._keras import keras
from convtour.models import define_model
import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold
from tqdm.auto import tqdm

ModelFunction = Callable[[tuple[int, ...], int], keras.Model]


def evaluate_model(
    data_x: npt.ArrayLike,
    data_y: npt.ArrayLike,
    n_folds: int = 5,
    *,
    model_fn: ModelFunction = define_model,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 1,
    verbose: int = 1,
) -> tuple[list[float], list[keras.callbacks.History]]:
    """Train and judge a fresh model on each of k folds.

    The samples are shuffled and cut into k folds, ``KFold(n_folds, shuffle=True, random_state=1)``. Each fold is
    held out once: a new model trains on the others and is then judged on it. Every sample is thus judged exactly once,
    by a model that has never seen it.

    Parameters
    ----------
    data_x : array-like, shape (n, ...)
        Inputs, a sample a row. The default model takes signals ``(n, steps, channels)``, images ``(n, rows, columns,
        channels)`` and clips ``(n, depth, rows, columns, channels)``, and learns best from values near 0..1.
    data_y : array-like, shape (n, num_classes)
        One-hot labels: a single 1 in each row, in the column of its class. At least 2 classes.
    n_folds : int
        Number of folds k, from 2 to n.
    model_fn : callable
        Called as ``model_fn(input_shape, num_classes)``, once before training starts, to check that it fits the data,
        and once a fold. It must return a new compiled model each time, which outputs ``(n, num_classes)`` and reports
        the metric ``accuracy``. ``define_model`` is such a function.
    epochs : int
        Passes over the training part of each fold, at least 1.
    batch_size : int
        Samples a gradient step, at least 1.
    seed : int
        Fold number i (from 0) starts from ``keras.utils.set_random_seed(seed + i)``: initial weights, dropout and the
        order of the batches. The folds themselves do not depend on it, so that two models, or two seeds, meet the
        same folds. Python's and NumPy's global random states are set with it.
    verbose : {0, 1}
        1 prints the accuracy of each fold, in percent, as it ends, and shows a progress bar with the time left in a
        terminal or in Jupyter; 0 is silent. ``TQDM_DISABLE=1`` in the environment keeps the bar alone away.

    Returns
    -------
    scores : list of float
        Accuracy on each held-out fold, 0 to 1, after the last epoch.
    histories : list of keras.callbacks.History
        ``histories[i].history`` maps ``"loss"``, ``"accuracy"``, ``"val_loss"`` and ``"val_accuracy"`` to one value an
        epoch. The trained models themselves are let go.

    Raises
    ------
    ValueError
        Before any training, if the data are of different lengths, hold NaN or infinite values, or are not one-hot; if
        there are fewer samples than folds; or if the model does not fit the data, is not compiled, does not report
        accuracy or is the same object twice.
    TypeError
        If a number is not a whole one, or the data are not numbers.

    References
    ----------
    Hastie, Tibshirani and Friedman, "The elements of statistical learning", 2nd edition, 2009, section 7.10.

    Examples
    --------
    Sixty signals of eight steps; the class says in which half the bump is.

    >>> import numpy as np
    >>> labels = np.arange(60) % 2
    >>> signals = np.zeros((60, 8, 1), dtype="float32")
    >>> signals[np.arange(60), np.where(labels, 6, 2)] = 1
    >>> scores, histories = evaluate_model(signals, np.eye(2)[labels], n_folds=3, epochs=5)
    > 100.000
    > 100.000
    > 100.000
    >>> sorted(histories[0].history)
    ['accuracy', 'loss', 'val_accuracy', 'val_loss']
    """
    x, y = _check_samples(data_x, data_y)
    n_folds = whole("n_folds", n_folds, at_least=2)
    epochs = whole("epochs", epochs, at_least=1)
    batch_size = whole("batch_size", batch_size, at_least=1)
    seed = whole("seed", seed, at_least=0)
    if n_folds > len(x):
        raise ValueError(f"n_folds={n_folds}, but there are only {len(x)} samples; each fold needs at least one.")
    if seed + n_folds > 2**32:
        raise ValueError(
            f"seed={seed}: expected at most {2**32 - n_folds}, as each fold adds 1 and seeds have 32 bits."
        )
    input_shape, num_classes = x.shape[1:], y.shape[1]
    keras.utils.set_random_seed(seed)
    tried = _check_model(model_fn, x[:8], y[:8])

    scores: list[float] = []
    histories: list[keras.callbacks.History] = []
    folds = KFold(n_folds, shuffle=True, random_state=1).split(x)
    with _progress_bar(n_folds * epochs, verbose) as bar:
        for fold, (train, held_out) in enumerate(folds):
            bar.set_description(f"fold {fold + 1} of {n_folds}")
            keras.utils.set_random_seed(seed + fold)
            model = model_fn(input_shape, num_classes)
            if any(ours is theirs for ours in model.trainable_variables for theirs in tried.trainable_variables):
                raise ValueError(
                    "model_fn returned the same model, or the same layer, twice: what one fold learns would leak into "
                    "the next. Build the model and all its layers inside model_fn, so that each fold starts afresh."
                )
            history = model.fit(
                x[train],
                y[train],
                epochs=epochs,
                batch_size=batch_size,
                validation_data=(x[held_out], y[held_out]),
                validation_batch_size=4 * batch_size,  # no gradients to keep, so it fits where a training step does
                verbose=0,
                callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.update())],
            )
            # The validation after the last epoch is the evaluation of the trained model.
            scores.append(float(history.history["val_accuracy"][-1]))
            history.set_model(None)
            histories.append(history)
            if verbose:
                with bar.external_write_mode():
                    print(f"> {100 * scores[-1]:.3f}", flush=True)
    return scores, histories


def _check_samples(data_x: npt.ArrayLike, data_y: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return both as arrays of numbers that belong together, or say why they do not."""
    x, y = _numbers("data_x", data_x), _numbers("data_y", data_y)
    if x.ndim < 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(
            f"data_x has shape {x.shape} and data_y {y.shape}; expected (n, ...) and (n, num_classes) with the same n. "
            "Whole-number labels become one-hot with keras.utils.to_categorical(labels)."
        )
    for name, array in (("data_x", x), ("data_y", y)):
        finite = np.abs(array) <= np.finfo(np.float32).max  # false for NaN too
        if not finite.all():
            bad = np.flatnonzero(~finite.reshape(len(array), -1).all(axis=1))
            raise ValueError(
                f"{name} holds NaN, infinite or, for float32, too large values in {len(bad)} of {len(array)} rows, "
                f"first in row {bad[0]}; drop these rows or mend the values."
            )
    one_hot = np.isin(y, (0, 1)).all(axis=1) & (y.sum(axis=1) == 1)
    if y.shape[1] < 2 or not one_hot.all():
        wrong = f"; row {one_hot.argmin()} is {y[one_hot.argmin()].tolist()}" if not one_hot.all() else ""
        raise ValueError(
            f"data_y of shape {y.shape} is not one-hot{wrong}. Expected at least 2 columns and, in every row, a "
            "single 1 among zeros. Whole-number labels become one-hot with keras.utils.to_categorical(labels)."
        )
    return x, y


def _numbers(name: str, data: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return data as an array of real numbers, or say why it is none."""
    try:
        array = np.asarray(data)
    except ValueError:
        raise ValueError(
            f"{name} has rows of different lengths; expected an array, every row of the same shape."
        ) from None
    if not (
        np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating) or array.dtype == np.bool_
    ):
        raise TypeError(f"{name} holds {array.dtype}; expected real numbers.")
    return array


def _check_model(model_fn: ModelFunction, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> keras.Model:
    """Build a model and try it on a few samples, so that what does not fit is said before any training."""
    input_shape, num_classes = x.shape[1:], y.shape[1]
    if isinstance(model_fn, keras.Model):
        raise ValueError("model_fn is a model; pass the function that builds it, so that every fold gets a new one.")
    try:
        inspect.signature(model_fn).bind(input_shape, num_classes)
    except TypeError as error:
        raise ValueError(
            f"model_fn is called as model_fn(input_shape, num_classes), like define_model, which does not fit: {error}."
        ) from None
    model = model_fn(input_shape, num_classes)
    if not isinstance(model, keras.Model):
        raise ValueError(f"model_fn returned {type(model).__name__}; expected a compiled keras.Model.")
    if not model.compiled:
        raise ValueError("model_fn returned a model that is not compiled; call model.compile(...) in it.")
    try:
        output = model.predict_on_batch(x)
    except Exception as error:
        raise ValueError(f"The model does not take samples of shape {input_shape}: {error}") from error
    if np.shape(output) != y.shape:
        raise ValueError(
            f"For {len(x)} samples the model gives an output of shape {np.shape(output)}; expected {y.shape}, a "
            "probability for each class. A missing Flatten layer leaves more axes; the last Dense layer sets how many "
            "classes there are."
        )
    try:
        reported = model.test_on_batch(x, y, return_dict=True)
    except Exception as error:
        raise ValueError(f"The model's loss or metrics do not fit one-hot labels: {error}") from error
    if "accuracy" not in reported:
        raise ValueError(
            f"The model reports {', '.join(reported)}; expected accuracy as well: compile it with metrics=['accuracy']."
        )
    right = np.mean(np.argmax(output, axis=1) == np.argmax(y, axis=1))
    if abs(reported["accuracy"] - right) > 1e-3:
        raise ValueError(
            f"The model's metric called accuracy reports {reported['accuracy']:.3f} where {right:.3f} of the samples "
            "are classified correctly; compile it with metrics=['accuracy'], which fits one-hot labels."
        )
    return model


def _progress_bar(total: int, verbose: int) -> "tqdm[Any]":
    """A bar that goes away when done; none where nobody watches: not in a terminal or Jupyter, or switched off."""
    hidden = True if not verbose or os.environ.get("TQDM_DISABLE") else None
    return tqdm(total=total, unit="epoch", leave=False, disable=hidden)
