"""What several test modules share."""

import os
from pathlib import Path

from convtour import evaluate_model
from hypothesis import settings
import keras
import numpy as np
import pytest

# A shared machine may pause at any moment; what takes how long is not what these tests are about.
settings.register_profile("convtour", deadline=None)
settings.load_profile("convtour")

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _no_data_named_by_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVTOUR_DATA", raising=False)


@pytest.fixture(scope="session")
def full_mnist() -> Path:
    """A file with all of MNIST, where the machine has one."""
    named = Path(os.environ.get("CONVTOUR_DATA") or ROOT.parent / "shared" / "data" / "mnist.npz")
    if not named.is_file():
        pytest.skip("no full MNIST here: set CONVTOUR_DATA to the path of an mnist.npz")
    return named


@pytest.fixture(scope="session")
def bumps() -> tuple[np.ndarray, np.ndarray]:
    """Ninety short signals that are easy to tell apart: a bump early, in the middle or late."""
    labels = np.arange(90) % 3
    rng = np.random.default_rng(0)
    signals = 0.1 * rng.normal(size=(90, 12, 1)).astype("float32")
    signals[np.arange(90), 2 + 4 * labels] += 1
    return signals, np.eye(3, dtype="float32")[labels]


@pytest.fixture(scope="session")
def trained(bumps: tuple[np.ndarray, np.ndarray]) -> tuple[list[float], list[keras.callbacks.History]]:
    """Scores and histories of a small cross-validation."""
    return evaluate_model(*bumps, n_folds=3, epochs=3, verbose=0)
