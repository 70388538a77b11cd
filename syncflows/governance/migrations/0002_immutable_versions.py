"""A version's content never changes: the database itself refuses it."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION version_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a definition version is immutable: apply a new version instead' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER immutable BEFORE UPDATE ON governance_definitionversion FOR EACH ROW
WHEN (OLD.document IS DISTINCT FROM NEW.document OR OLD.number <> NEW.number OR OLD.fingerprint <> NEW.fingerprint)
EXECUTE FUNCTION version_is_immutable();
"""
BACKWARD = "DROP TRIGGER immutable ON governance_definitionversion; DROP FUNCTION version_is_immutable();"


class Migration(migrations.Migration):
    dependencies = [("governance", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
