"""django-allauth's settings that are code."""

import base64
from hashlib import sha256

from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def _keys() -> MultiFernet:
    """One key from each secret key: the newest encrypts, those that were replaced still decrypt."""
    secrets: list[str] = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]  # type: ignore[list-item]  # ours are text
    return MultiFernet([Fernet(base64.urlsafe_b64encode(sha256(f"allauth.mfa {secret}".encode()).digest())) for secret in secrets])


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """A copy of the database alone gives nobody's codes away."""

    def encrypt(self, text: str) -> str:
        return _keys().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _keys().decrypt(encrypted_text.encode()).decode()
