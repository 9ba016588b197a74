-- Variables: any JSON under a name, with a version each, and optimistic locking.
SET timezone = 'UTC';
SET layra.now = '2026-01-01 12:00:00+00';
SELECT layra.start_run('report');

-- One, several, and none at all; each call is one version.
SELECT layra.set_variable('report', 'title', '"Tides"');
SELECT layra.set_variables('report', '{"pages": 3, "draft": null, "tags": ["sea", "moon"]}');
SELECT layra.set_variables('report', '{}');
SELECT layra.get_variables('report');
SELECT layra.get_variables('report', '{title,pages,nothing}');
SELECT layra.get_variable('report', 'title');

-- Unset is SQL NULL; JSON null is a value.
SELECT layra.get_variable('report', 'nothing') IS NULL AS "not set",
    layra.get_variable('report', 'draft') AS "set to null";
SELECT layra.unset_variables('report', '{draft,nothing}');
SELECT layra.get_variable('report', 'draft') IS NULL AS "not set";

-- The past stays.
SELECT layra.set_variable('report', 'title', '"The tides"');
SELECT version, layra.get_variable('report', 'title', version) AS title,
    layra.get_variables('report', at_version => version)
FROM generate_series(1, 6) version;

-- Values go through untouched, and a name is any text without control characters.
SELECT layra.set_variables('report', '{"price": 1.00, "big": 123456789012345678901234567890.000000000000000000001,
    "a/b~c": "\u00e9\n\"", "Ünï": {"b": 1, "aa": 2}}');
SELECT layra.get_variables('report', '{price,big,a/b~c,Ünï}');

-- A value that is there already gets no new revision; the event is there all the same.
SELECT layra.set_variables('report', '{"pages": 3, "price": 1.00}');
SELECT changed FROM layra.events('report', after_version => 7);
-- 1.0 is another value than 1.00: equal is what has the same text.
SELECT layra.set_variables('report', '{"pages": 3, "price": 1.0}');
SELECT changed FROM layra.events('report', after_version => 8);

-- Optimistic locking on the run: nothing may have been written since.
SELECT layra.set_variables('report', '{"pages": 4}', expected_version => 9);
SELECT layra.set_variables('report', '{"pages": 5, "tags": []}', expected_version => 9);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.unset_variables('report', '{pages}', expected_version => 11);
-- On single variables: each by the version that last changed it; 0: it is not set.
SELECT name, value, version, revision FROM layra.variables WHERE run_id = 'report' ORDER BY name;
SELECT layra.set_variables('report', '{"pages": 5}', expected_variables => '{"pages": 10, "title": 6, "summary": 0}');
SELECT layra.set_variables('report', '{"pages": 6}', expected_variables => '{"pages": 10, "title": 6, "tags": 0}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- In set_variable, expected_version is the variable's own.
SELECT layra.set_variable('report', 'title', '"Tides again"', expected_version => 6);
SELECT layra.set_variable('report', 'title', '"Tides again!"', expected_version => 6);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT layra.set_variable('report', 'draft', '1', expected_version => 0);

-- on_conflict => 'overwrite' writes although somebody else did; expected_variables are always strict.
SELECT layra.set_variables('report', '{"pages": 7}', on_conflict => 'overwrite', expected_version => 3);
SELECT layra.set_variables('report', '{"pages": 8}', '{"pages": 3}', 'overwrite', expected_version => 3);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT type, payload, changed FROM layra.events('report', after_version => 13);

-- try_set_variables gives a row instead of an error.
SELECT * FROM layra.try_set_variables('report', '{"pages": 9}', expected_version => 14);
SELECT * FROM layra.try_set_variables('report', '{"pages": 10, "tags": []}', expected_version => 13);
SELECT * FROM layra.try_set_variables('report', '{"pages": 10}', expected_variables => '{"tags": 1, "title": 0}');

-- The same idempotency key again changes nothing and gives the first call's version; set_variable is the same family.
SELECT layra.set_variables('report', '{"sent": 1}', idempotency_key => 'k1');
SELECT layra.set_variables('report', '{"sent": 2}', idempotency_key => 'k1');
SELECT layra.set_variable('report', 'sent', '3', idempotency_key => 'k1');
SELECT * FROM layra.try_set_variables('report', '{"sent": 4}', expected_version => 1, idempotency_key => 'k1');
SELECT layra.unset_variables('report', '{sent}', idempotency_key => 'k1');
SELECT layra.get_variable('report', 'sent');

-- Arguments are checked before anything else.
SELECT layra.set_variables('report', '[]');
SELECT layra.set_variables('report', NULL);
SELECT layra.set_variable('report', 'title', NULL);
SELECT layra.set_variable('report', '', '1');
SELECT layra.set_variable('report', E'a\tb', '1');
SELECT layra.set_variable('report', repeat('ü', 255), '1');
SELECT layra.set_variable('report', repeat('ü', 256), '1');
SELECT layra.set_variables('report', '{"a": 1}', on_conflict => 'merge');
SELECT layra.set_variables('report', '{"a": 1}', on_conflict => 'ignore', expected_version => 1);
SELECT layra.set_variables('report', '{"a": 1}', expected_variables => '{"a": "1"}');
SELECT layra.set_variables('report', '{"a": 1}', expected_variables => '{"a": -1}');
SELECT layra.set_variables('report', '{"a": 1}', expected_version => -1);
SELECT layra.get_variable('report', 'title', at_version => 0);
SELECT layra.get_variable('report', 'title', at_version => 99);

SELECT * FROM layra.verify('report');
SELECT layra.drop_run('report');
