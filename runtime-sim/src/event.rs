//! What can happen, in two forms: an [`Event`] is a line of the transcript, a [`Happening`] is what an observer is
//! shown while it happens and may still be prevented.
use crate::world::World;
use detcd_proto::raftpb;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One line of the transcript. Members are slots, counted from 0 and printed from m1.
///
/// `S` is its text: `&str` while it is recorded and hashed, `String` where it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Event<S> {
    Boot {
        member: usize,
        life: u64,
    },
    /// The process died; `power` says whether the machine went with it.
    Died {
        member: usize,
        power: bool,
    },
    PowerLoss {
        member: usize,
        bytes: u64,
        torn: u64,
        holed: u64,
        names: u64,
    },
    Halted {
        member: usize,
        why: S,
    },
    Panicked {
        member: usize,
        what: S,
    },
    Paused {
        member: usize,
    },
    Resumed {
        member: usize,
    },
    Send {
        from: usize,
        to: usize,
        kind: i32,
        term: u64,
        index: u64,
        bytes: u64,
        #[serde(with = "hex")]
        sum: u64,
    },
    /// A message that nobody will get, and why.
    Drop {
        from: usize,
        to: usize,
        why: S,
    },
    Deliver {
        from: usize,
        to: usize,
        kind: i32,
        #[serde(with = "hex")]
        sum: u64,
    },
    Link {
        from: usize,
        to: usize,
        up: bool,
    },
    Append {
        member: usize,
        file: usize,
        bytes: u64,
        #[serde(with = "hex")]
        sum: u64,
    },
    Sync {
        member: usize,
        file: usize,
        ok: bool,
    },
    Disk {
        member: usize,
        what: S,
        name: S,
    },
    Note {
        member: usize,
        line: S,
    },
    Client {
        client: usize,
        line: S,
    },
    /// What the nemesis or a judge did.
    Story {
        line: S,
    },
}

impl<S: AsRef<str>> Event<S> {
    /// The same with borrowed text.
    pub fn borrowed(&self) -> Event<&str> {
        self.map(AsRef::as_ref)
    }

    /// The same with text of its own.
    pub fn owned(&self) -> Event<String> {
        self.map(|text| text.as_ref().to_owned())
    }

    fn map<'a, T>(&'a self, text: impl Fn(&'a S) -> T) -> Event<T> {
        match *self {
            Event::Boot { member, life } => Event::Boot { member, life },
            Event::Died { member, power } => Event::Died { member, power },
            Event::PowerLoss { member, bytes, torn, holed, names } => {
                Event::PowerLoss { member, bytes, torn, holed, names }
            }
            Event::Halted { member, ref why } => Event::Halted { member, why: text(why) },
            Event::Panicked { member, ref what } => Event::Panicked { member, what: text(what) },
            Event::Paused { member } => Event::Paused { member },
            Event::Resumed { member } => Event::Resumed { member },
            Event::Send { from, to, kind, term, index, bytes, sum } => {
                Event::Send { from, to, kind, term, index, bytes, sum }
            }
            Event::Drop { from, to, ref why } => Event::Drop { from, to, why: text(why) },
            Event::Deliver { from, to, kind, sum } => Event::Deliver { from, to, kind, sum },
            Event::Link { from, to, up } => Event::Link { from, to, up },
            Event::Append { member, file, bytes, sum } => Event::Append { member, file, bytes, sum },
            Event::Sync { member, file, ok } => Event::Sync { member, file, ok },
            Event::Disk { member, ref what, ref name } => {
                Event::Disk { member, what: text(what), name: text(name) }
            }
            Event::Note { member, ref line } => Event::Note { member, line: text(line) },
            Event::Client { client, ref line } => Event::Client { client, line: text(line) },
            Event::Story { ref line } => Event::Story { line: text(line) },
        }
    }
}

/// Sums as text: a JSON number of 64 bits does not survive every reader.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(sum: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{sum:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

impl<S: AsRef<str>> fmt::Display for Event<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.borrowed() {
            Event::Boot { member, life } => write!(f, "{} boots, life {life}", M(member)),
            Event::Died { member, power: false } => write!(f, "{} dies", M(member)),
            Event::Died { member, power: true } => write!(f, "{} dies with its machine", M(member)),
            Event::PowerLoss { member, bytes, torn, holed, names } => write!(
                f,
                "{} lost unsynced: {bytes} bytes, {torn} files torn, {holed} with holes, {names} names",
                M(member)
            ),
            Event::Halted { member, why } => write!(f, "{} halts: {why}", M(member)),
            Event::Panicked { member, what } => write!(f, "{} panics: {what}", M(member)),
            Event::Paused { member } => write!(f, "{} stands still", M(member)),
            Event::Resumed { member } => write!(f, "{} goes on", M(member)),
            Event::Send { from, to, kind, term, index, bytes, sum } => write!(
                f,
                "{} > {} {} term={term} index={index} bytes={bytes} sum={sum:016x}",
                M(from),
                M(to),
                kind_name(kind)
            ),
            Event::Drop { from, to, why } => write!(f, "{} x {} {why}", M(from), M(to)),
            Event::Deliver { from, to, kind, sum } => {
                write!(f, "{} < {} {} sum={sum:016x}", M(to), M(from), kind_name(kind))
            }
            Event::Link { from, to, up } => {
                write!(f, "{} - {} link {}", M(from), M(to), if up { "up" } else { "down" })
            }
            Event::Append { member, file, bytes, sum } => {
                write!(f, "{} append file={file} bytes={bytes} sum={sum:016x}", M(member))
            }
            Event::Sync { member, file, ok } => {
                write!(f, "{} sync file={file} {}", M(member), if ok { "ok" } else { "failed" })
            }
            Event::Disk { member, what, name } => write!(f, "{} {what} {name}", M(member)),
            Event::Note { member, line } => write!(f, "{} note {line}", M(member)),
            Event::Client { client, line } => write!(f, "c{client} {line}"),
            Event::Story { line } => write!(f, "-- {line}"),
        }
    }
}

struct M(usize);

impl fmt::Display for M {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.0 + 1)
    }
}

pub fn kind_name(kind: i32) -> &'static str {
    raftpb::MessageType::try_from(kind).map_or("Msg?", |kind| kind.as_str_name())
}

/// What an observer is shown. It sees the moment before the effect is carried out: an observer that lets the member
/// die here prevents it, unless the name says that it is done.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    Booting {
        member: usize,
    },
    /// Somebody looked how far the member has applied the log.
    Looked {
        member: usize,
        applied: u64,
    },
    /// The machine has got an empty disk; what runs on it from now on is another member.
    Wiped {
        member: usize,
    },
    /// The process is gone; `power` says whether the disk lost what was not synced.
    Died {
        member: usize,
        power: bool,
    },
    Halted {
        member: usize,
        why: &'a str,
    },
    /// About to leave.
    Sending {
        from: usize,
        to: usize,
        message: &'a raftpb::Message,
    },
    /// About to arrive.
    Delivering {
        from: usize,
        to: usize,
        message: &'a raftpb::Message,
    },
    /// About to reach the page cache.
    Appending {
        member: usize,
        name: &'a str,
        bytes: &'a [u8],
    },
    /// The end of a file is cut off, and not yet synced: a torn log is repaired.
    Truncated {
        member: usize,
    },
    /// A file has this name instead of another, and that is not durable.
    Renamed {
        member: usize,
        name: &'a str,
    },
    /// A file has no name any more, and that is not durable.
    Removed {
        member: usize,
        name: &'a str,
    },
    SyncIssued {
        member: usize,
    },
    /// It is durable, and the member has not been told.
    Synced {
        member: usize,
        name: &'a str,
    },
    SyncFailed {
        member: usize,
    },
    /// The names in a folder are durable, and the member has not been told.
    FolderSynced {
        member: usize,
        folder: &'a str,
    },
    /// The client has not heard of it yet.
    Answering {
        member: usize,
        write: bool,
        /// How far the member has applied the log.
        applied: u64,
    },
    /// The member has applied a compaction, and the client that asked for it has not heard of it.
    Compacted {
        member: usize,
    },
    Noted {
        member: usize,
        line: &'a str,
    },
}

/// Sees everything that happens, in order, and may act at once: judges and the nemesis' traps.
pub trait Observer: Send {
    fn happened(&mut self, what: &Happening<'_>, world: &mut World);
}
