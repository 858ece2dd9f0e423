"""SRV records, by the name servers of the system."""

from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from homeserver.federation.transport.discovery import Service

_MOST = 20  # records of one name that are tried


class DnsServices:
    """Looks SRV records up in DNS. `lifetime_s`: for the whole of a look-up."""

    def __init__(self, lifetime_s: float = 10.0) -> None:
        self._lifetime_s = lifetime_s
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def services(self, name: str) -> Sequence[Service]:
        """The records of a name; none if there are none, or if the service is said not to exist there."""
        if self._resolver is None:
            self._resolver = dns.asyncresolver.Resolver()
        try:
            answer = await self._resolver.resolve(name, "SRV", lifetime=self._lifetime_s)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise OSError(f"SRV records of {name} are not known now") from error
        found = [_service(one) for one in answer if isinstance(one, SRV)]
        return [one for one in found if one.host][
            :_MOST
        ]  # a target of "." says that there is no such service


def _service(record: SRV) -> Service:
    return Service(
        record.target.to_text(omit_final_dot=True).rstrip("."), record.port, record.priority, record.weight
    )
