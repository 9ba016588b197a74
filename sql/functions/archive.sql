COMMENT ON FUNCTION layra.export_run(text) IS
$$Returns a run as lines of JSON, for an archive or another database.
The lines have everything of it: the definition and the graphs that the run uses, its events, whole values, checkpoints, questions, leases and the keys that a fork inherited, with the hash of each event and a hash of all lines. docs/export.md has the format.
run_id text: the run.
Result jsonb: a row for each line, in order; the last one is the trailer.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read, XX001 what is stored is damaged.
Example: SELECT layra.export_run('order-17');$$;
