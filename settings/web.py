"""The settings of the routes and of the live events over HTTP."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from settings.formats import (
    check_page,
    check_secret,
    check_web_host,
    check_web_port,
    split_commas,
)
from settings.section import AsDuration, Count, Port, Section
from settings.urls import check_jwks, check_origin

OnOff = Literal["on", "off"]
Origin = Annotated[str, AfterValidator(check_origin)]


class WebSettings(Section):
    """The routes and the live events over HTTP, and who may ask for them."""

    host: Annotated[str, AfterValidator(check_web_host)] = Field(
        default="127.0.0.1", description="Address that the web application and the bridge listen on."
    )
    port: Annotated[Port, BeforeValidator(check_web_port)] = Field(
        default=8000, description="Port of the web application."
    )
    live_port: Port = Field(default=8001, description="Port of the bridge.")
    jwt_secret: Annotated[SecretStr, AfterValidator(check_secret)] | None = Field(
        default=None, description="Key of HS256 tokens, 32 bytes or more; never printed."
    )
    jwt_jwks: Annotated[str, AfterValidator(check_jwks)] | None = Field(
        default=None,
        description="File or https URL with the public keys (JWKS) of RS256, ES256 and EdDSA tokens.",
    )
    jwt_audience: str = Field(default="todo", description="Audience that a token must be for.")
    jwt_issuer: str | None = Field(
        default=None, description="Issuer that a token must be from; without it, any whose key is known."
    )
    jwt_user_claim: str = Field(
        default="email",
        description="Claim of a token that names the user: the address that todos are owned by.",
    )
    jwt_roles_claim: str = Field(default="roles", description="Claim of a token with the list of roles.")
    dapr_token: Annotated[SecretStr, AfterValidator(check_secret)] | None = Field(
        default=None,
        description="What Dapr's sidecar sends, its APP_API_TOKEN, 32 bytes or more; never printed.",
    )
    dapr_pubsub: str | None = Field(
        default=None, description="Pub/sub component whose events Dapr delivers; needs WEB_DAPR_TOKEN."
    )
    dapr_topic: str = Field(default="todo-events", description="Topic of it that Dapr delivers.")
    session_secret: Annotated[SecretStr, AfterValidator(check_secret)] | None = Field(
        default=None,
        description="Key that signs the dashboard's sessions, 32 bytes or more; else WEB_JWT_SECRET does, "
        "or one that is made at each start and that no other pod has. Never printed.",
    )
    read_only: OnOff = Field(
        default="off", description="Whether the dashboard only shows and changes nothing: on or off."
    )
    origins: Annotated[tuple[Origin, ...], BeforeValidator(split_commas)] = Field(
        default=(),
        description="Origins of pages that may connect, comma separated; those of the same host always may.",
    )
    page: Annotated[Path, AfterValidator(check_page)] | None = Field(
        default=None, description="Folder of a page, with its index.html, that `web` serves at /."
    )
    updates: OnOff = Field(
        default="on", description="Whether workers write what they did into the topic of updates: on or off."
    )
    ring_mb: Count = Field(
        default=64,
        description="MB of recent events that a bridge keeps in memory for clients that come back.",
    )
    resume: Annotated[timedelta, Field(ge=timedelta(seconds=0)), AsDuration] = Field(
        default=timedelta(hours=24),
        description="How long a client may be away and still get all that it missed.",
    )
    connections: Count = Field(default=20_000, description="Connections of one bridge process at most.")
    connections_per_user: Count = Field(
        default=50, description="Connections of one user to a process at most."
    )
    connections_per_address: Count = Field(
        default=1_000, description="Connections from one address to a process at most; a proxy counts as one."
    )
    drain: Annotated[timedelta, Field(ge=timedelta(seconds=0)), AsDuration] = Field(
        default=timedelta(seconds=15), description="Time over which a bridge that stops sends clients away."
    )

    @field_validator("jwt_jwks", mode="after")
    @classmethod
    def _is_the_only_key(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("jwt_secret") is not None:
            raise ValueError("does not go with WEB_JWT_SECRET; leave one of them out")
        return value

    @field_validator("dapr_pubsub", mode="after")
    @classmethod
    def _has_a_token(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("dapr_token") is None:
            raise ValueError("needs WEB_DAPR_TOKEN, by which Dapr's sidecar is known")
        return value
