"""The cache of everything that is read again and again."""

from homeserver.kit.cache import BoundedCache


def test_a_cache_is_bounded_by_bytes_too() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(10, max_bytes=1000, weigh=len)
    for name in "abc":
        cache.put(name, bytes(300))
    assert (len(cache), cache.bytes) == (3, 900)
    cache.get("a")
    cache.put("d", bytes(500))
    assert [name for name in "abcd" if cache.get(name) is not None] == ["a", "d"], "the oldest made room"
    cache.put("a", bytes(10))
    assert cache.bytes == 510, "it took the place of the old value"
    cache.put("huge", bytes(2000))
    assert (len(cache), cache.bytes) == (2, 510), "what does not fit at all is not kept"
    cache.clear()
    for name in "abcdefghijkl":
        cache.put(name, b"x")
    assert (len(cache), cache.bytes) == (10, 10)
    cache.drop("l")
    cache.drop_where(lambda name, _: name in "ck")
    assert cache.bytes == len(cache) == 7
    cache.clear()
    assert cache.bytes == 0
