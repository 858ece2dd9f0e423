"""Matrix clients that others wrote tell their stories: see the programs in `js` and `python`."""

from tests.clients.conftest import Teller


async def test_matrix_nio_talks(told: Teller) -> None:
    seen = await told("talk.py")
    assert seen["events back to the beginning"] == 17


async def test_matrix_nio_encrypts(told: Teller) -> None:
    seen = await told("encryption.py")
    assert seen["read by exported keys"] == ["secret 3", "secret 2", "secret 1", "secret 0"]


async def test_matrix_nio_shows_pictures(told: Teller) -> None:
    await told("media.py")


async def test_matrix_nio_finds_rooms(told: Teller) -> None:
    seen = await told("places.py")
    assert seen["a space"] == ["House", "Tea room"]


async def test_a_bot_answers(told: Teller) -> None:
    seen = await told("bot.py")
    assert seen["an answer after a start"] == "you said: twice"


async def test_matrix_js_sdk_talks(told: Teller) -> None:
    await told("talk.mjs")


async def test_matrix_js_sdk_encrypts(told: Teller) -> None:
    seen = await told("encryption.mjs")
    assert seen["restored"] == {"total": 2, "imported": 2}


async def test_matrix_js_sdk_shows_pictures(told: Teller) -> None:
    await told("media.mjs")


async def test_matrix_js_sdk_finds_rooms(told: Teller) -> None:
    await told("places.mjs")


async def test_matrix_js_sdk_slides(told: Teller) -> None:
    seen = await told("sliding.mjs")
    assert seen["a window"] == ["Room 3", "Room 4", "Room 5"]


async def test_matrix_js_sdk_draws_attention(told: Teller) -> None:
    await told("attention.mjs")


async def test_matrix_js_sdk_rehydrates(told: Teller) -> None:
    seen = await told("dehydration.mjs")
    assert ["RehydrationCompleted"] in seen["waking"]


async def test_matrix_bot_sdk_moderates(told: Teller) -> None:
    """It sends a reason of null where a moderator gives none."""
    seen = await told("bot.mjs")
    assert seen["removed"] == "leave"
