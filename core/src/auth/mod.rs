//! Users, roles and what they may do. Source: contract-semantics 11.
//!
//! Who somebody is, is found out by whoever serves them; what they may do is decided here and nowhere else: when an
//! entry is applied, by the name and the revision in its header, and on a [`View`](crate::View) for what goes through no
//! log. Not in here: tokens and the checking of passwords, which are of this member and not of the cluster.
pub mod base64;
mod change;
mod permit;
mod ranges;
mod table;

#[cfg(test)]
mod permit_tests;
#[cfg(test)]
mod table_tests;

pub use change::TokenChange;
pub use table::Table;

use alloc::string::{String, ToString};

/// The user, and the role, that may do everything.
pub const ROOT: &str = "root";

/// Who asks, and the revision of the table when that was found out. An empty name and revision 0 stand for nobody,
/// as in the header of a request that came while nobody had to say who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    pub name: String,
    pub revision: u64,
}

impl Principal {
    /// The cluster itself, say to revoke a lease that has expired.
    pub fn root(revision: u64) -> Principal {
        Principal { name: ROOT.to_string(), revision }
    }

    pub fn is_nobody(&self) -> bool {
        self.name.is_empty()
    }
}
