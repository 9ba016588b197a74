COMMENT ON FUNCTION layra.export_run(text) IS
$$Returns a run as lines of JSON, for an archive or another database.
The lines have everything of it: the definition and the graphs that the run uses, its events, whole values, checkpoints, questions, leases and the keys that a fork inherited, with the hash of each event and a hash of all lines. docs/export.md has the format.
run_id text: the run.
Result jsonb: a row for each line, in order; the last one is the trailer.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read, XX001 what is stored is damaged.
Example: SELECT layra.export_run('order-17');$$;

COMMENT ON FUNCTION layra.import_run(jsonb[]) IS
$$Makes a run of the lines that export_run returned, the same as it was.
Versions, hashes, actors, times and owner are those of the lines. Nothing is written where one of them is missing or was altered. A seal says who imported the run, and when; no handler is called.
lines jsonb[]: all lines of one export, in any order.
Result bigint: the run's newest version.
Errors: 22023 bad argument, 42501 without level admin, 23505 the run already exists, 55000 its definition or its seals are not those that are here, XX001 a line is missing or was altered, 40001 above READ COMMITTED where a concurrent start won.
Example: SELECT layra.import_run(array_agg(line)) FROM archive;$$;

COMMENT ON FUNCTION layra.import_lines(regclass) IS
$$Makes a run of the lines of an export that are in a table.
As import_run, for what is too large for an array: the table is read as the caller, some lines at a time, so memory stays flat.
source regclass: a table, view or foreign table of one column, of type jsonb, with all lines of one export, in any order.
Result bigint: the run's newest version.
Errors: 22023 bad argument, 42501 without level admin or SELECT on the table, 42P01 no such table, 23505 the run already exists, 55000 its definition or its seals are not those that are here, XX001 a line is missing or was altered, 40001 above READ COMMITTED where a concurrent start won.
Example: SELECT layra.import_lines('archive');$$;
