"""Which entries a reconciliation is about: those of one external system, on the days of a range."""

import datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from align.access.admission import source_violation
from align.access.calls import Call
from align.errors import ApiError, Problem, invalid
from align.external_names import external_name_problem, nfc
from align.links.links import ExternalName
from align.web.query import Query

# A leap year, so that any year can be compared with one call.
MAXIMUM_DAYS = 366


class Period(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The parameters that the operations share."""

    external_system: Annotated[ExternalName, Meta(description="Whose entries are compared, as in its syncs.")]
    start_date: Annotated[datetime.date, Meta(description="First day, `YYYY-MM-DD`.")]
    end_date: Annotated[
        datetime.date, Meta(description=f"Last day, itself included; at most {MAXIMUM_DAYS} days in all.")
    ]


P = TypeVar("P", bound=Period)


def read(call: Call, query: Query[P]) -> P:
    """The parameters, the system's name in NFC.

    Raises ApiError 400 with every problem, 403 for another system than the one that the key is bound to.
    """
    given = query.read(call.request)
    problems = []
    if broken := external_name_problem(given.external_system):
        problems.append(Problem("externalSystem", *broken))
    days = (given.end_date - given.start_date).days + 1
    if days < 1:
        problems.append(Problem("endDate", "invalid_range", "must not lie before startDate"))
    elif days > MAXIMUM_DAYS:
        text = f"must lie at most {MAXIMUM_DAYS} days from startDate, both counted; these are {days}"
        problems.append(Problem("endDate", "invalid_range", text))
    if problems:
        raise invalid(problems)
    given = msgspec.structs.replace(given, external_system=nfc(given.external_system))
    if violation := source_violation(call.caller, given.external_system):
        raise violation
    return given


def too_many(maximum: int) -> ApiError:
    """400: the range holds more entries than one call looks at."""
    text = f"must lie closer to startDate: the range holds more than {maximum} entries of this system"
    return invalid([Problem("endDate", "invalid_range", text)])
