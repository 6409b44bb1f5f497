from __future__ import annotations

import random
from pathlib import Path

import pytest

import turbo_tui
from turbo_tui.core.redact import Redactor, secrets_of

# Made up here, in pieces, so that no scanner takes this file for a leak.
LETTERS = "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7bC9dE1fG3hI5jK7"
HEADER = "-----BEGIN RSA " + "PRIVATE KEY-----"
BODY = "\nMIIEowIBAAKCAQEA0\nZ3VS5JJcds3xfn+/=\n"
FOOTER = "-----END RSA " + "PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("secret", "name"),
    [
        ("sk-" + LETTERS[:40], "API key"),
        ("sk-ant-" + "api03-" + LETTERS, "API key"),
        ("sk-proj-" + LETTERS, "API key"),
        ("ghp_" + LETTERS[:36], "GitHub token"),
        ("github_pat_" + LETTERS + "_x", "GitHub token"),
        ("glpat-" + LETTERS[:20], "GitLab token"),
        ("AKIA" + "ABCDEFGH12345678", "AWS key id"),
        ("AIza" + LETTERS[:35], "Google key"),
        ("xoxb-" + "1234567890-" + LETTERS[:10], "Slack token"),
        ("sk_live_" + LETTERS[:24], "Stripe key"),
        ("npm_" + LETTERS[:36], "package token"),
        ("eyJ" + LETTERS[:20] + ".eyJ" + LETTERS[:20] + "." + LETTERS[:20], "web token"),
        (HEADER + BODY + FOOTER, "private key"),
        (HEADER + BODY[:20], "private key"),
        ((HEADER + BODY + FOOTER).replace("\n", "\\n"), "private key"),
        (HEADER + "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128\n\n" + BODY, "private key"),
    ],
)
def test_a_credential_is_known_by_its_shape(secret: str, name: str) -> None:
    assert Redactor()(f"a = '{secret}'\n") == f"a = '[redacted: {name}]'\n"


def test_what_follows_bearer_is_a_secret() -> None:
    text = f"Authorization: Bearer {LETTERS}==\nauthorization: bearer {LETTERS[:16]}"

    assert Redactor()(text) == (
        "Authorization: Bearer [redacted: bearer token]\n"
        "authorization: bearer [redacted: bearer token]"
    )


def test_a_password_in_an_address_is_a_secret_and_the_address_is_not() -> None:
    text = "postgresql://bob:" + "hunter2@db:5432/x and https://example.com:8080/@scope"

    assert Redactor()(text) == (
        "postgresql://bob:[redacted: password in address]@db:5432/x "
        "and https://example.com:8080/@scope"
    )


def test_known_values_are_replaced_by_their_names_wherever_they_stand() -> None:
    redact = Redactor({"A_KEY": "abcdefgh", "B_KEY": "abcdefgh-ijkl", "PIN": "1234"})

    assert redact("xabcdefgh-ijklx abcdefgh 1234") == "x[redacted: B_KEY]x [redacted: A_KEY] 1234"


def test_known_values_may_come_without_names() -> None:
    assert Redactor(["abcdefgh"])("xabcdefgh") == "x[redacted: secret]"


def test_variables_that_say_they_hold_a_secret_are_found_by_name() -> None:
    environment = {
        "OLLAMA_API_KEY": "0123456789",
        "GITHUB_TOKEN": "0123456789",
        "DB_PASSWORD": "0123456789",
        "SHORT_TOKEN": "0123",
        "SSH_KEY": "/home/bob/.ssh/id",
        "KEYBOARD": "0123456789",
        "MONKEY": "0123456789",
        "TOKENIZERS": "0123456789",
    }

    assert set(secrets_of(environment)) == {"OLLAMA_API_KEY", "GITHUB_TOKEN", "DB_PASSWORD"}


@pytest.mark.parametrize(
    "text",
    [
        "task-management-and-scheduling-of-work",
        "class sk-fading-circle-animation-container",
        "bearer of bad news with a long-explanation",
        "headers = {'Authorization': f'Bearer {token}'}",
        "url = f'https://{user}:{password}@{host}/x'",
        "url: http://$USER:$PASSWORD@host",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "git@github.com:owner/name.git",
        "npm_config_registry=x npm_lifecycle_event hf_hub_download",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "AKIAshort AIza xoxb-",
        f"if text.startswith('{HEADER}'):",
        f"{HEADER} begins the file",
        "http://localhost:3000/a@b",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert Redactor()(text) is text


def test_our_own_source_is_left_alone() -> None:
    redact = Redactor({"SOME_KEY": LETTERS})
    for path in Path(turbo_tui.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert redact(text) == text, path


def test_hostile_text_hides_no_secret_and_is_read_at_all() -> None:
    redact = Redactor({"SOME_KEY": LETTERS})
    noise = random.Random(3)  # noqa: S311  # a seed, so that a failure comes again
    texts = [
        piece * (400_000 // len(piece))
        for piece in (
            "a", "sk-", "sk-a", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "eyJaaaaaaaaaaaa.",
            "eyJ", "bearer ", "bearer a", "http://a:", "http://", "a://b:c", "ghp_", "A",
        )
    ]  # fmt: skip
    texts.append("".join(noise.choices("sk-eyJ.:/@ A0b", k=400_000)))

    for text in texts:  # steps that grow with the square would be hours: the test's time limit
        assert redact(f"{text} {LETTERS} ").endswith(" [redacted: SOME_KEY] ")
