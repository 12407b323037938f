"""The kinds of exercises: a value, a choice, a function, or something written that is looked at as a whole.

Each judge is called with an answer and raises `WrongError` with what is wrong; nothing raised means right. Its
``mistakes`` are answers that readers give, each with what to tell them.
"""

from collections.abc import Callable, Iterator, Sequence
import copy
from dataclasses import dataclass
import linecache
from pathlib import Path
import traceback
from typing import Any, Protocol

from convtour.exercises.limit import Stopped
from convtour.exercises.mistakes import NotAttemptedError, WrongError, compare, without_colours
import numpy as np


class Judge(Protocol):
    """What an exercise asks of its judge."""

    @property
    def mistakes(self) -> Sequence[tuple[Any, str]]:
        """Wrong answers, each with what its message says."""

    def __call__(self, answer: Any) -> None:
        """Raise `WrongError` if the answer is wrong."""


@dataclass(frozen=True)
class Value:
    """A number, a shape, a word or an array is asked for."""

    expected: Any
    mistakes: Sequence[tuple[Any, str]] = ()
    tolerance: float = 0.0
    dtype: bool = False

    def __call__(self, answer: Any) -> None:
        """Compare with what was expected, then with the mistakes that are known."""
        try:
            compare(answer, self.expected, tolerance=self.tolerance, dtype=self.dtype)
        except WrongError:
            for wrong, message in self.mistakes:
                if _equal(answer, wrong, self.tolerance):
                    raise WrongError(message) from None
            raise


@dataclass(frozen=True)
class Choice:
    """One of several statements is right; the others come with a reason why they are not."""

    options: Sequence[tuple[str, str | None]]

    @property
    def right(self) -> str:
        """The letter of the one option without a reason against it."""
        return next(letter for letter, (_, reason) in self._lettered.items() if reason is None)

    @property
    def mistakes(self) -> Sequence[tuple[Any, str]]:
        """The other letters with their reasons."""
        return [(letter, reason) for letter, (_, reason) in self._lettered.items() if reason is not None]

    @property
    def text(self) -> str:
        """The options as a list in Markdown."""
        return "\n".join(f"- **{letter}**: {statement}" for letter, (statement, _) in self._lettered.items())

    @property
    def _lettered(self) -> dict[str, tuple[str, str | None]]:
        return dict(zip("abcdef", self.options, strict=False))

    def __call__(self, answer: Any) -> None:
        """Look the letter up."""
        letters = ", ".join(f'"{letter}"' for letter in self._lettered)
        if not isinstance(answer, str):
            raise WrongError(
                f"Asked for is a letter in quotes: one of {letters}; this is of type {type(answer).__name__}."
            )
        letter = answer.strip().lower()
        if letter not in self._lettered:
            raise WrongError(f"There is no option {answer[:20]!r}; the options are {letters}.")
        reason = self._lettered[letter][1]
        if reason is not None:
            raise WrongError(reason)


@dataclass(frozen=True)
class Function:
    """A function is written, and run on cases that the reader does not see, against one that is known to be right."""

    oracle: Callable[..., Any]
    cases: Sequence[tuple[Any, ...]]
    mistakes: Sequence[tuple[Callable[..., Any], str]] = ()
    tolerance: float = 0.0
    dtype: bool = False

    def __call__(self, answer: Any) -> None:
        """Run both on each case; where they differ, look whether a known mistake gives the same."""
        for case in self.cases:
            result = theirs(answer, *case)
            try:
                compare(result, self.oracle(*copy.deepcopy(case)), tolerance=self.tolerance, dtype=self.dtype)
            except WrongError as error:
                self._known_mistake(answer)
                called = f"\n\nSo it is for {_called(case)}." if case else ""
                raise WrongError(f"{error}{called}") from None

    def _known_mistake(self, answer: Callable[..., Any]) -> None:
        """Raise the message of the mistake that gives what the answer gives, on all cases."""
        results = [_result(answer, case) for case in self.cases]
        for wrong, message in self.mistakes:
            known = [_result(wrong, case) for case in self.cases]
            if all(_equal(result, other, self.tolerance) for result, other in zip(results, known, strict=True)):
                raise WrongError(message)


@dataclass(frozen=True)
class Written:
    """Something is written that a function of the lesson looks at, such as a model; it raises `WrongError`."""

    look: Callable[[Any], None]
    mistakes: Sequence[tuple[Any, str]] = ()

    def __call__(self, answer: Any) -> None:
        """Look at it."""
        self.look(answer)


def theirs(function: Any, *arguments: Any) -> Any:
    """Call what the reader wrote with copies of the arguments; what it raises is told as the reader's own."""
    _callable(function)
    if _is_layer(function) and not any(hasattr(argument, "shape") for argument in arguments):
        raise WrongError(
            "This is a layer or a model. Asked for is the function that makes it, its name without brackets."
        )
    try:
        result = function(*copy.deepcopy(arguments))
    except Stopped:
        raise
    except BaseException as error:  # SystemExit too
        called = f", for {_called(arguments)}" if arguments else ""
        above = "\n\nIf that name is made further up on the page, run the cells above first." * isinstance(
            error, NameError
        )
        raise WrongError(f"Your function raised{called}:\n\n```\n{_traced(error)}\n```{above}") from None
    if result is ...:
        raise NotAttemptedError
    if result is None:
        raise WrongError(
            "Your function gave `None`. Does every way through it end in `return`, with what is asked for?"
        )
    return result


def their_model(function: Any, *arguments: Any, knows_shapes: bool = True) -> Any:
    """Call what the reader wrote, and return the Keras model that it gives, if it is one, and knows its shapes."""
    import keras

    model = theirs(function, *arguments)
    if not isinstance(model, keras.Model):
        raise WrongError(f"Asked for is a Keras model; your function gave something of type {type(model).__name__}.")
    if knows_shapes and not getattr(model, "inputs", None):
        raise WrongError("The model does not know its shapes yet: begin with `keras.Input(...)`.")
    return model


def layers_of(model: Any) -> Iterator[Any]:
    """Yield the layers of a model, and those of the models in it; where data enter is no layer."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from layers_of(layer)
        elif type(layer).__name__ != "InputLayer":
            yield layer


def _callable(answer: Any) -> None:
    if not callable(answer):
        raise WrongError(
            f"Asked for is a function; this is of type {type(answer).__name__}. Hand in its name, without brackets."
        )


def _is_layer(answer: Any) -> bool:
    """Whether something is a Keras layer, a model among them, told without loading Keras."""
    return any(cls.__name__ == "Layer" and cls.__module__.startswith("keras") for cls in type(answer).__mro__)


def _result(function: Callable[..., Any], case: tuple[Any, ...]) -> Any:
    """Return what a function gives, or nothing where it raises: mistakes may."""
    try:
        return function(*copy.deepcopy(case))
    except Exception:
        return None


def _equal(answer: Any, other: Any, tolerance: float) -> bool:
    if answer is None or other is None:
        return answer is other
    try:
        compare(answer, other, tolerance=tolerance)
    except (WrongError, NotAttemptedError):
        return False
    return True


def _called(arguments: tuple[Any, ...]) -> str:
    """Describe the arguments of a call: small ones as they are written, arrays of many numbers by their shape."""
    told = []
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            small = f"`np.array({argument.tolist()})`"
            told.append(small if argument.size <= 12 and len(small) <= 80 else f"an array of shape {argument.shape}")
        else:
            text = getattr(argument, "__name__", repr(argument))  # of a function, without its address
            told.append(f"`{text}`" if len(text) <= 60 else f"a {type(argument).__name__}")
    return ", ".join(told)


def _traced(error: BaseException) -> str:
    """Return the line of the reader's own code that was running, if any was, and the exception."""
    ours = (str(Path(__file__).parents[1]), "site-packages", "dist-packages")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not any(part in f.filename for part in ours)]
    told = [
        f"line {frame.lineno}, in {frame.name}: {linecache.getline(frame.filename, frame.lineno or 0).strip()}"
        for frame in frames[:1]
    ]
    try:
        told += traceback.format_exception_only(error)
    except Exception:  # an exception may fail even at saying what it is
        told.append(type(error).__name__)
    return without_colours("\n".join(line.rstrip() for line in told))[:1000]
