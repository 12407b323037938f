"""What a worker does: it trains a part of a fold, and says how that went.

This module is imported before Keras, because what it sets must be in place when Keras loads: each worker computes on
one thread, so that rounding, and with it every score, is the same whatever the number of workers.
"""

import os
import sys
import threading
import time

from convtour.evaluation.state import Array, FoldError, Job, Part, Report

# One thread for each operation; for TensorFlow, then for what PyTorch and NumPy call, then for JAX.
_ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
# Take of a GPU's memory what is needed, when it is needed, so that several workers fit.
_SHARED_GPU = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def train_part(job: Job, part: Part, x: Array, y: Array) -> Report:
    """Train a part of a fold.

    Raises
    ------
    FoldError
        If the training fails, naming the fold; not all errors of a backend can be sent to another process as they are.
    """
    load_keras(job.backend, job.caller)
    from convtour.evaluation.training import train

    try:
        logs, variables, probabilities = train(part, job, x, y)
    except Exception as error:
        raise FoldError(f"Fold {part.fold + 1} failed in {part.epochs}: {type(error).__name__}: {error}") from error
    return Report(logs, variables, probabilities, os.environ.get("TF_NUM_INTRAOP_THREADS") == "1")


def load_keras(backend: str | None, caller: int | None) -> None:
    """Import Keras, on one thread where it is not imported yet, and end when the process ends that asked for it."""
    if "keras" not in sys.modules:
        flags = f"{os.environ.get('XLA_FLAGS', '')} {_ONE_THREAD['XLA_FLAGS']}"
        os.environ.update(_ONE_THREAD | {"XLA_FLAGS": flags})
        if backend is not None:
            os.environ["KERAS_BACKEND"] = backend
        for name, value in _SHARED_GPU.items():
            os.environ.setdefault(name, value)
        if caller is not None:
            threading.Thread(target=_end_with, args=(caller,), daemon=True).start()
    import keras

    if backend not in (None, keras.backend.backend()):
        raise FoldError(f"A worker runs Keras on {keras.backend.backend()}, but the call came from {backend}.")


def _end_with(caller: int) -> None:
    """End this process soon after its parent has: killed, that cannot stop its workers itself."""
    while os.getppid() == caller:
        time.sleep(1)
    os._exit(1)
