"""Say what is wrong with an answer: type, dtype, rank, shape, values, in that order, and never what is right."""

import math
from numbers import Integral, Real
import re
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class WrongError(Exception):
    """An answer that is wrong; its text says how."""


class NotAttemptedError(Exception):
    """The dots still stand where an answer belongs."""


def compare(answer: object, expected: object, *, tolerance: float = 0.0, dtype: bool = False) -> None:
    """Raise `WrongError` unless an answer is what was expected.

    Parameters
    ----------
    answer : object
        Anything at all.
    expected : bool, int, float, str, tuple or ndarray
        A tuple is a shape, or a row of numbers.
    tolerance : float
        How far a number may lie from the expected one; rounding of float32 is always allowed.
    dtype : bool
        Whether an array must have the expected dtype, and not only numbers.
    """
    if answer is ... or (isinstance(answer, tuple) and any(part is ... for part in answer)):
        raise NotAttemptedError
    if answer is None:
        raise WrongError("This is `None`, no value at all.")
    if isinstance(expected, (bool, str)):
        _compare_plain(answer, expected)
    elif isinstance(expected, Real):
        _compare_numbers(answer, expected, tolerance)
    elif isinstance(expected, tuple):
        _compare_tuples(answer, expected, tolerance)
    else:
        _compare_arrays(answer, np.asarray(expected), tolerance, dtype)


def _compare_plain(answer: object, expected: bool | str) -> None:
    kind, name = (
        (str, 'text in quotes, such as `"valid"`') if isinstance(expected, str) else (bool, "`True` or `False`")
    )
    answer = bool(answer) if isinstance(answer, np.bool_) else answer
    if not isinstance(answer, kind):
        raise WrongError(f"Asked for is {name}; this is of type {type(answer).__name__}.")
    if answer != expected:
        raise WrongError("It is the other one." if kind is bool else f"It is another word than {str(answer)[:40]!r}.")


def _compare_numbers(answer: object, expected: Real, tolerance: float) -> None:
    if isinstance(answer, tuple) and len(answer) > 1:
        comma = " (A comma makes a tuple: thousands are written 12_288, and decimals with a point.)"
        comma *= all(isinstance(n, int) for n in answer)
        raise WrongError(f"Asked for is one number; this is a tuple of {len(answer)}.{comma}")
    if isinstance(answer, (bool, np.bool_, str, bytes)):
        hint = " Leave out the quotes." if isinstance(answer, (str, bytes)) else ""
        raise WrongError(f"Asked for is a number; this is of type {type(answer).__name__}.{hint}")
    if not isinstance(answer, Real):  # an array or a tensor of one number
        array = _numbers(answer, "a number")
        if array.size != 1:
            raise WrongError(f"Asked for is one number; this holds {array.size}.")
        answer = array.reshape(-1)[0].item()
    value, right = float(answer), float(expected)  # type: ignore[arg-type]
    if abs(value - right) <= _slack(right, tolerance):
        return
    if not math.isfinite(value):
        raise WrongError("This is NaN, not a number." if value != value else "This is infinite.")
    if isinstance(expected, Integral) and value != round(value):
        raise WrongError(f"{value:.6g} is not a whole number; a whole number is asked for.")
    if isinstance(expected, Integral) and abs(value - right) == 1:
        ends = " Is an end counted twice, or left out?" * (abs(right) < 100)
        raise WrongError(f"Off by one.{ends}")
    if right and abs(value + right) <= _slack(right, tolerance):
        raise WrongError("The size is right, the sign is not.")
    size = "large" if value > right else "small"
    near = _slack(right, min(tolerance, abs(right) / 1000))
    if right and not isinstance(expected, Integral) and min(abs(value / 100 - right), abs(value * 100 - right)) <= near:
        raise WrongError(f"It is a hundred times too {size}: a share, or percent?")
    told = f"{int(value):,}" if value == round(value) and abs(value) < 1e15 else f"{value:.6g}"
    raise WrongError(f"{told} is too {size}.")


def _compare_tuples(answer: object, expected: tuple[Any, ...], tolerance: float) -> None:
    try:
        if isinstance(answer, (str, bytes, dict, set)):
            raise TypeError
        given: tuple[Any, ...] = tuple(answer)  # type: ignore[arg-type]
    except TypeError:
        raise WrongError(f"Asked for is a tuple, such as `(2, 3)`; this is of type {type(answer).__name__}.") from None
    for entry in given:
        if isinstance(entry, (bool, np.bool_)) or not isinstance(entry, Real):
            kind = "`None`" if entry is None else f"of type {type(entry).__name__}"
            raise WrongError(f"Each entry is a number; one of these is {kind}.")
    whole = all(isinstance(entry, Integral) for entry in expected)
    if whole and not all(isinstance(entry, Integral) for entry in given):
        raise WrongError("Lengths are whole numbers; one of these is a float. Divide with `//`.")
    if len(given) != len(expected):
        if len(expected) > 2 and given == expected[1:]:
            raise WrongError("The first of the entries asked for is missing; of a shape that is the batch axis.")
        raise WrongError(f"It has {len(given)} entries; another number of them is asked for.")
    close = [abs(float(a) - float(e)) <= _slack(float(e), tolerance) for a, e in zip(given, expected, strict=True)]
    if all(close):
        return
    if len(expected) > 3 and given in _channels_moved(expected):
        raise WrongError(
            "The lengths are right, their order is not: in Keras, channels come last unless asked otherwise."
        )
    if sorted(given) == sorted(expected):
        raise WrongError("The numbers are right, their order is not.")
    wrong = [axis for axis, right in enumerate(close) if not right]
    where = f"entr{'y' if len(wrong) == 1 else 'ies'} {', '.join(map(str, wrong))} (counted from 0)"
    if whole and all(abs(given[axis] - expected[axis]) == 1 for axis in wrong):
        raise WrongError(f"Off by one in {where}. Is an end counted twice, or left out?")
    raise WrongError("No entry is right." if len(wrong) == len(expected) else f"Not right in {where}; the rest is.")


def _compare_arrays(answer: object, expected: Array, tolerance: float, dtype: bool) -> None:
    given = _numbers(answer, "an array")
    if dtype and given.dtype != expected.dtype:
        raise WrongError(f"Its dtype is {given.dtype}; {expected.dtype} is asked for.")
    if given.shape != expected.shape:
        raise WrongError(_shape_mistake(given.shape, expected.shape))
    was_whole = given.dtype.kind in "biu"
    given, right = given.astype(float), expected.astype(float)
    slack = tolerance + 1e-5 + 1e-4 * abs(right)
    if np.all(abs(given - right) <= slack):
        return
    if np.isnan(given).any() and not np.isnan(right).any():
        raise WrongError("The shape is right; there are NaN among the values.")
    others = {f"reversed along axis {axis}": np.flip(right, axis) for axis in range(right.ndim)}
    others |= {"reversed along every axis": np.flip(right), "of the opposite sign": -right}
    if right.ndim == 2 and right.shape[0] == right.shape[1]:
        others["transposed"] = right.T
    for name, other in others.items():
        if np.all(abs(given - other) <= slack):
            raise WrongError(f"The shape is right; the values are {name}.")
    if was_whole and np.array_equal(given, np.trunc(right)):
        raise WrongError(
            "The shape is right, and the values are cut to whole numbers. Which dtype was the array made with?"
        )
    wrong = np.argwhere(~(abs(given - right) <= slack))
    index = tuple(int(place) for place in wrong[0])
    verb, first = ("is not, at", "") if len(wrong) == 1 else ("are not,", " the first at")
    place = index[0] if len(index) == 1 else index
    raise WrongError(
        f"The shape is right; {len(wrong)} of {right.size} values {verb}{first} index {place}, where yours is "
        f"{given[index]:.4g}."
    )


def _shape_mistake(given: tuple[int, ...], expected: tuple[int, ...]) -> str:
    if len(expected) > 2 and given == expected[1:]:
        return f"Its shape is {given}: the batch axis is missing, which comes first."
    if given[1:] == expected:
        return f"Its shape is {given}: one axis too many, in front."
    if expected[-1:] == (1,) and given == expected[:-1]:
        return f"Its shape is {given}: the axis of channels is missing, which comes last."
    if len(given) != len(expected):
        axes, verb = "axis" if len(given) == 1 else "axes", "is" if len(expected) == 1 else "are"
        return f"It has {len(given)} {axes}, shape {given}; {len(expected)} {verb} asked for."
    if len(expected) == 2 and given == expected[::-1]:
        return f"Its shape is {given}: rows and columns are exchanged."
    if len(expected) > 2 and given in _channels_moved(expected):
        return f"Its shape is {given}: channels come first there; in Keras they come last unless asked otherwise."
    wrong = [axis for axis, (one, other) in enumerate(zip(given, expected, strict=True)) if one != other]
    where = f"ax{'is' if len(wrong) == 1 else 'es'} {', '.join(map(str, wrong))}"
    if all(abs(given[axis] - expected[axis]) == 1 for axis in wrong):
        return f"Its shape is {given}: off by one along {where}."
    return f"Its shape is {given}: another length along {where} is asked for."


def _channels_moved(shape: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...]:
    """Shapes with the last axis moved to the front, behind a batch axis or before it."""
    return (shape[0], shape[-1], *shape[1:-1]), (shape[-1], *shape[:-1])


def _numbers(answer: object, asked: str) -> Array:
    """Return whatever NumPy reads as numbers, or say that it is none."""
    if isinstance(answer, (str, bytes, dict, set)) or callable(answer):
        raise WrongError(f"Asked for is {asked}; this is of type {type(answer).__name__}.")
    keras = sys.modules.get("keras")  # without which there are no tensors
    try:
        # PyTorch's own conversion refuses what a layer computed.
        array = keras.ops.convert_to_numpy(answer) if keras and keras.ops.is_tensor(answer) else np.asarray(answer)
    except Exception:
        raise WrongError(f"Asked for is {asked}; this, of type {type(answer).__name__}, is none.") from None
    if array.dtype.kind not in "biuf":
        held = {"U": "text", "S": "text", "c": "complex numbers"}.get(array.dtype.kind, f"{array.dtype}")
        raise WrongError(f"Asked for is {asked}; this, of type {type(answer).__name__}, holds {held}.")
    return array


def without_colours(text: str) -> str:
    """Take the codes away with which Keras colours what it says in a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _slack(right: float, tolerance: float) -> float:
    return tolerance + 1e-6 * abs(right) + 1e-12
