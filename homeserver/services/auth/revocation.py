"""Revocation of cached tokens.

Cached tokens share one flag per session and one per user. A revocation raises the flag; every cached token that
holds it is refused at its next use, without a search of the cache. A flag lives as long as a token refers to it.
"""

from weakref import WeakValueDictionary

from homeserver.model import EntryKind
from homeserver.storage.log import Entry


class RevocationFlag:
    """True once a session, or all of a user's sessions, has ended; never lowered again."""

    __slots__ = ("__weakref__", "is_raised")

    def __init__(self) -> None:
        self.is_raised = False


class Revocations:
    """The flags by session id and by user id.

    Get the flags before the database lookup: a revocation between the lookup and the caching of its result then
    still refuses the token.
    """

    def __init__(self) -> None:
        self._flags: WeakValueDictionary[str, RevocationFlag] = WeakValueDictionary()

    def flag(self, key: str) -> RevocationFlag:
        """The flag of a session id or a user id."""
        found = self._flags.get(key)
        if found is None:
            found = self._flags[key] = RevocationFlag()
        return found

    def note(self, entry: Entry) -> None:
        """Handle a log entry. SESSION_ENDED without a session id ends all of the user's sessions."""
        if entry.kind is not EntryKind.SESSION_ENDED or entry.user_id is None:
            return
        session_id = (entry.body or {}).get("session_id")
        # Removed from the dictionary: sessions that start from now on get a flag of their own.
        ended = self._flags.pop(entry.user_id if session_id is None else str(session_id), None)
        if ended is not None:
            ended.is_raised = True
