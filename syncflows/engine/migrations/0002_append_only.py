"""Lineage is append-only: the database itself refuses changes."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION lineage_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'lineage is append-only: write a new fact instead' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON engine_lineagefact FOR EACH ROW EXECUTE FUNCTION lineage_is_append_only();
"""
BACKWARD = "DROP TRIGGER append_only ON engine_lineagefact; DROP FUNCTION lineage_is_append_only();"


class Migration(migrations.Migration):
    dependencies = [("engine", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
