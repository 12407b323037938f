"""Who trains what, and when: folds cut into parts so that all workers have work until the end."""

from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
import secrets
import socket
import threading
from types import TracebackType
from typing import Any, Self

from convtour._worker import Part, Progress
import numpy.typing as npt


def plan(epochs_left: Sequence[int], n_workers: int) -> list[tuple[int, int]]:
    """Share folds among workers so that all end at about the same time.

    McNaughton's wrap-around rule: the folds are laid end to end and cut into as many equal stretches as there are
    workers. A fold that is cut begins in one stretch's head and ends in the tail of the one before. At most
    ``n_workers - 1`` folds are cut, and no schedule ends sooner.

    Parameters
    ----------
    epochs_left : sequence of int
        Epochs that each fold has yet to run.
    n_workers : int
        Number of workers.

    Returns
    -------
    list of (int, int)
        Fold and number of epochs, in the order in which workers should take them.

    References
    ----------
    McNaughton, "Scheduling with deadlines and loss functions", 1959.

    Examples
    --------
    Five folds of 10 epochs for two workers: the third fold is cut, and both workers have 25 epochs.

    >>> plan([10, 10, 10, 10, 10], n_workers=2)
    [(0, 10), (2, 5), (3, 10), (1, 10), (4, 10), (2, 5)]
    """
    length = max(-(-sum(epochs_left) // n_workers), *epochs_left)
    starts, at = [], 0
    for fold, left in enumerate(epochs_left):
        first = at % length
        tail = min(left, length - first)
        if left > tail:  # the rest wraps around to the head of the next stretch, and comes first in time
            starts.append((0, fold, left - tail))
        if tail:
            starts.append((first, fold, tail))
        at += left
    return [(fold, epochs) for _, fold, epochs in sorted(starts, key=lambda part: part[0])]


class Dispatcher:
    """Hands parts of folds to the workers that connect, and takes in what they report.

    Parameters
    ----------
    splits : sequence of (array of int, array of int)
        For each fold, the rows to train on and those held out.
    progress : list of Progress
        How far each fold has come. Kept up to date.
    epochs : int
        Epochs that each fold is to run.
    n_workers : int
        Number of workers to share the folds among.
    on_epoch : callable
        Called as ``on_epoch(fold)`` after every epoch, one call at a time, from a thread.
    local : bool
        Whether all workers run on this machine; otherwise others may connect too. Either way they must know the key.

    Attributes
    ----------
    address, key
        What a worker needs to connect.
    error : Exception or None
        What went wrong in this process while a report was taken in.
    """

    def __init__(
        self,
        splits: Sequence[tuple[npt.NDArray[Any], npt.NDArray[Any]]],
        progress: list[Progress],
        *,
        epochs: int,
        n_workers: int,
        on_epoch: Callable[[int], None],
        local: bool,
    ) -> None:
        self._splits, self._progress, self._epochs, self._on_epoch = splits, progress, epochs, on_epoch
        self._waiting = plan([epochs - fold.epochs for fold in progress], n_workers)
        self._running: set[int] = set()
        self._lost: list[tuple[int, int]] = []
        self._change = threading.Condition()
        self._closed = False
        self.error: Exception | None = None
        self.key = secrets.token_bytes(32)
        self._listener = Listener(("127.0.0.1" if local else "0.0.0.0", 0), backlog=128)
        self.address = ("127.0.0.1" if local else _own_address(), self._listener.address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._change:
            self._closed = True
            self._change.notify_all()
        socket.create_connection(("127.0.0.1", self.address[1])).close()  # wakes the thread that accepts

    def lost(self) -> tuple[int, int] | None:
        """Fold and epoch in which a worker went away; of several the fold that lost most workers, then the first."""
        with self._change:
            # That a worker is gone may be known elsewhere a moment before its connection ends.
            self._change.wait_for(lambda: self._lost, timeout=2)
            if not self._lost:
                return None
            fold = Counter(fold for fold, _ in self._lost).most_common(1)[0][0]
            return next(lost for lost in self._lost if lost[0] == fold)

    def unfinished_fold(self) -> int | None:
        """The first fold that has not run all its epochs."""
        return next((fold for fold, progress in enumerate(self._progress) if progress.epochs < self._epochs), None)

    def _accept(self) -> None:
        with self._listener:
            while not self._closed:
                connection = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, worker: "Connection[Any, Any]") -> None:
        """Keep one worker busy until nothing is left."""
        with worker:
            try:
                deliver_challenge(worker, self.key)
                answer_challenge(worker, self.key)
                while (taken := self._take()) is not None:
                    self._follow(worker, *taken)
                worker.send(None)
            except (EOFError, OSError, AuthenticationError):
                pass  # the worker is gone; if it was training, that has been noted

    def _take(self) -> tuple[int, int] | None:
        """Choose a fold that nobody is training, and a number of epochs; wait where all that is left is in training."""
        with self._change:
            # A part in training may come back, if its worker goes away.
            while (self._waiting or self._running) and not self._closed:
                for index, (fold, _) in enumerate(self._waiting):
                    if fold not in self._running:
                        self._running.add(fold)
                        return self._waiting.pop(index)
                self._change.wait()
        return None

    def _follow(self, worker: "Connection[Any, Any]", fold: int, epochs: int) -> None:
        """Have a worker train a part, and take in its reports."""
        begun = kept = self._progress[fold]
        stop = begun.epochs + epochs
        last = stop == self._epochs
        try:
            worker.send(Part(fold, begun.epochs, stop, last, *self._splits[fold], begun.variables))
            while self._progress[fold].epochs < stop and not self._closed:
                logs, variables = worker.recv()
                with self._change:
                    if self._closed:
                        break
                    self._progress[fold] = self._progress[fold].after(logs, variables)
                    if variables is not None or self._progress[fold].epochs == self._epochs:
                        kept = self._progress[fold]
                    self._take_in(fold)
        finally:
            with self._change:
                self._running.remove(fold)
                if self._progress[fold].epochs < stop:
                    # Another worker may go on from where the variables are known.
                    self._lost.append((fold, self._progress[fold].epochs))
                    self._progress[fold] = kept
                    self._waiting.insert(0, (fold, stop - kept.epochs))
                self._change.notify_all()

    def _take_in(self, fold: int) -> None:
        try:
            self._on_epoch(fold)
        except Exception as error:
            self.error, self._closed = self.error or error, True


def _own_address() -> str:
    """The address of this machine that others see; connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
