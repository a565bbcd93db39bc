"""How the keys of a login service are asked for: seldom, once for all, and without locking anybody out."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from fastapi import HTTPException, Request
from jwt import PyJWKClient
from jwt.algorithms import OKPAlgorithm
from jwt.exceptions import PyJWKClientConnectionError

from tests.helpers.waiting import wait_for
from web.access import Access
from web.keys import KeyNotFound, KeysAtUrl, KeysAway

PRIVATE_KEY = ed25519.Ed25519PrivateKey.generate()
PUBLIC_KEY = PRIVATE_KEY.public_key()


def jwks(*kids: str) -> dict[str, Any]:
    public = json.loads(OKPAlgorithm.to_jwk(PUBLIC_KEY))
    return {"keys": [public | {"kid": kid, "use": "sig", "alg": "EdDSA"} for kid in kids]}


def bearing(kid: str, **claims: Any) -> Request:
    """A request with a token that is signed, by a key with this id."""
    claims = {"email": "ana@example.com", "aud": "todo", "exp": time.time() + 60} | claims
    token = jwt.encode(claims, PRIVATE_KEY, "EdDSA", headers={"kid": kid})
    return Request({"type": "http", "headers": [(b"authorization", b"Bearer " + token.encode())]})


def answer_after(goes_on: threading.Event, kid: str) -> Callable[[], Any]:
    """The answer of a service that takes until the event is set."""

    def answer() -> Any:
        assert goes_on.wait(30)
        return jwks(kid)

    return answer


class Service:
    """A login service that answers as it is told, and the clock of those who ask it: each look takes time."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.asked = 0
        self.answer: Callable[[], Any] = lambda: jwks("one")

    def keys(self, timeout_s: float = 5.0) -> KeysAtUrl:
        return KeysAtUrl("https://login.example.com/keys", timeout_s=timeout_s, clock=self._clock)

    def _clock(self) -> float:
        self.now += 0.001
        return self.now

    def fetch(self) -> Any:
        self.asked += 1
        return self.answer()

    def fails(self, exc: Exception) -> None:
        def answer() -> Any:
            raise exc

        self.answer = answer


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    monkeypatch.setattr(PyJWKClient, "fetch_data", service.fetch)
    return service


async def _fails_then_answers(service: Service, fault: Exception) -> None:
    keys = service.keys()
    service.fails(fault)
    for _ in range(3):
        with pytest.raises(KeysAway):
            await keys.find("EdDSA", "one")
    assert service.asked == 1
    service.answer = lambda: jwks("one")
    service.now += 30
    await keys.find("EdDSA", "one")
    assert service.asked == 2


@pytest.mark.parametrize(
    "fault",
    [
        PyJWKClientConnectionError("it is away"),
        ConnectionResetError("reset"),
        json.JSONDecodeError("Expecting value", "<html>", 0),
    ],
)
def test_a_service_that_fails_is_asked_again_after_30_s_only(service: Service, fault: Exception) -> None:
    asyncio.run(_fails_then_answers(service, fault))


def test_unknown_ids_ask_the_service_once_and_never_stand_in_the_log(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        keys = service.keys()
        await keys.find("EdDSA", "one")
        service.now += 30
        asking = [keys.find("EdDSA", f"forged\n{number}") for number in range(50)]
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(one) for one in found} == {KeyNotFound}
        assert service.asked == 2
        service.fails(ValueError("broken"))
        service.now += 30
        with pytest.raises(KeysAway):
            await keys.find("EdDSA", "forged")
        await keys.find("EdDSA", "one")
        assert service.asked == 3

    with caplog.at_level(logging.DEBUG, "web"):
        asyncio.run(run())
    assert "keys.not_fetched" in caplog.text
    assert "forged" not in caplog.text


def test_a_key_that_is_newer_than_the_last_answer_is_not_refused_before_it_could_be_asked_for(
    service: Service,
) -> None:
    async def run() -> None:
        keys = service.keys()
        await keys.find("EdDSA", "one")
        service.answer = lambda: jwks("two")
        for seconds in (1, 28):
            service.now += seconds
            with pytest.raises(KeysAway, match="asked for its keys a moment ago"):
                await keys.find("EdDSA", "two")
        assert service.asked == 1
        service.now += 1
        await keys.find("EdDSA", "two")
        with pytest.raises(KeysAway, match="asked for its keys a moment ago"):
            await keys.find("EdDSA", "forged")
        service.now += 30
        with pytest.raises(KeyNotFound):
            await keys.find("EdDSA", "forged")

    asyncio.run(run())


def test_who_came_before_the_question_is_refused_and_who_came_during_it_told_to_come_again(
    service: Service,
) -> None:
    goes_on = threading.Event()

    async def run() -> None:
        keys = service.keys()
        await keys.find("EdDSA", "one")
        service.answer = answer_after(goes_on, "one")
        service.now += 30
        before = asyncio.create_task(keys.find("EdDSA", "forged"))
        try:
            await asyncio.to_thread(wait_for, lambda: service.asked == 2)
            during = asyncio.create_task(keys.find("EdDSA", "new"))
            await asyncio.sleep(0)
        finally:
            goes_on.set()
        found = await asyncio.gather(before, during, return_exceptions=True)
        assert [type(one) for one in found] == [KeyNotFound, KeysAway]
        assert service.asked == 2

    asyncio.run(run())


def test_a_key_that_was_withdrawn_is_not_taken_for_a_new_one(service: Service) -> None:
    async def run() -> None:
        keys = service.keys()
        await keys.find("EdDSA", "one")
        service.answer = lambda: jwks("two")
        for _ in range(3):
            service.now += 30
            with pytest.raises(KeyNotFound):
                await keys.find("EdDSA", "forged")
            with pytest.raises(KeyNotFound):
                await keys.find("EdDSA", "one")
            with pytest.raises(KeysAway):
                await keys.find("EdDSA", "new")
        service.fails(ConnectionResetError("reset"))
        service.now += 30
        with pytest.raises(KeyNotFound):
            await keys.find("EdDSA", "one")
        service.answer = lambda: jwks("one", "two")
        service.now += 30
        await keys.find("EdDSA", "one")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("claims", "status"),
    [({}, 503), ({"exp": time.time() - 60}, 401), ({"aud": "shop"}, 401), ({"iss": "another"}, 401)],
    ids=["good", "expired", "audience", "issuer"],
)
def test_a_token_that_no_key_makes_good_is_refused_whatever_its_key(
    service: Service, claims: dict[str, Any], status: int
) -> None:
    async def run() -> None:
        access = Access(service.keys(), audience="todo", issuer="login")
        await access.asking(bearing("one", iss="login"))
        with pytest.raises(HTTPException) as refused:
            await access.asking(bearing("two", **{"iss": "login"} | claims))
        assert refused.value.status_code == status
        service.fails(ConnectionResetError("reset"))
        service.now += 30
        with pytest.raises(HTTPException) as refused:
            await access.asking(bearing("two", **{"iss": "login"} | claims))
        assert refused.value.status_code == status

    asyncio.run(run())


def test_an_algorithm_that_is_no_public_one_asks_nobody(service: Service) -> None:
    with pytest.raises(KeyNotFound, match="signed with 'none'"):
        asyncio.run(service.keys().find("none", "one"))
    assert service.asked == 0


def test_known_keys_are_used_while_a_slow_service_is_asked(service: Service) -> None:
    goes_on = threading.Event()

    async def run() -> None:
        keys = service.keys()
        await keys.find("EdDSA", "one")
        service.answer = answer_after(goes_on, "two")
        service.now += 300
        try:
            await asyncio.wait_for(keys.find("EdDSA", "one"), 15)
        finally:
            goes_on.set()
        await keys.find("EdDSA", "two")
        service.now += 30
        with pytest.raises(KeyNotFound):
            await keys.find("EdDSA", "one")

    asyncio.run(run())


def test_a_service_that_does_not_answer_is_waited_for_a_short_time_and_told_as_503(service: Service) -> None:
    goes_on = threading.Event()

    service.answer = answer_after(goes_on, "one")

    async def run() -> None:
        access = Access(service.keys(timeout_s=0.05), audience="todo")
        began_at = time.monotonic()
        try:
            for _ in range(2):
                with pytest.raises(HTTPException) as refused:
                    await access.asking(bearing("one"))
                assert refused.value.status_code == 503
        finally:
            goes_on.set()
        assert time.monotonic() - began_at < 5

    asyncio.run(run())
