"""Cross-validation of a Keras classifier: one protocol for every rank, model, data set and way to cut it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import cloudpickle
from convtour._checks import brief, whole
from convtour._files import writable_folder
from convtour.evaluation.baseline import define_model
from convtour.evaluation.checks import Splitter, check_folds, check_model, check_samples, split
from convtour.evaluation.resume import ResumeFolder, describe
from convtour.evaluation.rounds import count_running, run, start_workers
from convtour.evaluation.state import Array, CrossValidation, Fold, Job, ModelFunction, Progress, Rows, Verbose
from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
import numpy.typing as npt
from tqdm.auto import tqdm
from tqdm.notebook import tqdm as notebook_tqdm

if TYPE_CHECKING:
    import keras


def evaluate_model(
    data_x: npt.ArrayLike,
    data_y: npt.ArrayLike,
    n_folds: int = 5,
    *,
    model_fn: ModelFunction = define_model,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 1,
    verbose: Verbose = 1,
    n_jobs: int | None = None,
    resume_dir: str | os.PathLike[str] | None = None,
) -> "tuple[list[float], list[keras.callbacks.History]]":
    """Train and evaluate a fresh model on each of k folds.

    ``cross_validate(data_x, data_y, cv=n_folds, ...)``, with the signature and the return values of the article: the
    samples are shuffled and cut into k folds, ``KFold(n_folds, shuffle=True, random_state=1)``, and each is held out
    once.

    Taught in notebook ``06_mnist_baseline``.

    Parameters
    ----------
    data_x : array-like, shape (n, ...)
        Inputs, a sample in each row.
    data_y : array-like, shape (n, num_classes)
        One-hot labels.
    n_folds : int
        Number of folds k, from 2 to n.
    model_fn, epochs, batch_size, seed, verbose, n_jobs, resume_dir
        As for `cross_validate`.

    Returns
    -------
    scores : list of float
        Accuracy on each held-out fold, 0 to 1, after the last epoch.
    histories : list of keras.callbacks.History
        ``histories[i].history`` maps ``"loss"``, ``"accuracy"``, ``"val_loss"`` and ``"val_accuracy"`` to one value per
        epoch.

    Raises
    ------
    ValueError, TypeError, RuntimeError, OSError
        As `cross_validate`.

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
    x, y = check_samples("data_x", data_x, "data_y", data_y)
    result = cross_validate(
        x,
        y,
        cv=check_folds("n_folds", n_folds, len(x)),
        model_fn=model_fn,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        verbose=verbose,
        n_jobs=n_jobs,
        resume_dir=resume_dir,
    )
    return result.scores, result.histories


def cross_validate(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    cv: Splitter = 5,
    groups: npt.ArrayLike | None = None,
    model_fn: ModelFunction = define_model,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 1,
    verbose: Verbose = 1,
    n_jobs: int | None = None,
    resume_dir: str | os.PathLike[str] | None = None,
) -> CrossValidation:
    """Train and evaluate a fresh model on each fold, however the samples are cut.

    For each fold a new model trains on one part of the samples and is then evaluated on the other, which it has never
    seen. The folds are trained by workers, processes with one computing thread each, so that the scores are the same
    for any number of them.

    Taught in notebook ``06_mnist_baseline``.

    Parameters
    ----------
    x : array-like, shape (n, ...)
        Inputs, a sample in each row. The default model takes signals ``(n, steps, channels)``, images ``(n, rows,
        columns, channels)`` and clips ``(n, depth, rows, columns, channels)``, and learns best from values near 0..1.
    y : array-like, shape (n, num_classes)
        One-hot labels: a single 1 in each row, in the column of its class. At least 2 classes.
    cv : int, splitter or iterable
        A number of folds k, from 2 to n, for ``KFold(k, shuffle=True, random_state=1)``; or any splitter of
        scikit-learn, such as ``StratifiedKFold``, ``GroupKFold``, ``RepeatedKFold`` or ``ShuffleSplit``, which is given
        whole-number labels; or pairs of row numbers, to train on and to hold out.
    groups : array-like, shape (n,), optional
        Group of each sample, for a splitter that keeps groups together, such as who wrote a digit.
    model_fn : callable
        Called as ``model_fn(input_shape, num_classes)``, twice before training starts, to check that it fits the data,
        and in the workers. It must return a new compiled model each time, which outputs ``(n, num_classes)`` and
        reports the metric ``accuracy``. ``define_model`` is such a function. It may be defined in a notebook and use
        what stands there; what it changes there stays in the worker.
    epochs : int
        Passes over the training part of each fold, at least 1.
    batch_size : int
        Samples in a gradient step, at least 1.
    seed : int
        Fold number i (from 0) starts from ``keras.utils.set_random_seed(seed + i)``: initial weights and dropout. In
        epoch e (from 0) its samples come in the order ``numpy.random.default_rng([seed, i, e])`` gives; so does, on
        PyTorch, the seed of its dropout. The folds themselves do not depend on it, so that two models, or two seeds,
        meet the same folds. NumPy's and the backend's global random states are set with it.
    verbose : {0, 1, "bar"}
        1 prints the accuracy of each fold, in percent, in the order of the folds, and shows a progress bar over the
        epochs of all folds with the time left in a terminal or in Jupyter; 0 is silent. ``TQDM_DISABLE=1`` in the
        environment keeps the bar away, and the accuracies are still printed. ``"bar"`` names the fold of each accuracy,
        ``fold 1: 98.683``; in Jupyter they stand in the bar alone, ``fold 1: 98.7, 2: 98.5``, which then stays, so that
        nothing else is output.
    n_jobs : int, optional
        Number of workers, at most one for each fold; -1 for one on each core. If left out, what
        ``joblib.parallel_config`` says, or else as many as are there from the last call or worth their start, at most
        one on each core; a single one where Keras lists a GPU (on PyTorch it lists none). A worker needs about half a
        gigabyte of memory, and a few seconds to start; it stays for the next call. The backend of joblib is loky, whose
        workers are processes on this machine, or the one that ``parallel_config`` names: with ``"dask"`` the same call
        runs on a cluster, whose machines must have convtour. Give each of its workers one thread, since a process
        trains one fold at a time, and say ``parallel_config("dask", scatter=[x, y])`` to send large arrays once instead
        of in each epoch or second.
    resume_dir : path, optional
        A folder that keeps every finished epoch, made if it is not there. The same call with the same folder goes on
        where the last one was interrupted, by whatever cause, and ends with the scores of an undisturbed run (on the
        same kind of processor). A damaged file is reported with a warning, and its fold is run again. For models of
        Keras's own layers, losses and metrics; others are refused, since a change of their code would go unnoticed.

    Returns
    -------
    CrossValidation
        ``scores``, ``histories``, ``folds`` and ``probabilities``. The trained models themselves are not kept.

    Raises
    ------
    ValueError
        Before any training, if the data are of different lengths, hold NaN or infinite values, or are not one-hot; if
        they cannot be cut so; or if the model does not fit the data, is not compiled, does not report accuracy, shares
        a layer or an optimizer with the next one or cannot be sent to a worker; or if `resume_dir` holds another run.
    TypeError
        If a number is not a whole one, or the data are not numbers.
    OSError
        If `resume_dir` cannot be written to; before any training, unless it happens later.
    RuntimeError
        If the training of a fold fails, or its worker dies. The message names the fold; `resume_dir` keeps the rest.

    References
    ----------
    Hastie, Tibshirani and Friedman, "The elements of statistical learning", 2nd edition, 2009, section 7.10.

    Examples
    --------
    Sixty signals by twenty people, three from each; those of one person are held out together.

    >>> import numpy as np
    >>> from sklearn.model_selection import GroupKFold
    >>> labels, person = np.arange(60) % 2, np.arange(60) // 3
    >>> signals = np.zeros((60, 8, 1), dtype="float32")
    >>> signals[np.arange(60), np.where(labels, 6, 2)] = 1
    >>> result = cross_validate(signals, np.eye(2)[labels], cv=GroupKFold(4), groups=person, epochs=5, verbose=0)
    >>> result.scores, result.probabilities.shape
    ([1.0, 1.0, 1.0, 1.0], (60, 2))
    """
    samples, labels = check_samples("x", x, "y", y)
    epochs, batch_size = whole("epochs", epochs, at_least=1), whole("batch_size", batch_size, at_least=1)
    seed = whole("seed", seed, at_least=0)
    if not isinstance(verbose, (int, str)) or verbose not in (0, 1, "bar"):
        raise ValueError(f"verbose={brief(repr(verbose))}: expected 0, 1 or 'bar'.")
    splits = split(cv, samples, labels, groups)
    if seed + len(splits) > 2**32:
        raise ValueError(
            f"seed={seed}: expected at most {2**32 - len(splits)}, as each fold adds 1 and seeds have 32 bits."
        )
    folder = None if resume_dir is None else writable_folder("resume_dir", resume_dir)
    pickled, caller = _pickled(model_fn), _caller()
    seconds = _seconds(splits, epochs, batch_size, samples)
    able = _count_workers(n_jobs, seconds)
    starting: Iterable[object] = ()
    if caller is not None and "keras" not in sys.modules:  # which takes seconds here, too
        starting = start_workers(min(able, len(splits)), os.environ.get("KERAS_BACKEND"), caller)
    from convtour.evaluation.description import describe_model
    import keras

    try:
        model = check_model(model_fn, seed, samples[:8], labels[:8])
    finally:
        list(starting)
    able = _count_workers(n_jobs, seconds)  # now that Keras would know of a GPU
    task = pickled, samples.shape[1:], labels.shape[1], epochs, batch_size, seed
    set_here = keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()
    job = Job(*task, keras.backend.backend(), *set_here, keras.config.dtype_policy().name, caller)
    text = describe_model(model)
    kept, progress = None, [Progress() for _ in splits]
    if folder is not None:
        arguments = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
        kept = ResumeFolder(folder, describe(arguments, splits, samples, labels, model, text))
        progress = [kept.load(fold) for fold in range(len(splits))]
    unfinished = sum(fold.epochs < epochs for fold in progress)
    workers = min(able, max(1, unfinished))
    steps = run(
        job,
        splits,
        progress,
        samples,
        labels,
        n_workers=workers,
        whole_folds=text is None,
        single_epochs=kept is not None,
    )
    _follow(steps, progress, epochs=epochs, kept=kept, verbose=verbose)
    folds = [_fold(*known, batch_size) for known in zip(progress, splits, strict=True)]
    return CrossValidation(tuple(folds), len(samples))


def _follow(
    steps: Iterable[Sequence[int]],
    progress: list[Progress],
    *,
    epochs: int,
    kept: ResumeFolder | None,
    verbose: Verbose,
) -> None:
    """Keep every epoch, move the bar, and say the accuracy of the folds that are done, each after all before it."""
    # None where nobody watches: not in a terminal or Jupyter, or switched off.
    hidden = True if not verbose or os.environ.get("TQDM_DISABLE") else None
    labelled, told, left = verbose == "bar", list[str](), iter(steps)
    with _clock(hidden) as clock:
        next(left)
        clock.set_description_str("training")
        begun = next(left, ())  # the first epochs take longer, and would make the time left too long
    under_way = "{l_bar}{bar}| {n_fmt}/{total_fmt} epochs, {remaining} left{postfix}"
    with tqdm(
        desc="training",
        total=len(progress) * epochs,
        initial=sum(fold.epochs for fold in progress),
        bar_format=under_way,
        smoothing=0,
        dynamic_ncols=True,
        leave=labelled,
        disable=hidden,
    ) as bar:
        _keep_width(bar)
        for folds in chain([begun], left):
            for fold in folds:
                if kept is not None:
                    kept.save(fold, progress[fold])
            bar.update(sum(fold.epochs for fold in progress) - bar.n)
            while verbose and len(told) < len(progress) and progress[len(told)].epochs == epochs:
                percent = 100 * progress[len(told)].logs[-1]["val_accuracy"]
                if labelled and isinstance(bar, notebook_tqdm):  # short, so that room is left for the bar
                    told.append(f"{'' if told else 'fold '}{len(told) + 1}: {percent:.1f}")
                    bar.set_postfix_str(", ".join(told))
                else:
                    told.append(f"fold {len(told) + 1}: {percent:.3f}" if labelled else f"> {percent:.3f}")
                    with bar.external_write_mode():
                        print(told[-1], flush=True)
        bar.bar_format = under_way.replace(", {remaining} left", "")


@contextmanager
def _clock(hidden: bool | None) -> Iterator["tqdm[Any]"]:
    """Show for how many seconds the workers have been starting."""
    form = "{desc}: {elapsed_s:.0f} s{bar}"
    with tqdm(
        desc="starting workers", total=1, bar_format=form, dynamic_ncols=True, leave=False, disable=hidden
    ) as bar:
        _keep_width(bar)
        over = threading.Event()

        def tick() -> None:
            while not over.wait(1):
                bar.refresh()

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        try:
            yield bar
            bar.update(1)  # to its end, or Jupyter would leave it there as one that failed
        finally:
            over.set()
            thread.join()


def _keep_width(bar: "tqdm[Any]") -> None:
    """In Jupyter, let words go to a line of their own rather than take the bar's place."""
    if (container := getattr(bar, "container", None)) is not None:
        container.children[1].layout.min_width = "8em"


def _count_workers(n_jobs: int | None, seconds: float) -> int:
    """How many workers may run at once."""
    if n_jobs is not None:
        n_jobs = whole("n_jobs", n_jobs, at_least=-effective_n_jobs(-1))
        if n_jobs == 0:
            raise ValueError("n_jobs=0: expected a number of workers, -1 for one on each core, or None.")
        able = int(effective_n_jobs(n_jobs))  # a cluster answers with all it has, whatever it is asked for
        return min(able, n_jobs) if n_jobs > 0 else able
    if get_active_backend()[1] is not None:  # joblib.parallel_config says how many
        return int(effective_n_jobs(None))
    if "keras" in sys.modules:
        from convtour.evaluation.training import has_gpu

        if has_gpu():  # workers on one GPU would wait for each other
            return 1
    # Another worker takes processor time to load Keras and to compile the model; it must be worth that, or be there.
    there = count_running() if _caller() is not None else 0
    return min(int(effective_n_jobs(-1)), max(there, 1 + int(seconds / 2)))


def _seconds(splits: list[tuple[Rows, Rows]], epochs: int, batch_size: int, x: Array) -> float:
    """Roughly how long one worker would train: a millisecond for each step, and one for every 40 kB of samples."""
    rows = epochs * sum(len(train) for train, _ in splits)
    return 1e-3 * float(rows / batch_size + rows * x[0].size * 4 / 40e3)


def _caller() -> int | None:
    """Return this process, if joblib's workers are its children; refuse backends that will not do."""
    backend = type(get_active_backend()[0])
    if backend.__name__ in ("MultiprocessingBackend", "SequentialBackend", "ThreadingBackend"):
        raise ValueError(
            f"joblib's {backend.__name__} works in this process or in a copy of it, and a Keras that runs can be given "
            "neither other threads nor be copied; use loky, the default, or a cluster."
        )
    return os.getpid() if backend.__name__ == "LokyBackend" else None


def _pickled(model_fn: ModelFunction) -> bytes:
    try:
        return bytes(cloudpickle.dumps(model_fn))
    except Exception as error:
        raise ValueError(
            f"model_fn cannot be sent to a worker: {error}. Make what it uses inside the function itself."
        ) from error


def _fold(progress: Progress, rows: tuple[Rows, Rows], batch_size: int) -> Fold:
    """What is known of a fold that has ended."""
    import keras

    train, held_out = rows
    history = keras.callbacks.History()
    history.history = {name: [logs[name] for logs in progress.logs] for name in progress.logs[0]}
    history.epoch = list(range(progress.epochs))
    history.set_params({"verbose": 0, "epochs": progress.epochs, "steps": -(-len(train) // batch_size)})
    # The validation after the last epoch is the evaluation of the trained model.
    return Fold(held_out, progress.probabilities, history, progress.logs[-1]["val_accuracy"])
