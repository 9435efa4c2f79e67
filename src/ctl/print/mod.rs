//! How answers look. One function per format turns a reply into bytes; only this file writes to standard output.
//!
//! The texts are etcdctl's to the byte, quirks included: other programs read them.

mod auth;
mod facts;
mod fields;
mod json;
mod protobuf;
mod rows;
mod simple;
mod table;

#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::time::Duration;

use detcd_proto::etcdserverpb as pb;

pub use auth::AuthReply;
pub use facts::Facts;
pub use rows::human_size;

use super::client::WatchReply;
use super::exit::Exit;

/// The values of `--write-out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Simple,
    Json,
    Fields,
    Table,
    Protobuf,
}

impl Format {
    pub fn parse(name: &str) -> Result<Format, Exit> {
        Ok(match name {
            "simple" => Format::Simple,
            "json" => Format::Json,
            "fields" => Format::Fields,
            "table" => Format::Table,
            "protobuf" => Format::Protobuf,
            _ => return Err(Exit::bad_feature("unsupported output format")),
        })
    }
}

/// Anything a command has to show.
#[derive(Clone, Copy, Debug)]
pub enum Reply<'a> {
    Put(&'a pb::PutResponse),
    Get(&'a pb::RangeResponse),
    Del(&'a pb::DeleteRangeResponse),
    Txn(&'a pb::TxnResponse),
    Watch(&'a WatchReply),
    Grant(&'a pb::LeaseGrantResponse),
    Revoke {
        id: i64,
        response: &'a pb::LeaseRevokeResponse,
    },
    KeepAlive(&'a pb::LeaseKeepAliveResponse),
    TimeToLive {
        response: &'a pb::LeaseTimeToLiveResponse,
        with_keys: bool,
    },
    Leases(&'a pb::LeaseLeasesResponse),
    MemberList(&'a pb::MemberListResponse),
    MemberAdd(&'a pb::MemberAddResponse),
    /// The other changes have answers of the same shape as a list.
    MemberChange {
        change: MemberChange,
        id: u64,
        response: &'a pb::MemberListResponse,
    },
    Alarm(&'a pb::AlarmResponse),
    Auth(AuthReply<'a>),
    Health(&'a [Health]),
    Status(&'a [(String, pb::StatusResponse)]),
    HashKv(&'a [(String, pb::HashKvResponse)]),
    MoveLeader {
        leader: u64,
        target: u64,
        response: &'a pb::MoveLeaderResponse,
    },
    /// `action`: the command's name.
    Downgrade {
        action: &'a str,
        response: &'a pb::DowngradeResponse,
    },
}

/// What was done to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    Removed,
    Updated,
    Promoted,
}

/// How one endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub endpoint: String,
    /// `None` if no connection could even be tried.
    pub took: Option<Duration>,
    /// Empty when it is well.
    pub error: String,
}

impl Health {
    pub fn is_well(&self) -> bool {
        self.error.is_empty()
    }
}

/// What goes where.
#[derive(Debug, Default, PartialEq, Eq)]
struct Text {
    out: Vec<u8>,
    err: Vec<u8>,
}

/// A format this reply does not come in.
#[derive(Debug, PartialEq, Eq)]
struct Unsupported(&'static str);

/// Shows replies.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    pub format: Format,
    pub hex: bool,
    /// Only values, no keys (simple format only).
    pub value_only: bool,
}

impl Printer {
    /// Shows one reply, or fails with etcdctl's text and code if the format does not go with it.
    pub fn print(&self, reply: Reply<'_>) -> Result<(), Exit> {
        let text = self.render(reply).map_err(|Unsupported(what)| Exit::bad_feature(what))?;
        std::io::stderr().write_all(&text.err)?;
        write_out(&text.out)
    }

    fn render(&self, reply: Reply<'_>) -> Result<Text, Unsupported> {
        let plain = |out| Text { out, err: Vec::new() };
        match self.format {
            Format::Simple => Ok(simple::render(reply, self.hex, self.value_only)),
            Format::Json => Ok(plain(json::render(reply, self.hex))),
            Format::Fields => fields::render(reply, self.hex).map(plain),
            Format::Table => table::render(reply).map(plain),
            Format::Protobuf => protobuf::render(reply).map(plain),
        }
    }
}

/// Writes to standard output at once: whoever reads a watch through a pipe waits for it.
pub fn write_out(bytes: &[u8]) -> Result<(), Exit> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}
