"""Settings that would believe the wrong people, or that must not stand together, do not load."""

import pytest

from tests.ops.drivers import SECRET, Folder, issuer


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "needs exactly one source of keys"),
        ({"secret": SECRET, "jwks_url": "https://a/jwks"}, "needs exactly one source of keys"),
        ({"secret": SECRET[:-1]}, "the secret must have at least 32 bytes"),
        ({"secret": "s" * 63, "algorithms": "[HS512]"}, "the secret must have at least 64 bytes"),
        ({"secret": SECRET, "algorithms": "[none]"}, "must be 'HS256'"),
        ({"secret": SECRET, "algorithms": "[]"}, "must have at least 1 items"),
        ({"secret": SECRET, "algorithms": "[RS256]"}, "secret only goes with HS256"),
        ({"secret": SECRET, "algorithms": "[HS256, RS256]"}, "secret only goes with HS256"),
        ({"secret": SECRET, "algorithms": "[HS256, HS256]"}, "names an algorithm twice"),
        ({"jwks_url": "https://a/jwks"}, "HS256 must not be allowed beside jwks_url"),
        (
            {"jwks_url": "https://a/jwks", "algorithms": "[RS256, HS256]"},
            "HS256 must not be allowed beside jwks_url",
        ),
        ({"jwks_url": "http://a.example/jwks", "algorithms": "[RS256]"}, "jwks_url must begin with https"),
        ({"jwks_url": "file:///etc/passwd", "algorithms": "[RS256]"}, "must be an address like"),
        ({"public_key_file": "absent.pem", "algorithms": "[RS256]"}, "absent.pem is not there"),
        ({"secret": SECRET, "name": "A-b"}, "has not the right form"),
        ({"secret": SECRET, "namespace": 0}, "must be at least 1"),
        ({"secret": SECRET, "namespace": 2**20}, "must be at most 1048575"),
        ({"secret": SECRET, "claims": "{user_id: a..b}"}, "has not the right form"),
    ],
)
def test_an_issuer_that_would_believe_the_wrong_people_is_refused(
    folder: Folder, keys: dict[str, object], said: str
) -> None:
    [problem] = folder.problems(issuer(**keys))
    assert said in problem
    assert problem.startswith("FILE:")


def test_good_issuers_load(folder: Folder) -> None:
    (folder.path / "key.pem").write_text("-----BEGIN PUBLIC KEY-----")
    folder.load(issuer(secret=SECRET, audience="chat"))
    folder.load(issuer(jwks_url="https://portal.example.org/jwks", algorithms="[RS256, ES256]"))
    folder.load(issuer(jwks_url="http://127.0.0.1:9/jwks", algorithms="[RS256]"))
    loaded = folder.load(issuer(public_key_file="key.pem", algorithms="[EdDSA]"))
    assert loaded.issuers[0].public_key_file == folder.path / "key.pem"


TWO = (
    "issuers:\n- {{name: a, namespace: 1, secret: {one}}}\n"
    "- {{name: {name}, namespace: {number}, secret: {other}{more}}}\n"
)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"name": "a"}, "FILE:3:10: issuers[1].name: a is the name of issuers[0] already"),
        ({"number": 1}, "issuers[1].namespace: 1 is the namespace of issuers[0] already"),
        ({"other": SECRET}, "issuers[1].secret: the same keys as issuers[0]: a token would be good for both"),
        ({"other": SECRET, "more": ", issuer: b"}, "a token would be good for both"),
    ],
)
def test_two_issuers_must_be_told_apart(folder: Folder, second: dict[str, object], said: str) -> None:
    facts: dict[str, object] = {
        "one": SECRET,
        "name": "b",
        "number": 2,
        "other": "t" * 32,
        "more": "",
    } | second
    [problem] = folder.problems(TWO.format(**facts))
    assert said in problem


def test_one_key_for_two_issuers_is_fine_where_the_tokens_say_whose_they_are(folder: Folder) -> None:
    text = (
        f"issuers:\n- {{name: a, namespace: 1, secret: {SECRET}, audience: a}}\n"
        f"- {{name: b, namespace: 2, secret: {SECRET}, audience: b}}\n"
    )
    assert len(folder.load(text).issuers) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "tokens:\n  refresh_ttl_s: 3600\n  access_ttl_s: 3600\n",
            "FILE:2:3: tokens: refresh_ttl_s must be more",
        ),
        (
            "university:\n  also_at: [/x/chat, /api/unet-chat]\n",
            "FILE:2:22: university.also_at[1]: /api/unet-chat is the prefix of university already",
        ),
        ("university: {prefix: /api/v1}\n", "messenger.prefix: /api/v1 is the prefix of university already"),
        ("messenger:\n  prefix: /media/x\n", "FILE:2:11: messenger.prefix: /media/x lies under /media"),
        (
            "metrics: {enabled: true, host: 0.0.0.0}\n",
            "FILE:1:10: metrics: 0.0.0.0 can be reached by other machines",
        ),
        ("metrics: {enabled: true, port: 8008}\n", "FILE:1:32: metrics.port: 8008 is listen.port already"),
        (
            "listen: {host: 0.0.0.0}\naccounts: {registration: true}\nrate_limits:\n  enabled: false\n",
            "FILE:4:12: rate_limits.enabled: must be true where anybody may register",
        ),
        (
            "listen: {host: 0.0.0.0}\nguest_accounts: {enabled: true}\nrate_limits:\n  enabled: false\n",
            "must be true where anybody may register (guest_accounts.enabled) on 0.0.0.0",
        ),
    ],
)
def test_values_that_must_not_stand_together_are_refused(folder: Folder, text: str, said: str) -> None:
    [problem] = folder.problems(text)
    assert said in problem


@pytest.mark.parametrize(
    "text",
    [
        "metrics: {enabled: true, host: 0.0.0.0, allow_public: true}",
        "metrics: {enabled: true, host: '::1'}",
        "metrics: {enabled: false, host: 0.0.0.0}",
        "university: {enabled: false, prefix: /api/v1}",
        "university: {prefix: /educations/api/unet-chat}",
        "messenger: {prefix: /api}",
        "accounts: {registration: true}\nrate_limits: {enabled: false}",
        "listen: {port: 0}\nmetrics: {enabled: true, port: 0}",
    ],
)
def test_their_safe_neighbours_load(folder: Folder, text: str) -> None:
    folder.load(text)


def test_a_service_key_acts_for_the_people_of_a_known_issuer(folder: Folder) -> None:
    text = issuer(secret=SECRET) + "university: {service_key_issuer: a}\nmessenger: {service_key_issuer: b}\n"
    [problem] = folder.problems(text)
    assert problem.endswith("messenger.service_key_issuer: b is not one of the issuers")
