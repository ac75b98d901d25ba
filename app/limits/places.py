"""What counts as one address of the network."""

from ipaddress import IPv6Address, ip_address, ip_network

_ONE_HOME = 64  # bits of an IPv6 address that a provider gives a customer; the rest is theirs


def place_of(host: str) -> str | None:
    """Return what an address counts as; None if it is none, so that nothing can be counted.

    Behind a Unix socket, for example, nobody has an address, and to take all for one would
    shut out everybody.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(ip_network((int(address), _ONE_HOME), strict=False))
        address = address.ipv4_mapped
    return str(address)
