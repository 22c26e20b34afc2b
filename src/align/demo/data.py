"""The demo's data: three organisations with all that a call of the API can meet, and fresh keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from align.api_keys import api_keys
from align.db import sql
from align.demo import tenants
from align.demo.tenants import Member, Project, Tenant
from align.organizations import organizations, period_lock
from align.projects import projects
from align.tickets import tickets
from align.users import users

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("data.sql"))

# Any constant does, as long as it never changes and no other lock of ours has it.
LOCK_NUMBER = 4_170_211_002


class OtherTenant(msgspec.Struct, frozen=True, rename="camel"):
    """A second organisation, whose data the first one's keys must not reach."""

    organization_id: UUID
    project_id: UUID
    user_id: UUID
    entry_id: UUID
    organization_key: str


class WithoutTimeTracking(msgspec.Struct, frozen=True, rename="camel"):
    """An organisation whose plan lacks the feature time_tracking."""

    organization_id: UUID
    project_id: UUID
    user_id: UUID
    organization_key: str


class Demo(msgspec.Struct, frozen=True, rename="camel"):
    """The ids and keys of the demo's data. An entry is a ticket: `entry_id` is the one of `project_id`."""

    organization_id: UUID
    project_id: UUID
    second_project_id: UUID
    archived_project_id: UUID
    user_id: UUID
    manager_id: UUID
    client_user_id: UUID
    entry_id: UUID
    second_entry_id: UUID
    organization_key: str
    project_key: str
    revoked_key: str
    expired_key: str
    other: OtherTenant
    without_time_tracking: WithoutTimeTracking


async def prepare(tx: asyncpg.Connection, *, rate_limit_per_minute: int | None) -> Demo:
    """Make the demo's data, mend what was changed by hand, and mint fresh keys; None means no rate limit.

    Keys of earlier runs stay valid. Several processes may do this at once. Raises Refused when something made
    by hand stands in the way, such as another user with the email of the demo's.
    """
    await tx.execute(queries.wait_for_other_demos, LOCK_NUMBER)
    for tenant in tenants.TENANTS:
        await _ensure_organization(tx, tenant)
        for member in tenant.members:
            await _ensure_user(tx, tenant.id, member)
        for project in tenant.projects:
            await _ensure_project(tx, tenant.id, project)
    return await _mint_keys(tx, rate_limit_per_minute)


async def _ensure_organization(tx: asyncpg.Connection, tenant: Tenant) -> None:
    if await organizations.get(tx, tenant.id) is None:
        await organizations.create(tx, tenant.name, features=tenant.features, organization_id=tenant.id)
        return
    for feature in organizations.FEATURES:
        await organizations.set_feature(tx, tenant.id, feature, on=feature in tenant.features)
    await organizations.set_strict(tx, tenant.id, strict=False)
    await period_lock.move(tx, tenant.id, None, reason="the demo begins anew")


async def _ensure_user(tx: asyncpg.Connection, organization_id: UUID, member: Member) -> None:
    if await users.get(tx, organization_id, member.id) is None:
        await users.create(
            tx, organization_id, email=member.email, name=member.name, role=member.role, user_id=member.id
        )
        return
    await users.set_role(tx, organization_id, member.id, member.role)
    await users.set_active(tx, organization_id, member.id, active=True)


async def _ensure_project(tx: asyncpg.Connection, organization_id: UUID, project: Project) -> None:
    if await projects.get(tx, organization_id, project.id) is None:
        await projects.create(tx, organization_id, project.name, status=project.status, project_id=project.id)
    else:
        await projects.set_status(tx, organization_id, project.id, project.status)
    if project.ticket is None:
        return
    ticket_id, title = project.ticket
    if await tickets.get(tx, organization_id, project.id, ticket_id) is None:
        await tickets.create(tx, organization_id, project.id, title, ticket_id=ticket_id)


async def _mint_keys(tx: asyncpg.Connection, rate_limit_per_minute: int | None) -> Demo:
    mint = partial(api_keys.mint, tx, rate_limit_per_minute=rate_limit_per_minute)
    mint_demo = partial(mint, tenants.DEMO.id, created_by_user_id=tenants.ADMIN.id)
    _, organization_key = await mint_demo(name="Demo")
    _, project_key = await mint_demo(name="Demo (one project)", scoped_project_id=tenants.FIRST_PROJECT.id)
    revoked, revoked_key = await mint_demo(name="Demo (revoked)")
    await api_keys.revoke(tx, tenants.DEMO.id, revoked.id)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    _, expired_key = await mint_demo(name="Demo (expired)", expires_at=yesterday)
    _, other_key = await mint(tenants.OTHER.id, created_by_user_id=tenants.OTHER_ADMIN.id, name="Demo")
    plain = tenants.WITHOUT_TIME_TRACKING
    _, plain_key = await mint(plain.id, created_by_user_id=tenants.PLAIN_ADMIN.id, name="Demo")
    return Demo(
        organization_id=tenants.DEMO.id,
        project_id=tenants.FIRST_PROJECT.id,
        second_project_id=tenants.SECOND_PROJECT.id,
        archived_project_id=tenants.ARCHIVED_PROJECT.id,
        user_id=tenants.DEVELOPER.id,
        manager_id=tenants.MANAGER.id,
        client_user_id=tenants.CLIENT.id,
        entry_id=tenants.FIRST_TICKET[0],
        second_entry_id=tenants.SECOND_TICKET[0],
        organization_key=organization_key,
        project_key=project_key,
        revoked_key=revoked_key,
        expired_key=expired_key,
        other=_other(other_key),
        without_time_tracking=WithoutTimeTracking(
            plain.id, tenants.PLAIN_PROJECT.id, tenants.PLAIN_DEVELOPER.id, plain_key
        ),
    )


def _other(organization_key: str) -> OtherTenant:
    return OtherTenant(
        tenants.OTHER.id,
        tenants.OTHER_PROJECT.id,
        tenants.OTHER_DEVELOPER.id,
        tenants.OTHER_TICKET[0],
        organization_key,
    )
