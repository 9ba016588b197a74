//! The hash chain, to the byte as `docs/hash-chain.md` specifies it. Pure: no PostgreSQL in here.

pub type Hash = [u8; 32];

const DOMAIN: &[u8] = b"layra-event-1";

/// BLAKE3 of a value's jsonb text.
pub fn value_hash(text: &str) -> Hash {
    *blake3::hash(text.as_bytes()).as_bytes()
}

/// A field: one zero byte for NULL, else 1, the length as 64 bits big-endian, the bytes.
fn field(hasher: &mut blake3::Hasher, octets: Option<&[u8]>) {
    match octets {
        None => {
            hasher.update(&[0]);
        }
        Some(octets) => {
            let mut prefix = [1u8; 9];
            prefix[1..].copy_from_slice(&(octets.len() as u64).to_be_bytes());
            hasher.update(&prefix);
            hasher.update(octets);
        }
    }
}

/// The changed cells of one event, which must come sorted by (scope, key, ordinal); None is an unset cell.
pub fn cells_hash<'a>(cells: impl Iterator<Item = (&'a str, &'a str, i64, Option<Hash>)>) -> Hash {
    let mut hasher = Cells::default();
    cells.for_each(|(scope, key, ordinal, hash)| hasher.add(scope, key, ordinal, hash));
    hasher.hash()
}

/// As `cells_hash`, one cell after the other.
#[derive(Default)]
pub struct Cells(blake3::Hasher);

impl Cells {
    pub fn add(&mut self, scope: &str, key: &str, ordinal: i64, hash: Option<Hash>) {
        field(&mut self.0, Some(scope.as_bytes()));
        field(&mut self.0, Some(key.as_bytes()));
        field(&mut self.0, Some(&ordinal.to_be_bytes()));
        field(&mut self.0, hash.as_ref().map(|h| h.as_slice()));
    }

    pub fn hash(&self) -> Hash {
        *self.0.finalize().as_bytes()
    }
}

/// Everything of an event that its hash covers.
pub struct Link<'a> {
    /// 32 zero bytes for the first event of a run.
    pub previous: Hash,
    pub run_id: &'a str,
    pub version: i64,
    pub type_name: &'a str,
    pub actor: &'a str,
    pub on_behalf_of: Option<&'a str>,
    /// Microseconds since 1970-01-01 UTC.
    pub at: i64,
    pub idempotency_key: Option<&'a str>,
    pub checkpoint_kind: Option<&'a str>,
    pub checkpoint_label: Option<&'a str>,
    pub payload_hash: Hash,
    pub cells_hash: Hash,
}

impl Link<'_> {
    pub fn hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(DOMAIN);
        field(&mut hasher, Some(&self.previous));
        field(&mut hasher, Some(self.run_id.as_bytes()));
        field(&mut hasher, Some(&self.version.to_be_bytes()));
        field(&mut hasher, Some(self.type_name.as_bytes()));
        field(&mut hasher, Some(self.actor.as_bytes()));
        field(&mut hasher, self.on_behalf_of.map(str::as_bytes));
        field(&mut hasher, Some(&self.at.to_be_bytes()));
        field(&mut hasher, self.idempotency_key.map(str::as_bytes));
        field(&mut hasher, self.checkpoint_kind.map(str::as_bytes));
        field(&mut hasher, self.checkpoint_label.map(str::as_bytes));
        field(&mut hasher, Some(&self.payload_hash));
        field(&mut hasher, Some(&self.cells_hash));
        *hasher.finalize().as_bytes()
    }
}

const SEAL_DOMAIN: &[u8] = b"layra-seal-1";

/// Everything of a seal that its hash covers: all of its columns.
pub struct Seal<'a> {
    /// Of the seal before of the same run id, where there is one.
    pub previous: Option<Hash>,
    pub run_id: &'a str,
    pub number: i64,
    pub what: &'a str,
    pub owner: &'a str,
    pub workflow: Option<&'a str>,
    pub workflow_version: Option<i64>,
    pub first_version: i64,
    pub last_version: i64,
    pub head_hash: Hash,
    pub events: i64,
    pub cells: i64,
    pub bytes: i64,
    /// Microseconds since 1970-01-01 UTC.
    pub at: i64,
    pub actor: &'a str,
    pub on_behalf_of: Option<&'a str>,
    pub reason: Option<&'a str>,
}

impl Seal<'_> {
    pub fn hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(SEAL_DOMAIN);
        field(&mut hasher, self.previous.as_ref().map(|hash| hash.as_slice()));
        field(&mut hasher, Some(self.run_id.as_bytes()));
        field(&mut hasher, Some(&self.number.to_be_bytes()));
        field(&mut hasher, Some(self.what.as_bytes()));
        field(&mut hasher, Some(self.owner.as_bytes()));
        field(&mut hasher, self.workflow.map(str::as_bytes));
        field(&mut hasher, self.workflow_version.map(i64::to_be_bytes).as_ref().map(|bytes| bytes.as_slice()));
        for number in [self.first_version, self.last_version] {
            field(&mut hasher, Some(&number.to_be_bytes()));
        }
        field(&mut hasher, Some(&self.head_hash));
        for number in [self.events, self.cells, self.bytes, self.at] {
            field(&mut hasher, Some(&number.to_be_bytes()));
        }
        field(&mut hasher, Some(self.actor.as_bytes()));
        field(&mut hasher, self.on_behalf_of.map(str::as_bytes));
        field(&mut hasher, self.reason.map(str::as_bytes));
        *hasher.finalize().as_bytes()
    }
}

/// The hash of all heads, which come in order: by run id, the seals of one first, by number.
pub struct Heads(blake3::Hasher);

impl Heads {
    pub fn new() -> Heads {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"layra-heads-1");
        Heads(hasher)
    }

    pub fn add(&mut self, run_id: &str, version: i64, hash: &Hash) {
        field(&mut self.0, Some(run_id.as_bytes()));
        field(&mut self.0, Some(&version.to_be_bytes()));
        field(&mut self.0, Some(hash));
    }

    pub fn hash(self) -> Hash {
        *self.0.finalize().as_bytes()
    }
}

/// The hash of the lines of an export, in their order.
pub struct Lines(blake3::Hasher);

impl Default for Lines {
    fn default() -> Lines {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"layra-export-1");
        Lines(hasher)
    }
}

impl Lines {
    pub fn add(&mut self, text: &str) {
        field(&mut self.0, Some(text.as_bytes()));
    }

    pub fn hash(&self) -> Hash {
        *self.0.finalize().as_bytes()
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(hash: &[u8]) -> String {
    hash.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The reverse of `hex`.
pub fn unhex(text: &str) -> Option<Hash> {
    let digit = |octet: u8| match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        _ => None,
    };
    let mut hash = Hash::default();
    let octets: &[u8; 64] = text.as_bytes().try_into().ok()?;
    for (octet, digits) in hash.iter_mut().zip(octets.chunks_exact(2)) {
        *octet = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    Some(hash)
}
