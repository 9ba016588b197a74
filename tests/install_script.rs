//! The install script of this version, sql/layra_state--VERSION.sql, is what src/ and sql/ say. `make sql` writes it.
//!
//! pgrx's macros leave what each function and each `extension_sql_file!` is in SQL in a section of the library that is
//! built. cargo-pgrx would write them as they are; here they have an order and a form that change only where SQL does:
//! no numbers of lines, no names of Rust.

use pgrx_sql_entity_graph::{ControlFile, PgrxSql, SqlGraphEntity, SqlGraphIdentifier, ToSql, section};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, fs};

const NAME: &str = "layra_state";
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = fs::read(library()).unwrap();
    let control = ControlFile::from_path_with_cargo_version(root.join(format!("{NAME}.control")), VERSION).unwrap();
    let made = script(&library, control);
    let path = root.join(format!("sql/{NAME}--{VERSION}.sql"));
    if env::var_os("WRITE_INSTALL_SCRIPT").is_some() {
        return fs::write(path, made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let end = [""].into_iter().cycle();
    let lines = made.lines().chain(end.clone()).zip(committed.lines().chain(end));
    let different = (1..=made.lines().count() + 1).zip(lines).find(|(_, (new, old))| new != old);
    if let Some((line, (new, old))) = different {
        panic!("{} is out of date: run `make sql`\nline {line} is      {old}\nand should be {new}", path.display());
    }
    assert!(made == committed, "{} is out of date: run `make sql`", path.display());
}

/// The library that cargo built with this test's profile. One that is older than what it is built from proves nothing.
fn library() -> PathBuf {
    let built = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let tests = env::current_exe().unwrap();
    let library = tests.ancestors().nth(2).unwrap().join(format!("lib{NAME}.so"));
    let sources =
        fs::read_to_string(library.with_extension("d")).expect("there is no library yet: run .ci/cargo build --lib");
    let (_, sources) = sources.trim_end().split_once(".so: ").unwrap();
    for source in sources.replace("\\ ", "\0").split(' ').map(|path| path.replace('\0', " ")) {
        let fresh = built(Path::new(&source)) <= built(&library);
        assert!(fresh, "the library is older than {source}: run .ci/cargo build --lib");
    }
    library
}

fn script(library: &[u8], control: ControlFile) -> String {
    let mut entities = section::decode_entities(elf_section(library, section::ELF_SECTION_NAME)).unwrap();
    assert!(!entities.is_empty());
    entities.push(SqlGraphEntity::ExtensionRoot(control));
    let sql = PgrxSql::build(entities.into_iter(), NAME.into(), false).unwrap();

    // Functions by name, as early as they can be, then the SQL files in their order: whatever else pgrx knows of an entity does
    // not count.
    let nodes: Vec<_> = sql.graph.node_indices().collect();
    let key = |node| match &sql.graph[node] {
        SqlGraphEntity::Function(function) => (0, function.name.to_string(), function.full_path.to_string()),
        other => (1, other.rust_identifier(), String::new()),
    };
    let mut waits_for: HashMap<_, usize> = nodes.iter().map(|&node| (node, 0)).collect();
    for dependent in nodes.iter().flat_map(|&node| sql.graph.neighbors(node)) {
        *waits_for.get_mut(&dependent).unwrap() += 1;
    }
    let mut ready: BTreeSet<_> =
        nodes.iter().filter(|node| waits_for[node] == 0).map(|&node| (key(node), node)).collect();
    let mut parts = vec!["-- Made by `make sql` from src/ and sql/: do not edit it.\n".to_string()];
    let mut count = 0;
    while let Some((_, node)) = ready.pop_first() {
        count += 1;
        let entity = &sql.graph[node];
        let text = match entity {
            SqlGraphEntity::ExtensionRoot(_) => String::new(),
            SqlGraphEntity::Function(_) => function(&entity.to_sql(&sql).unwrap()),
            SqlGraphEntity::CustomSql(file) => format!("-- {}\n{}", file.name, file.sql.trim_end()),
            _ => without_place(&entity.to_sql(&sql).unwrap()),
        };
        if !text.is_empty() {
            parts.push(text + "\n");
        }
        for dependent in sql.graph.neighbors(node) {
            let waits = waits_for.get_mut(&dependent).unwrap();
            *waits -= 1;
            if *waits == 0 {
                ready.insert((key(dependent), dependent));
            }
        }
    }
    assert_eq!(count, nodes.len(), "SQL entities wait for each other in a circle");
    parts.join("\n")
}

/// Without the comment that says where in src/ an entity is.
fn without_place(sql: &str) -> String {
    let is_place = |line: &&str| line.starts_with("-- src/") && line.ends_with(|c: char| c.is_ascii_digit());
    sql.trim().lines().skip_while(is_place).collect::<Vec<_>>().join("\n")
}

/// Without the types and the path that it has in Rust.
fn function(sql: &str) -> String {
    let sql = without_place(sql);
    let lines = sql.lines().filter(|line| !line.starts_with("-- layra_state::"));
    let lines = lines.map(|line| match line.strip_suffix(" */").and_then(|line| line.rsplit_once("/* ")) {
        Some((code, _)) => code.trim_end(),
        None => line,
    });
    lines.collect::<Vec<_>>().join("\n").replacen("CREATE  FUNCTION", "CREATE FUNCTION", 1)
}

/// The bytes of a section of a 64-bit little-endian ELF file.
fn elf_section<'a>(elf: &'a [u8], name: &str) -> &'a [u8] {
    assert!(elf.starts_with(b"\x7fELF\x02\x01"), "not a 64-bit little-endian ELF file");
    let number =
        |at: usize, bytes: usize| elf[at..at + bytes].iter().rev().fold(0, |n, &byte| n << 8 | usize::from(byte));
    let (table, size, count, names) = (number(0x28, 8), number(0x3a, 2), number(0x3c, 2), number(0x3e, 2));
    let contents = |header: usize| &elf[number(header + 0x18, 8)..][..number(header + 0x20, 8)];
    let names = contents(table + names * size);
    let mut headers = (0..count).map(|index| table + index * size);
    let found = headers.find(|&header| names[number(header, 4)..].starts_with(format!("{name}\0").as_bytes()));
    contents(found.expect("the library has no section with pgrx's SQL"))
}
