"""Arguments as text for messages."""

from __future__ import annotations

from typing import Any

LONGEST = 256
"""Bits of a number that a message shows."""


def described(value: Any) -> str:
    """An argument as text: as it is written, where that is short."""
    if isinstance(value, int):
        return written(value)
    if value is None or isinstance(value, float):
        return repr(value)
    return with_article(type(value).__name__)


def written(number: int) -> str:
    """A number. Python refuses to write one of thousands of digits."""
    bits = number.bit_length()
    return repr(number) if bits <= LONGEST else f"a number of {bits} bits"


def with_article(name: str) -> str:
    """The name of a class, after "a" or "an"."""
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"
