//! Unit and property tests of the code that knows nothing of PostgreSQL.

#[path = "../src/pure/mod.rs"]
#[allow(dead_code)]
mod pure;

mod timestamps {
    use crate::pure::timestamp::parse;

    const SECOND: i64 = 1_000_000;
    const DAY: i64 = 86_400 * SECOND;

    #[test]
    fn the_epoch_in_any_zone() {
        for text in [
            "2000-01-01T00:00:00+00:00",
            "2000-01-01T05:30:00+05:30",
            "1999-12-31T16:00:00-08:00",
            "1999-12-31T23:59:28-00:00:32",
        ] {
            assert_eq!(parse(text), Some(0), "{text}");
        }
    }

    #[test]
    fn fractions_leap_days_and_far_years() {
        for (text, micros) in [
            ("2000-01-01T00:00:00.5+00:00", SECOND / 2),
            ("2000-01-01T00:00:00.000001+00:00", 1),
            ("1999-12-31T23:59:59.999999+00:00", -1),
            ("2000-03-01T00:00:00+00:00", 60 * DAY),
            ("2001-01-01T00:00:00+00:00", 366 * DAY),
            ("2100-03-01T00:00:00+00:00", 36_584 * DAY),
            ("0001-01-01T00:00:00+00:00", -730_119 * DAY),
            ("0001-12-31T00:00:00+00:00 BC", -730_120 * DAY),
            ("294276-12-31T23:59:59.999999+00:00", 9_223_371_331_199_999_999),
            ("infinity", i64::MAX),
            ("-infinity", i64::MIN),
        ] {
            assert_eq!(parse(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "T",
            "2000-01-01",
            "2000-01-01T00:00:00",
            "2000-01-01T00:00:00+",
            "2000-01-01T00:00:00+a",
            "x-01-01T00:00:00+00",
            "2000-01-01T00:00+00:00",
            "2000-01-01T00:00:00+00:00:00:00",
            "2147483647-01-01T00:00:00+00:00",
            "99999999999-01-01T00:00:00+00:00",
            "2000-01-01T00:00:00.x+00:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

mod merging {
    use crate::pure::merge::{Conflict, object_text, pointer_token};
    use proptest::prelude::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn conflicts<'a>(
        path: &str,
        base: Option<&'a str>,
        ours: Option<&'a str>,
        theirs: Option<&'a str>,
    ) -> Result<Option<String>, Vec<Conflict<'a>>> {
        crate::pure::merge::merge(path, base, ours, theirs, || {})
    }

    /// With the paths of the conflicts.
    fn merge(
        path: &str,
        base: Option<&str>,
        ours: Option<&str>,
        theirs: Option<&str>,
    ) -> Result<Option<String>, Vec<String>> {
        conflicts(path, base, ours, theirs).map_err(|all| all.into_iter().map(|conflict| conflict.path).collect())
    }

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

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        /// A side that changed nothing has no say; the same change twice is that change; merging again changes nothing.
        #[test]
        fn is_idempotent((base, ours, theirs) in three()) {
            let (base, ours, theirs) = (text(&base), text(&ours), text(&theirs));
            let [b, o, t] = [base.as_deref(), ours.as_deref(), theirs.as_deref()];
            prop_assert_eq!(merge("", b, o, b), Ok(ours.clone()));
            prop_assert_eq!(merge("", b, b, t), Ok(theirs.clone()));
            prop_assert_eq!(merge("", b, o, o), Ok(ours.clone()));
            if let Ok(merged) = merge("", b, o, t) {
                // As jsonb would store it, in its own order of keys.
                let merged = merged.map(|m| serde_json::from_str::<Value>(&m).unwrap().to_string());
                prop_assert_eq!(merge("", b, merged.as_deref(), t), Ok(merged.clone()));
            }
        }

        /// A conflict's pointer leads to what each side has there, below the path that was given.
        #[test]
        fn conflicts_are_pointers_into_the_values((base, ours, theirs) in three()) {
            let sides = [text(&base), text(&ours), text(&theirs)];
            let [b, o, t] = [0, 1, 2].map(|side| sides[side].as_deref());
            let Err(conflicts) = conflicts("/v", b, o, t) else { return Ok(()) };
            for conflict in conflicts {
                let pointer = conflict.path.strip_prefix("/v").expect("below the path");
                prop_assert!(pointer.is_empty() || pointer.starts_with('/'));
                let found = [conflict.base, conflict.ours, conflict.theirs];
                for (value, side) in found.iter().zip([&base, &ours, &theirs]) {
                    let there = side.as_ref().and_then(|side| side.pointer(pointer)).map(Value::to_string);
                    prop_assert_eq!(*value, there.as_deref(), "{}", pointer);
                }
                prop_assert!(found[1] != found[2] && found[0] != found[1] && found[0] != found[2], "{conflict:?}");
                prop_assert!(found.iter().any(|value| value.is_none_or(|value| !value.starts_with('{'))), "{conflict:?}");
            }
        }

        #[test]
        fn any_key_is_found_by_its_pointer(outer in any::<String>(), inner in any::<String>()) {
            let within = object_text([(inner.as_str(), "7")].into_iter());
            let object = object_text([(outer.as_str(), within.as_str())].into_iter());
            let pointer = pointer_token(&outer) + &pointer_token(&inner);
            let object: Value = serde_json::from_str(&object).unwrap();
            prop_assert_eq!(object.pointer(&pointer), Some(&Value::from(7)));
            // Nothing else is a pointer's escape (RFC 6901).
            prop_assert!(pointer.replace("~0", "").replace("~1", "").find('~').is_none());
        }

        #[test]
        fn what_is_no_json_does_not_panic(texts in prop::collection::vec("[{}\\[\\]\":,a1\\\\é ]{0,12}", 3)) {
            let _ = merge("", Some(&texts[0]), Some(&texts[1]), Some(&texts[2]));
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
}

mod lists {
    use crate::pure::list::edit;
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

        /// Comparing by the tail is worth it or not done.
        #[test]
        fn never_costs_more_than_position_by_position(
            old in prop::collection::vec(0..3u8, 0..12), new in prop::collection::vec(0..3u8, 0..12)
        ) {
            let (_, cost) = applied(&old, &new);
            let differing = (0..old.len().max(new.len())).filter(|&i| old.get(i) != new.get(i)).count();
            prop_assert!(cost <= differing, "{cost} instead of {differing}");
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
    use crate::pure::definition::{Definition, Problems};
    use crate::pure::merge::pointer_token;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    fn parse(text: &str) -> (Definition, Problems) {
        crate::pure::definition::parse(text, || {})
    }

    /// Any JSON, with the words of a definition in it.
    fn any_json() -> impl Strategy<Value = Value> {
        let atom = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "(-?[0-9]{1,30}(\\.[0-9]{1,3})?(e-?[0-9]{1,4})?)"
                .prop_map(|number| serde_json::from_str(&number).unwrap_or(Value::Null)),
            any::<String>().prop_map(Value::from),
            "(a|b|loop|loop_body|loop_next|condition|condition-1|5 minutes|true)".prop_map(Value::from),
        ];
        let word = "(nodes|edges|variables|policy|id|type|data|maxCount|context|source|target|sourceHandle|schema|group|default|\
                    checkpoint|every|milestones|limits|loops|a|b)";
        atom.prop_recursive(5, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(word, inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    fn sound() -> Value {
        json!({
            "nodes": [{"id": "a", "type": "code"}, {"id": "L", "type": "loop", "data": {"maxCount": 3, "context": "loop"}},
                      {"id": "c", "type": "condition"}, {"id": "d", "type": "llm"}, {"id": "e", "type": "code"}],
            "edges": [{"source": "a", "target": "L"}, {"source": "L", "target": "c", "sourceHandle": "loop_body"},
                      {"source": "c", "target": "d", "sourceHandle": "condition-1"},
                      {"source": "d", "target": "L", "sourceHandle": "loop_next"}, {"source": "L", "target": "e"}],
            "variables": {"v": {"schema": {"type": "integer"}, "group": "g", "default": 1}, "x/y~z": {"default": null}},
            "policy": {"checkpoint": {"every": "5 minutes", "milestones": ["llm"], "before": [], "bytes": 10},
                       "limits": {"value_bytes": 1000, "payload_bytes": 1000}, "loops": {"default_max": 4, "tolerance": 2}},
        })
    }

    /// Every place in a value, as JSON Pointers.
    fn places(value: &Value, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(k, v)| places(v, &(path.to_owned() + &pointer_token(k)), found))
            }
            Value::Array(items) => items.iter().enumerate().for_each(|(i, v)| places(v, &format!("{path}/{i}"), found)),
            _ => {}
        }
    }

    fn fault() -> impl Strategy<Value = (&'static str, Value, &'static str)> {
        // Where, what is put there, and where that has to be named.
        prop::sample::select(vec![
            ("/nodes/0/type", json!(1), "/nodes/0/type"),
            ("/nodes/1/data/maxCount", json!(-1), "/nodes/1/data/maxCount"),
            ("/nodes/4/type", json!(""), "/nodes/4/type"),
            ("/edges/0/source", json!("nobody"), "/edges/0/source"),
            ("/edges/4/target", json!(null), "/edges/4/target"),
            ("/edges/4/sourceHandle", json!([]), "/edges/4/sourceHandle"),
            ("/variables/v/schema", json!("integer"), "/variables/v/schema"),
            ("/variables/v/group", json!("\u{1}"), "/variables/v/group"),
            ("/variables/x~1y~0z", json!(7), "/variables/x~1y~0z"),
            ("/policy/checkpoint/every", json!("1 month"), "/policy/checkpoint/every"),
            ("/policy/checkpoint/before", json!([1]), "/policy/checkpoint/before"),
            ("/policy/limits/value_bytes", json!(0), "/policy/limits/value_bytes"),
            ("/policy/loops/tolerance", json!(1.5), "/policy/loops/tolerance"),
            ("/policy/loops/defalt_max", json!(1), "/policy/loops/defalt_max"),
            ("/policy/rules", json!({}), "/policy/rules"),
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn nothing_makes_it_panic(value in any_json(), text in any::<String>()) {
            parse(&value.to_string());
            parse(&text);
            parse(&format!("{{{text}"));
        }

        /// Whatever is put at whatever place: no panic, every problem has its place in the definition, and a definition
        /// without problems keeps its graph as it was given.
        #[test]
        fn anything_anywhere_in_a_sound_one(at in any::<prop::sample::Index>(), value in any_json()) {
            let mut changed = sound();
            let mut paths = Vec::new();
            places(&changed, "", &mut paths);
            let place: &String = at.get(&paths);
            *changed.pointer_mut(place).unwrap() = value;
            let (definition, problems) = parse(&changed.to_string());
            for (path, _) in &problems {
                let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                prop_assert!(changed.pointer(path).or_else(|| changed.pointer(parent)).is_some(), "{path} is nowhere");
            }
            if problems.is_empty() {
                let given = |part: &str| changed.get(part).map(Value::to_string);
                prop_assert_eq!((definition.graph.nodes, definition.graph.edges), (given("nodes"), given("edges")));
            }
        }

        #[test]
        fn every_fault_is_listed(faults in prop::collection::vec(fault(), 0..8)) {
            let mut broken = sound();
            for (place, value, _) in &faults {
                let (parent, key) = place.rsplit_once('/').unwrap();
                match broken.pointer_mut(place) {
                    Some(there) => *there = value.clone(),
                    None => broken.pointer_mut(parent).unwrap()[key] = value.clone(),
                }
            }
            let listed: BTreeSet<String> = parse(&broken.to_string()).1.into_iter().map(|(path, _)| path).collect();
            for (_, _, path) in &faults {
                prop_assert!(listed.contains(*path), "{path} is missing in {listed:?}");
            }
            prop_assert_eq!(faults.is_empty(), listed.is_empty());
        }

        /// Against the plain meaning of both words: what can be reached, and a node that can be reached from itself.
        #[test]
        fn bodies_and_cycles(edges in prop::collection::vec((0..5usize, 0..5usize, 0..3usize), 0..9)) {
            let handles = ["", "loop_body", "loop_next"];
            let nodes: Vec<Value> = (0..5).map(|id| json!({"id": id.to_string(), "type": "loop"})).collect();
            let list: Vec<Value> = edges
                .iter()
                .map(|(from, to, handle)| {
                    json!({"source": from.to_string(), "target": to.to_string(), "sourceHandle": handles[*handle]})
                })
                .collect();
            let (definition, problems) = parse(&json!({"nodes": nodes, "edges": list}).to_string());
            let reached = |mut open: Vec<usize>| {
                let mut seen = BTreeSet::new();
                while let Some(node) = open.pop() {
                    if seen.insert(node) {
                        open.extend(edges.iter().filter(|(from, _, handle)| *from == node && *handle != 2).map(|(_, to, _)| to));
                    }
                }
                seen
            };
            let after = |node: usize, only: &[usize]| -> Vec<usize> {
                edges.iter().filter(|(from, _, handle)| *from == node && only.contains(handle)).map(|(_, to, _)| *to).collect()
            };
            for node in 0..5 {
                let name = node.to_string();
                let body: BTreeSet<usize> = definition.loop_body(&name).iter().map(|id| id.parse().unwrap()).collect();
                prop_assert_eq!(body, reached(after(node, &[1])));
            }
            let cycle = (0..5).any(|node| reached(after(node, &[0, 1])).contains(&node));
            prop_assert_eq!(problems.iter().any(|(_, message)| message.contains("cycle")), cycle);
            for (index, (from, to, handle)) in edges.iter().enumerate() {
                let outside = *handle == 2 && !reached(after(*to, &[1])).contains(from);
                let problem = (format!("/edges/{index}"), "loop_next must start inside the loop's body".to_owned());
                prop_assert_eq!(problems.contains(&problem), outside);
            }
        }
    }

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
            "/nodes/1/id: id must not be that of another node",
            "/nodes/2/id",
            "/nodes/3",
            "/edges/0/target: target must be a node that exists",
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
    use crate::pure::hash::{Hash, Link, cells_hash, hex, value_hash};
    use proptest::prelude::*;

    /// Texts between which a byte is easily moved from one field to the next, and that look like prefixes of fields.
    fn piece() -> impl Strategy<Value = String> {
        "[\u{0}\u{1}a]{0,2}"
    }

    /// The fields of a link that have no fixed length.
    type Fields = (Vec<String>, Vec<Option<String>>, i64);

    fn fields() -> impl Strategy<Value = Fields> {
        (prop::collection::vec(piece(), 3), prop::collection::vec(prop::option::of(piece()), 4), 0..2i64)
    }

    /// Two sets of fields: the second with one byte, or one NULL, somewhere else; or another one altogether.
    fn two() -> impl Strategy<Value = (Fields, Fields)> {
        let moved = (fields(), 0..7usize, 0..7usize).prop_map(|(fields, from, to)| {
            let (mut texts, mut options, number) = fields.clone();
            let octet = if from < 3 { texts[from].pop() } else { options[from - 3].as_mut().and_then(String::pop) };
            match (octet, to) {
                (Some(octet), 0..3) => texts[to].insert(0, octet),
                (Some(octet), _) => options[to - 3].get_or_insert_default().insert(0, octet),
                (None, 3..) => options[to - 3] = None,
                (None, _) => {}
            }
            (fields, (texts, options, number))
        });
        prop_oneof![moved, (fields(), fields())]
    }

    fn hash((texts, options, number): &Fields) -> Hash {
        Link {
            previous: [0; 32],
            run_id: &texts[0],
            version: *number,
            type_name: &texts[1],
            actor: &texts[2],
            on_behalf_of: options[0].as_deref(),
            at: 1 - *number,
            idempotency_key: options[1].as_deref(),
            checkpoint_kind: options[2].as_deref(),
            checkpoint_label: options[3].as_deref(),
            payload_hash: [0; 32],
            cells_hash: [0; 32],
        }
        .hash()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

        #[test]
        fn different_fields_never_give_the_same_octets((one, other) in two()) {
            prop_assert_eq!(hash(&one) == hash(&other), one == other);
        }

        #[test]
        fn different_cells_never_give_the_same_octets(
            one in prop::collection::vec((piece(), piece(), -1..2i64, prop::option::of(0..2u8)), 0..3),
            other in prop::collection::vec((piece(), piece(), -1..2i64, prop::option::of(0..2u8)), 0..3),
            swap in any::<bool>(),
        ) {
            // The same bytes in scope and key, divided otherwise.
            let other = if !swap { other } else {
                one.iter().map(|(scope, key, ordinal, hash)| {
                    let mut both = scope.clone() + key;
                    let key = both.split_off(both.len() / 2);
                    (both, key, *ordinal, *hash)
                }).collect()
            };
            let hash = |cells: &[(String, String, i64, Option<u8>)]| {
                cells_hash(cells.iter().map(|(scope, key, ordinal, hash)| {
                    (scope.as_str(), key.as_str(), *ordinal, hash.map(|h| [h; 32]))
                }))
            };
            prop_assert_eq!(hash(&one) == hash(&other), one == other);
        }
    }

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
    use crate::pure::definition::microseconds;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([0-9.e+-]{0,12} ?(s|min|h|weeks|us|é)? ?){0,3}", other in any::<String>()) {
            prop_assert!(microseconds(&text).is_none_or(|time| time > 0));
            prop_assert!(microseconds(&other).is_none_or(|time| time > 0));
        }
    }

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

mod values {
    use crate::pure::json::{is_json, value};
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    fn read(text: &str, levels: usize) -> Option<Value> {
        value(text, levels, || {})
    }

    fn nesting(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
            Value::Object(members) => 1 + members.values().map(nesting).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Made without serde, which takes objects with its own keys for something else.
    fn json() -> impl Strategy<Value = Value> {
        let key = || {
            prop_oneof![
                "[\\[{\"\\\\é🦀]{0,3}",
                Just("$serde_json::private::Number".to_owned()),
                Just("$serde_json::private::RawValue".to_owned()),
            ]
        };
        let number = "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?";
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::from),
            prop_oneof![Just("12"), Just("{\"ok\": true}"), Just("1e"), Just("")].prop_map(Value::from),
            number.prop_map(|number| Value::Number(number.parse().unwrap())),
            prop_oneof![Just(Value::Null), Just(Value::Bool(true)), Just(Value::Bool(false))],
        ];
        leaf.prop_recursive(6, 30, 3, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(key(), inner, 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn are_read_as_they_were_written(json in json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&json).unwrap() } else { json.to_string() };
            let levels = nesting(&json);
            prop_assert_eq!(read(&text, levels.wrapping_sub(1)).is_none(), levels > 0);
            prop_assert_eq!(read(&text, levels), Some(json));
            prop_assert!(is_json(&text));
        }

        #[test]
        fn nothing_else_is_read_than_by_serde(text in "[\\[\\]{}:,\"\\\\ue1-9.\n+-]{0,12}|[ -~é]{0,6}") {
            prop_assert_eq!(read(&text, 100), serde_json::from_str(&text).ok());
            prop_assert_eq!(read(&format!("[{text}]"), 100), serde_json::from_str(&format!("[{text}]")).ok());
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            read(&text, 10);
        }
    }

    #[test]
    fn an_object_is_one_whatever_its_keys() {
        for text in [
            r#"{"$serde_json::private::Number":"12"}"#,
            r#"{"$serde_json::private::Number":1}"#,
            r#"{"$serde_json::private::RawValue":"{\"ok\": true}"}"#,
            r#"[{"$serde_json::private::RawValue":"","a":1}]"#,
        ] {
            let value = read(text, 9).unwrap();
            assert!(value.is_object() || value[0].is_object(), "{text}");
            assert_eq!(value.to_string(), text);
            assert!(is_json(text));
        }
    }

    #[test]
    fn deeper_values_are_refused_before_anything_recursive_sees_them() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read(&nested(1024), 1024).is_some());
        assert!(read(&nested(1_000_000), 1024).is_none());
        assert!(is_json(&nested(100_000)));
    }
}

mod texts {
    use crate::pure::binary::{Server, root, text};
    use proptest::prelude::*;

    fn parsed(text: &str) -> Option<Vec<u8>> {
        crate::pure::binary::parsed(text, || {})
    }

    /// Reads numbers as PostgreSQL's numeric.c describes their short form.
    struct Decimal;

    impl Server for Decimal {
        fn number(&mut self, numeric: &[u8], out: &mut Vec<u8>) -> Option<()> {
            let size = u32::from_ne_bytes(numeric[..4].try_into().unwrap());
            assert_eq!(if cfg!(target_endian = "little") { size >> 2 } else { size } as usize, numeric.len());
            let words: Vec<u16> = numeric[4..].chunks(2).map(|two| u16::from_ne_bytes([two[0], two[1]])).collect();
            let (header, digits) = words.split_first().unwrap();
            assert_eq!(header >> 14, 2, "the short form");
            assert!(digits.first() != Some(&0) && digits.last() != Some(&0), "no zeros at the ends");
            let scale = usize::from(header >> 7 & 0x3F);
            let weight = i32::from(header & 0x3F) - if header & 0x40 != 0 { 64 } else { 0 };
            // Groups of four digits from the highest one that is not nothing, or the last before the point, on.
            let group = |at: i32| usize::try_from(weight - at).ok().and_then(|i| digits.get(i)).copied().unwrap_or(0);
            let whole: String = (0..=weight.max(0)).rev().map(|at| format!("{:04}", group(at))).collect();
            let fraction: String = (1..=16).map(|at| format!("{:04}", group(-at))).collect();
            let whole = whole.trim_start_matches('0');
            let text = format!("{}{}", if whole.is_empty() { "0" } else { whole }, if scale > 0 { "." } else { "" });
            out.extend_from_slice(if header & 0x2000 != 0 { b"-" } else { b"" });
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(&fraction.as_bytes()[..scale]);
            Some(())
        }

        fn pause(&mut self) {}
    }

    fn round(json: &str) -> Option<String> {
        let octets = parsed(json)?;
        let mut out = Vec::new();
        text(root(&octets).unwrap(), &mut Decimal, &mut out).unwrap();
        Some(String::from_utf8(out).unwrap())
    }

    /// Of jsonb's text: sorted by length, then bytes, with its blanks.
    fn json() -> impl Strategy<Value = String> {
        let string =
            || "[ -~é🦀\n\t\u{8}\u{c}\r\u{1}\u{1f}\u{7f}]{0,40}".prop_map(|text| serde_json::to_string(&text).unwrap());
        let number = "(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?".prop_flat_map(|number| {
            let zero = number.bytes().all(|octet| matches!(octet, b'0' | b'.'));
            prop_oneof![Just(number.clone()), Just(if zero { number } else { format!("-{number}") })]
        });
        let leaf = prop_oneof![string(), number, Just("true".into()), Just("false".into()), Just("null".to_owned())];
        leaf.prop_recursive(5, 200, 40, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..40).prop_map(|elements| format!("[{}]", elements.join(", "))),
                prop::collection::btree_map(string(), inner, 0..40).prop_map(|members| {
                    let mut members: Vec<_> = members.into_iter().collect();
                    members.sort_by_key(|(name, _)| {
                        let name: String = serde_json::from_str(name).unwrap();
                        (name.len(), name)
                    });
                    let members: Vec<_> = members.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
                    format!("{{{}}}", members.join(", "))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_jsonb_writes_is_read_and_written_as_it_was(json in json()) {
            prop_assert_eq!(round(&json), Some(json));
        }

        #[test]
        fn what_is_read_is_json(text in "[\\[\\]{}\",:0-2.eE+ \\\\untrulefas-]{0,24}") {
            if let Some(back) = round(&text) {
                let [ours, theirs] = [&back, &text].map(|text| serde_json::from_str::<serde_json::Value>(text));
                prop_assert_eq!(ours.unwrap(), theirs.unwrap());
            }
        }
    }

    #[test]
    fn what_is_odd_is_left_to_the_server() {
        for odd in [
            "",
            " ",
            "01",
            "-",
            "1.",
            ".5",
            "1e5",
            "1E5",
            "1.5e1",
            "+1",
            "--1",
            "[1,]",
            "[,1]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            "[1 2]",
            "[1",
            "1]",
            "{\"a\":1,\"a\":2}",
            r#""\u0000""#,
            r#""\u0041""#,
            r#""\ud83e\udd80""#,
            r#""\x""#,
            "\"a",
            "\"\n\"",
            "\t1",
            "nul",
            "truex",
            "NaN",
            "[1]]",
        ] {
            assert_eq!(parsed(odd), None, "{odd}");
        }
        assert_eq!(parsed(&format!("{}1{}", "[".repeat(100), "]".repeat(100))), None);
        assert_eq!(round(" [ 1 , -0, 0.10, -0.0 ] ").as_deref(), Some("[1, 0, 0.10, 0.0]"));
        assert_eq!(
            round("[0.00001, 10000, 120000000, -1.0001]").as_deref(),
            Some("[0.00001, 10000, 120000000, -1.0001]")
        );
    }
}

mod deltas {
    use crate::pure::delta;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn apply(base: &[u8], patches: &[&[u8]]) -> Option<Vec<u8>> {
        delta::apply(base, patches, || {})
    }

    fn diff(old: &[u8], new: &[u8], limit: usize) -> Option<Vec<u8>> {
        delta::diff(old, new, limit, || {})
    }

    /// jsonb's binary form, made as PostgreSQL's own convertJsonbValue makes it; a number is its text.
    fn binary(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        if value.is_array() || value.is_object() {
            convert(&mut out, value);
        } else {
            out.extend(0x5000_0001_u32.to_ne_bytes());
            children(&mut out, &[value]);
        }
        out
    }

    fn pad(out: &mut Vec<u8>) {
        while !out.len().is_multiple_of(4) {
            out.push(0);
        }
    }

    fn convert(out: &mut Vec<u8>, value: &Value) -> u32 {
        match value {
            Value::String(string) => out.extend(string.as_bytes()),
            Value::Number(number) => {
                pad(out);
                out.extend(number.to_string().as_bytes());
                return 0x1000_0000;
            }
            Value::Bool(false) => return 0x2000_0000,
            Value::Bool(true) => return 0x3000_0000,
            Value::Null => return 0x4000_0000,
            Value::Array(array) => {
                pad(out);
                out.extend((0x4000_0000 | array.len() as u32).to_ne_bytes());
                children(out, &array.iter().collect::<Vec<_>>());
                return 0x5000_0000;
            }
            Value::Object(object) => {
                pad(out);
                out.extend((0x2000_0000 | object.len() as u32).to_ne_bytes());
                let mut members: Vec<_> = object.iter().collect();
                members.sort_by_key(|(key, _)| (key.len(), key.as_bytes().to_vec()));
                let keys: Vec<Value> = members.iter().map(|(key, _)| json!(key)).collect();
                children(out, &keys.iter().chain(members.iter().map(|(_, value)| *value)).collect::<Vec<_>>());
                return 0x5000_0000;
            }
        }
        0
    }

    fn children(out: &mut Vec<u8>, children: &[&Value]) {
        let entries = out.len();
        out.resize(entries + 4 * children.len(), 0);
        let data = out.len();
        for (i, child) in children.iter().enumerate() {
            let before = out.len();
            let kind = convert(out, child);
            let entry = if i % 32 == 0 { 0x8000_0000 | (out.len() - data) as u32 } else { (out.len() - before) as u32 };
            out[entries + 4 * i..entries + 4 * i + 4].copy_from_slice(&(kind | entry).to_ne_bytes());
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let atom = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..1000u32).prop_map(Value::from),
            "[ab é🦀\"]{0,5}".prop_map(Value::from),
            "[ab é🦀\"]{60,120}".prop_map(Value::from),
        ];
        atom.prop_recursive(5, 200, 40, |inner| {
            prop_oneof![
                prop::collection::btree_map("[abé]{0,4}", inner.clone(), 0..40)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
                prop::collection::vec(inner, 0..40).prop_map(Value::from),
            ]
        })
    }

    /// One change at some place of a value: of the kinds that programs make.
    fn edit(value: &mut Value, at: &[prop::sample::Index], kind: u8, to: Value) {
        if let Some((first, rest)) = at.split_first() {
            match value {
                Value::Array(array) if !array.is_empty() => {
                    let index = first.index(array.len());
                    match (kind % 6, rest.is_empty()) {
                        (0, true) => array.push(to),
                        (1, true) => drop(array.drain(..index)),
                        (2, true) => array.truncate(index),
                        (3, true) => array.insert(index, to),
                        (4, true) => drop(array.remove(index)),
                        _ => edit(&mut array[index], rest, kind, to),
                    }
                    return;
                }
                Value::Object(object) if !object.is_empty() => {
                    let key = object.keys().nth(first.index(object.len())).unwrap().clone();
                    match (kind % 3, rest.is_empty()) {
                        (0, true) => drop(object.remove(&key)),
                        (1, true) => drop(object.insert(format!("{key}é"), to)),
                        _ => edit(object.get_mut(&key).unwrap(), rest, kind, to),
                    }
                    return;
                }
                Value::String(string) => {
                    let cut = (0..=first.index(string.len() + 1)).rev().find(|cut| string.is_char_boundary(*cut));
                    let cut = cut.unwrap();
                    match kind % 4 {
                        0 => string.push_str("ééa"),
                        1 => string.truncate(cut),
                        2 => string.insert_str(cut, "🦀b"),
                        _ => drop(string.drain(..cut)),
                    }
                    return;
                }
                _ => {}
            }
        }
        *value = to;
    }

    fn edits() -> impl Strategy<Value = Vec<Value>> {
        let edit_of = (prop::collection::vec(any::<prop::sample::Index>(), 0..5), any::<u8>(), json());
        (json(), prop::collection::vec(edit_of, 1..8)).prop_map(|(first, edits)| {
            let mut values = vec![first];
            for (at, kind, to) in edits {
                let mut value = values.last().unwrap().clone();
                edit(&mut value, &at, kind, to);
                values.push(value);
            }
            values
        })
    }

    fn patch(old: &Value, new: &Value) -> Option<Vec<u8>> {
        diff(&binary(old), &binary(new), usize::MAX)
    }

    fn text(octets: &[u8]) -> String {
        String::from_utf8_lossy(octets).into_owned()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn patches_lead_from_any_value_to_any_other(old in json(), new in json()) {
            if let Some(patch) = patch(&old, &new) {
                prop_assert_eq!(apply(&binary(&old), &[&patch]), Some(binary(&new)));
            }
        }

        #[test]
        fn a_chain_of_patches_leads_to_the_last_value(values in edits()) {
            let mut base = binary(&values[0]);
            let mut chain: Vec<Vec<u8>> = Vec::new();
            for pair in values.windows(2) {
                match patch(&pair[0], &pair[1]) {
                    Some(patch) => chain.push(patch),
                    None => (base, chain) = (binary(&pair[1]), Vec::new()),
                }
                let patches: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
                prop_assert_eq!(apply(&base, &patches), Some(binary(&pair[1])));
            }
        }

        #[test]
        fn no_patch_is_longer_than_its_limit(values in edits(), limit in 0..500usize) {
            let (old, new) = (binary(&values[0]), binary(&values[1]));
            if let Some(patch) = diff(&old, &new, limit) {
                prop_assert!(patch.len() <= limit);
                prop_assert_eq!(apply(&old, &[&patch]), Some(new));
            }
        }

        #[test]
        fn a_patch_on_another_value_gives_a_value_or_nothing(a in edits(), b in edits()) {
            // Whatever comes out is what jsonb can be: it is read again, and changed by a delta to something else.
            if let Some(patch) = patch(&a[0], &a[1])
                && let Some(odd) = apply(&binary(&b[0]), &[&patch])
                && let Some(back) = diff(&odd, &binary(&b[1]), usize::MAX)
            {
                prop_assert_eq!(apply(&odd, &[&back]), Some(binary(&b[1])));
            }
        }

        #[test]
        fn octets_that_are_no_jsonb_are_refused_or_patched_but_never_panic(
            old in json(), new in json(), at in any::<prop::sample::Index>(), octet in any::<u8>(),
        ) {
            let (old, new) = (binary(&old), binary(&new));
            if let Some(mut patch) = diff(&old, &new, usize::MAX) {
                let at = at.index(patch.len());
                patch[at] = octet;
                let _ = apply(&old, &[&patch]);
                let mut broken = old.clone();
                let at = at % broken.len();
                broken[at] = octet;
                let _ = diff(&broken, &new, usize::MAX);
                let _ = apply(&broken, &[&patch]);
            }
        }
    }

    /// Bytes 0x80 to 0xBF begin no character.
    #[test]
    fn a_string_that_begins_in_the_middle_of_a_character_is_refused_or_patched() {
        let (old, new) = (binary(&json!(["x".repeat(100)])), binary(&json!(["y".repeat(100)])));
        let first = old.iter().position(|octet| *octet == b'x').unwrap();
        for (broken, other) in [(&old, &new), (&new, &old)] {
            let mut broken = broken.clone();
            broken[first] = 0x80;
            for patch in [diff(&broken, other, usize::MAX), diff(other, &broken, usize::MAX)].into_iter().flatten() {
                let _ = (apply(&broken, &[&patch]), apply(other, &[&patch]));
            }
        }
    }

    fn messages(from: usize, to: usize) -> Value {
        (from..to).map(|i| json!({"role": "user", "content": format!("{i} {}", "x".repeat(200)), "n": i})).collect()
    }

    #[test]
    fn what_programs_do_to_large_values_is_stored_as_what_changed() {
        let list = messages(0, 100);
        let wrapped = |list: &Value| json!({"messages": list, "step": 1, "config": messages(500, 520)});
        let mut changed = list.clone();
        changed[50]["content"] = json!(format!("50 {}!", "x".repeat(200)));
        let mut inserted = list.clone();
        inserted.as_array_mut().unwrap().insert(30, json!("new"));
        let mut scattered = list.clone();
        for i in [3, 40, 80] {
            scattered[i]["n"] = json!(1_000_000);
        }
        let text = "é".repeat(10_000);
        let cases = [
            ("append", list.clone(), messages(0, 101), 330),
            ("append in an object", wrapped(&list), wrapped(&messages(0, 101)), 400),
            ("the same", list.clone(), list.clone(), 50),
            ("truncate", list.clone(), messages(0, 80), 50),
            ("empty", list.clone(), json!([]), 50),
            ("lose the head", list.clone(), messages(20, 100), 50),
            ("slide", list.clone(), messages(1, 101), 350),
            ("insert in the middle", list.clone(), inserted.clone(), 100),
            ("remove from the middle", inserted, list.clone(), 60),
            ("change one", list.clone(), changed, 120),
            ("change some", list.clone(), scattered, 300),
            ("append to a string", json!(text), json!(format!("{text}new")), 60),
            ("cut a string", json!(text), json!("é".repeat(5_000)), 60),
            (
                "add a member",
                wrapped(&list),
                json!({"messages": list, "step": 1, "config": messages(500, 520), "a": 1}),
                80,
            ),
            ("remove a member", wrapped(&list), json!({"messages": list, "step": 1}), 60),
        ];
        for (what, old, new, limit) in cases {
            let patch = patch(&old, &new).expect(what);
            assert!(patch.len() <= limit, "{what}: {} octets: {}", patch.len(), text_of(&patch));
            assert_eq!(apply(&binary(&old), &[&patch]), Some(binary(&new)), "{what}");
        }
        fn text_of(octets: &[u8]) -> String {
            super::deltas::text(octets)
        }
    }

    #[test]
    fn changes_far_below_the_root_are_stored_whole_not_refused() {
        let nested = |leaf: &str| (0..200).fold(json!(leaf.repeat(200)), |value, _| json!([value, "x".repeat(30)]));
        let (old, new) = (nested("a"), nested("b"));
        let patch = patch(&old, &new).unwrap();
        assert_eq!(apply(&binary(&old), &[&patch]), Some(binary(&new)));
    }

    #[test]
    fn values_of_different_types_have_no_patch() {
        for (old, new) in
            [(json!([1]), json!({"a": 1})), (json!("a"), json!(["a"])), (json!(1), json!(2)), (json!(null), json!("a"))]
        {
            assert_eq!(patch(&old, &new), None);
        }
    }
}

mod progressing {
    use crate::pure::definition::Definition;
    use crate::pure::progress::{Status, Turn, resume_points};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const TYPES: [&str; 3] = ["code", "condition", "loop"];
    const STATUSES: [Status; 6] =
        [Status::Pending, Status::Running, Status::Lost, Status::Failed, Status::Completed, Status::Skipped];
    const TURNS: [Option<Turn>; 4] = [None, Some(Turn::Entered), Some(Turn::Iterates), Some(Turn::Over)];

    fn definition(types: &[&str], edges: &[(usize, usize, &str)]) -> Definition {
        let node = |(number, type_): (usize, &&str)| json!({"id": format!("{number:06}"), "type": type_});
        let edge = |(from, to, handle): &(usize, usize, &str)| json!({"source": format!("{from:06}"), "target": format!("{to:06}"), "sourceHandle": handle});
        let nodes: Vec<Value> = types.iter().enumerate().map(node).collect();
        let edges: Vec<Value> = edges.iter().map(edge).collect();
        crate::pure::definition::parse(&json!({"nodes": nodes, "edges": edges}).to_string(), || {}).0
    }

    fn points(definition: &Definition, status: &[Status], turn: &[Option<Turn>]) -> Vec<usize> {
        let number = |id: &str| id.parse::<usize>().unwrap();
        let topology = definition.topology(|| {});
        let found = resume_points(definition, &topology, |id| status[number(id)], |id| turn[number(id)], || {});
        found.into_iter().map(number).collect()
    }

    /// The rules, word for word, without a thought of what that costs.
    struct Rules<'a> {
        types: &'a [&'a str],
        edges: Vec<(usize, usize, &'a str)>,
        status: &'a [Status],
        turn: &'a [Option<Turn>],
        definition: &'a Definition,
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Edge {
        LeadsOn,
        Waits,
        NotTaken,
        LoopIsDone,
    }

    impl Rules<'_> {
        fn body(&self, node: usize) -> Vec<usize> {
            if self.types[node] != "loop" {
                return Vec::new();
            }
            self.definition.loop_body(&format!("{node:06}")).into_iter().map(|id| id.parse().unwrap()).collect()
        }

        fn turn(&self, node: usize) -> Option<Turn> {
            let ended = |node: &usize| matches!(self.status[*node], Status::Completed | Status::Failed | Status::Lost);
            self.turn[node].or_else(|| self.body(node).iter().any(ended).then_some(Turn::Iterates))
        }

        fn incoming(&self, node: usize) -> Vec<(usize, Edge)> {
            let leading = self.edges.iter().filter(|(_, to, _)| *to == node);
            leading.map(|(from, _, handle)| (*from, self.edge(*from, handle))).collect()
        }

        fn together(&self, node: usize) -> Option<Edge> {
            let edges = self.incoming(node);
            [Edge::Waits, Edge::LeadsOn, Edge::NotTaken, Edge::LoopIsDone]
                .into_iter()
                .find(|kind| edges.iter().any(|(_, edge)| edge == kind))
        }

        fn is_done(&self, node: usize) -> bool {
            matches!(self.status[node], Status::Completed | Status::Skipped)
                || self.status[node] == Status::Pending && self.turn(node) == Some(Turn::Over)
        }

        fn edge(&self, from: usize, handle: &str) -> Edge {
            let together = self.together(from).unwrap_or(Edge::LeadsOn);
            let onward = if together == Edge::LoopIsDone {
                Edge::LoopIsDone
            } else if self.status[from] == Status::Skipped {
                let leading: Vec<usize> = self
                    .incoming(from)
                    .into_iter()
                    .filter(|(_, edge)| *edge == Edge::LeadsOn)
                    .map(|(from, _)| from)
                    .collect();
                let only_conditions =
                    !leading.is_empty() && leading.iter().all(|node| self.types[*node] == "condition");
                if together == Edge::LeadsOn && only_conditions { Edge::NotTaken } else { together }
            } else if self.is_done(from) {
                Edge::LeadsOn
            } else if self.status[from] == Status::Pending && together == Edge::NotTaken {
                Edge::NotTaken
            } else {
                Edge::Waits
            };
            if handle != "loop_body" || self.types[from] != "loop" {
                return onward;
            }
            match self.turn(from) {
                _ if self.is_done(from) || onward == Edge::LoopIsDone => Edge::LoopIsDone,
                Some(Turn::Over) => Edge::LoopIsDone,
                Some(Turn::Iterates) if together == Edge::LeadsOn => Edge::LeadsOn,
                _ => onward,
            }
        }

        fn is_point(&self, node: usize) -> bool {
            let together = self.together(node).unwrap_or(Edge::LeadsOn);
            match (self.status[node], self.turn(node)) {
                (Status::Lost, _) => true,
                (Status::Failed, _) => together != Edge::LoopIsDone,
                (Status::Pending, None) => together == Edge::LeadsOn,
                (Status::Pending, Some(Turn::Entered)) => together == Edge::LeadsOn,
                (Status::Pending, Some(Turn::Iterates)) => {
                    let busy = |node: &usize| self.status[*node] == Status::Running || self.is_point(*node);
                    together == Edge::LeadsOn && !self.body(node).iter().any(busy)
                }
                _ => false,
            }
        }
    }

    /// Types and edges of a graph, statuses and loops of a run.
    type Run = (Vec<&'static str>, Vec<(usize, usize, &'static str)>, Vec<Status>, Vec<Option<Turn>>);

    fn run() -> impl Strategy<Value = Run> {
        (1usize..9).prop_flat_map(|size| {
            let types = prop::collection::vec(prop::sample::select(TYPES.to_vec()), size);
            let edge = (0..size, 0..size, prop::sample::select(vec!["", "", "loop_body", "loop_next"]));
            let edges = prop::collection::vec(edge, 0..2 * size);
            let status = prop::collection::vec(prop::sample::select(STATUSES.to_vec()), size);
            let turn = prop::collection::vec(prop::sample::select(TURNS.to_vec()), size);
            (types, edges, status, turn)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        #[test]
        fn is_what_the_rules_say((types, edges, status, turn) in run()) {
            // Without cycles: edges lead to higher numbers.
            let edges: Vec<_> = edges.into_iter().filter(|(from, to, handle)| *handle == "loop_next" || from < to).collect();
            let turn: Vec<_> = turn.into_iter().zip(&types).map(|(turn, type_)| turn.filter(|_| *type_ == "loop")).collect();
            let definition = definition(&types, &edges);
            let forward = edges.into_iter().filter(|(_, _, handle)| *handle != "loop_next").collect();
            let rules = Rules { types: &types, edges: forward, status: &status, turn: &turn, definition: &definition };
            let expected: Vec<usize> = (0..types.len()).filter(|node| rules.is_point(*node)).collect();
            prop_assert_eq!(points(&definition, &status, &turn), expected);
        }

        /// A saved document may have cycles, and loops that are none: a run on such a graph goes on somewhere until all is done.
        #[test]
        fn no_graph_is_a_dead_end((types, edges, _, _) in run()) {
            let definition = definition(&types, &edges);
            let mut status = vec![Status::Pending; types.len()];
            let mut turn = vec![None; types.len()];
            for _ in 0..3 * types.len() {
                let Some(next) = points(&definition, &status, &turn).first().copied() else { break };
                if types[next] == "loop" && turn[next].is_none() {
                    turn[next] = Some(Turn::Iterates);
                } else {
                    status[next] = Status::Completed;
                }
            }
            prop_assert!(points(&definition, &status, &turn).is_empty());
            let inside = |node: &str| definition.nodes.keys().any(|id| definition.is_loop(id) && definition.loop_body(id).contains(node));
            for (node, status) in status.iter().enumerate() {
                prop_assert!(*status == Status::Completed || inside(&format!("{node:06}")), "{node} was left out");
            }
        }

        /// The bodies of many loops at once are the bodies of each.
        #[test]
        fn bodies_of_many_loops((types, edges, _, _) in run()) {
            let definition = definition(&types, &edges);
            let topology = definition.topology(|| {});
            let pairs: Vec<_> = (0..types.len()).flat_map(|a| (0..types.len()).map(move |b| (a, b))).filter(|(a, _)| types[*a] == "loop").collect();
            let inside = |(a, b): &(usize, usize)| definition.loop_body(&format!("{a:06}")).contains(format!("{b:06}").as_str());
            let expected: Vec<bool> = pairs.iter().map(inside).collect();
            prop_assert_eq!(topology.are_inside(&pairs, || {}), expected);
        }
    }
}

mod html {
    use crate::pure::html::{cut, difference, escaped};
    use proptest::prelude::*;

    #[test]
    fn what_could_mean_something_is_a_code_and_what_cannot_be_seen_is_told() {
        assert_eq!(escaped("<script a='b' c=\"d\">&amp;"), "&lt;script a=&#39;b&#39; c=&#34;d&#34;&gt;&amp;amp;");
        assert_eq!(
            escaped("a\u{0}b\u{7f}c\u{202e}d\u{feff}\u{2066}\r"),
            "a\\u0000b\\u007fc\\u202ed\\ufeff\\u2066\\u000d"
        );
        assert_eq!(escaped("\u{e9}\u{6f6e}\u{1f30a}\n\t"), "&#233;&#28526;&#127754;\n\t");
    }

    /// As a browser reads it.
    fn unescaped(html: &str) -> String {
        let mut out = String::new();
        let mut rest = html;
        while let Some((before, after)) = rest.split_once('&') {
            out.push_str(before);
            let (name, after) = after.split_once(';').unwrap();
            out.push(match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                code => char::from_u32(code.strip_prefix('#').unwrap().parse().unwrap()).unwrap(),
            });
            rest = after;
        }
        out + rest
    }

    proptest! {
        #[test]
        fn nothing_is_markup_and_what_can_be_seen_comes_back(text in any::<String>()) {
            let html = escaped(&text);
            prop_assert!(html.is_ascii() && !html.contains(['<', '>', '"', '\'']));
            prop_assert!(html.chars().all(|char| char == '\n' || char == '\t' || (' '..='~').contains(&char)));
            if !text.chars().any(crate::pure::html::is_hidden) {
                prop_assert_eq!(unescaped(&html), text);
            }
        }

        #[test]
        fn a_cut_text_is_a_beginning_that_is_short_enough(text in any::<String>(), most in 0usize..200) {
            let (shown, is_cut) = cut(&text, most);
            prop_assert!(text.starts_with(shown) && escaped(shown).len() <= most);
            prop_assert_eq!(is_cut, shown.len() < text.len());
        }

        #[test]
        fn a_difference_is_the_shortest_between_what_both_have(
            start in "[ab\u{6f6e}]{0,5}", one in "[ab\u{6f6e}]{0,5}", other in "[ab\u{6f6e}]{0,5}", end in "[ab\u{6f6e}]{0,5}",
        ) {
            let (before, after) = (format!("{start}{one}{end}"), format!("{start}{other}{end}"));
            let [same, new, rest] = difference(&before, &after);
            prop_assert_eq!([same, new, rest].concat(), after.as_str());
            prop_assert!(before.starts_with(same) && before[same.len()..].ends_with(rest) && new.len() <= other.len());
        }
    }
}

mod layouts {
    use crate::pure::layout::{Edge, Line, Place, draw};
    use proptest::prelude::*;

    fn inside(inner: &Place, outer: &Place) -> bool {
        inner.x >= outer.x
            && inner.y >= outer.y
            && inner.x + inner.width <= outer.x + outer.width
            && inner.y + inner.height <= outer.y + outer.height
    }

    fn apart(a: &Place, b: &Place) -> bool {
        a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
    }

    /// Each node is in the body of one with a lower number, or of none; edges lead anywhere.
    #[allow(clippy::type_complexity)]
    fn graphs() -> impl Strategy<Value = (Vec<Option<usize>>, Vec<(usize, usize, bool)>)> {
        (1usize..24).prop_flat_map(|nodes| {
            let parents: Vec<_> = (0..nodes)
                .map(|node| {
                    prop::option::weighted(0.4, 0..node.max(1)).prop_map(move |parent| parent.filter(|_| node > 0))
                })
                .collect();
            (parents, prop::collection::vec((0..nodes, 0..nodes, any::<bool>()), 0..40))
        })
    }

    proptest! {
        #[test]
        fn nothing_overlaps_bodies_are_in_their_boxes_and_lines_begin_and_end_where_they_should((parents, edges) in graphs()) {
            let edges: Vec<Edge> = edges.into_iter().map(|(from, to, back)| Edge { from, to, back }).collect();
            let drawing = draw(&parents, &edges, || {});
            let all = Place { x: 0, y: 0, width: drawing.size.0, height: drawing.size.1 };
            for (number, place) in drawing.nodes.iter().enumerate() {
                prop_assert!(inside(place, &all), "{number}: {place:?} in {all:?}");
                for other in &drawing.nodes[..number] {
                    prop_assert!(apart(place, other));
                }
                for (node, _, outer) in &drawing.boxes {
                    let mut group = Some(number);
                    let within = std::iter::from_fn(|| { let now = group?; group = parents[now]; Some(now) }).any(|n| n == *node);
                    prop_assert_eq!(within, inside(place, outer));
                    prop_assert!(within || apart(place, outer));
                }
            }
            prop_assert_eq!(drawing.lines.len(), edges.len());
            for (edge, line) in edges.iter().zip(&drawing.lines) {
                match line {
                    Line::Down(points) => {
                        prop_assert!(!edge.back && points.len() >= 2);
                        prop_assert!(points.windows(2).all(|pair| pair[0].1 <= pair[1].1), "it leads down: {points:?}");
                    }
                    Line::Back { column, from, to } => prop_assert!(*column > from.0.max(to.0) && *column <= all.width),
                }
            }
        }
    }

    #[test]
    fn a_chain_is_a_column_and_a_long_edge_passes_beside_it() {
        let edge = |from, to| Edge { from, to, back: false };
        let drawing = draw(&[None; 4], &[edge(0, 1), edge(1, 2), edge(2, 3), edge(0, 3)], || {});
        assert!(drawing.nodes.windows(2).all(|pair| pair[0].y + pair[0].height < pair[1].y));
        let Line::Down(points) = &drawing.lines[3] else { panic!("it leads down") };
        for (x, y) in &points[1..points.len() - 1] {
            assert!(drawing.nodes[1..3].iter().all(|node| apart(node, &Place { x: *x, y: *y, width: 0, height: 0 })));
        }
    }

    #[test]
    fn it_takes_time_in_proportion() {
        let ticks = |count: usize| {
            thread_local!(static TICKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });
            TICKS.set(0);
            let edges: Vec<Edge> = (1..count).map(|to| Edge { from: to / 2, to, back: false }).collect();
            draw(&vec![None; count], &edges, || TICKS.set(TICKS.get() + 1));
            TICKS.get()
        };
        assert!(ticks(4000) < 20 * ticks(400));
    }
}

mod pictures {
    use crate::pure::definition::parse;
    use crate::pure::picture::{Node, Picture, State};
    use std::collections::BTreeMap;

    const GRAPH: &str = r#"{"nodes": [{"id": "plan", "type": "agent"}, {"id": "outer", "type": "loop"}, {"id": "inner", "type": "loop"},
        {"id": "a \"b\" <c>", "type": "tool"}, {"id": "end", "type": "tool"}],
        "edges": [{"source": "plan", "target": "outer"}, {"source": "outer", "target": "inner", "sourceHandle": "loop_body"},
        {"source": "inner", "target": "a \"b\" <c>", "sourceHandle": "loop_body"},
        {"source": "a \"b\" <c>", "target": "inner", "sourceHandle": "loop_next"},
        {"source": "inner", "target": "outer", "sourceHandle": "loop_next"}, {"source": "outer", "target": "end"}]}"#;

    fn known() -> BTreeMap<String, Node> {
        let node = |state| Node { state, ..Node::default() };
        let plan = Node { took: Some(2_300_000), times: 2, attempt: Some(3), ..node(State::Completed) };
        let outer = Node { index: Some("1".into()), bound: Some("3".into()), ..node(State::Pending) };
        let end = Node { waits: Some("alice".into()), ..Node::default() };
        let of_no_graph = Node { error: Some("no\nroute".into()), worker: Some("w".into()), ..node(State::Failed) };
        [("plan", plan), ("outer", outer), ("end", end), ("stray", of_no_graph)]
            .map(|(id, node)| (id.to_owned(), node))
            .into()
    }

    #[test]
    fn lines_of_text_have_a_node_each_and_bodies_indented() {
        let (definition, _) = parse(GRAPH, || {});
        let picture = Picture::new(&definition, known(), || {});
        assert_eq!(
            picture.lines(|| {}),
            [
                "[x] plan (agent): completed, 2 times, attempt 3, 2.3 s  -> outer",
                "[ ] outer (loop): pending, iteration 1 of 3  -> inner, end",
                "    [ ] inner (loop): pending  -> a \"b\" <c>, loop_next: outer",
                "        [ ] a \"b\" <c> (tool): pending  -> loop_next: inner",
                "[ ] end (tool): pending, waits for alice",
                "[!] stray: failed, error no route",
            ]
        );
        assert_eq!(picture.summary(), "6 nodes: 4 pending, 1 completed, 1 failed");
    }

    #[test]
    fn a_flowchart_has_subgraphs_that_end_and_no_text_that_means_something() {
        let (definition, _) = parse(GRAPH, || {});
        let text = Picture::new(&definition, known(), || {}).mermaid(|| {});
        assert!(text.is_ascii() && text.starts_with("flowchart TD\n"));
        assert_eq!(text.matches("subgraph ").count(), 2);
        assert_eq!(text.lines().filter(|line| line.trim() == "end").count(), 2);
        assert!(text.contains("[\"a #34;b#34; #60;c#62;<br/>pending\"]:::pending"), "{text}");
        assert_eq!(text.matches("-.->").count(), 2);
        assert_eq!(text.matches(" --> ").count() + text.matches(" -->|").count(), 4);
    }

    #[test]
    fn a_drawing_has_each_node_and_box_and_line() {
        let (definition, _) = parse(GRAPH, || {});
        let picture = Picture::new(&definition, known(), || {});
        let svg = picture.svg(|| {});
        assert_eq!(svg.matches("<g class=\"n ").count(), 6);
        assert_eq!(svg.matches("<rect class=\"box").count(), 2);
        assert_eq!(svg.matches("<path class=").count(), 6);
        assert!(svg.contains("a &#34;b&#34; &lt;c&gt;") && !svg.contains("<c>"));
    }

    #[test]
    fn a_graph_that_is_too_large_is_not_drawn_and_still_told() {
        let nodes: Vec<String> = (0..5000).map(|n| format!("{{\"id\": \"n{n}\", \"type\": \"tool\"}}")).collect();
        let edges: Vec<String> =
            (1..5000).map(|n| format!("{{\"source\": \"n{}\", \"target\": \"n{n}\"}}", n - 1)).collect();
        let text = format!("{{\"nodes\": [{}], \"edges\": [{}]}}", nodes.join(","), edges.join(","));
        let (definition, _) = parse(&text, || {});
        let picture = Picture::new(&definition, BTreeMap::new(), || {});
        assert!(!picture.is_drawn());
        assert_eq!(picture.lines(|| {}).len(), 5000);
    }
}

mod reports {
    use crate::pure::report::{Value, undone};
    use proptest::prelude::*;

    #[test]
    fn what_is_undone_is_what_no_way_back_from_the_head_meets() {
        assert_eq!(undone(9, &[]), []);
        assert_eq!(undone(9, &[(6, 3)]), [(4, 5, 6)]);
        // A rollback that goes back to what another one undid brings it back.
        assert_eq!(undone(9, &[(6, 3), (8, 5)]), [(6, 7, 8)]);
        assert_eq!(undone(9, &[(4, 3), (9, 8)]), []);
    }

    proptest! {
        #[test]
        fn undone_is_what_following_the_log_backwards_passes_over(steps in prop::collection::vec(prop::option::of(1i64..40), 1..40)) {
            let steps: Vec<Option<i64>> = steps.iter().enumerate().map(|(at, to)| to.filter(|to| *to <= at as i64)).collect();
            let head = steps.len() as i64;
            let rollbacks: Vec<(i64, i64)> = (1..=head).filter_map(|v| steps[v as usize - 1].map(|to| (v, to))).collect();
            let mut met = vec![];
            let mut version = head;
            while version > 0 {
                met.push(version);
                version = steps[version as usize - 1].unwrap_or(version - 1);
            }
            let ranges = undone(head, &rollbacks);
            for version in 1..=head {
                let by = ranges.iter().find(|(from, to, _)| (*from..=*to).contains(&version));
                prop_assert_eq!(by.is_none(), met.contains(&version));
                prop_assert!(by.is_none_or(|(_, _, by)| met.contains(by) && *by > version));
            }
        }

        #[test]
        fn a_value_is_cut_and_what_is_new_in_it_is_told(before in "[ab\"<\u{6f6e}]{0,60}", after in "[ab\"<\u{6f6e}]{0,60}", most in 0usize..300) {
            let value = Value::new(Some(&before), &after, most);
            prop_assert!(after.starts_with(&value.text));
            prop_assert_eq!(value.is_cut, value.text.len() < after.len());
            prop_assert_eq!(value.bytes, after.len());
            if let Some((start, end)) = value.new {
                prop_assert!(start < end && before.starts_with(&value.text[..start]));
            }
            prop_assert!(value.new.is_none() || value.elsewhere.is_none());
        }
    }
}

mod spans {
    use crate::pure::timestamp::{parse, span, text};
    use proptest::prelude::*;

    #[test]
    fn spans_have_the_two_largest_units() {
        for (micros, said) in [
            (0, "0 us"),
            (999, "999 us"),
            (12_345, "12 ms"),
            (2_345_000, "2.3 s"),
            (42_000_000, "42 s"),
            (200_000_000, "3 min 20 s"),
            (7_200_000_000, "2 h"),
            (90_000_000_000, "1 d 1 h"),
            (-5, "0 us"),
        ] {
            assert_eq!(span(micros), said);
        }
    }

    proptest! {
        #[test]
        fn a_time_comes_back(micros in -200_000_000_000_000_000i64..9_000_000_000_000_000_000) {
            let shown = text(micros, true);
            let (shown, era) = shown.strip_suffix(" BC").map_or((shown.as_str(), ""), |shown| (shown, " BC"));
            let again = parse(&format!("{}+00:00{era}", shown.replace(' ', "T")));
            prop_assert_eq!(again, Some(micros.div_euclid(1000) * 1000));
        }
    }
}

mod whole_numbers {
    use crate::pure::binary::{CONTAINER, Item, NUMERIC, Value, number, octets_of, parsed, root, whole};
    use proptest::prelude::*;

    /// Of a JSON number, as it stands in an array.
    fn read(text: &str) -> Option<i64> {
        let octets = parsed(text, || {})?;
        number(&root(&octets)?)
    }

    #[test]
    fn what_is_no_whole_number_is_none() {
        for text in [
            "1.0",
            "0.5",
            "-0.1",
            "1.00",
            "9223372036854775808",
            "-9223372036854775809",
            "100000000000000000000000000",
            "true",
            "\"1\"",
            "[1]",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        for octets in [&[][..], &[0; 4], &[0; 6], &[0; 8], &[0xff; 6]] {
            assert_eq!(number(&Item { kind: NUMERIC, octets }), None);
        }
        assert_eq!(number(&Item { kind: CONTAINER, octets: &[] }), None);
    }

    #[test]
    fn numbers_at_the_edges_come_back() {
        let powers = (0..19).map(|power| 10i64.pow(power));
        let edges = powers.flat_map(|power| [power - 1, power, power + 1]).chain([i64::MAX, i64::MAX - 1]);
        for edge in edges.flat_map(|edge| [edge, -edge]).chain([i64::MIN]) {
            assert_eq!(read(&edge.to_string()), Some(edge));
            let octets = octets_of(&Value::Array(vec![whole(edge)]), 64).unwrap();
            assert_eq!(root(&octets).unwrap().parts().unwrap().first().and_then(number), Some(edge));
        }
    }

    proptest! {
        #[test]
        fn a_number_comes_back(of in any::<i64>(), digits in 0u32..19) {
            let of = of / 10i64.pow(digits);
            prop_assert_eq!(read(&of.to_string()), Some(of));
        }
    }
}
