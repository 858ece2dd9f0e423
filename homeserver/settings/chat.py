"""The sections about rooms, media and WebSockets."""

from pydantic import Field

from homeserver.settings.section import DAY_S, GIB, MIB, Advanced, Section


class RoomSettings(Section):
    """Rooms and messages."""

    max_participants: int = Field(
        default=1000, ge=2, le=100_000, description="Most users named in one request that creates a room."
    )
    max_title_chars: Advanced[int] = Field(default=200, ge=1, le=1000, description="Longest title of a room.")
    max_message_chars: int = Field(default=10_000, ge=1, le=15_000, description="Longest text of a message.")
    max_page: Advanced[int] = Field(
        default=200, ge=1, le=1000, description="Most items in one page of a list."
    )
    cached_enquiries: Advanced[int] = Field(
        default=20_000,
        ge=100,
        le=1_000_000,
        description="Enquiries (rooms about an object, such as a listing) that are cached as their owners see them.",
    )
    linked_groups_open: bool = Field(
        default=True,
        description="Whether any user who opens the group of a host's object (e.g. a course) may join it.",
    )


class ThumbnailSize(Section):
    """The box that a thumbnail fits in, in pixels."""

    width: int = Field(ge=16, le=2048, description="Width in pixels.")
    height: int = Field(ge=16, le=2048, description="Height in pixels.")


class MediaSettings(Section):
    """Media: uploads, quotas, thumbnails."""

    max_upload_bytes: int = Field(default=50 * MIB, ge=1024, le=10 * GIB, description="Largest upload.")
    max_uploads: Advanced[int] = Field(
        default=100, ge=1, le=10_000, description="Uploads at the same time; more are refused."
    )
    max_uploads_per_user: Advanced[int] = Field(
        default=10, ge=1, le=10_000, description="Uploads of one user at the same time; more are refused."
    )
    upload_idle_s: Advanced[float] = Field(
        default=60.0, ge=0.05, le=3600, description="An upload that sends no data for this long is aborted."
    )
    quota_bytes: int = Field(
        default=5 * GIB, ge=0, le=1024 * GIB, description="Most bytes that one user may store; 0: no limit."
    )
    quota_files: Advanced[int] = Field(
        default=100_000, ge=0, le=100_000_000, description="Most files that one user may store; 0: no limit."
    )
    daily_bytes: int = Field(
        default=2 * GIB,
        ge=0,
        le=1024 * GIB,
        description="Most bytes that one user may upload in a day; 0: no limit.",
    )
    daily_files: Advanced[int] = Field(
        default=5000,
        ge=0,
        le=10_000_000,
        description="Most files that one user may upload in a day; 0: no limit.",
    )
    legacy_download: bool = Field(
        default=False,
        description="Whether media of Matrix clients can be downloaded without a token: only old clients need it.",
    )
    max_pending_uploads: Advanced[int] = Field(
        default=20,
        ge=1,
        le=1000,
        description="Most mxc URIs that one user has created without uploading content yet.",
    )
    pending_ttl_s: Advanced[int] = Field(
        default=DAY_S, ge=60, le=30 * DAY_S, description="How long such a URI waits for its upload."
    )
    max_download_wait_s: Advanced[float] = Field(
        default=60.0,
        ge=0,
        le=600,
        description="Longest wait of a download for content that is not uploaded yet.",
    )
    max_waiting_downloads: Advanced[int] = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="Most downloads that wait for an upload; more are refused.",
    )
    url_ttl_s: Advanced[int] = Field(
        default=DAY_S, ge=300, le=30 * DAY_S, description="How long the signed URL of a file is valid."
    )
    max_pixels: Advanced[int] = Field(
        default=40_000_000,
        ge=10_000,
        le=500_000_000,
        description="Images with more pixels get no thumbnail (they could fill the memory); WebP: half as many.",
    )
    max_animation_pixels: Advanced[int] = Field(
        default=50_000_000,
        ge=0,
        le=500_000_000,
        description="Animations with more pixels, over all frames, get a still thumbnail.",
    )
    thumbnail_sizes: Advanced[tuple[ThumbnailSize, ...]] = Field(
        default=tuple(
            ThumbnailSize(width=w, height=h) for w, h in ((96, 96), (320, 240), (640, 480), (800, 600))
        ),
        min_length=1,
        max_length=16,
        description="The only sizes that thumbnails are made in.",
    )
    thumbnail_concurrency: Advanced[int] = Field(
        default=1, ge=1, le=32, description="Thumbnails made at the same time."
    )
    max_thumbnails_waiting: Advanced[int] = Field(
        default=64, ge=1, le=10_000, description="Most thumbnails waiting to be made; more are refused."
    )
    deleted_grace_s: int = Field(
        default=7 * DAY_S, ge=0, le=366 * DAY_S, description="How long the file of a deleted message is kept."
    )
    sweep_interval_s: Advanced[float] = Field(
        default=300.0, ge=1, le=7 * DAY_S, description="How often deleted files are removed from disk."
    )


class SocketSettings(Section):
    """WebSockets."""

    queue_frames: Advanced[int] = Field(
        default=256,
        ge=8,
        le=10_000,
        description="Frames waiting for a slow client before its socket is closed.",
    )
    max_per_user: Advanced[int] = Field(
        default=20, ge=1, le=1000, description="Most open sockets of one user."
    )
    ping_interval_s: Advanced[float] = Field(
        default=25.0, ge=0.05, le=300, description="How often an idle client is pinged."
    )
    pong_timeout_s: Advanced[float] = Field(
        default=20.0, ge=0.05, le=300, description="How long a client may take to answer a ping."
    )
    max_frame_bytes: Advanced[int] = Field(
        default=65_536, ge=1024, le=4 * MIB, description="Largest frame from a client."
    )
    max_frames_per_s: Advanced[float] = Field(
        default=20.0, gt=0, le=10_000, description="Frames per second from a client on average."
    )
    frames_burst: Advanced[int] = Field(
        default=60, ge=1, le=10_000, description="Frames at once from a client."
    )
    first_frame_wait_s: Advanced[float] = Field(
        default=0.3,
        ge=0,
        le=10,
        description="How long live frames wait for a new socket's first frame, which may ask for missed messages.",
    )
