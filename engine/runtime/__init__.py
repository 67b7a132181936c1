"""The sandbox maker: given a SandboxSpec it makes one sandbox on this host. No Django, no Redis, no database."""
