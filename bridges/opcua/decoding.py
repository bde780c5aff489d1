"""What a few bytes of a stranger may make asyncua's decoder allocate.

Two forms of a Variant cost memory that no byte on the wire stands for, and a Variant may be in the header of any request, before
anyone has logged in:

- an array of Null, whose elements take no bytes: 40 bytes make a list of 2^31 entries;
- an array with Dimensions whose product is more than its length: asyncua fills it up, each time to a million entries.

Both are refused here, as OPC 10000-6 clause 5.2.2.16 has it: an array of Null is none, and wrong Dimensions are a decoding error.
All other arrays and strings are as long as the bytes that came: asyncua checks them as it reads.
"""

from __future__ import annotations

import math
from typing import Any

from asyncua.ua import ua_binary
from asyncua.ua.uaerrors import UaError

__all__ = ["harden_decoder"]

_reshape = ua_binary._reshape


class _NoArrays:
    """Takes the place of a primitive type in asyncua's array code, for Null."""

    @staticmethod
    def unpack_array(data: Any, length: int) -> list[Any]:
        if length > 0:
            raise UaError(f"an array of {length} Null values")
        return []

    @staticmethod
    def pack_array(array: Any) -> bytes:
        return ua_binary.Primitives.Int32.pack(-1 if array is None else len(array))


def _exactly_reshaped(flat: list[Any], dims: list[int] | None) -> list[Any]:
    if dims is None:
        return flat
    if any(d < 0 for d in dims) or math.prod(dims) != len(flat):
        raise UaError(f"{len(flat)} values cannot have the dimensions {dims[:8]}")
    return _reshape(flat, dims) if flat else flat


def harden_decoder() -> None:
    """Make asyncua's decoder refuse both forms, in this process, for servers and clients alike."""
    if ua_binary._reshape is _exactly_reshaped:
        return
    ua_binary.Primitives1.Null = _NoArrays  # type: ignore[attr-defined]
    ua_binary._create_uatype_array_deserializer.cache_clear()
    ua_binary.create_uatype_array_serializer.cache_clear()
    ua_binary._reshape = _exactly_reshaped
