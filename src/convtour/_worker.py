"""What a worker does: it asks for parts of the cross-validation, trains them, and reports every epoch.

This module is imported before Keras, because what it sets must be in place when Keras loads: each worker computes on
one thread, so that rounding, and with it every score, is the same whatever the number of workers.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Client, Connection, answer_challenge, deliver_challenge
import os
import socket
import sys
import threading
from typing import Any

import cloudpickle
import numpy as np
import numpy.typing as npt

Variables = list[npt.NDArray[Any]]
Report = tuple[dict[str, float], Variables | None]

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

# Keras's random state belongs to the process, so in one that runs several tasks as threads they take turns.
_turn = threading.Lock()


@dataclass(frozen=True)
class Job:
    """What all parts share; everything but the data."""

    model_fn: bytes  # pickled, and unpickled only when the settings are in place
    batch_size: int
    seed: int
    keep_state: bool  # send the variables after every epoch, not only where another part goes on
    backend: str
    floatx: str
    epsilon: float
    image_data_format: str
    dtype_policy: str
    caller: int | None  # process that wants this, if its workers are its children


@dataclass(frozen=True)
class Part:
    """Some epochs of one fold, ``start`` up to and without ``stop``."""

    fold: int
    start: int
    stop: int
    last: bool  # the fold ends with it
    train: npt.NDArray[np.intp]
    held_out: npt.NDArray[np.intp]
    variables: Variables | None  # as they were after epoch `start`; None for a fold that begins


@dataclass(frozen=True)
class Progress:
    """How far a fold has come: a value an epoch of each curve, and the variables where another worker may go on."""

    history: dict[str, list[float]] = field(default_factory=dict)
    variables: Variables | None = None

    @property
    def epochs(self) -> int:
        """Number of epochs that are done."""
        return len(next(iter(self.history.values()), []))

    def after(self, logs: dict[str, float], variables: Variables | None) -> "Progress":
        """The same, one epoch later."""
        return Progress({name: [*self.history.get(name, []), value] for name, value in logs.items()}, variables)


class FoldError(RuntimeError):
    """The training of a fold failed; the message says which, where and why."""


def work(address: tuple[str, int], key: bytes, job: Job, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> bool:
    """Train what the other end of the address hands out, until it has nothing left.

    Returns
    -------
    bool
        Whether this process computes on one thread, as far as can be known.
    """
    try:
        with _turn:
            alone = _prepare(job)
            from convtour._training import train

            model_fn = cloudpickle.loads(job.model_fn)
            with _connect(address) as office, suppress(EOFError, OSError):  # whoever asked for this is gone
                answer_challenge(office, key)
                deliver_challenge(office, key)
                while (part := office.recv()) is not None:
                    for report in _named(part, train(part, job, model_fn, x, y)):
                        office.send(report)
        return alone
    finally:
        if job.caller not in (None, os.getpid(), os.getppid()):
            os._exit(1)  # the process that started this one was killed, and nobody else will stop it


def _named(part: Part, reports: Iterator[Report]) -> Iterator[Report]:
    """Have an error name its fold; not all errors of a backend can be sent to another process as they are."""
    epoch = part.start
    try:
        for report in reports:
            yield report
            epoch += 1
    except Exception as error:
        raise FoldError(f"Fold {part.fold + 1} failed in epoch {epoch + 1}: {type(error).__name__}: {error}") from error


def _connect(address: tuple[str, int]) -> "Connection[Any, Any]":
    try:
        return Client(address)
    except OSError as error:
        raise ConnectionError(
            f"A worker on {socket.gethostname()} could not connect to {address[0]}, port {address[1]}, where "
            f"evaluate_model was called ({error}). The machines must reach each other in both directions."
        ) from error


def _prepare(job: Job) -> bool:
    """Load Keras with the settings of the process that sent the job; whether it computes on one thread."""
    if "keras" not in sys.modules:
        os.environ.update(_ONE_THREAD, KERAS_BACKEND=job.backend)
        for name, value in _SHARED_GPU.items():
            os.environ.setdefault(name, value)
    from convtour._keras import keras

    if keras.backend.backend() != job.backend:
        raise FoldError(f"A worker runs Keras on {keras.backend.backend()}, but the call came from {job.backend}.")
    keras.config.set_floatx(job.floatx)
    keras.config.set_epsilon(job.epsilon)
    keras.config.set_image_data_format(job.image_data_format)
    keras.config.set_dtype_policy(job.dtype_policy)
    return os.environ.get("TF_NUM_INTRAOP_THREADS") == "1"
