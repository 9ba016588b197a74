//! Unit and property tests of the code that knows nothing of PostgreSQL.

#[path = "../src/definition.rs"]
#[allow(dead_code)]
mod definition;
#[path = "../src/hash.rs"]
#[allow(dead_code)]
mod hash;
#[path = "../src/list.rs"]
mod list;
#[path = "../src/merge.rs"]
#[allow(dead_code)]
mod merge;

mod merging {
    use crate::merge::{at_pointer, merge, pointer_token};
    use proptest::prelude::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn json() -> impl Strategy<Value = Value> {
        let atom = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3u8).prop_map(Value::from),
            "[ab/~\"é]{0,2}".prop_map(Value::from),
            prop::collection::vec(0..2u8, 0..3).prop_map(Value::from),
        ];
        atom.prop_recursive(3, 16, 3, |inner| {
            prop::collection::btree_map("[ab/~]{1,2}", inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect()))
        })
    }

    /// A value, and two that grew from it, so that all kinds of overlap occur.
    fn three() -> impl Strategy<Value = (Option<Value>, Option<Value>, Option<Value>)> {
        let grown = |base: Value| {
            let edits = prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(json())), 0..3);
            edits.prop_map(move |edits| edits.into_iter().fold(base.clone(), |value, (at, to)| edit(value, at, to)))
        };
        json().prop_flat_map(move |base| {
            let sides = (grown(base.clone()), grown(base.clone()));
            (prop::option::weighted(0.9, Just(base)), sides).prop_flat_map(|(base, (a, b))| {
                (Just(base), prop::option::weighted(0.95, Just(a)), prop::option::weighted(0.95, Just(b)))
            })
        })
    }

    /// Replaces (or removes: None) what stands at some path of the value.
    fn edit(value: Value, at: prop::sample::Index, to: Option<Value>) -> Value {
        let mut paths = vec![String::new()];
        collect(&value, "", &mut paths);
        let path = at.get(&paths).clone();
        let mut value = value;
        match path.rsplit_once('/') {
            None => to.unwrap_or(Value::Null),
            Some((parent, token)) => {
                let key = token.replace("~1", "/").replace("~0", "~");
                if let Some(Value::Object(object)) = value.pointer_mut(parent) {
                    match to {
                        Some(to) => object.insert(key, to),
                        None => object.remove(&key),
                    };
                }
                value
            }
        }
    }

    fn collect(value: &Value, path: &str, paths: &mut Vec<String>) {
        if let Value::Object(object) = value {
            for (key, value) in object {
                let path = format!("{path}{}", pointer_token(key));
                paths.push(path.clone());
                collect(value, &path, paths);
            }
        }
    }

    fn text(value: &Option<Value>) -> Option<String> {
        value.as_ref().map(Value::to_string)
    }

    /// The changes from one value to another: the shortest paths where one side is no object, and what stands there.
    type Changes = Vec<(String, Option<Value>)>;
    fn changes(path: &str, from: Option<&Value>, to: Option<&Value>, found: &mut Changes) {
        match (from, to) {
            _ if from == to => {}
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for key in keys {
                    changes(&format!("{path}{}", pointer_token(key)), a.get(key), b.get(key), found);
                }
            }
            _ => found.push((path.to_owned(), to.cloned())),
        }
    }

    /// Applies changes one after the other, parents that are gone made no object again.
    fn apply(mut value: Option<Value>, changes: &Changes) -> Option<Value> {
        for (path, to) in changes {
            match path.rsplit_once('/') {
                None => value = to.clone(),
                Some((parent, token)) => {
                    let key = token.replace("~1", "/").replace("~0", "~");
                    if let Some(Value::Object(object)) = value.as_mut().and_then(|v| v.pointer_mut(parent)) {
                        match to {
                            Some(to) => object.insert(key, to.clone()),
                            None => object.remove(&key),
                        };
                    }
                }
            }
        }
        value
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        /// What succeeds equals both serial orders of the two writers' changes; what fails names exactly the paths that
        /// both changed, and differently.
        #[test]
        fn equals_a_serial_order_or_names_the_conflicts((base, ours, theirs) in three()) {
            let (mut by_us, mut by_them) = (Vec::new(), Vec::new());
            changes("", base.as_ref(), ours.as_ref(), &mut by_us);
            changes("", base.as_ref(), theirs.as_ref(), &mut by_them);
            let mut expected: BTreeSet<String> = BTreeSet::new();
            for (a, to_a) in &by_us {
                for (b, to_b) in &by_them {
                    let overlap = a == b || a.starts_with(&format!("{b}/")) || b.starts_with(&format!("{a}/"));
                    // The shorter path is where one side is no object; the same value there is no conflict.
                    let shorter = if a.len() <= b.len() { a } else { b };
                    let same = a == b && to_a == to_b;
                    if overlap && !same {
                        expected.insert(shorter.clone());
                    }
                }
            }
            match merge("", text(&base).as_deref(), text(&ours).as_deref(), text(&theirs).as_deref()) {
                Ok(merged) => {
                    prop_assert!(expected.is_empty() || ours == theirs, "no conflict reported, expected {expected:?}");
                    let merged: Option<Value> = merged.map(|m| serde_json::from_str(&m).unwrap());
                    prop_assert_eq!(&merged, &apply(theirs.clone(), &by_us));
                    prop_assert_eq!(&merged, &apply(ours.clone(), &by_them));
                }
                Err(conflicts) => {
                    let named: BTreeSet<String> = conflicts.iter().cloned().collect();
                    prop_assert_eq!(named.len(), conflicts.len());
                    prop_assert_eq!(named, expected);
                }
            }
        }

        #[test]
        fn is_symmetric((base, ours, theirs) in three()) {
            let one = merge("/v", text(&base).as_deref(), text(&ours).as_deref(), text(&theirs).as_deref());
            let other = merge("/v", text(&base).as_deref(), text(&theirs).as_deref(), text(&ours).as_deref());
            let parse = |merged: Option<String>| merged.map(|m| serde_json::from_str::<Value>(&m).unwrap());
            prop_assert_eq!(one.map(parse), other.map(parse));
        }
    }

    #[test]
    fn numbers_stay_text() {
        let digits = "9".repeat(400);
        let ours = format!(r#"{{"a": 1.00, "b": {digits}}}"#);
        let merged =
            merge("", Some(r#"{"a": 1.00}"#), Some(&ours), Some(r#"{"a": 1.00, "c": 1e400}"#)).unwrap().unwrap();
        assert_eq!(merged, format!(r#"{{"a":1.00,"b":{digits},"c":1e400}}"#));
    }

    #[test]
    fn a_thousand_levels_merge() {
        let nest = |inner: &str| format!("{}{inner}{}", r#"{"a": "#.repeat(1000), "}".repeat(1000));
        let merged =
            merge("", Some(&nest("{}")), Some(&nest(r#"{"x": 1}"#)), Some(&nest(r#"{"y": 2}"#))).unwrap().unwrap();
        assert!(merged.contains(r#"{"x":1,"y":2}"#));
    }

    #[test]
    fn both_adding_one_object_differently_is_a_conflict_at_that_object() {
        let conflicts = merge("/v", Some("{}"), Some(r#"{"a": {"x": 1}}"#), Some(r#"{"a": {"y": 1}}"#)).unwrap_err();
        assert_eq!(conflicts, ["/v/a"]);
    }

    #[test]
    fn pointers_lead_through_objects() {
        assert_eq!(at_pointer(r#"{"a/b": {"~": [1]}}"#, "/a~1b/~0"), Some("[1]"));
        assert_eq!(at_pointer(r#"{"a": 1}"#, "/b"), None);
        assert_eq!(at_pointer("1", ""), Some("1"));
    }
}

mod lists {
    use crate::list::edit;
    use proptest::prelude::*;

    /// Carries out an edit as `save_state` does.
    fn applied(old: &[u8], new: &[u8]) -> (Vec<Option<u8>>, usize) {
        let edit = edit(old, new);
        let mut kept: Vec<Option<u8>> = old[edit.dropped..].iter().copied().map(Some).collect();
        kept.resize(kept.len().max(new.len()), None);
        for position in &edit.written {
            kept[*position] = Some(new[*position]);
        }
        for removed in &edit.removed {
            kept[removed - edit.dropped] = None;
        }
        kept.truncate(new.len());
        (kept, edit.dropped + edit.written.len() + edit.removed.len())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

        #[test]
        fn leads_from_old_to_new(old in prop::collection::vec(0..3u8, 0..12), new in prop::collection::vec(0..3u8, 0..12)) {
            let (list, _) = applied(&old, &new);
            prop_assert_eq!(list, new.iter().copied().map(Some).collect::<Vec<_>>());
        }

        #[test]
        fn a_window_that_slid_is_not_rewritten(list in prop::collection::vec(any::<u32>(), 20..40), slid in 1..5usize) {
            let distinct: std::collections::BTreeSet<u32> = list.iter().copied().collect();
            prop_assume!(distinct.len() == list.len());
            let (old, new) = (&list[..list.len() - slid], &list[slid..]);
            let edit = edit(old, new);
            prop_assert_eq!((edit.dropped, edit.written.len(), edit.removed.len()), (slid, slid, 0));
        }
    }

    #[test]
    fn appending_writes_one_entry() {
        let old: Vec<u32> = (0..100).collect();
        let new: Vec<u32> = (0..101).collect();
        assert_eq!(edit(&old, &new).written, [100]);
        assert_eq!(edit(&old, &old), edit::<u32>(&[], &[]));
    }
}

mod definitions {
    use crate::definition::parse;

    fn problems(text: &str) -> Vec<String> {
        parse(text).1.into_iter().map(|(path, message)| format!("{path}: {message}")).collect()
    }

    #[test]
    fn nested_loops_and_conditions_are_fine() {
        let (definition, problems) = parse(
            r#"{"nodes": [{"id": "a", "type": "start"}, {"id": "L", "type": "loop", "data": {"maxCount": 3}},
                {"id": "M", "type": "loop"}, {"id": "c", "type": "condition"}, {"id": "x", "type": "code"},
                {"id": "y", "type": "code"}, {"id": "z", "type": "code"}],
                "edges": [{"source": "a", "target": "L"}, {"source": "L", "target": "M", "sourceHandle": "loop_body"},
                {"source": "M", "target": "c", "sourceHandle": "loop_body"},
                {"source": "c", "target": "x", "sourceHandle": "condition-1"},
                {"source": "c", "target": "y", "sourceHandle": "condition-2"},
                {"source": "x", "target": "M", "sourceHandle": "loop_next"},
                {"source": "y", "target": "M", "sourceHandle": "loop_next"},
                {"source": "M", "target": "L", "sourceHandle": "loop_next"}, {"source": "L", "target": "z"}]}"#,
        );
        assert_eq!(problems, []);
        let mut body: Vec<&str> = definition.loop_body("L").into_iter().collect();
        body.sort();
        assert_eq!(body, ["M", "c", "x", "y"]);
    }

    #[test]
    fn every_problem_is_listed() {
        let found = problems(
            r#"{"nodes": [{"id": "a", "type": "x"}, {"id": "a", "type": "x"}, {"type": "x"}, 7],
                "edges": [{"source": "a", "target": "b"}, {"source": "a", "target": "a"}],
                "variables": {"": {}, "v": {"schema": 1}}, "policy": {"checkpoint": {"evry": "1 s", "bytes": 0}}}"#,
        );
        for part in [
            "/nodes/1/id: id is used",
            "/nodes/2/id",
            "/nodes/3",
            "/edges/0/target: target names no node",
            "is on a cycle",
            "/variables/: ",
            "/variables/v/schema",
            "/policy/checkpoint/evry",
            "/policy/checkpoint/bytes",
        ] {
            assert!(found.iter().any(|problem| problem.contains(part)), "{part} is missing in {found:?}");
        }
    }

    #[test]
    fn deep_and_large_parts_are_kept_as_they_are() {
        let deep = format!("{}1.00{}", "[".repeat(1000), "]".repeat(1000));
        let (definition, problems) = parse(&format!(r#"{{"variables": {{"v": {{"default": {deep}}}}}, "x": {deep}}}"#));
        assert_eq!(problems, []);
        assert_eq!(definition.variables["v"].default.as_deref(), Some(deep.as_str()));
    }
}

mod hashing {
    use crate::hash::{Link, cells_hash, hex, value_hash};

    #[test]
    fn nothing_changed_is_the_hash_of_nothing() {
        assert_eq!(cells_hash([].into_iter()), *blake3::hash(b"").as_bytes());
    }

    #[test]
    fn null_is_not_empty_and_fields_do_not_run_together() {
        let link =
            |behalf: Option<&'static str>, key: Option<&'static str>, actor: &'static str, type_name: &'static str| {
                Link {
                    previous: [0; 32],
                    run_id: "r",
                    version: 1,
                    type_name,
                    actor,
                    on_behalf_of: behalf,
                    at: 0,
                    idempotency_key: key,
                    checkpoint_kind: None,
                    checkpoint_label: None,
                    payload_hash: value_hash("{}"),
                    cells_hash: cells_hash([].into_iter()),
                }
                .hash()
            };
        let hashes = [
            link(None, None, "a", "t"),
            link(Some(""), None, "a", "t"),
            link(None, Some(""), "a", "t"),
            link(None, None, "", "ta"),
            link(None, None, "ta", ""),
        ];
        let distinct: std::collections::BTreeSet<String> = hashes.iter().map(|hash| hex(hash)).collect();
        assert_eq!(distinct.len(), hashes.len());
    }
}

mod times {
    use crate::definition::microseconds;

    #[test]
    fn pairs_of_number_and_unit() {
        assert_eq!(microseconds("5 minutes"), Some(300_000_000));
        assert_eq!(microseconds("1 hour 30 min"), Some(5_400_000_000));
        assert_eq!(microseconds("0.5 s"), Some(500_000));
        for wrong in ["", "often", "5", "5 months", "-1 s", "0 s", "1e400 s", "NaN s", "5minutes"] {
            assert_eq!(microseconds(wrong), None, "{wrong:?}");
        }
    }
}

mod depths {
    use crate::definition::{depth, value};

    #[test]
    fn brackets_in_strings_do_not_count() {
        assert_eq!(depth(r#"{"a[": "]\\\"{[", "b": [[1], {}]}"#), 3);
        assert_eq!(depth("1"), 0);
    }

    #[test]
    fn deeper_values_are_refused_before_anything_recursive_sees_them() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(value(&nested(1024), 1024).is_some());
        assert!(value(&nested(1_000_000), 1024).is_none());
    }
}
