"""A node keeps its ports while they are free, and only a Kafka broker answers as one."""

import json
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from infra import kafka_node
from infra.kafka_node import Ports
from infra.ports import HOST, free_ports


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, Ports]:
    """The file with the ports of last time, which are free."""
    file, ports = tmp_path / "ports.json", Ports(*free_ports(2))
    file.write_text(json.dumps(vars(ports)))
    return file, ports


def test_the_ports_of_last_time_are_taken_again_while_both_are_free(kept: tuple[Path, Ports]) -> None:
    file, ports = kept
    assert kafka_node._ports(file) == ports


@pytest.mark.parametrize("taken", ["client", "controller"])
def test_both_ports_are_drawn_anew_and_kept_if_one_of_them_is_taken(
    kept: tuple[Path, Ports], taken: str
) -> None:
    file, ports = kept
    with socket.create_server((HOST, getattr(ports, taken))):
        others = kafka_node._ports(file)
        assert getattr(others, taken) != getattr(ports, taken)
        assert kafka_node._ports(file) == others


Answer = Callable[[int], bytes]


@pytest.mark.parametrize(
    ("answer", "answers"),
    [
        (lambda port: struct.pack(">iih", 6, port, 0), True),
        (lambda port: struct.pack(">iih", 6, port, 35), False),  # it does not know this request
        (lambda port: struct.pack(">iih", 6, port + 1, 0), False),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
        (lambda _: b"", False),
    ],
    ids=["a broker", "refused", "to another request", "a web server", "nothing"],
)
def test_only_what_a_broker_says_to_this_request_is_an_answer(answer: Answer, answers: bool) -> None:  # noqa: FBT001
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(answer(port))

        serving = threading.Thread(target=serve)
        serving.start()
        assert kafka_node.answers(port) is answers
        serving.join()
