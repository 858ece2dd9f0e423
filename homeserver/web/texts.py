"""The texts of the pages in each language, and the choice of a reader's language.

The texts used by scripts are in `static/js/i18n/`. A language is offered if both have it.
"""

from collections.abc import Mapping
from typing import Final

LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "ru": "Русский"}
FALLBACK: Final = "en"

_ENGLISH: Final[Mapping[str, str]] = {
    "about_text": (
        "A chat homeserver: every conversation is a room of one signed log, reached through small REST and "
        "WebSocket APIs. What is sent in one place is seen in all others at once."
    ),
    "account_email": "E-mail",
    "account_name": "Your name",
    "account_password": "Password",
    "account_user": "User name or e-mail",
    "api_title": "API reference",
    "chat": "Chat",
    "chat_title": "Open the chat",
    "checking": "Checking…",
    "demo_hint": "This is a demonstration. Choose an account:",
    "health": "Health",
    "language": "Language",
    "login": "Sign in",
    "login_heading": "Welcome back",
    "login_lead": "Sign in to go on with your conversations.",
    "matrix_login_done": "You are signed in",
    "matrix_login_heading": "Sign in to your app",
    "matrix_login_lead": "Your app opened this page. It will be signed in to your account on this server.",
    "matrix_return": "You can close this page and go back to your app.",
    "no_account": "No account yet?",
    "no_script": "This page needs JavaScript. Please switch it on and load the page again.",
    "password_hide": "Hide password",
    "password_show": "Show password",
    "has_account": "Already have an account?",
    "register": "Create an account",
    "register_heading": "Create your account",
    "register_lead": "One account for all conversations on this server.",
    "response_time": "Response time",
    "server": "Server",
    "skip": "Skip to the content",
    "stage_continue": "Continue",
    "stage_done": "That is done",
    "stage_dummy_lead": "Your app opened this page. Go on, and it will create your account on this server.",
    "stage_over_heading": "This page is no longer valid",
    "stage_over_lead": "It was used already or waited too long. Go back to your app and begin again.",
    "stage_terms_agree": "I agree",
    "stage_terms_heading": "Terms of this server",
    "stage_terms_lead": "Before your app creates your account, please read and accept:",
    "stage_token": "Registration token",
    "stage_token_heading": "Registration by token",
    "stage_token_lead": "Accounts here need a token. You get it from whoever runs this server.",
    "start_send": "Send a message",
    "start_text": "Log in, take the access token, and talk to the server:",
    "start_title": "First steps",
    "start_token": "Get a token",
    "status_title": "Server status",
    "tagline": "Conversations that stay yours.",
    "version": "Version",
}

_RUSSIAN: Final[Mapping[str, str]] = {
    "about_text": (
        "Сервер чата: каждая беседа — комната в одном подписанном журнале, доступная через простые программные "
        "интерфейсы REST и WebSocket. Отправленное в одном месте сразу видно во всех остальных."
    ),
    "account_email": "Электронная почта",
    "account_name": "Ваше имя",
    "account_password": "Пароль",
    "account_user": "Имя пользователя или почта",
    "api_title": "Описание API",
    "chat": "Чат",
    "chat_title": "Открыть чат",
    "checking": "Проверяем…",
    "demo_hint": "Это демонстрация. Выберите учётную запись:",
    "health": "Состояние",
    "language": "Язык",
    "login": "Войти",
    "login_heading": "С возвращением",
    "login_lead": "Войдите, чтобы продолжить беседы.",
    "matrix_login_done": "Вход выполнен",
    "matrix_login_heading": "Вход в приложение",
    "matrix_login_lead": "Эту страницу открыло ваше приложение. Оно войдёт в вашу учётную запись на этом сервере.",
    "matrix_return": "Можно закрыть эту страницу и вернуться в приложение.",
    "no_account": "Ещё нет учётной записи?",
    "no_script": "Для этой страницы нужен JavaScript. Включите его и загрузите страницу снова.",
    "password_hide": "Скрыть пароль",
    "password_show": "Показать пароль",
    "has_account": "Уже есть учётная запись?",
    "register": "Создать учётную запись",
    "register_heading": "Новая учётная запись",
    "register_lead": "Одна учётная запись для всех бесед на этом сервере.",
    "response_time": "Время ответа",
    "server": "Сервер",
    "skip": "К содержанию",
    "stage_continue": "Продолжить",
    "stage_done": "Готово",
    "stage_dummy_lead": "Эту страницу открыло ваше приложение. Продолжите, и оно создаст вам учётную запись.",
    "stage_over_heading": "Эта страница больше не действует",
    "stage_over_lead": "Она уже использована или ждала слишком долго. Вернитесь в приложение и начните снова.",
    "stage_terms_agree": "Принимаю",
    "stage_terms_heading": "Условия этого сервера",
    "stage_terms_lead": "Прежде чем приложение создаст вам учётную запись, прочитайте и примите:",
    "stage_token": "Код регистрации",
    "stage_token_heading": "Регистрация по коду",
    "stage_token_lead": "Для учётной записи здесь нужен код. Его выдают те, кто ведёт этот сервер.",
    "start_send": "Отправить сообщение",
    "start_text": "Войдите, возьмите токен доступа и обращайтесь к серверу:",
    "start_title": "Первые шаги",
    "start_token": "Получить токен",
    "status_title": "Состояние сервера",
    "tagline": "Беседы, которые остаются вашими.",
    "version": "Версия",
}

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {"en": _ENGLISH, "ru": _RUSSIAN}


def choose_language(wished: str, stored: str, accepted: str) -> str:
    """The reader's language: that of the URL, else the one chosen before, else what the browser prefers.

    `accepted` is the header Accept-Language; of the languages that exist here, the one with the highest weight wins.
    """
    for language in (wished, stored):
        if language in LANGUAGES:
            return language
    best, best_weight = FALLBACK, 0.0
    for item in accepted.split(","):
        tag, _, parameter = item.partition(";")
        language = tag.strip().lower().partition("-")[0]
        weight = _weight(parameter)
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(parameter: str) -> float:
    """The number in `q=0.8`; 1 without one, 0 if it is malformed."""
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip().lower() == "q" else 0.0
    except ValueError:
        return 0.0
