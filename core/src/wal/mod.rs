//! The write-ahead log: etcd's records and segments, bytes in and bytes out. No file is opened here.
//!
//! A log is a chain of segment files. A segment is a sequence of frames, a frame holds one record, a record carries a
//! checksum that runs over everything since the chain began. So a record cannot be lost from the middle, moved or
//! exchanged without the reader noticing; only the tail can be torn, and a torn tail was never acknowledged.
//! Source: contract-semantics 17.4.
mod frame;
mod reader;
mod segment;
mod writer;

pub use reader::{Damage, Gap, Reader, Replayed, Start, Tail, needless, owner, unbroken};
pub use segment::SegmentName;
pub use writer::Writer;

#[cfg(test)]
mod tests;
