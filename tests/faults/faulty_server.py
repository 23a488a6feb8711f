"""A web server on this machine with faults that are chosen: over real sockets, byte by byte."""

import gzip
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

OTHER_PAGE = b"<!doctype html><title>Sign in to this network</title>"
BOMB = gzip.compress(bytes(1 << 20)) * 200  # 200 kB that unpack into 200 MB


@dataclass(frozen=True)
class Fault:
    """A fault of the server.

    Attributes:
        kind: A method of the handler.
        at: The byte of the body where it happens.
        times: How many requests meet it; later ones are served without.
        variant: Which one of several alike.
    """

    kind: str = "none"
    at: int = 0
    times: int = 1_000
    variant: Any = None


class FaultyServer(socketserver.ThreadingTCPServer):
    """Responds to every request with `body`, but for its fault; counts requests and responses."""

    allow_reuse_address = daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, body: bytes, fault: Fault | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body = body
        self.fault = fault or Fault()
        self.requests = 0
        self.paths: list[str] = []
        self.complete = 0  # responses that were sent to their end
        self.reached = threading.Event()  # the byte `fault.at` is out
        self.guard = threading.Lock()

    @property
    def url(self) -> str:
        """The address of the folder that it serves."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may disconnect early."""


@contextmanager
def serving(body: bytes, fault: Fault | None = None) -> Iterator[FaultyServer]:
    """A server that runs as long as the block does."""
    with FaultyServer(body, fault) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(socketserver.BaseRequestHandler):
    server: FaultyServer

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.request.recv(4096)
            if not data:
                return
            head += data
        self.path = head.split()[1].decode()
        with self.server.guard:
            self.server.requests += 1
            self.server.paths.append(self.path)
            is_faulty = self.server.requests <= self.server.fault.times
        fault = self.server.fault if is_faulty else Fault()
        with suppress(OSError):  # the client disconnected
            getattr(self, f"_{fault.kind}")(self.server.body, fault)

    def _send(self, body: bytes, *headers: str, status: str = "200 OK", length: Any = None) -> None:
        length = len(body) if length is None else length
        lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
        lines += [] if length == "" else [f"Content-Length: {length}"]
        self.request.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def _leave_open(self) -> None:
        """Sends nothing more until the client disconnects."""
        self.server.reached.set()
        self.request.settimeout(20)
        self.request.recv(1)

    def _none(self, body: bytes, fault: Fault) -> None:
        self._send(body)
        with self.server.guard:
            self.server.complete += 1

    def _cut(self, body: bytes, fault: Fault) -> None:
        self._send(body[: fault.at], length=len(body))

    def _reset(self, body: bytes, fault: Fault) -> None:
        self._send(body[: fault.at], length=len(body))
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _flip(self, body: bytes, fault: Fault) -> None:
        flipped = bytearray(body)
        flipped[fault.at] ^= 1 << (fault.variant or 0)
        self._send(bytes(flipped))

    def _other(self, body: bytes, fault: Fault) -> None:
        self._send(body[::-1])

    def _page(self, body: bytes, fault: Fault) -> None:
        self._send(OTHER_PAGE, "Content-Type: text/html")

    def _empty(self, body: bytes, fault: Fault) -> None:
        self._send(b"")

    def _status(self, body: bytes, fault: Fault) -> None:
        code, wait = fault.variant
        headers = [] if wait is None else [f"Retry-After: {wait}"]
        self._send(b"busy", *headers, status=f"{code} Not now")

    def _silence(self, body: bytes, fault: Fault) -> None:
        self._leave_open()

    def _stall(self, body: bytes, fault: Fault) -> None:
        self._send(body[: fault.at], length=len(body))
        self._leave_open()

    def _drip(self, body: bytes, fault: Fault) -> None:
        self._send(body[: fault.at], length=len(body))
        for byte in body[fault.at :]:
            time.sleep(0.02)
            self.request.sendall(bytes([byte]))

    def _redirect(self, body: bytes, fault: Fault) -> None:
        hops = int(self.path.rpartition("hop=")[2]) if "hop=" in self.path else 0
        if fault.variant == "chain":
            if hops == 3:
                self._none(body, fault)
            else:
                self._send(b"", f"Location: {self.path}?hop={hops + 1}", status="302 Found")
        elif fault.variant == "endless body":
            self._send(b"", f"Location: {self.path}", status="302 Found", length="")
            while True:
                self.request.sendall(bytes(1 << 16))
        else:
            target = self.path if fault.variant == "loop" else fault.variant
            self._send(b"", f"Location: {target}", status="301 Moved")

    def _longer(self, body: bytes, fault: Fault) -> None:
        longer = body + bytes(fault.at)
        self._send(longer, length="" if fault.variant == "unannounced" else None)

    def _shorter(self, body: bytes, fault: Fault) -> None:
        self._send(body, length=fault.at)

    def _length(self, body: bytes, fault: Fault) -> None:
        self._send(body, length=fault.variant)

    def _endless(self, body: bytes, fault: Fault) -> None:
        self._send(body, length="")
        while True:
            self.request.sendall(bytes(1 << 16))

    def _gzip(self, body: bytes, fault: Fault) -> None:
        content = {
            "valid": gzip.compress(body),
            "cut": gzip.compress(body)[: fault.at],
            "lie": body,
            "bomb": BOMB,
        }[fault.variant]
        self._send(content, "Content-Encoding: gzip")

    def _chunked(self, body: bytes, fault: Fault) -> None:
        size, end = {
            "valid": (b"%x" % len(body), b"\r\n0\r\n\r\n"),
            "no end": (b"%x" % len(body), b""),
            "no number": (b"many", b"\r\n0\r\n\r\n"),
            "too many": (b"%x" % (len(body) << 40), b"\r\n0\r\n\r\n"),
        }[fault.variant]
        self._send(size + b"\r\n" + body + end, "Transfer-Encoding: chunked", length="")

    def _no_http(self, body: bytes, fault: Fault) -> None:
        self.request.sendall(body[: max(fault.at, 1)])

    def _headers(self, body: bytes, fault: Fault) -> None:
        self._send(body, *(f"X-Line-{line}: {'x' * 50}" for line in range(2_000)))
