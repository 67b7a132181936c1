"""The secrets scan of `make audit` finds what it names, and nothing in this tree."""

import pytest

from deploy import leaks

# In two halves, so that this file is not what it finds.
SAMPLES = {
    "a private key": ("-----BEGIN OPENSSH PRIV", "ATE KEY-----"),
    "an AWS access key": ("AKIA", "ABCDEFGHIJKLMNOP"),
    "a GitHub token": ("ghp_", "a1" * 18),
    "a GitLab token": ("glpat-", "abcdefghij0123456789"),
    "a Slack token": ("xoxb-", "123456789012-abcdefghijkl"),
    "a Google API key": ("AIza", "a" * 35),
    "a PyPI token": ("pypi-", "AgEIcHlwaS5vcmc" + "x" * 60),
    "an npm token": ("npm_", "a1" * 18),
    "a JSON web token": ("eyJ", "abcdefghijkl.eyJabcdefghijkl.abcdefghijkl"),
    "a password in a URL": ("postgres://site:", "hunter2hunter2@db/site"),
    "Django's secret key": ("SECRET_KEY = '", "k" * 50 + "'"),
}


@pytest.mark.parametrize("name", leaks.PATTERNS)
def test_it_finds(name: str) -> None:
    text = "first line\nsecond: " + "".join(SAMPLES[name]) + "\n"
    assert (2, name) in list(leaks.found(text.encode()))


def test_documentation_may_show_the_form_of_a_url() -> None:
    assert list(leaks.found(b"smtp://user:password@host:25, postgres://USER:PASSWORD@HOST/NAME")) == []


def test_nothing_in_this_tree(capsys: pytest.CaptureFixture[str]) -> None:
    assert leaks.main() == 0, capsys.readouterr().err
