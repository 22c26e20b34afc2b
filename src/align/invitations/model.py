"""What invitations look like on the wire, and how they are read: one alone, or many of which each stands for itself."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType, inspect

from align import names
from align.errors import Problem
from align.links.links import REF_CHECKS, ExternalRef
from align.names import Name
from align.users import users
from align.users.users import Email, User
from align.web import body as bodies
from align.web import strict_json
from align.web.body import Body, Unfit

MAXIMUM_INVITATIONS = 50
MAXIMUM_PROJECTS = 100
MAXIMUM_METADATA_BYTES = 16 * 1024

# All roles but admin, which only an admin gives to a user who is there.
InvitableRole = Literal[
    "user", "client", "tester", "developer", "tech_lead", "product_owner", "devops_engineer", "manager"
]
Status = Literal["invited", "existing", "linked", "error"]


class InviteUser(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /users/invite`, and a member of `POST /users/bulk-invite`."""

    email: Email
    name: Annotated[Name, Meta(examples=["Dora Developer"])]
    role: Annotated[InvitableRole, Meta(description="`user` if left out. Admins are not invited.")] | UnsetType = UNSET
    project_ids: (
        Annotated[
            list[UUID], Meta(max_length=MAXIMUM_PROJECTS, description="Projects that a new user becomes a member of.")
        ]
        | UnsetType
    ) = UNSET
    send_invite: (
        Annotated[bool, Meta(description="Accepted for senders that have it: Align sends no mail.")] | UnsetType
    ) = UNSET
    external_ref: ExternalRef | UnsetType = UNSET
    metadata: (
        Annotated[
            msgspec.Raw,
            Meta(
                description="Any object of the inviting system, at most 16 KiB as sent, without the character U+0000; "
                "stored and returned exactly as sent.",
                examples=[{"personnelNumber": "4711"}],
                extra_json_schema={"type": "object"},
            ),
        ]
        | UnsetType
    ) = UNSET


class InvitedUser(User, frozen=True, rename="camel", kw_only=True):
    """The answer to `POST /users/invite`."""

    created: Annotated[bool, Meta(description="False when the email or the externalRef was known already.")]
    invite_sent: Annotated[Literal[False], Meta(description="Always false: Align sends no mail.")] = False


class InviteUsers(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /users/bulk-invite`."""

    users: Annotated[
        list[InviteUser],
        Meta(min_length=1, max_length=MAXIMUM_INVITATIONS, description="In the order of the results."),
    ]


class InvitationResult(msgspec.Struct, rename="camel", kw_only=True):
    """What became of one member of a bulk invitation: `user`, or with the status error `error`."""

    index: Annotated[int, Meta(ge=0, description="Place of the member in the request, from 0.")]
    email: Annotated[str | None, Meta(description="As sent; null when it was no text.")]
    status: Annotated[
        Status,
        Meta(
            description="`invited`: the user is new. `existing`: the email or the externalRef was known. `linked`: the "
            "email was known, and its externalRef is linked to the user now. `error`: nothing was done."
        ),
    ]
    user: User | UnsetType = UNSET
    error: Annotated[dict[str, Any], Meta(description="As in the schema Error.")] | UnsetType = UNSET


class InvitationResults(msgspec.Struct, rename="camel", kw_only=True):
    """The answer to `POST /users/bulk-invite`."""

    results: Annotated[list[InvitationResult], Meta(description="In the order of the request.")]
    invite_sent: Annotated[Literal[False], Meta(description="Always false: Align sends no mail.")] = False


class Sent(msgspec.Struct, frozen=True):
    """A member of a bulk invitation as it was read: `problems` when it can't be one."""

    email: str | None
    invitation: InviteUser | None
    problems: list[Problem]


class _Members(msgspec.Struct):
    users: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=MAXIMUM_INVITATIONS)]


def metadata_problem(_value: object, raw: bytes) -> tuple[str, str] | None:
    """(code, message) when the metadata, as sent, is too long to keep."""
    return ("too_long", "must be at most 16 KiB as sent") if len(raw) > MAXIMUM_METADATA_BYTES else None


INVITATION = Body(
    InviteUser,
    {"email": users.email_problem, "name": names.name_problem, "metadata": metadata_problem, **REF_CHECKS},
)


class BulkBody(Body[Any]):
    """Reads a bulk invitation as a list of `Sent`: what does not fit refuses its member, what is no JSON the whole."""

    def __init__(self) -> None:
        super().__init__(InviteUsers)
        self._outer = inspect.type_info(_Members)
        self._members_decoder = msgspec.json.Decoder(_Members)

    def decode(self, body: bytes) -> tuple[Any, list[str]]:
        """The members, and the names of members that the operation does not know. Raises Unfit."""
        try:
            value = strict_json.parse(body)
        except strict_json.Malformed as error:
            raise Unfit(error.problems) from None
        if isinstance(value, dict) and isinstance(value.get("users"), list):
            value["users"] = [{} for _ in value["users"]]  # what is wrong inside a member is its own affair
        problems, _ = bodies.value_problems("", self._outer, value)
        if problems:
            raise Unfit([msgspec.structs.replace(it, path=it.path.removeprefix(".")) for it in problems])
        unknown = [name for name in value if name != "users"] if isinstance(value, dict) else []
        sent = []
        for index, raw in enumerate(self._members_decoder.decode(body).users):
            member, strangers = _sent(bytes(raw))
            sent.append(member)
            unknown += [f"users[{index}].{name}" for name in strangers]
        return sent, unknown


def _sent(text: bytes) -> tuple[Sent, list[str]]:
    try:
        invitation, unknown = INVITATION.decode(text)
    except Unfit as unfit:
        given = strict_json.parse(text)
        email = given.get("email") if isinstance(given, dict) else None
        return Sent(email if isinstance(email, str) else None, None, unfit.problems), unfit.unknown
    return Sent(invitation.email, invitation, []), unknown
