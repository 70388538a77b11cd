"""Events, runs, attempts, facts and trace keys become partitioned by month; what is there already becomes the first partition, without being copied.

Not to be reversed. See docs/adr/0005-partitions.md; `engine.partitions` makes the later ones.
"""

from django.db import migrations

MONTH_BITS = 40
VACUUM_OFTEN = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000"
# Table: partition key, unique indexes of the partition (name: columns and condition), storage.
TABLES = {
    "engine_event": ("id", {"public_id": "(public_id)"}, ""),
    "engine_run": (
        "id",
        {
            "public_id": "(public_id)",
            "event_flow": "(event_id, flow)",
            "running": "(lane) WHERE status = 'running'",
        },
        f"fillfactor = 70, {VACUUM_OFTEN}",
    ),
    "engine_writeattempt": ("id", {"step_number": "(step_id, number)"}, f"fillfactor = 80, {VACUUM_OFTEN}"),
    "engine_lineagefact": ("id", {}, ""),
    "engine_tracekey": ("event_id", {}, ""),
}
INDEXES = """
SELECT c.relname, i.indisprimary, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = %s::regclass
"""
REFERRING = """
SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'f' AND confrelid = %s::regclass
"""
# The first partition ends where the month after this one begins.
END_OF_FIRST = f"""
SELECT ((extract(year FROM now() AT TIME ZONE 'UTC')::bigint - 1970) * 12 + extract(month FROM now() AT TIME ZONE 'UTC')::bigint) << {MONTH_BITS}
"""


def partition(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(END_OF_FIRST)
        [end] = cursor.fetchone()
        cursor.execute("DROP TRIGGER append_only ON engine_lineagefact")
        for table, (key, unique, storage) in TABLES.items():
            _turn(cursor, table, key=key, end=end)
            _attach(cursor, table, unique=unique, storage=storage, end=end)
        cursor.execute(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON engine_lineagefact "
            "FOR EACH ROW EXECUTE FUNCTION lineage_is_append_only()"
        )


def _turn(cursor, table, *, key, end):
    """The table steps aside as its first partition; a parent of the same shape takes its name, sequence and indexes."""
    first = f"{table}_first"
    for referring, name in _rows(cursor, REFERRING, table):
        cursor.execute(f'ALTER TABLE {referring} DROP CONSTRAINT "{name}"')
    indexes = _rows(cursor, INDEXES, table)
    last = _rows(cursor, f"SELECT last_value, is_called FROM {table}_id_seq") if key == "id" else []
    cursor.execute(f"ALTER TABLE {table} RENAME TO {first}")
    for name, _, _ in indexes:
        cursor.execute(f'ALTER INDEX "{name}" RENAME TO "{name}_first"')
    if key == "id":
        cursor.execute(f"ALTER TABLE {first} ALTER id DROP IDENTITY")
    cursor.execute(
        f"CREATE TABLE {table} (LIKE {first} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) PARTITION BY RANGE ({key})"
    )
    cursor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({key if key == 'id' else 'value, kind, event_id'})")
    for _, is_primary, definition in indexes:
        if not is_primary:
            cursor.execute(definition)
    for value, is_called in last:
        _sequence(cursor, table, value=value, is_called=is_called)


def _sequence(cursor, table, *, value, is_called):
    cursor.execute(f"CREATE SEQUENCE {table}_id_seq AS bigint OWNED BY {table}.id")
    cursor.execute("SELECT setval(%s, %s, %s)", [f"{table}_id_seq", value, is_called])
    for name in (table, f"{table}_first"):
        cursor.execute(f"ALTER TABLE {name} ALTER id SET DEFAULT nextval('{table}_id_seq')")


def _attach(cursor, table, *, unique, storage, end):
    first = f"{table}_first"
    cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {first} FOR VALUES FROM (MINVALUE) TO ({end})")
    for name, what in unique.items():
        cursor.execute(f"CREATE UNIQUE INDEX {first}_{name} ON {first} {what}")
    if storage:
        cursor.execute(f"ALTER TABLE {first} SET ({storage})")


def _rows(cursor, statement, *values):
    cursor.execute(statement, values or None)
    return cursor.fetchall()


class Migration(migrations.Migration):
    dependencies = [("engine", "0005_partition_ready")]
    operations = [
        migrations.RunSQL(
            "INSERT INTO engine_eventkey (source_event_id, source, event_id) SELECT source_event_id, source, id FROM engine_event",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL("ALTER TABLE engine_tracekey ADD PRIMARY KEY (value, kind, event_id)"),
        migrations.RunPython(partition),
        migrations.RunSQL(
            [
                f"ALTER TABLE engine_step SET (fillfactor = 70, {VACUUM_OFTEN})",
                f"ALTER TABLE engine_canonicalrecord SET (fillfactor = 85, {VACUUM_OFTEN})",
            ]
        ),
    ]
