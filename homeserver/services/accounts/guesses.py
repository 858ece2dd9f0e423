"""Limits on guessing passwords.

Wrong passwords are counted per client address, and per account and address together, so that nobody can lock out the
owner of an account by guessing from elsewhere. Guesses from many addresses share a third limit per account, which does
not apply to the owner's known devices: whose access token comes with the request, and addresses of their sessions.
"""

from dataclasses import dataclass

from homeserver.clock import Clock
from homeserver.errors import RateLimited
from homeserver.kit.ratelimit import RateLimits, address_key
from homeserver.model import Requester
from homeserver.protocol.ids import UserId
from homeserver.storage import sessions
from homeserver.storage.db import Database

_MAX_SESSIONS = 200  # of the account, the last used: their addresses are known


@dataclass(frozen=True, slots=True)
class Guess:
    """A password that is about to be checked.

    `name`: how the client names the account; `user_id`: the account, if it exists; `caller`: the user whose access
    token came with the request.
    """

    name: str
    user_id: UserId | None
    address: str
    caller: Requester | None = None


class GuessLimits:
    """Counts guesses."""

    def __init__(self, *, db: Database, limits: RateLimits, clock: Clock) -> None:
        self._db = db
        self._limits = limits
        self._clock = clock

    async def check(self, guess: Guess) -> None:
        """Count a guess. Raises RateLimited."""
        for key in _keys(guess):
            self._limits.check("login", key)
        if _is_own(guess):
            return
        try:
            self._limits.check("login_account", guess.name)
        except RateLimited:
            if not await self._is_known(guess):
                raise

    def give_back(self, guess: Guess) -> None:
        """Do not count the guess after all: only wrong passwords count, as many users share an address."""
        for key in _keys(guess):
            self._limits.give_back("login", key)
        if not _is_own(guess):
            self._limits.give_back("login_account", guess.name)

    async def _is_known(self, guess: Guess) -> bool:
        """True if one of the account's running sessions was last used from this address."""
        if guess.user_id is None or not guess.address:
            return False
        async with self._db.read() as conn:
            running = await sessions.open_sessions(
                conn, guess.user_id, now_ms=self._clock.now_ms(), limit=_MAX_SESSIONS
            )
        wanted = address_key(guess.address)
        return any(address_key(one.last_ip) == wanted for one in running)


def _is_own(guess: Guess) -> bool:
    """True if the request carries an access token of the account."""
    return guess.caller is not None and guess.caller.user_id == guess.user_id


def _keys(guess: Guess) -> list[str]:
    """The keys of the bucket `login` that a guess counts for."""
    if guess.caller is not None and _is_own(guess):
        return [f"proof:{guess.caller.session_key}"]
    address = address_key(guess.address)
    return [address, f"{guess.name} from {address}"] if address else [guess.name]
