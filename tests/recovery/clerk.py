"""`python -m tests.recovery.clerk`: asks for sandboxes and stops them as the site's pages do, one order a line.

Orders: `start`, `stop ID`, `save ID`, `resume ID` (of the machine it was saved from). Answers: the sandbox's id, or `refused: TEXT`.
"""

import os
import sys

import django


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "playground.settings"
    django.setup()
    from django.contrib.auth import get_user_model

    from engine import saving
    from engine.errors import Refused
    from engine.lifecycle import SandboxRequest, request_sandbox, stop_sandbox
    from engine.models import Sandbox, SavedMachine

    user = get_user_model().objects.get_or_create(username="clerk")[0]
    for line in sys.stdin:
        order, _, name = line.strip().partition(" ")
        try:
            if order == "start":
                answer = request_sandbox(user, SandboxRequest(image="linux", label="recovery")).id.hex
            elif order == "save":
                answer = saving.save(Sandbox.objects.get(id=name), "recovery", user).id.hex
            elif order == "resume":
                answer = saving.resume(SavedMachine.objects.get(sandbox_id=name), user).id.hex
            else:
                stop_sandbox(Sandbox.objects.get(id=name), "user", by=user)
                answer = name
        except Refused as error:
            answer = f"refused: {error.text}"
        print(answer, flush=True)


if __name__ == "__main__":
    main()
