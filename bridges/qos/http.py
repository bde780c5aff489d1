"""One JSON request over HTTP, and what its failures mean."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from bridges.qos.port import QosConfig, QosError

__all__ = ["ask"]

_MOST_BYTES = 1_000_000


def ask(
    config: QosConfig, method: str, path: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> tuple[Any, dict[str, str]]:
    """Send a request below ``config.url``; returns JSON (None for an empty answer) and headers, their names in small letters.

    Raises
    ------
    QosError
        For no answer, an answer that is no JSON, or any status but 2xx.
    """
    what = f"{method} {path}"
    sent = {"Accept": "application/json", **(headers or {})}
    if body is not None:
        sent["Content-Type"] = "application/json"
    if config.token_file is not None:
        try:
            sent["Authorization"] = f"Bearer {config.token_file.read_text(encoding='utf-8').strip()}"
        except OSError as error:
            raise QosError(f"token_file {config.token_file}: {error.strerror}; write the token there", again=True) from error
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(config.url.rstrip("/") + path, data, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=config.time_out_s) as answer:
            raw = answer.read(_MOST_BYTES)
            got = {k.lower(): v for k, v in answer.headers.items()}
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(300).decode("utf-8", "replace")
        raise QosError(
            f"{what}: {error.code} {said}", error.code in (408, 429) or error.code >= 500, error.code in (404, 410)
        ) from error
    except (OSError, HTTPException) as error:
        raise QosError(f"{what}: no answer ({error})", again=True) from error
    try:
        return (json.loads(raw) if raw.strip() else None), got
    except ValueError as error:
        raise QosError(f"{what}: the answer is no JSON", again=True) from error
