//! Linearizability of what the clients saw, with etcd's revisions. The judge itself is jepsen-like's.
use detcd_jepsen_like::{
    check::{self, Stats, Verdict, etcd},
    history::{History, OpId},
};

pub enum Linear {
    Legal(Stats),
    Illegal(String),
    /// The search ran out of budget.
    Unknown(String),
}

pub fn linearizable(history: &History) -> Linear {
    match judge(history) {
        Verdict::Ok { stats } => Linear::Legal(stats),
        Verdict::Illegal(violation) => Linear::Illegal(violation.to_string()),
        Verdict::Unknown(why) => Linear::Unknown(why),
    }
}

/// The operation that cannot be and those that show it, the impossible one first.
pub fn impossible(history: &History) -> Vec<OpId> {
    judge(history).violation().map(|violation| violation.ops.clone()).unwrap_or_default()
}

fn judge(history: &History) -> Verdict {
    let options = etcd::Options { lease_expiry: true, ..etcd::Options::default() };
    check::check_all(history, &options).verdict
}
