COMMENT ON FUNCTION layra.set_variables(text, jsonb, jsonb, text, bigint, text) IS
$$Sets variables of a run, all or none of them, in one new version.
Other writers of the run wait until the transaction ends.
run_id text: the run.
updates jsonb: object of names and new values; a name that is left out is untouched. JSON null is a value.
expected_variables jsonb, default NULL: object {"name": version} of the run version that last changed each variable, 0 for one that is not set; any other is 40001.
on_conflict text, default fail: what happens when expected_version is not the newest. fail: 40001; overwrite: set them anyway; merge: three-way merge with the state at expected_version, 40001 only where both sides changed the same place.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check; overwrite and merge need it.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version, also where every value is the same already.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 conflict (DETAIL names the paths), 55000 finished, 54000 over a size limit, 23514 a value violates its schema.
Example: SELECT layra.set_variables('order-17', '{"total": 99.90}', expected_version => 1);$$;

COMMENT ON FUNCTION layra.try_set_variables(text, jsonb, jsonb, text, bigint, text) IS
$$Sets variables like set_variables, but returns a conflict as a row.
A conflict is not an error, so the transaction continues.
run_id text: the run.
updates jsonb: as in set_variables.
expected_variables jsonb, default NULL: as in set_variables.
on_conflict text, default fail: as in set_variables.
expected_version bigint, default NULL: as in set_variables.
idempotency_key text, default NULL: a name for this call, see start_run.
Result: one row.
committed boolean: whether the variables were set.
version bigint: the new version; after a conflict the newest.
conflicts jsonb: NULL, or after a conflict an array of objects with path and, as far as they apply, expected and actual (versions of the variable), base (merge only), ours and theirs (values; a side that has none is left out).
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 only above READ COMMITTED, where the snapshot hides the newest version, 55000 finished, 54000 over a size limit, 23514 a value violates its schema.
Example: SELECT * FROM layra.try_set_variables('order-17', '{"total": 80}', expected_version => 1);$$;

COMMENT ON FUNCTION layra.set_variable(text, text, jsonb, bigint, text) IS
$$Sets one variable of a run.
Writers of different variables never conflict here: the expected version is the variable's own.
run_id text: the run.
name text: the variable, 1 to 255 characters.
value jsonb: any JSON value; SQL NULL is refused, see unset_variables.
expected_version bigint, default NULL: the run version that last changed this variable (not the run's newest), 0 for one that is not set; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 the variable has another version, 55000 finished, 54000 over a size limit, 23514 the value violates its schema.
Example: SELECT layra.set_variable('order-17', 'total', '99.90');$$;

COMMENT ON FUNCTION layra.unset_variables(text, text[], bigint, text) IS
$$Unsets variables of a run; their history stays.
A name that is not set is not an error.
run_id text: the run.
names text[]: the variables.
expected_version bigint, default NULL: the version of the run that the caller has read; NULL: no check.
idempotency_key text, default NULL: a name for this call, see start_run.
Result bigint: the run's new version.
Errors: 22023 bad argument, P0002 no such run, 42501 not the caller's run, 40001 another version, 55000 finished.
Example: SELECT layra.unset_variables('order-17', '{coupon,discount}');$$;

COMMENT ON FUNCTION layra.get_variable(text, text, bigint) IS
$$Reads one variable of a run, as it is or was at a version.
run_id text: the run.
name text: the variable.
at_version bigint, default NULL: the version to read at; NULL: the newest.
Result jsonb: the value; SQL NULL where it is not set. A JSON null is a value.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.get_variable('order-17', 'total', at_version => 1);$$;

COMMENT ON FUNCTION layra.get_variables(text, text[], bigint, text) IS
$$Reads variables of a run as one JSON object.
run_id text: the run.
names text[], default NULL: only these; NULL: all.
at_version bigint, default NULL: the version to read at; NULL: the newest.
in_group text, default NULL: only variables that the workflow's definition puts in this group; NULL: all.
Result jsonb: object of names and values; what is not set is not in it.
Errors: 22023 bad argument or no such version, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.get_variables('order-17', '{total,customer}');$$;
