"""The error table of this API: `{"errcode": "M_...", "error"}` (client-server API, "Standard error response").

Codes that are not listed get the errcode of their status; other statuses get M_UNKNOWN.
"""

from collections.abc import Mapping
from types import MappingProxyType

from homeserver.errors import HomeserverError
from homeserver.http.errcodes import CODES, STATUSES, errcode_body
from homeserver.http.errors import PLAIN_STATUSES, ErrorTable, Failure
from homeserver.http.routes import ErrorForm

# status -> default errcode
_BY_STATUS: Mapping[int, str] = MappingProxyType({**STATUSES, 401: "M_UNKNOWN_TOKEN", 409: "M_CONFLICT"})
# our code -> errcode, where it differs from the status's default
_BY_CODE: Mapping[str, str] = MappingProxyType(
    {
        **CODES,
        "algorithm_differs": "M_INVALID_PARAM",
        "alias_elsewhere": "M_BAD_ALIAS",
        "alias_taken": "M_UNKNOWN",
        "bad_alias": "M_INVALID_PARAM",
        "bad_backup_key": "M_BAD_JSON",
        "bad_cross_signing_key": "M_INVALID_PARAM",
        "bad_device_id": "M_INVALID_PARAM",
        "bad_device_keys": "M_BAD_JSON",
        "bad_email": "M_INVALID_PARAM",
        "bad_field": "M_INVALID_PARAM",
        "bad_event": "M_BAD_JSON",
        "bad_endpoint": "M_INVALID_PARAM",
        "bad_pusher": "M_INVALID_PARAM",
        "bad_push_rule": "M_INVALID_PARAM",
        "bad_receipt": "M_INVALID_PARAM",
        "bad_name": "M_INVALID_PARAM",
        "bad_one_time_key": "M_BAD_JSON",
        "bad_room_id": "M_INVALID_PARAM",
        "bad_token": "M_INVALID_PARAM",
        "bad_room_state": "M_INVALID_ROOM_STATE",
        "bad_url": "M_INVALID_PARAM",
        "bad_user_id": "M_INVALID_PARAM",
        "bad_username": "M_INVALID_USERNAME",
        "deactivated": "M_USER_DEACTIVATED",
        "duplicate_annotation": "M_DUPLICATE_ANNOTATION",
        "empty_name": "M_INVALID_PARAM",
        "file_exists": "M_CANNOT_OVERWRITE_MEDIA",
        "guests_refused": "M_GUEST_ACCESS_FORBIDDEN",
        "identity_server": "M_SERVER_NOT_TRUSTED",
        "invalid_signature": "M_INVALID_SIGNATURE",
        "key_too_large": "M_KEY_TOO_LARGE",
        "locked": "M_USER_LOCKED",
        "missing_master_key": "M_MISSING_PARAM",
        "name_too_long": "M_TOO_LARGE",
        "notice_room": "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM",
        "not_uploaded_yet": "M_NOT_YET_UPLOADED",
        "password_too_long": "M_INVALID_PARAM",
        "password_too_short": "M_WEAK_PASSWORD",
        "room_in_use": "M_ROOM_IN_USE",
        "profile_too_large": "M_PROFILE_TOO_LARGE",
        "room_version": "M_UNSUPPORTED_ROOM_VERSION",
        "set_by_server": "M_BAD_JSON",
        "suspended": "M_USER_SUSPENDED",
        "threepid_medium": "M_THREEPID_MEDIUM_NOT_SUPPORTED",
        "threepid_refused": "M_THREEPID_DENIED",
        "threepid_unproven": "M_THREEPID_AUTH_FAILED",
        "unknown_people": "M_INVALID_PARAM",
        "unknown_pos": "M_UNKNOWN_POS",
        "unknown_stage": "M_UNRECOGNIZED",
        "user_id_in_use": "M_USER_IN_USE",
        "version_differs": "M_INVALID_PARAM",
        "wrong_backup_version": "M_WRONG_ROOM_KEYS_VERSION",
    }
)
_STATUSES: Mapping[str, int] = MappingProxyType(
    {
        "bad_credentials": 403,
        "deactivated": 403,
        "name_too_long": 400,
        "no_thumbnail": 400,
        "not_uploaded_yet": 504,
        "room_in_use": 400,
        "set_by_server": 405,
        "slow_body": 408,
        "upload_stalled": 408,
        "user_id_in_use": 400,
    }
)


_DELAYED: Mapping[str, str] = MappingProxyType(  # MSC4140 has errcodes of its own, beside M_UNKNOWN
    {"max_delay_exceeded": "M_MAX_DELAY_EXCEEDED", "too_many_delayed": "M_MAX_DELAYED_EVENTS_EXCEEDED"}
)


def _body(failure: Failure) -> Mapping[str, object]:
    if failure.code == "interaction_needed":
        return _interaction(failure)
    body = errcode_body(failure, _BY_CODE, _BY_STATUS)
    if failure.code in _DELAYED:
        body["org.matrix.msc4140.errcode"] = _DELAYED[failure.code]
        if "max_delay" in failure.data:
            body["org.matrix.msc4140.max_delay"] = failure.data["max_delay"]
    if failure.code == "wrong_backup_version":
        body["current_version"] = failure.data.get("current_version")
    if failure.code in ("token_expired", "locked"):
        body["soft_logout"] = True  # the session is still valid: a refresh is enough
    return body


def _interaction(failure: Failure) -> Mapping[str, object]:
    """The body of a UIA answer: the remaining flows, and the error of the last attempt."""
    facts = dict(failure.data)
    failed = facts.pop("failed", None)
    if not isinstance(failed, HomeserverError):
        return facts
    why = _body(ERRORS.failure(failed))
    return {**facts, "errcode": why["errcode"], "error": why["error"]}


ERRORS = ErrorTable(PLAIN_STATUSES, _STATUSES, _body, {404: "unrecognized", 405: "unrecognized"})

FORM = ErrorForm(
    {
        "type": "object",
        "description": "Why a request was refused. For user-interactive authentication (401): `flows` and `session`.",
        "properties": {
            "errcode": {"type": "string"},
            "error": {"type": "string"},
            "retry_after_ms": {"type": "integer"},
            "session": {"type": "string"},
            "flows": {"type": "array"},
        },
        "anyOf": [{"required": ["errcode", "error"]}, {"required": ["flows", "session"]}],
    },
    {
        400: "The request is malformed, or breaks a rule.",
        401: "The token is missing, unknown or expired; or authentication is required (`flows`).",
        403: "The user may not do this.",
        404: "Not found, or not visible to the user.",
        409: "It exists already, or was changed at the same time.",
        413: "The body is too large.",
        429: "Too many requests; `retry_after_ms` and `Retry-After` say when to retry.",
        503: "The server is starting or stopping, or its database is not available.",
    },
)
"""The error form in the API documentation."""
