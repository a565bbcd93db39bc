"""Declares the settings: their names, types, defaults and meanings, and which values fit together.

A setting's variable is its section and its name in upper case: `kafka.namespace` is `KAFKA_NAMESPACE`.
Building these models reads nothing; `settings.load_settings` does.

Rules between two settings are checks of the later field, not of the section: they run, and name their
variable, even if another field of the section is wrong. `info.data` holds the earlier, valid fields.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from settings.formats import (
    check_listening,
    check_mail_address,
    check_secret,
    check_sender,
    check_smtp_host,
    check_smtp_port,
)
from settings.kafka import KafkaSettings
from settings.section import AsDuration, Count, Days, ExistingFile, Port, Seconds, Section
from settings.urls import check_unsubscribe_url, normal_database_url
from settings.web import OnOff, WebSettings

SmtpTls = Literal["none", "starttls", "tls"]
Missed = Literal["fire", "skip"]
LogFormat = Literal["plain", "json"]


class SmtpSettings(Section):
    """The server that takes the e-mails."""

    host: Annotated[str, AfterValidator(check_smtp_host)] = Field(
        default="127.0.0.1", description="Mail server: a host name or an address."
    )
    port: Annotated[Port, BeforeValidator(check_smtp_port)] = Field(default=1025, description="Its port.")
    username: str | None = Field(default=None, description="User to log in as; without it, no login.")
    password: SecretStr | None = Field(default=None, description="Password of that user; never printed.")
    tls: SmtpTls = Field(
        default="none", description="none, starttls (upgrade the connection) or tls (from the first byte)."
    )
    ca_file: ExistingFile | None = Field(
        default=None, description="PEM file of the authorities to trust for TLS; without it, the system's."
    )
    sender: Annotated[str, AfterValidator(check_sender)] = Field(
        # Not checked: the check is long to load.
        default="Todo <todo@localhost>",
        validate_default=False,
        description="Sender of every e-mail; an international domain is sent in Punycode.",
    )
    timeout_s: Seconds = Field(
        default=10.0,
        description="Seconds to wait for each answer of the mail server; for that to the content of a mail,"
        " half of SMTP_LEASE_S.",
    )
    connections: Count = Field(default=4, description="Connections that a worker process has at most.")
    idle_s: Seconds = Field(
        default=15.0, description="Seconds after which a connection without a mail is closed."
    )
    lease_s: Seconds = Field(
        default=60.0,
        description="Seconds after which another worker sends what a worker that died had in hand;"
        " half of it is the most that one mail may take, and must be longer than the mail server ever"
        " takes to accept one.",
    )
    unsubscribe_url: Annotated[str, AfterValidator(check_unsubscribe_url)] | None = Field(
        default=None,
        description="Page that unsubscribes with one click, https; `{id}` in it is the notice's id,"
        " signed if SMTP_UNSUBSCRIBE_SECRET is set.",
    )
    unsubscribe_secret: Annotated[SecretStr, AfterValidator(check_secret)] | None = Field(
        default=None,
        description="Key that signs these ids, 32 bytes or more; without it, `web` does not unsubscribe"
        " by a link. Never printed.",
    )
    unsubscribe_mailto: Annotated[str, AfterValidator(check_mail_address)] | None = Field(
        default=None, description="Address that takes wishes to unsubscribe; without it, the sender's."
    )

    @field_validator("password", mode="after")
    @classmethod
    def _goes_with_username(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        username = info.data.get("username")
        if value is None and username is not None:
            raise ValueError("is missing: SMTP_USERNAME is set")
        if value is not None and username is None:
            raise ValueError("has no effect without SMTP_USERNAME; set that, or leave it out")
        return value

    @field_validator("ca_file", mode="after")
    @classmethod
    def _goes_with_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("tls") == "none":
            raise ValueError("has no effect with SMTP_TLS=none; set that to starttls or tls, or leave it out")
        return value


class DeliverySettings(Section):
    """The record of the mails that were sent."""

    kept_days: Days = Field(
        default=90.0,
        description="Days for which it is kept that a mail was sent, so that it is not sent again: longer"
        " than the event log keeps its events.",
    )


class WorkerSettings(Section):
    """How the worker processes run. The Procfile reads the first two as well."""

    processes: Count = Field(default=2, description="What the Procfile passes to dramatiq as --processes.")
    threads: Count = Field(
        default=8,
        description="What the Procfile passes to dramatiq as --threads; a thread runs one job at a time. The"
        " pool of connections to the database follows it.",
    )
    commit_interval_ms: Count = Field(
        default=300, description="Milliseconds between commits of what is done; a crash may repeat that much."
    )
    keep_done_hours: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="Hours for which jobs that are done stay in their topic, for inspection."
    )
    max_delay: Annotated[timedelta, Field(gt=timedelta(0)), AsDuration] = Field(
        default=timedelta(days=366),
        description="Longest delay of a job that is accepted: a number and s, m, h or d.",
    )
    health_dir: Path | None = Field(
        default=None, description="Folder where each worker process keeps a file fresh while it is well."
    )
    http: Annotated[str, AfterValidator(check_listening)] | None = Field(
        default=None,
        description="Port, or host:port, where the processes of a worker answer /livez, /readyz and /metrics;"
        " 127.0.0.1 without a host.",
    )
    dramatiq_metrics: OnOff = Field(
        default="off",
        description="Whether /metrics has the figures also under the names of dramatiq's own: on or off.",
    )
    stats: OnOff = Field(
        default="on", description="Whether worker processes keep the history of what they do: on or off."
    )


class ReminderSettings(Section):
    """When reminders are sent, and when they are checked."""

    missed: Missed = Field(
        default="fire",
        description="A reminder that comes too late: fire (with a note that it is late) or skip.",
    )
    grace: Annotated[timedelta, Field(ge=timedelta(seconds=1)), AsDuration] = Field(
        default=timedelta(minutes=15), description="How late a reminder may come before it counts as missed."
    )
    reconcile_every: Annotated[timedelta, Field(ge=timedelta(seconds=1)), AsDuration] = Field(
        default=timedelta(hours=1),
        description="How often alarms that may be lost are set again: those of twice that time ahead.",
    )
    kept_days: Days = Field(
        default=90.0,
        description="Days for which reminders without an alarm are kept, and what fired; reminders at least"
        " as long as DELIVERY_KEPT_DAYS.",
    )


class AuditSettings(Section):
    """The archive of the audit trail, which `todo-workers audit archive` writes."""

    archive_dir: Path | None = Field(
        default=None, description="Folder that whole months of the audit trail are moved to."
    )
    key_file: Path | None = Field(
        default=None, description="PEM file with the Ed25519 key that signs what is archived."
    )
    public_keys_file: Path | None = Field(
        default=None,
        description="PEM file with the public keys that archives are checked with; without it, that of"
        " AUDIT_KEY_FILE.",
    )


class EventSettings(Section):
    """How the event log is read."""

    max_ahead: Annotated[timedelta, Field(ge=timedelta(0)), AsDuration] = Field(
        default=timedelta(minutes=5),
        description=(
            "How far the time of an event may be ahead of its record's own; beyond, the record's time counts."
        ),
    )


class Settings(BaseModel):
    """Everything that can be set. Frozen; secrets are masked in `repr` and in `model_dump`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    kafka: KafkaSettings = KafkaSettings()
    smtp: SmtpSettings = SmtpSettings()
    delivery: DeliverySettings = DeliverySettings()
    worker: WorkerSettings = WorkerSettings()
    reminder: ReminderSettings = ReminderSettings()
    event: EventSettings = EventSettings()
    audit: AuditSettings = AuditSettings()
    web: WebSettings = WebSettings()
    log_format: LogFormat = Field(
        default="plain",
        description="How workers, web, bridge and mover log: plain, or json, an object a line.",
    )
    database_url: Annotated[SecretStr, AfterValidator(normal_database_url)] = Field(
        default=SecretStr("sqlite:///todo.db"),
        description="SQLAlchemy URL of the database; postgresql:// means psycopg 3. Never printed.",
    )
    outbox_database_url: Annotated[SecretStr, AfterValidator(normal_database_url)] | None = Field(
        default=None,
        description="Database whose outbox is relayed; without it, that of DATABASE_URL. Never printed.",
    )
