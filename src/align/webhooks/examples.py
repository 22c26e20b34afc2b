"""An example of what every event says: before and after."""

from typing import Any

from align.time_entries.model import ENTRY_EXAMPLE

USER_ID = "9a8b7c6d-0000-0000-0000-000000000002"
_ORGANIZATION_ID = "5c0e9a7e-0000-0000-0000-000000000003"
_PROJECT_ID = "7b1e2c3d-0000-0000-0000-000000000001"
_CREATED = "2025-01-15T08:00:00Z"
_TIMES = {"createdAt": _CREATED, "updatedAt": _CREATED}

ENTITIES: dict[str, dict[str, Any]] = {
    "time": {**ENTRY_EXAMPLE, **_TIMES},
    "project": {
        "id": _PROJECT_ID,
        "organizationId": _ORGANIZATION_ID,
        "name": "Website relaunch",
        "status": "active",
        **_TIMES,
    },
    "project_member": {
        "id": "4d5f2f0e-0000-0000-0000-000000000008",
        "projectId": _PROJECT_ID,
        "userId": USER_ID,
        "email": "dora@acme.example",
        "name": "Dora Developer",
        "role": "developer",
        "active": True,
        "createdAt": _CREATED,
    },
    "ticket": {
        "id": "6e7f2f0e-0000-0000-0000-000000000009",
        "organizationId": _ORGANIZATION_ID,
        "projectId": _PROJECT_ID,
        "title": "Sketch the start page",
        "status": "open",
        **_TIMES,
    },
    "user": {
        "id": USER_ID,
        "organizationId": _ORGANIZATION_ID,
        "email": "dora@acme.example",
        "name": "Dora Developer",
        "role": "developer",
        "active": True,
        "deactivatedAt": None,
        "metadata": {"personnelNumber": "0815"},
        **_TIMES,
    },
    "integration_link": {
        "id": "aa1b2c3d-0000-0000-0000-000000000099",
        "organizationId": _ORGANIZATION_ID,
        "provider": "jira",
        "externalType": "issue",
        "externalId": "WEB-42",
        "alignEntityType": "ticket",
        "alignEntityId": "6e7f2f0e-0000-0000-0000-000000000009",
        "createdAt": _CREATED,
    },
    "organization": {
        "id": _ORGANIZATION_ID,
        "name": "Acme",
        "features": ["time_tracking"],
        "strict": False,
        "lockedUntil": None,
        **_TIMES,
    },
    "api_key": {
        "id": "0c6a2f0e-0000-0000-0000-000000000004",
        "organizationId": _ORGANIZATION_ID,
        "name": "illumera",
        "prefix": "ako_4fGh2k",
        "scope": "organization",
        "scopedProjectId": None,
        "permissions": None,
        "sourceBinding": "illumera",
        "rateLimitPerMinute": 600,
        "createdByUserId": USER_ID,
        "createdAt": _CREATED,
        "expiresAt": None,
        "revokedAt": None,
        "previousValidUntil": None,
        "lastUsedAt": None,
    },
    "webhook": {
        "id": "0d9f2f0e-0000-0000-0000-000000000005",
        "organizationId": _ORGANIZATION_ID,
        "destinationUrl": "https://example.com/align",
        "eventNames": ["time.approved"],
        "description": None,
        "enabled": True,
        "disabledReason": None,
        "failingSince": None,
        "previousSecretValidUntil": None,
        "createdByUserId": USER_ID,
        **_TIMES,
    },
}

_Payload = tuple[dict[str, Any] | None, dict[str, Any] | None]
_DELIVERY_ID = "1b3f2f0e-0000-0000-0000-000000000006"


def _moved(before: str, after: str, **more: tuple[object, object]) -> _Payload:
    """A time entry's way from one status to another."""
    changed: dict[str, tuple[object, object]] = {"status": (before, after), **more}
    return {name: old for name, (old, _) in changed.items()}, {name: new for name, (_, new) in changed.items()}


PAYLOADS: dict[str, _Payload] = {
    "time.logged": (None, ENTITIES["time"]),
    "time.updated": ({"minutes": 150, "hours": "2.5"}, {"minutes": 180, "hours": "3.0"}),
    "time.deleted": (ENTITIES["time"], None),
    "time.submitted": _moved("draft", "submitted"),
    "time.recalled": _moved("submitted", "draft"),
    "time.approved": _moved("submitted", "approved"),
    "time.rejected": _moved("submitted", "rejected", statusReason=(None, "Which ticket was this?")),
    "time.locked": _moved("approved", "locked"),
    "time.unlocked": _moved("locked", "draft", statusReason=(None, "The wrong day.")),
    "time.invoiced": _moved("locked", "invoiced", invoiced=(False, True), invoiceReference=(None, "2025-007")),
    "time.invoice_voided": _moved("invoiced", "locked", invoiced=(True, False), invoiceReference=("2025-007", None)),
    "project.created": (None, ENTITIES["project"]),
    "project.updated": ({"status": "active"}, {"status": "archived"}),
    "project_member.added": (None, ENTITIES["project_member"]),
    "project_member.removed": (ENTITIES["project_member"], None),
    "ticket.created": (None, ENTITIES["ticket"]),
    "ticket.updated": ({"status": "open"}, {"status": "closed"}),
    "user.invited": (None, ENTITIES["user"]),
    "user.updated": ({"role": "developer"}, {"role": "manager"}),
    "integration_link.created": (None, ENTITIES["integration_link"]),
    "integration_link.deleted": (ENTITIES["integration_link"], None),
    "organization.created": (None, ENTITIES["organization"]),
    "organization.updated": ({"strict": False}, {"strict": True}),
    "organization.period_locked": ({"lockedUntil": None}, {"lockedUntil": "2025-01-31"}),
    "organization.period_unlocked": (
        {"lockedUntil": "2025-01-31"},
        {"lockedUntil": None, "reason": "The January invoice was withdrawn."},
    ),
    "api_key.created": (None, ENTITIES["api_key"]),
    "api_key.updated": ({"rateLimitPerMinute": 600}, {"rateLimitPerMinute": 1200}),
    "api_key.rotated": (
        {"prefix": "ako_4fGh2k", "previousValidUntil": None},
        {"prefix": "ako_9zXy8w", "previousValidUntil": "2025-01-16T08:00:00Z"},
    ),
    "api_key.revoked": ({"revokedAt": None}, {"revokedAt": "2025-01-15T10:30:00Z"}),
    "webhook.created": (None, ENTITIES["webhook"]),
    "webhook.updated": ({"eventNames": ["time.approved"]}, {"eventNames": ["time.*"]}),
    "webhook.deleted": (ENTITIES["webhook"], None),
    "webhook.disabled": ({"enabled": True}, {"enabled": False, "disabledReason": "gone"}),
    "webhook.secret_rotated": (
        {"previousSecretValidUntil": None},
        {"previousSecretValidUntil": "2025-01-16T08:00:00Z"},
    ),
    "webhook.tested": (None, {"deliveryId": _DELIVERY_ID}),
    "webhook.redelivered": (None, {"deliveryId": _DELIVERY_ID}),
    "webhook.replayed": (None, {"since": "2025-01-14T00:00:00Z", "until": "2025-01-15T00:00:00Z", "queued": 12}),
    "webhook.test": (None, {"message": "A test of this webhook."}),
}
# What no user of the organisation does.
BY_OPERATOR = frozenset({"organization.created", "organization.updated", "api_key.updated", "webhook.disabled"})
