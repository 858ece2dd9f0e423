"""The section about moderation: repeated messages, links, word list, blocks and reports."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from homeserver.settings.section import MIB, Advanced, Section


class ModerationSettings(Section):
    """Checks of messages beyond rate limits, and limits of blocks and reports."""

    repeat_count: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="How often a user may send the same text within repeat_window_s, over all rooms.",
    )
    repeat_window_s: int = Field(
        default=60, ge=1, le=3600, description="Time window in which repeated messages are counted."
    )
    max_links: int = Field(default=20, ge=0, le=1000, description="Most links in one message.")
    link_count: Advanced[int] = Field(
        default=40, ge=1, le=10_000, description="Most links that a user may send within link_window_s."
    )
    link_window_s: Advanced[int] = Field(
        default=60, ge=1, le=3600, description="Time window in which links are counted."
    )
    tracked_senders: Advanced[int] = Field(
        default=20_000,
        ge=100,
        le=1_000_000,
        description="Users whose latest messages are remembered for these counts.",
    )
    word_list: Path | None = Field(
        default=None,
        description="File with one forbidden word or phrase per line; with report: before it, it is only reported.",
    )
    word_list_interval_s: Advanced[float] = Field(
        default=5.0, ge=0.05, le=3600, description="How often the word list is checked for changes."
    )
    word_list_max_bytes: Advanced[int] = Field(
        default=1 * MIB, ge=16, le=16 * MIB, description="Largest word list; a larger one is not loaded."
    )
    word_list_max_lines: Advanced[int] = Field(
        default=20_000, ge=1, le=200_000, description="Most words and phrases in it."
    )
    max_blocked: Advanced[int] = Field(
        default=1000, ge=1, le=10_000, description="Most users that one user can block."
    )
    cached_blockers: Advanced[int] = Field(
        default=20_000, ge=100, le=1_000_000, description="Users whose blocks are cached."
    )
    max_reason_chars: Advanced[int] = Field(
        default=500, ge=0, le=5000, description="Longest reason of a report."
    )

    @model_validator(mode="after")
    def _check_links(self) -> Self:
        if self.link_count < self.max_links:
            raise ValueError(
                "link_count must not be less than max_links, or some messages could never be sent"
            )
        return self
