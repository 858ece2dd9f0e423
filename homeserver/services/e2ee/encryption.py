"""The services of end-to-end encryption in one record, built by wiring and handed to the APIs."""

from dataclasses import dataclass

from homeserver.clock import Clock
from homeserver.kit.ratelimit import RateLimits
from homeserver.services.e2ee.backups import Backups
from homeserver.services.e2ee.crosssigning import CrossSigning
from homeserver.services.e2ee.dehydrated import DehydratedDevices
from homeserver.services.e2ee.device_lists import DeviceLists
from homeserver.services.e2ee.devicekeys import DeviceKeys
from homeserver.services.e2ee.todevice import ToDevice
from homeserver.settings.models import EncryptionSettings
from homeserver.storage.db import Database
from homeserver.timeline.entries import Appends


@dataclass(frozen=True, slots=True)
class Encryption:
    """Device keys, cross-signing, device lists, to-device messages, key backups, dehydrated devices."""

    device_keys: DeviceKeys
    cross_signing: CrossSigning
    lists: DeviceLists
    to_device: ToDevice
    backups: Backups
    dehydrated: DehydratedDevices


def make_encryption(
    *,
    db: Database,
    timeline: Appends,
    clock: Clock,
    limits: RateLimits,
    settings: EncryptionSettings,
    server_name: str,
) -> Encryption:
    """Build the services of end-to-end encryption."""
    return Encryption(
        device_keys=DeviceKeys(
            db=db, timeline=timeline, clock=clock, limits=limits, settings=settings, server_name=server_name
        ),
        cross_signing=CrossSigning(db=db, timeline=timeline, settings=settings),
        lists=DeviceLists(db=db),
        to_device=ToDevice(
            db=db, timeline=timeline, clock=clock, limits=limits, settings=settings, server_name=server_name
        ),
        backups=Backups(db=db, settings=settings),
        dehydrated=DehydratedDevices(db=db, timeline=timeline, clock=clock, settings=settings),
    )
