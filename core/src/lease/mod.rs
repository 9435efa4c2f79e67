//! Leases: which keys live only as long as somebody renews.
mod table;

pub use table::{Lease, Table};
