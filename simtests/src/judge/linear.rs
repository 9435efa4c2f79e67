//! Linearizability of what the clients saw, with etcd's revisions. The judge itself is jepsen-like's; what members have
//! published tells it which keys each revision changed.
use super::Made;
use detcd_core::store::Record;
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

pub fn linearizable(history: &History, made: &Made) -> Linear {
    match judge(history, made) {
        Verdict::Ok { stats } => Linear::Legal(stats),
        Verdict::Illegal(violation) => Linear::Illegal(violation.to_string()),
        Verdict::Unknown(why) => Linear::Unknown(why),
    }
}

/// The operation that cannot be and those that show it, the impossible one first.
pub fn impossible(history: &History, made: &Made) -> Vec<OpId> {
    judge(history, made).violation().map(|violation| violation.ops.clone()).unwrap_or_default()
}

fn judge(history: &History, made: &Made) -> Verdict {
    let changed = |(&revision, records): (&i64, &Vec<Record>)| {
        let mut keys: Vec<Vec<u8>> = records.iter().map(|record| record.key().to_vec()).collect();
        keys.sort_unstable();
        keys.dedup();
        (revision, keys)
    };
    let options = etcd::Options {
        lease_expiry: true,
        changed: made.iter().map(changed).collect(),
        ..etcd::Options::default()
    };
    check::check_all(history, &options).verdict
}
