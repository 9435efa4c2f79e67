//! Leases keep their word, in four rules.
//!
//! **Never early** (`lease-promise`): a grant or a renewal that was answered keeps the lease for its time to live,
//! counted from when the client asked, unless somebody revokes it. Counted by whose clock? By that of the member that
//! lets it end, and any may lead by then. So a lease is gone too early if since the question no member's clock has moved on
//! by its time to live.
//!
//! **Never late** (`lease-late`): a lease that nobody renews ends. It has run out, by the slowest clock, once its time to
//! live and an election timeout on top have passed since the last renewal that can have been granted, and since the
//! leader began to lead or to show the lease: each new leader starts every lease afresh, or with what a leader noted of
//! it, and one with a slow disk carries a grant out long after others. If somebody asked for a handover, the leader may have
//! had to propose the revocation again, and has a request timeout more; if it bounds what waits for a quorum, it may have
//! refused the revocation and has half a second more. From then on
//! - while one member leads: a write that the leader answered, asked after that, lies behind the revocation in the log or
//!   in the same turn; a second write, asked after the first was answered, lies behind it for certain. A leader that has
//!   answered both shows the lease no more;
//! - after everything healed: a second later no member shows the lease any more.
//!
//! Clocks run up to a twentieth too slow. While one may stand still, only the second of these is judged.
//!
//! **Keep-alive tells the truth** (`lease-truth`): whoever is told that a lease has time left was told of one that no member
//! had shown to be gone when it asked.
//!
//! **Exactly its keys** (`lease-keys`): in every state that a member shows, the keys that hang on a lease are those that
//! carry its id, and no key carries the id of a lease that is gone. So what goes with a lease is what was put under it last.
use crate::cluster::Cluster;
use detcd_core::{Edition, KeyRange, Moment, Span};
use detcd_runtime_sim::{Slot, World};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Members' clocks run up to a twentieth too slow.
const PATIENCE_PERMILLE: u64 = 1_060;
/// What a revocation takes after everything healed, in nanoseconds.
const REVOCATION_NS: u64 = 1_000_000_000;

/// A revocation that was refused comes again.
const REFUSED_AGAIN: Span = Span::millis(500);

/// What every member's clock shows, put forward by whatever the others have jumped so far. Of a lease's time a part may be
/// counted by one leader, which notes what is left, and the rest by the next: the jumps of both count. So does time twice
/// if the clock of the second stood still when it began, and catches up.
pub fn read_clocks(world: &World) -> Vec<Moment> {
    let clocks = || (0..world.len()).map(|slot| world.clock_of(slot));
    let jumped = clocks().fold(Span::ZERO, |sum, clock| sum + clock.jumped());
    clocks().map(|clock| clock.read(world.now()) + Span(jumped.0 - clock.jumped().0)).collect()
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
    /// How many promises there were.
    promises: u64,
    /// Somebody asked for their end.
    given_up: BTreeSet<i64>,
    /// What each member shows in its present life.
    shown: BTreeMap<Slot, (u64, BTreeSet<i64>)>,
    /// Since when, as far as was seen. A leader with a slow disk carries a grant out long after others have.
    shown_since: BTreeMap<(Slot, i64), u64>,
    /// When a lease was first seen to be gone.
    gone: BTreeMap<i64, u64>,
    /// When a grant or a renewal of a lease can have come through last.
    renewed: BTreeMap<i64, u64>,
    /// Grants and renewals under way, per lease.
    open: BTreeMap<i64, u32>,
    reigns: BTreeMap<Slot, Reign>,
    /// What a leader was first seen to have noted of what a lease has left, in the last term in which one was.
    noted: BTreeMap<i64, Noted>,
    /// Somebody asked a leader to hand over: it may have dropped what it proposed to itself.
    handed_over: bool,
    /// A clock may stand still: nobody can tell how late is too late.
    clocks_stop: bool,
    /// A leader may refuse what it proposes to itself.
    refuses: bool,
}

/// A checkpoint of a lease's time, as a leader showed it. It counts in this leader's term, until the lease can have been
/// renewed again: the next leader puts an election timeout on top, and may note that.
#[derive(Clone, Copy, Debug)]
struct Noted {
    term: u64,
    remaining: i64,
    /// When the write was asked, and answered, after which the leader showed it.
    asked_ns: u64,
    seen_ns: u64,
}

/// What is known of one member's lead: it has answered a write in its term.
struct Reign {
    life: u64,
    term: u64,
    since_ns: u64,
    /// The writes it answered: when they were asked, and when they were answered.
    writes: Vec<(u64, u64)>,
}

/// A request that a member has answered: what its client and the world know about it.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    pub member: Slot,
    pub life: u64,
    /// When it came to the member, in simulated nanoseconds.
    pub asked_ns: u64,
    pub now_ns: u64,
    /// It was a write that was carried out, and the member led when it came and still does.
    pub led_write: bool,
    pub election: Span,
}

impl Leases {
    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What of a plan the rules have to know: somebody may ask a leader to hand over, a clock may stand still, a leader
    /// takes no more than so much that waits for a quorum.
    pub fn expect(&self, handovers: bool, clocks_stop: bool, refuses: bool) {
        self.with(|inner| {
            inner.handed_over |= handovers;
            inner.clocks_stop |= clocks_stop;
            inner.refuses |= refuses;
        });
    }

    /// A client asked when the members' clocks showed this, and was told that the lease has `ttl` seconds. A later
    /// promise is no shorter: it takes the place of the one before.
    pub fn promise(&self, lease: i64, asked: Vec<Moment>, ttl: i64) {
        let ttl = Span::secs(u64::try_from(ttl).unwrap_or(0));
        self.with(|inner| {
            inner.promises += 1;
            inner.promised.insert(lease, Promise { asked, ttl });
        });
    }

    /// How many promises were judged, and how many ends of leases were seen.
    pub fn judged(&self) -> (u64, u64) {
        self.with(|inner| (inner.promises, inner.gone.len() as u64))
    }

    /// A client is about to ask for the end of a lease.
    pub fn give_up(&self, lease: i64) {
        self.with(|inner| inner.given_up.insert(lease));
    }

    /// A client is about to ask a leader to hand over.
    pub fn hand_over(&self) {
        self.with(|inner| inner.handed_over = true);
    }

    /// A client is about to ask for a lease, or for more of its time.
    pub fn ask(&self, lease: i64) {
        self.with(|inner| *inner.open.entry(lease).or_default() += 1);
    }

    /// What it asked for comes through until `until_ns`, or never.
    pub fn asked(&self, lease: i64, until_ns: u64) {
        self.with(|inner| {
            if let Some(open) = inner.open.get_mut(&lease) {
                *open = open.saturating_sub(1);
            }
            let renewed = inner.renewed.entry(lease).or_default();
            *renewed = (*renewed).max(until_ns);
        });
    }

    /// A client asked at `asked_ns` and was told that the lease has time left. Answers what is wrong with that.
    pub fn renewed(&self, lease: i64, asked_ns: u64) -> Option<String> {
        let gone = self.with(|inner| inner.gone.get(&lease).copied()).filter(|&gone| gone < asked_ns)?;
        let before = (asked_ns - gone) / 1_000_000;
        Some(format!(
            "lease {lease} was gone for {before} ms when somebody asked to renew it, and was told that it lives"
        ))
    }

    /// Looks at what a member has published. Answers which rule it breaks and how, if it breaks one.
    pub fn look(
        &self,
        edition: &Edition,
        answered: Answered,
        clocks: impl Fn() -> Vec<Moment>,
    ) -> Option<(&'static str, String)> {
        let early =
            self.with(|inner| inner.follow(edition, answered, clocks)).map(|text| ("lease-promise", text));
        let late = || self.with(|inner| inner.reign(edition, answered)).map(|text| ("lease-late", text));
        let keys =
            || misplaced(edition).map(|text| ("lease-keys", format!("at m{}: {text}", answered.member + 1)));
        early.or_else(late).or_else(keys)
    }

    /// A lease that a member still shows although everything is well since `led_ns`, and had time to be revoked.
    pub fn overdue(&self, edition: &Edition, led_ns: u64, now_ns: u64, election: Span) -> Option<String> {
        let term = edition.standing.term;
        edition.view.leases.iter().find_map(|(&lease, granted)| {
            let due = self.with(|inner| inner.due(lease, granted.ttl, (led_ns, term), now_ns, election));
            let late_ns = now_ns.checked_sub(due + REVOCATION_NS)?;
            let (ttl, late) = (granted.ttl, late_ns / 1_000_000);
            Some(format!("still shows lease {lease} of {ttl} s, {late} ms after it had to be gone"))
        })
    }
}

impl Inner {
    /// What is gone that was there before, and whether it may be.
    fn follow(
        &mut self,
        edition: &Edition,
        answered: Answered,
        clocks: impl Fn() -> Vec<Moment>,
    ) -> Option<String> {
        let Answered { member, life, now_ns, .. } = answered;
        let shows: BTreeSet<i64> = edition.view.leases.iter().map(|(&lease, _)| lease).collect();
        let before = self.shown.insert(member, (life, shows.clone()));
        let before = before.filter(|(known, _)| *known == life).map(|(_, before)| before);
        for &lease in
            shows.iter().filter(|lease| before.as_ref().is_none_or(|before| !before.contains(lease)))
        {
            self.shown_since.insert((member, lease), now_ns);
        }
        let before = before?;
        let mut early = None;
        for &lease in before.difference(&shows) {
            self.gone.entry(lease).or_insert(now_ns);
            let Some(promise) = self.promised.get(&lease).filter(|_| !self.given_up.contains(&lease)) else {
                continue;
            };
            let passed = clocks().iter().zip(&promise.asked).map(|(now, asked)| *now - *asked).max();
            let passed = passed.unwrap_or_default();
            if passed < promise.ttl {
                early = Some(format!(
                    "lease {lease} is gone from m{}, and by no clock have more than {} of its {} ms passed",
                    member + 1,
                    passed.as_millis(),
                    promise.ttl.as_millis()
                ));
            }
        }
        early
    }

    /// What a leader still shows that it had to revoke.
    fn reign(&mut self, edition: &Edition, answered: Answered) -> Option<String> {
        let Answered { member, life, asked_ns, now_ns, led_write, election } = answered;
        if !led_write || self.clocks_stop {
            return None;
        }
        let term = edition.standing.term;
        let fresh = Reign { life, term, since_ns: now_ns, writes: Vec::new() };
        let reign = self.reigns.entry(member).or_insert(fresh);
        if (reign.life, reign.term) != (life, term) {
            *reign = Reign { life, term, since_ns: now_ns, writes: Vec::new() };
        }
        let (led_ns, before) = (reign.since_ns, reign.writes.iter().filter(|write| write.1 <= asked_ns));
        let settled = before.map(|write| write.0).max();
        reign.writes.push((asked_ns, now_ns));
        for (&lease, granted) in edition.view.leases.iter().filter(|(_, granted)| granted.remaining_ttl > 0) {
            if self.checkpoint(lease, term, self.renewed_ns(lease, now_ns)).is_none() {
                let noted = Noted { term, remaining: granted.remaining_ttl, asked_ns, seen_ns: now_ns };
                self.noted.insert(lease, noted);
            }
        }
        let settled = settled?;
        for (&lease, granted) in edition.view.leases.iter() {
            let counted_ns =
                self.shown_since.get(&(member, lease)).map_or(led_ns, |&since| led_ns.max(since));
            let due = self.due(lease, granted.ttl, (counted_ns, term), now_ns, election);
            if due < settled {
                return Some(format!(
                    "m{} leads since {} ms ago, and still shows lease {lease} of {} s, {} ms after it ran out",
                    member + 1,
                    (now_ns - led_ns) / 1_000_000,
                    granted.ttl,
                    (now_ns - due) / 1_000_000
                ));
            }
        }
        None
    }

    /// When a lease with `ttl` seconds has run out for certain under somebody who leads this term since `led_ns` or before.
    fn due(&self, lease: i64, ttl: i64, (led_ns, term): (u64, u64), now_ns: u64, election: Span) -> u64 {
        let renewed = self.renewed_ns(lease, now_ns);
        let after = |since: u64, secs: i64| {
            let mut span = Span::secs(u64::try_from(secs).unwrap_or(0)) + election;
            if self.handed_over {
                span = span + request_timeout(election);
            }
            if self.refuses {
                span = span + REFUSED_AGAIN;
            }
            led_ns.max(since).saturating_add(at_the_slowest(span))
        };
        let due = after(renewed, ttl);
        self.checkpoint(lease, term, renewed)
            .map_or(due, |noted| due.min(after(noted.seen_ns, noted.remaining)))
    }

    /// When a grant or a renewal can have come through last.
    fn renewed_ns(&self, lease: i64, now_ns: u64) -> u64 {
        match self.open.get(&lease) {
            Some(&open) if open > 0 => now_ns,
            _ => self.renewed.get(&lease).copied().unwrap_or(0),
        }
    }

    /// What was noted in this term, unless the lease can have been renewed since.
    fn checkpoint(&self, lease: i64, term: u64, renewed_ns: u64) -> Option<Noted> {
        let noted = self.noted.get(&lease).copied();
        noted.filter(|noted| noted.term == term && renewed_ns <= noted.asked_ns)
    }
}

/// How long a member takes at most to answer or to give up, by its own clock.
fn request_timeout(election: Span) -> Span {
    Span::secs(5) + election.times(2)
}

fn at_the_slowest(span: Span) -> u64 {
    (span.as_nanos() / 1_000).saturating_mul(PATIENCE_PERMILLE)
}

/// Until when a renewal that nobody heard of can come through: one member passes it on to another for as long as a
/// request may take, and there it may wait as long again.
pub fn unheard_until(now_ns: u64, election: Span) -> u64 {
    now_ns.saturating_add(at_the_slowest(request_timeout(election).times(2)))
}

/// Whether the keys that hang on leases are those that say so.
fn misplaced(edition: &Edition) -> Option<String> {
    let table = &edition.view.leases;
    let mut hanging: BTreeSet<(i64, &[u8])> =
        table.iter().flat_map(|(&id, lease)| lease.keys().map(move |key| (id, &key[..]))).collect();
    let everything = KeyRange::all();
    for record in edition.view.keyspace.range(&everything, 0).filter(|record| record.lease() != 0) {
        let (id, key) = (record.lease(), record.key().escape_ascii().to_string());
        if !table.exists(id) {
            return Some(format!("{key} carries lease {id}, which is gone"));
        }
        if !hanging.iter().any(|&(lease, name)| lease == id && name == record.key()) {
            return Some(format!("{key} carries lease {id} and does not hang on it"));
        }
        hanging.retain(|&(lease, name)| (lease, name) != (id, record.key()));
    }
    let (id, key) = hanging.first()?;
    Some(format!("{} hangs on lease {id} and does not carry it", key.escape_ascii()))
}

/// After everything healed: waits until no member shows a lease any more. None if that is soon enough.
pub async fn run_out(cluster: &Cluster, leases: &Leases) -> Option<String> {
    let (stage, election) = (cluster.stage(), cluster.settings().election);
    let (mut terms, mut led_ns) = (Vec::new(), stage.now());
    while stage.enter(|world| world.troubles().is_empty()) {
        let editions: Vec<_> =
            cluster.living().into_iter().filter_map(|slot| Some((slot, cluster.edition(slot)?))).collect();
        let now_ns = stage.now();
        let standing: Vec<_> = editions
            .iter()
            .map(|(slot, edition)| (*slot, edition.standing.leader, edition.standing.term))
            .collect();
        if standing != terms {
            (terms, led_ns) = (standing, now_ns);
        }
        for (slot, edition) in &editions {
            if let Some(text) = leases.overdue(edition, led_ns, now_ns, election) {
                return Some(format!("m{} {text}", slot + 1));
            }
        }
        if editions.iter().all(|(_, edition)| edition.view.leases.is_empty()) {
            return None;
        }
        stage.nap(50_000_000).await;
    }
    None
}
