"""The whole experiment in one call: load, scale, cross-validate, summarise."""

import json
import os
import sys
import time
from typing import TYPE_CHECKING

from convtour._files import writable_folder, write
from convtour.digits.mnist import load_dataset, prep_pixels
from convtour.evaluation.cross_validation import evaluate_model
from convtour.evaluation.state import Verbose
from convtour.evaluation.summaries import summarize_diagnostics, summarize_performance
from convtour.machine import versions
from convtour.picture import Picture

if TYPE_CHECKING:
    import keras


def run_test_harness(
    source: str | os.PathLike[str] | None = None,
    *,
    n_folds: int = 5,
    epochs: int = 10,
    seed: int = 1,
    verbose: Verbose = 1,
    out_dir: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    resume_dir: str | os.PathLike[str] | None = None,
) -> "tuple[list[float], list[keras.callbacks.History]]":
    """Cross-validate the baseline on MNIST's training set, and show what came out.

    ``load_dataset``, ``prep_pixels``, ``evaluate_model``, ``summarize_diagnostics`` and ``summarize_performance``, in
    this order. The test set is loaded and left alone: it is for the final model, once.

    Taught in notebook ``06_mnist_baseline``.

    Parameters
    ----------
    source : {"sample", "full"} or path, optional
        As for ``load_dataset``.
    n_folds, epochs, seed, verbose
        As for ``evaluate_model``.
    out_dir : path, optional
        A folder for the figures, ``learning_curves.png`` and ``accuracy.png``, their descriptions, ``.txt``, and all
        the numbers with the versions they come from, ``results.json``. It is made if it is not there. In Jupyter the
        figures are shown as well, with or without it.
    n_jobs, resume_dir
        As for ``evaluate_model``.

    Returns
    -------
    scores : list of float
        Accuracy on each held-out fold, 0 to 1.
    histories : list of keras.callbacks.History
        One per fold.

    Examples
    --------
    >>> scores, histories = run_test_harness("sample", n_folds=2, epochs=1)  # doctest: +ELLIPSIS
    > ...
    > ...
    Accuracy: mean=... std=..., n=2
    """
    x_train, y_train, x_test, _ = load_dataset(source)
    train_norm, _ = prep_pixels(x_train, x_test)
    origin = versions()
    folder = None if out_dir is None else writable_folder("out_dir", out_dir)
    start = time.perf_counter()
    scores, histories = evaluate_model(
        train_norm, y_train, n_folds, epochs=epochs, seed=seed, verbose=verbose, n_jobs=n_jobs, resume_dir=resume_dir
    )
    if folder is not None:
        results = {
            "setting": origin,
            "images": len(train_norm),
            "n_folds": len(scores),
            "epochs": len(histories[0].epoch),
            "seed": int(seed),
            "seconds": round(time.perf_counter() - start, 1),
            "scores": scores,
            "histories": [history.history for history in histories],
        }
        write(folder / "results.json", (json.dumps(results, indent=1) + "\n").encode())
    accuracy = summarize_performance(scores, held_out=len(train_norm) // len(scores))
    pictures = {"learning_curves": summarize_diagnostics(histories), "accuracy": accuracy}
    for name, picture in pictures.items():
        if folder is not None:
            picture.save(folder / f"{name}.png")
            if verbose:
                print(f"{folder / name}.png")
        _show(picture)
    return scores, histories


def _show(picture: Picture) -> None:
    """Display a picture where there is a notebook to display it in; it has loaded IPython."""
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import display

        display(picture)
