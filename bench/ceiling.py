"""The bare ceiling: the same request decoded and answered by a plain ASGI handler under uvicorn, and nothing stored.

The server itself has a short cut through uvicorn (align.web.quick), which this one does without: it is what an
ordinary application could reach, not a bound that nothing can pass.
`python -m bench.ceiling` serves it and prints its URL.
"""

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import Message, Receive, Scope, Send

from align.time_entries.decoding import decode
from bench.processes import running

_ANSWER = (
    b'{"id":"01981d8a-7e4e-7c3a-9a3b-5f1d3c2b1a09","organizationId":"de300000-0000-8000-8000-000100000000",'
    b'"projectId":"be0c0000-0000-8000-8002-000000000001","userId":"be0c0000-0000-8000-8001-000000000001",'
    b'"entryId":null,"workDate":"2025-01-15","hours":"2.5","minutes":150,"notes":"Sprint planning session.",'
    b'"billable":true,"source":"illumera","status":"draft","invoiced":false,'
    b'"createdAt":"2025-01-15T10:30:00.000000Z","updatedAt":"2025-01-15T10:30:00.000000Z",'
    b'"integrationLinkId":"01981d8a-7e4e-7c3a-9a3b-5f1d3c2b1a0a","created":true}'
)
# The headers of a created entry with a rate-limited key, so that as many bytes go over the wire.
_HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", b"%d" % len(_ANSWER)),
    (b"x-request-id", b"01981d8a-7e4e-7c3a-9a3b-5f1d3c2b1a0b"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"x-ratelimit-limit", b"10000000"),
    (b"x-ratelimit-remaining", b"9000000"),
    (b"x-ratelimit-reset", b"30"),
    (b"location", b"/api/v1/integration/time-entries/01981d8a-7e4e-7c3a-9a3b-5f1d3c2b1a09"),
]
_START: Message = {"type": "http.response.start", "status": 201, "headers": _HEADERS}
_BODY: Message = {"type": "http.response.body", "body": _ANSWER}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Decode the body, answer as if it had been stored."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    message = await receive()
    body = message["body"]
    while message["more_body"]:
        message = await receive()
        body += message["body"]
    decode(body)
    await send(_START)
    await send(_BODY)


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """Serve the ceiling in a process of its own while the block runs; yields its base URL."""
    announced = re.compile(r"^listening at (http://\S+)$", re.MULTILINE)
    with running([sys.executable, "-m", "bench.ceiling"], directory) as child:
        child.wait_for(lambda: announced.search(child.output()) is not None, "the bare ceiling")
        found = announced.search(child.output())
        assert found is not None
        yield found[1]


def main() -> None:
    """Serve until told to stop."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        print(f"listening at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(
            application,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=4096,
        )
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
