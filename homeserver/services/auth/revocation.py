"""What ended while somebody still holds a token for it.

Cached tokens share one flag per session and one per person. An end raises the flag; every cached token under
it is refused at its next use, and nothing has to be searched. A flag lives as long as somebody holds it.
"""

from weakref import WeakValueDictionary

from homeserver.model import EntryKind
from homeserver.storage.log import Entry


class RevocationFlag:
    """Whether something ended. Never lowered again."""

    __slots__ = ("__weakref__", "is_raised")

    def __init__(self) -> None:
        self.is_raised = False


class Revocations:
    """The flags by session id and by user id.

    Take the flags before you look into the database: an end that comes between the look and the caching of
    its result then still refuses the token.
    """

    def __init__(self) -> None:
        self._flags: WeakValueDictionary[str, RevocationFlag] = WeakValueDictionary()

    def flag(self, key: str) -> RevocationFlag:
        """The flag of a session or of a person."""
        found = self._flags.get(key)
        if found is None:
            found = self._flags[key] = RevocationFlag()
        return found

    def note(self, entry: Entry) -> None:
        """Hear an entry of the log. SESSION_ENDED without a session id ends all that the person holds."""
        if entry.kind is not EntryKind.SESSION_ENDED or entry.user_id is None:
            return
        session_id = (entry.body or {}).get("session_id")
        # Taken out of the dictionary: what starts from now on gets a flag of its own.
        ended = self._flags.pop(entry.user_id if session_id is None else str(session_id), None)
        if ended is not None:
            ended.is_raised = True
