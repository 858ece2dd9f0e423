"""The section about URL previews."""

from typing import Annotated

from pydantic import Field, IPvAnyNetwork

from homeserver.settings.section import DAY_S, MIB, Advanced, Section

Site = Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length=253)]
Port = Annotated[int, Field(ge=1, le=65535)]


class PreviewSettings(Section):
    """URL previews, for which the server fetches web pages."""

    enabled: bool = Field(
        default=False,
        description="Whether the server fetches web pages to make URL previews for its users.",
    )
    allowed_hosts: tuple[Site, ...] = Field(
        default=(), max_length=10_000, description="Only these hosts and their subdomains; empty: all."
    )
    denied_hosts: tuple[Site, ...] = Field(
        default=(), max_length=10_000, description="Never these hosts and their subdomains."
    )
    allowed_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        max_length=100,
        description="Private networks from which pages may be fetched; public ones are always allowed.",
    )
    ports: Advanced[tuple[Port, ...]] = Field(
        default=(80, 443), min_length=1, max_length=20, description="The only ports that may be connected to."
    )
    timeout_s: Advanced[float] = Field(
        default=10.0, ge=0.1, le=60, description="Timeout for a page and its image together."
    )
    max_redirects: Advanced[int] = Field(
        default=5, ge=0, le=20, description="Most redirects that are followed."
    )
    max_page_bytes: Advanced[int] = Field(
        default=MIB // 2, ge=16_384, le=4 * MIB, description="How much of a page is read, from its beginning."
    )
    max_image_bytes: Advanced[int] = Field(
        default=2 * MIB, ge=16_384, le=20 * MIB, description="Largest image of a page that is stored."
    )
    ttl_s: Advanced[int] = Field(
        default=DAY_S // 2, ge=60, le=30 * DAY_S, description="How long a preview is cached."
    )
    failure_ttl_s: Advanced[float] = Field(
        default=60.0, ge=0, le=DAY_S, description="How long a failed page is not fetched again."
    )
    max_stored: Advanced[int] = Field(default=5000, ge=10, le=1_000_000, description="Most cached previews.")
    concurrency: Advanced[int] = Field(
        default=10, ge=1, le=200, description="Pages fetched at the same time."
    )
    max_waiting: Advanced[int] = Field(
        default=100, ge=0, le=10_000, description="Most pages waiting to be fetched; more are refused."
    )
    sweep_interval_s: Advanced[float] = Field(
        default=600.0, ge=1, le=DAY_S, description="How often expired previews are deleted."
    )
