"""Tickets and approvals stay when the month of their run is archived: no database constraint binds them."""

import django.db.models.deletion
from django.db import migrations, models

# Not by Django's own operation: where the engine's tables are partitioned already, it takes the constraint's copies for constraints of their own.
DROP = """
DO $$
DECLARE found record;
BEGIN
    FOR found IN
        SELECT conname, conrelid::regclass AS holder FROM pg_constraint
        WHERE contype = 'f' AND conparentid = 0 AND conrelid IN ('exceptions_ticket'::regclass, 'exceptions_approval'::regclass)
          AND confrelid IN ('engine_run'::regclass, 'engine_event'::regclass)
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.holder, found.conname);
    END LOOP;
END $$
"""


def reference(to, *, name, null):
    blank = {"blank": True, "null": True} if null else {}
    return models.ForeignKey(
        db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name=name, to=to, **blank
    )


class Migration(migrations.Migration):
    dependencies = [("engine", "0006_partitions"), ("exceptions", "0004_pages")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(DROP)],
            state_operations=[
                migrations.AlterField("approval", "run", reference("engine.run", name="approvals", null=False)),
                migrations.AlterField("ticket", "event", reference("engine.event", name="tickets", null=True)),
                migrations.AlterField("ticket", "run", reference("engine.run", name="tickets", null=True)),
            ],
        )
    ]
