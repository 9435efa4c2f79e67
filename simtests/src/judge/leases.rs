//! A lease lives as long as it was promised: a grant or a renewal that was answered keeps it for its time to live,
//! counted from when the client asked, unless somebody revokes it.
use detcd_core::Edition;
use detcd_runtime_sim::Slot;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Members' clocks run up to a twentieth too fast; a lease may end that much too early.
const TRUST_PERMILLE: u64 = 940;

#[derive(Clone, Default)]
pub struct Leases(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// Until when each lease must live, in simulated nanoseconds.
    promised: BTreeMap<i64, u64>,
    /// Somebody asked for their end.
    given_up: BTreeSet<i64>,
    /// Which leases a member has shown in its present life.
    shown: BTreeMap<Slot, (u64, BTreeSet<i64>)>,
}

impl Leases {
    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A client asked at `asked_ns` and was told that the lease has `ttl` seconds.
    pub fn promise(&self, lease: i64, asked_ns: u64, ttl: i64) {
        let ttl_ns = u64::try_from(ttl).unwrap_or(0).saturating_mul(1_000_000 * TRUST_PERMILLE);
        self.with(|inner| {
            let until = inner.promised.entry(lease).or_default();
            *until = (*until).max(asked_ns.saturating_add(ttl_ns));
        });
    }

    /// A client is about to ask for the end of a lease.
    pub fn give_up(&self, lease: i64) {
        self.with(|inner| inner.given_up.insert(lease));
    }

    /// Looks at what a member has published. Answers what is wrong with it, if anything is.
    pub fn look(&self, member: Slot, life: u64, edition: &Edition, now_ns: u64) -> Option<String> {
        self.with(|inner| {
            let Inner { promised, given_up, shown } = inner;
            let (known, shown) = shown.entry(member).or_default();
            if *known != life {
                *known = life;
                shown.clear();
            }
            let table = &edition.view.leases;
            for (&lease, &until) in promised.iter() {
                if table.exists(lease) {
                    shown.insert(lease);
                } else if shown.remove(&lease) && now_ns < until && !given_up.contains(&lease) {
                    return Some(format!(
                        "lease {lease} is gone from m{}, and it was promised for {} ms more",
                        member + 1,
                        (until - now_ns) / 1_000_000
                    ));
                }
            }
            None
        })
    }
}
