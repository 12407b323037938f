"""What importing the package promises, wherever it is installed."""

import ast
import os
from pathlib import Path
import re
import subprocess
import sys
import zipfile

import convtour
import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "convtour").glob("*.py"))


def python(code: str, *, expect: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == expect, done.stderr
    return done


def test_importing_takes_under_a_fifth_of_a_second_and_loads_no_heavy_library() -> None:
    code = (
        "import time, sys; start = time.perf_counter(); import convtour; print(time.perf_counter() - start); "
        "print(*({'keras', 'tensorflow', 'matplotlib', 'sklearn', 'scipy', 'tqdm'} & set(sys.modules)))"
    )
    runs = [python(code).stdout.splitlines() for _ in range(3)]
    assert min(float(seconds) for seconds, _ in runs) < 0.2
    assert {heavy for _, heavy in runs} == {""}


def test_loading_the_sample_needs_no_keras() -> None:
    code = "import sys, convtour; convtour.load_dataset('sample'); print('keras' in sys.modules)"
    assert python(code).stdout.strip() == "False"


def test_every_public_name_is_there_and_listed() -> None:
    for name in convtour.__all__:
        assert callable(getattr(convtour, name))
        assert name in dir(convtour)


def test_an_unknown_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'evaluate'.*evaluate_model"):
        convtour.evaluate  # noqa: B018


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_backend_is_imported(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert not imported & {"tensorflow", "jax", "torch"}


def test_the_start_up_log_of_the_backend_stays_out_of_the_way() -> None:
    code = "import os; os.environ.pop('TF_CPP_MIN_LOG_LEVEL', None); from convtour import define_model; define_model()"
    done = python(code)
    assert (done.stdout, done.stderr) == ("", "")


def test_what_goes_wrong_while_keras_is_imported_is_not_swallowed(tmp_path: Path) -> None:
    (tmp_path / "keras.py").write_text(
        "import os\nos.write(2, b'a library is missing\\n')\nraise ImportError('no backend')\n"
    )
    done = python("from convtour import define_model", expect=1, PYTHONPATH=str(tmp_path))
    assert "a library is missing" in done.stderr
    assert "ImportError: no backend" in done.stderr


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_trains_too(backend: str) -> None:
    pytest.importorskip(backend, reason=f"Keras's backend {backend} is not installed")
    code = (
        "import numpy as np, convtour; rng = np.random.default_rng(0); y = np.arange(40) % 2; "
        "x = rng.normal(size=(40, 8, 1)) + 3 * y[:, None, None]; "
        "scores, histories = convtour.evaluate_model(x, np.eye(2)[y], 2, epochs=3); print(min(scores))"
    )
    assert float(python(code, KERAS_BACKEND=backend).stdout.split()[-1]) > 0.9


def test_the_wheel_carries_the_data_and_works_elsewhere(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    names = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*")}
    assert {"convtour/mnist-10k.npz", "convtour/convtour.mplstyle", "convtour/py.typed"} <= names
    code = (
        "import socket\n"
        "def refuse(*args, **kwargs): raise AssertionError('the network is off')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import convtour\n"
        "x_train, y_train, x_test, y_test = convtour.load_dataset()\n"
        "print(convtour.__file__, x_train.shape, x_test.shape)\n"
    )
    done = python(code, PYTHONPATH=str(tmp_path / "site"))
    assert done.stdout.split(maxsplit=1)[0].startswith(str(tmp_path / "site"))
    assert done.stdout.strip().endswith("(8000, 28, 28, 1) (2000, 28, 28, 1)")


def test_the_version_stands_once_in_words_everywhere() -> None:
    version = convtour.__version__
    assert re.search(rf'^version = "{re.escape(version)}"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_five_lines_of_the_readme_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        python(block)
