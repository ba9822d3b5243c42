"""What can be set: from flags, then ``HEARD_…`` variables, then ``heard.toml``."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from broker_config.settings import BrokerAddress

FILE = "heard.toml"
PORT = 1883
TLS_PORT = 8883


class BrokerKind(StrEnum):
    """Which broker carries the messages."""

    EMBEDDED = "embedded"
    MOSQUITTO = "mosquitto"


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


def default_home() -> Path:
    """Where Heard keeps its files for this user (XDG base directories)."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "heard"


class Settings(BaseSettings):
    """Everything that can be set, with its default."""

    model_config = SettingsConfigDict(env_prefix="HEARD_", extra="forbid")

    home: Annotated[
        Path, Field(description="where files are kept: database, secrets, outboxes")
    ] = Field(default_factory=default_home)
    database: Annotated[
        str | None,
        Field(
            description="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; "
            "without it, SQLite in the home folder"
        ),
    ] = None
    broker: Annotated[
        BrokerKind, Field(description="embedded (in the process of `heard up`) or mosquitto")
    ] = BrokerKind.EMBEDDED
    broker_host: Annotated[str, Field(description="where the broker listens")] = "127.0.0.1"
    broker_port: Annotated[
        int | None,
        Field(
            ge=0,
            le=65535,
            description="its port; without it 1883, with TLS 8883, or for the embedded broker "
            "any free one when 1883 is taken",
        ),
    ] = None
    broker_tls: Annotated[bool, Field(description="speak TLS to the broker")] = False
    broker_ca: Annotated[
        Path | None, Field(description="the authority that signed the broker's certificate")
    ] = None
    broker_certificate: Annotated[
        Path | None, Field(description="our own certificate, for a broker that wants one")
    ] = None
    broker_key: Annotated[
        Path | None, Field(description="its key; without it, in the same file")
    ] = None
    plaintext: Annotated[
        bool, Field(description="speak and listen without TLS off this machine too")
    ] = False
    services_secret: Annotated[
        SecretStr | None,
        Field(description="the services' password at the broker; without it, made and kept"),
    ] = None
    admin_secret: Annotated[
        SecretStr | None,
        Field(description="heard-admin's password at Mosquitto; without it, made and kept"),
    ] = None
    seal_key: Annotated[
        SecretStr | None,
        Field(
            description="what the database's own secrets are sealed with; without it, made and "
            "kept. All who share a database need the same",
            min_length=32,
        ),
    ] = None
    gateway: Annotated[bool, Field(description="answer HTTP: logins, claims, the API")] = True
    gateway_host: Annotated[str, Field(description="where the gateway listens")] = "127.0.0.1"
    gateway_port: Annotated[
        int | None,
        Field(
            ge=0,
            le=65535,
            description="its port; without it 8880, or for `heard up` any free one when 8880 is "
            "taken",
        ),
    ] = None
    gateway_certificate: Annotated[
        Path | None,
        Field(description="its certificate; without it, that of `heard tls init` where there is"),
    ] = None
    gateway_key: Annotated[
        Path | None, Field(description="its key; without it, in the same file")
    ] = None
    gateway_origin: Annotated[
        str | None,
        Field(
            description="where browser screens come from, as https://screens.example; without "
            "it, no other origin may call",
            pattern=r"^https?://[^/\s*]+$",
        ),
    ] = None
    smtp_url: Annotated[
        SecretStr | None,
        Field(
            description="the mail server for notices: smtp://USER:PASSWORD@HOST:587 (STARTTLS) or "
            "smtps://…:465"
        ),
    ] = None
    smtp_from: Annotated[
        str | None,
        Field(description="whose mail it is, as orders@roma.example or Roma <orders@roma.example>"),
    ] = None
    devices_broker: Annotated[
        str | None,
        Field(
            description="the broker as devices reach it, as mqtts://mqtt.example:8883, where "
            "that is not as the services do",
            pattern=r"^mqtts?://[^/\s:]+:[0-9]{1,5}$",
        ),
    ] = None
    guests_gateway: Annotated[
        str | None,
        Field(
            description="the gateway as guests reach it, as https://orders.example, where that is "
            "not as it listens; their links begin with it",
            pattern=r"^https?://[^/\s?#]+(/[^\s?#]*)?$",
        ),
    ] = None
    drop: Annotated[
        Path | None,
        Field(
            description="a folder into which other systems put requests as files, in a folder of "
            "their restaurant; without it, none are taken"
        ),
    ] = None
    token_s: Annotated[
        float, Field(ge=1, le=3600, description="seconds that a screen's token is good for")
    ] = 900.0
    session_s: Annotated[
        float, Field(ge=1, le=86400, description="seconds after which a person logs in again")
    ] = 43200.0
    log_level: Annotated[str, Field(description="debug, info, warning or error")] = "info"
    log_format: Annotated[LogFormat, Field(description="text for people, json for machines")] = (
        LogFormat.TEXT
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags first, then the environment, then the file."""
        del dotenv_settings, file_secret_settings
        path = Path(os.environ.get("HEARD_CONFIG", FILE))
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path))

    @classmethod
    def load(cls, **flags: Any) -> Settings:
        """Read the settings; flags that were not given (None) do not count.

        Raises:
            pydantic.ValidationError: a value is wrong; the message names it.
        """
        return cls(**{name: value for name, value in flags.items() if value is not None})

    @property
    def database_url(self) -> str:
        """The database's address, the default filled in."""
        return self.database or f"sqlite:///{self.home / 'heard.db'}"

    def address(self, port: int | None = None) -> BrokerAddress:
        """Where the broker is; `port` where it was only known at start."""
        return BrokerAddress(
            host=self.broker_host,
            port=port or self.broker_port or (TLS_PORT if self.broker_tls else PORT),
            tls=self.broker_tls,
            ca_file=self.broker_ca,
            certificate=self.broker_certificate,
            key=self.broker_key,
            plaintext=self.plaintext,
        )
