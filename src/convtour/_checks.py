"""Checks that several functions share."""

import operator


def whole(name: str, value: int, *, at_least: int, refusal: type[Exception] = TypeError) -> int:
    """Return a whole number that is large enough, or say what is wrong with it; `refusal` is for what is not whole."""
    try:
        number = operator.index(value)
    except TypeError:
        raise refusal(f"{name}={value!r}: expected a whole number, got {type(value).__name__}.") from None
    if number < at_least:
        raise ValueError(f"{name}={number}: expected at least {at_least}.")
    return number
