"""Users and passwords of the bridges.

Passwords are kept as salted scrypt hashes (RFC 7914) in a file of lines ``name:role:scrypt$n$r$p$salt$hash``; a line without a
role is a viewer's, and ``certificate`` in the place of the hash is a user who logs in by an X.509 certificate alone. The one
exception is the password the twin makes for a person who configured none: it lies in the state folder, readable by its owner
only, so that the person can look it up.

``python -m bridges.credentials NAME [ROLE]`` asks for a password and prints a line for the file.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from bridges.errors import CredentialsError

__all__ = [
    "CERTIFICATE_ONLY",
    "ROLES",
    "UserStore",
    "hash_password",
    "load_users",
    "read_secret",
    "verify_password",
    "write_private",
]

ROLES = ("viewer", "engineer", "safety")
"""Viewers look; engineers also steer the twin and its AGVs; safety also changes limits that concern people."""

CERTIFICATE_ONLY = "certificate"
"""Stands for the hash of a user who has no password."""

# RFC 7914 section 2 names N = 2^14, r = 8, p = 1 for interactive logins: 16 MiB and some 40 ms.
_N, _R, _P = 2**14, 8, 1
_KEY_BYTES = 32
_MAX_PASSWORD_BYTES = 1024  # a longer one would only serve to keep the server busy


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=_KEY_BYTES)


def hash_password(password: str) -> str:
    """Return ``scrypt$n$r$p$salt$hash`` of a password with a fresh salt from the operating system.

    Raises
    ------
    CredentialsError
        The password is empty, holds a NUL character or is longer than 1024 bytes.
    """
    if not password or "\0" in password or len(password.encode()) > _MAX_PASSWORD_BYTES:
        raise CredentialsError(f"a password has 1 to {_MAX_PASSWORD_BYTES} bytes and no NUL character")
    salt = secrets.token_bytes(16)
    key = _scrypt(password, salt, _N, _R, _P)
    return f"scrypt${_N}${_R}${_P}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def verify_password(password: str, encoded: str) -> bool:
    """Tell whether a password fits a line of :func:`hash_password`, in constant time over its content.

    Raises
    ------
    CredentialsError
        The hash is not of this form.
    """
    try:
        kind, n, r, p, salt, key = encoded.split("$")
        if kind != "scrypt":
            raise ValueError(kind)
        wanted = base64.b64decode(key, validate=True)
        numbers = (int(n), int(r), int(p))
        salt_bytes = base64.b64decode(salt, validate=True)
    except ValueError as error:
        raise CredentialsError(f"{encoded[:12]}... is no password hash; python -m bridges.credentials NAME prints one") from error
    # HMAC pads short keys with zeros, so to scrypt a password and the same with a NUL behind it are one
    if len(password.encode()) > _MAX_PASSWORD_BYTES or "\0" in password:
        return False
    return hmac.compare_digest(_scrypt(password, salt_bytes, *numbers), wanted)


class UserStore:
    """Users and their password hashes.

    Parameters
    ----------
    users : hash by user name, or :data:`CERTIFICATE_ONLY`.
    roles : role by user name; who has none is a viewer.
    """

    def __init__(self, users: Mapping[str, str], roles: Mapping[str, str] | None = None) -> None:
        self._users = dict(users)
        self._roles = dict(roles or {})
        # checked against for an unknown name, so that the time of an answer does not tell which names exist
        self._nobody = hash_password(secrets.token_urlsafe())

    @property
    def names(self) -> tuple[str, ...]:
        """User names, sorted."""
        return tuple(sorted(self._users))

    def role(self, name: str) -> str:
        """Return the role of a user."""
        return self._roles.get(name, ROLES[0])

    def verify(self, name: str, password: str) -> bool:
        """Tell whether this user has this password."""
        encoded = self._users.get(name)
        if encoded is None or encoded == CERTIFICATE_ONLY:
            verify_password(password, self._nobody)
            return False
        return verify_password(password, encoded)


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read (mode 0600), making its folder (0700) where needed.

    Raises
    ------
    FileExistsError
        The file exists; a secret is never overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def read_secret(path: Path, what: str) -> str:
    """Return the first line of a file that holds a secret in clear.

    Parameters
    ----------
    path : the file.
    what : what it should hold, for the error.

    Raises
    ------
    CredentialsError
        The file is missing, empty, or open to other users of the machine.
    """
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{path}: cannot read {what}: {error}") from error
    if mode & 0o077:
        raise CredentialsError(f"{path}: holds {what} but others may read it (mode {mode:03o}); run: chmod 600 {path}")
    line = text.splitlines()[0].strip() if text.strip() else ""
    if not line:
        raise CredentialsError(f"{path}: its first line should be {what}, but it is empty")
    return line


def _read_user_file(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{path}: cannot read the users: {error}") from error
    users: dict[str, str] = {}
    roles: dict[str, str] = {}
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, *role, encoded = line.split(":") if ":" in line else ("", "")
        if not (name and encoded) or len(role) > 1:
            raise CredentialsError(
                f"{path}:{number}: a line is name:hash or name:role:hash; python -m bridges.credentials NAME ROLE prints one"
            )
        if role and role[0] not in ROLES:
            raise CredentialsError(f"{path}:{number}: role {role[0]!r} is unknown; known: {', '.join(ROLES)}")
        if name in users:
            raise CredentialsError(f"{path}:{number}: user {name!r} has a line already; keep one of them")
        if encoded != CERTIFICATE_ONLY:
            try:
                verify_password("", encoded)
            except CredentialsError as error:
                raise CredentialsError(f"{path}:{number}: {error}") from error
        users[name], roles[name] = encoded, role[0] if role else ROLES[0]
    if not users:
        raise CredentialsError(f"{path}: holds no user; python -m bridges.credentials NAME prints a line for it")
    return users, roles


def load_users(
    user_file: Path | None,
    env_prefix: str,
    generated: Path,
    environ: Mapping[str, str] | None = None,
    made_role: str = ROLES[0],
) -> tuple[UserStore, str]:
    """Collect the users of a bridge from its file and the environment, or make one.

    Parameters
    ----------
    user_file : file of lines ``name:role:hash`` or ``name:hash``.
    env_prefix : ``<prefix>_USER``, ``<prefix>_PASSWORD`` and ``<prefix>_ROLE`` are read, for example FACTORY_TWIN_OPCUA.
    generated : where a password is kept, as ``name:password``, for a person who configured none.
    environ : the environment; default: the process's.
    made_role : role, and name, of the user that is made; also of the environment's, where it names no role.

    Returns
    -------
    UserStore
        The users.
    str
        What to tell the person at the keyboard, "" for nothing.

    Raises
    ------
    CredentialsError
        A file cannot be used, or half a pair of variables is set.
    """
    environment = os.environ if environ is None else environ
    users, roles = _read_user_file(user_file) if user_file is not None else ({}, {})
    name, password = environment.get(f"{env_prefix}_USER", ""), environment.get(f"{env_prefix}_PASSWORD", "")
    if bool(name) != bool(password):
        missing, given = ("_PASSWORD", "_USER") if name else ("_USER", "_PASSWORD")
        raise CredentialsError(f"{env_prefix}{given} is set but {env_prefix}{missing} is not: set both or neither")
    if name:
        role = environment.get(f"{env_prefix}_ROLE", "") or made_role
        if role not in ROLES:
            raise CredentialsError(f"{env_prefix}_ROLE is {role!r}, which is unknown; known: {', '.join(ROLES)}")
        users[name], roles[name] = hash_password(password), role
    if users:
        return UserStore(users, roles), ""
    if not generated.exists():
        write_private(generated, f"{made_role}:{secrets.token_urlsafe(18)}\n".encode())
    name, colon, password = read_secret(generated, "name:password").partition(":")
    if not (name and colon and password):
        raise CredentialsError(f"{generated}: its first line should be name:password; delete the file to have a new one made")
    return UserStore({name: hash_password(password)}, {name: made_role}), f"user {name}, password in {generated}"


if __name__ == "__main__":
    words = sys.argv[1:]
    if len(words) not in (1, 2) or ":" in words[0] or not words[0].strip() or (words[1:] and words[1] not in ROLES):
        sys.exit(
            f"usage: python -m bridges.credentials NAME [{'|'.join(ROLES)}]   (asks for a password, prints a line for user_file)"
        )
    first = getpass.getpass("Password: ")
    if not first or getpass.getpass("Again: ") != first:
        sys.exit("The two passwords differ, or are empty; nothing was printed.")
    print(":".join([*words, hash_password(first)]))
