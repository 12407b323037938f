"""What all tests share, those of the notebooks included."""

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

# A file of all of MNIST, for the tests that compare with it; no other test and no notebook is to see it.
FULL_MNIST = os.environ.pop("CONVTOUR_DATA", None)
# Outputs are compared, and no progress bar comes out the same twice.
os.environ["TQDM_DISABLE"] = "1"


@pytest.fixture(scope="session")
def full_mnist() -> Path:
    """A file with all of MNIST, where the caller names one."""
    if FULL_MNIST is None:
        pytest.skip("no full MNIST: set CONVTOUR_DATA to the path of an mnist.npz")
    return Path(FULL_MNIST)


@pytest.fixture(scope="session")
def bumps() -> tuple[np.ndarray, np.ndarray]:
    """Ninety short signals that are easy to tell apart: a bump early, in the middle or late."""
    labels = np.arange(90) % 3
    rng = np.random.default_rng(0)
    signals = 0.1 * rng.normal(size=(90, 12, 1)).astype("float32")
    signals[np.arange(90), 2 + 4 * labels] += 1
    return signals, np.eye(3, dtype="float32")[labels]


@pytest.fixture(scope="session")
def trained(bumps: tuple[np.ndarray, np.ndarray]) -> tuple[list[float], "list[keras.callbacks.History]"]:
    """Scores and histories of a small cross-validation."""

    return evaluate_model(*bumps, n_folds=3, epochs=3, verbose=0)
