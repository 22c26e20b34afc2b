"""The checks before every operation, in the order of the contract (decision 2): key, rate, scope."""

from typing import Literal

from align.api_keys.authentication import Authentication, Caller, unauthorized
from align.errors import ApiError
from align.web import rate_limit
from align.web.http import Request
from align.web.rate_limit import RateLimiter


class Admission:
    """Lets requests in."""

    def __init__(self, authentication: Authentication, limiter: RateLimiter) -> None:
        self.authentication = authentication
        self._limiter = limiter

    async def admit(
        self,
        request: Request,
        scope: Literal["organization", "any"],
        *,
        remembered: bool = False,
        cost: int = 1,
    ) -> Caller:
        """The caller of `request`, counted against its rate limit `cost` times.

        `remembered` callers may be some seconds old: for operations that check the key once more.
        Raises ApiError 401, 429 or 403.
        """
        text = key_of(request)
        find = self.authentication.remembered_caller if remembered else self.authentication.caller
        return await self.pass_on(request, await find(text), scope, cost)

    async def pass_on(
        self, request: Request, caller: Caller, scope: Literal["organization", "any"], cost: int
    ) -> Caller:
        """The second half of `admit`, for operations whose cost is known only after a look at the body."""
        if caller.rate_limit_per_minute is not None:
            allowance = await self._limiter.hit(caller.api_key_id, caller.rate_limit_per_minute, cost)
            request.answer_headers.update(rate_limit.headers(allowance))
        if scope == "organization" and caller.scope != "organization":
            raise ApiError(
                "scope_violation",
                "this operation takes an organisation's key; the one sent is limited to a project",
                requiredScope="organization",
                scope=caller.scope,
            )
        return caller

    def remembered(self, request: Request) -> Caller | None:
        """The caller, if it is remembered and can be admitted without waiting; nothing is counted.

        Raises ApiError 401.
        """
        caller = self.authentication.remembered(key_of(request))
        if caller is None or caller.scope != "organization":
            return None
        return None if caller.rate_limit_per_minute is not None and self._limiter.is_shared else caller

    def count(self, request: Request, caller: Caller) -> None:
        """Count a request of a `remembered` caller against its rate limit. Raises ApiError 429."""
        if caller.rate_limit_per_minute is not None:
            allowance = self._limiter.hit_local(caller.api_key_id, caller.rate_limit_per_minute)
            request.answer_headers.update(rate_limit.headers(allowance))


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
