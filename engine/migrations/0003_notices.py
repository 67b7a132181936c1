from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("engine", "0002_quotas_audit"),
    ]

    operations = [
        migrations.AddField(
            model_name="sandbox",
            name="notices",
            field=models.JSONField(blank=True, default=list, help_text="Limits it ran into and lived on: id, at, kind, title, text."),
        ),
        migrations.AlterField(
            model_name="sandbox",
            name="end_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("idle", "Idle"),
                    ("deadline", "Deadline"),
                    ("user", "User"),
                    ("admin", "Admin"),
                    ("evicted", "Evicted"),
                    ("node-lost", "Node Lost"),
                    ("failed", "Failed"),
                    ("out-of-memory", "Out Of Memory"),
                    ("quota", "Quota"),
                ],
                max_length=16,
            ),
        ),
    ]
