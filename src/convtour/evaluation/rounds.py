"""Who trains what, and when: folds cut into rounds so that all workers have work until the end, run by joblib."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
import time
from typing import Any
import warnings

from convtour.evaluation.state import Array, FoldError, Job, Part, Progress, Report, Rows
from convtour.evaluation.worker import load_keras, train_part
from joblib import Parallel, delayed
from joblib._parallel_backends import LokyBackend
from joblib.executor import get_memmapping_executor
from joblib.parallel import get_active_backend


def plan(epochs_left: Sequence[int], n_workers: int) -> list[tuple[tuple[int, ...], int]]:
    """Share folds among workers so that all end at about the same time.

    McNaughton's wrap-around rule: the folds are laid end to end and cut into as many equal stretches as there are
    workers, one for each. A fold that is cut begins in one stretch's head and ends in the tail of the one before. No
    schedule ends sooner. All stretches are then cut wherever one of them changes folds.

    Parameters
    ----------
    epochs_left : sequence of int
        Epochs that each fold has yet to run; not all 0.
    n_workers : int
        Number of workers.

    Returns
    -------
    list of (tuple of int, int)
        Rounds, one after the other: the folds that are trained at the same time, at most one for each worker, and for
        how many epochs.

    References
    ----------
    McNaughton, "Scheduling with deadlines and loss functions", 1959.

    Examples
    --------
    Five folds of 10 epochs for two workers: the third fold is cut, and both workers have 25 epochs.

    >>> plan([10, 10, 10, 10, 10], n_workers=2)
    [((0, 2), 5), ((0, 3), 5), ((1, 3), 5), ((1, 4), 5), ((2, 4), 5)]
    """
    length = max(-(-sum(epochs_left) // n_workers), *epochs_left)
    stretches, at = [], 0
    for fold, left in enumerate(epochs_left):
        first = at % length
        tail = min(left, length - first)
        stretches += [(first, first + tail, fold), (0, left - tail, fold)]  # the rest wraps around
        at += left
    cuts = sorted({hour for start, stop, _ in stretches for hour in (start, stop)})
    return [
        (tuple(fold for start, stop, fold in stretches if start <= begin and end <= stop), end - begin)
        for begin, end in pairwise(cuts)
    ]


def start_workers(n_workers: int, backend: str | None, caller: int | None) -> Iterable[object]:
    """Have processes of this machine load Keras while this one goes on.

    The result is a generator that ends when all have done so.
    """
    parallel = _pool(n_workers, local=True, return_as="generator_unordered")
    started: Iterable[object] = parallel(delayed(load_keras)(backend, caller) for _ in range(n_workers))
    return started


def _pool(n_workers: int, *, local: bool, **options: Any) -> Parallel:
    """Make the Parallel that sends work to so many workers, single tasks, at once."""
    if local:
        options["backend"] = _Processes(n_workers)
    return Parallel(n_jobs=max(2, n_workers), batch_size=1, pre_dispatch="all", **options)


class _Processes(LokyBackend):  # type: ignore[misc]
    """Loky's processes, kept from call to call whatever their number, and a process even for a single worker.

    For one worker joblib would take this process, and the number of threads of a Keras that runs cannot be changed any
    more, and with it not how it rounds. With the same settings for any number, loky only starts or ends a few.
    """

    executor: Any = None  # the pool that was used last, with what runs in it

    def __init__(self, n_workers: int) -> None:
        given = get_active_backend()[0].backend_kwargs  # by joblib.parallel_config
        super().__init__(inner_max_num_threads=1, **given)
        self._n_workers = n_workers

    def configure(
        self, n_jobs: int = 1, parallel: Any = None, prefer: Any = None, require: Any = None, **options: Any
    ) -> int:
        """Start as many processes as are missing; joblib hears of two where there is one."""
        options = {"idle_worker_timeout": 300, **self.backend_kwargs, **options}
        # A variable of our own, so that loky shares these processes with no other call of joblib's.
        environment = {**self._prepare_worker_env(n_jobs=n_jobs), "CONVTOUR_WORKER": "1"}
        self._workers = _Processes.executor = get_memmapping_executor(
            self._n_workers,
            timeout=options.pop("idle_worker_timeout"),
            env=environment,
            context_id=parallel._id,
            **options,
        )
        self.parallel = parallel
        return n_jobs


def count_running() -> int:
    """How many processes are there from the last call."""
    return sum(process.is_alive() for process in dict(getattr(_Processes.executor, "_processes", None) or {}).values())


def run(
    job: Job,
    splits: Sequence[tuple[Rows, Rows]],
    progress: list[Progress],
    x: Array,
    y: Array,
    *,
    n_workers: int,
    whole_folds: bool,
    single_epochs: bool,
) -> Iterator[tuple[int, ...]]:
    """Start the workers, and yield nothing; train all folds to their end, and yield those that have come further.

    A call of joblib trains an epoch of each of a round's folds, or as many as fit into a second, since each call takes
    time of its own; how many changes no number. It may send each fold to any worker; so a cluster of unlike machines
    waits for its slowest in every call, as it would at the end of the round.

    Parameters
    ----------
    job, splits, x, y
        What to train, and on what.
    progress : list of Progress
        How far each fold has come. Kept up to date.
    n_workers : int
        Number of workers to share the folds among.
    whole_folds : bool
        Never cut a fold, and train all its epochs in one call: for models with code of their own, which may remember
        more than their variables.
    single_epochs : bool
        Yield after every epoch, however short, so that it can be kept.

    Raises
    ------
    FoldError
        If the training of a fold fails.
    RuntimeError
        If a worker is lost.
    """
    left = [job.epochs - fold.epochs for fold in progress]
    schedule = plan(left, n_workers) if any(left) and not whole_folds else []
    if whole_folds:
        waiting = [fold for fold, epochs in enumerate(left) if epochs]
        schedule = [(tuple(waiting[at : at + n_workers]), 1) for at in range(0, len(waiting), n_workers)]
    if not schedule:
        yield ()
        return
    one_thread = True
    # Arrays are put in shared memory once for all calls of the same Parallel.
    with _pool(n_workers, local=job.caller is not None) as parallel:
        if job.caller is not None:
            parallel(delayed(load_keras)(job.backend, job.caller) for _ in range(n_workers))
        yield ()
        at_once = 1
        for folds, count in schedule:
            while count:
                at_once = min(at_once, count)
                count -= at_once
                parts = []
                for fold in folds:
                    start = progress[fold].epochs
                    stop = job.epochs if whole_folds else start + at_once
                    parts.append(Part(fold, start, stop, *splits[fold], progress[fold].variables))
                began = time.perf_counter()
                try:
                    reports: list[Report] = parallel(delayed(train_part)(job, part, x, y) for part in parts)
                except FoldError:
                    raise
                except Exception as error:
                    where = ", ".join(f"fold {part.fold + 1} in {part.epochs}" for part in parts)
                    raise RuntimeError(
                        f"A worker failed or died that trained one of: {where}; if for lack of memory, fewer workers, "
                        "n_jobs=..., need less. With resume_dir=... all finished epochs are kept, and the same call "
                        f"goes on from there. ({type(error).__name__}: {error})"
                    ) from error
                for fold, report in zip(folds, reports, strict=True):
                    progress[fold] = progress[fold].after(report)
                    one_thread &= report.one_thread
                if not single_epochs:
                    at_once = max(1, int(at_once / (time.perf_counter() - began)))
                yield folds
    if not one_thread:
        warnings.warn(
            "A worker had loaded Keras before, with threads of its own: the scores may differ in their last digits "
            "from those of other workers. Fresh processes, as joblib's loky starts them, avoid that.",
            stacklevel=4,
        )
