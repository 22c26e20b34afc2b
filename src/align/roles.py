"""Roles, and who of them may do what (contract, section 2): one table for the API, the docs and the tests."""

from typing import Literal, get_args

Role = Literal[
    "user",
    "client",
    "tester",
    "developer",
    "tech_lead",
    "product_owner",
    "devops_engineer",
    "manager",
    "admin",
]
ROLES: tuple[Role, ...] = get_args(Role)

EVERYBODY = frozenset(ROLES)
# Clients have no access to time.
TIME_KEEPERS = EVERYBODY - {"client"}
# Who may mint project keys, for the projects they are members of; admins mint any key.
KEY_MINTERS = frozenset({"developer", "tech_lead", "devops_engineer", "manager", "admin"})
PROJECT_LEADS = frozenset({"tech_lead", "product_owner", "manager", "admin"})
MANAGERS = frozenset({"manager", "admin"})
ADMINS = frozenset({"admin"})

# What a key with permissions may be allowed: `action:resource`.
Permission = Literal[
    "read:organization",
    "write:organization",
    "read:api_keys",
    "write:api_keys",
    "read:users",
    "write:users",
    "read:projects",
    "write:projects",
    "read:tickets",
    "write:tickets",
    "read:time_entries",
    "write:time_entries",
    "approve:time_entries",
    "read:integration_links",
    "write:integration_links",
    "read:events",
    "read:webhooks",
    "write:webhooks",
]
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)
