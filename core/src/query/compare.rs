//! The guards of a transaction. Source: contract-semantics 7.4.
use crate::{
    KeyRange,
    store::{Keyspace, Record},
};
use core::cmp::Ordering;
use detcd_proto::etcdserverpb::{
    Compare,
    compare::{CompareResult, CompareTarget, TargetUnion},
};

/// Whether the guard holds for its key, or for every key of its interval.
pub(super) fn holds(keyspace: &Keyspace, guard: &Compare) -> bool {
    let interval = KeyRange::new(guard.key.clone(), guard.range_end.clone());
    let mut pairs = keyspace.range(&interval, 0).peekable();
    if pairs.peek().is_none() {
        // A value that is not there equals nothing, not even the empty value; a missing number is 0.
        return guard.target != CompareTarget::Value as i32 && holds_for(guard, None);
    }
    pairs.all(|pair| holds_for(guard, Some(pair)))
}

fn holds_for(guard: &Compare, pair: Option<&Record>) -> bool {
    // What is not given, or given for another target, is 0 or empty; an unknown target compares as equal.
    let against = |stored: fn(&Record) -> i64, given: i64| pair.map_or(0, stored).cmp(&given);
    let given = &guard.target_union;
    let ordering = match CompareTarget::try_from(guard.target) {
        Ok(CompareTarget::Version) => {
            against(Record::version, if let Some(TargetUnion::Version(given)) = given { *given } else { 0 })
        }
        Ok(CompareTarget::Create) => against(
            Record::create_revision,
            if let Some(TargetUnion::CreateRevision(given)) = given { *given } else { 0 },
        ),
        Ok(CompareTarget::Mod) => against(
            Record::mod_revision,
            if let Some(TargetUnion::ModRevision(given)) = given { *given } else { 0 },
        ),
        Ok(CompareTarget::Lease) => {
            against(Record::lease, if let Some(TargetUnion::Lease(given)) = given { *given } else { 0 })
        }
        Ok(CompareTarget::Value) => {
            let given = if let Some(TargetUnion::Value(given)) = given { &given[..] } else { &[] };
            pair.map_or(&[][..], Record::value).cmp(given)
        }
        Err(_) => Ordering::Equal,
    };
    match CompareResult::try_from(guard.result) {
        Ok(CompareResult::Equal) => ordering.is_eq(),
        Ok(CompareResult::Greater) => ordering.is_gt(),
        Ok(CompareResult::Less) => ordering.is_lt(),
        Ok(CompareResult::NotEqual) => ordering.is_ne(),
        Err(_) => true,
    }
}
