import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("engine", "0003_notices"),
    ]

    operations = [
        migrations.CreateModel(
            name="HealthSample",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ("running", models.PositiveIntegerField()),
                ("warm", models.PositiveIntegerField()),
                ("queued", models.PositiveIntegerField()),
                ("memory_used", models.BigIntegerField(help_text="bytes, of all nodes that answer")),
                ("memory_total", models.BigIntegerField(help_text="bytes")),
                ("load", models.FloatField(help_text="processes that run or want to, one-minute mean, all nodes together")),
                ("cores", models.FloatField()),
                ("started", models.PositiveIntegerField()),
                ("failed", models.PositiveIntegerField(help_text="starts that failed")),
                ("refused", models.PositiveIntegerField()),
                ("start_p50_ms", models.FloatField(help_text="None: nothing was started", null=True)),
                ("start_p95_ms", models.FloatField(null=True)),
            ],
            options={
                "ordering": ("at",),
                "default_permissions": ("view",),
            },
        ),
    ]
