"""`align tickets`: the pieces of work of a project, called entry (`entryId`) in the API."""

from typing import TYPE_CHECKING, Annotated

import typer

from align.cli import output
from align.cli.database import run
from align.cli.options import AsJson, DataDir, OrganizationArgument, ProjectArgument
from align.organizations import organizations
from align.projects import projects
from align.tickets import tickets
from align.tickets.tickets import Ticket

if TYPE_CHECKING:
    import asyncpg

app = typer.Typer(no_args_is_help=True, help="Tickets of a project; the API calls them entries (entryId).")

COLUMNS: output.Columns[Ticket] = {
    "id": lambda it: it.id,
    "title": lambda it: it.title,
    "created": lambda it: it.created_at,
}


@app.command()
def create(
    org: OrganizationArgument,
    project: ProjectArgument,
    title: Annotated[str, typer.Argument(metavar="TITLE", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create a ticket of a project."""

    async def work(tx: "asyncpg.Connection") -> Ticket:
        organization = await organizations.find(tx, org)
        found = await projects.find(tx, organization.id, project)
        return await tickets.create(tx, organization.id, found.id, title)

    output.show_one(run(data_dir, work), COLUMNS, as_json=as_json)


@app.command("list")
def list_(
    org: OrganizationArgument, project: ProjectArgument, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """List the tickets of a project."""

    async def work(tx: "asyncpg.Connection") -> list[Ticket]:
        organization = await organizations.find(tx, org)
        found = await projects.find(tx, organization.id, project)
        return await tickets.list_all(tx, organization.id, found.id)

    output.show_list(run(data_dir, work), COLUMNS, as_json=as_json, nothing="No ticket yet.")
