"""Which addresses an HTTP task may be sent to: the answer to whoever would use this host as a way
into networks that they cannot reach themselves (SSRF).

Names are not looked at, addresses are: at the moment when a socket for one is about to be opened,
so that neither a redirect nor a name server that changes its mind gets past.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from gocron.sayings import say

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""NAT64 (RFC 6052): the last four bytes are the IPv4 address that is really called."""

COMPATIBLE = ipaddress.ip_network("::/96")
"""IPv4-compatible addresses (RFC 4291): deprecated, still written."""


class Guard:
    """``allow`` and ``deny`` are networks, as in the settings ``http.*_networks``. What is denied
    is refused even if it is allowed as well; without ``allow`` the rest is allowed."""

    def __init__(self, allow: Sequence[str] = (), deny: Sequence[str] = ()) -> None:
        self._allow = [ipaddress.ip_network(text) for text in allow]
        self._deny = [ipaddress.ip_network(text) for text in deny]

    def refusal(self, text: str) -> str:
        """Why the address ``text`` must not be called, and how to allow it; empty if it may be."""
        address = ipaddress.ip_address(text.partition("%")[0])
        forms = list(_forms(address))
        for network in self._deny:
            if any(form in network for form in forms):
                return say(
                    "%(address)s is not called: it is in %(network)s, which http.deny_networks "
                    "refuses; to allow it, take that network out of GOCRON_HTTP_DENY_NETWORKS",
                    address=str(address),
                    network=str(network),
                )
        if self._allow and not _is_in(self._allow, forms):
            return say(
                "%(address)s is not called: it is in none of the networks of "
                "http.allow_networks; to allow it, add it to GOCRON_HTTP_ALLOW_NETWORKS",
                address=str(address),
            )
        return ""


def _is_in(networks: Sequence[Network], forms: Sequence[Address]) -> bool:
    return any(form in network for network in networks for form in forms)


def _forms(address: Address) -> Iterator[Address]:
    """The address, and every other one that a connection to it arrives at."""
    yield address
    if address.is_unspecified:  # Linux connects to itself
        yield ipaddress.ip_address("127.0.0.1")
        yield ipaddress.ip_address("::1")
    elif isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            yield from _forms(address.ipv4_mapped)
        elif address.sixtofour is not None:
            yield address.sixtofour
        elif address in TRANSLATED or (address in COMPATIBLE and not address.is_loopback):
            yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
