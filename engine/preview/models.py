"""What the web process knows of a sandbox's ports. Its worker writes it (`engine.preview.listening`)."""

import base64
import secrets

from django.db import models


def new_key() -> str:
    """128 random bits in 26 characters that may stand in a host name."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


class Preview(models.Model):
    """A sandbox's ports as seen from outside: where they are, under which name, and who has been let in."""

    sandbox = models.OneToOneField("engine.Sandbox", on_delete=models.CASCADE, primary_key=True, related_name="preview")
    key = models.CharField(max_length=26, unique=True, default=new_key, help_text="Names it in host names, and cannot be guessed.")
    address = models.GenericIPAddressField(protocol="IPv4", help_text="The sandbox's, on its node's bridge.")
    ports = models.JSONField(default=list, help_text="What listens: port, and whether it can be reached from outside.")
    site = models.CharField(max_length=300, blank=True, help_text="Origin of the site where its owner was last let in.")
    entry_epoch = models.PositiveIntegerField(default=0, help_text="Raised when its owner signs out: who was let in must come again.")
    share_epoch = models.PositiveIntegerField(default=0, help_text="Raised when its owner stops sharing: the links given away are void.")

    def __str__(self) -> str:
        return self.key

    @property
    def path(self) -> str:
        """Where the site lets its owner in, followed by `<port>/`."""
        return f"/ports/{self.key}/"
