"""Whose people are whose: the one place that tells this server's own from those of others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers as this one sees them. `own`: its name."""

    own: str

    def is_ours(self, user_id: str) -> bool:
        """Whether a person has their account here."""
        return user_id.partition(":")[2] == self.own
