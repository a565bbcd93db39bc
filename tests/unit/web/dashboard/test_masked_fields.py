"""Who sees, mends and searches fields that are masked."""

from __future__ import annotations

from tests.unit.web.dashboard.conftest import Client
from tests.unit.web.dashboard.fakes import FakeKafka
from tests.unit.web.dashboard.forms import fields_of, followed
from web.dashboard import text


def test_a_masked_field_is_seen_and_mended_by_admins_alone(client: Client, kafka: FakeKafka) -> None:
    kafka.add("one", value=kafka.job("one").replace(b'{"id":7}', b'{"Password":"geheim"}'))
    browser = client("operator")
    page = browser.get("/dead-letters/letter?id=one").text
    assert "geheim" not in page
    fields = fields_of(page) | {"id": "one"}
    fields["args.1"] = fields["args.1"].replace(text.MASK, f"{text.MASK}x")
    assert browser.post("/dead-letters/letter", data=fields).status_code == 422
    assert "geheim" in client("admin").get("/dead-letters/letter?id=one").text


def test_a_text_that_may_be_in_a_masked_field_is_searched_for_admins_alone(
    client: Client, kafka: FakeKafka
) -> None:
    kafka.add("one", value=kafka.job("one").replace(b'{"id":7}', b'{"Password":"geheim"}'))
    form = {"action": "replay", "id": "one", "text": "geheim"}
    operator, admin = client("operator"), client("admin")
    for wanted in ("geheim", "another"):
        asked = form | {"text": wanted}
        answers = operator.post("/runs", data=asked), operator.get("/runs/0123456789ab", params=asked)
        assert [(one.status_code, "hidden from you" in one.text) for one in answers] == [(400, True)] * 2
        shown = operator.get("/dead-letters", params={"text": wanted}).text
        assert ("hidden from you" in shown, "these…" in shown) == (True, False)
    assert ">Text <input" not in operator.get("/dead-letters").text
    assert ">Text <input" in admin.get("/dead-letters").text
    for browser in (admin, client("operator", masked=())):
        assert "<strong>1</strong> dead letter would be" in followed(
            browser, browser.post("/runs", data=form)
        )
