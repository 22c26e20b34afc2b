"""What the demo consists of. The ids are fixed, so that every run finds what the first one made.

They are UUIDs of version 8, whose digits are free: `de30` reads demo, and the last group counts organisation,
kind and number.
"""

from typing import NamedTuple
from uuid import UUID

from align.organizations.organizations import FEATURES
from align.projects.projects import Status
from align.roles import Role


class Member(NamedTuple):
    """A user of a tenant."""

    id: UUID
    email: str
    name: str
    role: Role


class Project(NamedTuple):
    """A project of a tenant, with the id and title of its one ticket, if it has one."""

    id: UUID
    name: str
    status: Status
    ticket: tuple[UUID, str] | None = None


class Tenant(NamedTuple):
    """An organisation and all that is in it."""

    id: UUID
    name: str
    features: tuple[str, ...]
    members: tuple[Member, ...]
    projects: tuple[Project, ...]


def _id(organization: int, kind: int, number: int) -> UUID:
    return UUID(f"de300000-0000-8000-8000-{organization:04}{kind:04}{number:04}")


_ORGANIZATION, _MEMBER, _PROJECT, _TICKET = range(4)

ADMIN = Member(_id(1, _MEMBER, 1), "admin@demo.example", "Ada Admin", "admin")
MANAGER = Member(_id(1, _MEMBER, 2), "manager@demo.example", "Max Manager", "manager")
DEVELOPER = Member(_id(1, _MEMBER, 3), "developer@demo.example", "Dora Developer", "developer")
CLIENT = Member(_id(1, _MEMBER, 4), "client@demo.example", "Clara Client", "client")
FIRST_TICKET = (_id(1, _TICKET, 1), "Plan the first sprint")
SECOND_TICKET = (_id(1, _TICKET, 2), "Sketch the start screen")
FIRST_PROJECT = Project(_id(1, _PROJECT, 1), "Website relaunch", "active", FIRST_TICKET)
SECOND_PROJECT = Project(_id(1, _PROJECT, 2), "Mobile app", "active", SECOND_TICKET)
ARCHIVED_PROJECT = Project(_id(1, _PROJECT, 3), "Old intranet", "archived")
DEMO = Tenant(
    _id(1, _ORGANIZATION, 0),
    "Demo",
    FEATURES,
    (ADMIN, MANAGER, DEVELOPER, CLIENT),
    (FIRST_PROJECT, SECOND_PROJECT, ARCHIVED_PROJECT),
)

OTHER_ADMIN = Member(_id(2, _MEMBER, 1), "admin@other.example", "Olga Admin", "admin")
OTHER_DEVELOPER = Member(_id(2, _MEMBER, 2), "developer@other.example", "Otto Developer", "developer")
OTHER_TICKET = (_id(2, _TICKET, 1), "Other ticket")
OTHER_PROJECT = Project(_id(2, _PROJECT, 1), "Other project", "active", OTHER_TICKET)
OTHER = Tenant(
    _id(2, _ORGANIZATION, 0),
    "Demo (other tenant)",
    FEATURES,
    (OTHER_ADMIN, OTHER_DEVELOPER),
    (OTHER_PROJECT,),
)

PLAIN_ADMIN = Member(_id(3, _MEMBER, 1), "admin@plain.example", "Paul Admin", "admin")
PLAIN_DEVELOPER = Member(_id(3, _MEMBER, 2), "developer@plain.example", "Petra Developer", "developer")
PLAIN_PROJECT = Project(_id(3, _PROJECT, 1), "Plain project", "active")
WITHOUT_TIME_TRACKING = Tenant(
    _id(3, _ORGANIZATION, 0),
    "Demo (without time tracking)",
    tuple(feature for feature in FEATURES if feature != "time_tracking"),
    (PLAIN_ADMIN, PLAIN_DEVELOPER),
    (PLAIN_PROJECT,),
)

TENANTS = (DEMO, OTHER, WITHOUT_TIME_TRACKING)
