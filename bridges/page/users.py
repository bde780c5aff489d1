"""Users of the page, their roles, and their logins."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bridges.credentials import UserStore, hash_password, read_secret, verify_password, write_private
from bridges.errors import CredentialsError

__all__ = ["ROLES", "PageUsers", "Session", "Sessions", "load_page_users", "may_see_people", "may_steer"]

ROLES = ("viewer", "engineer", "safety")
"""Viewers look; engineers also steer; safety also sees where people are."""

_ENV = "FACTORY_TWIN_PAGE"
_MAX_SESSIONS = 500
_TRIES = 5  # wrong passwords of a name within the time below; then it waits, so that guessing takes years
_TRY_WINDOW_S = 60.0
_MAX_TRIED = 1000  # names remembered, so that a flood of names does not fill the memory


def may_steer(role: str) -> bool:
    """Whether a role may give commands."""
    return role in ROLES[1:]


def may_see_people(role: str) -> bool:
    """Whether a role may see where people are, finer than a zone."""
    return role == "safety"


class PageUsers:
    """Who may log in, and as what.

    Parameters
    ----------
    hashes : password hash by name. roles : role by name.
    """

    def __init__(self, hashes: Mapping[str, str], roles: Mapping[str, str]) -> None:
        self._store = UserStore(hashes)
        self._roles = dict(roles)

    def role_of(self, name: str, password: str) -> str | None:
        """Return the role of a user with this password, None where name or password is wrong."""
        return self._roles[name] if self._store.verify(name, password) else None


def _read(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{path}: cannot read the users: {error}") from error
    hashes: dict[str, str] = {}
    roles: dict[str, str] = {}
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        parts = line.split(":")
        name, role, encoded = (parts[0], ROLES[0], parts[1]) if len(parts) == 2 else parts if len(parts) == 3 else ("", "", "")
        if not (name and encoded):
            raise CredentialsError(f"{path}:{number}: a line is name:hash or name:role:hash")
        if role not in ROLES:
            raise CredentialsError(f"{path}:{number}: role {role!r} is unknown; known: {', '.join(ROLES)}")
        if encoded == "certificate":  # a user of the OPC UA server who has no password
            continue
        try:
            verify_password("", encoded)
        except CredentialsError as error:
            raise CredentialsError(f"{path}:{number}: {error}") from error
        hashes[name], roles[name] = encoded, role
    if not hashes:
        raise CredentialsError(f"{path}: holds no user with a password; python -m bridges.credentials NAME prints a line for it")
    return hashes, roles


def load_page_users(user_file: Path | None, generated: Path, environ: Mapping[str, str] | None = None) -> tuple[PageUsers, str]:
    """Collect the users from a file and the environment, or make one.

    Parameters
    ----------
    user_file : lines ``name:role:hash`` or ``name:hash`` (a viewer).
    generated : where ``engineer:password`` is kept for a person who configured nobody.
    environ : FACTORY_TWIN_PAGE_USER, _PASSWORD and _ROLE (default: engineer) are read; default: the process's.

    Returns
    -------
    PageUsers
        The users.
    str
        What to tell the person at the keyboard, "" for nothing.

    Raises
    ------
    CredentialsError
        A file cannot be used, half a pair of variables is set, or a role is unknown.
    """
    environment = os.environ if environ is None else environ
    hashes, roles = _read(user_file) if user_file is not None else ({}, {})
    name, password = environment.get(f"{_ENV}_USER", ""), environment.get(f"{_ENV}_PASSWORD", "")
    if bool(name) != bool(password):
        missing, given = ("_PASSWORD", "_USER") if name else ("_USER", "_PASSWORD")
        raise CredentialsError(f"{_ENV}{given} is set but {_ENV}{missing} is not: set both or neither")
    if name:
        role = environment.get(f"{_ENV}_ROLE", "engineer")
        if role not in ROLES:
            raise CredentialsError(f"{_ENV}_ROLE is {role!r}; known: {', '.join(ROLES)}")
        hashes[name], roles[name] = hash_password(password), role
    if hashes:
        return PageUsers(hashes, roles), ""
    if not generated.exists():
        write_private(generated, f"engineer:{secrets.token_urlsafe(12)}\n".encode())
    name, colon, password = read_secret(generated, "name:password").partition(":")
    if not (name and colon and password):
        raise CredentialsError(f"{generated}: its first line should be name:password; delete the file to have a new one made")
    return PageUsers({name: hash_password(password)}, {name: "engineer"}), f"user {name}, password in {generated}"


@dataclass(slots=True)
class Session:
    """A login. ``ends_s`` is on the clock of :class:`Sessions`."""

    user: str
    role: str
    ends_s: float


class Sessions:
    """Logins by their token, in memory only: a restart logs everybody out.

    Parameters
    ----------
    minutes : a login ends this long after its last use.
    clock : seconds that only grow; a test hands in its own.
    """

    def __init__(self, minutes: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._span_s, self._clock = 60.0 * minutes, clock
        self._open: dict[str, Session] = {}
        self._tried: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def must_wait(self, name: str) -> bool:
        """Tell whether too many wrong passwords came for a name within the last minute."""
        with self._lock:
            tried = self._tried.get(name)
            return tried is not None and len(tried) == _TRIES and self._clock() - tried[0] < _TRY_WINDOW_S

    def failed(self, name: str) -> None:
        """Note a wrong password."""
        with self._lock:
            if len(self._tried) >= _MAX_TRIED:
                self._tried.pop(next(iter(self._tried)))
            self._tried.setdefault(name, deque(maxlen=_TRIES)).append(self._clock())

    def open(self, user: str, role: str) -> str:
        """Start a login and return its token. The oldest gives way where there are too many."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            now = self._clock()
            self._open = {t: s for t, s in self._open.items() if s.ends_s > now}
            if len(self._open) >= _MAX_SESSIONS:
                self._open.pop(next(iter(self._open)))
            self._open[token] = Session(user, role, now + self._span_s)
            self._tried.pop(user, None)
        return token

    def find(self, token: str | None, use: bool = True) -> Session | None:
        """Return the login of a token, None where it has ended; ``use`` lets it last anew."""
        with self._lock:
            session, now = self._open.get(token or ""), self._clock()
            if session is None or session.ends_s <= now:
                return None
            if use:
                session.ends_s = now + self._span_s
            return session

    def close(self, token: str | None) -> None:
        """End a login."""
        with self._lock:
            self._open.pop(token or "", None)
