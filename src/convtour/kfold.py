"""k-fold cross-validation of a Keras classifier: one protocol for every rank, model and data set."""

from collections.abc import Callable
import inspect
import os
from typing import Any
import warnings

import cloudpickle
from convtour._checks import whole
from convtour._dispatch import Dispatcher
from convtour._keras import keras
from convtour._resume import ResumeFolder, describe
from convtour._training import has_gpu, trains_many_steps
from convtour._worker import FoldError, Job, Progress, work
from convtour.models import define_model
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend
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
    n_jobs: int | None = None,
    resume_dir: str | os.PathLike[str] | None = None,
) -> tuple[list[float], list[keras.callbacks.History]]:
    """Train and judge a fresh model on each of k folds.

    The samples are shuffled and cut into k folds, ``KFold(n_folds, shuffle=True, random_state=1)``. Each fold is
    held out once: a new model trains on the others and is then judged on it. Every sample is thus judged exactly once,
    by a model that has never seen it. The folds are trained by workers, processes with one computing thread each, so
    that the scores are the same for any number of them.

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
        Called as ``model_fn(input_shape, num_classes)``, twice before training starts, to check that it fits the data,
        and in the workers. It must return a new compiled model each time, which outputs ``(n, num_classes)`` and
        reports the metric ``accuracy``. ``define_model`` is such a function. It may be defined in a notebook and use
        what stands there; what it changes there stays in the worker.
    epochs : int
        Passes over the training part of each fold, at least 1.
    batch_size : int
        Samples a gradient step, at least 1.
    seed : int
        Fold number i (from 0) starts from ``keras.utils.set_random_seed(seed + i)``: initial weights and dropout. In
        epoch e (from 0) its samples come in the order ``numpy.random.default_rng([seed, i, e])`` gives. The folds
        themselves do not depend on it, so that two models, or two seeds, meet the same folds. Python's and NumPy's
        global random states are set with it.
    verbose : {0, 1}
        1 prints the accuracy of each fold, in percent, in the order of the folds, and shows a progress bar over the
        epochs of all folds with the time left in a terminal or in Jupyter; 0 is silent. ``TQDM_DISABLE=1`` in the
        environment keeps the bar alone away.
    n_jobs : int, optional
        Number of workers, at most one a fold; -1 for one on each core. If left out, what ``joblib.parallel_config``
        says, or else one on each core, or a single one where Keras lists a GPU (on PyTorch it lists none). A worker
        needs about half a gigabyte of memory, and a few seconds to start; it stays for the next call. The backend of
        joblib is loky, whose workers are processes on this machine, or the one that ``parallel_config`` names: with
        ``"dask"`` the same call runs on a cluster, whose machines must have convtour and reach this one; give each of
        its workers one thread, since a process trains one fold at a time.
    resume_dir : path, optional
        A folder that keeps every finished epoch, made if it is not there. The same call with the same folder goes on
        where the last one was interrupted, by whatever cause, and ends with the scores of an undisturbed run (on the
        same kind of processor). A damaged file is reported with a warning, and its fold is run again. What a model
        keeps outside its and its optimizer's Keras variables is not restored.

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
        accuracy, is the same object twice or cannot be sent to a worker; or if `resume_dir` holds another run.
    TypeError
        If a number is not a whole one, or the data are not numbers.
    RuntimeError
        If the training of a fold fails, or its worker dies. The message names the fold; `resume_dir` keeps the rest.

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
    keras.utils.set_random_seed(seed)
    with keras.device("cpu:0"):  # the memory of a GPU is for the workers
        model = _check_model(model_fn, x[:8], y[:8])
    pickled = _pickled(model_fn)

    splits = list(KFold(n_folds, shuffle=True, random_state=1).split(x))
    progress = [Progress() for _ in splits]
    folder = None
    if resume_dir is not None:
        arguments = {"n_folds": n_folds, "epochs": epochs, "batch_size": batch_size, "seed": seed}
        folder = ResumeFolder(resume_dir, describe(arguments, x, y, model))
        progress = [folder.load(fold) for fold in range(n_folds)]
    unfinished = [fold for fold in progress if fold.epochs < epochs]
    n_workers = min(_count_workers(n_jobs), max(1, len(unfinished)))
    local = _is_local()
    caller = os.getpid() if local and os.name == "posix" else None
    job = Job(pickled, batch_size, seed, folder is not None, **_settings(), caller=caller)

    printed = 0
    with _progress_bar(n_folds * epochs, sum(fold.epochs for fold in progress), verbose) as bar:

        def on_epoch(fold: int) -> None:
            if folder is not None:
                folder.save(fold, progress[fold])
            bar.update(sum(fold.epochs for fold in progress) - bar.n)
            print_finished()

        def print_finished() -> None:
            """Print the folds that are done, each after all before it."""
            nonlocal printed
            while printed < n_folds and progress[printed].epochs == epochs:
                if verbose:
                    with bar.external_write_mode():
                        print(f"> {100 * progress[printed].history['val_accuracy'][-1]:.3f}", flush=True)
                printed += 1

        print_finished()
        if unfinished:
            dispatcher = Dispatcher(
                splits, progress, epochs=epochs, n_workers=n_workers, on_epoch=on_epoch, local=local
            )
            _run(dispatcher, job, x, y, n_workers)

    # The validation after the last epoch is the evaluation of the trained model.
    scores = [fold.history["val_accuracy"][-1] for fold in progress]
    steps = [-(-len(train) // batch_size) for train, _ in splits]
    return scores, [_history(*fold) for fold in zip(progress, steps, strict=True)]


def _run(dispatcher: Dispatcher, job: Job, x: npt.NDArray[Any], y: npt.NDArray[Any], n_workers: int) -> None:
    """Start the workers, and wait until all folds are done."""
    # joblib would run a single job in this process, whose number of threads cannot be changed any more.
    parallel = Parallel(n_jobs=max(2, n_workers), batch_size=1, pre_dispatch="all")
    with dispatcher:
        try:
            alone = parallel(delayed(work)(dispatcher.address, dispatcher.key, job, x, y) for _ in range(n_workers))
        except (FoldError, ConnectionError):
            raise
        except Exception as error:
            lost = dispatcher.lost()
            if lost is None:
                raise
            died, epoch = lost
            raise RuntimeError(
                f"The worker that trained fold {died + 1} died in epoch {epoch + 1}, perhaps for lack "
                f"of memory: fewer workers, n_jobs=..., need less. {_going_on(job)}"
            ) from error
    if dispatcher.error is not None:
        raise dispatcher.error
    if not all(alone):
        warnings.warn(
            "A worker had loaded Keras before, with threads of its own: the scores may differ in their last digits "
            "from those of other workers. Fresh processes, as joblib's loky starts them, avoid that.",
            stacklevel=3,
        )
    if (fold := dispatcher.unfinished_fold()) is not None:
        raise RuntimeError(f"The connection to the worker that trained fold {fold + 1} was lost. {_going_on(job)}")


def _going_on(job: Job) -> str:
    """What is left of an interrupted run."""
    if job.keep_state:
        return "What was done is kept in resume_dir, and the same call goes on from there."
    return "With resume_dir=... all finished epochs are kept, and the same call goes on from there."


def _count_workers(n_jobs: int | None) -> int:
    """How many workers may run at once."""
    if n_jobs is not None:
        n_jobs = whole("n_jobs", n_jobs, at_least=-effective_n_jobs(-1))
        if n_jobs == 0:
            raise ValueError("n_jobs=0: expected a number of workers, -1 for one on each core, or None.")
        able = int(effective_n_jobs(n_jobs))  # a cluster answers with all it has, whatever it is asked for
        return min(able, n_jobs) if n_jobs > 0 else able
    if get_active_backend()[1] is not None:  # joblib.parallel_config says how many
        return int(effective_n_jobs(None))
    # Workers on one GPU would wait for each other.
    return 1 if has_gpu() else int(effective_n_jobs(-1))


def _is_local() -> bool:
    """Whether joblib's active backend keeps to this machine."""
    backend = type(get_active_backend()[0])
    if backend.__name__ == "MultiprocessingBackend":
        raise ValueError("joblib's multiprocessing backend copies a running Keras, which then hangs; use loky.")
    return backend.__module__ == "joblib._parallel_backends"


def _settings() -> dict[str, Any]:
    """What a worker must know of this process to compute the same."""
    return {
        "backend": keras.backend.backend(),
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "image_data_format": keras.config.image_data_format(),
        "dtype_policy": keras.config.dtype_policy().name,
    }


def _pickled(model_fn: ModelFunction) -> bytes:
    try:
        return bytes(cloudpickle.dumps(model_fn))
    except Exception as error:
        raise ValueError(
            f"model_fn cannot be sent to a worker: {error}. Make what it uses inside the function itself."
        ) from error


def _history(fold: Progress, steps: int) -> keras.callbacks.History:
    history = keras.callbacks.History()
    history.history = fold.history
    history.epoch = list(range(fold.epochs))
    history.set_params({"verbose": 0, "epochs": fold.epochs, "steps": steps})
    return history


def _check_samples(data_x: npt.ArrayLike, data_y: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return both as arrays of numbers that belong together, or say why they do not."""
    x, y = _numbers("data_x", data_x), _numbers("data_y", data_y)
    if x.ndim < 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(
            f"data_x has shape {x.shape} and data_y {y.shape}; expected (n, ...) and (n, num_classes) with the same n. "
            "Whole-number labels become one-hot with keras.utils.to_categorical(labels)."
        )
    for name, array in (("data_x", x), ("data_y", y)):
        largest = np.finfo(np.float32).max
        if array.size and not (-largest <= array.min() and array.max() <= largest):  # false for NaN too
            finite = np.abs(array) <= largest
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
    model, another = model_fn(input_shape, num_classes), model_fn(input_shape, num_classes)
    if not isinstance(model, keras.Model):
        raise ValueError(f"model_fn returned {type(model).__name__}; expected a compiled keras.Model.")
    if not model.compiled:
        raise ValueError("model_fn returned a model that is not compiled; call model.compile(...) in it.")
    if model is another or {id(layer) for layer in model.layers} & {id(layer) for layer in another.layers}:
        raise ValueError(
            "model_fn returned the same model, or the same layer, twice: what one fold learns would leak into the "
            "next. Build the model and all its layers inside model_fn, so that each fold starts afresh."
        )
    trains_many_steps(model)  # refuses what cannot be trained by single epochs
    model.run_eagerly = True  # a graph would take longer to build than it saves, for a batch or two
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
    return model


def _progress_bar(total: int, done: int, verbose: int) -> "tqdm[Any]":
    """A bar that goes away when done; none where nobody watches: not in a terminal or Jupyter, or switched off."""
    hidden = True if not verbose or os.environ.get("TQDM_DISABLE") else None
    return tqdm(total=total, initial=done, unit="epoch", leave=False, disable=hidden)
