"""The section about pushes to browsers, and to the push gateways of Matrix clients."""

from pydantic import Field, field_validator

from homeserver.settings.section import DAY_S, Advanced, Section, split_url


class PushSettings(Section):
    """News of messages for people who have nothing open: to browsers, and to push gateways of Matrix clients."""

    subject: str = Field(
        default="",
        max_length=300,
        description="Whom a push service may ask about us: mailto:admin@example.org or an https address. Empty: off.",
    )
    allow_private: Advanced[bool] = Field(
        default=False,
        description="Send to private addresses and to http on this machine too. Only for tests.",
    )
    max_per_person: Advanced[int] = Field(
        default=10,
        ge=1,
        le=1000,
        description="Most browsers of one person, and most push gateways; the oldest goes.",
    )
    max_text_chars: int = Field(
        default=200, ge=1, le=400, description="So much of a message's text goes into a push."
    )
    hold_s: Advanced[float] = Field(
        default=1.5,
        ge=0,
        le=300,
        description="How long a push waits: who reads the message, or has the chat open at another worker, gets none.",
    )
    ttl_s: Advanced[int] = Field(
        default=DAY_S,
        ge=1,
        le=28 * DAY_S,
        description="After so long nobody need be told of a message any more.",
    )
    timeout_s: Advanced[float] = Field(
        default=10.0, ge=0.1, le=60, description="Deadline for a push service."
    )
    concurrency: Advanced[int] = Field(
        default=20, ge=1, le=1000, description="Pushes being sent at the same time."
    )
    max_tries: Advanced[int] = Field(
        default=8, ge=1, le=50, description="How often a push is tried before it is given up."
    )
    first_pause_s: Advanced[float] = Field(
        default=5.0,
        ge=0.01,
        le=3600,
        description="Pause after the first failure; doubled after each further one.",
    )
    longest_pause_s: Advanced[float] = Field(
        default=3600.0,
        ge=0.01,
        le=DAY_S,
        description="Longest pause, unless a push service asks for more.",
    )
    max_waiting: Advanced[int] = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Most pushes waiting for one browser or gateway; more are dropped.",
    )
    poll_interval_s: Advanced[float] = Field(
        default=30.0,
        ge=0.01,
        le=60,
        description="How often it is looked for pushes that another worker left; its own are sent when they are due.",
    )
    gather_s: Advanced[float] = Field(
        default=0.2, ge=0, le=10, description="How long messages are gathered, so that many cost one query."
    )
    page: Advanced[int] = Field(
        default=500, ge=1, le=10_000, description="Most log entries or pushes looked at in one go."
    )

    @field_validator("subject")
    @classmethod
    def _check_subject(cls, subject: str) -> str:
        if not subject:
            return subject
        if subject.startswith("mailto:") and subject.removeprefix("mailto:").strip("@").count("@") == 1:
            if not subject.isprintable() or " " in subject:
                raise ValueError("must be an address without spaces")
            return subject
        if subject.startswith("https:"):
            split_url(subject)
            return subject
        raise ValueError("must be like mailto:admin@example.org or an https address")
