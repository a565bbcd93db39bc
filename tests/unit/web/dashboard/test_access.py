"""Who gets in, what they may do there, and which requests are refused unread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.web.dashboard.conftest import HOST, Client, token_of
from web.dashboard import Dashboard
from web.dashboard.sessions.codes import OneTimeCodes
from web.dashboard.sessions.cookie import NAME, Session, SessionCookies
from web.dashboard.sessions.guard import MAX_BODY_BYTES, MAX_QUERY_BYTES
from web.dashboard.sessions.rights import ROLES, Permission, permissions_of, role_of

PAGES = ["/", "/queues", "/queues/mail", "/live"]


def test_each_role_may_all_that_the_one_before_may() -> None:
    viewer, operator, admin = ROLES.values()
    assert viewer < operator < admin == frozenset(Permission)
    assert permissions_of("admin", read_only=True) == {Permission.VIEW, Permission.SEE_MASKED}
    assert permissions_of("emperor") == frozenset()
    assert role_of(["operator", "viewer", "other"]) == "operator"
    assert role_of(["other"]) is None


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_a_page_without_logging_in(client: Client, path: str) -> None:
    answer = client(None).get(path)
    assert answer.status_code == (401 if path == "/live" else 303)
    assert "mail" not in answer.text


def test_a_token_logs_in_and_leads_back_to_the_page(client: Client) -> None:
    browser = client(None)
    asked = browser.get("/queues/mail?a=1&b=2")
    assert asked.headers["location"] == "/workers/login?next=%2Fqueues%2Fmail%3Fa%3D1%26b%3D2"
    answer = browser.post("/login", data={"token": token_of("viewer"), "next": "/queues/mail?a=1&b=2"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/workers/queues/mail?a=1&b=2")
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/workers"))
    assert "Secure" not in cookie
    page = browser.get("/queues")
    assert page.status_code == 200
    assert "ana@example.com" in page.text


def test_over_tls_the_cookie_is_secure(client: Client) -> None:
    browser = client(None, at="https://127.0.0.1")
    answer = browser.post("/login", data={"token": token_of("viewer")})
    assert "Secure" in answer.headers["set-cookie"]


def test_the_cookie_is_secure_too_if_a_proxy_ends_tls(client: Client) -> None:
    browser = client(None, at="http://ops.example.com")
    browser.headers["origin"] = "https://ops.example.com"
    answer = browser.post("/login", data={"token": token_of("viewer")})
    assert (answer.status_code, "Secure" in answer.headers["set-cookie"]) == (303, True)
    ended = browser.post("/logout").headers["set-cookie"]
    assert all(part in ended for part in ("Max-Age=0", "HttpOnly", "SameSite=strict", "Secure"))


def test_no_redirect_leads_out_of_tls(client: Client) -> None:
    for path, place in {"/queues/": "//127.0.0.1/workers/queues", "/queues": "/workers/login?next="}.items():
        assert client(None).get(path).headers["location"].startswith(place)


@pytest.mark.parametrize(
    "elsewhere",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\r\nx", ""],
)
def test_logging_in_leads_nowhere_else(client: Client, elsewhere: str) -> None:
    answer = client(None).post("/login", data={"token": token_of("viewer"), "next": elsewhere})
    assert answer.headers["location"] == "/workers/"


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (token_of(), "none of the roles"),
        (token_of("emperor"), "none of the roles"),
        (token_of("admin", for_s=-60), "expired"),
        (token_of("admin")[:-3] + "abc", "refused"),
        ("x" * 10_000, "more than"),
        ("", "refused"),
        ("<script>alert(1)</script>", "refused"),
    ],
)
def test_another_token_is_refused_with_the_reason(client: Client, token: str, why: str) -> None:
    browser = client(None)
    answer = browser.post("/login", data={"token": token})
    assert answer.status_code == 403
    assert why in answer.text
    assert "<script>alert" not in answer.text
    assert "set-cookie" not in answer.headers
    assert browser.get("/").status_code == 303


def test_a_session_ends_with_its_token(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = client("admin")
    assert browser.get("/queues").status_code == 200
    later = time.time() + 3_700
    monkeypatch.setattr("web.dashboard.sessions.cookie.time.time", lambda: later)
    assert browser.get("/queues").status_code == 303


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda data: data.decode("latin-1")))
def test_a_cookie_that_we_did_not_write_is_nobody(value: str) -> None:
    assert SessionCookies("secret").read(value, now=0) is None


def test_a_changed_cookie_is_nobody() -> None:
    cookies = SessionCookies("secret")
    good = cookies.write(Session("ana", "viewer", 100.0))
    assert cookies.read(good, now=99) == Session("ana", "viewer", 100.0)
    assert cookies.read(good, now=100) is None
    assert SessionCookies("another").read(good, now=0) is None
    for at in range(len(good)):
        changed = good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :]
        read = cookies.read(changed, now=0)
        # The last character of base64 has bits that say nothing.
        assert read is None or (at == len(good) - 1 and read.role == "viewer")
    assert cookies.read(cookies.write(Session("ana", "emperor", 100.0)), now=0) is None
    assert cookies.read("x" * 1_000_000, now=0) is None


def test_logging_out_ends_the_session(client: Client) -> None:
    browser = client("viewer")
    assert NAME in browser.cookies
    assert browser.post("/logout").headers["location"] == "/workers/login"
    assert browser.get("/").status_code == 303


FOREIGN: list[dict[str, str]] = [
    {"origin": ""},
    {"origin": "null"},
    {"origin": "https://evil.example"},
    {"origin": f"{HOST}.evil.example"},
    {"origin": f"{HOST}:81"},
    {"origin": "http://[::1"},
    {"origin": HOST, "sec-fetch-site": "cross-site"},
    {"origin": HOST, "sec-fetch-site": "same-site"},
    {"origin": HOST, "sec-fetch-site": "none"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_form_of_another_site_is_refused(client: Client, headers: dict[str, str]) -> None:
    browser = client("admin")
    answer = browser.post("/logout", headers=headers)
    assert answer.status_code == 403
    assert browser.get("/queues").status_code == 200


def test_a_form_without_an_origin_is_refused(client: Client) -> None:
    browser = client("admin")
    del browser.headers["origin"]
    assert browser.post("/logout").status_code == 403


def test_a_further_origin_can_be_named(client: Client) -> None:
    browser = client("admin", origins=["https://ops.example.com"])
    assert browser.post("/logout", headers={"origin": "https://ops.example.com"}).status_code == 303


def test_what_is_too_large_or_unknown_is_refused(client: Client) -> None:
    browser = client("admin")
    assert browser.get("/", params={"next": "x" * MAX_QUERY_BYTES}).status_code == 414
    assert browser.post("/login", data={"token": "x" * (MAX_BODY_BYTES + 1)}).status_code == 413
    assert browser.put("/login").status_code == 405
    assert browser.delete("/").status_code == 405


@pytest.mark.parametrize("path", ["/login", "/", "/nowhere", "/static/dashboard.js"])
def test_every_answer_has_the_strict_headers(client: Client, path: str) -> None:
    headers = client("admin").get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_without_a_key_only_this_machine_gets_in_by_a_code_that_is_good_once(
    client: Client, make: Callable[..., Dashboard], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "web.dashboard"):
        board = make(access=None)
    code = caplog.messages[0].rpartition("#")[2]
    browser = client(None, board=board)
    assert browser.post("/login", data={"token": "0" * 32}).status_code == 403
    assert browser.post("/login", data={"token": code}).status_code == 303
    assert "admin" in browser.get("/queues").text
    assert client(None, board=board).post("/login", data={"token": code}).status_code == 403
    # A page elsewhere whose name leads to this machine has that name in its requests.
    assert client(None, board=board, at="http://rebound.example").get("/login").status_code == 403
    elsewhere = client(None, board=board)
    elsewhere._transport.client = ("10.0.0.7", 5)  # type: ignore[attr-defined]
    assert elsewhere.get("/login").status_code == 403


def test_a_link_logs_in_only_where_there_are_codes(client: Client, make: Callable[..., Dashboard]) -> None:
    for page in (
        client(None).get("/login"),
        client(None).post("/login", data={"token": "x"}),
    ):
        assert "data-login" not in page.text
        assert "code" not in page.text
    for board in (make(code="0" * 32), make(access=None)):
        browser = client(None, board=board)
        assert "data-login" in browser.get("/login").text
        assert "data-login" in browser.post("/login", data={"token": "x"}).text


def test_a_code_is_good_once() -> None:
    codes = OneTimeCodes("abc")
    assert not codes.take("abd")
    assert not codes.take("ä\ud800")
    assert codes.take("abc")
    assert not codes.take("abc")
    assert codes.take(codes.code)
