"""Rate limits: a token bucket per action and user (or client address).

Each worker process counts for itself. An IPv6 client usually owns a whole /64, so the /64 is counted.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from homeserver.clock import Clock
from homeserver.errors import RateLimited
from homeserver.settings.models import BucketSettings, RateLimitSettings

# Of the oldest buckets, how many are checked for a full one, which can be dropped without effect.
_LOOK_FOR_FULL = 8


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_ms: int


def address_key(address: str) -> str:
    """The key of a client address: IPv4 unchanged, IPv6 by its /64."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"


class RateLimits:
    """Checks whether `key` may do something now.

    The buckets' names are the fields of RateLimitSettings: login, send, service_keys, address and so on.
    `refused` is called with the bucket's name for each refusal (a counter).
    """

    def __init__(
        self, settings: RateLimitSettings, clock: Clock, refused: Callable[[str], None] | None = None
    ) -> None:
        self._enabled = settings.enabled
        self._max_tracked = settings.max_tracked
        self._clock = clock
        self._refused = refused
        self._rules: dict[str, BucketSettings] = {
            name: rule for name, rule in settings if isinstance(rule, BucketSettings)
        }
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    def check(self, bucket: str, key: str) -> None:
        """Take one token. Raises RateLimited with the time until the next; an empty key is not limited."""
        if not self._enabled or not key:
            return
        rule = self._rules[bucket]
        now_ms = self._clock.now_ms()
        held = self._buckets.get((bucket, key))
        if held is None:
            self._buckets[bucket, key] = _Bucket(rule.burst - 1.0, now_ms)
            if len(self._buckets) > self._max_tracked:
                self._drop_one(now_ms)
            return
        self._buckets.move_to_end((bucket, key))
        held.tokens = _filled(held, rule, now_ms)
        held.at_ms = now_ms
        if held.tokens < 1:
            self._refuse(bucket, held.tokens, rule)
        held.tokens -= 1

    def charge(self, bucket: str, key: str, cost: int) -> None:
        """Take further tokens for what `check` has just admitted, whether there are as many or not: then later ones
        wait for longer."""
        held = self._buckets.get((bucket, key))
        if held is not None:
            held.tokens = max(held.tokens - cost, -float(self._rules[bucket].burst))

    def check_address(self, bucket: str, address: str) -> None:
        """Like `check`, for a client's IP address."""
        if self._enabled and address:
            self.check(bucket, address_key(address))

    def give_back(self, bucket: str, key: str) -> None:
        """Return a token, for an action that is not limited after all (a log-in with the right password)."""
        held = self._buckets.get((bucket, key))
        if held is not None:
            held.tokens = min(held.tokens + 1, float(self._rules[bucket].burst))

    def give_back_address(self, bucket: str, address: str) -> None:
        """Like `give_back`, for a client's IP address."""
        if self._enabled and address:
            self.give_back(bucket, address_key(address))

    def __len__(self) -> int:
        return len(self._buckets)

    def _refuse(self, bucket: str, tokens: float, rule: BucketSettings) -> None:
        if self._refused is not None:
            self._refused(bucket)
        retry_ms = max(1, round((1 - tokens) / rule.per_second * 1000))
        raise RateLimited("too many requests; try again later", retry_ms=retry_ms, bucket=bucket)

    def _drop_one(self, now_ms: int) -> None:
        """Drop a bucket: one that is full again, so that dropping it changes nothing, else the least recently used."""
        oldest = None
        for number, (key, held) in enumerate(self._buckets.items()):
            oldest = oldest or key
            if number == _LOOK_FOR_FULL:
                break
            rule = self._rules[key[0]]
            if _filled(held, rule, now_ms) >= rule.burst:
                oldest = key
                break
        if oldest is not None:
            del self._buckets[oldest]


def _filled(held: _Bucket, rule: BucketSettings, now_ms: int) -> float:
    # A clock that was set back must not change a bucket.
    gained = max(0, now_ms - held.at_ms) / 1000 * rule.per_second
    return min(float(rule.burst), held.tokens + gained)
