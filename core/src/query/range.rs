//! Range with its options. Source: contract-semantics 4.
use super::header;
use crate::{
    KeyRange, Refusal, View,
    store::{Keyspace, Record},
};
use alloc::vec::Vec;
use core::cmp::Ordering;
use detcd_proto::etcdserverpb::{
    RangeRequest, RangeResponse,
    range_request::{SortOrder, SortTarget},
};

/// The pairs a request asks for; [`Refusal::FutureRev`] or [`Refusal::Compacted`].
pub fn range(view: &View, request: &RangeRequest) -> Result<RangeResponse, Refusal> {
    view.keyspace.readable(request.revision)?;
    Ok(range_in(&view.keyspace, request))
}

/// [`range`] for a revision that is known to be readable.
pub(crate) fn range_in(keyspace: &Keyspace, request: &RangeRequest) -> RangeResponse {
    let interval = KeyRange::new(request.key.clone(), request.range_end.clone());
    let at = request.revision;
    let header = header(keyspace.revision());
    if request.count_only {
        let count = keyspace.count(&interval, at) as i64;
        return RangeResponse { header, count, ..RangeResponse::default() };
    }

    let order = Order::of(request);
    let limit = limit(request);
    // What etcd cuts off before it sorts: one more than the limit, unless there is something to sort or to filter.
    let fetched = limit.map_or(usize::MAX, |limit| limit.saturating_add(1));
    let mut found: Vec<&Record>;
    if has_filters(request) {
        found = keyspace.range(&interval, at).filter(|record| passes(request, record)).collect();
        order.sort(&mut found);
    } else if order.is_natural() {
        found = keyspace.range(&interval, at).take(fetched).collect();
    } else if order.is_by_key() && keyspace.is_newest(at) {
        found = keyspace.range_backwards(&interval).take(fetched).collect();
    } else {
        let fetched = if order.was_asked_for { usize::MAX } else { fetched };
        found = keyspace.range(&interval, at).take(fetched).collect();
        order.sort(&mut found);
    }

    // Without filters and limit everything in the interval is at hand.
    let count =
        if limit.is_none() && !has_filters(request) { found.len() } else { keyspace.count(&interval, at) };
    let more = limit.is_some_and(|limit| found.len() > limit);
    found.truncate(limit.unwrap_or(usize::MAX));
    let pair = if request.keys_only { Record::to_kv_without_value } else { Record::to_kv };
    RangeResponse { header, kvs: found.into_iter().map(pair).collect(), more, count: count as i64 }
}

/// The most pairs that are wanted, if that is bounded.
pub(super) fn limit(request: &RangeRequest) -> Option<usize> {
    usize::try_from(request.limit).ok().filter(|limit| *limit > 0)
}

pub(super) fn has_filters(request: &RangeRequest) -> bool {
    request.max_mod_revision != 0
        || request.min_mod_revision != 0
        || request.max_create_revision != 0
        || request.min_create_revision != 0
}

fn passes(request: &RangeRequest, record: &Record) -> bool {
    let at_most = |bound: i64, revision: i64| bound == 0 || revision <= bound;
    let at_least = |bound: i64, revision: i64| bound == 0 || revision >= bound;
    at_most(request.max_mod_revision, record.mod_revision())
        && at_least(request.min_mod_revision, record.mod_revision())
        && at_most(request.max_create_revision, record.create_revision())
        && at_least(request.min_create_revision, record.create_revision())
}

#[derive(Clone, Copy)]
pub(super) struct Order {
    target: SortTarget,
    descending: bool,
    /// An order was named. A target alone sorts too, but only what the limit has left.
    was_asked_for: bool,
}

impl Order {
    pub fn of(request: &RangeRequest) -> Order {
        let order = SortOrder::try_from(request.sort_order).unwrap_or(SortOrder::None);
        Order {
            target: SortTarget::try_from(request.sort_target).unwrap_or(SortTarget::Key),
            descending: order == SortOrder::Descend,
            was_asked_for: order != SortOrder::None,
        }
    }

    fn is_by_key(self) -> bool {
        self.target == SortTarget::Key
    }

    /// The order the keyspace is in.
    pub fn is_natural(self) -> bool {
        self.is_by_key() && !self.descending
    }

    /// Equal ones stay in the order of their keys.
    fn sort(self, records: &mut [&Record]) {
        if self.is_natural() {
            return;
        }
        records.sort_by(|a, b| {
            let ordering = self.compare(a, b);
            if self.descending { ordering.reverse() } else { ordering }
        });
    }

    fn compare(self, a: &Record, b: &Record) -> Ordering {
        match self.target {
            SortTarget::Key => a.key().cmp(b.key()),
            SortTarget::Version => a.version().cmp(&b.version()),
            SortTarget::Create => a.create_revision().cmp(&b.create_revision()),
            SortTarget::Mod => a.mod_revision().cmp(&b.mod_revision()),
            SortTarget::Value => a.value().cmp(b.value()),
        }
    }
}
