"""People of a host application, who come with the portal's own token."""

import re
import time

import aiohttp
import jwt
import pytest
from playwright.async_api import expect

from homeserver.lifecycle import Running
from tests.web.browsers import Browsers
from tests.web.person import Person

SECRET = "the portal and the chat server know this one"


@pytest.fixture
def overrides() -> dict[str, object]:
    issuer = {"name": "portal", "namespace": 1, "secret": SECRET, "algorithms": ["HS256"], "audience": "chat"}
    return {"issuers": [issuer]}


def _student(session: aiohttp.ClientSession, number: int, first: str, last: str) -> Person:
    claims = {"user_id": number, "first_name": first, "last_name": last, "aud": "chat"}
    now = int(time.time())
    token = jwt.encode({**claims, "iat": now, "exp": now + 600}, SECRET, algorithm="HS256")
    return Person(f"{first} {last}", "", number, {"access_token": token, "refresh_token": ""}, session)


async def test_a_student_comes_from_the_portal(browsers: Browsers, server: Running) -> None:
    """Numbers are the portal's; names are those of its token; the login is not lost for want of an account here."""
    browsers.expect_complaint("401")
    async with aiohttp.ClientSession(server.url) as session:
        nur, aida = _student(session, 501, "Нурлан", "Асанов"), _student(session, 502, "Аида", "Токтогулова")
        for student in (nur, aida):
            await student.call("GET", "conversations/")
        his = await browsers.open(nur, locale="ru-RU")
        page = his.page
        await page.get_by_role("button", name="Новая беседа").first.click()
        await page.get_by_role("combobox").fill("аида")
        await page.get_by_role("option", name="Аида Токтогулова").click()
        await page.get_by_role("button", name="Создать").click()
        await expect(page.locator(".conversation-title")).to_have_text("Аида Токтогулова")
        await page.get_by_role("textbox", name="Текст сообщения").fill("Ты на лекции?")
        await page.get_by_role("textbox", name="Текст сообщения").press("Enter")
        await his.sees("Ты на лекции?")
        await expect(his.message("Ты на лекции?")).to_have_class(re.compile("row-mine"))

        hers = await browsers.open(aida)
        await hers.enter("Нурлан Асанов")
        await expect(hers.message("Ты на лекции?")).to_have_class(re.compile("row-other"))
        await hers.write("Да, в третьем ряду")
        await his.sees("Да, в третьем ряду")
        stored = await page.evaluate("JSON.parse(localStorage.getItem('auth_data'))")
        assert (stored["user_id"], stored["access"]) == (501, nur.tokens["access_token"])
