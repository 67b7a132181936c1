from django.apps import AppConfig


class LessonsConfig(AppConfig):
    name = "lessons"
    verbose_name = "Courses"

    def ready(self) -> None:
        from lessons.accounts import closing  # noqa: F401  # listens to the deletion of accounts
