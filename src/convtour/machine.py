"""The machine: whether all is here that the tour needs, and which versions figures come from."""

from importlib.metadata import PackageNotFoundError, requires, version
import os
import platform
import sys

from convtour import __version__, _keras
import numpy as np
from packaging.requirements import Requirement


def check_machine() -> bool:
    """Check Python, the packages, the backend and the data that the tour needs; say what to do where one is missing.

    Taught in notebook ``00_start_here``.

    Returns
    -------
    bool
        True if nothing is missing.

    Examples
    --------
    >>> check_machine()  # doctest: +ELLIPSIS
    ok       Python 3.11 or newer
    ...
    ok       8,000 + 2,000 digits
    Everything is here.
    True
    """
    python_is_new = sys.version_info >= (3, 11)
    checks = [("Python 3.11 or newer", "" if python_is_new else "install a newer Python and set up again")]
    for line in requires("convtour") or []:
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate({"extra": "tour"}):
            wanted = f"{needed.name}{needed.specifier}"
            checks.append((wanted, "" if _is_here(needed) else f'run: python -m pip install --upgrade "{wanted}"'))
    for what, check in (("a Keras backend that computes", _keras_computes), ("8,000 + 2,000 digits", _digits_are_here)):
        try:
            fault = "" if check() else "gives a wrong answer; set up again with: make clean lab"
        except Exception as error:  # whatever is wrong with it, the reader is to be told, not thrown out
            fault = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        checks.append((what, fault))
    for what, fault in checks:
        print(f"{'MISSING' if fault else 'ok':8} {what}{': ' * bool(fault)}{fault}")
    if _keras.TENSORFLOW_CAME_FIRST and _keras.IS_X86 and os.environ.get("TF_ENABLE_ONEDNN_OPTS") is None:
        print(
            "note     TensorFlow was imported before convtour, which could not switch on oneDNN, its faster "
            "convolutions for this kind of processor; to have them, restart the kernel and import convtour first"
        )
    fine = not any(fault for _, fault in checks)
    print("Everything is here." if fine else "Mend the lines that say MISSING, restart the kernel and run this again.")
    return fine


def _is_here(needed: Requirement) -> bool:
    try:
        return needed.specifier.contains(version(needed.name), prereleases=True)
    except PackageNotFoundError:
        return False


def _keras_computes() -> bool:
    import keras

    nine = keras.ops.conv(keras.ops.ones((1, 3, 3, 1)), keras.ops.ones((3, 3, 1, 1)))
    return float(nine[0, 0, 0, 0]) == 9


def _digits_are_here() -> bool:
    from convtour.digits.mnist import load_dataset

    x_train, _, x_test, _ = load_dataset("sample")
    return (len(x_train), len(x_test)) == (8_000, 2_000)


def versions() -> dict[str, str]:
    """The versions and the machine that figures come from.

    Returns
    -------
    dict of str to str
        Names and versions of convtour, Keras, its backend, NumPy, Python and the system, and the number of CPUs.

    Examples
    --------
    >>> list(versions())[:2]
    ['convtour', 'keras']
    """
    import keras

    backend = keras.backend.backend()
    return {
        "convtour": __version__,
        "keras": keras.__version__,
        backend: sys.modules[backend].__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        platform.system(): platform.machine(),
        "CPUs": str(os.cpu_count()),
    }
