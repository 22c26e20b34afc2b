"""Lists and look-ups of users, projects, members, tickets and links use an index, whatever is asked for."""

import pytest

from align.links import linking, links
from align.links.linking import Wanted
from align.projects import members, projects
from align.tickets import tickets
from align.users import users
from tests.plans.explaining import check_plans, nodes

LINK_FILTERS = [
    {},
    {"provider": "illumera"},
    {"provider": "illumera", "external_type": "time_entry"},
    {"external_id": "7"},
    {"align_entity_type": "time_entry"},
    {"provider": "illumera", "external_type": "time_entry", "external_id": "7"},
    {"align_entity_id": "entry"},
    {"align_entity_id": "entry", "align_entity_type": "time_entry"},
]


@pytest.fixture(scope="module")
async def staffed(large):
    """The generated database with half of the users in every project of their organisation."""
    await large.connection.execute(
        "insert into project_members (organization_id, project_id, user_id) "
        "select p.organization_id, p.id, u.id from projects p join users u using (organization_id) "
        "where u.name < 'U25' on conflict do nothing"
    )
    await large.connection.execute("vacuum analyze project_members")
    return large


@pytest.mark.parametrize("scope", ["organization", "project"])
@pytest.mark.parametrize("filters", LINK_FILTERS, ids=lambda it: ", ".join(it) or "nothing")
async def test_lists_of_links_use_an_index(large, filters, scope):
    filters = dict(filters)
    if "align_entity_id" in filters:
        filters["align_entity_id"] = await large.id_of("entry", 7)
    project_id = await large.id_of("project") if scope == "project" else None
    wanted = Wanted(**filters, project_id=project_id)
    count, page = linking.queries_for(wanted)
    parameters = linking.parameters(large.organization_id, wanted)
    await check_plans(large, count, parameters)
    await check_plans(large, page, (*parameters, 25, 0))


async def test_a_reference_is_looked_up_by_its_whole_key(large):
    reference = (large.organization_id, "illumera", "time_entry", "7")
    for query, arguments in (
        (links.queries.find_link, reference),
        (links.queries.delete_link, reference),
        (links.queries.count_links_of_reference, (*reference, None, None, None)),
    ):
        for plan in (await check_plans(large, query, arguments)).values():
            conditions = [it["Index Cond"] for it in nodes(plan) if it.get("Index Name") == "one_entry_per_external_id"]
            assert len(conditions) == 1
            for column in ("organization_id", "provider", "external_type", "external_id"):
                assert f"{column} = " in conditions[0]


async def test_look_ups_of_links_and_what_they_name_use_an_index(large):
    org = large.organization_id
    await check_plans(large, links.queries.get_link, (org, await large.id_of("link")))
    for what in ("user", "project", "ticket"):
        await check_plans(large, getattr(links.queries, f"find_{what}"), (org, await large.id_of(what)))
    await check_plans(large, links.queries.find_time_entry, (org, await large.id_of("entry")))


async def test_lists_and_look_ups_of_users_use_an_index(large):
    org, user = large.organization_id, await large.id_of("user")
    for roles, active in ((None, None), (["developer", "admin"], True)):
        await check_plans(large, users.queries.count_users, (org, roles, active))
        await check_plans(large, users.queries.page_of_users, (org, roles, active, 25, 0))
    await check_plans(large, users.queries.find_user_by_email, (org, "7@example.com"))
    await check_plans(large, users.queries.lock_active_admins, (org,))
    await check_plans(large, users.queries.read_user, (org, user))
    await check_plans(large, users.queries.update_user, (org, user, "7@example.com", "U", "user", True))


async def test_lists_and_look_ups_of_projects_and_members_use_an_index(staffed):
    org, project, user = staffed.organization_id, await staffed.id_of("project"), await staffed.id_of("user")
    for filters in ((None, None, None), (project, None, None), (None, ["active", "archived"], "P7")):
        await check_plans(staffed, projects.queries.count_projects, (org, *filters))
        await check_plans(staffed, projects.queries.page_of_projects, (org, *filters, 25, 0))
    await check_plans(staffed, projects.queries.read_project, (org, project))
    await check_plans(staffed, projects.queries.existing_projects, (org, [project]))
    await check_plans(staffed, members.queries.count_members, (org, project))
    await check_plans(staffed, members.queries.page_of_members, (org, project, 25, 0))
    for query in (members.queries.find_member, members.queries.delete_member):
        await check_plans(staffed, query, (org, project, user))


async def test_lists_and_look_ups_of_tickets_use_an_index(large):
    org, project, ticket = large.organization_id, await large.id_of("project"), await large.id_of("ticket")
    for status in (None, "closed"):
        await check_plans(large, tickets.queries.count_tickets, (org, project, status))
        await check_plans(large, tickets.queries.page_of_tickets, (org, project, status, 25, 0))
    for query in (tickets.queries.read_ticket, tickets.queries.get_ticket):
        await check_plans(large, query, (org, project, ticket))
