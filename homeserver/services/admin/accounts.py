"""Account moderation by server admins from Matrix clients: whois, suspend, lock."""

from collections.abc import Sequence
from dataclasses import dataclass

from homeserver.errors import Forbidden, Invalid, NotFound
from homeserver.model import Requester
from homeserver.protocol.ids import DeviceId, UserId
from homeserver.services.accounts.accounts import Accounts
from homeserver.services.accounts.status import check_admin
from homeserver.services.auth.sessions import Sessions
from homeserver.storage.accounts import Account


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Address and user agent of a device's most recent request; empty if unknown."""

    device_id: DeviceId
    seen_ms: int
    ip: str
    agent: str


class Administration:
    """Acts on accounts. The requester is the first argument of each method, and is checked before any user is
    looked up."""

    def __init__(self, *, accounts: Accounts, sessions: Sessions, server_name: str) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._server_name = server_name

    async def devices(self, requester: Requester, user_id: UserId) -> Sequence[Whereabouts]:
        """The devices of a user, each with its most recent connection; for admins, and for the user's own."""
        if user_id != requester.user_id:
            check_admin(requester)
            await self._found(user_id)
        return [
            Whereabouts(one.device_id, one.last_used_ms, one.last_ip, one.user_agent)
            for one in await self._sessions.listing(user_id)
        ]

    async def account(self, requester: Requester, user_id: UserId) -> Account:
        """An account that may be moderated. Raises Forbidden("no_admin"), Invalid("bad_user_id"), NotFound."""
        check_admin(requester)
        account = await self._found(user_id)
        if account.status.admin:
            raise Forbidden("this user is a server admin", code="no_admin")
        return account

    async def suspend(self, requester: Requester, user_id: UserId, *, suspended: bool) -> None:
        """Suspend an account (its user can only read), or lift the suspension; sessions stay logged in."""
        await self.account(requester, user_id)
        if suspended:
            await self._accounts.suspend(user_id, ends_sessions=False)
        else:
            await self._accounts.unsuspend(user_id)

    async def lock(self, requester: Requester, user_id: UserId, *, locked: bool) -> None:
        """Lock an account (its user is locked out), or unlock it."""
        await self.account(requester, user_id)
        await (self._accounts.lock(user_id) if locked else self._accounts.unlock(user_id))

    async def _found(self, user_id: UserId) -> Account:
        if user_id.partition(":")[2] != self._server_name:
            raise Invalid("not a user of this server", code="bad_user_id")
        account = await self._accounts.find(user_id)
        if account.deactivated:
            raise NotFound("no such account")
        return account
