"""The checks before every operation, in the order of the contract (decision 2): key, rate, scope."""

import asyncpg

from align.access.authentication import Authentication, Caller, unauthorized
from align.errors import ApiError
from align.external_names import nfc
from align.web import rate_limit
from align.web.http import Request
from align.web.operation import Access
from align.web.rate_limit import RateLimiter


class Admission:
    """Lets requests in."""

    def __init__(self, authentication: Authentication, limiter: RateLimiter) -> None:
        self.authentication = authentication
        self._limiter = limiter

    async def admit(
        self,
        request: Request,
        access: Access,
        *,
        remembered: bool = False,
        cost: int = 1,
    ) -> Caller:
        """The caller of `request`, counted against its rate limit `cost` times.

        `remembered` callers may be some seconds old: for operations that check the key once more.
        Raises ApiError 401, 429 or 403.
        """
        text = key_of(request)
        if not remembered:
            return await self.pass_on(request, await self.authentication.caller(text), access, cost)
        caller = await self.authentication.remembered_caller(text)
        await self._count(request, caller, cost)
        try:
            check(caller, access)
        except ApiError:  # what is remembered may be out of date
            self.authentication.forget(text)
            caller = await self.authentication.remembered_caller(text)
            check(caller, access)
        return caller

    async def pass_on(self, request: Request, caller: Caller, access: Access, cost: int) -> Caller:
        """The second half of `admit`, for operations whose cost is known only after a look at the body."""
        await self._count(request, caller, cost)
        check(caller, access)
        return caller

    async def confirm(self, tx: asyncpg.Connection, request: Request, access: Access) -> Caller:
        """The caller once more, after its turn was waited for: meanwhile its key may have been revoked.

        Raises ApiError 401 or 403.
        """
        caller = await self.authentication.caller(key_of(request), tx)
        check(caller, access)
        return caller

    async def _count(self, request: Request, caller: Caller, cost: int) -> None:
        if caller.rate_limit_per_minute is not None:
            allowance = await self._limiter.hit(caller.api_key_id, caller.rate_limit_per_minute, cost)
            request.answer_headers.update(rate_limit.headers(allowance))

    def remembered(self, request: Request, access: Access) -> Caller | None:
        """The caller, if it is remembered and can be admitted without waiting; nothing is counted.

        Raises ApiError 401 or 403.
        """
        caller = self.authentication.remembered(key_of(request))
        if caller is None or (caller.rate_limit_per_minute is not None and self._limiter.is_shared):
            return None
        check(caller, access)
        return caller

    def count(self, request: Request, caller: Caller) -> None:
        """Count a request of a `remembered` caller against its rate limit. Raises ApiError 429."""
        if caller.rate_limit_per_minute is not None:
            allowance = self._limiter.hit_local(caller.api_key_id, caller.rate_limit_per_minute)
            request.answer_headers.update(rate_limit.headers(allowance))


def check(caller: Caller, access: Access) -> None:
    """Raises ApiError 403 when the key's scope, its permissions or its creator's role do not allow the operation.

    The plan is checked later, after a possible replay (decision 2).
    """
    if access.scope == "organization" and caller.scope != "organization":
        raise ApiError(
            "scope_violation",
            "this operation takes an organisation's key; the one sent is limited to a project",
            requiredScope="organization",
            scope=caller.scope,
        )
    if access.permission is not None and caller.permissions is not None and access.permission not in caller.permissions:
        raise ApiError(
            "permission_violation",
            f"the key lacks the permission {access.permission}",
            requiredPermission=access.permission,
        )
    if caller.role not in access.roles:
        raise role_violation(caller.role, access.roles)


def role_violation(role: str, roles: frozenset[str]) -> ApiError:
    """403: the user who created the key has a role that may not do this."""
    return ApiError(
        "role_violation",
        f"the key acts with the role {role} of the user who created it; this takes one of: {', '.join(sorted(roles))}",
        role=role,
        requiredRoles=sorted(roles),
    )


def source_violation(caller: Caller, source: str, path: str = "externalSystem") -> ApiError | None:
    """403 when the key is bound to another external system than `source`, which the member at `path` names."""
    if caller.source_binding is None or caller.source_binding == nfc(source):
        return None
    return ApiError(
        "source_violation",
        f"{path}: the key may sync as '{caller.source_binding}' only",
        sourceBinding=caller.source_binding,
    )


def check_plan(caller: Caller, access: Access) -> None:
    """Raises ApiError 402 when the organisation's plan lacks the feature."""
    if access.feature is not None and access.feature not in caller.features:
        raise feature_disabled(access.feature)


def feature_disabled(feature: str) -> ApiError:
    """402: the plan does not include the feature."""
    return ApiError(
        "payment_required",
        f"the organisation's plan does not include {feature}",
        reason="feature_disabled",
        feature=feature,
    )


def key_of(request: Request) -> str | None:
    """The text of the API key that `request` carries. Raises ApiError 401 when it carries two different ones."""
    headers = request.headers
    authorization = headers.get(b"authorization")
    plain = headers.get(b"x-api-key")
    bearer = None
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        bearer = authorization[7:].strip()
    if (bearer is not None and plain is not None and bearer != plain.strip()) or _contradicts_itself(request):
        raise unauthorized("key_invalid", "Authorization and X-API-Key carry different keys; send one of them")
    found = bearer if bearer is not None else plain
    return None if found is None else found.strip().decode("latin-1")


def _contradicts_itself(request: Request) -> bool:
    """Whether one of the two headers was sent twice with different values: readers differ in which one counts."""
    if len(request.headers) == len(request.scope["headers"]):  # no header at all was sent twice
        return False
    return any(len(set(request.header_values(name))) > 1 for name in (b"authorization", b"x-api-key"))
