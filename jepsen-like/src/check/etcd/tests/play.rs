//! Makes histories that are legal by construction: a sequential execution on the plain model, its intervals widened,
//! some of its answers lost, some of its requests delayed or never executed. Every choice is a byte, so that proptest
//! can shrink.

use crate::{
    history::{
        Compare, CompareResult, CompareTarget, DeleteRequest, History, OpId, Outcome, PutRequest,
        RangeRequest, Request, TxnRequest,
    },
    model::etcd::Keyspace,
};

/// One operation's worth of choices.
pub type Bytes = [u8; 28];

/// What a play may contain.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    pub keys: usize,
    /// Every put writes another value; otherwise values repeat all the time.
    pub has_unique_values: bool,
    /// How many of 16 operations never get an answer that tells their fate.
    pub unknown_in_16: usize,
    pub has_serializable: bool,
    pub has_compaction: bool,
    pub has_leases: bool,
    pub has_expiry: bool,
    /// Puts that may be refused because they keep what is not there.
    pub has_refusals: bool,
}

pub const FULL: Cast = Cast {
    keys: 4,
    has_unique_values: true,
    unknown_in_16: 4,
    has_serializable: true,
    has_compaction: true,
    has_leases: true,
    has_expiry: true,
    has_refusals: true,
};

/// What the general checker judges with exactly the same rules.
pub const PLAIN: Cast = Cast {
    keys: 2,
    has_unique_values: false,
    unknown_in_16: 7,
    has_serializable: false,
    has_compaction: false,
    has_leases: false,
    has_expiry: false,
    has_refusals: false,
};

struct Dice<'a>(std::slice::Iter<'a, u8>);

impl Dice<'_> {
    /// 0 once the bytes are used up.
    fn below(&mut self, n: usize) -> usize {
        self.0.next().map_or(0, |&byte| usize::from(byte) % n)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }
}

struct Play<'c> {
    cast: &'c Cast,
    history: History,
    store: Keyspace,
    /// A member that lags behind.
    follower: Keyspace,
    /// Sent, not executed yet, never to be answered.
    delayed: Vec<(OpId, Request)>,
    values: u32,
    leases: Vec<i64>,
}

pub fn perform(cast: &Cast, script: &[Bytes]) -> History {
    let mut play = Play {
        cast,
        history: History::new(),
        store: Keyspace::new(),
        follower: Keyspace::new(),
        delayed: Vec::new(),
        values: 0,
        leases: Vec::new(),
    };
    for (n, bytes) in script.iter().enumerate() {
        play.scene(100 * (n as u64 + 1), &mut Dice(bytes.iter()));
    }
    play.history
}

impl Play<'_> {
    fn scene(&mut self, now: u64, dice: &mut Dice<'_>) {
        let request = self.request(dice);
        let (early, late) = (dice.below(250) as u64, dice.below(250) as u64);
        let client = dice.below(4) as u32;
        let fate = dice.below(16);
        let call = now.saturating_sub(early);
        if dice.one_in(3) {
            self.follower = self.store.clone();
        }
        if !self.delayed.is_empty() && dice.one_in(3) {
            let (_, request) = self.delayed.remove(0);
            self.execute(&request);
        }
        if self.cast.has_expiry && !self.leases.is_empty() && dice.one_in(8) {
            let lease = self.leases.remove(0);
            self.store.expire(lease);
        }
        let id = self.history.call(client, call, request.clone());
        if fate + self.cast.unknown_in_16 < 16 {
            let outcome = if request.is_serializable() && self.cast.has_serializable {
                self.follower.execute(&request)
            } else {
                self.execute(&request)
            };
            self.history.ret(id, now + late, outcome);
            return;
        }
        match fate % 4 {
            // Executed, and the answer got lost.
            0 | 1 => {
                self.execute(&request);
            }
            // Executed some time later, or never.
            2 => self.delayed.push((id, request)),
            // Lost on the way.
            _ => {}
        }
        if dice.one_in(2) {
            self.history.ret(id, now + late, Outcome::Unknown("etcdserver: request timed out".into()));
        }
    }

    fn execute(&mut self, request: &Request) -> Outcome {
        let outcome = self.store.execute(request);
        if let (Request::LeaseGrant { id, .. }, Outcome::Ok(_)) = (request, &outcome) {
            self.leases.push(*id);
        }
        outcome
    }

    fn key(&self, dice: &mut Dice<'_>) -> Vec<u8> {
        vec![b'a' + dice.below(self.cast.keys) as u8]
    }

    fn interval(&self, dice: &mut Dice<'_>) -> (Vec<u8>, Vec<u8>) {
        match dice.below(4) {
            0 => (vec![0], vec![0]),
            1 => (self.key(dice), vec![0]),
            2 => (b"a".to_vec(), self.key(dice)),
            _ => (self.key(dice), Vec::new()),
        }
    }

    fn value(&mut self, dice: &mut Dice<'_>) -> Vec<u8> {
        if self.cast.has_unique_values {
            self.values += 1;
            return format!("v{}", self.values).into_bytes();
        }
        vec![b'x' + dice.below(2) as u8]
    }

    fn revision(&self, dice: &mut Dice<'_>) -> i64 {
        let back = dice.below(4) as i64;
        (self.store.revision() - back).max(0)
    }

    fn range(&mut self, dice: &mut Dice<'_>) -> RangeRequest {
        let (key, range_end) =
            if dice.one_in(3) { self.interval(dice) } else { (self.key(dice), Vec::new()) };
        let mut request = RangeRequest { key, range_end, ..Default::default() };
        match dice.below(10) {
            0 => request.limit = 1 + dice.below(2) as i64,
            1 => request.count_only = true,
            2 => request.keys_only = true,
            3 => request.revision = self.revision(dice),
            4 => request.serializable = self.cast.has_serializable,
            _ => {}
        }
        request
    }

    fn put(&mut self, dice: &mut Dice<'_>) -> PutRequest {
        let mut request = PutRequest {
            key: self.key(dice),
            value: self.value(dice),
            prev_kv: dice.one_in(3),
            ..Default::default()
        };
        if self.cast.has_leases && dice.one_in(3) {
            request.lease = 1 + dice.below(3) as i64;
        }
        if self.cast.has_refusals && dice.one_in(8) {
            request.ignore_value = true;
            request.value.clear();
        }
        request
    }

    fn delete(&mut self, dice: &mut Dice<'_>) -> DeleteRequest {
        let (key, range_end) =
            if dice.one_in(3) { self.interval(dice) } else { (self.key(dice), Vec::new()) };
        DeleteRequest { key, range_end, prev_kv: dice.one_in(2) }
    }

    fn compare(&mut self, dice: &mut Dice<'_>) -> Compare {
        let (key, range_end) =
            if dice.one_in(4) { self.interval(dice) } else { (self.key(dice), Vec::new()) };
        let target = match dice.below(5) {
            0 => CompareTarget::Version(dice.below(3) as i64),
            1 => CompareTarget::CreateRevision(if dice.one_in(2) { 0 } else { self.revision(dice) }),
            2 => CompareTarget::ModRevision(self.revision(dice)),
            3 => CompareTarget::Value(
                self.store.contents().get(&key).map_or(b"x".to_vec(), |kv| kv.value.clone()),
            ),
            _ => CompareTarget::Lease(dice.below(2) as i64),
        };
        let result = match dice.below(4) {
            0 => CompareResult::Greater,
            1 => CompareResult::Less,
            2 => CompareResult::NotEqual,
            _ => CompareResult::Equal,
        };
        Compare { key, range_end, target, result }
    }

    /// Branches without two writes to one key, as etcd demands.
    fn branch(&mut self, dice: &mut Dice<'_>, depth: usize) -> Vec<Request> {
        match dice.below(6) {
            0 => Vec::new(),
            1 => vec![Request::Range(self.range(dice))],
            2 => vec![Request::Put(self.put(dice)), Request::get("a"), Request::get("b")],
            3 => vec![Request::Delete(self.delete(dice)), Request::Range(self.range(dice))],
            4 if depth == 0 => {
                let inner = Request::Txn(self.txn(dice, 1));
                vec![Request::Range(self.range(dice)), inner]
            }
            _ => vec![Request::put("a", self.value(dice)), Request::put("b", self.value(dice))],
        }
    }

    fn txn(&mut self, dice: &mut Dice<'_>, depth: usize) -> TxnRequest {
        let compares = (0..dice.below(3)).map(|_| self.compare(dice)).collect();
        TxnRequest { compares, success: self.branch(dice, depth), failure: self.branch(dice, depth) }
    }

    fn request(&mut self, dice: &mut Dice<'_>) -> Request {
        match dice.below(16) {
            0..=3 => Request::Range(self.range(dice)),
            4..=8 => Request::Put(self.put(dice)),
            9 | 10 => Request::Delete(self.delete(dice)),
            11 if self.cast.has_compaction => Request::Compact { revision: self.revision(dice) },
            12 if self.cast.has_leases => Request::LeaseGrant { id: 1 + dice.below(3) as i64, ttl: 5 },
            13 if self.cast.has_leases => Request::LeaseRevoke { id: 1 + dice.below(3) as i64 },
            _ => Request::Txn(self.txn(dice, 0)),
        }
    }
}
