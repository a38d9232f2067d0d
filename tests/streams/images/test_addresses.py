"""Only hosts of the public internet are public, however their address is written."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.images.addresses import ForbiddenAddressError, is_public, sockets_to

SPECIAL = [
    "0.0.0.0",  # noqa: S104 - not bound to
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.251",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.32.0.1",
    "198.20.0.1",
    "223.255.255.254",
]
PUBLIC += ["2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1", "2620:fe::fe"]


@pytest.mark.parametrize("address", SPECIAL)
def test_an_address_with_a_special_purpose_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_address_of_a_host_in_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "8.8.8.8.", "8.8.8.8/32", "[::1]"],
)
def test_what_is_no_address_in_the_usual_notation_is_not_public(text: str) -> None:
    assert not is_public(text)


@given(st.ip_addresses(v=4))
def test_of_version_4_all_that_is_global_is_public_but_for_the_few_that_lead_elsewhere(
    address: IPv4Address,
) -> None:
    elsewhere = ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "224.0.0.0/3")
    expected = address.is_global and not any(address in ip_network(block) for block in elsewhere)
    assert is_public(str(address)) == expected


@given(st.ip_addresses(v=6))
def test_what_is_public_in_version_6_is_nothing_else_by_any_name(address: IPv6Address) -> None:
    if is_public(str(address)):
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_site_local))
        assert {address.ipv4_mapped, address.sixtofour, address.teredo} == {None}


@given(st.ip_addresses(v=4))
def test_no_address_of_version_4_is_public_within_one_of_version_6(inner: IPv4Address) -> None:
    number = int(inner)
    prefixes = [0, 0xFFFF << 32, 0x0064FF9B << 96, 0x0064FF9B0001 << 80]
    hidden = [IPv6Address(prefix | number) for prefix in prefixes]
    hidden += [IPv6Address(0x2002 << 112 | number << 80), IPv6Address(0x20010000 << 96 | number ^ 0xFFFFFFFF)]
    assert [str(address) for address in hidden if is_public(str(address))] == []


@given(st.ip_addresses(v=6))
def test_the_way_an_address_is_written_changes_nothing(address: IPv6Address) -> None:
    assert is_public(address.exploded) == is_public(address.compressed) == is_public(str(address).upper())


@given(st.text())
def test_no_text_is_public_that_is_no_address(text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        assert not is_public(text)


def test_a_socket_is_made_for_a_permitted_address_only() -> None:
    make = sockets_to(is_public)
    with make((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 80))) as made:
        assert made.family == socket.AF_INET
    with pytest.raises(ForbiddenAddressError):
        make((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80)))
