//! Linearizability of what the clients saw, with etcd's revisions. The judge itself is jepsen-like's.
use detcd_jepsen_like::{
    check::{self, Stats, Verdict, etcd},
    history::History,
};

pub enum Linear {
    Legal(Stats),
    Illegal(String),
    /// The search ran out of budget.
    Unknown(String),
}

pub fn linearizable(history: &History) -> Linear {
    let report = check::check_all(history, &etcd::Options { lease_expiry: true, ..etcd::Options::default() });
    match report.verdict {
        Verdict::Ok { stats } => Linear::Legal(stats),
        Verdict::Illegal(violation) => Linear::Illegal(violation.to_string()),
        Verdict::Unknown(why) => Linear::Unknown(why),
    }
}
