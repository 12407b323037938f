"""What all tests share, those of the notebooks included."""

from collections.abc import Callable
import os
from pathlib import Path
import re
import subprocess
import sys
from typing import Any

from convtour import define_model, evaluate_model
from hypothesis import settings
import keras
from nbval.plugin import IPyNbCell
import numpy as np
import pytest
from tolerances import settled

# A shared machine may pause at any moment; what takes how long is not what these tests are about.
settings.register_profile("convtour", deadline=None)
settings.load_profile("convtour")

ROOT = Path(__file__).parent
# A file of all of MNIST, for the tests that compare with it; no other test and no notebook is to see it.
FULL_MNIST = os.environ.pop("CONVTOUR_DATA", None)
# Outputs are compared, and no progress bar comes out the same twice.
os.environ["TQDM_DISABLE"] = "1"

# nbval compares as strictly as ever, once numbers within their printed tolerance have been taken for the stored ones.
_compare_outputs = IPyNbCell.compare_outputs


def _compare_within_tolerances(cell: Any, fresh: list[Any], stored: list[Any], skip: Any = None) -> bool:
    return bool(_compare_outputs(cell, settled(fresh, stored), stored, skip))


IPyNbCell.compare_outputs = _compare_within_tolerances


@pytest.fixture(scope="session")
def full_mnist() -> Path:
    """A file with all of MNIST, where the caller names one."""
    if FULL_MNIST is None:
        pytest.skip("no full MNIST: set CONVTOUR_DATA to the path of an mnist.npz")
    return Path(FULL_MNIST)


@pytest.fixture(scope="session")
def site_network() -> keras.Model:
    """The network that reads digits on the site: it learned from all of MNIST but the sample's test digits."""
    from make_site_model import read

    model = define_model()
    model.set_weights(read((ROOT / "site" / "_static" / "digit" / "weights.js").read_text(encoding="ascii"))["weights"])
    return model


@pytest.fixture
def nbval() -> Callable[[Path], list[int]]:
    """Check a notebook as those of the tour are checked, and say which of its code cells fail."""

    def check(notebook: Path) -> list[int]:
        command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-rf", "--nbval"]
        done = subprocess.run(
            [*command, "--nbval-current-env", "--rootdir", notebook.parent, notebook],
            cwd=notebook.parent,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tools")])},
            capture_output=True,
            text=True,
            check=False,
        )
        print(done.stdout, done.stderr)
        failed = [int(cell) for cell in re.findall(r"^FAILED .*Cell (\d+)", done.stdout, re.MULTILINE)]
        assert done.returncode == bool(failed)
        return failed

    return check


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
