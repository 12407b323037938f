"""The check of the reader's machine: quiet where all is well, helpful where something is missing."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from typing import Any

from convtour import check_machine
import pytest


def test_here_everything_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_machine()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Everything is here."
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert any("keras" in line for line in lines)
    assert any("mnist1d" in line for line in lines)
    assert not any("pytest" in line for line in lines)


def absent(name: str) -> str:
    raise PackageNotFoundError(name)


def no_data(*args: Any) -> None:
    raise FileNotFoundError("mnist-10k.npz: no such file")


@pytest.mark.parametrize(
    ("target", "replacement", "complaint"),
    [
        (
            "convtour.machine.version",
            absent,
            'MISSING  keras>=3.15: run: python -m pip install --upgrade "keras>=3.15"',
        ),
        ("convtour.machine.version", lambda name: "0.1", "MISSING  matplotlib>=3.10"),
        (
            "convtour.digits.mnist.load_dataset",
            no_data,
            "MISSING  8,000 + 2,000 digits: FileNotFoundError: mnist-10k.npz",
        ),
        ("convtour.machine._keras_computes", lambda: False, "a Keras backend that computes: gives a wrong answer"),
        ("sys.version_info", (3, 10), "MISSING  Python 3.11 or newer: install a newer Python"),
    ],
)
def test_what_is_missing_is_said_with_what_to_do(
    target: str,
    replacement: Callable[..., Any],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(target, replacement)
    assert not check_machine()
    said = capsys.readouterr().out
    assert complaint in said
    assert said.endswith("restart the kernel and run this again.\n")
