"""Sends batches: JSON documents by several senders at once, or one stream that is answered while it is sent."""

import http.client
import queue
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

PATH = "/api/v1/integration/time-entries/batch"
PATIENCE_SECONDS = 300
_CHUNK_BYTES = 256 * 1024


def status_of_empty_batch(base_url: str, key: str) -> int:
    """What the operation answers to nothing: 404 or 405 when there is no such operation."""
    with closing(_connection(base_url)) as connection:
        connection.request("POST", PATH, b'{"entries":[]}', _headers(key, "application/json"))
        return connection.getresponse().status


def send_documents(base_url: str, key: str, bodies: Sequence[bytes], senders: int) -> str | None:
    """Send every body, `senders` at a time; returns the first thing that went wrong."""
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for body in bodies:
        waiting.put(body)

    def sender() -> str | None:
        with closing(_connection(base_url)) as connection:
            while True:
                try:
                    body = waiting.get_nowait()
                except queue.Empty:
                    return None
                try:
                    connection.request("POST", PATH, body, _headers(key, "application/json"))
                    response = connection.getresponse()
                    answer = response.read()
                except (OSError, http.client.HTTPException) as error:
                    return f"{type(error).__name__}: {error}"
                if response.status >= 300:
                    return _refused(response.status, answer)

    with ThreadPoolExecutor(senders) as pool:
        found = [future.result() for future in [pool.submit(sender) for _ in range(senders)]]
    return next((problem for problem in found if problem), None)


def send_stream(base_url: str, key: str, body: bytes) -> str | None:
    """Send lines while the answers to them are read; returns what went wrong."""
    address = urlsplit(base_url)
    headers = {**_headers(key, "application/x-ndjson"), "Host": address.netloc, "Content-Length": str(len(body))}
    head = f"POST {PATH} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    with socket.create_connection((address.hostname or "", address.port or 80), PATIENCE_SECONDS) as connection:
        writer = threading.Thread(target=_send, args=(connection, head.encode(), body), daemon=True)
        writer.start()
        response = http.client.HTTPResponse(connection, method="POST")
        try:
            response.begin()
            first = response.read(_CHUNK_BYTES)
            while response.read(_CHUNK_BYTES):
                pass
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            connection.shutdown(socket.SHUT_RDWR)
            writer.join()
    return _refused(response.status, first) if response.status >= 300 else None


def _send(connection: socket.socket, head: bytes, body: bytes) -> None:
    try:
        connection.sendall(head)
        connection.sendall(body)
    except OSError:
        return  # the server hung up; its answer, or the lack of one, says why


def _connection(base_url: str) -> http.client.HTTPConnection:
    address = urlsplit(base_url)
    return http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_SECONDS)


def _headers(key: str, media_type: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Content-Type": media_type}


def _refused(status: int, answer: bytes) -> str:
    return f"status {status}: {answer[:300].decode(errors='replace')}"
