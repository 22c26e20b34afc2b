"""One line of the table: how to make a valid request of an operation, and who may."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID, uuid4

from tests.conftest import World

# By name and not from align.roles: what the contract says is held against the code.
ALL = frozenset(
    {"user", "client", "tester", "developer", "tech_lead", "product_owner", "devops_engineer", "manager", "admin"}
)
ALL_BUT_CLIENTS = ALL - {"client"}
MINTERS = frozenset({"developer", "tech_lead", "devops_engineer", "manager", "admin"})
LEADS = frozenset({"tech_lead", "product_owner", "manager", "admin"})
LINKERS = frozenset({"developer", "tech_lead", "product_owner", "devops_engineer", "manager", "admin"})
MANAGERS = frozenset({"manager", "admin"})
ADMINS = frozenset({"admin"})

NDJSON = "application/x-ndjson"


@dataclass(frozen=True)
class Place:
    """Where a request belongs: a project of an organisation; and the user whose key asks."""

    world: World
    project_id: UUID
    ticket_id: UUID
    caller_id: UUID

    async def fetchval(self, statement: str, *arguments: object) -> Any:
        """What a statement gives whose $1 is the organisation."""
        return await self.world.pool.fetchval(statement, self.world.organization_id, *arguments)


@dataclass(frozen=True)
class Asked:
    """A valid request. `ids` are those of existing things that it names, by the names of path and body.

    `shows` is in the answer of whoever may see what was asked for.
    """

    ids: Mapping[str, UUID] = field(default_factory=dict)
    body: Any = None
    query: Mapping[str, object] = field(default_factory=dict)
    media_type: str = "application/json"
    shows: str | None = None

    def naming(self, ids: Mapping[str, UUID]) -> "Asked":
        """The same request about other things."""
        texts = {str(self.ids[name]): str(new) for name, new in ids.items()}

        def renamed(value: Any) -> Any:
            text = json.dumps(value, default=str)
            for old, new in texts.items():
                text = text.replace(old, new)
            return json.loads(text)

        return replace(self, ids={**self.ids, **ids}, body=renamed(self.body), query=renamed(self.query), shows=None)

    def own_ids(self) -> set[str]:
        """The ids that it names, as texts."""
        return {str(id_) for id_ in self.ids.values()}

    def at_random(self, *names: str) -> "Asked":
        """The same request about things that don't exist."""
        return self.naming({name: uuid4() for name in names or self.ids})

    def content(self) -> bytes | None:
        """The body as it is sent."""
        if self.body is None:
            return None
        if self.media_type == NDJSON:
            return b"".join(json.dumps(line).encode() + b"\n" for line in self.body)
        return json.dumps(self.body).encode()


@dataclass(frozen=True, kw_only=True)
class Line:
    """An operation, perhaps one `case` of it, and what is documented of who may call it.

    - `keys`: organisation keys only, or project keys too.
    - `permission`: what a key with permissions needs. `plan`: whether it needs the feature time_tracking.
    - `success`: the status for whoever may. `events`: what that writes, nothing for reads.
    - `strangers`: what a key is told that may call the operation, but sees none of the things that the request names:
      `not_found`; `members`: each member of the answer has its own not_found; `own`: an answer about its own things.
    - `shared`: which of the ids in a request are of things that belong to no project.
    - `roles_at_all`: whom the operation itself lets in, where what is in the body asks for more than that.
    """

    operation: str
    asked: Callable[[Place], Awaitable[Asked]]
    keys: Literal["organization", "any"]
    roles: frozenset[str]
    permission: str | None
    plan: bool = False
    success: int = 200
    events: tuple[str, ...] = ()
    strangers: Literal["not_found", "members", "own"] = "not_found"
    shared: tuple[str, ...] = ()
    case: str = ""
    roles_at_all: frozenset[str] | None = None

    @property
    def method(self) -> str:
        return self.operation.split()[0]

    @property
    def path(self) -> str:
        return self.operation.split()[1]

    def __str__(self) -> str:
        return f"{self.operation} {self.case}".strip()
