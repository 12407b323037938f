"""Run what somebody else wrote: it may raise anything, or never return."""

from collections.abc import Callable
import ctypes
from dataclasses import dataclass
import sys
import threading
from typing import Any


class Stopped(BaseException):
    """Raised inside a call whose time is up."""


@dataclass
class Outcome:
    """What came of a call: a value, or an exception, or neither in the time that it had."""

    value: Any = None
    error: BaseException | None = None
    in_time: bool = False


def run_within(seconds: float, function: Callable[..., Any], *arguments: Any) -> Outcome:
    """Call a function in a thread of its own and wait so long for it.

    A loop in Python is then stopped. What sleeps or calculates outside Python goes on unheard until it returns.
    """
    outcome = Outcome()

    def call() -> None:
        try:
            value = function(*arguments)
        except BaseException as error:  # SystemExit too: whoever wrote the function is told
            outcome.error = error
        else:
            outcome.value = value

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    try:
        thread.join(seconds)
        while thread.is_alive() and _imports(thread):  # the clock stands, and half a module would stay broken
            thread.join(0.2)
            if not _imports(thread):
                thread.join(seconds)
        outcome.in_time = not thread.is_alive()
    finally:  # also when the reader interrupts the wait
        if thread.is_alive() and not _imports(thread):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Stopped))
    return outcome if outcome.in_time else Outcome()


def _imports(thread: threading.Thread) -> bool:
    """Whether a thread is in the middle of an import."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None
