//! What an entry means for the tokens that members hand out.
use alloc::string::String;

/// Every member hears of it when it applies the entry, so all know the same tokens; how long they live is for each to
/// count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenChange {
    Assigned {
        token: String,
        user: String,
    },
    /// The user is gone or has another password.
    Dropped {
        user: String,
    },
    /// Nobody has to say who they are any more.
    AllDropped,
}
