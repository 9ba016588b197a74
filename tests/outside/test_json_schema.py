"""What a JSON Schema accepts: the official test suite of every draft, random schemas against Python's jsonschema, schemas whose
names and values look like keywords, and JSON whose keys mean something to the library that reads it.

The suite comes with the source distribution of PyPI's jsonschema (.ci/setup).
"""

import json
import tarfile
from functools import cache
from itertools import product
from pathlib import Path
from random import Random, SystemRandom
from urllib.parse import quote, urldefrag, urljoin

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
REMOTE = "http://localhost:1234/"
SCHEMAS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}

# The verdicts on groups of a schema and values: true and false, or why the schema is refused.
JUDGE = """
    CREATE FUNCTION judge(groups jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE one jsonb; value jsonb; verdicts jsonb; judged jsonb := '[]';
    BEGIN
        FOR one IN SELECT jsonb_array_elements(groups) LOOP
            BEGIN
                PERFORM layra.define_event_type('judged', one->'schema');
                verdicts := '[]';
                FOR value IN SELECT jsonb_array_elements(one->'values') LOOP
                    BEGIN
                        PERFORM layra.append_event('judge', 'judged', value);
                        verdicts := verdicts || 'true';
                    EXCEPTION WHEN check_violation THEN
                        verdicts := verdicts || 'false';
                    END;
                END LOOP;
            EXCEPTION WHEN invalid_parameter_value THEN
                verdicts := to_jsonb(SQLERRM);
            END;
            judged := judged || jsonb_build_array(verdicts);
        END LOOP;
        RETURN judged;
    END $$;
    SELECT layra.start_run('judge');
"""


@pytest.fixture(scope="module")
def prepare():
    return lambda connection: connection.execute("CREATE EXTENSION layra_state; " + JUDGE)


@pytest.fixture
def judge(admin):
    """A function of pairs of a schema and values: the verdicts, or why there are none."""

    def judge(groups):
        groups = json.dumps([{"schema": schema, "values": values} for schema, values in groups])
        return admin.execute("SELECT judge(%s)", [groups]).fetchone()[0]

    return judge


# --- the official suite ------------------------------------------------------------------------------------------------


@cache
def archive():
    """The files of the suite: {path: JSON}."""
    (path,) = (ROOT / "target/venv/sdist").glob("jsonschema-*.tar.gz")
    with tarfile.open(path) as files:
        return {
            member.name.split("/json/", 1)[1]: json.load(files.extractfile(member))
            for member in files
            if "/json/tests/" in member.name and member.name.endswith(".json")
        }


@cache
def remotes():
    """The URLs of the documents that the suite would have served."""
    (path,) = (ROOT / "target/venv/sdist").glob("jsonschema-*.tar.gz")
    with tarfile.open(path) as files:
        return {REMOTE + name.split("/json/remotes/", 1)[1] for name in files.getnames() if "/json/remotes/" in name}


def needs_a_remote(schema, base=""):
    """Whether a reference leads to a document that is not in the schema."""
    if isinstance(schema, list):
        return any(needs_a_remote(element, base) for element in schema)
    if not isinstance(schema, dict):
        return False
    identifier = schema.get("$id", schema.get("id"))
    base = urljoin(base, identifier) if isinstance(identifier, str) else base
    targets = (schema.get(keyword) for keyword in ("$ref", "$dynamicRef", "$recursiveRef", "$schema"))
    return any(urldefrag(urljoin(base, target)).url in remotes() for target in targets if isinstance(target, str)) or any(
        needs_a_remote(member, base) for member in schema.values()
    )


def suite(draft):
    """The groups of a draft: {(file, description): (schema, tests)}."""
    groups = {}
    for path, content in archive().items():
        if not path.startswith(f"tests/{draft}/") or "/optional/" in path:
            continue
        for group in content:
            schema = group["schema"]
            # No jsonb has that character.
            if "\\u0000" in json.dumps(group) or needs_a_remote(schema):
                continue
            if isinstance(schema, dict):
                schema = {"$schema": SCHEMAS[draft]} | schema
            groups[Path(path).name, group["description"]] = schema, group["tests"]
    return groups


# (draft, file, group, test): where the checker itself deviates, and why. A test that passes again has to leave the list.
DEVIATIONS = {}


@pytest.mark.parametrize("draft", SCHEMAS)
def test_official_suite(judge, draft, figures):
    groups = suite(draft)
    verdicts = judge([(schema, [test["data"] for test in tests]) for schema, tests in groups.values()])
    wrong, count = {}, 0
    for ((file, description), (_, tests)), judged in zip(groups.items(), verdicts, strict=True):
        judged = [judged] * len(tests) if isinstance(judged, str) else judged
        for test, verdict in zip(tests, judged, strict=True):
            count += 1
            if verdict != test["valid"]:
                wrong[draft, file, description, test["description"]] = verdict
    assert wrong.keys() == {deviation for deviation in DEVIATIONS if deviation[0] == draft}, wrong
    figures(f"{count} tests of {len(groups)} schemas")


# --- names and values that look like keywords --------------------------------------------------------------------------

KEYWORDS = ["$ref", "$dynamicRef", "$recursiveRef", "const", "default", "enum", "examples", "$defs", "definitions", "properties",
            "dependencies", "dependentRequired", "items", "allOf", "not", "required", "$id", "$schema", "$anchor", "type"]  # fmt: skip
INTEGER = {"type": "integer"}


@pytest.mark.parametrize("draft", SCHEMAS)
@pytest.mark.parametrize("name", [*KEYWORDS, "default timeout", "constant", "enumeration", "a/b", "a~b", "a%b", "é"])
def test_names_are_names(judge, draft, name):
    """Of definitions, properties and dependencies, whatever they are called, and wherever a reference leads to them."""
    pointer = quote(name.replace("~", "~0").replace("/", "~1"), safe="~$")
    old = draft in ("draft4", "draft6", "draft7")
    defs = "definitions" if old else "$defs"
    schemas = [
        {defs: {name: INTEGER}, "properties": {"v": {"$ref": f"#/{defs}/{pointer}"}}},
        {defs: {name: {"properties": {name: INTEGER}}}, "properties": {"v": {"$ref": f"#/{defs}/{pointer}/properties/{pointer}"}}},
        {"properties": {name: INTEGER, "v": {"$ref": f"#/properties/{pointer}"}}},
        {"patternProperties": {name: INTEGER, "^v$": {"$ref": f"#/patternProperties/{pointer}"}}},
        {"components": {name: {name: INTEGER}}, "properties": {"v": {"$ref": f"#/components/{pointer}/{pointer}"}}},
        {"default": {name: INTEGER}, "properties": {"v": {"$ref": f"#/default/{pointer}"}}},
        {"examples": [{name: INTEGER}], "properties": {"v": {"$ref": f"#/examples/0/{pointer}"}}},
    ]
    values = [{"v": 1}, {"v": "x"}]
    verdicts = judge([({"$schema": SCHEMAS[draft]} | schema, values) for schema in schemas])
    assert verdicts == [[True, False]] * len(schemas)
    # What comes with the name only where the value has it.
    dependent = {"dependencies": {name: ["w"]}} if old else {"dependentRequired": {name: ["w"]}}
    by_schema = {"dependencies" if old else "dependentSchemas": {name: {"required": ["w"]}}}
    values = [{name: 1}, {name: 1, "w": 1}, {}]
    verdicts = judge([({"$schema": SCHEMAS[draft]} | schema, values) for schema in (dependent, by_schema)])
    assert verdicts == [[False, True, True]] * 2


@pytest.mark.parametrize("draft", SCHEMAS)
def test_values_are_values(judge, draft):
    """In `enum`, `const`, `default` and `examples` stands what a schema may be, or may not, and it means itself."""
    groups = []
    for keyword, value in product(KEYWORDS, ["#", "#/definitions/none", {"$ref": "#/nowhere"}, [{"$ref": "https://a.b/x"}], 1, None]):
        odd = {keyword: value, "a": [{keyword: value}]}
        schemas = [{"enum": [odd, 1]}, {"default": odd, "enum": [odd, 1]}, {"examples": [odd], "enum": [odd, 1]}]
        if draft != "draft4":
            schemas += [{"anyOf": [{"const": odd}, {"const": 1}]}]
        defs = {"definitions": {"x": INTEGER}, "properties": {"v": {"$ref": "#/definitions/x"}}}
        schemas += [schema | defs for schema in schemas]
        groups += [({"$schema": SCHEMAS[draft]} | schema, [odd, {keyword: value}, 1]) for schema in schemas]
    for (schema, _), verdicts in zip(groups, judge(groups), strict=True):
        assert verdicts == [True, False, True], schema


def test_beside_a_reference(judge):
    """Until draft 7 nothing counts there; but references lead to it."""
    for draft in SCHEMAS:
        schema = {"$schema": SCHEMAS[draft], "$ref": "#/components/schemas/x", "maximum": 5,
                  "components": {"schemas": {"x": {"type": "integer"}}}}  # fmt: skip
        beside_counts = draft in ("draft2019-09", "draft2020-12")
        assert judge([(schema, [1, "x", 9])]) == [[True, False, not beside_counts]], draft


def test_a_reference_into_a_value_is_refused(judge):
    """It would make a schema of what is a value: what it costs could not be bounded."""
    for keyword, value in ("const", {"type": "integer"}), ("enum", [{"type": "integer"}]):
        target = f"#/{keyword}/0" if keyword == "enum" else f"#/{keyword}"
        assert judge([({keyword: value, "anyOf": [{"$ref": target}]}, [])]) == [
            "schema is not a valid JSON Schema: a reference leads to a value"
        ]


# --- keys that mean something to serde_json ------------------------------------------------------------------------------

NUMBER, RAW = "$serde_json::private::Number", "$serde_json::private::RawValue"
KEYS = [NUMBER, RAW, "ok", "a", "$ref", ""]
STRINGS = ["12", '{"ok": true}', "x", "", "1e", '{"' + NUMBER + '": "1"}', "{", "é"]


def random_value(random, depth=3):
    kind = random.randrange(8 if depth else 5)
    if kind < 5:
        return random.choice([None, True, False, 0, 1, 12, -1.5, *STRINGS])
    if kind == 5:
        return [random_value(random, depth - 1) for _ in range(random.randrange(4))]
    return {key: random_value(random, depth - 1) for key in random.sample(KEYS, random.randrange(4))}


def random_schema(random, depth=3):
    schema = {}
    keywords = ["type", "enum", "const", "required", "minProperties", "maxProperties", "propertyNames", "uniqueItems", "pattern"]
    if depth:
        keywords += ["properties", "additionalProperties", "patternProperties", "items", "contains", "anyOf", "not", "if",
                     "dependentRequired", "dependentSchemas", "unevaluatedProperties"] * 2  # fmt: skip
    for keyword in random.sample(keywords, random.randint(1, 3)):
        part = lambda: random_schema(random, depth - 1)  # noqa: E731
        schema[keyword] = {
            "type": lambda: random.choice(["object", "string", "number", "array", ["null", "boolean"], "integer"]),
            "enum": lambda: [random_value(random) for _ in range(3)],
            "const": lambda: random_value(random),
            "required": lambda: random.sample(KEYS, 1),
            "minProperties": lambda: 1,
            "maxProperties": lambda: 1,
            "propertyNames": lambda: {"enum": random.sample(KEYS, 4)},
            "uniqueItems": lambda: True,
            "pattern": lambda: "^[1-9]",
            "properties": lambda: {key: part() for key in random.sample(KEYS, 2)},
            "patternProperties": lambda: {"private": part()},
            "anyOf": lambda: [part(), part()],
            "dependentRequired": lambda: {random.choice(KEYS): [random.choice(KEYS)]},
            "dependentSchemas": lambda: {random.choice(KEYS): part()},
        }.get(keyword, part)()
        if keyword == "if":
            schema["then"], schema["else"] = part(), part()
    return schema


def test_schemas_take_objects_for_objects(judge, soak, figures):
    """Whatever their keys, as Python's jsonschema does."""
    seed = SystemRandom().randrange(10**6)
    random = Random(seed)
    groups = [(random_schema(random), [random_value(random) for _ in range(10)]) for _ in range(soak(300, 10_000))]
    verdicts = judge(groups)
    valid = 0
    for (schema, values), judged in zip(groups, verdicts, strict=True):
        validator = jsonschema.Draft202012Validator(schema)
        wanted = [validator.is_valid(value) for value in values]
        assert judged == wanted, f"seed {seed}: {json.dumps(schema)}: {json.dumps(values)}"
        valid += sum(wanted)
    figures(f"{len(groups)} schemas, {10 * len(groups)} values, {valid} of them valid")


@pytest.mark.parametrize("fake, schema", [
    ({RAW: '{"ok": true}'}, {"required": ["ok"]}), ({NUMBER: "12"}, {"type": "number"}), ({RAW: "12"}, {"type": "number"}),
    ({RAW: '"x"'}, {"type": "string"}), ([{RAW: "null"}], {"items": {"type": "null"}}), ({"a": {NUMBER: "1"}}, {"const": {"a": 1}}),
])  # fmt: skip
def test_no_object_passes_for_another_value(admin, raises, fake, schema):
    """Nowhere: a response, a variable, a payload, a default."""
    fake, schema = json.dumps(fake), json.dumps(schema)
    admin.execute("SELECT layra.start_run('faked')")
    question = admin.execute("SELECT layra.pause_run('faked', 'n', response_schema => %s)", [schema]).fetchone()[0]
    with raises("23514"):
        admin.execute("SELECT layra.resume_run('faked', %s, %s)", [question, fake])
    admin.execute("SELECT layra.drop_run('faked'), layra.define_event_type('faked', %s)", [schema])
    variables = '{"variables": {"v": {"schema": %s%s}}}'
    admin.execute("SELECT layra.define_workflow('faked', %s), layra.start_run('faked', 'faked')", [variables % (schema, "")])
    with raises("23514"):
        admin.execute("SELECT layra.append_event('faked', 'faked', %s)", [fake])
    with raises("23514"):
        admin.execute("SELECT layra.set_variable('faked', 'v', %s)", [fake])
    with raises("22023"):
        admin.execute("SELECT layra.define_workflow('faked', %s)", [variables % (schema, f', "default": {fake}')])
    admin.execute("SELECT layra.drop_run('faked')")


def test_every_object_is_kept_as_it_is(admin):
    """Wherever JSON goes in, the same comes out."""
    random = Random(1)
    values = [{NUMBER: "12"}, {NUMBER: "x"}, {RAW: "{"}, {RAW: '{"ok": true}'}, {RAW: 1}, {"a": [{NUMBER: {RAW: "1"}}]}]
    for number, value in enumerate([*values, *({key: random_value(random) for key in KEYS} for _ in range(30))]):
        run, text = f"kept {number}", json.dumps(value)

        def read(query, *arguments, run=run):
            return admin.execute(query, [run, *arguments]).fetchone()[0]

        schema = json.dumps({"enum": [value], "default": value})
        definition = json.dumps({"variables": {"v": {"schema": json.loads(schema), "default": value}},
                                 "nodes": [{"id": "n", "type": "code", "data": value}], "edges": [], "more": value})  # fmt: skip
        admin.execute("SELECT layra.define_workflow(%s, %s)", [run, definition])
        admin.execute("SELECT layra.start_run(%s, %s, metadata => %s)", [run, run, text])
        assert read("SELECT metadata FROM layra.run WHERE run_id = %s") == value
        assert read("SELECT layra.get_variable(%s, 'v')") == value
        assert read("SELECT definition FROM layra.workflow WHERE name = %s") == json.loads(definition)
        admin.execute("SELECT layra.set_variables(%s, %s)", [run, json.dumps({"w": value, NUMBER: value, RAW: value})])
        assert read("SELECT layra.get_variables(%s)") == {"v": value, "w": value, NUMBER: value, RAW: value}
        mine, theirs = json.dumps({"w": {**value, "mine": 1}}), json.dumps({"w": {**value, "theirs": 1}})
        base = read("SELECT layra.set_variables(%s, %s)", theirs) - 1
        admin.execute("SELECT layra.set_variables(%s, %s, on_conflict => 'merge', expected_version => %s)", [run, mine, base])
        assert read("SELECT layra.get_variable(%s, 'w')") == {**value, "mine": 1, "theirs": 1}
        admin.execute("SELECT layra.append_event(%s, 'e', %s)", [run, text])
        assert read("SELECT payload FROM layra.events(%s, types => '{e}')") == value
        admin.execute("SELECT layra.set_engine(%s, %s)", [run, json.dumps({"field": value})])
        admin.execute("SELECT layra.begin_node(%s, 'n'); SELECT layra.fail_node(%s, 'n', %s)".replace("%s", "{}").format(
            *(admin.execute("SELECT quote_literal(%s)", [part]).fetchone()[0] for part in (run, run, text))
        ))  # fmt: skip
        assert read("SELECT value->'error' FROM layra.cells(%s, 'node')") == value
        question = read("SELECT layra.pause_run(%s, 'n', %s, %s)", text, schema)
        assert read("SELECT prompt FROM layra.interaction WHERE run_id = %s") == value
        admin.execute("SELECT layra.resume_run(%s, %s, %s)", [run, question, text])
        assert read("SELECT response FROM layra.interaction WHERE run_id = %s") == value
        state = read("SELECT layra.get_state(%s)")
        assert state["field"] == value and state["nodes"][0]["data"] == value
        admin.execute("SELECT layra.save_state(%s, %s)", [run, json.dumps(state | {"context": {"n": [value]}})])
        assert read("SELECT layra.get_state(%s)") == state | {"context": {"n": [value]}}
        admin.execute("SELECT layra.finish_run(%s, result => %s)", [run, text])
        assert read("SELECT result FROM layra.run WHERE run_id = %s") == value
        assert admin.execute("SELECT * FROM layra.verify(%s)", [run]).fetchall() == []
