//! Rules that hold at every event, watched from outside the members: on the wire and on the disk.
//!
//! Two kinds. **Consequences** are Raft's promises to its users (one leader per term, committed entries stay). **Causes**
//! are what a member must have done before it may speak (a vote is durable before it is sent). A broken cause is
//! reported at the spot where the bug is; a broken consequence may come minutes later, or never in this run.
mod canary;
mod checkpoints;
mod elections;
mod halts;
mod log;
mod lost_tail;
mod mirror;

pub use canary::Canary;
pub use checkpoints::{CHECKPOINTS, Checkpoints};
pub use elections::OneLeaderPerTerm;
pub use halts::{HaltsWithReason, names_damage};
pub use log::Durability;
pub use lost_tail::SilentWithoutTail;
pub use mirror::{FOLDER, Record, entries, entry_data, read, records};
