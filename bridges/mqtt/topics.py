"""Levels of topics that cannot break out of their place.

MQTT reserves ``/`` between levels, ``+`` and ``#`` in filters and ``$`` at the start of a broker's own topics (MQTT 3.1.1, 4.7).
Control characters, surrogates and non-characters, which a broker may end the connection for (1.5.3), are reserved as well.
A name from outside becomes exactly one level, whatever it holds, so that nobody reaches another topic by a crafted name.
"""

from __future__ import annotations

import re

__all__ = ["level"]

_RESERVED = re.compile("[/+#\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_MAX_LEVEL = 256


def level(name: str) -> str:
    """Return a name as one level of a topic: the characters that MQTT reserves become underscores, 256 characters at most."""
    clean = _RESERVED.sub("_", name[:_MAX_LEVEL])
    return f"_{clean[1:]}" if clean.startswith("$") else clean or "_"
