"""`align projects`: what hours are recorded on."""

from typing import TYPE_CHECKING, Annotated

import typer

from align.cli import output
from align.cli.database import run
from align.cli.options import AsJson, DataDir, OrganizationArgument, ProjectArgument
from align.organizations import organizations
from align.projects import projects
from align.projects.projects import Project, Status

if TYPE_CHECKING:
    import asyncpg

app = typer.Typer(no_args_is_help=True, help="Projects of an organisation.")

COLUMNS: output.Columns[Project] = {
    "id": lambda it: it.id,
    "name": lambda it: it.name,
    "status": lambda it: it.status,
}


@app.command()
def create(
    org: OrganizationArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create an active project."""

    async def work(tx: "asyncpg.Connection") -> Project:
        return await projects.create(tx, (await organizations.find(tx, org)).id, name)

    output.show_one(run(data_dir, work), COLUMNS, as_json=as_json)


@app.command("list")
def list_(org: OrganizationArgument, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the projects of an organisation."""

    async def work(tx: "asyncpg.Connection") -> list[Project]:
        return await projects.list_all(tx, (await organizations.find(tx, org)).id)

    output.show_list(run(data_dir, work), COLUMNS, as_json=as_json, nothing="No project yet.")


@app.command()
def status(
    org: OrganizationArgument,
    project: ProjectArgument,
    status: Annotated[Status, typer.Argument(metavar="STATUS", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Give a project another status; an archived one takes no new time."""

    async def work(tx: "asyncpg.Connection") -> Project:
        organization = await organizations.find(tx, org)
        found = await projects.find(tx, organization.id, project)
        return await projects.set_status(tx, organization.id, found.id, status)

    output.show_one(run(data_dir, work), COLUMNS, as_json=as_json)
