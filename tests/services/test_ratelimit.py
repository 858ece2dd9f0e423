"""Rate limits: bursts, refilling, and a bounded memory."""

import pytest

from homeserver.clock import FakeClock
from homeserver.errors import RateLimited
from homeserver.kit.ratelimit import RateLimits, address_key
from homeserver.settings.models import BucketSettings, RateLimitSettings


def limits(clock: FakeClock, refused: list[str] | None = None, **changes: object) -> RateLimits:
    settings = RateLimitSettings(send=BucketSettings(per_second=2, burst=3), **changes)  # type: ignore[arg-type]  # from literals
    return RateLimits(settings, clock, None if refused is None else refused.append)


def test_a_burst_passes_and_then_the_pace_counts(clock: FakeClock) -> None:
    counted: list[str] = []
    made = limits(clock, counted)
    for _ in range(3):
        made.check("send", "alice")
    with pytest.raises(RateLimited) as refused:
        made.check("send", "alice")
    assert refused.value.retry_ms == 500
    assert counted == ["send"]
    made.check("send", "bob")
    made.check("login", "alice")
    clock.advance(499)
    with pytest.raises(RateLimited):
        made.check("send", "alice")
    clock.advance(1)
    made.check("send", "alice")
    clock.advance(3_600_000)
    for _ in range(3):
        made.check("send", "alice")
    with pytest.raises(RateLimited):
        made.check("send", "alice")


def test_a_clock_that_is_set_back_does_no_harm(clock: FakeClock) -> None:
    made = limits(clock)
    made.check("send", "alice")
    clock.advance(-3_600_000)
    made.check("send", "alice")
    made.check("send", "alice")
    with pytest.raises(RateLimited):
        made.check("send", "alice")
    clock.advance(500)
    made.check("send", "alice")


def test_what_is_given_back_can_be_taken_again_but_no_more(clock: FakeClock) -> None:
    made = limits(clock)
    made.check("send", "alice")
    for _ in range(5):
        made.give_back("send", "alice")
    for _ in range(3):
        made.check("send", "alice")
    with pytest.raises(RateLimited):
        made.check("send", "alice")
    made.give_back("send", "nobody")


def test_the_number_of_keys_is_bounded_and_full_buckets_go_first(clock: FakeClock) -> None:
    made = limits(clock, max_tracked=1000)
    for _ in range(3):
        made.check("send", "alice")
    made.check("send", "early")
    clock.advance(1000)  # alice has two again, early is full
    for n in range(999):
        made.check("send", f"flood {n}")
    assert len(made) == 1000
    made.check("send", "alice")
    made.check("send", "alice")
    with pytest.raises(RateLimited):
        made.check("send", "alice")
    for n in range(5000):
        made.check("send", f"more {n}")
    assert len(made) == 1000


def test_switched_off_it_does_nothing(clock: FakeClock) -> None:
    made = limits(clock, enabled=False)
    for _ in range(100):
        made.check("send", "alice")
        made.check_address("login", "1.2.3.4")
    assert len(made) == 0


def test_addresses_are_counted_by_network(clock: FakeClock) -> None:
    assert address_key("192.0.2.1") == "192.0.2.1"
    assert address_key("2001:db8:1:2:3::4") == address_key("2001:db8:1:2::") == "2001:db8:1:2::/64"
    assert address_key("2001:db8:1:3::") != address_key("2001:db8:1:2::")
    assert address_key("::ffff:192.0.2.1") == "192.0.2.1"
    assert address_key("fe80::1%eth0") == "fe80::/64"
    assert address_key("not:an:address") == "not:an:address"
    made = limits(clock)
    for _ in range(100):
        made.check_address("send", "")  # inside the process
