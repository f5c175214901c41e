"""A certificate authority of our own for the broker, and the broker's certificate.

Elliptic-curve keys (P-256). The authority signs one kind of certificate, servers'; its key stays
with whoever ran `make secrets` and goes into no container. There is no revocation list: a key
that leaked is answered with a new authority (`make secrets ARGS=--rotate`), after which no
certificate of the old one is taken.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397  # browsers' limit since 2020 (CA/Browser Forum ballot SC31); ours by choice
RENEW_DAYS = 60
BACKDATED = timedelta(minutes=5)  # clocks of other machines may be behind


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


def new_authority(now: datetime | None = None, days: float = AUTHORITY_DAYS) -> Pair:
    """A self-signed authority that may sign servers and nothing below itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Orbital Twin broker authority")
    builder = _builder(name, name, key.public_key(), now, days)
    usage = _usage(key_cert_sign=True, crl_sign=True)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    return _pair(builder.sign(key, hashes.SHA256()), key)


def new_server(
    authority: Pair, names: Sequence[str], now: datetime | None = None, days: float = SERVER_DAYS
) -> Pair:
    """A server's certificate for these DNS names and IP addresses."""
    signer = x509.load_pem_x509_certificate(authority.certificate.encode())
    signer_key = serialization.load_pem_private_key(authority.key.encode(), None)
    assert isinstance(signer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(names[0]), signer.subject, key.public_key(), now, days)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key.public_key())
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(digital_signature=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
        (identifier, False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return _pair(builder.sign(signer_key, hashes.SHA256()), key)


def serves(certificate: str, authority: str, names: Sequence[str], now: datetime) -> bool:
    """Whether it is the authority's, for exactly these names, and good for RENEW_DAYS more."""
    try:
        shown = x509.load_pem_x509_certificate(certificate.encode())
        shown.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
        found = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # noqa: BLE001 - whatever is wrong with it, a new one is made
        return False
    wanted = x509.SubjectAlternativeName([_general_name(name) for name in names])
    return found == wanted and shown.not_valid_after_utc > now + timedelta(days=RENEW_DAYS)


def days_left(certificate: str, now: datetime) -> float:
    """Days until a certificate ends; negative after it has."""
    shown = x509.load_pem_x509_certificate(certificate.encode())
    return (shown.not_valid_after_utc - now) / timedelta(days=1)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime | None,
    days: float,
) -> x509.CertificateBuilder:
    begin = (now or datetime.now(UTC)) - BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode())
