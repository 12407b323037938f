"""Checks of numbers and arrays that several topics share. Each says what was given and what was expected."""

from collections.abc import Sequence
from contextlib import suppress
import operator
import os
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

_T = TypeVar("_T")


def brief(text: object) -> str:
    """Return a text on one line, cut short: what was given may be long."""
    line = " ".join(str(text).split())
    return line if len(line) <= 80 else f"{line[:77]}..."


def whole(name: str, value: object, *, at_least: int, refusal: type[Exception] = TypeError) -> int:
    """Return a whole number that is large enough, or say what is wrong with it; `refusal` is for what is not whole."""
    if isinstance(value, (bool, np.bool_)):
        raise refusal(f"{name}={value}: expected a whole number, got a bool.")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise refusal(f"{name}={brief(repr(value))}: expected a whole number, got {type(value).__name__}.") from None
    if number < at_least:
        raise ValueError(f"{name}={number}: expected at least {at_least}.")
    return number


def one_of(name: str, value: _T, choices: Sequence[_T]) -> _T:
    """Return a value that is among the choices, or name them."""
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise ValueError(f"{name}={brief(repr(value))}: expected {' or '.join(map(repr, choices))}.")
    return value


def entries(name: str, value: object, what: str) -> tuple[Any, ...]:
    """Return what a sequence holds, or say that it is none; sets and dictionaries have no order to rely on."""
    if not isinstance(value, (bytes, dict, set)):
        with suppress(TypeError, NotImplementedError):
            return tuple(value)  # type: ignore[arg-type]
    raise ValueError(f"{name}={brief(repr(value))}: expected a sequence of {what}.")


def path_of(name: str, value: object) -> str:
    """Return a path as text, or say that it is none."""
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(f"{name}={brief(repr(value))}: expected a path, got {type(value).__name__}.")
    return os.fsdecode(value)


def numbers(name: str, data: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return data as an array of real numbers, or say why it is none."""
    try:
        array = np.asarray(data)
    except ValueError:
        raise ValueError(
            f"{name} is no array or has rows of different lengths; expected an array, every row of the same shape."
        ) from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} holds {brief(array.dtype)}; expected real numbers.")
    return array


def one_hot_rows(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which rows hold a single 1 among zeros."""
    return np.asarray(np.isin(labels, (0, 1)).all(axis=1) & (labels.sum(axis=1) == 1))


def finite_numbers(name: str, data: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return data as an array of real numbers that fit float32, or say in which row one does not."""
    array = numbers(name, data)
    largest = np.finfo(np.float32).max
    if array.size and not (-largest <= array.min() and array.max() <= largest):  # false for NaN too
        rows = np.atleast_1d(array)
        bad = np.flatnonzero(~(np.abs(rows) <= largest).reshape(len(rows), -1).all(axis=1))
        raise ValueError(
            f"{name} holds NaN, infinite or, for float32, too large values in {len(bad)} of {len(rows)} rows, first in "
            f"row {bad[0]}; drop these rows or mend the values."
        )
    return array
