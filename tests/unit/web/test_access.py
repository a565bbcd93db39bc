"""Whose token is taken, and why another one is not."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.helpers.settings import load
from web.access import (
    MAX_TOKEN_CHARACTERS,
    Access,
    AccessDenied,
    Identity,
    NotConfigured,
    access_from,
    development_key,
    sign,
)
from web.keys import InvalidKeys, KeysInFile, SecretKey

SECRET = "a secret of thirty-two bytes or more"
CLAIMS: dict[str, Any] = {"email": "Ana@Example.com", "roles": ["viewer"], "aud": "todo"}


def token(key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None, **claims: Any) -> str:
    payload = CLAIMS | {"exp": time.time() + 3_600} | claims
    headers = {"kid": kid} if kid else None
    return jwt.encode({k: v for k, v in payload.items() if v is not None}, key, algorithm, headers=headers)


def identify(access: Access, text: str) -> Identity:
    return asyncio.run(access.identify(text))


@pytest.fixture
def access() -> Access:
    return Access(SecretKey(SECRET), audience="todo", issuer=None)


def test_a_good_token_says_who_it_is_with_which_roles_and_until_when(access: Access) -> None:
    found = identify(access, token(exp=2_000_000_000))
    assert found == Identity("ana@example.com", frozenset({"viewer"}), 2_000_000_000)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (token(exp=time.time() - 60), "expired"),
        (token(aud="shop"), "Audience"),
        (token(aud=None), "aud"),
        (token(exp=None), "exp"),
        (token(nbf=time.time() + 3_600), "not yet valid"),
        (token(email=None), "email"),
        (token(email=7), "claim email is no text"),
        (token(email="  "), "claim email is no text"),
        (token(email_verified=False), "email is not verified"),
        (token(email_verified="false"), "email is not verified"),
        (token(roles="admin"), "claim roles is no list"),
        (token(key="another secret of thirty-two bytes"), "Signature"),
        (jwt.encode(CLAIMS, "", "none"), "signed with 'none', expected HS256"),
        ("", "refused"),
        ("a.b.c", "refused"),
        ("é" * 20, "refused"),
        ("\ud800", "refused"),
        ("x" * (MAX_TOKEN_CHARACTERS + 1), "more than 8192 characters"),
    ],
)
def test_a_wrong_token_is_refused_with_the_reason(access: Access, wrong: str, said: str) -> None:
    with pytest.raises(AccessDenied, match=said):
        identify(access, wrong)


def test_whether_an_address_is_verified_counts_only_if_it_is_the_user() -> None:
    access = Access(SecretKey(SECRET), audience="todo", user_claim="sub")
    assert identify(access, token(sub="ana", email_verified=False)).user == "ana"
    access = Access(SecretKey(SECRET), audience="todo")
    assert identify(access, token(email_verified=True)).user == "ana@example.com"


def test_the_issuer_counts_if_one_is_set() -> None:
    access = Access(SecretKey(SECRET), audience="todo", issuer="https://login.example.com")
    assert identify(access, token(iss="https://login.example.com")).user == "ana@example.com"
    for iss in (None, "https://evil.example.com"):
        with pytest.raises(AccessDenied):
            identify(access, token(iss=iss))


PRIVATE: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
TO_JWK: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def jwks(**kids: str) -> str:
    keys = [
        TO_JWK[algorithm].to_jwk(PRIVATE[algorithm].public_key(), as_dict=True)
        | {"kid": kid, "use": "sig", "alg": algorithm}
        for kid, algorithm in kids.items()
    ]
    return json.dumps({"keys": keys})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "jwks.json"
    file.write_text(jwks(one="RS256", two="ES256", three="EdDSA"))
    return file


def test_public_keys_of_a_file_check_each_algorithm_by_id_or_if_there_is_one_only(file: Path) -> None:
    access = Access(KeysInFile(file), audience="todo")
    for kid, algorithm in {"one": "RS256", "two": "ES256", "three": "EdDSA"}.items():
        for given in (kid, None):
            assert identify(access, token(PRIVATE[algorithm], algorithm, given)).user == "ana@example.com"
    with pytest.raises(AccessDenied, match="0 known keys have the id 'one' and the algorithm ES256"):
        identify(access, token(PRIVATE["ES256"], "ES256", "one"))


def test_no_public_key_is_taken_for_a_secret(file: Path) -> None:
    access = Access(KeysInFile(file), audience="todo")
    with pytest.raises(AccessDenied, match="signed with 'HS256', expected ES256, EdDSA, RS256"):
        identify(access, token("anybody may know this public text 123", "HS256", "one"))


def test_a_key_that_is_added_or_taken_away_counts_at_once(file: Path) -> None:
    access = Access(KeysInFile(file), audience="todo")
    file.write_text(jwks(four="ES256"))
    assert identify(access, token(PRIVATE["ES256"], "ES256", "four")).user == "ana@example.com"
    with pytest.raises(AccessDenied):
        identify(access, token(PRIVATE["RS256"], "RS256", "one"))
    file.write_text("{")
    assert identify(access, token(PRIVATE["ES256"], "ES256", "four")).user == "ana@example.com"


def test_a_file_without_keys_is_told_at_start(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text('{"keys": []}')
    with pytest.raises(InvalidKeys, match="holds no public keys"):
        KeysInFile(tmp_path / "jwks.json")


def test_without_a_key_only_the_loopback_gets_one_of_its_own() -> None:
    settings = load({})
    key = development_key(settings)
    assert key is not None
    assert key != development_key(settings)
    signed = sign(settings, key.secret, "ana@example.com", roles=("operator",))
    found = identify(access_from(settings, key), signed)
    assert (found.user, found.roles) == ("ana@example.com", frozenset({"operator"}))
    with pytest.raises(NotConfigured, match=r"WEB_HOST=0.0.0.0 lets other machines connect"):
        development_key(load({"WEB_HOST": "0.0.0.0"}))
    assert development_key(load({"WEB_HOST": "0.0.0.0", "WEB_JWT_SECRET": SECRET})) is None


def test_a_route_knows_who_asks_and_what_they_may_do(access: Access) -> None:
    app = FastAPI()

    @app.get("/me")
    async def me(asking: Identity = Depends(access.asking)) -> str:
        return asking.user

    @app.get("/all")
    async def everything(_: Identity = Depends(access.having("operator", "admin"))) -> str:  # noqa: B008
        return "all"

    client = TestClient(app)
    bearer = {"Authorization": f"Bearer {token()}"}
    assert client.get("/me", headers=bearer).json() == "ana@example.com"
    refused = client.get(f"/me?token={token()}")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="todo-workers"')
    refused = client.get("/me", headers={"Authorization": f"Bearer {token(aud='shop')}"})
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert client.get("/all", headers=bearer).status_code == 403
    admin = {"Authorization": f"Bearer {token(roles=['admin'])}"}
    assert client.get("/all", headers=admin).json() == "all"


def test_a_good_token_is_not_checked_again_for_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(SecretKey):
        asked = 0

        async def find(self, algorithm: str, kid: str | None) -> Any:
            self.asked += 1
            return await super().find(algorithm, kid)

    keys = Counting(SECRET)
    access = Access(keys, audience="todo")
    now = time.time()
    long, short = token(), token(exp=now + 3)
    for passed_s, asked in [(0, 2), (2, 2), (11, 3)]:
        monkeypatch.setattr(time, "time", lambda at=now + passed_s: at)
        assert identify(access, long).user == "ana@example.com"
        if passed_s < 3:
            assert identify(access, short).user == "ana@example.com"
        assert keys.asked == asked
    with pytest.raises(AccessDenied):
        identify(access, token(aud="another"))
    monkeypatch.setattr(time, "time", lambda: now + 4)
    identify(access, short)  # within the leeway of clocks, but checked
    assert keys.asked == 5
