"""The section about what keeps people safe from each other: repeated messages, links, words, blocks and reports."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from homeserver.settings.section import MIB, Advanced, Section


class ModerationSettings(Section):
    """What is refused though it is not too much, and what people and admins do about each other."""

    repeat_count: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="How often a person may say the same within repeat_window_s, over all rooms.",
    )
    repeat_window_s: int = Field(
        default=60, ge=1, le=3600, description="Span in which what is said again is counted."
    )
    max_links: int = Field(default=20, ge=0, le=1000, description="Most links in one message.")
    link_count: Advanced[int] = Field(
        default=40, ge=1, le=10_000, description="Most links that a person may send within link_window_s."
    )
    link_window_s: Advanced[int] = Field(
        default=60, ge=1, le=3600, description="Span in which links are counted."
    )
    tracked_senders: Advanced[int] = Field(
        default=20_000,
        ge=100,
        le=1_000_000,
        description="People whose latest messages are remembered for these counts.",
    )
    word_list: Path | None = Field(
        default=None,
        description="File with a word or phrase a line that nobody may write; report: before it only tells the admins.",
    )
    word_list_interval_s: Advanced[float] = Field(
        default=5.0, ge=0.05, le=3600, description="How often a changed word list is looked for."
    )
    word_list_max_bytes: Advanced[int] = Field(
        default=1 * MIB, ge=16, le=16 * MIB, description="Largest word list; of a larger one the old stays."
    )
    word_list_max_lines: Advanced[int] = Field(
        default=20_000, ge=1, le=200_000, description="Most words and phrases in it."
    )
    max_blocked: Advanced[int] = Field(
        default=1000, ge=1, le=10_000, description="Most people that one person blocks."
    )
    cached_blockers: Advanced[int] = Field(
        default=20_000, ge=100, le=1_000_000, description="People whose blocks are kept in memory."
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
