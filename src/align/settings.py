"""The settings: one frozen struct, filled from the environment variables `ALIGN_*`."""

import difflib
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

import msgspec
import platformdirs
from msgspec import Meta, inspect


class InvalidSettings(Exception):
    """A setting has a wrong name or value; the message is one line for the operator."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator can set. Each field is the environment variable `ALIGN_<NAME IN CAPITALS>`."""

    data_dir: Annotated[
        Path,
        Meta(
            description="Directory of the embedded PostgreSQL and everything else the server stores. "
            "Default: the user's data directory."
        ),
    ] = msgspec.field(default_factory=lambda: platformdirs.user_data_path("align"))
    database_url: Annotated[
        str | None,
        Meta(
            description="PostgreSQL 15 or newer to use instead of the embedded one, "
            "such as `postgresql://align@db.internal/align`."
        ),
    ] = None
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8080
    workers: Annotated[
        int,
        Meta(ge=1, le=64, description="Server processes. Each keeps its own rate-limit counts unless Redis is set."),
    ] = 1
    database_connections: Annotated[
        int, Meta(ge=1, le=500, description="Connections each process keeps for everything but syncs.")
    ] = 8
    redis_url: Annotated[str | None, Meta(description="Redis that shares the rate-limit counts between processes.")] = (
        None
    )
    rate_limit_per_minute: Annotated[
        int, Meta(ge=1, le=10_000_000, description="Requests a minute of a newly minted API key.")
    ] = 600
    secret_key: Annotated[
        str | None,
        Meta(
            description="Encrypts the secrets of webhooks, at least 32 random characters; several separated by commas: "
            "the first encrypts, all decrypt. Default with the embedded PostgreSQL: made once, in the data directory. "
            "With a database of your own it must be set for webhooks to work, alike for all processes."
        ),
    ] = None
    webhook_worker: Annotated[
        bool, Meta(description="Whether the server delivers webhooks itself; false leaves that to `align worker`.")
    ] = True
    webhook_allow_http: Annotated[bool, Meta(description="Whether webhooks may go to http:// as well.")] = False
    webhook_allowed_networks: Annotated[
        str,
        Meta(
            description="Networks that webhooks may go to although they are not public, separated by commas, "
            "such as `10.1.0.0/16`."
        ),
    ] = ""
    log_format: Annotated[
        Literal["auto", "human", "json"],
        Meta(description="How log lines look; `auto` is human on a terminal and JSON elsewhere."),
    ] = "auto"
    access_log: Annotated[
        Literal["all", "errors", "none"],
        Meta(description="Which requests are logged; `errors` means answers from 400 on and slow ones."),
    ] = "errors"
    event_retention_days: Annotated[
        int, Meta(ge=0, le=36500, description="Days that events are kept at least; 0 keeps them for ever.")
    ] = 0
    shutdown_grace_seconds: Annotated[
        int, Meta(ge=1, le=600, description="How long a stopping server waits for the requests it accepted.")
    ] = 25
    api_key: Annotated[
        str | None, Meta(description="Key with which `align reconcile` calls a server; the server itself needs none.")
    ] = None


# How the settings that are URLs begin, and one to copy. They may hold passwords, so messages never repeat them.
_URLS = {
    "database_url": (("postgresql://", "postgres://"), "postgresql://user@host/name"),
    "redis_url": (("redis://", "rediss://"), "redis://host:6379/0"),
}
MINIMUM_SECRET_LENGTH = 32
_TYPES = get_type_hints(Settings, include_extras=True)


def load(environment: Mapping[str, str], **overrides: object) -> Settings:
    """Read the settings from `environment`; `overrides` (command-line options) win where they are not None.

    Raises InvalidSettings with one line that names the variable, what was wrong and what would be right.
    """
    values: dict[str, object] = {}
    for variable, text in environment.items():
        if not variable.startswith("ALIGN_"):
            continue
        name = variable.removeprefix("ALIGN_").lower()
        if variable != variable_of(name) or name not in _TYPES:
            raise InvalidSettings(_unknown(variable))
        if text != "":  # set but empty means: not set, as in a compose file with an empty default
            values[name] = _convert(variable, name, text)
    for name, value in overrides.items():
        if value is not None:
            values[name] = _convert(f"--{name.replace('_', '-')}", name, value)
    settings = Settings(**values)  # type: ignore[arg-type]
    return msgspec.structs.replace(settings, data_dir=settings.data_dir.expanduser().absolute())


def networks(text: str) -> list[IPv4Network | IPv6Network]:
    """The networks of `webhook_allowed_networks`. Raises ValueError."""
    return [ip_network(each.strip()) for each in text.split(",") if each.strip()]


def variable_of(name: str) -> str:
    """The environment variable of a field."""
    return f"ALIGN_{name.upper()}"


def allowed(name: str) -> str:
    """What the field may be, for people."""
    if name in _URLS:
        beginnings, _ = _URLS[name]
        return f"a URL that starts with {' or '.join(beginnings)}"
    kind = inspect.type_info(_TYPES[name])
    if isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.IntType):
        return f"an integer from {kind.ge} to {kind.le}"
    if isinstance(kind, inspect.LiteralType):
        return f"one of {', '.join(map(str, kind.values))}"
    if isinstance(kind, inspect.BoolType):
        return "true or false"
    if name == "webhook_allowed_networks":
        return "networks such as 10.1.0.0/16, separated by commas"
    if name == "secret_key":
        return "text of at least 32 characters"
    return "a path" if isinstance(kind, inspect.CustomType) else "text"


def _convert(variable: str, name: str, value: object) -> object:
    if isinstance(value, Path):
        return value
    if name in _URLS:
        beginnings, example = _URLS[name]
        if not str(value).startswith(beginnings):
            raise InvalidSettings(f"{variable} is not a URL such as {example}")
    if name == "secret_key" and any(len(key.strip()) < MINIMUM_SECRET_LENGTH for key in str(value).split(",")):
        raise InvalidSettings(f"{variable} must be {allowed(name)}, as `openssl rand -hex 32` makes it")
    if name == "webhook_allowed_networks":
        try:
            networks(str(value))
        except ValueError:
            raise InvalidSettings(f"{variable}={value}: must be {allowed(name)}") from None
    try:
        return msgspec.convert(value, _TYPES[name], strict=False, dec_hook=lambda kind, text: kind(text))
    except msgspec.ValidationError:
        raise InvalidSettings(f"{variable}={value}: must be {allowed(name)}") from None


def _unknown(variable: str) -> str:
    close = difflib.get_close_matches(variable, [variable_of(name) for name in _TYPES], n=1)
    return f"{variable} is not a setting" + (f"; did you mean {close[0]}?" if close else "; see docs/settings.md")
