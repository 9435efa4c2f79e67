//! A lease lives as long as it was promised: a grant or a renewal that was answered keeps it for its time to live,
//! counted from when the client asked, unless somebody revokes it.
//!
//! Counted by whose clock? By that of the member that lets it end, and any may lead by then. So a lease is gone too
//! early if since the question no member's clock has moved on by its time to live.
use detcd_core::{Edition, Moment, Span};
use detcd_runtime_sim::{Slot, World};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// What every member's clock shows.
pub fn read_clocks(world: &World) -> Vec<Moment> {
    (0..world.len()).map(|slot| world.clock_of(slot).read(world.now())).collect()
}

/// The last promise for a lease.
struct Promise {
    /// What the members' clocks showed when the client asked.
    asked: Vec<Moment>,
    ttl: Span,
}

#[derive(Clone, Default)]
pub struct Leases(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    promised: BTreeMap<i64, Promise>,
    /// Somebody asked for their end.
    given_up: BTreeSet<i64>,
    /// Which leases a member has shown in its present life.
    shown: BTreeMap<Slot, (u64, BTreeSet<i64>)>,
}

impl Leases {
    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A client asked when the members' clocks showed `asked`, and was told that the lease has `ttl` seconds.
    pub fn promise(&self, lease: i64, asked: Vec<Moment>, ttl: i64) {
        let ttl = Span::secs(u64::try_from(ttl).unwrap_or(0));
        self.with(|inner| match inner.promised.get_mut(&lease) {
            // Clocks do not run backwards: whoever asked later sees no clock behind.
            Some(known) if known.asked >= asked => {}
            _ => {
                inner.promised.insert(lease, Promise { asked, ttl });
            }
        });
    }

    /// A client is about to ask for the end of a lease.
    pub fn give_up(&self, lease: i64) {
        self.with(|inner| inner.given_up.insert(lease));
    }

    /// Looks at what a member has published. Answers what is wrong with it, if anything is.
    pub fn look(
        &self,
        member: Slot,
        life: u64,
        edition: &Edition,
        clocks: impl Fn() -> Vec<Moment>,
    ) -> Option<String> {
        self.with(|inner| {
            let Inner { promised, given_up, shown } = inner;
            let (known, shown) = shown.entry(member).or_default();
            if *known != life {
                *known = life;
                shown.clear();
            }
            let table = &edition.view.leases;
            for (&lease, promise) in promised.iter() {
                if table.exists(lease) {
                    shown.insert(lease);
                } else if shown.remove(&lease) && !given_up.contains(&lease) {
                    let passed = clocks().iter().zip(&promise.asked).map(|(now, asked)| *now - *asked).max();
                    let passed = passed.unwrap_or_default();
                    if passed < promise.ttl {
                        return Some(format!(
                            "lease {lease} is gone from m{}, and by no clock have more than {} of its {} ms passed",
                            member + 1,
                            passed.as_millis(),
                            promise.ttl.as_millis()
                        ));
                    }
                }
            }
            None
        })
    }
}
