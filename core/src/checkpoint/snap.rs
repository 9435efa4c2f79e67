//! The small file beside an image: its place in the log, and the members as etcd's older store has them. The same
//! message opens an install. Source: contract-semantics 17.1, 17.5.
use super::{INDEX_MAX, Stand, View};
use crate::{
    Member, MemberId, crc32c,
    json::{self, Value},
};
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};
use core::{fmt, fmt::Write as _};
use detcd_proto::{Message, raftpb, snappb};

/// Where the files are, below the data directory.
pub const FOLDER: &str = "member/snap";
/// What is not whole yet has a name that begins like this.
pub const DRAFT: &str = "tmp";
/// A real etcd's own backend file.
pub const BACKEND: &str = "db";

/// Names the small file.
pub fn file_name(term: u64, index: u64) -> String {
    format!("{term:016x}-{index:016x}.snap")
}

/// Names the image.
pub fn image_name(index: u64) -> String {
    format!("{index:016x}.snap.db")
}

/// Names the image's checksums.
pub fn sums_name(index: u64) -> String {
    format!("{index:016x}.snap.db.sums")
}

/// Term and index of a small file; nothing if the name is no such file's.
pub fn parse_name(name: &str) -> Option<(u64, u64)> {
    let (term, index) = name.strip_suffix(".snap")?.split_once('-')?;
    Some((hex(term)?, hex(index)?))
}

/// Index of an image; nothing if the name is no image's.
pub fn parse_image_name(name: &str) -> Option<u64> {
    hex(name.strip_suffix(".snap.db")?)
}

fn hex(digits: &str) -> Option<u64> {
    let is_plain = digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// A small file that is not what it should be, in etcd's words where it has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    Empty,
    Crc,
    Unreadable,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::Empty => "snap: empty snapshot",
            Damage::Crc => "snap: crc mismatch",
            Damage::Unreadable => "snap: unreadable snapshot",
        })
    }
}

impl core::error::Error for Damage {}

/// What goes with an image of this state, in its file and ahead of it to a peer.
pub fn message(view: &View, stand: &Stand) -> raftpb::Snapshot {
    let Stand { index, term, conf_state } = stand.clone();
    let version = view.cluster_version.as_deref().map(String::as_str);
    raftpb::Snapshot {
        data: Some(document(&view.members, &view.removed, version).into_bytes().into()),
        metadata: raftpb::SnapshotMetadata { conf_state, index, term },
    }
}

pub fn encode(snapshot: &raftpb::Snapshot) -> Vec<u8> {
    let data = snapshot.encode_to_vec();
    snappb::Snapshot { crc: crc32c::of(&data), data: Some(data.into()) }.encode_to_vec()
}

pub fn decode(file: &[u8]) -> Result<raftpb::Snapshot, Damage> {
    if file.is_empty() {
        return Err(Damage::Empty);
    }
    let outer = snappb::Snapshot::decode(file).map_err(|_| Damage::Unreadable)?;
    let data = outer.data.unwrap_or_default();
    if data.is_empty() || outer.crc == 0 {
        return Err(Damage::Empty);
    }
    if crc32c::of(&data) != outer.crc {
        return Err(Damage::Crc);
    }
    let snapshot = raftpb::Snapshot::decode(data).map_err(|_| Damage::Unreadable)?;
    let metadata = &snapshot.metadata;
    if metadata.index > INDEX_MAX || metadata.term > INDEX_MAX {
        return Err(Damage::Unreadable);
    }
    Ok(snapshot)
}

/// The members as a snapshot tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Ascending by id.
    pub members: Vec<Member>,
    pub removed: BTreeSet<MemberId>,
    pub cluster_version: Option<String>,
}

/// Reads the document in a snapshot's data; nothing if it is none.
pub fn read_document(data: &[u8]) -> Option<Document> {
    let json = json::parse(data)?;
    let folder = children(json.get("Root")?)?.get("0").and_then(children);
    let Some(folder) = folder else { return Some(Document::default()) };
    let mut found = Document::default();
    let of = |name: &str| folder.get(name).and_then(children).and_then(Value::as_object).unwrap_or_default();
    for (id, node) in of("members") {
        let id = MemberId(u64::from_str_radix(id, 16).ok().filter(|id| *id != 0)?);
        let attributes = children(node)?;
        let part = |name: &str| -> Option<Value> {
            match attributes.get(name) {
                None => Some(Value::Null),
                Some(node) => json::parse(node.get("Value")?.as_str()?.as_bytes()),
            }
        };
        let (raft, own) = (part("raftAttributes")?, part("attributes")?);
        let urls = |part: &Value, name: &str| part.get(name).and_then(Value::as_strings).unwrap_or_default();
        found.members.push(Member {
            id,
            name: own.get("name").and_then(Value::as_str).unwrap_or_default().into(),
            peer_urls: urls(&raft, "peerURLs"),
            client_urls: urls(&own, "clientURLs"),
            is_learner: raft.get("isLearner").and_then(Value::as_bool).unwrap_or(false),
        });
    }
    found.members.sort_by_key(|member| member.id);
    found.members.dedup_by_key(|member| member.id);
    for (id, _) in of("removed_members") {
        found.removed.insert(MemberId(u64::from_str_radix(id, 16).ok()?));
    }
    found.cluster_version =
        folder.get("version").and_then(|node| node.get("Value")).and_then(Value::as_str).map(String::from);
    Some(found)
}

fn children(node: &Value) -> Option<&Value> {
    node.get("Children").filter(|children| children.as_object().is_some())
}

/// The document that older members begin from; newer ones only check that it is there.
fn document(members: &[Member], removed: &BTreeSet<MemberId>, version: Option<&str>) -> String {
    let mut tree = Writer { out: String::from("{\"Root\":"), index: 0 };
    tree.open("/", 0);
    tree.name("0");
    tree.open("/0", 0);
    tree.name("members");
    let made = tree.count();
    tree.open("/0/members", made);
    let mut named: Vec<(String, &Member)> =
        members.iter().map(|member| (format!("{:x}", member.id.0), member)).collect();
    named.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    for (id, member) in named {
        let path = format!("/0/members/{id}");
        tree.name(&id);
        let made = tree.count();
        tree.open(&path, made);
        if !member.name.is_empty() || !member.client_urls.is_empty() {
            tree.leaf(&path, "attributes", &own_attributes(member));
        }
        tree.leaf(&path, "raftAttributes", &raft_attributes(member));
        tree.close();
    }
    tree.close();
    if !removed.is_empty() {
        tree.name("removed_members");
        let made = tree.count();
        tree.open("/0/removed_members", made);
        let mut ids: Vec<String> = removed.iter().map(|id| format!("{:x}", id.0)).collect();
        ids.sort_unstable();
        for id in ids {
            tree.leaf("/0/removed_members", &id, "");
        }
        tree.close();
    }
    if let Some(version) = version {
        tree.leaf("/0", "version", version);
    }
    tree.close();
    tree.name("1");
    tree.open("/1", 0);
    tree.close();
    tree.close();
    let Writer { mut out, index } = tree;
    out.push_str(",\"WatcherHub\":{\"EventHistory\":{\"Queue\":{\"Events\":[null");
    for _ in 1..EVENTS {
        out.push_str(",null");
    }
    write!(
        out,
        "],\"Size\":0,\"Front\":0,\"Back\":0,\"Capacity\":{EVENTS}}},\"StartIndex\":{index},\"LastIndex\":{index}}}}},\
         \"CurrentIndex\":{index},\"Stats\":{{"
    )
    .expect("a String grows as needed");
    for counter in COUNTERS {
        write!(out, "\"{counter}\":0,").expect("a String grows as needed");
    }
    out.push_str("\"watchers\":0},\"CurrentVersion\":2}");
    out
}

/// Places for the last events in the older store.
const EVENTS: usize = 1000;

/// What the older store counts.
const COUNTERS: [&str; 15] = [
    "getsSuccess",
    "getsFail",
    "setsSuccess",
    "setsFail",
    "deleteSuccess",
    "deleteFail",
    "updateSuccess",
    "updateFail",
    "createSuccess",
    "createFail",
    "compareAndSwapSuccess",
    "compareAndSwapFail",
    "compareAndDeleteSuccess",
    "compareAndDeleteFail",
    "expireCount",
];

fn raft_attributes(member: &Member) -> String {
    let mut out = String::from("{\"peerURLs\":");
    json::write_strings(&member.peer_urls, &mut out);
    out.push_str(if member.is_learner { ",\"isLearner\":true}" } else { "}" });
    out
}

fn own_attributes(member: &Member) -> String {
    let mut out = String::from("{");
    if !member.name.is_empty() {
        out.push_str("\"name\":");
        json::write_string(&member.name, &mut out);
    }
    if !member.client_urls.is_empty() {
        if !member.name.is_empty() {
            out.push(',');
        }
        out.push_str("\"clientURLs\":");
        json::write_strings(&member.client_urls, &mut out);
    }
    out.push('}');
    out
}

/// Writes the nodes of the tree; each has the number of the change that made it.
struct Writer {
    out: String,
    index: u64,
}

impl Writer {
    fn count(&mut self) -> u64 {
        self.index += 1;
        self.index
    }

    /// What comes next is a child of this name.
    fn name(&mut self, name: &str) {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        json::write_string(name, &mut self.out);
        self.out.push(':');
    }

    fn head(&mut self, path: &str, index: u64, value: &str) {
        self.out.push_str("{\"Path\":");
        json::write_string(path, &mut self.out);
        write!(
            self.out,
            ",\"CreatedIndex\":{index},\"ModifiedIndex\":{index},\"ExpireTime\":\"0001-01-01T00:00:00Z\",\"Value\":"
        )
        .expect("a String grows as needed");
        json::write_string(value, &mut self.out);
        self.out.push_str(",\"Children\":");
    }

    /// A node with children, which follow.
    fn open(&mut self, path: &str, index: u64) {
        self.head(path, index, "");
        self.out.push('{');
    }

    fn close(&mut self) {
        self.out.push_str("}}");
    }

    fn leaf(&mut self, folder: &str, name: &str, value: &str) {
        self.name(name);
        let index = self.count();
        self.head(&format!("{folder}/{name}"), index, value);
        self.out.push_str("null}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn names_are_etcds() {
        assert_eq!(file_name(2, 63), "0000000000000002-000000000000003f.snap");
        assert_eq!(parse_name(&file_name(2, 63)), Some((2, 63)));
        assert_eq!(parse_image_name(&image_name(63)), Some(63));
        for other in [&sums_name(63), "db", "0000000000000002-000000000000003F.snap", "2-3f.snap", "tmp1"] {
            assert_eq!((parse_name(other), parse_image_name(other)), (None, None), "{other}");
        }
    }

    #[test]
    fn the_document_tells_the_members() {
        let member = |id, name: &str, is_learner| Member {
            id: MemberId(id),
            name: name.into(),
            peer_urls: vec![format!("http://{id}:2380")],
            client_urls: if name.is_empty() { Vec::new() } else { vec!["http://c".into()] },
            is_learner,
        };
        let full = Document {
            members: vec![member(1, "a\"<", false), member(2, "", true), member(u64::MAX, "c", false)],
            removed: [MemberId(0xabc), MemberId(7)].into_iter().collect(),
            cluster_version: Some("3.7.0".into()),
        };
        for said in [Document::default(), full] {
            let text = document(&said.members, &said.removed, said.cluster_version.as_deref());
            assert_eq!(read_document(text.as_bytes()), Some(said));
        }
        for bad in ["", "{}", "[]", "{\"Root\":{}}"] {
            assert_eq!(read_document(bad.as_bytes()), None, "{bad}");
        }
    }
}
