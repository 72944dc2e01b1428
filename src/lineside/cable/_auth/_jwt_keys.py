"""Keys of JSON Web Tokens, each with the one algorithm that it is good for.

A key that names its algorithm cannot be confused: a token says which algorithm it was made with, but
not which one it is checked with (RFC 8725 section 3.1).
"""

from typing import Any, Final, Literal

from lineside.cable._auth._secret_bytes import Secret, SecretHolder, secret_bytes
from lineside.exceptions import MissingDependencyError, SecretError

__all__ = ["ALGORITHMS", "Algorithm", "JWTKey", "jwt_package"]

Algorithm = Literal["HS256", "RS256", "EdDSA"]
"""HMAC with SHA-256, RSA PKCS #1 v1.5 with SHA-256 (RFC 7518 section 3), Ed25519 (RFC 8037)."""

ALGORITHMS: Final[tuple[Algorithm, ...]] = ("HS256", "RS256", "EdDSA")

_MIN_SECRET_BYTES: Final = 32
_MIN_RSA_BITS: Final = 2_048


def jwt_package() -> Any:
    """Return PyJWT.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import jwt
    except ImportError:
        raise MissingDependencyError("jwt", extra="cable") from None
    return jwt


class JWTKey(SecretHolder):
    """A key that verifies tokens, and makes them where it can.

    Args:
        key: A secret of at least 32 bytes for ``HS256``; a public or private key in PEM for the others.
        algorithm: The one algorithm that it is good for.
        id: Its ``kid``: the key is used for tokens that name it, and for no others. None for a key that
            is tried whatever a token names.

    Attributes:
        algorithm: As given.
        id: As given.
        signs: It can make tokens too.

    Raises:
        SecretError: The secret is too short or a PEM text, the RSA key has less than 2048 bits, or the
            text is no key of this algorithm.
        MissingDependencyError: PyJWT is not installed.
    """

    __slots__ = ("_jws", "_jws", "_signing", "_verifying", "algorithm", "id", "signs")

    def __init__(self, key: Secret, algorithm: Algorithm = "HS256", *, id: str | None = None) -> None:  # noqa: A002 - the header is called kid
        if algorithm not in ALGORITHMS:
            raise SecretError(f"no token is checked with {algorithm!r}; there are: {', '.join(ALGORITHMS)}")
        raw = secret_bytes(key, least=_MIN_SECRET_BYTES, name=f"the {algorithm} key of JSON Web Tokens")
        self.algorithm: Algorithm = algorithm
        self.id: str | None = id
        self._jws: Any = jwt_package().PyJWS(algorithms=[algorithm])
        loaded: Any = _hmac_secret(raw) if algorithm == "HS256" else _loaded(self._jws, raw, algorithm)
        private = hasattr(loaded, "private_bytes")
        self._signing = loaded
        self._verifying = loaded.public_key() if private else loaded
        self.signs: bool = private or algorithm == "HS256"

    def verify(self, token: str) -> bytes:
        """Return the payload of a token that this key has signed.

        Args:
            token: In JWS compact serialisation (RFC 7515 section 7.1).

        Raises:
            jwt.PyJWTError: It is another key's, or no token.
        """
        payload: bytes = self._jws.decode(token, self._verifying, algorithms=[self.algorithm])
        return payload

    def sign(self, payload: bytes) -> str:
        """Make a token.

        Args:
            payload: A JSON object.

        Raises:
            SecretError: It is a public key.
        """
        if not self.signs:
            raise SecretError("a public key cannot make tokens: use the private one where tokens are made")
        headers = {} if self.id is None else {"kid": self.id}
        token: str = self._jws.encode(payload, self._signing, algorithm=self.algorithm, headers=headers)
        return token


def _hmac_secret(raw: bytes) -> bytes:
    if b"-----BEGIN" in raw or raw.startswith(b"ssh-"):
        raise SecretError("an HS256 secret is no public key, which everybody knows: name RS256 or EdDSA")
    return raw


def _loaded(jws: Any, raw: bytes, algorithm: Algorithm) -> Any:
    try:
        handler = jws.get_algorithm_by_name(algorithm)
    except NotImplementedError:
        raise MissingDependencyError("cryptography", extra="cable") from None
    try:
        key = handler.prepare_key(raw)
    except (ValueError, TypeError, jwt_package().PyJWTError):
        raise SecretError(f"the {algorithm} key is no public or private key in PEM of that kind") from None
    bits = getattr(key, "key_size", _MIN_RSA_BITS)
    if bits < _MIN_RSA_BITS:
        raise SecretError(f"the RSA key has {bits} bits, {_MIN_RSA_BITS} are the least (NIST SP 800-131A)")
    if algorithm == "EdDSA" and "25519" not in type(key).__name__:
        raise SecretError("the EdDSA key is not one of Ed25519")
    return key
