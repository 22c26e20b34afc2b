"""The kinds of key, and what each is told by an operation as its line in the table documents it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.access.line import ALL, Line

# The contract's statuses, by code.
STATUS_OF = {
    "key_missing": 401,
    "key_invalid": 401,
    "key_expired": 401,
    "key_revoked": 401,
    "payment_required": 402,
    "scope_violation": 403,
    "permission_violation": 403,
    "role_violation": 403,
    "not_found": 404,
}


@dataclass(frozen=True)
class Told:
    """`done`: what was asked for. `strange`: nothing of it, since the key doesn't see it. Else a refusal's code."""

    what: str
    members: tuple[tuple[str, Any], ...] = ()


DONE = Told("done")
STRANGE = Told("strange")


def _scope_violation() -> Told:
    return Told("scope_violation", (("requiredScope", "organization"), ("scope", "project")))


def _of_project(line: Line) -> Told:
    return _scope_violation() if line.keys == "organization" else DONE


def _of_another_project(line: Line) -> Told:
    return _scope_violation() if line.keys == "organization" else STRANGE


def _without_permission(line: Line) -> Told:
    if line.permission is None:
        return DONE
    return Told("permission_violation", (("requiredPermission", line.permission),))


def _without_plan(line: Line) -> Told:
    members = (("reason", "feature_disabled"), ("feature", "time_tracking"))
    return Told("payment_required", members) if line.plan else DONE


def _of_role(role: str) -> Callable[[Line], Told]:
    def told(line: Line) -> Told:
        if role in line.roles:
            return DONE
        first = line.roles if line.roles_at_all is None else line.roles_at_all
        required = line.roles if role in first else first
        return Told("role_violation", (("role", role), ("requiredRoles", sorted(required))))

    return told


def _refused(code: str) -> Callable[[Line], Told]:
    return lambda _line: Told(code)


def _always(told: Told) -> Callable[[Line], Told]:
    return lambda _line: told


# What each kind of key is told. All ask for things of one project; `without the plan` does so in another organisation.
KINDS: dict[str, Callable[[Line], Told]] = {
    "organisation": _always(DONE),
    "project": _of_project,
    "another project": _of_another_project,
    "another organisation": _always(STRANGE),
    "no key": _refused("key_missing"),
    "unknown": _refused("key_invalid"),
    "expired": _refused("key_expired"),
    "revoked": _refused("key_revoked"),
    "of a deactivated user": _refused("key_revoked"),
    "no permissions": _without_permission,
    "all permissions but the one": _without_permission,
    "the one permission": _always(DONE),
    "without the plan": _without_plan,
    **{role: _of_role(role) for role in sorted(ALL)},
}
