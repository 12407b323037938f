"""Folds in parallel: the same scores for any workers, after any interruption, and nothing lost."""

from collections.abc import Iterator
import contextlib
import io
import json
import linecache
import os
from pathlib import Path
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any
import warnings

from convtour import _training, define_model, evaluate_model, kfold
from convtour._dispatch import Dispatcher, _own_address, plan
from convtour._resume import ResumeFolder, _read, describe
from convtour._training import train, trains_many_steps
from convtour._worker import Job, Part, Progress
from hypothesis import given
from hypothesis import strategies as st
import joblib
import keras
import numpy as np
import psutil
import pytest
from tqdm import tqdm

Bumps = tuple[np.ndarray, np.ndarray]
Trained = tuple[list[float], list[keras.callbacks.History]]


def same(result: Trained, other: Trained) -> bool:
    """Whether two runs agree in every bit of every number."""
    return result[0] == other[0] and [a.history for a in result[1]] == [b.history for b in other[1]]


# Who trains what


@given(st.lists(st.integers(0, 12), min_size=1, max_size=9).filter(any), st.integers(1, 8))
def test_the_plan_runs_every_epoch_and_no_schedule_ends_sooner(epochs_left: list[int], n_workers: int) -> None:
    parts = plan(epochs_left, n_workers)
    assert [
        sum(epochs for fold, epochs in parts if fold == wanted) for wanted in range(len(epochs_left))
    ] == epochs_left
    assert all(epochs > 0 for _, epochs in parts)
    # Workers that take an epoch an hour: each, when free, takes the first part whose fold is not in training.
    free, waiting, end = [0] * n_workers, list(parts), 0
    busy_until: dict[int, int] = {}
    while waiting:
        now = min(free)
        ready = [part for part in waiting if busy_until.get(part[0], 0) <= now]
        worker = free.index(now)
        if not ready:
            free[worker] = min(hour for hour in [*free, *busy_until.values()] if hour > now)
            continue
        waiting.remove(ready[0])
        busy_until[ready[0][0]] = free[worker] = end = now + ready[0][1]
    assert max(end, *free) == max(-(-sum(epochs_left) // n_workers), *epochs_left)


def test_five_folds_keep_two_workers_busy_to_the_end() -> None:
    assert plan([10] * 5, 2) == [(0, 10), (2, 5), (3, 10), (1, 10), (4, 10), (2, 5)]


# The same scores


def test_any_number_of_workers_gives_the_same_numbers(bumps: Bumps) -> None:
    alone = evaluate_model(*bumps, n_folds=5, epochs=3, n_jobs=1, verbose=0)
    for n_jobs in (2, 4, -1):
        assert same(evaluate_model(*bumps, n_folds=5, epochs=3, n_jobs=n_jobs, verbose=0), alone)


def test_a_dask_cluster_gives_the_same_numbers(bumps: Bumps, trained: Trained) -> None:
    distributed = pytest.importorskip("distributed", reason="no distributed: pip install convtour[cluster]")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        assert same(evaluate_model(*bumps, n_folds=3, epochs=3, verbose=0), trained)


def test_joblib_says_how_many_workers_unless_the_call_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kfold, "has_gpu", lambda: False)
    with joblib.parallel_config(n_jobs=1):
        assert kfold._count_workers(None) == 1
    with joblib.parallel_config("loky", n_jobs=3):
        assert kfold._count_workers(None) == 3
        assert kfold._count_workers(1) == 1
    assert kfold._count_workers(None) == kfold._count_workers(-1) == joblib.cpu_count()
    monkeypatch.setattr(kfold, "has_gpu", lambda: True)
    assert kfold._count_workers(None) == 1
    assert kfold._count_workers(4) == 4


def test_a_backend_of_threads_works_and_says_that_digits_may_differ(bumps: Bumps, trained: Trained) -> None:
    with joblib.parallel_config("threading"), pytest.warns(UserWarning, match="last digits"):
        scores, _ = evaluate_model(*bumps, n_folds=3, epochs=3, verbose=0)
    assert scores == pytest.approx(trained[0], abs=0.05)


def test_the_backend_that_would_hang_is_refused(bumps: Bumps) -> None:
    with joblib.parallel_config("multiprocessing"), pytest.raises(ValueError, match=r"multiprocessing.*use loky"):
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
            raise RuntimeError(f"{keras.config.dtype_policy().name} {keras.config.epsilon()}")
        return define_model(input_shape, num_classes)

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with pytest.raises(RuntimeError, match=f"mixed_bfloat16 {keras.config.epsilon()}"):
            evaluate_model(*bumps, n_folds=2, epochs=1, model_fn=say_what_is_set, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")


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


# What a worker trains


JOB = Job(b"", 8, 1, False, keras.backend.backend(), "float32", 1e-7, "channels_last", "float32", None)


def forgetful(input_shape: tuple[int, ...], num_classes: int, **settings: Any) -> keras.Model:
    """A model with dropout, normalisation and Adam, which all have something to remember."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(num_classes, activation="softmax"),
        ]
    )
    eager = settings.pop("run_eagerly", False)
    model.compile(
        keras.optimizers.Adam(**settings), "categorical_crossentropy", metrics=["accuracy"], run_eagerly=eager
    )
    return model


class OwnSteps(keras.Sequential):  # type: ignore[misc]
    """A model that judges in its own way."""

    def test_step(self, data: Any) -> dict[str, Any]:
        return {**super().test_step(data), "twice": 2 * keras.ops.mean(data[1])}


@pytest.mark.parametrize(
    ("kind", "bytes_at_once"), [("", 1), ("", 1500), ("", 10**9), ("average", 1500), ("eager", 1500), ("own", 1500)]
)
def test_a_part_is_trained_on_its_own_rows_and_judged_on_the_others_as_fit_and_evaluate_do(
    bumps: Bumps, monkeypatch: pytest.MonkeyPatch, kind: str, bytes_at_once: int
) -> None:
    monkeypatch.setattr(_training, "has_gpu", lambda: False)
    monkeypatch.setattr(_training, "_BYTES_AT_ONCE", bytes_at_once)
    if kind == "average" and keras.backend.backend() != "tensorflow":
        pytest.skip("averages are refused on this backend")
    x, y = bumps[0].astype("float64"), bumps[1]
    rows, held_out = np.arange(10, 63), np.concatenate([np.arange(10), np.arange(63, 90)])

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        model = forgetful(input_shape, num_classes, use_ema=kind == "average", run_eagerly=kind == "eager")
        if kind == "own":
            own = OwnSteps(model.layers)
            own.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
            return own
        return model

    reports = list(train(Part(4, 0, 3, True, rows, held_out, None), JOB, model_fn, x, y))
    assert len(reports) == 3
    keras.utils.set_random_seed(JOB.seed + 4)
    model = model_fn(x.shape[1:], y.shape[1])
    assert trains_many_steps(model) == (kind in ("", "average") and keras.backend.backend() == "tensorflow")
    put_in_place = model.optimizer.finalize_variable_values
    for epoch, (logs, variables) in enumerate(reports):
        # One fit of three epochs puts the averages in place when it ends.
        model.optimizer.finalize_variable_values = put_in_place if epoch == 2 else lambda variables: None
        order = np.random.default_rng([JOB.seed, 4, epoch]).permutation(rows)
        fit = model.fit(x[order], y[order], batch_size=JOB.batch_size, shuffle=False, verbose=0).history
        judged = model.evaluate(x[held_out], y[held_out], batch_size=4 * JOB.batch_size, return_dict=True, verbose=0)
        expected = {name: values[0] for name, values in fit.items()}
        expected |= {f"val_{name}": value for name, value in judged.items()}
        assert logs == expected
        assert ("val_twice" in logs) == (kind == "own")
        assert variables is None


def test_averages_that_fit_would_put_in_place_after_every_epoch_are_refused(bumps: Bumps) -> None:
    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        return forgetful(input_shape, num_classes, use_ema=True, run_eagerly=True)

    with pytest.raises(ValueError, match=r"use_ema=True.*run_eagerly"):
        evaluate_model(*bumps, model_fn=model_fn)
    keras.config.set_dtype_policy("mixed_float16")  # wraps the optimizer
    try:
        with pytest.raises(ValueError, match="use_ema=True"):
            evaluate_model(*bumps, model_fn=model_fn)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("average", [False, True])
def test_a_fold_that_changes_hands_ends_as_if_it_had_not(
    bumps: Bumps, monkeypatch: pytest.MonkeyPatch, average: bool
) -> None:
    monkeypatch.setattr(_training, "has_gpu", lambda: False)
    if average and keras.backend.backend() != "tensorflow":
        pytest.skip("averages are refused on this backend")

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        return forgetful(input_shape, num_classes, use_ema=average)

    rows = np.arange(60), np.arange(60, 90)
    whole = list(train(Part(2, 0, 4, True, *rows, None), JOB, model_fn, *bumps))
    head = list(train(Part(2, 0, 3, False, *rows, None), JOB, model_fn, *bumps))
    tail = list(train(Part(2, 3, 4, True, *rows, head[-1][1]), JOB, model_fn, *bumps))
    assert [variables is None for _, variables in head + tail] == [True, True, False, True]
    assert [logs for logs, _ in head + tail] == [logs for logs, _ in whole]
    with pytest.raises(ValueError, match="did not build the same model again"):
        next(train(Part(2, 3, 4, True, *rows, head[-1][1]), JOB, define_model, *bumps))


# Resumed


@pytest.fixture(scope="module")
def half_done(bumps: Bumps, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a run that is interrupted after five of nine epochs."""
    folder = tmp_path_factory.mktemp("half done")
    save = ResumeFolder.save
    saved: list[int] = []

    def save_five(self: ResumeFolder, fold: int, progress: Progress) -> None:
        if len(saved) == 5:
            raise OSError("No space left on device")
        save(self, fold, progress)
        saved.append(fold)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ResumeFolder, "save", save_five)
        with pytest.raises(OSError, match="No space left on device"):
            evaluate_model(*bumps, n_folds=3, epochs=3, resume_dir=folder, n_jobs=2, verbose=0)
    assert len(saved) == 5
    return folder


@pytest.fixture
def folder(half_done: Path, tmp_path: Path) -> Path:
    for file in half_done.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@contextlib.contextmanager
def epochs_counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The folds that are saved, an entry an epoch."""
    save = ResumeFolder.save
    saved: list[int] = []

    def watched(self: ResumeFolder, fold: int, progress: Progress) -> None:
        save(self, fold, progress)
        saved.append(fold)

    with monkeypatch.context() as patch:
        patch.setattr(ResumeFolder, "save", watched)
        yield saved


def test_an_interrupted_run_goes_on_where_it_was(
    bumps: Bumps, trained: Trained, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with epochs_counted(monkeypatch) as run:
        assert same(evaluate_model(*bumps, n_folds=3, epochs=3, resume_dir=folder, n_jobs=1, verbose=0), trained)
    assert len(run) == 4
    with epochs_counted(monkeypatch) as run:
        assert same(evaluate_model(*bumps, n_folds=3, epochs=3, resume_dir=folder, verbose=0), trained)
    assert not run
    assert sorted(file.name for file in folder.iterdir()) == ["fold-1.npz", "fold-2.npz", "fold-3.npz"]


def test_folds_that_are_done_are_printed_again(bumps: Bumps, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores, _ = evaluate_model(*bumps, n_folds=3, epochs=3, resume_dir=folder)
    expected = "".join(f"> {100 * score:.3f}\n" for score in scores)
    assert capsys.readouterr().out == expected
    evaluate_model(*bumps, n_folds=3, epochs=3, resume_dir=folder)
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"epochs": 4}, "epochs is 3, here 4"),
        ({"n_folds": 4}, "n_folds is 3, here 4"),
        ({"batch_size": 16}, "batch_size is 32, here 16"),
        ({"seed": 2}, r"seed is 1, here 2; .*model is"),
        ({"data_x": 1}, r"data_x is float32 \(90, 12, 1\) \w+, here float32 \(90, 12, 1\) \w+\. Take another folder"),
        ({"data_y": 1}, "data_y is"),
        ({"model_fn": "wider"}, r"holds another run: model is \w+, here \w+\. Take"),
        ({"model_fn": "slower"}, r"holds another run: model is \w+, here \w+\. Take"),
    ],
)
def test_a_folder_of_another_run_is_refused_with_what_differs(
    bumps: Bumps, folder: Path, changed: dict[str, Any], complaint: str
) -> None:
    def wider(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(num_classes, activation="softmax")])
        model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
        model.build((None, *input_shape))
        return model

    def slower(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        model = define_model(input_shape, num_classes)
        model.compile(keras.optimizers.SGD(0.001, 0.9), "categorical_crossentropy", metrics=["accuracy"])
        return model

    x, y = bumps[0].copy(), bumps[1].copy()
    arguments: dict[str, Any] = {"n_folds": 3, "epochs": 3, "resume_dir": folder, "verbose": 0} | changed
    if arguments.pop("data_x", None):
        x[0, 0, 0] += 1
    if arguments.pop("data_y", None):
        y[:2] = y[1::-1]
    if "model_fn" in arguments:
        arguments["model_fn"] = {"wider": wider, "slower": slower}[arguments["model_fn"]]
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(ValueError, match=complaint):
        evaluate_model(x, y, **arguments)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("where", ["layer", "activation", "loss", "metric"])
def test_a_lambda_is_known_by_what_it_does_and_not_by_where_it_stands(bumps: Bumps, where: str) -> None:
    """A notebook compiles its cells under other file names after every restart."""

    def described(text: str, file: str, *, where: str) -> dict[str, str]:
        function = eval(compile(text, file, "eval"))
        linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file  # as IPython does
        keras.utils.set_random_seed(1)
        layer = keras.layers.Lambda(function, output_shape=(4,)) if where == "layer" else keras.layers.ReLU()
        dense = keras.layers.Dense(2, activation=function if where == "activation" else None)
        model = keras.Sequential([keras.Input((4,)), layer, dense])
        loss = function if where == "loss" else "mse"
        model.compile("sgd", loss, metrics=[function] if where == "metric" else None)
        return describe({}, *bumps, model)

    text = "lambda x, a=0, b=0: (lambda z: 2.0 * z)(x) if str(x) in {'left', 'right', 'both'} else x - a"
    before = described(text, "/tmp/ipykernel_1/1.py", where=where)
    assert described(f"\n\n{text}", "/tmp/ipykernel_2/2.py", where=where) == before
    for old, new in (("2.0", "3.0"), ("*", "+"), ("b=0", "training=0"), ("left", "top")):
        assert described(text.replace(old, new), "/tmp/ipykernel_1/1.py", where=where) != before


def test_a_damaged_file_is_reported_and_only_its_fold_is_run_again(
    bumps: Bumps, trained: Trained, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate_model(*bumps, n_folds=3, epochs=3, resume_dir=folder, verbose=0)
    content = bytearray((folder / "fold-2.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "fold-2.npz").write_bytes(content)
    with epochs_counted(monkeypatch) as run, pytest.warns(UserWarning, match=r"fold-2\.npz is damaged .* run again"):
        assert same(evaluate_model(*bumps, n_folds=3, epochs=3, resume_dir=folder, verbose=0), trained)
    assert run == [1, 1, 1]


def test_no_damage_to_a_file_passes_for_something_else(half_done: Path, tmp_path: Path) -> None:
    """Any bit may flip, and any end may be missing."""
    file = max(half_done.iterdir(), key=lambda file: file.stat().st_size)
    content = file.read_bytes()
    fold = int(file.stem.removeprefix("fold-")) - 1
    configuration = json.loads(str(np.load(file)["configuration"]))
    good = ResumeFolder(half_done, configuration).load(fold)
    rng = random.Random(0)
    for trial in range(300):
        if trial % 10:
            spoiled = bytearray(content)
            spoiled[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        else:
            spoiled = bytearray(content[: rng.randrange(len(content))])
        (tmp_path / file.name).write_bytes(spoiled)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            read = ResumeFolder(tmp_path, configuration).load(fold)
        if caught:
            assert read == Progress()
        else:  # the flipped bit is in what a zip archive says about itself, such as the time
            assert read.history == good.history
            for ours, theirs in zip(read.variables or [], good.variables or [], strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_no_bit_of_the_directory_of_a_file_makes_it_forget(tmp_path: Path) -> None:
    good = Progress({"val_accuracy": [0.5]}, [np.zeros((2, 2), "float32"), np.array(3), np.zeros(2, "float32")])
    ResumeFolder(tmp_path, {"epochs": "3"}).save(0, good)
    content = (tmp_path / "fold-1.npz").read_bytes()
    for place in range(8 * content.index(b"PK\x01\x02"), 8 * len(content)):
        spoiled = bytearray(content)
        spoiled[place // 8] ^= 1 << place % 8
        (tmp_path / "fold-1.npz").write_bytes(spoiled)
        try:
            configuration, read = _read(tmp_path / "fold-1.npz")
        except Exception:
            continue  # reported as damaged
        assert configuration == {"epochs": "3"}
        assert read.history == good.history
        for ours, theirs in zip(read.variables or [], good.variables or [], strict=True):
            np.testing.assert_array_equal(ours, theirs)


# Killed. Keras sets Python's random state for each fold, so that a function can know which one it builds for.


def test_a_worker_that_dies_is_told_with_its_fold_and_the_rest_is_kept(
    bumps: Bumps, trained: Trained, tmp_path: Path
) -> None:
    dies = random.Random(1 + 1).getstate()

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        state = random.getstate()
        model = define_model(input_shape, num_classes)
        if state == dies and not (tmp_path / "died").exists():

            def reset_metrics() -> None:  # before and after the training of an epoch
                if model.optimizer.iterations > 2:  # two steps an epoch
                    (tmp_path / "died").touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                keras.Model.reset_metrics(model)

            model.reset_metrics = reset_metrics
        return model

    arguments: dict[str, Any] = {"n_folds": 3, "epochs": 3, "model_fn": model_fn, "verbose": 0, "n_jobs": 1}
    folder = tmp_path / "folder"
    with pytest.raises(RuntimeError, match=r"trained fold 2 died in epoch 2.*kept in resume_dir"):
        evaluate_model(*bumps, resume_dir=folder, **arguments)
    assert ResumeFolder.load(_open(folder), 0).epochs == 3
    assert same(evaluate_model(*bumps, resume_dir=folder, **arguments), trained)
    (tmp_path / "died").unlink()
    with pytest.raises(RuntimeError, match=r"trained fold 2 died in epoch 2.*With resume_dir="):
        evaluate_model(*bumps, **arguments)


def _open(folder: Path) -> ResumeFolder:
    return ResumeFolder(folder, json.loads(str(np.load(folder / "fold-1.npz")["configuration"])))


def test_training_that_fails_is_told_with_its_fold(bumps: Bumps) -> None:
    fails = random.Random(1 + 2).getstate()

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        if random.getstate() == fails:
            raise ZeroDivisionError("of all things")
        return define_model(input_shape, num_classes)

    with pytest.raises(RuntimeError, match="Fold 3 failed in epoch 1: ZeroDivisionError: of all things"):
        evaluate_model(*bumps, n_folds=3, epochs=2, model_fn=model_fn, verbose=0)


SCRIPT = """
import sys
import numpy as np
from convtour import evaluate_model
import keras

def my_model(input_shape, num_classes):
    model = keras.Sequential([
        keras.Input(input_shape), keras.layers.Conv1D(4, 3, activation="relu"), keras.layers.Flatten(),
        keras.layers.Dropout(0.2), keras.layers.Dense(num_classes, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model

labels = np.arange(3000) % 3
signals = np.random.default_rng(0).normal(size=(3000, 12, 1)).astype("float32")
signals[np.arange(3000), 2 + 4 * labels] += 1
_, histories = evaluate_model(
    signals, np.eye(3)[labels], 3, epochs=20, batch_size=4, model_fn=my_model, n_jobs=2, verbose=0, resume_dir=sys.argv[1])
print([history.history for history in histories])
"""


def test_a_run_killed_at_any_moment_ends_with_the_undisturbed_numbers(tmp_path: Path) -> None:
    """CONVTOUR_KILLS says how many times; each costs the start of a Python with Keras and of two workers."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    seed = int(os.environ.get("CONVTOUR_KILL_SEED", "0"))
    rng = random.Random(seed)

    def start(folder: Path) -> "subprocess.Popen[bytes]":
        with (tmp_path / "out").open("wb") as out, (tmp_path / "errors").open("wb") as errors:
            return subprocess.Popen([sys.executable, script, folder], stdout=out, stderr=errors)

    def end(process: "subprocess.Popen[bytes]") -> str:
        assert process.wait(timeout=120) == 0, (tmp_path / "errors").read_text()
        return (tmp_path / "out").read_text()

    def waits_for_a_file(process: "subprocess.Popen[bytes]", folder: Path) -> None:
        while process.poll() is None and not any(folder.glob("fold-*")):
            time.sleep(0.05)

    process = start(tmp_path / "undisturbed")
    waits_for_a_file(process, tmp_path / "undisturbed")
    trains = time.perf_counter()
    undisturbed = end(process)
    lasts = time.perf_counter() - trains
    folder, kills, resumed = tmp_path / "killed", 0, 0
    while kills < int(os.environ.get("CONVTOUR_KILLS", "4")):
        victim = ["worker", "parent", "worker", "interrupt"][kills % 4]
        resumed += folder.exists() and any(folder.iterdir())
        process = start(folder)
        running = psutil.Process(process.pid)
        # A worker with Keras has more than a hundred megabytes; before it exists there is nothing to lose.
        while process.poll() is None and not (workers := keras_workers(running)):
            time.sleep(0.05)
        if kills % 2 == 0:  # every other time, there is something to go on with
            waits_for_a_file(process, folder)
        time.sleep(rng.uniform(0, lasts))
        if process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                if victim == "worker":
                    rng.choice(workers).kill()
                else:
                    process.send_signal(signal.SIGKILL if victim == "parent" else signal.SIGINT)
                kills += 1
        ended_well = process.wait(timeout=120) == 0
        errors = (tmp_path / "errors").read_text()
        if ended_well:  # it had nothing left to do
            assert (tmp_path / "out").read_text() == undisturbed
            shutil.rmtree(folder)
        elif victim == "worker":
            assert re.search("The worker that trained fold|TerminatedWorkerError", errors), errors
        assert not psutil.wait_procs(workers, timeout=60)[1], "workers must not go on without their parent"
    assert end(start(folder)) == undisturbed
    assert resumed


def keras_workers(parent: psutil.Process) -> list[psutil.Process]:
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in parent.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.memory_info().rss > 1e8:
                    found.append(child)
    return found


# Progress


def test_one_bar_counts_the_epochs_of_all_folds(
    bumps: Bumps, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    shown = io.StringIO()
    monkeypatch.setattr(
        kfold,
        "tqdm",
        lambda **kwargs: tqdm(**{**kwargs, "file": shown, "disable": False, "mininterval": 0, "leave": True}),
    )
    scores, _ = evaluate_model(*bumps, n_folds=3, epochs=3, resume_dir=folder)
    frames = shown.getvalue().replace("\n", "\r").split("\r")
    counts = [int(frame.split("/9 ")[0].split()[-1]) for frame in frames if "/9 " in frame]
    assert counts[0] == 5
    assert sorted(set(counts)) == [5, 6, 7, 8, 9]
    assert counts == sorted(counts)
    assert [line for line in shown.getvalue().splitlines() if line.startswith(">")] == []
    assert capsys.readouterr().out == "".join(f"> {100 * score:.3f}\n" for score in scores)


# Connections


def test_a_connection_that_is_lost_is_not_passed_over(bumps: Bumps, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that cannot report any more ends quietly; that its fold is not finished must not be missed."""
    monkeypatch.setattr(Dispatcher, "_follow", lambda self, worker, fold, epochs: (_ for _ in ()).throw(OSError()))
    with pytest.raises(RuntimeError, match="connection to the worker that trained fold 1 was lost"):
        evaluate_model(*bumps, n_folds=2, epochs=1, verbose=0)


def test_only_who_knows_the_key_is_served() -> None:
    from multiprocessing import AuthenticationError
    from multiprocessing.connection import Client, answer_challenge, deliver_challenge

    splits = [(np.arange(2), np.arange(2, 4))]
    with Dispatcher(splits, [Progress()], epochs=1, n_workers=1, on_epoch=lambda fold: None, local=False) as dispatcher:
        with Client(("127.0.0.1", dispatcher.address[1])) as stranger:
            answer_challenge_failed = False
            try:
                answer_challenge(stranger, b"guessed")
                deliver_challenge(stranger, b"guessed")
            except (AuthenticationError, EOFError, OSError):
                answer_challenge_failed = True
            assert answer_challenge_failed
        with Client(dispatcher.address) as worker:
            answer_challenge(worker, dispatcher.key)
            deliver_challenge(worker, dispatcher.key)
            assert worker.recv().fold == 0
        assert dispatcher.lost() == (0, 0)
        assert dispatcher.unfinished_fold() == 0
    assert _own_address()


def test_a_worker_that_cannot_reach_the_caller_says_so(bumps: Bumps, monkeypatch: pytest.MonkeyPatch) -> None:
    init = Dispatcher.__init__

    def elsewhere(self: Dispatcher, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.address = ("127.0.0.1", 1)

    with monkeypatch.context() as patch:
        patch.setattr(Dispatcher, "__init__", elsewhere)
        patch.setattr(Dispatcher, "__exit__", lambda self, *error: self._listener.close())
        with pytest.raises(ConnectionError, match=r"could not connect to 127\.0\.0\.1, port 1"):
            evaluate_model(*bumps, n_folds=2, epochs=1, verbose=0)
