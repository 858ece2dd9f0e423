"""Devices that can sign, made in a line each."""

from dataclasses import dataclass, field
from itertools import count

from homeserver.app import Homeserver
from homeserver.model import Content, Person, Requester
from homeserver.protocol.ids import DeviceId, UserId
from homeserver.protocol.signing import SigningKey, signed_bytes, with_signature
from homeserver.services.e2ee.devicekeys import KeyUpload
from homeserver.storage.e2ee.crosssigning import Usage

OLM = "signed_curve25519"
_numbers = count(1)


def key() -> SigningKey:
    return SigningKey.generate("test")


def signed(body: Content, user_id: str, name: str, by: SigningKey) -> Content:
    """The object with a signature, named as devices and cross-signing keys name theirs."""
    return with_signature(body, user_id, f"ed25519:{name}", by.sign(signed_bytes(body)))


@dataclass
class Phone:
    """A device that is logged in."""

    requester: Requester
    person: Person
    token: str
    signing: SigningKey = field(default_factory=key)

    @property
    def user_id(self) -> UserId:
        return self.requester.user_id

    @property
    def device_id(self) -> DeviceId:
        assert self.requester.device_id is not None
        return self.requester.device_id

    def identity(self, **changes: object) -> Content:
        return identity(self.user_id, self.device_id, self.signing, **changes)

    def one_time(self, *key_ids: str, algorithm: str = OLM, **more: object) -> dict[str, object]:
        """Signed one-time keys of these names, each another one."""
        return {
            f"{algorithm}:{key_id}": signed(
                {"key": f"curve {next(_numbers)}", **more}, self.user_id, self.device_id, self.signing
            )
            for key_id in key_ids
        }

    async def publish(self, hs: Homeserver, *key_ids: str) -> dict[str, object]:
        """Upload identity keys and one-time keys; answers the latter."""
        keys = self.one_time(*key_ids)
        await hs.e2ee.device_keys.upload(self.requester, KeyUpload(self.identity(), keys))
        return keys


def identity(user_id: str, device_id: str, by: SigningKey, **changes: object) -> Content:
    """Device keys."""
    body: Content = {
        "user_id": user_id,
        "device_id": device_id,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {f"curve25519:{device_id}": "curve", f"ed25519:{device_id}": by.verify_key_base64},
        **changes,
    }
    return signed(body, user_id, device_id, by)


@dataclass
class Crossed:
    """A person's cross-signing keys."""

    user_id: UserId
    master: SigningKey = field(default_factory=key)
    self_signing: SigningKey = field(default_factory=key)
    user_signing: SigningKey = field(default_factory=key)

    def body(self, usage: Usage, /, **changes: object) -> Content:
        public = {
            Usage.MASTER: self.master,
            Usage.SELF_SIGNING: self.self_signing,
            Usage.USER_SIGNING: self.user_signing,
        }[usage].verify_key_base64
        body: Content = {
            "user_id": self.user_id,
            "usage": [usage.value],
            "keys": {f"ed25519:{public}": public},
            **changes,
        }
        if usage is Usage.MASTER:
            return body
        return signed(body, self.user_id, self.master.verify_key_base64, self.master)

    def request(self, *usages: Usage) -> dict[Usage, Content]:
        return {usage: self.body(usage) for usage in usages or Usage}

    def sign(self, body: Content, by: SigningKey) -> Content:
        """A key with this person's signature on it and no other."""
        bare = {name: value for name, value in body.items() if name != "signatures"}
        return signed(bare, self.user_id, by.verify_key_base64, by)


async def log_in(hs: Homeserver, person: Person, device_name: str = "") -> Phone:
    tokens = await hs.auth.sessions.start(person, device_name)
    requester = await hs.auth.sessions.authenticate(tokens.access_token)
    return Phone(requester, person, tokens.access_token)


async def phone(hs: Homeserver, name: str) -> Phone:
    """A new person with one device."""
    made = await hs.accounts.accounts.create(display_name=name, localpart=name.lower())
    return await log_in(hs, made, f"{name}'s phone")
