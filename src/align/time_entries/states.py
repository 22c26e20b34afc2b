"""The life of a time entry (contract, decision 12): one pure table for the code, the documentation and the tests."""

from types import MappingProxyType
from typing import Literal, get_args

import msgspec

from align.roles import MANAGERS, TIME_KEEPERS
from align.time_entries.model import Status

Action = Literal["submit", "approve", "reject", "recall", "lock", "unlock", "invoice", "void-invoice"]
# What a caller must say beside the action.
Need = Literal["reason", "reference"]

STATUSES: tuple[Status, ...] = get_args(Status)
# A new time entry's.
INITIAL: Status = "draft"
# Only in these may a time entry's fields be changed, and may it be deleted.
EDITABLE: frozenset[Status] = frozenset({"draft", "rejected"})


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: what `action` does to a time entry, to whom it is open and what it is called afterwards.

    `in_locked_period`: whether it may be done to an entry dated in a locked period. What leads towards the invoice may,
    since a closed month must still be billed; what leads back to where hours are changed may not.
    """

    action: Action
    from_statuses: tuple[Status, ...]
    to: Status
    event_name: str
    roles: frozenset[str] = TIME_KEEPERS
    permission: str = "write:time_entries"
    needs: Need | None = None
    in_locked_period: bool = False


_APPROVE = "approve:time_entries"

TRANSITIONS: MappingProxyType[Action, Transition] = MappingProxyType(
    {
        line.action: line
        for line in (
            Transition(
                action="submit", from_statuses=("draft", "rejected"), to="submitted", event_name="time.submitted"
            ),
            Transition(
                action="approve",
                from_statuses=("submitted",),
                to="approved",
                event_name="time.approved",
                roles=MANAGERS,
                permission=_APPROVE,
                in_locked_period=True,
            ),
            Transition(
                action="reject",
                from_statuses=("submitted",),
                to="rejected",
                event_name="time.rejected",
                roles=MANAGERS,
                permission=_APPROVE,
                needs="reason",
            ),
            Transition(action="recall", from_statuses=("submitted",), to="draft", event_name="time.recalled"),
            Transition(
                action="lock",
                from_statuses=("approved",),
                to="locked",
                event_name="time.locked",
                roles=MANAGERS,
                permission=_APPROVE,
                in_locked_period=True,
            ),
            Transition(
                action="unlock",
                from_statuses=("approved", "locked"),
                to="draft",
                event_name="time.unlocked",
                roles=MANAGERS,
                permission=_APPROVE,
                needs="reason",
            ),
            Transition(
                action="invoice",
                from_statuses=("approved", "locked"),
                to="invoiced",
                event_name="time.invoiced",
                roles=MANAGERS,
                permission=_APPROVE,
                needs="reference",
                in_locked_period=True,
            ),
            Transition(
                action="void-invoice",
                from_statuses=("invoiced",),
                to="locked",
                event_name="time.invoice_voided",
                roles=MANAGERS,
                permission=_APPROVE,
                in_locked_period=True,
            ),
        )
    }
)


def is_allowed(status: str, action: Action) -> bool:
    """Whether `action` may be done to a time entry in this status."""
    return status in TRANSITIONS[action].from_statuses


def allowed_actions(status: str) -> list[Action]:
    """What may be done to a time entry in this status, in the order of the table."""
    return [action for action in TRANSITIONS if is_allowed(status, action)]
