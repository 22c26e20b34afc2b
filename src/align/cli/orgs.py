"""`align orgs`: the organisations."""

from typing import TYPE_CHECKING, Annotated

import typer

from align.cli import output
from align.cli.database import run
from align.cli.options import AsJson, DataDir, OnOff, OrganizationArgument
from align.organizations import organizations
from align.organizations.organizations import FEATURES, Organization
from align.refusals import Refused

if TYPE_CHECKING:
    import asyncpg

app = typer.Typer(no_args_is_help=True, help="Organisations (tenants), their features and their strictness.")

COLUMNS: output.Columns[Organization] = {
    "id": lambda it: it.id,
    "name": lambda it: it.name,
    "features": lambda it: it.features,
    "strict": lambda it: it.strict,
}


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="FEATURE", help="Leave this feature off; may be repeated.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create an organisation. It gets every feature (today: time_tracking) but those named by --without."""
    left_off = set(without or ())
    if unknown := left_off - set(FEATURES):
        raise Refused("feature", f"no feature is called '{min(unknown)}'; there is: {', '.join(FEATURES)}")
    features = [feature for feature in FEATURES if feature not in left_off]
    created = run(data_dir, lambda tx: organizations.create(tx, name, features=features))
    output.show_one(created, COLUMNS, as_json=as_json)


@app.command("list")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all organisations."""
    found = run(data_dir, organizations.list_all)
    output.show_list(found, COLUMNS, as_json=as_json, nothing="No organisation yet; make one: align orgs create NAME")


@app.command()
def features(
    org: OrganizationArgument,
    feature: Annotated[str | None, typer.Argument(metavar="FEATURE", show_default=False)] = None,
    state: Annotated[OnOff | None, typer.Argument(metavar="on|off", show_default=False)] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the features of an organisation, or turn one on or off."""
    if feature is not None and state is None:
        raise typer.BadParameter(f"say whether {feature} is to be on or off", param_hint="on|off")
    organization = run(data_dir, lambda tx: _features(tx, org, feature, state))
    if as_json:
        output.show_json(organization)
    else:
        output.show_fields({name: name in organization.features for name in FEATURES})


@app.command()
def strict(
    org: OrganizationArgument,
    state: Annotated[OnOff, typer.Argument(metavar="on|off", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Refuse unknown members and reused idempotency keys (on), or point them out in headers only (off)."""
    changed = run(data_dir, lambda tx: _strict(tx, org, state))
    output.show_one(changed, COLUMNS, as_json=as_json)


async def _features(tx: "asyncpg.Connection", org: str, feature: str | None, state: OnOff | None) -> Organization:
    organization = await organizations.find(tx, org)
    if feature is None:
        return organization
    return await organizations.set_feature(tx, organization.id, feature, on=state == "on")


async def _strict(tx: "asyncpg.Connection", org: str, state: OnOff) -> Organization:
    organization = await organizations.find(tx, org)
    return await organizations.set_strict(tx, organization.id, strict=state == "on")
