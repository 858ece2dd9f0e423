"""Texts of the demo pages, by language."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Listing:
    """Something for sale. `colour` names a class of the pages' style."""

    number: int
    colour: str
    price: str
    title: Mapping[str, str]
    about: Mapping[str, str]


LISTINGS: Final = (
    Listing(
        101,
        "sand",
        "74 900",
        {"en": "iPhone 15 Pro, 256 GB, natural", "ru": "iPhone 15 Pro, 256 ГБ, натуральный"},
        {
            "en": "Bought a year ago and always in a case. Battery at 94 %. With its box, cable and receipt.",
            "ru": "Куплен год назад, всегда в чехле. Аккумулятор 94 %. С коробкой, кабелем и чеком.",
        },
    ),
    Listing(
        102,
        "mint",
        "41 500",
        {"en": "iPhone 13, 128 GB, green", "ru": "iPhone 13, 128 ГБ, зелёный"},
        {
            "en": "One small scratch at the edge of the frame, none on the glass. Everything works.",
            "ru": "Одна маленькая царапина на ребре корпуса, стекло целое. Всё работает.",
        },
    ),
    Listing(
        103,
        "rose",
        "28 000",
        {"en": "iPhone 12 mini, 64 GB, red", "ru": "iPhone 12 mini, 64 ГБ, красный"},
        {
            "en": "Small, light, with a new battery. I use a larger one now.",
            "ru": "Маленький, лёгкий, с новым аккумулятором. Перешёл на большой.",
        },
    ),
)

_ENGLISH: Final[Mapping[str, str]] = {
    "ask": "Message the seller",
    "currency": "som",
    "demo": "Demonstration",
    "first_question": "Hello! Is the iPhone still for sale?",
    "guest_hint": "No account is needed.",
    "language": "Language",
    "more": "More of this seller",
    "notify": "Turn on notifications",
    "product_page": "A listing",
    "profile_page": "The seller's page",
    "profile_title": "Your listings and questions about them",
    "seller": "Seller",
    "sign_in": "Sign in",
    "sign_out": "Sign out",
    "skip": "Skip to the content",
}

_RUSSIAN: Final[Mapping[str, str]] = {
    "ask": "Написать продавцу",
    "currency": "сом",
    "demo": "Демонстрация",
    "first_question": "Здравствуйте! iPhone ещё продаётся?",
    "guest_hint": "Учётная запись не нужна.",
    "language": "Язык",
    "more": "Другие товары продавца",
    "notify": "Включить уведомления",
    "product_page": "Объявление",
    "profile_page": "Страница продавца",
    "profile_title": "Ваши объявления и вопросы о них",
    "seller": "Продавец",
    "sign_in": "Войти",
    "sign_out": "Выйти",
    "skip": "К содержанию",
}

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {"en": _ENGLISH, "ru": _RUSSIAN}
