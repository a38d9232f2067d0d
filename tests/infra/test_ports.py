"""A port is free if a server can listen on it, now and when it starts again."""

import socket

from infra.ports import HOST, PORTS, free_port, free_ports, is_free


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_a_port_is_free_though_connections_linger_that_its_server_has_closed() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((HOST, port)) as client:
            server.accept()[0].close()
            assert client.recv(1) == b""
    assert is_free(port)


def test_ports_are_different_free_and_below_those_of_outgoing_connections() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert set(ports) <= set(PORTS)
    assert max(PORTS) < 32_768  # where Linux begins to draw them
    assert all(map(is_free, ports))


def test_ports_are_drawn_by_lot() -> None:
    assert len({free_port() for _ in range(5)}) > 1
