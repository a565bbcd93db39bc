"""The demo's summary: it says no where something is missing, twice, or mangled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tasks.actors.event_jobs import job_id
from tasks.actors.notifications import send_notification
from tasks.demo.expectations import check, timings
from tasks.demo.progress import Effect, Progress, Publication
from tasks.demo.scenario import (
    DEFERRALS,
    DEFERRED_EMAIL,
    Kind,
    Operate,
    Publish,
    Remind,
    Replay,
    Step,
    WriteRecord,
    script,
)

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def effects_of(step: Step) -> list[Effect]:
    """The state that the workers leave behind when all goes well."""
    action = step.action
    if isinstance(action, Operate):
        return []
    if isinstance(action, WriteRecord):
        return [Effect(Kind.LETTER, action.key, 1.0, "undecodable", "no message", action.value)]
    if isinstance(action, Replay | Remind):
        (mark,) = action.marks
        at = action.due.timestamp() + 0.02 if isinstance(action, Remind) else 1.0
        (mail,) = step.wanted
        return [Effect(Kind.MAIL, mark, at, mail.says, action.event.todo.owner.email)]
    found = []
    mark = str(job_id(action.event.event_id, send_notification))
    for wanted in step.wanted:
        if wanted.kind is Kind.ROW:
            found.append(Effect(Kind.ROW, str(action.event.event_id), 1.0, wanted.says, "#1"))
        else:
            detail = action.event.todo.owner.email if wanted.kind is Kind.MAIL else f"{wanted.holds} no"
            found.append(Effect(wanted.kind, mark, 1.0, wanted.says, detail, wanted.holds.encode()))
    if action.event.todo.owner.email == DEFERRED_EMAIL:
        found += [Effect(Kind.DEFERRAL, mark, 0.9, "later", DEFERRED_EMAIL)] * DEFERRALS
    return found


def played(steps: tuple[Step, ...], effects: list[Effect]) -> Progress:
    progress = Progress(steps)
    for step in steps:
        at = step.action.due.timestamp() if isinstance(step.action, Remind) else 0.5
        progress.published(step, Publication(at=at, took_ms=4.0))
    for effect in effects:
        progress.saw(effect)
    return progress


def wrong(progress: Progress, jobs_left: int = 0) -> set[str]:
    return {e.name for e in check(progress, jobs_left=jobs_left) if not e.ok}


def everything() -> tuple[tuple[Step, ...], list[Effect]]:
    steps = script(NOW)
    return steps, [effect for step in steps for effect in effects_of(step)]


def test_all_is_as_expected_when_every_effect_is_seen() -> None:
    progress = played(*everything())
    assert wrong(progress) == set()
    assert progress.has_enough()
    assert timings(progress)["effect_ms"].median == 500.0
    assert timings(progress)["late_ms"].worst == pytest.approx(20.0, abs=0.1)


def test_nothing_seen_is_not_as_expected() -> None:
    progress = played(script(NOW), [])
    assert {"audit rows", "mail, created", "dead letter, undecodable"} <= wrong(progress)
    assert not progress.has_enough()


def test_a_job_that_still_waits_is_not_as_expected() -> None:
    assert wrong(played(*everything()), jobs_left=1) == {"jobs left in queues"}


def test_a_second_audit_row_or_mail_is_not_as_expected() -> None:
    steps, effects = everything()
    created = next(step for step in steps if step.label == "created")
    assert wrong(played(steps, [*effects, *effects_of(created)])) == {"audit rows", "mail, created"}


def test_a_mail_that_nobody_asked_for_is_named() -> None:
    steps, effects = everything()
    stray = Effect(Kind.MAIL, "unknown", 1.0, "Hello", "who@example.com")
    assert wrong(played(steps, [*effects, stray])) == {"anything else"}


def test_a_mail_to_one_who_opted_out_is_not_as_expected() -> None:
    steps, effects = everything()
    (event,) = [s.action.event for s in steps if s.label == "opted out" and isinstance(s.action, Publish)]
    mark = str(job_id(event.event_id, send_notification))
    mail = Effect(Kind.MAIL, mark, 1.0, "Todo completed", event.todo.owner.email)
    assert wrong(played(steps, [*effects, mail])) == {"mail, opted out"}


def test_an_unescaped_title_and_changed_bytes_are_found() -> None:
    steps, effects = everything()
    title = next(
        step.action.event.todo.title
        for step in steps
        if step.label == "HTML title" and isinstance(step.action, Publish)
    )
    mangled = [
        replace(effect, content=title.encode())
        if effect.kind is Kind.MAIL and title in effect.says
        else replace(effect, content=b"other")
        if effect.says == "undecodable"
        else effect
        for effect in effects
    ]
    assert wrong(played(steps, mangled)) == {"HTML part, HTML title", "dead letter, undecodable"}


def test_a_reminder_before_its_time_a_missing_attempt_and_a_mail_that_no_replay_sent_are_found() -> None:
    steps, effects = everything()
    remind = next(step.action for step in steps if isinstance(step.action, Remind))
    replayed = next(step.action for step in steps if isinstance(step.action, Replay))
    changed = [
        replace(effect, at=remind.due.timestamp() - 0.001) if effect.mark in remind.marks else effect
        for effect in effects
        if not (effect.mark in replayed.marks and effect.kind is Kind.MAIL)
    ]
    changed.remove(next(effect for effect in changed if effect.kind is Kind.DEFERRAL))
    assert wrong(played(steps, changed)) == {
        "due time, reminder",
        "attempts, third attempt",
        "mail, replayed",
    }
