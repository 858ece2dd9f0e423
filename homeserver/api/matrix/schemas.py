"""Request and response bodies for accounts, devices, room creation and membership."""

from typing import Annotated, Any, Literal, NotRequired, Self

from pydantic import ConfigDict, Field, model_validator
from typing_extensions import TypedDict

from homeserver.http.body import BLANK_IS_ABSENT, Body, Flag, Query
from homeserver.http.credentials import MAX_TOKEN_CHARS

_NAME = Field(max_length=1000)
_PASSWORD = Field(max_length=10_000)


class Identifier(Body):
    """The user who logs in: `m.id.user` with `user`, or `m.id.thirdparty` with `medium` and `address`."""

    type: str = Field(max_length=255)
    user: str | None = Field(default=None, max_length=1000)
    medium: str | None = Field(default=None, max_length=255)
    address: str | None = Field(default=None, max_length=1000)


class UserIdentifier(Body):
    """The identifier in a login or in the stage m.login.password. Old clients send only `user`."""

    identifier: Identifier | None = None
    user: str | None = Field(default=None, max_length=1000)
    medium: str | None = Field(default=None, max_length=255)
    address: str | None = Field(default=None, max_length=1000)


class DeviceParams(Body):
    """A client's parameters for its new session."""

    device_id: str | None = Field(default=None, max_length=1000)
    initial_device_display_name: str | None = Field(default=None, max_length=10_000)
    refresh_token: Flag = False


class Login(UserIdentifier, DeviceParams):
    type: str = Field(max_length=255)
    password: str | None = Field(default=None, max_length=10_000)
    token: str | None = Field(default=None, max_length=MAX_TOKEN_CHARS)


class PasswordStage(UserIdentifier):
    password: str = _PASSWORD


class Registration(DeviceParams):
    username: str | None = Field(default=None, max_length=1000)
    password: str | None = Field(default=None, max_length=10_000)
    inhibit_login: Flag = False
    guest_access_token: str | None = Field(default=None, max_length=10_000)


class RegistrationQuery(Query):
    kind: str = Field(default="user", max_length=20)


class NameQuery(Query):
    username: str = _NAME


class TokenQuery(Query):
    token: str = _NAME


class StageQuery(Query):
    session: str = _NAME


class Refresh(Body):
    refresh_token: str = Field(min_length=1, max_length=1000)


class NewPassword(Body):
    new_password: str = _PASSWORD
    logout_devices: Flag = True


class Deactivation(Body):
    erase: Flag = False


class DeviceChange(Body):
    display_name: str | None = Field(default=None, max_length=10_000)


class Devices(Body):
    devices: list[str] = Field(max_length=1000)


class SharedRegistration(DeviceParams):
    """`mac`: HMAC-SHA1 in hex."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    nonce: str = Field(max_length=200)
    username: str = _NAME
    password: str = _PASSWORD
    mac: str = Field(max_length=200)
    admin: Flag = False
    user_type: str | None = Field(default=None, max_length=100)
    displayname: str | None = Field(default=None, max_length=1000)


class Versions(TypedDict):
    versions: list[str]
    unstable_features: dict[str, bool]


class Homeserver(TypedDict):
    base_url: str


WellKnown = TypedDict("WellKnown", {"m.homeserver": Homeserver})


class Capabilities(TypedDict):
    capabilities: dict[str, Any]


class Flow(TypedDict):
    type: str
    get_login_token: NotRequired[bool]


class Flows(TypedDict):
    flows: list[Flow]


class LoggedIn(TypedDict):
    """Without a session (`inhibit_login`) there is only `user_id`."""

    user_id: str
    access_token: NotRequired[str]
    device_id: NotRequired[str]
    home_server: NotRequired[str]
    refresh_token: NotRequired[str]
    expires_in_ms: NotRequired[int]
    well_known: NotRequired[WellKnown]


class LoginToken(TypedDict):
    login_token: str
    expires_in_ms: int


class Refreshed(TypedDict):
    access_token: str
    refresh_token: str
    expires_in_ms: int


class Empty(TypedDict):
    """`{}`."""


class Available(TypedDict):
    available: Literal[True]


class Valid(TypedDict):
    valid: bool


class WhoAmI(TypedDict):
    user_id: str
    device_id: NotRequired[str]
    is_guest: bool


class Threepid(TypedDict):
    medium: Literal["email"]
    address: str
    added_at: int
    validated_at: int


class Threepids(TypedDict):
    threepids: list[Threepid]


class Unbound(TypedDict):
    id_server_unbind_result: Literal["success", "no-support"]


class Device(TypedDict):
    device_id: str
    display_name: str
    last_seen_ip: str
    last_seen_ts: int


class DeviceList(TypedDict):
    devices: list[Device]


class Nonce(TypedDict):
    nonce: str


class InitialStateEvent(Body):
    type: str = Field(max_length=255)
    state_key: str = Field(default="", max_length=255)
    content: dict[str, Any]


class NewRoom(Body):
    """The body of createRoom."""

    visibility: Literal["public", "private"] = "private"
    preset: Literal["private_chat", "trusted_private_chat", "public_chat"] | None = None
    room_alias_name: Annotated[str | None, BLANK_IS_ABSENT] = Field(default=None, max_length=255)
    name: str | None = Field(default=None, max_length=10_000)
    topic: str | None = Field(default=None, max_length=50_000)
    invite: list[str] = Field(default_factory=list, max_length=10_000)
    invite_3pid: list[dict[str, Any]] = Field(default_factory=list, max_length=100)
    room_version: str | None = Field(default=None, max_length=32)
    creation_content: dict[str, Any] = Field(default_factory=dict)
    initial_state: list[InitialStateEvent] = Field(default_factory=list, max_length=1000)
    is_direct: Flag = False
    power_level_content_override: dict[str, Any] = Field(default_factory=dict)


class Reason(Body):
    reason: str = Field(default="", max_length=10_000)


class Target(Reason):
    user_id: str = Field(max_length=255)


class Invitation(Reason):
    """The invited user by user id, or by a third-party identifier."""

    user_id: str | None = Field(default=None, max_length=255)
    address: str | None = Field(default=None, max_length=1000)

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if self.user_id is None and self.address is None:
            raise ValueError("user_id is required")
        return self


class CreatedRoom(TypedDict):
    room_id: str


class JoinedRooms(TypedDict):
    joined_rooms: list[str]


class SentEvent(TypedDict):
    event_id: str


class DelayedEvent(TypedDict):
    delay_id: str
