//! Leases: which keys live only as long as somebody renews.
mod deadlines;
mod schedule;
mod table;

pub use deadlines::Deadlines;
pub use table::{Lease, Table};
