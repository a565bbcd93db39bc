"""The settings of the Kafka cluster: where it is, how to log in, and the topics' shape on it."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from settings.formats import (
    check_dotted_path,
    check_namespace,
    check_not_empty,
    check_server,
    split_commas,
)
from settings.section import AsDuration, Count, ExistingFile, Seconds, Section
from settings.urls import check_token_url

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"]
Server = Annotated[str, AfterValidator(check_server)]
Servers = Annotated[tuple[Server, ...], BeforeValidator(split_commas), AfterValidator(check_not_empty)]

#: The mechanisms that need no user and no password of ours.
_WITHOUT_PASSWORD = frozenset({"OAUTHBEARER", "AWS_MSK_IAM"})


class KafkaSettings(Section):
    """The cluster that carries the jobs, and the topics' shape on it."""

    bootstrap_servers: Servers = Field(
        default=("127.0.0.1:9092",), description="Brokers to ask first: host:port, comma separated."
    )
    security_protocol: SecurityProtocol = Field(
        default="PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."
    )
    sasl_mechanism: SaslMechanism | None = Field(
        default=None,
        description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM; needed with SASL.",
    )
    sasl_username: str | None = Field(default=None, description="User for PLAIN and SCRAM.")
    sasl_password: SecretStr | None = Field(default=None, description="Password of that user; never printed.")
    oauth_token_url: Annotated[str, AfterValidator(check_token_url)] | None = Field(
        default=None, description="URL that gives tokens for OAUTHBEARER to a client with id and secret."
    )
    oauth_client_id: str | None = Field(default=None, description="Client to get tokens as.")
    oauth_client_secret: SecretStr | None = Field(
        default=None, description="Secret of that client; never printed."
    )
    oauth_scope: str | None = Field(default=None, description="Scope to ask for; without it, the server's.")
    oauth_token_provider: Annotated[str, AfterValidator(check_dotted_path)] | None = Field(
        default=None,
        description="In place of the URL: `package.module:name` of a function that returns a token.",
    )
    ssl_ca_file: ExistingFile | None = Field(
        default=None, description="PEM file of the authorities to trust for TLS; without it, the system's."
    )
    ssl_cert_file: ExistingFile | None = Field(
        default=None, description="PEM file with the certificate that the pool shows to Kafka, and its chain."
    )
    ssl_key_file: ExistingFile | None = Field(
        default=None, description="PEM file with its private key; without it, the key is in the same file."
    )
    ssl_key_password: SecretStr | None = Field(
        default=None, description="Password of the private key; never printed."
    )
    namespace: Annotated[str, AfterValidator(check_namespace)] = Field(
        default="todo", description="First part of every topic's name; two namespaces share nothing."
    )
    partitions: Count = Field(default=8, description="Partitions of a new topic.")
    replication_factor: Annotated[int, Field(ge=1, le=32767)] | None = Field(
        default=None,
        description="Copies of a new topic; without it, 3 where there are 3 brokers or more, else the"
        " cluster's default.",
    )
    jobs_retention: Annotated[timedelta, Field(ge=timedelta(hours=1)), AsDuration] | None = Field(
        default=None,
        description="Age at which Kafka deletes jobs, done or not, where workers cannot delete those that are"
        " done; without it, never.",
    )
    connect_timeout_s: Seconds = Field(default=5.0, description="Seconds to wait for a connection.")
    send_timeout_s: Seconds = Field(
        default=20.0,
        description="Seconds until a message must be confirmed; Kafka takes 9 to replace a broker that dies.",
    )
    session_timeout_s: Seconds = Field(
        default=45.0,
        description="Seconds a worker may stall before Kafka gives its jobs to another.",
    )

    @field_validator("sasl_mechanism", mode="after")
    @classmethod
    def _goes_with_protocol(cls, value: str | None, info: ValidationInfo) -> str | None:
        protocol = info.data.get("security_protocol")
        if protocol is None:
            return value
        if protocol.startswith("SASL_") and value is None:
            raise ValueError(f"is missing: KAFKA_SECURITY_PROTOCOL={protocol} needs it")
        if not protocol.startswith("SASL_") and value is not None:
            raise ValueError(_no_effect(protocol, "SASL_SSL or SASL_PLAINTEXT"))
        if value == "AWS_MSK_IAM" and protocol != "SASL_SSL":
            raise ValueError(f"goes with KAFKA_SECURITY_PROTOCOL=SASL_SSL, not {protocol}")
        return value

    @field_validator("sasl_username", "sasl_password", mode="after")
    @classmethod
    def _goes_with_sasl(cls, value: object, info: ValidationInfo) -> object:
        protocol, mechanism = info.data.get("security_protocol"), info.data.get("sasl_mechanism")
        if protocol is None:
            return value
        if not protocol.startswith("SASL_"):
            if value is not None:
                raise ValueError(_no_effect(protocol, "SASL_SSL or SASL_PLAINTEXT"))
        elif mechanism in _WITHOUT_PASSWORD:
            if value is not None:
                raise ValueError(f"has no effect with KAFKA_SASL_MECHANISM={mechanism}; leave it out")
        elif value is None:
            raise ValueError(f"is missing: KAFKA_SECURITY_PROTOCOL={protocol} needs it")
        return value

    @field_validator(
        "oauth_token_url", "oauth_client_id", "oauth_client_secret", "oauth_scope", "oauth_token_provider"
    )
    @classmethod
    def _goes_with_oauth(cls, value: object, info: ValidationInfo) -> object:
        if info.data.get("sasl_mechanism") != "OAUTHBEARER":
            if value is not None:
                raise ValueError("has no effect without KAFKA_SASL_MECHANISM=OAUTHBEARER; leave it out")
            return value
        has_url = info.data.get("oauth_token_url") is not None
        if info.field_name in {"oauth_client_id", "oauth_client_secret"} and (value is None) == has_url:
            text = "is missing: {} needs it" if has_url else "has no effect without {}"
            raise ValueError(text.format("KAFKA_OAUTH_TOKEN_URL"))
        if info.field_name == "oauth_token_provider" and (value is None) != has_url:
            if has_url:
                raise ValueError("has no effect beside KAFKA_OAUTH_TOKEN_URL; leave one of them out")
            raise ValueError(
                "is missing: KAFKA_SASL_MECHANISM=OAUTHBEARER needs it, or KAFKA_OAUTH_TOKEN_URL"
            )
        return value

    @field_validator("ssl_ca_file", "ssl_cert_file", "ssl_key_file", "ssl_key_password", mode="after")
    @classmethod
    def _goes_with_ssl(cls, value: object, info: ValidationInfo) -> object:
        protocol = info.data.get("security_protocol")
        if value is None:
            return value
        if protocol in {"PLAINTEXT", "SASL_PLAINTEXT"}:
            raise ValueError(_no_effect(protocol, "SSL or SASL_SSL"))
        is_of_key = info.field_name in {"ssl_key_file", "ssl_key_password"}
        if is_of_key and info.data.get("ssl_cert_file", "wrong") is None:
            raise ValueError("has no effect without KAFKA_SSL_CERT_FILE; set that, or leave it out")
        return value


def _no_effect(protocol: str, instead: str) -> str:
    return f"has no effect with KAFKA_SECURITY_PROTOCOL={protocol}; set that to {instead}, or leave it out"
