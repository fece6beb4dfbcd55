"""Verifies what others signed with their keys: RSA as SNS does it, ECDSA as SendGrid does."""

import binascii
from base64 import b64decode

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import load_pem_x509_certificate

_WRONG = (InvalidSignature, UnsupportedAlgorithm, ValueError, binascii.Error)


def is_signed_by_certificate(certificate: bytes, signature: str, signed: bytes, *, is_sha256: bool) -> bool:
    """RSA, PKCS #1 1.5; the certificate in PEM, the signature in base64."""
    try:
        public = load_pem_x509_certificate(certificate).public_key()
        if not isinstance(public, RSAPublicKey):
            return False
        # SHA-1 is what SNS still signs with unless a topic is told otherwise.
        public.verify(b64decode(signature, validate=True), signed, PKCS1v15(), SHA256() if is_sha256 else SHA1())  # noqa: S303
    except _WRONG:
        return False
    return True


def is_signed_by_key(key: str, signature: str, signed: bytes) -> bool:
    """ECDSA with SHA-256; the key (SubjectPublicKeyInfo) and the signature in base64."""
    try:
        public = load_der_public_key(b64decode(key))
        if not isinstance(public, EllipticCurvePublicKey):
            return False
        public.verify(b64decode(signature, validate=True), signed, ECDSA(SHA256()))
    except _WRONG:
        return False
    return True
