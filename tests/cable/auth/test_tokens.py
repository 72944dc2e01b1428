"""Authentication by JSON Web Tokens (HUB-AUTH, WEAK-HUB-10)."""

import copy
import json
import pickle  # noqa: TID251 - only to show that it is refused
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, rsa
from pydantic import SecretStr

from lineside.cable import (
    AccessRefused,
    CableConfigurationError,
    CloseCode,
    ErrorCode,
    InvalidToken,
    JWTAuthentication,
    JWTKey,
    MissingToken,
    TokenExpired,
)
from lineside.exceptions import MissingDependencyError, SecretError
from tests.cable.auth.scopes import Clock, http, websocket

pytestmark = pytest.mark.anyio
SECRET = "an example secret of 32 bytes or more"
NOW = 1_700_000_000


def authentication(keys: Any = SECRET, **options: Any) -> JWTAuthentication:
    return JWTAuthentication(keys, clock=Clock(NOW), **options)


def token(secret: Any = SECRET, algorithm: str = "HS256", headers: Any = None, **claims: Any) -> str:
    payload = {"user_id": "ann", "exp": NOW + 60, "iat": NOW, **claims}
    kept = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(kept, secret, algorithm=algorithm, headers=headers)


def pem(private: Any) -> tuple[bytes, bytes]:
    """Return a private and a public key in PEM."""
    return (
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )


RSA_PRIVATE, RSA_PUBLIC = pem(rsa.generate_private_key(65_537, 2_048))
ED_PRIVATE, ED_PUBLIC = pem(ed25519.Ed25519PrivateKey.generate())


def test_a_token_says_who_it_is() -> None:
    """GoHub's claims become an identity."""
    identity = authentication().verify(token(username="Ann", permissions=["send:message", "fly"]))
    assert identity.id == "ann"
    assert identity.user["username"] == "Ann"
    assert identity.permissions == {"send:message"}
    assert identity.identifiers == {"user_id": "ann"}
    assert not identity.anonymous


def test_sub_names_who_has_no_user_id() -> None:
    """``user_id`` comes first, as in GoHub."""
    assert authentication().verify(token(user_id=None, sub="bob")).id == "bob"
    assert authentication().verify(token(sub="bob")).id == "ann"
    assert authentication().verify(token(user_id=7)).id == "7"


def test_ext_holds_the_identifiers_of_anycable() -> None:
    """They are a JSON text, and enough to say whose the token is."""
    identity = authentication().verify(token(user_id=None, ext='{"current_user":"gid://app/User/1"}'))
    assert identity.identifiers == {"current_user": "gid://app/User/1"}
    assert identity.id is None
    assert not identity.anonymous


def test_a_null_list_of_permissions_is_an_empty_one() -> None:
    """Go writes a nil slice so."""
    payload = {"user_id": "ann", "exp": NOW + 60, "permissions": None}
    assert authentication().verify(jwt.encode(payload, SECRET)).permissions == frozenset()


def test_generated_tokens_are_accepted() -> None:
    """HUB-AUTH-05: for tests and for apps that issue their own."""
    ours = authentication(issuer="gohub", audience="cable")
    made = ours.generate_token("ann", "Ann", ["join:room", "admin:room"], timedelta(minutes=5))
    identity = ours.verify(made)
    assert (identity.id, identity.permissions) == ("ann", {"join:room", "admin:room"})
    claims = jwt.decode(made, SECRET, algorithms=["HS256"], audience="cable", options={"verify_exp": False})
    assert claims["iss"] == "gohub"
    assert claims["exp"] - claims["iat"] == 300


def test_generated_tokens_hold_known_permissions_and_end() -> None:
    """A misspelled permission is a mistake of the app."""
    with pytest.raises(ValueError, match="unknown permissions"):
        authentication().generate_token("ann", permissions=["send:massage"])
    with pytest.raises(ValueError, match="positive"):
        authentication().generate_token("ann", ttl=timedelta(0))


@pytest.mark.parametrize(
    ("private", "public", "algorithm"),
    [(RSA_PRIVATE, RSA_PUBLIC, "RS256"), (ED_PRIVATE, ED_PUBLIC, "EdDSA")],
)
def test_public_keys_verify(private: bytes, public: bytes, algorithm: Any) -> None:
    """A private key makes tokens too; a public one says that it cannot."""
    verifying = authentication(JWTKey(public, algorithm))
    assert verifying.verify(token(private, algorithm)).id == "ann"
    issuing = authentication(JWTKey(private, algorithm))
    assert verifying.verify(issuing.generate_token("bob")).id == "bob"
    assert issuing.verify(issuing.generate_token("bob")).id == "bob"
    with pytest.raises(SecretError, match="private"):
        verifying.generate_token("bob")


def test_keys_rotate() -> None:
    """The first key signs, each verifies, a dropped one no longer."""
    old, new = "an old secret that has 32 bytes or more", "a new secret that has 32 bytes or more"
    both = authentication([new, old])
    assert both.verify(token(old)).id == both.verify(token(new)).id == "ann"
    assert authentication(new).verify(both.generate_token("ann")).id == "ann"
    with pytest.raises(InvalidToken):
        authentication(new).verify(token(old))


def test_kid_chooses_among_the_given_keys() -> None:
    """A key with an id is used for tokens that name it, and for no others."""
    ours = authentication([JWTKey(SECRET, id="a"), JWTKey(RSA_PUBLIC, "RS256", id="b")])
    assert ours.verify(token(headers={"kid": "a"})).id == "ann"
    assert ours.verify(token(RSA_PRIVATE, "RS256", headers={"kid": "b"})).id == "ann"
    for headers in (None, {"kid": "b"}, {"kid": "c"}, {"kid": ""}, {"kid": "../../dev/null"}):
        with pytest.raises(InvalidToken):
            ours.verify(token(headers=headers))
    assert ours.verify(ours.generate_token("bob")).id == "bob"


def test_a_token_ends() -> None:
    """It is good until its last second plus the leeway, and the identity says when that is."""
    clock = Clock(NOW)
    ours = JWTAuthentication(SECRET, clock=clock, leeway_seconds=5)
    made = token()
    assert ours.verify(made).expires_at == NOW + 65
    clock.now = NOW + 64.9
    ours.verify(made)
    clock.now = NOW + 65
    with pytest.raises(TokenExpired) as caught:
        ours.verify(made)
    assert caught.value.code == ErrorCode.TOKEN_EXPIRED == 2002
    assert caught.value.close_code == CloseCode.TOKEN_EXPIRED == 4408
    assert caught.value.reason == "token_expired"
    assert caught.value.status_hint == 401


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_has_a_beginning(claim: str) -> None:
    """Clocks differ by the leeway, and not by more."""
    authentication(leeway_seconds=5).verify(token(**{claim: NOW + 5}))
    with pytest.raises(InvalidToken, match="Invalid token"):
        authentication(leeway_seconds=5).verify(token(**{claim: NOW + 6}))


@pytest.mark.parametrize("leeway", [-1, 30.1, float("nan"), float("inf")])
def test_the_leeway_is_bounded(leeway: float) -> None:
    """A large one is a token that does not end."""
    with pytest.raises(CableConfigurationError, match="leeway"):
        authentication(leeway_seconds=leeway)


def test_issuer_and_audience_are_compared() -> None:
    """A token for another service of the same issuer opens nothing here."""
    ours = authentication(issuer="https://id.example.com", audience="cable")
    assert ours.verify(token(iss="https://id.example.com", aud="cable")).id == "ann"
    assert ours.verify(token(iss="https://id.example.com", aud=["web", "cable"])).id == "ann"
    for claims in (
        {"iss": "https://id.example.com"},
        {"aud": "cable"},
        {"iss": "https://id.example.com", "aud": "web"},
        {"iss": "https://id.example.com", "aud": []},
        {"iss": "https://id.example.com.evil.example", "aud": "cable"},
    ):
        with pytest.raises(InvalidToken):
            ours.verify(token(**claims))


def test_a_token_for_some_audience_is_not_for_anybody() -> None:
    """Such as the reset token of an app's user management, signed with the same secret."""
    with pytest.raises(InvalidToken):
        authentication().verify(token(aud="users:reset"))


@pytest.mark.parametrize("claim", ["typ", "type", "token_type", "token_use", "purpose"])
def test_a_token_of_another_use_is_refused(claim: str) -> None:
    """A refresh token is no access token (RFC 8725 section 3.12)."""
    authentication().verify(token(**{claim: "access"}))
    authentication().verify(token(**{claim: "Bearer"}))
    authentication(uses=["refresh"]).verify(token(**{claim: "refresh"}))
    for use in ("refresh", "reset", "id", "", 1, ["access"]):
        with pytest.raises(InvalidToken):
            authentication().verify(token(**{claim: use}))


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return jwt.utils.base64url_encode(raw).decode()


def _none(alg: str, signature: str = "") -> str:
    return f"{_part({'alg': alg, 'typ': 'JWT'})}.{_part({'user_id': 'ann', 'exp': NOW + 60})}.{signature}"


def _mac(key: bytes, header: dict[str, Any], payload: Any = None) -> str:
    """Sign anything as HS256, as a forger does who is not bound to a library's checks."""
    body = f"{_part(header)}.{_part({'user_id': 'ann', 'exp': NOW + 60} if payload is None else payload)}"
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return f"{body}.{_part(algorithm.sign(body.encode(), key))}"


GOOD = token()
HEAD, BODY, SIGNATURE = GOOD.split(".")
HS256 = {"alg": "HS256", "typ": "JWT"}
KEY = SECRET.encode()
FORGED = {
    "nothing": "",
    "dots": "..",
    "two parts": f"{HEAD}.{BODY}",
    "no signature": f"{HEAD}.{BODY}.",
    "four parts": f"{GOOD}.{SIGNATURE}",
    "alg none": _none("none"),
    "alg None": _none("None"),
    "alg NONE": _none("NONE"),
    "alg none with a signature": _none("none", SIGNATURE),
    "alg empty": _none("", SIGNATURE),
    "alg null": _mac(KEY, {"alg": None}),
    "alg number": _mac(KEY, {"alg": 256}),
    "alg list": _mac(KEY, {"alg": ["HS256"]}),
    "alg missing": _mac(KEY, {"typ": "JWT"}),
    "alg in lower case": _mac(KEY, {"alg": "hs256"}),
    "HS384": token(SECRET + "x" * 16, "HS384"),
    "HS512": token(SECRET + "x" * 32, "HS512"),
    "the right secret, HS384": _mac(KEY, {"alg": "HS384"}),
    "empty secret": _mac(b"", HS256),
    "another secret": token("another secret of 32 bytes or more."),
    "secret with a newline": _mac(KEY + b"\n", HS256),
    "public key as secret": _mac(RSA_PUBLIC, HS256),
    "public key as secret, stripped": _mac(RSA_PUBLIC.strip(), HS256),
    "EdDSA public key as secret": _mac(ED_PUBLIC, HS256),
    "another RSA key": token(pem(rsa.generate_private_key(65_537, 2_048))[0], "RS256"),
    "another Ed25519 key": token(pem(ed25519.Ed25519PrivateKey.generate())[0], "EdDSA"),
    "PS256 with our key": token(RSA_PRIVATE, "PS256"),
    "RS512 with our key": token(RSA_PRIVATE, "RS512"),
    "own key in jwk": _mac(b"k" * 32, {**HS256, "jwk": {"kty": "oct", "k": _part(b"k" * 32)}}),
    "own key at jku": _mac(b"k" * 32, {**HS256, "jku": "https://evil.example/jwks.json"}),
    "own key at x5u": _mac(b"k" * 32, {**HS256, "x5u": "https://evil.example/cert.pem"}),
    "kid of a file": _mac(b"", {**HS256, "kid": "/dev/null"}),
    "kid of a query": _mac(b"x", {**HS256, "kid": "' UNION SELECT 'x"}),
    "kid a number": _mac(KEY, {**HS256, "kid": 0}),
    "critical extension": _mac(KEY, {**HS256, "crit": ["exp"]}),
    "b64": _mac(KEY, {**HS256, "b64": True}),
    "another type": _mac(KEY, {**HS256, "typ": "logout+jwt"}),
    "type of a number": _mac(KEY, {**HS256, "typ": 1}),
    "signature of another body": f"{HEAD}.{_part({'user_id': 'eve', 'exp': NOW + 60})}.{SIGNATURE}",
    "signature cut": GOOD[:-4],
    "signature doubled": GOOD + SIGNATURE,
    "padding": GOOD + "=",
    "blank behind": GOOD + " ",
    "newline behind": GOOD + "\n",
    "blank within": f"{HEAD} .{BODY}.{SIGNATURE}",
    "letters outside ASCII": GOOD[:-1] + "é",
    "header a list": f"{_part([])}.{BODY}.{SIGNATURE}",
    "header no JSON": f"{_part(b'{')}.{BODY}.{SIGNATURE}",
    "header deep": f"{_part(b'[' * 1500)}.{BODY}.{SIGNATURE}",
    "too long": token(more="x" * 4_096),
    "no exp": token(exp=None),
    "exp a text": _mac(KEY, HS256, {"user_id": "ann", "exp": str(NOW + 60)}),
    "exp true": _mac(KEY, HS256, {"user_id": "ann", "exp": True}),
    "exp a list": _mac(KEY, HS256, {"user_id": "ann", "exp": [NOW + 60]}),
    "exp infinite": _mac(KEY, HS256, b'{"user_id":"ann","exp":Infinity}'),
    "exp not a number": _mac(KEY, HS256, b'{"user_id":"ann","exp":NaN}'),
    "exp huge": _mac(KEY, HS256, b'{"user_id":"ann","exp":1e999}'),
    "exp twice": _mac(KEY, HS256, b'{"user_id":"ann","exp":1,"exp":9999999999}'),
    "iat a text": _mac(KEY, HS256, {"user_id": "ann", "exp": NOW + 60, "iat": "now"}),
    "nobody": token(user_id=None),
    "empty id": token(user_id=""),
    "id true": token(user_id=True),
    "id a list": token(user_id=["ann"]),
    "id with a newline": token(user_id="ann\nADMIN"),
    "id with NUL": token(user_id="ann\0"),
    "id too long": token(user_id="a" * 256),
    "id of a guest": token(user_id="guest-ann"),
    "id a guest asked for": token(user_id="guest:ann"),
    "permissions a text": token(permissions="admin:system"),
    "permissions of numbers": token(permissions=[1]),
    "permissions an object": token(permissions={"admin:system": True}),
    "ext no JSON": token(ext="{"),
    "ext no text": token(ext={"user": 1}),
    "ext a list": token(ext="[]"),
    "ext huge": token(ext=json.dumps({"user": "x" * 2_100})),
    "payload a list": _mac(KEY, HS256, []),
    "payload a text": _mac(KEY, HS256, b'"ann"'),
    "payload empty": _mac(KEY, HS256, b""),
    "payload not UTF-8": _mac(KEY, HS256, b'{"user_id":"\xff","exp":1}'),
    "payload deep": _mac(KEY, HS256, b"[" * 1_500),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(name: str) -> None:
    """Whatever is wrong with it, the client is told the same, and never the token."""
    ours = authentication([SECRET, JWTKey(RSA_PUBLIC, "RS256"), JWTKey(ED_PUBLIC, "EdDSA")])
    with pytest.raises(InvalidToken) as caught:
        ours.verify(FORGED[name])
    assert str(caught.value) == "Unauthorized: Invalid token"
    assert caught.value.code == ErrorCode.INVALID_TOKEN == 2003
    assert caught.value.close_code == CloseCode.UNAUTHORIZED == 4401
    assert caught.value.status_hint == 401
    assert caught.value.detail
    assert len(FORGED[name]) < 9 or FORGED[name] not in repr(vars(caught.value))


def test_the_good_token_beside_the_forged_ones_is_good() -> None:
    """So that the table shows what is wrong with the others."""
    ours = authentication([SECRET, JWTKey(RSA_PUBLIC, "RS256"), JWTKey(ED_PUBLIC, "EdDSA")])
    assert ours.verify(GOOD).id == "ann"
    assert ours.verify(_mac(KEY, HS256)).id == "ann"
    assert ours.verify(_mac(KEY, {"alg": "HS256"})).id == "ann"
    assert len(FORGED) >= 40


@pytest.mark.parametrize("secret", ["", "secret", "x" * 31, b"", SecretStr("seventeen letters")])
def test_a_short_secret_refuses_to_start(secret: Any) -> None:
    """WEAK-HUB-10: with an empty one everybody could make tokens. The error does not show it."""
    with pytest.raises(SecretError) as caught:
        authentication(secret)
    assert "seventeen" not in str(caught.value)
    with pytest.raises(SecretError):
        authentication([])


def test_a_secret_that_is_not_set_says_so() -> None:
    """What ``os.environ.get`` returns for a name that is not there."""
    with pytest.raises(SecretError, match=r"NoneType.* is set"):
        JWTAuthentication(None)  # type: ignore[arg-type]


def test_a_public_key_is_no_secret() -> None:
    """Everybody has it."""
    for public in (RSA_PUBLIC, ED_PUBLIC, b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"):
        with pytest.raises(SecretError, match="no public key"):
            authentication(public)


def test_weak_and_wrong_keys_refuse_to_start() -> None:
    """A short RSA key, another curve, another algorithm, no key at all."""
    weak = pem(rsa.generate_private_key(65_537, 1_024))[1]
    other = pem(ed448.Ed448PrivateKey.generate())[1]
    for key, algorithm in (
        (weak, "RS256"),
        (other, "EdDSA"),
        (ED_PUBLIC, "RS256"),
        (RSA_PUBLIC, "EdDSA"),
        (b"-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----", "RS256"),
        (SECRET, "none"),
        (SECRET, "HS512"),
    ):
        with pytest.raises(SecretError):
            JWTKey(key, algorithm)  # type: ignore[arg-type]


async def test_a_token_comes_in_one_of_five_places() -> None:
    """GoHub's and AnyCable's clients are served alike."""
    for scope in (
        websocket({"authorization": f"Bearer {GOOD}"}),
        websocket({"authorization": f"bearer  {GOOD}"}),
        websocket(subprotocols=["actioncable-v1-json", f"anycable-token.{GOOD}"]),
        websocket({"x-jid": GOOD}),
        websocket(query=f"jid={GOOD}"),
        websocket(query=f"client_id=eve&token={GOOD}"),
        http({"authorization": f"Bearer {GOOD}"}),
    ):
        assert (await authentication().authenticate(scope)).id == "ann"


async def test_the_first_place_with_a_token_decides() -> None:
    """A good token further down does not help a bad one."""
    scope = websocket({"authorization": "Bearer bad"}, query=f"token={GOOD}")
    with pytest.raises(InvalidToken):
        await authentication().authenticate(scope)


async def test_several_tokens_in_one_place_are_refused() -> None:
    """Two programs could take one each."""
    for scope in (
        websocket([("authorization", f"Bearer {GOOD}"), ("authorization", f"Bearer {GOOD}")]),
        websocket([("x-jid", GOOD), ("x-jid", GOOD)]),
        websocket(query=f"token={GOOD}&token={GOOD}"),
        websocket(subprotocols=[f"anycable-token.{GOOD}", f"anycable-token.{GOOD}"]),
        websocket(query="token="),
        websocket({"authorization": "Bearer "}),
    ):
        with pytest.raises(InvalidToken):
            await authentication().authenticate(scope)


async def test_no_token_is_told_apart_from_a_bad_one() -> None:
    """HUB-AUTH-02: code 2000, and GoHub's words."""
    for scope in (websocket(), websocket({"authorization": "Basic YTpi"}), websocket(query="tokens=1")):
        with pytest.raises(MissingToken) as caught:
            await authentication().authenticate(scope)
        assert str(caught.value) == "Unauthorized: Token required"
        assert caught.value.code == ErrorCode.UNAUTHORIZED == 2000


async def test_the_query_string_can_be_left_out() -> None:
    """Where clients can do better, a token there is none."""
    with pytest.raises(MissingToken):
        await authentication(query=False).authenticate(websocket(query=f"token={GOOD}&jid={GOOD}"))


async def test_a_query_of_too_many_parameters_is_not_looked_into() -> None:
    """Work for a request without an identity is bounded."""
    with pytest.raises(MissingToken):
        await authentication().authenticate(websocket(query="a=1&" * 100 + f"token={GOOD}"))


def test_keys_are_never_shown_or_copied() -> None:
    """Not in a repr, not in a pickle."""
    for holder in (authentication(), JWTKey(SECRET)):
        assert SECRET not in repr(holder)
        assert repr(holder) == f"<{type(holder).__name__}>"
        for copying in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="never pickled"):
                copying(holder)


def test_an_identity_does_not_show_its_claims() -> None:
    """A log line with an identity is no list of everything an issuer knows."""
    assert "hidden" not in repr(authentication().verify(token(address="hidden")))


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(__import__("sys").modules, "jwt", None)
    with pytest.raises(MissingDependencyError, match=r"lineside\[cable\]"):
        authentication()


def test_every_refusal_is_one_kind_of_error() -> None:
    """Who answers needs one except."""
    for refusal in (MissingToken, InvalidToken, TokenExpired):
        assert issubclass(refusal, AccessRefused)
        assert refusal.public
