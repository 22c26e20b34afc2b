"""One month of hours, from the invitation of who worked them to the invoice, as those involved see it."""

from typing import Any

import httpx

from tests.api.reconciliation.reconciling import summed

JANUARY = {"startDate": "2025-01-01", "endDate": "2025-01-31"}


class Caller:
    """Somebody with a key."""

    def __init__(self, url: str, key: str) -> None:
        self._base = f"{url}/api/v1"
        self._key = key

    def __call__(self, method: str, path: str, status: int, body: object = None, **options: Any) -> Any:
        """The answer's JSON; its status must be the one given."""
        content = {} if body is None else {"json": body}
        response = self.response(method, path, **content, **options)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    def response(self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any) -> Any:
        """The whole answer."""
        headers = {"Authorization": f"Bearer {self._key}", **(headers or {})}
        return httpx.request(method, self._base + path, headers=headers, timeout=60, **options)


def first_admin(align) -> tuple[str, str]:
    """A fresh organisation's admin, and the key that the command line mints; by user id and key."""
    align.json("orgs", "create", "Acme")
    ada = align.json("users", "create", "Acme", "--email", "ada@acme.example", "--name", "Ada", "--role", "admin")
    minted = align.json("keys", "mint", "Acme", "--name", "first", "--created-by", ada["id"], "--unlimited")
    return ada["id"], minted["key"]


def test_a_month_from_the_first_invitation_to_the_invoice(align):
    ada_id, key = first_admin(align)
    url = align.start().ready()
    ada = Caller(url, key)
    told: list[tuple[str, str]] = []  # what the change feed must tell, and of what
    cursor = ada("GET", "/changes", 200, params={"after": "latest"})["nextCursor"]

    # Ada invites Dora, opens a project and makes Dora a member.
    person = {"email": "dora@acme.example", "name": "Dora Developer", "role": "developer"}
    dora = ada("POST", "/users/invite", 201, person)
    told.append(("user.invited", dora["id"]))
    project = ada("POST", "/projects", 201, {"name": "Website relaunch"})
    told.append(("project.created", project["id"]))
    of_project = f"/projects/{project['id']}"
    member = ada("POST", f"{of_project}/members", 201, {"userId": dora["id"]})
    told.append(("project_member.added", member["id"]))

    # The project gets a key of its own; Jira gets one that may speak as Jira only.
    of_website = ada(
        "POST", "/api-keys", 201, {"name": "website", "scope": "project", "scopedProjectId": project["id"]}
    )
    of_jira = ada("POST", "/api-keys", 201, {"name": "jira", "scope": "organization", "sourceBinding": "jira"})
    told += [("api_key.created", of_website["id"]), ("api_key.created", of_jira["id"])]
    website, jira = Caller(url, of_website["key"]), Caller(url, of_jira["key"])

    # Jira sends three days of Dora's work, and can't pass itself off as Harvest.
    worked = [
        {
            "projectId": project["id"],
            "userId": dora["id"],
            "workDate": f"2025-01-{day}",
            "minutes": minutes,
            "billable": billable,
            "externalSystem": "jira",
            "externalId": f"WEB-{day}",
        }
        for day, minutes, billable in ((14, 150, True), (15, 100, True), (16, 45, False))
    ]
    synced = [jira("POST", "/integration/time-entries", 201, entry) for entry in worked]
    ids = [entry["id"] for entry in synced]
    told += [("time.logged", entry_id) for entry_id in ids]
    foreign = jira("POST", "/integration/time-entries", 403, {**worked[0], "externalSystem": "harvest"})
    assert foreign["error"] == "source_violation"

    # The project's key lists them, and corrects the second: once, since then somebody else's ETag is stale.
    listed = website("GET", f"{of_project}/time-entries", 200, params={**JANUARY, "sort": "workDate"})
    assert [entry["id"] for entry in listed["data"]] == ids
    seen = website.response("GET", f"/time-entries/{ids[1]}").headers["etag"]
    corrected = website("PATCH", f"/time-entries/{ids[1]}", 200, {"minutes": 90}, headers={"If-Match": seen})
    assert corrected["minutes"] == 90
    website("PATCH", f"/time-entries/{ids[1]}", 412, {"minutes": 95}, headers={"If-Match": seen})
    told.append(("time.updated", ids[1]))

    # The month is submitted and approved, and its period locked: Jira comes too late with a fourth day.
    for caller, action in ((website, "submit"), (ada, "approve")):
        moved = caller("POST", "/time-entries/transitions", 200, {"action": action, "ids": ids})
        assert (moved["succeeded"], moved["failed"]) == (len(ids), 0)
    told += [("time.submitted", entry_id) for entry_id in ids] + [("time.approved", entry_id) for entry_id in ids]
    organization = ada("GET", "/organization", 200)
    ada("PUT", "/organization/locked-until", 200, {"date": "2025-01-31"})
    told.append(("organization.period_locked", organization["id"]))
    late = jira(
        "POST", "/integration/time-entries", 409, {**worked[0], "workDate": "2025-01-17", "externalId": "WEB-17"}
    )
    assert (late["error"], late["lockedUntil"]) == ("period_locked", "2025-01-31")

    # It is put on an invoice all the same, and the sum on it is that of what was worked.
    invoice = {"action": "invoice", "ids": ids, "reference": "INV-2025-001"}
    assert ada("POST", "/time-entries/transitions", 200, invoice)["succeeded"] == len(ids)
    told += [("time.invoiced", entry_id) for entry_id in ids]
    worked[1]["minutes"] = 90
    query = {**JANUARY, "groupBy": "project,status"}
    (group,) = ada("GET", "/time-entries/summary", 200, params=query)["groups"]
    assert (group["projectId"], group["status"]) == (project["id"], "invoiced")
    assert (group["count"], group["minutes"]) == (len(worked), sum(entry["minutes"] for entry in worked))
    assert group["billableMinutes"] == sum(entry["minutes"] for entry in worked if entry["billable"])

    # At night Jira compares: one checksum says that both sides hold the same.
    checksum = jira("GET", "/integration/checksum", 200, params={"externalSystem": "jira", **JANUARY})
    assert checksum["total"] == summed({**entry, "status": "invoiced"} for entry in worked)

    # Who followed the feed all the while saw exactly this, in this order.
    cursor, seen_events = follow(ada, cursor, len(told))
    assert seen_events == told

    # Who asks later finds out who did what with which key.
    history = ada("GET", "/audit-events", 200, params={"entityId": ids[1]})["data"]
    by = [(event["action"], event["actorId"], event["metadata"]["apiKeyId"]) for event in reversed(history)]
    admins = ada("GET", "/me", 200)["apiKeyId"]
    assert by == [
        ("time.logged", ada_id, of_jira["id"]),
        ("time.updated", ada_id, of_website["id"]),
        ("time.submitted", ada_id, of_website["id"]),
        ("time.approved", ada_id, admins),
        ("time.invoiced", ada_id, admins),
    ]
    assert (history[-2]["metadata"]["before"], history[-2]["metadata"]["after"]) == (
        {"minutes": 100, "hours": "1.75"},
        {"minutes": 90, "hours": "1.5"},
    )

    # Jira's secret is changed without a pause: old and new work, until the key is revoked.
    renewed = Caller(url, ada("POST", f"/api-keys/{of_jira['id']}/rotate", 200)["key"])
    for caller in (jira, renewed):
        assert caller("POST", "/integration/time-entries", 200, worked[0])["created"] is False
    ada("DELETE", f"/api-keys/{of_jira['id']}", 204)
    for caller in (jira, renewed):
        assert caller("POST", "/integration/time-entries", 401, worked[0])["error"] == "key_revoked"
    _, rest = follow(ada, cursor, 2)
    assert rest == [("api_key.rotated", of_jira["id"]), ("api_key.revoked", of_jira["id"])]


def follow(caller: Caller, cursor: str, count: int) -> tuple[str, list[tuple[str, str]]]:
    """The events after the cursor, in small portions, until there were so many and there are no more."""
    events: list[tuple[str, str]] = []
    while True:
        wait = 30 if len(events) < count else 0
        answer = caller("GET", "/changes", 200, params={"after": cursor, "limit": 5, "wait": wait})
        events += [(change["eventName"], change["entityId"]) for change in answer["data"]]
        cursor = answer["nextCursor"]
        if not answer["data"]:
            return cursor, events
