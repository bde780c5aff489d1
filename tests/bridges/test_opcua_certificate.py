"""The server's certificate: what OPC 10000-6 clause 6.2.2 asks for, made once, kept private."""

from __future__ import annotations

import datetime
import ipaddress
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from bridges.errors import BridgeError
from bridges.opcua.certificate import load_or_make


def test_the_certificate_holds_what_clients_check(tmp_path):
    identity = load_or_make(tmp_path / "own", "192.0.2.7")
    certificate = x509.load_der_x509_certificate(identity.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [identity.application_uri]
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("192.0.2.7")} <= set(
        names.get_values_for_type(x509.IPAddress)
    )
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.content_commitment
    assert usage.key_encipherment
    assert usage.data_encipherment
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.SERVER_AUTH in extended
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert 2048 <= key.key_size <= 4096  # OPC 10000-7, Basic256Sha256
    certificate.verify_directly_issued_by(certificate)
    assert certificate.not_valid_after_utc > datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3000)


def test_the_key_is_private_and_both_are_kept(tmp_path):
    first = load_or_make(tmp_path, "127.0.0.1")
    assert stat.S_IMODE(first.private_key.stat().st_mode) == 0o600
    before = first.certificate.read_bytes()
    assert load_or_make(tmp_path, "127.0.0.1") == first
    assert first.certificate.read_bytes() == before


def test_half_a_pair_is_told(tmp_path):
    load_or_make(tmp_path, "127.0.0.1").private_key.unlink()
    with pytest.raises(BridgeError, match=r"private-key.pem: missing, while certificate.der is there"):
        load_or_make(tmp_path, "127.0.0.1")


def test_a_file_that_is_no_certificate_is_told(tmp_path):
    load_or_make(tmp_path, "127.0.0.1").certificate.write_bytes(b"hello")
    with pytest.raises(BridgeError, match=r"certificate.der: is no application certificate in DER form"):
        load_or_make(tmp_path, "127.0.0.1")
