"""Less to write for each event: facts are read by their event only, running runs are few and found by their lane's index, and every update of a run moves it."""

from django.db import migrations

FORWARD = """
ALTER TABLE engine_lineagefact DROP CONSTRAINT engine_lineagefact_pkey;
"""
BACKWARD = """
ALTER TABLE engine_lineagefact ADD CONSTRAINT engine_lineagefact_pkey PRIMARY KEY (id);
"""
FILL = """
DO $$
DECLARE part regclass;
BEGIN
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'engine_run'::regclass LOOP
        EXECUTE format('ALTER TABLE %s SET (fillfactor = 100)', part);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("engine", "0010_compensation")]

    operations = [
        # Django goes on to call `id` the primary key: it is unique by its sequence, and nobody looks a fact up by it.
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RemoveIndex(model_name="run", name="run_leases"),
    ]
