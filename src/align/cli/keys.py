"""`align keys`: the API keys of an organisation."""

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from align import settings
from align.api_keys import api_keys
from align.api_keys.api_keys import MAXIMUM_OVERLAP, MAXIMUM_RATE_LIMIT, OVERLAP, ApiKey
from align.cli import output
from align.cli.database import run
from align.cli.options import AsJson, DataDir, KeyArgument, OrganizationArgument
from align.organizations import organizations
from align.projects import projects
from align.users import users

if TYPE_CHECKING:
    import asyncpg

app = typer.Typer(no_args_is_help=True, help="API keys of an organisation, with which senders call the API.")

MAXIMUM_DAYS = 36_500
UNLIMITED = "unlimited"
DEFAULT_OVERLAP_SECONDS = OVERLAP // timedelta(seconds=1)

COLUMNS: output.Columns[ApiKey] = {
    "prefix": lambda it: it.prefix,
    "name": lambda it: it.name,
    "scope": lambda it: it.scope,
    "per minute": lambda it: it.rate_limit_per_minute or UNLIMITED,
    "state": lambda it: _state(it, datetime.now(UTC)),
    "last used": lambda it: it.last_used_at,
    "permissions": lambda it: "all" if it.permissions is None else it.permissions,
    "source": lambda it: it.source_binding or "any",
}
DETAILS: output.Columns[ApiKey] = {
    "id": lambda it: it.id,
    **COLUMNS,
    "project": lambda it: it.scoped_project_id,
    "created by": lambda it: it.created_by_user_id,
    "old secret": lambda it: _old_secret(it, datetime.now(UTC)),
}


Project = Annotated[str | None, typer.Option(metavar="PROJECT", help="Reach this project only: its id or exact name.")]
CreatedBy = Annotated[str, typer.Option(metavar="USER", help="Id or email of the user with whose role the key acts.")]
ExpiresAt = Annotated[str | None, typer.Option(metavar="DATETIME", help="ISO 8601 with offset: 2027-01-31T12:00:00Z.")]
ExpiresInDays = Annotated[int | None, typer.Option(metavar="N", min=1, max=MAXIMUM_DAYS)]
RateLimit = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        max=MAXIMUM_RATE_LIMIT,
        help="Requests a minute. Default: ALIGN_RATE_LIMIT_PER_MINUTE, or 600.",
    ),
]
Permissions = Annotated[
    list[str] | None,
    typer.Option(
        "--permission", metavar="PERMISSION", help="Allow this only, such as write:time_entries; may be repeated."
    ),
]
Source = Annotated[str | None, typer.Option(metavar="NAME", help="The only externalSystem it may sync as.")]
OverlapSeconds = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        max=MAXIMUM_OVERLAP // timedelta(seconds=1),
        help="How long the old secret stays valid; 0 ends it at once.",
    ),
]


def mint(
    org: OrganizationArgument,
    name: Annotated[str, typer.Option(help="What the key is for.")],
    created_by: CreatedBy,
    project: Project = None,
    permission: Permissions = None,
    source: Source = None,
    expires_at: ExpiresAt = None,
    expires_in_days: ExpiresInDays = None,
    rate_limit: RateLimit = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="No rate limit.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Mint a key and print its text, which is shown only this once. Without an expiry it never expires."""
    expiry = _expiry(expires_at, expires_in_days, datetime.now(UTC))
    limit = _limit(rate_limit, unlimited=unlimited)

    async def work(tx: "asyncpg.Connection") -> tuple[ApiKey, str]:
        organization = await organizations.find(tx, org)
        creator = await users.find(tx, organization.id, created_by)
        scoped = await projects.find(tx, organization.id, project) if project is not None else None
        return await api_keys.mint(
            tx,
            organization.id,
            name=name,
            created_by_user_id=creator.id,
            scoped_project_id=scoped.id if scoped else None,
            permissions=permission or None,
            source_binding=source,
            expires_at=expiry,
            rate_limit_per_minute=limit,
        )

    minted, text = run(data_dir, work)
    _show_minted(minted, text, as_json=as_json)


app.command("mint")(mint)
app.command("create", hidden=True, help="The same as mint.")(mint)


@app.command("list")
def list_(org: OrganizationArgument, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the keys of an organisation: everything but their texts, which are stored nowhere."""

    async def work(tx: "asyncpg.Connection") -> list[ApiKey]:
        return await api_keys.list_all(tx, (await organizations.find(tx, org)).id)

    output.show_list(run(data_dir, work), COLUMNS, as_json=as_json, nothing="No key yet.")


@app.command()
def rotate(
    org: OrganizationArgument,
    key: KeyArgument,
    overlap_seconds: OverlapSeconds = DEFAULT_OVERLAP_SECONDS,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret and print it, only this once; the old one stays valid for a day, or the overlap given."""

    async def work(tx: "asyncpg.Connection") -> tuple[ApiKey, str]:
        found = await api_keys.find(tx, (await organizations.find(tx, org)).id, key)
        return await api_keys.rotate(tx, found.organization_id, found.id, timedelta(seconds=overlap_seconds))

    rotated, text = run(data_dir, work)
    _show_minted(rotated, text, as_json=as_json)


@app.command()
def revoke(org: OrganizationArgument, key: KeyArgument, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Revoke a key: from now on it is refused, on every server, for good."""

    async def work(tx: "asyncpg.Connection") -> ApiKey:
        found = await api_keys.find(tx, (await organizations.find(tx, org)).id, key)
        return await api_keys.revoke(tx, found.organization_id, found.id)

    output.show_one(run(data_dir, work), DETAILS, as_json=as_json)


@app.command()
def rate_limit(
    org: OrganizationArgument,
    key: KeyArgument,
    limit: Annotated[str, typer.Argument(metavar="N|unlimited", help="Requests a minute.", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Change how many requests a minute a key may make."""
    requests = _requests(limit)

    async def work(tx: "asyncpg.Connection") -> ApiKey:
        found = await api_keys.find(tx, (await organizations.find(tx, org)).id, key)
        return await api_keys.set_rate_limit(tx, found.organization_id, found.id, requests)

    output.show_one(run(data_dir, work), DETAILS, as_json=as_json)


def _show_minted(minted: ApiKey, text: str, *, as_json: bool) -> None:
    if as_json:
        output.show_json({**msgspec.to_builtins(minted), "key": text})
        return
    output.show_one(minted, DETAILS, as_json=False)
    print(f"\n{text}\n\nThis is the only time the key is shown: store it where the sender finds it.")


def _limit(rate_limit: int | None, *, unlimited: bool) -> int | None:
    if unlimited and rate_limit is not None:
        raise typer.BadParameter("give either --rate-limit or --unlimited", param_hint="--unlimited")
    return None if unlimited else rate_limit or settings.load(os.environ).rate_limit_per_minute


def _expiry(at: str | None, in_days: int | None, now: datetime) -> datetime | None:
    if at is not None and in_days is not None:
        raise typer.BadParameter("give either --expires-at or --expires-in-days", param_hint="--expires-at")
    if in_days is not None:
        return now + timedelta(days=in_days)
    if at is None:
        return None
    expiry = _parse_datetime(at)
    if expiry is None:
        raise typer.BadParameter(
            f"'{at}' is not a date and time with an offset, such as 2027-01-31T12:00:00Z",
            param_hint="--expires-at",
        )
    if expiry <= now:
        raise typer.BadParameter(f"{at} has passed; a key must expire in the future", param_hint="--expires-at")
    return expiry


def _parse_datetime(text: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _requests(limit: str) -> int | None:
    if limit == UNLIMITED:
        return None
    if not limit.isdecimal() or not limit.isascii() or not 1 <= int(limit[:20]) <= MAXIMUM_RATE_LIMIT:
        raise typer.BadParameter(f"must be 1 to {MAXIMUM_RATE_LIMIT}, or unlimited", param_hint="N|unlimited")
    return int(limit)


def _state(api_key: ApiKey, now: datetime) -> str:
    if api_key.revoked_at is not None:
        return "revoked"
    if api_key.expires_at is None:
        return "active"
    return "expired" if api_key.expires_at <= now else f"until {output.cell(api_key.expires_at)}"


def _old_secret(api_key: ApiKey, now: datetime) -> str | None:
    """What of the secret before the last rotation, if there was one."""
    if api_key.previous_valid_until is None:
        return None
    return "over" if api_key.previous_valid_until <= now else f"until {output.cell(api_key.previous_valid_until)}"
