"""A folder that keeps every finished epoch: an interrupted run goes on and ends with the same numbers."""

import _thread
from collections.abc import Callable, Iterator
import contextlib
from functools import partial
import io
import json
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

from convtour import cross_validate, define_model, evaluate_model
from convtour.evaluation import cross_validation
from convtour.evaluation.resume import ResumeFolder, read
from convtour.evaluation.state import Progress
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
        ({"data_x": 1}, r"x is float32 \(90, 12, 1\) \w+, here float32 \(90, 12, 1\) \w+\. Take another folder"),
        ({"data_y": 1}, "; y is|: y is"),
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
            found = ResumeFolder(tmp_path, configuration).load(fold)
        assert caught
        assert not found.epochs


def test_a_clock_for_the_start_then_a_bar_that_counts_the_epochs_of_all_folds(
    bumps: Bumps, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    shown = io.StringIO()
    monkeypatch.setattr(
        cross_validation,
        "tqdm",
        lambda **kwargs: tqdm(**{**kwargs, "file": shown, "disable": False, "mininterval": 0, "leave": True}),
    )
    scores, _ = evaluate_model(*bumps, n_folds=3, epochs=3, resume_dir=folder, n_jobs=1)
    frames = shown.getvalue().replace("\n", "\r").split("\r")
    counts = [int(frame.split("/9 epochs")[0].split()[-1]) for frame in frames if "/9 epochs" in frame]
    assert sorted(set(counts)) == [6, 7, 8, 9]  # from the first epoch on
    assert re.match(r"starting workers: \d s", frames[1])
    assert any(re.match(r"training: \d+ s", frame) for frame in frames)
    assert frames[-2].startswith("training: 100%")
    assert counts == sorted(counts)
    assert [line for line in shown.getvalue().splitlines() if line.startswith(">")] == []
    assert capsys.readouterr().out == "".join(f"> {100 * score:.3f}\n" for score in scores)


def test_a_file_that_somebody_else_wrote_is_damage(bumps: Bumps, trained: Trained, folder: Path) -> None:
    """The archive itself is sound, its content is not."""
    with np.load(folder / "fold-2.npz") as arrays:
        content = {name: arrays[name] for name in arrays.files}
    logs = json.loads(str(content["logs"]))
    logs[0]["val_accuracy"] = float("nan")
    np.savez(folder / "fold-2.npz", **content | {"logs": json.dumps(logs)})
    with pytest.warns(UserWarning, match=r"fold-2\.npz is damaged \(its content is not what was written\)"):
        assert same(evaluate_model(*bumps, n_folds=3, epochs=3, resume_dir=folder, verbose=0), trained)


def test_probabilities_of_finished_folds_are_kept(bumps: Bumps, folder: Path) -> None:
    whole = cross_validate(*bumps, cv=3, epochs=3, verbose=0)
    for _ in range(2):  # resumed, and then read alone
        again = cross_validate(*bumps, cv=3, epochs=3, resume_dir=folder, verbose=0)
        np.testing.assert_array_equal(again.probabilities, whole.probabilities)


def test_a_home_folder_is_found_and_what_was_cut_short_is_tidied(
    bumps: Bumps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".fold-1.npz.cut").touch()
    os.utime(tmp_path / "run" / ".fold-1.npz.cut", (0, 0))
    evaluate_model(*bumps, n_folds=2, epochs=1, resume_dir="~/run", verbose=0)
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["fold-1.npz", "fold-2.npz"]


def test_a_place_that_cannot_be_written_to_is_noticed_before_training(
    bumps: Bumps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convtour.evaluation.cross_validation.run", lambda *args, **named: pytest.fail("it trained"))
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"resume_dir='.*file' cannot be written to"):
        evaluate_model(*bumps, n_folds=2, resume_dir=tmp_path / "file")
    with pytest.raises(ValueError, match="resume_dir='': expected the path of a folder"):
        evaluate_model(*bumps, n_folds=2, resume_dir="")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **named: (_ for _ in ()).throw(PermissionError("read-only")))
    with pytest.raises(PermissionError, match="cannot be written to: read-only"):
        evaluate_model(*bumps, n_folds=2, resume_dir=tmp_path)


def test_a_full_disk_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*fold-1\.npz'"):
        ResumeFolder(tmp_path, {}).save(0, Progress([{"val_accuracy": 0.5}]))
    assert not list(tmp_path.iterdir())


# Code of one's own: an edit would go unnoticed, a restart of the kernel must not.


def test_a_model_with_code_of_its_own_is_refused_where_a_folder_would_outlive_an_edit(
    bumps: Bumps, tmp_path: Path
) -> None:
    class Doubled(keras.layers.Dense):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return 2 * super().call(inputs)

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        model = keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), Doubled(num_classes, "softmax")])
        model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
        return model

    with pytest.raises(ValueError, match="resume_dir: the model has code that is not Keras's own"):
        evaluate_model(*bumps, n_folds=2, epochs=1, model_fn=model_fn, resume_dir=tmp_path)


def test_a_restart_of_the_kernel_does_not_matter(bumps: Bumps, tmp_path: Path) -> None:
    """Cells are compiled under other file names, other lines and other names of layers; what they build is the same."""
    text = (
        "def model_fn(shape, classes):\n"
        "    layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes, activation='softmax')]\n"
        "    model = keras.Sequential(layers)\n"
        "    model.compile(keras.optimizers.SGD(0.1), 'categorical_crossentropy', metrics=['accuracy'])\n"
        "    return model\n"
    )

    def cell(text: str, file: str) -> Any:
        names: dict[str, Any] = {"keras": keras}
        exec(compile(text, file, "exec"), names)
        return names["model_fn"]

    arguments: dict[str, Any] = {"n_folds": 2, "epochs": 1, "resume_dir": tmp_path, "verbose": 0}
    before = evaluate_model(*bumps, model_fn=cell(text, "/tmp/ipykernel_1/1.py"), **arguments)
    assert same(evaluate_model(*bumps, model_fn=cell(f"\n\n{text}", "/tmp/ipykernel_2/2.py"), **arguments), before)
    with pytest.raises(ValueError, match="holds another run: model is"):
        evaluate_model(*bumps, model_fn=cell(text.replace("0.1", "0.2"), "/tmp/ipykernel_1/1.py"), **arguments)


# Killed


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

def run(folder):
    labels = np.arange(1200) % 3
    signals = np.random.default_rng(0).normal(size=(1200, 12, 1)).astype("float32")
    signals[np.arange(1200), 2 + 4 * labels] += 1
    return evaluate_model(
        signals, np.eye(3)[labels], 3, epochs=12, batch_size=4, model_fn=my_model, n_jobs=2, verbose=0, resume_dir=folder)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a file that another process reads cannot be replaced there")
def test_a_run_killed_at_any_moment_ends_with_the_undisturbed_numbers(tmp_path: Path) -> None:
    """Killed by turns: a worker, the process that called, and the call alone, as by Ctrl-C. CONVTOUR_KILLS: how often."""
    rng = random.Random(int(os.environ.get("CONVTOUR_KILL_SEED", "0")))
    names: dict[str, Any] = {}
    exec(SCRIPT, names)
    run, folder = names["run"], tmp_path / "killed"

    def kill_a_worker() -> None:
        rng.choice(keras_workers(psutil.Process())).kill()

    undisturbed = run(tmp_path / "undisturbed")
    saves = 3 * 12
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)  # a worker of pytest may ignore it
    try:
        for kill in range(int(os.environ.get("CONVTOUR_KILLS", "3"))):
            moment = rng.randrange(1, saves // 6), rng.uniform(0, 0.1)  # so many more epochs saved, and seconds later
            if kill % 3 == 0:
                shutil.rmtree(folder, ignore_errors=True)  # so that there is something left to do
                died = "A worker failed or died that trained"
                with pytest.raises(RuntimeError, match=died), disturbed(folder, moment, kill_a_worker):
                    run(folder)
            elif kill % 3 == 1:
                process = subprocess.Popen([sys.executable, "-c", f"{SCRIPT}\nrun(sys.argv[1])", folder])
                wait_for_epochs(folder, moment[0], partial(ended, process))
                workers = keras_workers(psutil.Process(process.pid))
                assert workers
                process.kill()
                process.wait(timeout=60)
                assert not psutil.wait_procs(workers, timeout=60)[1], "workers must not go on without their parent"
            else:
                with pytest.raises(KeyboardInterrupt), disturbed(folder, moment, _thread.interrupt_main):
                    run(folder)
        assert 0 < epochs_in(folder) < saves
        assert same(run(folder), undisturbed)
    finally:
        signal.signal(signal.SIGINT, previous)


@contextlib.contextmanager
def disturbed(folder: Path, moment: tuple[int, float], strike: Callable[[], object]) -> Iterator[None]:
    """Have a thread strike once so many more epochs are saved, and so many seconds later."""
    over = threading.Event()

    def wait_and_strike() -> None:
        wait_for_epochs(folder, moment[0], over.is_set)
        if not over.wait(moment[1]):
            strike()

    thread = threading.Thread(target=wait_and_strike)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def ended(process: "subprocess.Popen[bytes]") -> bool:
    return process.poll() is not None


def wait_for_epochs(folder: Path, more: int, over: Callable[[], object]) -> None:
    until = epochs_in(folder) + more
    while not over() and epochs_in(folder) < until:
        time.sleep(0.01)


def epochs_in(folder: Path) -> int:
    return sum(read(file)[1].epochs for file in folder.glob("fold-*.npz"))


def keras_workers(parent: psutil.Process) -> list[psutil.Process]:
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in parent.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.memory_info().rss > 1e8:
                    found.append(child)
    return found
