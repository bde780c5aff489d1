"""Users of the page, their roles, and their logins."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bridges.credentials import ROLES, UserStore, load_users

__all__ = ["PageUsers", "Session", "Sessions", "load_page_users", "may_see_people", "may_steer"]

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
    store : users with their password hashes and roles.
    """

    def __init__(self, store: UserStore) -> None:
        self._store = store

    def role_of(self, name: str, password: str) -> str | None:
        """Return the role of a user with this password, None where name or password is wrong."""
        return self._store.role(name) if self._store.verify(name, password) else None


def load_page_users(user_file: Path | None, generated: Path, environ: Mapping[str, str] | None = None) -> tuple[PageUsers, str]:
    """Collect the users of the page, or make one ``engineer``; see :func:`bridges.credentials.load_users`."""
    store, told = load_users(user_file, "FACTORY_TWIN_PAGE", generated, environ, made_role=ROLES[1])
    return PageUsers(store), told


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
