"""What importing the package promises, wherever it is installed."""

import ast
import os
from pathlib import Path
import re
import subprocess
import sys
import tarfile
import zipfile

import convtour
from convtour import _keras
import keras
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "convtour"
SOURCES = sorted(PACKAGE.rglob("*.py"))


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
        "print(*({'keras', 'tensorflow', 'matplotlib', 'sklearn', 'scipy', 'tqdm', 'numpy'} & set(sys.modules)))"
    )
    runs = [python(code).stdout.splitlines() for _ in range(3)]
    assert min(float(seconds) for seconds, _ in runs) < 0.2
    assert {heavy for _, heavy in runs} == {""}


def test_loading_the_sample_needs_no_keras() -> None:
    code = "import sys, convtour; convtour.load_dataset('sample'); print('keras' in sys.modules)"
    assert python(code).stdout.strip() == "False"


def test_every_public_name_is_there_and_listed() -> None:
    for name in convtour.__all__:
        assert callable(getattr(convtour, name)) or name == "exercises"
        assert name in dir(convtour)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="convtour attribute evaluate"):
        convtour.evaluate  # type: ignore[attr-defined]  # noqa: B018


def test_every_public_name_stands_once_in_the_stub() -> None:
    stub = (ROOT / "src" / "convtour" / "__init__.pyi").read_text()
    names = re.findall(r"^from \.\S* import (\w+) as \1$", stub, re.MULTILINE)
    assert sorted(names) == sorted(convtour.__all__)
    assert len(re.findall("^from ", stub, re.MULTILINE)) == len(names)


def test_every_public_docstring_names_a_notebook_that_shows_the_name() -> None:
    for name in convtour.__all__:
        notebook = re.search(r"Taught in notebook ``(\w+)``\.", getattr(convtour, name).__doc__)
        assert notebook, name
        text = (ROOT / "notebooks" / f"{notebook[1]}.ipynb").read_text()
        assert name in text or isinstance(getattr(convtour, name), type), name  # a class may come out of a function


# Imports run downward: from a part to those before it, and within a part.
PARTS = [
    "_",
    "picture",
    "plots",
    ("layers", "evaluation", "digits"),
    "results",
    "exercises",
    "machine",
    "harness",
    "__main__",
]


def level(module: str) -> tuple[int, str]:
    """How high a module of the package stands, and in which part."""
    part = module.split(".")[1] if "." in module else "_"  # the package itself names modules, and loads none
    part = "_" if part.startswith("_") and part != "__main__" else part
    return next(height for height, parts in enumerate(PARTS) if part in parts), part


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT / "src").as_posix())
def test_imports_run_downward_only_and_no_private_name_crosses_files(path: Path) -> None:
    here = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("convtour")):
            continue
        there = str(node.module)
        assert not [alias.name for alias in node.names if alias.name.startswith("_")] or there == "convtour", there
        (ours, our_part), (theirs, their_part) = level(here), level(there)
        assert theirs < ours or their_part == our_part or here == "convtour", f"{here} imports {there}"
        if our_part == "results" and their_part == "evaluation":
            assert there == "convtour.evaluation.state"


def test_no_two_modules_of_the_package_import_each_other_in_a_circle() -> None:
    names = {
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCES
    }
    uses = {
        name: {
            str(node.module)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module in names and node.module != "convtour"
        }
        for name, path in names.items()
    }
    while free := [name for name, used in uses.items() if not used & set(uses)]:
        for name in free:
            del uses[name]
    assert not uses


def test_no_function_is_longer_than_sixty_lines_of_code() -> None:
    for path in SOURCES:
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                words = {line for part in ast.walk(node) for line in docstring_lines(part)}
                numbers = range(node.lineno, (node.end_lineno or 0) + 1)
                code = [n for n in numbers if n not in words and text.splitlines()[n - 1].strip()]
                assert len(code) <= 62, f"{path.name}: {node.name} has {len(code)} lines"


def docstring_lines(node: ast.AST) -> range:
    if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or ast.get_docstring(node) is None:
        return range(0)
    return range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT / "src").as_posix())
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


@pytest.mark.slow
@pytest.mark.skipif(not _keras.IS_X86, reason="oneDNN is a matter of x86 processors")
@pytest.mark.parametrize(
    ("code", "chosen", "expected"),
    [
        ("import convtour, keras", None, "1"),
        ("import convtour, keras", "0", "0"),
        ("import keras, convtour", None, "None"),
        ("from convtour import define_model; define_model()", None, "1"),
    ],
)
def test_onednn_is_switched_on_where_nobody_has_chosen_and_tensorflow_is_not_loaded(
    code: str, chosen: str | None, expected: str
) -> None:
    if expected == "None" and keras.backend.backend() != "tensorflow":
        pytest.skip("Keras loads no TensorFlow on this backend")
    choose = f"os.environ['TF_ENABLE_ONEDNN_OPTS'] = '{chosen}'" if chosen else "0"
    start = f"import os; os.environ.pop('TF_ENABLE_ONEDNN_OPTS', None); {choose}; "
    done = python(
        f"{start}{code}; print(os.environ.get('TF_ENABLE_ONEDNN_OPTS')); convtour_check = __import__('convtour').check_machine()"
    )
    assert done.stdout.splitlines()[0] == expected
    assert ("restart the kernel and import convtour first" in done.stdout) == (expected == "None")


@pytest.mark.slow
def test_workers_use_onednn_as_this_process_does() -> None:
    """The environment of a process is that of its workers; convtour is the first that they import."""
    code = (
        "import numpy as np, os, convtour\n"
        "def model_fn(shape, classes):\n"
        "    if 'TF_NUM_INTRAOP_THREADS' in os.environ:\n"
        "        raise RuntimeError('oneDNN ' + os.environ.get('TF_ENABLE_ONEDNN_OPTS', 'unset'))\n"
        "    return convtour.define_model(shape, classes)\n"
        "try:\n"
        "    convtour.evaluate_model(np.zeros((9, 8, 1)), np.eye(2)[[0, 1, 0] * 3], 2, model_fn=model_fn, verbose=0)\n"
        "except RuntimeError as error:\n"
        "    print(error)\n"
    )
    assert "oneDNN 0" in python(code, TF_ENABLE_ONEDNN_OPTS="0").stdout
    assert "oneDNN 1" in python(code, TF_ENABLE_ONEDNN_OPTS="1").stdout


def test_what_goes_wrong_while_keras_is_imported_is_not_swallowed(tmp_path: Path) -> None:
    (tmp_path / "keras.py").write_text(
        "import os\nos.write(2, b'a library is missing\\n')\nraise ImportError('no backend')\n"
    )
    done = python("import convtour; convtour.define_model()", expect=1, PYTHONPATH=str(tmp_path))
    assert "a library is missing" in done.stderr
    assert "ImportError: no backend" in done.stderr


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_trains_too(backend: str) -> None:
    pytest.importorskip(backend, reason=f"Keras's backend {backend} is not installed")
    code = (
        "import numpy as np, convtour; rng = np.random.default_rng(0); y = np.arange(40) % 2; "
        "x = rng.normal(size=(40, 8, 1)) + 3 * y[:, None, None]; "
        "scores, histories = convtour.evaluate_model(x, np.eye(2)[y], 2, epochs=20); print(min(scores))"
    )
    assert float(python(code, KERAS_BACKEND=backend).stdout.split()[-1]) > 0.9


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def test_the_wheel_holds_the_package_the_data_and_the_licences_and_nothing_else(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        names = archive.namelist()
    about = f"convtour-{convtour.__version__}.dist-info/"
    assert {name.removeprefix(about) for name in names if name.startswith(about)} == {
        *("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE", "licenses/data/README.md")
    }
    kinds = {".py", ".pyi", ".js", ".mplstyle", ".typed"}
    files = [path.relative_to(ROOT / "src").as_posix() for path in PACKAGE.rglob("*") if path.suffix in kinds]
    assert {"convtour/digits/drawing_pad.js", "convtour/py.typed", "convtour/convtour.mplstyle"} <= set(files)
    assert sorted(name for name in names if not name.startswith(about)) == sorted([*files, "convtour/mnist-10k.npz"])


def test_the_sdist_holds_what_makes_checks_and_explains_the_package_and_no_caches(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{path.relative_to(ROOT / 'src').as_posix()}" for path in SOURCES} <= names
    assert {"LICENSE", "data/README.md", "data/mnist-10k.npz", "README.md", "Makefile", "requirements.lock"} <= names
    assert {f"tests/{Path(__file__).name}", "conftest.py", "notebooks/00_start_here.ipynb", "docs/measured.md"} <= names
    folders = {name.split("/")[0] for name in names if "/" in name}
    assert folders == {"data", "docs", "notebooks", "site", "src", "tests", "tools"}, (
        "a folder that Git does not ignore"
    )
    assert not [
        name for name in names if re.search(r"(^|/)(__pycache__|\.\w+_(cache|checkpoints)|build)/|\.pyc$", name)
    ]


def test_the_metadata_are_complete_and_valid(built: tuple[Path, Path]) -> None:
    pytest.importorskip("packaging", minversion="26", reason="older ones do not know the form of today's metadata")
    from packaging.metadata import Metadata

    about = f"convtour-{convtour.__version__}"
    with zipfile.ZipFile(built[0]) as archive, tarfile.open(built[1]) as source:
        content = archive.read(f"{about}.dist-info/METADATA")
        told = source.extractfile(f"{about}/PKG-INFO")
        assert told is not None
        assert told.read() == content
        assert "convtour = convtour.__main__:main" in archive.read(f"{about}.dist-info/entry_points.txt").decode()
    metadata = Metadata.from_email(content, validate=True)
    assert (metadata.name, str(metadata.version), str(metadata.requires_python)) == (
        "convtour",
        convtour.__version__,
        ">=3.11",
    )
    assert metadata.license_expression == "MIT AND CC-BY-SA-3.0"
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description == (ROOT / "README.md").read_text(encoding="utf-8")


def test_what_a_package_index_checks_passes(built: tuple[Path, Path]) -> None:
    pytest.importorskip("twine", reason="twine is not installed; the workflow for the wheel has it")
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *built], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_wheel_and_sdist_install_the_same_which_works_elsewhere_without_a_network(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    wheel, sdist = built
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    alone = ["--no-index", "--no-deps", "--no-cache-dir"]
    again = [*pip, "wheel", *alone, "--no-build-isolation", "--wheel-dir", str(tmp_path), str(sdist)]
    subprocess.run(again, check=True, capture_output=True, cwd=tmp_path)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(tmp_path / wheel.name) as other:
        assert {info.filename: info.CRC for info in one.infolist()} == {
            info.filename: info.CRC for info in other.infolist()
        }
    site = tmp_path / "site"
    install = [*pip, "install", *alone, "--no-compile", "--target", str(site), str(tmp_path / wheel.name)]
    subprocess.run(install, check=True, capture_output=True, cwd=tmp_path)
    code = (
        "import socket\n"
        "def refuse(*args, **kwargs): raise AssertionError('the network is off')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import convtour\n"
        "x_train, y_train, x_test, y_test = convtour.load_dataset()\n"
        "print(convtour.__file__)\n"
        "print(x_train.shape, x_test.shape)\n"
        "exercise = convtour.exercises.load('01_convolution_by_hand')[0]\n"
        "print(exercise.check((5, 5, 3, 16)).passed, exercise.check('an essay').passed)\n"
    )
    done = python(code, PYTHONPATH=str(site))
    place, shapes, verdicts = done.stdout.splitlines()
    assert place == str(site / "convtour" / "__init__.py")
    assert shapes == "(8000, 28, 28, 1) (2000, 28, 28, 1)"
    assert verdicts == "True False"


def test_the_version_stands_once_in_words_everywhere() -> None:
    version = convtour.__version__
    assert re.search(rf'^version = "{re.escape(version)}"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.slow
def test_the_five_lines_of_the_readme_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        python(block)
