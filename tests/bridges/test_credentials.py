"""Users and passwords: salted, private, and errors with file and line."""

from __future__ import annotations

import base64
import hashlib
import stat

import pytest

from bridges.credentials import UserStore, hash_password, load_users, read_secret, verify_password, write_private
from bridges.errors import CredentialsError


def test_scrypt_as_rfc_7914_prints_it():
    # RFC 7914 section 12, second vector, cut to the 32 bytes that are kept; N = 1024, r = 8, p = 16
    encoded = "scrypt$1024$8$16$TmFDbA==$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI="
    assert verify_password("password", encoded)
    assert not verify_password("Password", encoded)


def test_a_hash_fits_its_password_only_and_is_salted():
    one, two = hash_password("cell 7"), hash_password("cell 7")
    assert one != two
    assert verify_password("cell 7", one)
    assert not verify_password("cell 8", one)
    assert not verify_password("cell 7\0", one)  # HMAC alone would take it
    assert not verify_password("x" * 5000, one)


@pytest.mark.parametrize("password", ["", "a\0b", "x" * 1025])
def test_a_password_that_could_not_be_checked_is_refused(password):
    with pytest.raises(CredentialsError, match="1 to 1024 bytes"):
        hash_password(password)


def test_a_store_knows_its_users():
    store = UserStore({"anna": hash_password("s3cret")})
    assert store.names == ("anna",)
    assert store.verify("anna", "s3cret")
    assert not store.verify("anna", "")
    assert not store.verify("bert", "s3cret")


def test_users_come_from_file_and_environment(tmp_path):
    file = tmp_path / "users"
    file.write_text(f"# viewers\nanna:{hash_password('one')}\n\n")
    environ = {"TWIN_USER": "bert", "TWIN_PASSWORD": "two"}
    store, told = load_users(file, "TWIN", tmp_path / "generated", environ)
    assert told == ""
    assert store.names == ("anna", "bert")
    assert store.verify("bert", "two")
    assert not (tmp_path / "generated").exists()


def test_a_password_is_made_once_and_told(tmp_path):
    file = tmp_path / "state" / "password.txt"
    store, told = load_users(None, "TWIN", file, {})
    assert str(file) in told
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    name, password = file.read_text().strip().split(":")
    assert name == "viewer"
    assert len(password) >= 24
    assert store.verify(name, password)
    again, _ = load_users(None, "TWIN", file, {})
    assert again.verify(name, password)


def test_half_a_pair_of_variables_is_refused(tmp_path):
    with pytest.raises(CredentialsError, match="TWIN_USER is set but TWIN_PASSWORD is not"):
        load_users(None, "TWIN", tmp_path / "g", {"TWIN_USER": "anna"})
    with pytest.raises(CredentialsError, match="TWIN_PASSWORD is set but TWIN_USER is not"):
        load_users(None, "TWIN", tmp_path / "g", {"TWIN_PASSWORD": "x"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("anna", r"users:1: a line is name:hash"),
        ("\nanna:plain-text", r"users:2: plain-text.* is no password hash"),
        ("# none\n", "holds no user"),
    ],
)
def test_a_bad_user_file_is_told_with_its_line(tmp_path, content, message):
    file = tmp_path / "users"
    file.write_text(content)
    with pytest.raises(CredentialsError, match=message):
        load_users(file, "TWIN", tmp_path / "g", {})


def test_a_missing_user_file_is_told(tmp_path):
    with pytest.raises(CredentialsError, match="cannot read the users"):
        load_users(tmp_path / "none", "TWIN", tmp_path / "g", {})


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    file = tmp_path / "secret"
    write_private(file, b"open sesame\nsecond line\n")
    assert read_secret(file, "the password") == "open sesame"
    file.chmod(0o644)
    with pytest.raises(CredentialsError, match="chmod 600"):
        read_secret(file, "the password")


def test_a_secret_is_never_overwritten(tmp_path):
    file = tmp_path / "secret"
    write_private(file, b"one")
    with pytest.raises(FileExistsError):
        write_private(file, b"two")
    assert file.read_bytes() == b"one"


def test_the_parameters_are_those_of_the_rfc():
    # RFC 7914 section 2: N = 2^14, r = 8, p = 1
    salt, key = hash_password("x").split("$")[4:]
    expected = hashlib.scrypt(b"x", salt=base64.b64decode(salt), n=16384, r=8, p=1, maxmem=64 * 2**20, dklen=32)
    assert base64.b64decode(key) == expected


def test_roles_come_with_the_lines(tmp_path):
    file = tmp_path / "users"
    file.write_text(f"old:{hash_password('one')}\negon:engineer:{hash_password('two')}\nplc:safety:certificate\n")
    store, _ = load_users(file, "TWIN", tmp_path / "g", {"TWIN_USER": "eva", "TWIN_PASSWORD": "x", "TWIN_ROLE": "safety"})
    assert [store.role(name) for name in ("old", "egon", "plc", "eva")] == ["viewer", "engineer", "safety", "safety"]
    assert store.verify("egon", "two")
    assert not store.verify("plc", "certificate")  # has no password at all


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("egon:boss:certificate", r"users:1: role 'boss' is unknown; known: viewer, engineer, safety"),
        ("egon:engineer:x:certificate", r"users:1: a line is name:hash or name:role:hash"),
        ("egon:engineer:", r"users:1: a line is name:hash or name:role:hash"),
        ("egon:certificate\negon:safety:certificate", r"users:2: user 'egon' has a line already"),
    ],
)
def test_a_bad_role_is_told_with_its_line(tmp_path, line, message):
    file = tmp_path / "users"
    file.write_text(line + "\n")
    with pytest.raises(CredentialsError, match=message):
        load_users(file, "TWIN", tmp_path / "g", {})


def test_an_unknown_role_of_the_environment_is_told(tmp_path):
    with pytest.raises(CredentialsError, match="TWIN_ROLE is 'boss'"):
        load_users(None, "TWIN", tmp_path / "g", {"TWIN_USER": "a", "TWIN_PASSWORD": "b", "TWIN_ROLE": "boss"})
