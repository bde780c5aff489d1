"""Which client applications are let in, by the certificates in the folders ``trusted`` and ``rejected``.

The rules follow OPC 10000-4 clause 6.1.3: structure, validity, use, trust, revocation. A certificate is trusted if it lies in
``trusted`` itself, or if a CA's certificate that lies there issued it and no CRL beside it (``*.crl``) revokes it; a chain has at
most these two members. Both folders are read anew for every new channel, so moving a file takes effect at once.

asyncua validates only the certificate that a client *names* when it creates a session, which need not be the one it opened the
channel with; here the channel's certificate is judged, before the channel exists.
"""

from __future__ import annotations

import datetime
import hashlib
import logging
from pathlib import Path

from asyncua.common.utils import ServiceError
from asyncua.ua.status_codes import StatusCodes
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

__all__ = ["TrustList", "leaf", "load_certificate", "require_usable"]

_log = logging.getLogger(__name__)

_MAX_REJECTED = 100  # strangers must not fill the disk
_MAX_BYTES = 32_768
_KEY_BITS = (2048, 4096)  # of all three policies (OPC 10000-7)


def leaf(der: bytes) -> bytes:
    """Return the first certificate of a chain; a channel's certificate may have its issuers' behind it (OPC 10000-6, 6.2.6)."""
    if len(der) < 4 or der[0] != 0x30 or der[1] != 0x82:
        return der
    return der[: 4 + int.from_bytes(der[2:4], "big")]


def load_certificate(path: Path) -> x509.Certificate:
    """Read a certificate in DER or PEM form.

    Raises
    ------
    ValueError
        The file holds no certificate.
    OSError
        The file cannot be read.
    """
    content = path.read_bytes()
    if content.startswith(b"-----BEGIN"):
        return x509.load_pem_x509_certificate(content)
    return x509.load_der_x509_certificate(content)


def require_usable(certificate: x509.Certificate) -> None:
    """Check what can be told from a certificate alone: time, key, use.

    Raises
    ------
    ServiceError
        With the status code of OPC 10000-4 table 106.
    """
    now = datetime.datetime.now(datetime.UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise ServiceError(StatusCodes.BadCertificateTimeInvalid)
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or not _KEY_BITS[0] <= key.key_size <= _KEY_BITS[1]:
        raise ServiceError(StatusCodes.BadCertificatePolicyCheckFailed)
    try:
        if not certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            raise ServiceError(StatusCodes.BadCertificateUseNotAllowed)
    except x509.ExtensionNotFound:
        pass  # older tools make certificates without it; the standard lets an administrator accept them
    except ValueError as error:
        raise ServiceError(StatusCodes.BadCertificateInvalid) from error


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


class TrustList:
    """The two folders.

    Parameters
    ----------
    folder : where ``trusted`` and ``rejected`` are, made where they are missing.
    trust_any : let in whoever shows a usable certificate.
    peer : who is judged, for the log: ``client`` or ``server``.

    Attributes
    ----------
    trusted, rejected : the folders.
    """

    def __init__(self, folder: Path, trust_any: bool, peer: str = "client") -> None:
        self.trusted, self.rejected = folder / "trusted", folder / "rejected"
        self._trust_any, self._peer = trust_any, peer
        for part in (self.trusted, self.rejected):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)

    def require_trusted(self, der: bytes) -> x509.Certificate:
        """Judge the certificate that a client opens a channel with, and return it.

        Raises
        ------
        ServiceError
            It is unusable, or untrusted and now in ``rejected``.
        """
        try:
            if len(der) > _MAX_BYTES:
                raise ValueError(f"{len(der)} bytes")
            certificate = x509.load_der_x509_certificate(leaf(der))
        except ValueError as error:
            raise ServiceError(StatusCodes.BadCertificateInvalid) from error
        require_usable(certificate)
        if not self._trust_any:
            self._require_in_list(certificate, leaf(der))
        return certificate

    def _require_in_list(self, certificate: x509.Certificate, der: bytes) -> None:
        issuers = []
        for path in sorted(self.trusted.iterdir()):
            if path.suffix == ".crl":
                continue
            try:
                known = load_certificate(path)
            except (OSError, ValueError):
                _log.warning("%s is no certificate and trusts nobody", path)
                continue
            if known == certificate:
                return
            if _is_ca(known):
                issuers.append(known)
        for issuer in issuers:
            try:
                certificate.verify_directly_issued_by(issuer)
            except (ValueError, TypeError, InvalidSignature):
                continue
            require_usable(issuer)
            self._require_not_revoked(certificate, issuer)
            return
        self._reject(certificate, der)
        raise ServiceError(StatusCodes.BadCertificateUntrusted)

    def _require_not_revoked(self, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
        for path in sorted(self.trusted.glob("*.crl")):
            content = path.read_bytes()
            try:
                crl = x509.load_pem_x509_crl(content) if content.startswith(b"-----") else x509.load_der_x509_crl(content)
                ours = crl.issuer == issuer.subject and crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
            except (ValueError, TypeError) as error:
                _log.warning("%s is no revocation list: %s", path, error)
                raise ServiceError(StatusCodes.BadCertificateRevocationUnknown) from error
            if ours and crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
                raise ServiceError(StatusCodes.BadCertificateRevoked)

    def _reject(self, certificate: x509.Certificate, der: bytes) -> None:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        name = "".join(c if c.isalnum() or c in "-." else "_" for c in str(names[0].value if names else "client"))[:48].lstrip(
            "."
        )
        path = self.rejected / f"{name}-{hashlib.sha256(der).hexdigest()[:16]}.der"
        if not path.exists():
            kept = sorted(self.rejected.glob("*.der"), key=lambda p: p.stat().st_mtime_ns)
            for old in kept[: max(0, len(kept) - _MAX_REJECTED + 1)]:
                old.unlink(missing_ok=True)
            path.write_bytes(der)
        _log.warning("OPC UA: an unknown %s was refused; to trust it, move %s to %s", self._peer, path, self.trusted)
