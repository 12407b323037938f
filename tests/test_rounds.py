"""Folds in parallel: the same scores for any workers and any engine, and nobody idle."""

import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from convtour import define_model, evaluate_model
from convtour.evaluation import cross_validation, rounds, training
from convtour.evaluation.rounds import plan
from hypothesis import given
from hypothesis import strategies as st
import joblib
import keras
import numpy as np
import psutil
import pytest
from tqdm.auto import tqdm

Bumps = tuple[np.ndarray, np.ndarray]
Trained = tuple[list[float], list[keras.callbacks.History]]


def same(result: Trained, other: Trained) -> bool:
    """Whether two runs agree in every bit of every number."""
    return result[0] == other[0] and [a.history for a in result[1]] == [b.history for b in other[1]]


# Who trains what


@given(st.lists(st.integers(0, 12), min_size=1, max_size=9).filter(any), st.integers(1, 8))
def test_the_plan_runs_every_epoch_and_no_schedule_ends_sooner(epochs_left: list[int], n_workers: int) -> None:
    schedule = plan(epochs_left, n_workers)
    assert all(epochs > 0 and 0 < len(folds) <= n_workers and len({*folds}) == len(folds) for folds, epochs in schedule)
    for fold, left in enumerate(epochs_left):
        assert sum(epochs for folds, epochs in schedule if fold in folds) == left
    assert sum(epochs for _, epochs in schedule) == max(-(-sum(epochs_left) // n_workers), *epochs_left)


def test_five_folds_keep_two_workers_busy_to_the_end() -> None:
    assert plan([10] * 5, 2) == [((0, 2), 5), ((0, 3), 5), ((1, 3), 5), ((1, 4), 5), ((2, 4), 5)]


# The same scores


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_numbers(bumps: Bumps) -> None:
    one = evaluate_model(*bumps, n_folds=5, epochs=3, n_jobs=1, verbose=0)
    for n_jobs in (2, 4):
        assert same(evaluate_model(*bumps, n_folds=5, epochs=3, n_jobs=n_jobs, verbose=0), one)


def test_a_single_worker_is_one_process_of_its_own_and_two_give_the_same(
    bumps: Bumps, trained: Trained, tmp_path: Path
) -> None:
    def say_who(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        (tmp_path / str(os.getpid())).touch()
        return define_model(input_shape, num_classes)

    assert same(evaluate_model(*bumps, n_folds=3, epochs=3, n_jobs=1, model_fn=say_who, verbose=0), trained)
    assert len({path.name for path in tmp_path.iterdir()} - {str(os.getpid())}) == 1
    assert same(evaluate_model(*bumps, n_folds=3, epochs=3, n_jobs=2, verbose=0), trained)


@pytest.mark.slow
@pytest.mark.skipif(joblib.cpu_count() == 1, reason="more than one worker is not started by itself on one core")
def test_processes_stay_from_call_to_call_whatever_their_number(
    bumps: Bumps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "has_gpu", lambda: False)

    def processes() -> set[int]:
        return {process.pid for process in rounds._Processes.executor._processes.values()}

    evaluate_model(*bumps, n_folds=2, epochs=1, n_jobs=2, verbose=0)
    of_others = joblib.Parallel(n_jobs=2)(joblib.delayed(os.getpid)() for _ in range(3))
    assert not processes() & set(of_others)
    evaluate_model(*bumps, n_folds=2, epochs=1, n_jobs=2, verbose=0)
    two = processes()
    evaluate_model(*bumps, n_folds=3, epochs=1, verbose=0)  # short, but they are there
    assert processes() == two
    assert rounds.count_running() == 2
    for _ in range(2):  # the second time there is nothing left to train
        evaluate_model(*bumps, n_folds=3, epochs=1, resume_dir=tmp_path, verbose=0)
        assert processes() == two
    evaluate_model(*bumps, n_folds=2, epochs=1, n_jobs=1, verbose=0)
    (one,) = processes()
    evaluate_model(*bumps, n_folds=2, epochs=1, n_jobs=2, verbose=0)
    assert one in two & processes()
    assert len(processes()) == 2


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_numbers(bumps: Bumps, trained: Trained) -> None:
    distributed = pytest.importorskip("distributed", reason="no distributed: pip install convtour[cluster]")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        for options in ({}, {"scatter": list(bumps)}):
            with joblib.parallel_config("dask", **options):
                assert same(evaluate_model(*bumps, n_folds=3, epochs=3, verbose=0), trained)


def test_no_socket_listens_in_this_process_while_it_trains(bumps: Bumps, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {c.laddr for c in psutil.Process().net_connections("tcp")}
    during: set[Any] = set()
    update = tqdm.update

    def look(self: Any, n: int) -> Any:
        during.update(c.laddr for c in psutil.Process().net_connections("tcp"))
        return update(self, n)

    monkeypatch.setattr(tqdm, "update", look)
    evaluate_model(*bumps, n_folds=2, epochs=1, n_jobs=2, verbose=0)
    assert during <= before


def test_joblib_says_how_many_workers_unless_the_call_does(monkeypatch: pytest.MonkeyPatch) -> None:
    count = cross_validation._count_workers
    monkeypatch.setattr(training, "has_gpu", lambda: False)
    with joblib.parallel_config(n_jobs=1):
        assert count(None, 1e9) == 1
    with joblib.parallel_config("loky", n_jobs=3):
        assert count(None, 0) == 3
        assert count(1, 1e9) == 1
    assert count(None, 1e9) == count(-1, 0) == joblib.cpu_count()
    monkeypatch.setattr(cross_validation, "count_running", lambda: 0)
    assert count(None, 0) == 1  # not worth a second one
    monkeypatch.setattr(cross_validation, "count_running", lambda: 2)
    assert count(None, 0) == min(2, joblib.cpu_count())
    monkeypatch.setattr(training, "has_gpu", lambda: True)
    assert count(None, 1e9) == 1
    assert count(4, 0) == 4


@pytest.mark.parametrize("backend", ["multiprocessing", "threading", "sequential"])
def test_engines_that_use_this_process_or_a_copy_of_it_are_refused(bumps: Bumps, backend: str) -> None:
    with joblib.parallel_config(backend), pytest.raises(ValueError, match=r"Backend works in this process.*use loky"):
        evaluate_model(*bumps, n_folds=2, epochs=1, verbose=0)


def test_arrays_reach_workers_without_a_copy() -> None:
    inputs = np.zeros((8000, 8, 8, 1), "float32")

    def say_what_arrives(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        if "pytest" not in sys.modules:
            raise RuntimeError(f"x is a {type(sys._getframe(1).f_locals['x']).__name__}")
        return define_model(input_shape, num_classes)

    with pytest.raises(RuntimeError, match="x is a memmap"):
        evaluate_model(inputs, np.eye(2)[np.arange(8000) % 2], 2, model_fn=say_what_arrives, verbose=0)


def test_keras_is_set_in_workers_as_it_is_here(bumps: Bumps) -> None:
    def say_what_is_set(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        if "pytest" not in sys.modules:
            config = keras.config
            raise RuntimeError(f"{config.dtype_policy().name} {config.epsilon()} {config.image_data_format()}")
        return define_model(input_shape, num_classes)

    epsilon = keras.config.epsilon()
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.config.set_epsilon(0.125)
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(RuntimeError, match=r"mixed_bfloat16 0\.125 channels_first"):
            evaluate_model(*bumps, n_folds=2, epochs=1, model_fn=say_what_is_set, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
        keras.config.set_epsilon(epsilon)
        keras.config.set_image_data_format("channels_last")


def test_numbers_of_workers_that_mean_nothing_are_refused(bumps: Bumps) -> None:
    with pytest.raises(ValueError, match="n_jobs=0: expected"):
        evaluate_model(*bumps, n_folds=2, n_jobs=0)
    with pytest.raises(TypeError, match=r"n_jobs=1\.5: expected a whole number"):
        evaluate_model(*bumps, n_folds=2, n_jobs=1.5)  # type: ignore[arg-type]


def test_a_function_that_cannot_travel_is_refused(bumps: Bumps) -> None:
    lock = threading.Lock()

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        with lock:
            return define_model(input_shape, num_classes)

    with pytest.raises(ValueError, match=r"model_fn cannot be sent to a worker: .*inside the function"):
        evaluate_model(*bumps, n_folds=2, model_fn=model_fn)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="Keras on JAX refuses to draw without a SeedGenerator")
def test_code_that_remembers_and_draws_gives_the_same_for_any_workers(bumps: Bumps) -> None:
    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        class Counts(keras.layers.Layer):  # type: ignore[misc]
            calls = 0

            def call(self, inputs, training=False):  # type: ignore[no-untyped-def]  # a worker would look for Any
                self.calls += 1
                inputs = inputs * (1 + self.calls)
                return keras.random.dropout(inputs, 0.5) if training else inputs

        layers = Counts(), keras.layers.Flatten(), keras.layers.Dense(num_classes, activation="softmax")
        model = keras.Sequential([keras.Input(input_shape), *layers])
        model.compile("sgd", "categorical_crossentropy", metrics=["accuracy", keras.metrics.AUC()])
        return model

    one, two, three = (
        evaluate_model(*bumps, n_folds=3, epochs=4, model_fn=model_fn, n_jobs=n_jobs, verbose=0) for n_jobs in (1, 2, 3)
    )
    assert same(one, two)
    assert same(one, three)
    assert {len(curve) for history in one[1] for curve in history.history.values()} == {4}


# Workers that die. Keras sets Python's random state for each fold, so that a function can know which it builds for.


@pytest.mark.slow
def test_a_worker_that_dies_is_told_with_its_fold_and_the_rest_is_kept(
    bumps: Bumps, trained: Trained, tmp_path: Path
) -> None:
    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        from convtour.evaluation import training

        train = training.train

        def dies(part: Any, *args: Any) -> Any:
            if part.fold == 1 and part.stop > 1 and not (tmp_path / "died").exists():
                (tmp_path / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return train(part, *args)

        if "pytest" not in sys.modules:
            training.train = dies  # type: ignore[assignment]
        return define_model(input_shape, num_classes)

    arguments: dict[str, Any] = {"n_folds": 3, "epochs": 3, "model_fn": model_fn, "verbose": 0, "n_jobs": 1}
    folder = tmp_path / "folder"
    with pytest.raises(RuntimeError, match=r"one of: fold 2 in epoch 2;.*With resume_dir=.*are kept"):
        evaluate_model(*bumps, resume_dir=folder, **arguments)
    assert same(evaluate_model(*bumps, resume_dir=folder, **arguments), trained)
    (tmp_path / "died").unlink()
    with pytest.raises(RuntimeError, match=r"one of: fold 2 in epoch (1 to [23]|2|2 to 3);.*With resume_dir="):
        evaluate_model(*bumps, **arguments)


def test_training_that_fails_is_told_with_its_fold(bumps: Bumps) -> None:
    fails = random.Random(1 + 2).getstate()

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        if random.getstate() == fails:
            raise ZeroDivisionError("of all things")
        return define_model(input_shape, num_classes)

    with pytest.raises(RuntimeError, match=r"Fold 3 failed in epoch 1( to 2)?: ZeroDivisionError: of all things"):
        evaluate_model(*bumps, n_folds=3, epochs=2, model_fn=model_fn, verbose=0)


@pytest.mark.slow
def test_workers_and_what_they_share_go_soon_after_the_process_that_started_them_was_killed() -> None:
    script = (
        "import numpy as np, os, signal, psutil, convtour\n"
        "x, y = np.zeros((9000, 40, 1)), np.eye(2)[[0, 1, 0] * 3000]\n"
        "update = convtour.evaluation.cross_validation.tqdm.update\n"
        "def die(bar, n):\n"
        "    if n:\n"
        "        print(*[child.pid for child in psutil.Process().children(recursive=True)], flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "convtour.evaluation.cross_validation.tqdm.update = die\n"
        "convtour.evaluate_model(x, y, 2, epochs=2, n_jobs=2, verbose=0)\n"
    )
    start = "import convtour.evaluation.cross_validation\n"
    process = subprocess.Popen([sys.executable, "-c", start + script], stdout=subprocess.PIPE, text=True)
    workers = [int(pid) for pid in process.communicate()[0].split()]
    assert len(workers) >= 2

    def left() -> list[object]:
        alive = [pid for pid in workers if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
        return [*alive, *Path("/dev/shm").glob(f"joblib_memmapping_folder_{process.pid}_*")]

    until = time.monotonic() + 30
    while left():
        assert time.monotonic() < until, left()
        time.sleep(0.2)
