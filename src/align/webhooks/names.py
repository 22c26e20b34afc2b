"""The events a webhook can ask for: their names, and families of them."""

from collections.abc import Sequence

from align.errors import ApiError

# Every event that the program writes, with when it does.
EVENTS = {
    "time.logged": "Time was logged: by a sync or through the API.",
    "time.updated": "Fields of a time entry were changed.",
    "time.deleted": "A time entry was deleted.",
    "time.submitted": "A time entry was submitted for approval.",
    "time.recalled": "A submitted time entry was taken back.",
    "time.approved": "A time entry was approved.",
    "time.rejected": "A time entry was rejected; the reason is in `after`.",
    "time.locked": "An approved time entry was locked.",
    "time.unlocked": "A time entry was opened again; the reason is in `after`.",
    "time.invoiced": "A time entry went onto an invoice; the reference is in `after`.",
    "time.invoice_voided": "The invoice of a time entry was voided.",
    "project.created": "A project was made.",
    "project.updated": "A project's name or status was changed.",
    "project_member.added": "A user became a member of a project.",
    "project_member.removed": "A user is no member of a project any more.",
    "ticket.created": "A ticket was made.",
    "ticket.updated": "A ticket's title or status was changed.",
    "user.invited": "A user was added.",
    "user.updated": "A user's name, role or state was changed.",
    "integration_link.created": "A thing was linked to one of another system.",
    "integration_link.deleted": "Such a link was removed.",
    "organization.created": "The organisation was made.",
    "organization.updated": "The organisation's features or settings were changed.",
    "organization.period_locked": "A period was locked, up to and with a day.",
    "organization.period_unlocked": "The lock was moved back or taken away; the reason is in `after`.",
    "api_key.created": "An API key was minted.",
    "api_key.updated": "An API key's rate limit was changed.",
    "api_key.rotated": "An API key got a new text.",
    "api_key.revoked": "An API key was revoked.",
    "webhook.created": "A webhook was made.",
    "webhook.updated": "A webhook was changed.",
    "webhook.deleted": "A webhook was deleted.",
    "webhook.disabled": "A webhook was disabled, since its receiver is gone or has failed for days.",
    "webhook.secret_rotated": "A webhook got a new secret.",
    "webhook.tested": "A test was sent to a webhook.",
    "webhook.redelivered": "A delivery was sent once more.",
    "webhook.replayed": "A span of time was sent once more.",
}
FAMILIES = tuple(dict.fromkeys(f"{name.split('.')[0]}.*" for name in EVENTS))


def checked(names: Sequence[str]) -> list[str]:
    """The names. Raises ApiError 400 `unknown_event_names` with those that are no event's."""
    known = {*EVENTS, *FAMILIES}
    if invalid := [name for name in dict.fromkeys(names) if name not in known]:
        raise ApiError(
            "unknown_event_names",
            f"eventNames: no events are called {', '.join(repr(name) for name in invalid[:5])}",
            invalid=invalid,
            known=[*EVENTS, *FAMILIES],
        )
    return list(names)


def expanded(names: Sequence[str]) -> list[str]:
    """The names with each family replaced by its members. Raises ApiError as `checked`."""
    asked = set(checked(names))
    return [name for name in EVENTS if name in asked or f"{name.split('.')[0]}.*" in asked]
