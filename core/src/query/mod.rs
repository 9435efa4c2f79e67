//! What can be asked of a [`View`](crate::View): pure functions of the request and a frozen state.
//!
//! They run on the caller's task and know nothing of quorums: who needs a linearizable answer confirms first and takes
//! a view that is new enough. Of the response headers only the revision is filled in.
mod compare;
mod hash;
mod pieces;
mod plan;
mod range;
mod txn;

pub(crate) use plan::{Plan, Step, readable_in_txn};
pub(crate) use range::range_in;

pub use hash::Hashing;
pub use pieces::{Pieces, divisible};
pub use range::range;
pub use txn::txn;

use detcd_proto::etcdserverpb::ResponseHeader;

/// A header with nothing but a revision: the rest belongs to the member that answers.
pub(crate) fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision, ..ResponseHeader::default() })
}
