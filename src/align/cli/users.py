"""`align users`: the members of an organisation."""

from typing import TYPE_CHECKING, Annotated

import typer

from align.cli import output
from align.cli.database import run
from align.cli.options import AsJson, DataDir, OrganizationArgument, UserArgument
from align.organizations import organizations
from align.roles import Role
from align.users import users
from align.users.users import User

if TYPE_CHECKING:
    import asyncpg

app = typer.Typer(no_args_is_help=True, help="Users: the members of an organisation, whose hours are recorded.")

COLUMNS: output.Columns[User] = {
    "id": lambda it: it.id,
    "email": lambda it: it.email,
    "name": lambda it: it.name,
    "role": lambda it: it.role,
    "state": lambda it: "deactivated" if it.deactivated_at else "active",
}


@app.command()
def create(
    org: OrganizationArgument,
    email: Annotated[str, typer.Option(help="Unique within the organisation, whatever the case.")],
    name: Annotated[str, typer.Option(help="The user's full name.")],
    role: Annotated[Role, typer.Option(help="What the user, and keys minted for it, may do.")] = "user",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create a user of an organisation."""

    async def work(tx: "asyncpg.Connection") -> User:
        organization = await organizations.find(tx, org)
        return await users.create(tx, organization.id, email=email, name=name, role=role)

    output.show_one(run(data_dir, work), COLUMNS, as_json=as_json)


@app.command("list")
def list_(org: OrganizationArgument, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the users of an organisation."""

    async def work(tx: "asyncpg.Connection") -> list[User]:
        return await users.list_all(tx, (await organizations.find(tx, org)).id)

    output.show_list(run(data_dir, work), COLUMNS, as_json=as_json, nothing="No user yet.")


@app.command()
def deactivate(
    org: OrganizationArgument, user: UserArgument, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Deactivate a user: no new keys are minted for it; its hours stay, and its history can be imported."""

    async def work(tx: "asyncpg.Connection") -> User:
        found = await _find(tx, org, user)
        return await users.set_active(tx, found.organization_id, found.id, active=False)

    output.show_one(run(data_dir, work), COLUMNS, as_json=as_json)


@app.command()
def activate(org: OrganizationArgument, user: UserArgument, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Activate a deactivated user again."""

    async def work(tx: "asyncpg.Connection") -> User:
        found = await _find(tx, org, user)
        return await users.set_active(tx, found.organization_id, found.id, active=True)

    output.show_one(run(data_dir, work), COLUMNS, as_json=as_json)


@app.command()
def role(
    org: OrganizationArgument,
    user: UserArgument,
    role: Annotated[Role, typer.Argument(metavar="ROLE", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Give a user another role; keys minted for it act with the new role at once."""

    async def work(tx: "asyncpg.Connection") -> User:
        found = await _find(tx, org, user)
        return await users.set_role(tx, found.organization_id, found.id, role)

    output.show_one(run(data_dir, work), COLUMNS, as_json=as_json)


async def _find(tx: "asyncpg.Connection", org: str, user: str) -> User:
    return await users.find(tx, (await organizations.find(tx, org)).id, user)
