"""Federation: other servers' names and keys, and calls to them."""

import ssl
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver

from homeserver.federation.transport.client import FederationClient, Lists
from homeserver.federation.transport.discovery import Discovery
from homeserver.federation.transport.dns import DnsServices
from homeserver.federation.transport.keyring import Keyring
from homeserver.federation.transport.keyserver import KeyServer
from homeserver.net.client import HttpClient
from homeserver.net.publicnet import Guard
from homeserver.protocol.ids import ServerName
from homeserver.settings.models import FederationSettings, Settings
from homeserver.wiring.core import Core


@dataclass(frozen=True, slots=True)
class Federation:
    """What this server knows of others, and how it asks them."""

    http: HttpClient
    client: FederationClient
    keyring: Keyring
    keys: KeyServer


def build_federation(settings: Settings, core: Core, resolver: AbstractResolver | None) -> Federation | None:
    """Build it, if the settings enable federation; nothing is asked before the first call."""
    around, server, keys = settings.federation, ServerName(settings.server.name), core.keys
    if not around.enabled:
        return None
    http = HttpClient(
        Guard(around.allowed_networks),
        connections=around.connections,
        resolver=resolver,
        tls=_trusted(around),
    )
    client = FederationClient(
        http,
        Discovery(http, DnsServices(), core.clock),
        Lists(around.allow, around.deny),
        server=server,
        key=keys.signing,
    )
    own = [keys.signing, *(one.key for one in keys.old_signing)]
    keyring = Keyring(core.db, client, core.clock, server=server, own=own)
    said = KeyServer(
        keyring,
        core.clock,
        server=server,
        key=keys.signing,
        former=keys.old_signing,
        valid_ms=around.key_valid_s * 1000,
    )
    return Federation(http, client, keyring, said)


def _trusted(around: FederationSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if around.ca_file is not None:
        context.load_verify_locations(cafile=around.ca_file)
    if not around.verify_certificates:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
