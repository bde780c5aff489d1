"""The server's self-signed application certificate, made on the first start.

OPC 10000-6 clause 6.2.2 says what such a certificate holds; clients refuse one whose subjectAltName lacks the application URI.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bridges.credentials import write_private
from bridges.errors import BridgeError

__all__ = ["ServerIdentity", "load_or_make"]

_KEY_BITS = 2048  # within the 2048..4096 that Basic256Sha256 allows (OPC 10000-7)
_LIFETIME = datetime.timedelta(days=3652)


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Files and name that the server shows itself with.

    Attributes
    ----------
    certificate : DER file of the certificate.
    private_key : PEM file of its key, mode 0600.
    application_uri : URI in the certificate's subjectAltName.
    """

    certificate: Path
    private_key: Path
    application_uri: str


def _alternative_names(application_uri: str, hostname: str, host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(application_uri)]
    names += [x509.DNSName(n) for n in dict.fromkeys((hostname, "localhost"))]
    addresses = ["127.0.0.1", "::1"]
    try:
        if not ipaddress.ip_address(host).is_unspecified:
            addresses.append(host)
    except ValueError:
        if host not in (hostname, "localhost"):
            names.append(x509.DNSName(host))
    return names + [x509.IPAddress(ipaddress.ip_address(a)) for a in dict.fromkeys(addresses)]


def _make(identity: ServerIdentity, hostname: str, host: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"factory-twin@{hostname}"[:64]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "factory-twin"),
        ]
    )
    now = datetime.datetime.now(datetime.UTC)
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # a client's clock may lag
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(_alternative_names(identity.application_uri, hostname, host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_id, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False)
        .add_extension(
            # OPC 10000-6 table 37: these four, and keyCertSign where the certificate signs itself
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=True,
                key_encipherment=True,
                data_encipherment=True,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    write_private(
        identity.private_key,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    identity.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.DER))


def _uri_of(path: Path) -> str:
    try:
        certificate = x509.load_der_x509_certificate(path.read_bytes())
        uris = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
            x509.UniformResourceIdentifier
        )
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        raise BridgeError(
            f"{path}: is no application certificate in DER form ({error}); move it away to have a new one made"
        ) from error
    if not uris:
        raise BridgeError(
            f"{path}: names no application URI in its subjectAltName, which clients ask for; move it away to have a new one made"
        )
    if certificate.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
        raise BridgeError(
            f"{path}: expired on {certificate.not_valid_after_utc:%Y-%m-%d}; move it and private-key.pem away to have new "
            "ones made, then let the clients trust the new certificate"
        )
    return uris[0]


def load_or_make(folder: Path, host: str) -> ServerIdentity:
    """Return the server's certificate and key, making both on the first start.

    Parameters
    ----------
    folder : where ``certificate.der`` and ``private-key.pem`` are.
    host : address the server listens on; part of a new certificate.

    Raises
    ------
    BridgeError
        One of the two is missing, or the certificate cannot be used.
    """
    certificate, private_key = folder / "certificate.der", folder / "private-key.pem"
    if certificate.exists() != private_key.exists():
        here, gone = (certificate, private_key) if certificate.exists() else (private_key, certificate)
        raise BridgeError(
            f"{gone}: missing, while {here.name} is there; bring it back, or move {here.name} away to have both made anew"
        )
    if not certificate.exists():
        hostname = socket.gethostname()
        _make(ServerIdentity(certificate, private_key, f"urn:{hostname}:factory-twin"), hostname, host)
    return ServerIdentity(certificate, private_key, _uri_of(certificate))
