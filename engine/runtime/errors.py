"""What can go wrong when a sandbox is made; each message says what a person can do."""


class SandboxError(Exception):
    """Any failure of the sandbox maker. `str(error)` is for people."""


class InvalidSpec(SandboxError):
    """The spec asks for something outside what a sandbox may have."""


class HostNotReady(SandboxError):
    """The host lacks something sandboxes need: the message names it and the remedy."""


class NoSlot(SandboxError):
    """Every slot of this instance is leased."""


class StepFailed(SandboxError):
    """One step of making a sandbox failed; what came before it was undone."""

    def __init__(self, step: str, detail: str) -> None:
        super().__init__(f"{step} failed: {detail}")
        self.step = step
        self.detail = detail


class NoSuchSandbox(SandboxError):
    """No sandbox of that id is on this host."""
