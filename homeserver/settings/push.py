"""The section about push notifications: Web Push, and push gateways of Matrix clients."""

from pydantic import Field, field_validator

from homeserver.settings.section import DAY_S, Advanced, Section, split_url


class PushSettings(Section):
    """Push notifications: Web Push to browsers, and push gateways of Matrix clients."""

    subject: str = Field(
        default="",
        max_length=300,
        description="Contact for push services (VAPID): mailto:admin@example.org or an https URL. Empty: off.",
    )
    allow_private: Advanced[bool] = Field(
        default=False,
        description="Send to private addresses and to http on this machine too. Only for tests.",
    )
    max_per_person: Advanced[int] = Field(
        default=10,
        ge=1,
        le=1000,
        description="Most browsers, and most pushers, of one user; above that the oldest is removed.",
    )
    max_text_chars: int = Field(
        default=200, ge=1, le=400, description="Most characters of a message's text in a push."
    )
    hold_s: Advanced[float] = Field(
        default=1.5,
        ge=0,
        le=300,
        description="Delay of a push: no push is sent if the user reads the message, or has the chat open, meanwhile.",
    )
    ttl_s: Advanced[int] = Field(
        default=DAY_S,
        ge=1,
        le=28 * DAY_S,
        description="How long after its message a push is still sent.",
    )
    timeout_s: Advanced[float] = Field(
        default=10.0, ge=0.1, le=60, description="Timeout of a request to a push service."
    )
    concurrency: Advanced[int] = Field(
        default=20, ge=1, le=1000, description="Pushes being sent at the same time."
    )
    max_tries: Advanced[int] = Field(default=8, ge=1, le=50, description="Most attempts to send a push.")
    first_pause_s: Advanced[float] = Field(
        default=5.0,
        ge=0.01,
        le=3600,
        description="Delay after the first failure; doubled after each further one.",
    )
    longest_pause_s: Advanced[float] = Field(
        default=3600.0,
        ge=0.01,
        le=DAY_S,
        description="Longest delay, unless a push service asks for more.",
    )
    max_waiting: Advanced[int] = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Most pushes waiting for one browser or pusher; more are dropped.",
    )
    poll_interval_s: Advanced[float] = Field(
        default=30.0,
        ge=0.01,
        le=60,
        description="How often a worker polls for pushes that another one left; its own are sent when they are due.",
    )
    gather_s: Advanced[float] = Field(
        default=0.2, ge=0, le=10, description="How long messages are gathered to be evaluated in one query."
    )
    page: Advanced[int] = Field(
        default=500, ge=1, le=10_000, description="Most log entries or pushes read in one query."
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
