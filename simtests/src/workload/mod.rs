//! What the clients do: few keys, so that they meet; unique values, so that every read names the write it saw.
use detcd_jepsen_like::history::{
    Compare, CompareResult, CompareTarget, DeleteRequest, PutRequest, RangeRequest, Request, Response,
    TxnRequest,
};
use detcd_runtime_sim::Dice;
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, fmt};

/// How often each kind of operation is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mix {
    pub put: u64,
    pub get: u64,
    pub serializable_get: u64,
    pub range: u64,
    pub delete: u64,
    pub delete_range: u64,
    /// Put if the key is still as it was last seen.
    pub compare_and_put: u64,
    /// Several keys at once.
    pub transfer: u64,
    /// A read of the past.
    pub old_get: u64,
    pub compact: u64,
    /// Many changes in one revision.
    pub batch: u64,
    /// A put and a read of the past in one transaction, about where compaction has come to.
    pub old_transaction: u64,
    pub lease: u64,
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("put", self.put),
            ("get", self.get),
            ("serializable get", self.serializable_get),
            ("range", self.range),
            ("delete", self.delete),
            ("delete range", self.delete_range),
            ("compare and put", self.compare_and_put),
            ("transfer", self.transfer),
            ("old get", self.old_get),
            ("compact", self.compact),
            ("batch", self.batch),
            ("old transaction", self.old_transaction),
            ("lease", self.lease),
        ];
        let mut between = "";
        for (kind, weight) in kinds.into_iter().filter(|&(_, weight)| weight > 0) {
            write!(f, "{between}{kind} {weight}")?;
            between = ", ";
        }
        Ok(())
    }
}

impl Mix {
    /// The plainest work there is.
    pub fn only_puts_and_gets(&self) -> Mix {
        Mix {
            put: self.put.max(1),
            get: self.get.max(1),
            serializable_get: 0,
            range: 0,
            delete: 0,
            delete_range: 0,
            compare_and_put: 0,
            transfer: 0,
            old_get: 0,
            compact: 0,
            batch: 0,
            old_transaction: 0,
            lease: 0,
        }
    }

    /// Leaves some kinds out and weighs the others anew: a run that does one thing a lot finds what a balanced one
    /// does not.
    pub fn draw(dice: &mut Dice) -> Mix {
        let mut weight = |low: u64, high: u64, out_permille: u64| {
            let out = dice.permille(out_permille);
            let drawn = dice.between(low, high);
            if out { 0 } else { drawn }
        };
        Mix {
            put: weight(10, 60, 0),
            get: weight(10, 60, 50),
            serializable_get: weight(1, 10, 400),
            range: weight(1, 10, 300),
            delete: weight(1, 15, 300),
            delete_range: weight(1, 3, 600),
            compare_and_put: weight(1, 30, 300),
            transfer: weight(1, 10, 500),
            old_get: weight(1, 6, 500),
            compact: weight(1, 4, 600),
            batch: weight(1, 8, 600),
            old_transaction: weight(1, 8, 600),
            lease: weight(1, 20, 500),
        }
    }
}

/// What a client does next.
#[derive(Clone, Debug)]
pub enum Step {
    Ask(Request),
    /// Renews a lease; no part of the history, which knows no time.
    KeepAlive(i64),
    /// Asks, and renews the lease before the answer comes.
    Race {
        request: Request,
        lease: i64,
    },
    /// Comes back to a lease about when it runs out: renews it, or has the leader hand over.
    AtTheEnd {
        lease: i64,
        after_ns: u64,
        hand_over: bool,
    },
    HandOver,
}

/// A lease that a client believes to live.
#[derive(Clone, Copy, Debug)]
struct Held {
    id: i64,
    /// Else nobody renews it, and it runs out.
    is_renewed: bool,
}

/// One client's source of requests.
pub struct Workload {
    client: u32,
    keys: u64,
    large_permille: u64,
    mix: Mix,
    next_value: u64,
    leases: Vec<Held>,
    next_lease: u64,
    /// Granted a moment ago, with how many seconds.
    granted: Option<(i64, i64)>,
    /// What is left of something that takes several requests.
    script: VecDeque<Request>,
    /// The newest revision this client has seen.
    revision: i64,
    /// The revision of the last delete that it made, until it has compacted there.
    deleted: i64,
    /// Where it last compacted.
    compacted: i64,
    /// The mod revision that each key had when this client last saw it.
    seen: Vec<i64>,
}

impl Workload {
    pub fn new(client: u32, keys: u64, large_permille: u64, mix: Mix) -> Workload {
        Workload {
            client,
            keys,
            large_permille,
            mix,
            next_value: 0,
            leases: Vec::new(),
            next_lease: 0,
            granted: None,
            script: VecDeque::new(),
            revision: 0,
            deleted: 0,
            compacted: 0,
            seen: vec![0; keys as usize],
        }
    }

    pub fn key(number: u64) -> Vec<u8> {
        format!("k{number}").into_bytes()
    }

    /// Every key of every workload.
    pub fn all_keys() -> RangeRequest {
        RangeRequest { key: b"k".to_vec(), range_end: b"l".to_vec(), ..RangeRequest::default() }
    }

    fn value(&mut self, dice: &mut Dice) -> Vec<u8> {
        self.next_value += 1;
        let mut value = format!("c{}-{}", self.client, self.next_value).into_bytes();
        if dice.permille(self.large_permille) {
            // Long enough for a record of several sectors, and no sector of it is all zeros.
            value.resize(value.len() + dice.below(3_000) as usize, b'.');
        }
        value
    }

    pub fn next(&mut self, dice: &mut Dice) -> Step {
        if let Some((id, ttl)) = self.granted.take() {
            let is_renewed = dice.coin();
            self.leases.push(Held { id, is_renewed });
            if !is_renewed && dice.coin() {
                // A few milliseconds decide whether it comes before the end, after it, or while it is being revoked.
                let after_ns =
                    (ttl as u64 * 1_000_000_000 + dice.below(60_000_000)).saturating_sub(20_000_000);
                return Step::AtTheEnd { lease: id, after_ns, hand_over: dice.permille(300) };
            }
        }
        if let Some(request) = self.script.pop_front() {
            return Step::Ask(request);
        }
        let mix = &self.mix;
        let others = mix.put
            + mix.get
            + mix.serializable_get
            + mix.range
            + mix.delete
            + mix.delete_range
            + mix.compare_and_put
            + mix.transfer
            + mix.old_get
            + mix.compact
            + mix.batch
            + mix.old_transaction;
        match dice.weighted(&[others, mix.lease]) {
            0 => Step::Ask(self.next_request(dice)),
            _ => self.next_of_leases(dice),
        }
    }

    /// An id that nobody else chooses: mostly small, also below zero, and next to the ends of what an id can be.
    pub fn lease_id(dice: &mut Dice, client: u32, number: u64) -> i64 {
        let id = i64::from(client + 1) * 10_000 + number as i64;
        match dice.weighted(&[6, 2, 1, 1]) {
            0 => id,
            1 => -id,
            2 => i64::MAX - id,
            _ => i64::MIN + id,
        }
    }

    fn put_under(&mut self, dice: &mut Dice, key: Vec<u8>, lease: i64) -> Request {
        let value = self.value(dice);
        Request::Put(PutRequest { key, value, lease, ..PutRequest::default() })
    }

    fn next_of_leases(&mut self, dice: &mut Dice) -> Step {
        let held = self.leases.get(dice.index(self.leases.len())).copied();
        let Some(Held { id: lease, is_renewed }) = held else { return self.grant(dice) };
        match dice.weighted(&[20, 30, 25, 8, 8, 8, 1]) {
            0 => self.grant(dice),
            1 => {
                let key = Workload::key(dice.below(self.keys));
                Step::Ask(self.put_under(dice, key, lease))
            }
            2 if is_renewed => Step::KeepAlive(lease),
            2 => Step::Ask(Request::get(Workload::key(dice.below(self.keys)))),
            3 => {
                self.lost(lease);
                let request = Request::LeaseRevoke { id: lease };
                if dice.coin() { Step::Race { request, lease } } else { Step::Ask(request) }
            }
            4 => {
                // One key goes from lease to lease, and one of the leases ends.
                let other = self.leases[dice.index(self.leases.len())].id;
                let key = Workload::key(dice.below(self.keys));
                let first = self.put_under(dice, key.clone(), lease);
                let under = if dice.permille(200) { 0 } else { other };
                let second = self.put_under(dice, key.clone(), under);
                self.script.push_back(second);
                if dice.coin() {
                    self.lost(lease);
                    self.script.push_back(Request::LeaseRevoke { id: lease });
                }
                self.script.push_back(Request::get(key));
                Step::Ask(first)
            }
            5 => {
                for number in 0..self.keys.min(4) {
                    let put = self.put_under(dice, Workload::key(number), lease);
                    self.script.push_back(put);
                }
                Step::Ask(self.script.pop_front().expect("there is at least one key"))
            }
            _ => Step::HandOver,
        }
    }

    fn grant(&mut self, dice: &mut Dice) -> Step {
        self.next_lease += 1;
        let id = Workload::lease_id(dice, self.client, self.next_lease);
        let request = Request::LeaseGrant { id, ttl: dice.weighted(&[5, 3, 2]) as i64 + 1 };
        if dice.permille(250) { Step::Race { request, lease: id } } else { Step::Ask(request) }
    }

    fn next_request(&mut self, dice: &mut Dice) -> Request {
        let mix = &self.mix;
        let kind = dice.weighted(&[
            mix.put,
            mix.get,
            mix.serializable_get,
            mix.range,
            mix.delete,
            mix.delete_range,
            mix.compare_and_put,
            mix.transfer,
            mix.old_get,
            mix.compact,
            mix.batch,
            mix.old_transaction,
        ]);
        let number = dice.below(self.keys);
        let key = Workload::key(number);
        match kind {
            0 => Request::Put(PutRequest {
                key,
                value: self.value(dice),
                prev_kv: dice.permille(200),
                ..PutRequest::default()
            }),
            1 => Request::get(key),
            2 => Request::Range(RangeRequest { key, serializable: true, ..RangeRequest::default() }),
            3 => Request::Range(RangeRequest {
                limit: dice.below(3) as i64,
                serializable: dice.permille(100),
                ..Workload::all_keys()
            }),
            4 => Request::Delete(DeleteRequest { key, prev_kv: dice.coin(), ..DeleteRequest::default() }),
            5 => Request::Delete(DeleteRequest { key, range_end: b"l".to_vec(), prev_kv: dice.coin() }),
            6 => Request::Txn(TxnRequest {
                compares: vec![Compare {
                    key: key.clone(),
                    range_end: Vec::new(),
                    target: CompareTarget::ModRevision(self.seen[number as usize]),
                    result: CompareResult::Equal,
                }],
                success: vec![Request::put(key.clone(), self.value(dice))],
                failure: vec![Request::get(key)],
            }),
            7 => {
                let other = Workload::key((number + 1) % self.keys.max(2));
                Request::Txn(TxnRequest {
                    compares: Vec::new(),
                    success: vec![
                        Request::get(key.clone()),
                        Request::put(key, self.value(dice)),
                        Request::delete(other.clone()),
                        Request::get(other),
                    ],
                    failure: Vec::new(),
                })
            }
            8 => {
                let back = dice.below(20) as i64;
                let revision = (self.revision - back).max(0);
                Request::Range(RangeRequest { revision, serializable: dice.coin(), ..Workload::all_keys() })
            }
            9 => {
                let behind = (self.revision - dice.between(1, 30) as i64).max(1);
                // What a compaction leaves at its own revision is a case of its own, above all for a delete.
                let exact = self.deleted > 0 && dice.permille(700);
                self.compacted = if exact { std::mem::take(&mut self.deleted) } else { behind };
                Request::Compact { revision: self.compacted }
            }
            10 => self.batch(dice),
            _ => {
                let revision = (self.compacted - 2 + dice.below(4) as i64).max(1);
                Request::Txn(TxnRequest {
                    compares: Vec::new(),
                    success: vec![
                        Request::Range(RangeRequest {
                            key: key.clone(),
                            revision,
                            ..RangeRequest::default()
                        }),
                        Request::put(key, self.value(dice)),
                    ],
                    failure: Vec::new(),
                })
            }
        }
    }

    /// Puts most keys, sometimes puts and deletes some of them.
    fn batch(&mut self, dice: &mut Dice) -> Request {
        let mut success = Vec::new();
        for number in 0..self.keys {
            if dice.permille(700) {
                success.push(Request::put(Workload::key(number), self.value(dice)));
            }
        }
        if dice.permille(300) {
            // The rule that no key may be changed twice does not see an interval without an end.
            let key = Workload::key(dice.below(self.keys));
            success.push(Request::Delete(DeleteRequest { key, range_end: vec![0], prev_kv: dice.coin() }));
        }
        Request::Txn(TxnRequest { compares: Vec::new(), success, failure: Vec::new() })
    }

    /// The lease is gone.
    pub fn lost(&mut self, lease: i64) {
        self.leases.retain(|held| held.id != lease);
    }

    /// Learns from an answer.
    pub fn saw(&mut self, response: &Response) {
        self.revision = self.revision.max(response.revision());
        match response {
            Response::Range(range) => {
                for kv in &range.kvs {
                    let number = std::str::from_utf8(&kv.key).ok().and_then(|key| key.strip_prefix('k'));
                    if let Some(seen) = number
                        .and_then(|number| number.parse().ok())
                        .and_then(|n: usize| self.seen.get_mut(n))
                    {
                        *seen = (*seen).max(kv.mod_revision);
                    }
                }
            }
            Response::Delete(delete) if delete.deleted > 0 => self.deleted = delete.revision,
            Response::LeaseGrant { id, ttl, .. } => self.granted = Some((*id, *ttl)),
            Response::Txn(txn) => txn.responses.iter().for_each(|response| self.saw(response)),
            _ => {}
        }
    }
}
