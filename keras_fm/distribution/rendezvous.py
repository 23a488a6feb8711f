"""The rendezvous of the processes of a training, before JAX connects them.

JAX ends a process with a stack trace of C++ where another one is missing, or has another index or
count. So process 0 first waits here, on the same address, until all have said who they are; each
then continues, or ends with the same sentence. A process sends one line of JSON, and receives one:
`{}`, or `{"error": ...}`.
"""

import errno
import json
import select
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

from keras_fm.distribution.arguments import Hosts
from keras_fm.errors import DistributedError

_MAX_LINE = 65536  # bytes
_LINE_SECONDS = 5.0  # within which a process that has connected says who it is
_RETRY_SECONDS = 0.5
_GRACE_SECONDS = 10.0  # process 0 has begun to wait before or after this one; its word counts


def meet(hosts: Hosts, settings: Mapping[str, Any], timeout: float) -> None:
    """Wait until all processes are there.

    Args:
        hosts: The processes; with an address.
        settings: What all processes must have alike, by a name for the error; JSON values.
        timeout: Seconds to wait.

    Raises:
        DistributedError: One is missing after `timeout`, or is another's double, or has another
            count or other settings; the address is in use, or can't be resolved. All processes
            that are there raise the same.
    """
    host, _, port = hosts.address.rpartition(":")
    address = host.strip("[]"), int(port)
    deadline = time.monotonic() + timeout
    hello = {"index": hosts.index, "count": hosts.count, "settings": dict(settings)}
    if hosts.index:
        _report_to_first(hosts, address, hello, deadline, timeout)
    else:
        _gather(hosts, address, hello, deadline, timeout)


def _gather(
    hosts: Hosts, address: tuple[str, int], hello: dict[str, Any], deadline: float, timeout: float
) -> None:
    """Let all other processes report to this one, and tell them how it ended."""
    arrived: dict[int, socket.socket] = {}
    with ExitStack() as stack:
        server = stack.enter_context(_listen(hosts, address[1]))
        _resolve(hosts, address, deadline, timeout)
        while len(arrived) < hosts.count - 1:
            remaining = max(0.0, deadline - time.monotonic())
            readable, _, _ = select.select([server, *arrived.values()], [], [], remaining)
            if not readable:
                raise _told(_missing(hosts, arrived, timeout), arrived.values())
            for index, connection in [*arrived.items()]:
                if connection in readable:  # it says no more: it has ended
                    arrived.pop(index).close()
            if server in readable:
                connection = stack.enter_context(server.accept()[0])
                other = _receive(connection, _LINE_SECONDS)
                if not _is_hello(other):  # a probe of the port
                    connection.close()
                elif problem := _problem(hello, other, arrived):
                    raise _told(problem, [*arrived.values(), connection])
                else:
                    arrived[other["index"]] = connection
        for connection in arrived.values():
            _send(connection, {})


def _told(problem: str, connections: Iterable[socket.socket]) -> DistributedError:
    """Return the error of this process, which the others are sent as well."""
    for connection in connections:
        _send(connection, {"error": problem})
    return DistributedError(problem)


def _is_hello(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and isinstance(message.get("index"), int)
        and isinstance(message.get("count"), int)
        and isinstance(message.get("settings"), dict)
    )


def _problem(hello: dict[str, Any], other: dict[str, Any], arrived: Mapping[int, Any]) -> str:
    """Return why another process can't train with this one; "" where it can."""
    index, count = other["index"], hello["count"]
    if other["count"] != count:
        return (
            f"process {index} of hosts is started as one of {other['count']} processes, process 0 "
            f"as one of {count}: give all the same number"
        )
    if index == 0 or index in arrived:
        return (
            f"two processes of hosts have the index {index}: give each of the {count} its own, "
            f"from 0 to {count - 1}"
        )
    for name, value in hello["settings"].items():
        received = other["settings"].get(name)
        if received != value:
            return (
                f"process {index} of hosts has {name} {received}, process 0 has {value}: give all "
                "the same"
            )
    return ""


def _missing(hosts: Hosts, arrived: Mapping[int, Any], timeout: float) -> str:
    indices = [str(index) for index in range(1, hosts.count) if index not in arrived]
    processes = "process" if len(indices) == 1 else "processes"
    return (
        f"{len(arrived) + 1} of {hosts.count} processes have arrived at {hosts.address} within "
        f"{timeout:g} seconds, without {processes} {', '.join(indices)}: see what ended there, and "
        "start all again, or wait longer for them (hosts_timeout)"
    )


def _report_to_first(
    hosts: Hosts, address: tuple[str, int], hello: dict[str, Any], deadline: float, timeout: float
) -> None:
    """Tell process 0 that this one is there, and wait for the others."""
    reason = ""
    while True:
        _resolve(hosts, address, deadline, timeout)
        remaining = max(_RETRY_SECONDS, deadline - time.monotonic())
        try:
            with socket.create_connection(address, timeout=remaining) as connection:
                _send(connection, hello)
                # Process 0 waits for the others as long as this one would.
                reply = _receive(connection, timeout + _GRACE_SECONDS)
            if isinstance(reply, dict):
                break
            if reply is not None:
                raise DistributedError(
                    f"what listens at {hosts.address} is not process 0 of this training, but "
                    "another program, or a training that has begun: choose another port"
                )
            reason = "it closes the connection"
        except OSError as error:  # it does not listen yet
            reason = error.strerror or str(error)
        if time.monotonic() > deadline:
            raise DistributedError(
                f"process 0 can't be reached at {hosts.address} within {timeout:g} seconds "
                f"({reason}): start it there, let other machines reach that port, or wait longer "
                "for it (hosts_timeout)"
            )
        time.sleep(_RETRY_SECONDS)
    if "error" in reply:
        raise DistributedError(str(reply["error"]))


def _resolve(hosts: Hosts, address: tuple[str, int], deadline: float, timeout: float) -> None:
    """Wait until the address has a meaning: on Kubernetes it gets one with its pod.

    Raises:
        DistributedError: It has none in time.
    """
    while True:
        try:
            socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
            return
        except socket.gaierror as error:
            if time.monotonic() > deadline:
                raise DistributedError(
                    f"{address[0]!r} in hosts can't be resolved within {timeout:g} seconds "
                    f"({error.strerror}): name the machine of process 0, or its IP address"
                ) from None
        time.sleep(_RETRY_SECONDS)


def _listen(hosts: Hosts, port: int) -> socket.socket:
    """Listen on all interfaces, as JAX does on this port."""
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    try:
        return socket.create_server(
            ("", port), family=family, backlog=hosts.count, dualstack_ipv6=dual
        )
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        reason = "the port is in use" if in_use else error.strerror or str(error)
        raise DistributedError(
            f"process 0 can't listen at {hosts.address}: {reason}; choose another port"
        ) from None


def _send(connection: socket.socket, message: Any) -> None:
    """Send a line; a process that is gone needs none."""
    try:
        connection.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        return


def _receive(connection: socket.socket, timeout: float) -> Any:
    """Return what a line says, bytes where it is no JSON; None where the connection is closed."""
    connection.settimeout(timeout)
    try:
        with connection.makefile("rb") as stream:
            line = stream.readline(_MAX_LINE)
    except OSError:  # it is gone, or says nothing
        return None
    try:
        return json.loads(line) if line else None
    except ValueError:
        return line
