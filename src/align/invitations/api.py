"""The operations that invite people, as the table of operations has them."""

import msgspec

from align import errors
from align.access.calls import Call, Calls, as_api_error, ok
from align.errors import ApiError, invalid
from align.invitations import invitations
from align.invitations.model import (
    INVITATION,
    BulkBody,
    InvitationResult,
    InvitationResults,
    InvitedUser,
    InviteUser,
    Sent,
)
from align.refusals import Refused
from align.users.api import EXAMPLE, WRITE
from align.web.http import Answer
from align.web.operation import PREFIX, Header, Operation, Success

_REF = {"provider": "illumera", "externalType": "person", "externalId": "p-17"}
_INVITATION: dict[str, object] = {
    "email": "dora@acme.example",
    "name": "Dora Developer",
    "role": "developer",
    "projectIds": ["7b1e2c3d-0000-0000-0000-000000000001"],
    "externalRef": _REF,
    "metadata": {"personnelNumber": "4711"},
}


async def invite_user(call: Call) -> Answer:
    """The new user, or the one who exists."""
    sent: InviteUser = call.body
    user, status = await invitations.invite(call.db, call.organization_id, sent, actor=call.actor)
    created = status == "invited"
    answer = InvitedUser(**msgspec.structs.asdict(user), created=created)
    return ok(answer, 201, f"{PREFIX}/users/{user.id}") if created else ok(answer)


async def invite_users(call: Call) -> Answer:
    """What became of each."""
    members: list[Sent] = call.body
    return ok(InvitationResults(results=[await _result(call, index, sent) for index, sent in enumerate(members)]))


async def _result(call: Call, index: int, sent: Sent) -> InvitationResult:
    """One member's result. What it began is undone when it is refused; the others are not touched."""
    try:
        if sent.invitation is None:
            raise invalid(sent.problems)
        async with call.db.transaction():
            user, status = await invitations.invite(call.db, call.organization_id, sent.invitation, actor=call.actor)
    except (Refused, ApiError) as error:
        refusal = error if isinstance(error, ApiError) else as_api_error(error)
        body = errors.body(refusal, call.request.id)
        return InvitationResult(index=index, email=sent.email, status="error", error=body)
    return InvitationResult(index=index, email=sent.email, status=status, user=user)


def operations(calls: Calls) -> list[Operation]:
    """The operations that invite people for the table of operations."""
    return [_invite(calls), _bulk_invite(calls)]


def _invite(calls: Calls) -> Operation:
    return calls.changing(
        invite_user,
        access=WRITE,
        body=INVITATION,
        path="/users/invite",
        name="inviteUser",
        tag="Users",
        summary="Invite a user",
        description=(
            "Creates the user, who becomes a member of `projectIds`. When the email is known (whatever its case) or "
            "the `externalRef`, the user who exists is answered (200, `created` is false) and not changed; a new "
            "`externalRef` is linked to it. Admins are not invited. Align sends no mail: `inviteSent` is false."
        ),
        request_example=_INVITATION,
        successes=(
            Success(200, "The user existed already.", InvitedUser, _invited(created=False)),
            Success(
                201,
                "The user was created.",
                InvitedUser,
                _invited(created=True),
                (Header("Location", "Path of the user."),),
            ),
        ),
        errors=("not_found", "external_ref_conflict"),
    )


def _bulk_invite(calls: Calls) -> Operation:
    return calls.changing(
        invite_users,
        access=WRITE,
        body=BulkBody(),
        path="/users/bulk-invite",
        name="inviteUsers",
        tag="Users",
        summary="Invite up to 50 users",
        description=(
            "Each member is invited as by the single operation and on its own: one that is refused harms no other. "
            "`results` says in the same order what became of it."
        ),
        request_example={"users": [_INVITATION]},
        successes=(
            Success(
                200,
                "Every member was looked at; see `results`.",
                InvitationResults,
                {
                    "results": [{"index": 0, "email": EXAMPLE["email"], "status": "invited", "user": EXAMPLE}],
                    "inviteSent": False,
                },
            ),
        ),
    )


def _invited(*, created: bool) -> dict[str, object]:
    return {**EXAMPLE, "created": created, "inviteSent": False}
