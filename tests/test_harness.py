"""The whole experiment: as a function, on the command line, in a notebook."""

import json
from pathlib import Path
import subprocess
import sys

import convtour
from convtour import run_test_harness
from convtour.__main__ import main
import matplotlib as mpl
import numpy as np
import pytest

FILES = {"learning_curves.png", "learning_curves.txt", "accuracy.png", "accuracy.txt", "results.json"}


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Sixty digits of the sample, in a file."""
    from convtour import load_dataset

    x_train, y_train, x_test, y_test = load_dataset("sample")
    path = tmp_path / "few.npz"
    labels = y_train.argmax(axis=1), y_test.argmax(axis=1)
    np.savez(
        path, x_train=x_train[:60, ..., 0], y_train=labels[0][:60], x_test=x_test[:9, ..., 0], y_test=labels[1][:9]
    )
    return path


def test_the_command_line_prints_the_folds_and_saves_the_figures(
    few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "some" / "where"
    assert main(["--data", str(few), "--folds", "3", "--epochs", "2", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("convtour 0.")
    assert lines[4].startswith("Accuracy: mean=")
    assert lines[4].endswith("n=3")
    assert lines[5:] == [f"{out / name}.png" for name in ("learning_curves", "accuracy")]
    assert {path.name for path in out.iterdir()} == FILES
    results = json.loads((out / "results.json").read_text())
    assert [f"fold {n}: {100 * score:.3f}" for n, score in enumerate(results["scores"], 1)] == lines[1:4]
    assert (results["images"], results["n_folds"], results["epochs"], results["seed"]) == (60, 3, 2, 1)
    assert [len(history["val_loss"]) for history in results["histories"]] == [2, 2, 2]
    assert "keras" in results["setting"]


def test_the_harness_returns_what_the_folds_gave_and_writes_only_where_told(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    scores, histories = run_test_harness(few, n_folds=2, epochs=1, verbose=0)
    assert len(scores) == len(histories) == 2
    assert (
        capsys.readouterr().out == f"Accuracy: mean={100 * np.mean(scores):.3f} std={100 * np.std(scores):.3f}, n=2\n"
    )
    assert not list(Path().iterdir())


def test_in_a_notebook_both_figures_are_shown(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    monkeypatch.setitem(mpl.rcParams, "backend", "agg")  # matplotlib would ask IPython for its own
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", shown.append)
    run_test_harness(few, n_folds=2, epochs=1, verbose=0)
    curves, accuracies = (str(picture) for picture in shown)
    assert "Learning curves of 2 folds" in curves
    assert "Box plot: " in accuracies


def test_without_ipython_nothing_is_missing(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    assert len(run_test_harness(few, n_folds=2, epochs=1, verbose=0)[0]) == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--data", "absent.npz"], "absent.npz: no such file"),
        (["--folds", "1"], "n_folds=1: expected at least 2"),
        (["--epochs", "0"], "epochs=0: expected at least 1"),
        (["--out", __file__], "File exists"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(
    arguments: list[str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("convtour: ")
    assert complaint in error
    assert error.count("\n") == 1


def test_an_interruption_ends_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("convtour.harness.run_test_harness", interrupt)
    assert main(["--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "convtour: interrupted\n"


def test_help_says_it_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    words = " ".join(capsys.readouterr().out.split())
    for option in ("--data", "--folds", "--epochs", "--seed", "--out", "--version", "CONVTOUR_DATA", "results.json"):
        assert option in words


def test_python_m_convtour_is_the_same_command() -> None:
    commands = [sys.executable, "-m", "convtour"], [Path(sys.executable).with_name("convtour")]
    said = [
        subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
        for command in commands
    ]
    assert said == [f"convtour {convtour.__version__}\n"] * 2


def test_the_stored_full_run_is_a_run_of_all_of_mnist_within_its_bounds() -> None:
    results = json.loads((Path(__file__).parents[1] / "docs" / "full-run" / "results.json").read_text())
    assert (results["images"], results["n_folds"], results["epochs"]) == (60_000, 5, 10)
    assert 0.9845 < np.mean(results["scores"]) < 0.9885
