//! An etcd for one client, as plainly as it can be said: every revision is a whole map.

use std::collections::BTreeMap;

use super::Model;
use crate::{
    check::wgl::Call,
    history::{
        Compare, CompareResult, CompareTarget, DeleteRequest, DeleteResponse, History, KeyValue, Outcome,
        PutRequest, PutResponse, RangeRequest, RangeResponse, Refusal, Request, Response, TxnRequest,
        TxnResponse,
    },
};

type Contents = BTreeMap<Vec<u8>, KeyValue>;

/// A keyspace with all its past.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keyspace {
    /// What each revision looked like; the newest is the present.
    revisions: BTreeMap<i64, Contents>,
    /// -1 before the first compaction.
    compacted: i64,
    leases: BTreeMap<i64, i64>,
}

impl Default for Keyspace {
    fn default() -> Self {
        Self { revisions: BTreeMap::from([(1, Contents::new())]), compacted: -1, leases: BTreeMap::new() }
    }
}

impl Keyspace {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn revision(&self) -> i64 {
        *self.revisions.keys().next_back().expect("there is always a present")
    }

    /// The present contents.
    pub fn contents(&self) -> &BTreeMap<Vec<u8>, KeyValue> {
        &self.revisions[&self.revision()]
    }

    /// Does what etcd does. The outcome is never unknown; after a refusal nothing has changed.
    pub fn execute(&mut self, request: &Request) -> Outcome {
        match self.try_execute(request) {
            Ok(response) => Outcome::Ok(response),
            Err(refusal) => Outcome::Failed(refusal),
        }
    }

    /// The lease runs out; its keys go. Whether there were any.
    pub fn expire(&mut self, lease: i64) -> bool {
        self.leases.remove(&lease);
        let mut draft = Draft::of(self);
        draft.remove(|kv| kv.lease == lease);
        let after = draft.finish();
        self.adopt(after)
    }

    fn adopt(&mut self, after: Option<Contents>) -> bool {
        let revision = self.revision() + 1;
        let changed = after.is_some();
        self.revisions.extend(after.map(|contents| (revision, contents)));
        changed
    }

    fn try_execute(&mut self, request: &Request) -> Result<Response, Refusal> {
        match request {
            Request::Range(_) | Request::Put(_) | Request::Delete(_) | Request::Txn(_) => {
                self.admit(request, matches!(request, Request::Txn(_)))?;
                let mut draft = Draft::of(self);
                let response = draft.run(request);
                let after = draft.finish();
                self.adopt(after);
                Ok(response)
            }
            Request::Compact { revision } => {
                if *revision <= self.compacted {
                    return Err(Refusal::Compacted);
                }
                if *revision > self.revision() {
                    return Err(Refusal::FutureRevision);
                }
                self.compacted = *revision;
                self.revisions.retain(|at, _| at >= revision);
                Ok(Response::Compact { revision: self.revision() })
            }
            Request::LeaseGrant { id, ttl } => {
                let id =
                    if *id == 0 { self.leases.keys().next_back().map_or(1, |last| last + 1) } else { *id };
                if self.leases.contains_key(&id) {
                    return Err(Refusal::Other("etcdserver: lease already exists".into()));
                }
                self.leases.insert(id, *ttl);
                Ok(Response::LeaseGrant { revision: self.revision(), id, ttl: *ttl })
            }
            Request::LeaseRevoke { id } => {
                if !self.leases.contains_key(id) {
                    return Err(Refusal::LeaseNotFound);
                }
                self.expire(*id);
                Ok(Response::LeaseRevoke { revision: self.revision() })
            }
        }
    }

    /// What has to be true of the state before the request.
    fn admit(&self, request: &Request, in_txn: bool) -> Result<(), Refusal> {
        match request {
            Request::Range(range) => {
                let names_one = if in_txn { range.revision != 0 } else { range.revision > 0 };
                if names_one && range.revision > self.revision() {
                    return Err(Refusal::FutureRevision);
                }
                if names_one && range.revision < self.compacted {
                    return Err(Refusal::Compacted);
                }
                Ok(())
            }
            Request::Put(put) => {
                if !in_txn && put.lease != 0 && !self.leases.contains_key(&put.lease) {
                    return Err(Refusal::LeaseNotFound);
                }
                if (put.ignore_value || put.ignore_lease) && !self.contents().contains_key(&put.key) {
                    return Err(Refusal::KeyNotFound);
                }
                if put.lease != 0 && !self.leases.contains_key(&put.lease) {
                    return Err(Refusal::LeaseNotFound);
                }
                Ok(())
            }
            Request::Txn(txn) => {
                let (_, branch) = choose(self.contents(), txn);
                branch.iter().try_for_each(|op| self.admit(op, true))
            }
            Request::Delete(_)
            | Request::Compact { .. }
            | Request::LeaseGrant { .. }
            | Request::LeaseRevoke { .. } => Ok(()),
        }
    }
}

/// A request under way.
struct Draft<'a> {
    before: i64,
    past: &'a BTreeMap<i64, Contents>,
    contents: Contents,
    changed: bool,
}

impl<'a> Draft<'a> {
    fn of(keyspace: &'a Keyspace) -> Self {
        Self {
            before: keyspace.revision(),
            past: &keyspace.revisions,
            contents: keyspace.contents().clone(),
            changed: false,
        }
    }

    /// The new contents, if there was a change.
    fn finish(self) -> Option<Contents> {
        self.changed.then_some(self.contents)
    }

    fn reached(&self) -> i64 {
        self.before + i64::from(self.changed)
    }

    fn run(&mut self, request: &Request) -> Response {
        match request {
            Request::Range(range) => Response::Range(self.range(range)),
            Request::Put(put) => Response::Put(self.put(put)),
            Request::Delete(delete) => Response::Delete(self.delete(delete)),
            Request::Txn(txn) => {
                let mut response = self.txn(&self.past[&self.before], txn);
                response.revision = self.reached();
                Response::Txn(response)
            }
            // A transaction has no message for these, and alone they are not run here.
            Request::Compact { .. } | Request::LeaseGrant { .. } | Request::LeaseRevoke { .. } => {
                Response::LeaseRevoke { revision: self.reached() }
            }
        }
    }

    fn range(&self, request: &RangeRequest) -> RangeResponse {
        let contents = if request.revision > 0 { &self.past[&request.revision] } else { &self.contents };
        let mut kvs: Vec<KeyValue> = contents
            .values()
            .filter(|kv| is_in(&kv.key, &request.key, &request.range_end))
            .cloned()
            .collect();
        let mut response =
            RangeResponse { revision: self.reached(), count: kvs.len() as i64, ..Default::default() };
        if request.count_only {
            return response;
        }
        if request.limit > 0 && kvs.len() as i64 > request.limit {
            kvs.truncate(request.limit as usize);
            response.more = true;
        }
        if request.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value.clear());
        }
        response.kvs = kvs;
        response
    }

    fn put(&mut self, request: &PutRequest) -> PutResponse {
        let old = self.contents.get(&request.key).cloned();
        let revision = self.before + 1;
        let fresh = KeyValue { key: request.key.clone(), create_revision: revision, ..Default::default() };
        let mut new = old.clone().unwrap_or(fresh);
        new.mod_revision = revision;
        new.version += 1;
        if !request.ignore_value {
            new.value = request.value.clone();
        }
        if !request.ignore_lease {
            new.lease = request.lease;
        }
        self.contents.insert(request.key.clone(), new);
        self.changed = true;
        PutResponse { revision, prev_kv: old.filter(|_| request.prev_kv) }
    }

    fn delete(&mut self, request: &DeleteRequest) -> DeleteResponse {
        let gone = self.remove(|kv| is_in(&kv.key, &request.key, &request.range_end));
        DeleteResponse {
            revision: self.reached(),
            deleted: gone.len() as i64,
            prev_kvs: if request.prev_kv { gone } else { Vec::new() },
        }
    }

    fn remove(&mut self, is_gone: impl Fn(&KeyValue) -> bool) -> Vec<KeyValue> {
        let gone: Vec<KeyValue> = self.contents.values().filter(|kv| is_gone(kv)).cloned().collect();
        self.contents.retain(|_, kv| !is_gone(kv));
        self.changed |= !gone.is_empty();
        gone
    }

    fn txn(&mut self, before: &'a Contents, request: &TxnRequest) -> TxnResponse {
        let (succeeded, branch) = choose(before, request);
        let responses = branch
            .iter()
            .map(|op| match op {
                // An inner transaction's header is there and empty.
                Request::Txn(inner) => Response::Txn(self.txn(before, inner)),
                op => self.run(op),
            })
            .collect();
        TxnResponse { revision: 0, succeeded, responses }
    }
}

fn is_in(candidate: &[u8], key: &[u8], range_end: &[u8]) -> bool {
    match range_end {
        [] => candidate == key,
        [0] => candidate >= key,
        end => key <= candidate && candidate < end,
    }
}

fn choose<'r>(before: &Contents, request: &'r TxnRequest) -> (bool, &'r [Request]) {
    if request.compares.iter().all(|compare| holds(before, compare)) {
        (true, &request.success)
    } else {
        (false, &request.failure)
    }
}

fn holds(before: &Contents, compare: &Compare) -> bool {
    let found: Vec<&KeyValue> =
        before.values().filter(|kv| is_in(&kv.key, &compare.key, &compare.range_end)).collect();
    if found.is_empty() {
        let nothing = KeyValue::default();
        return !matches!(compare.target, CompareTarget::Value(_)) && holds_for(&nothing, compare);
    }
    found.into_iter().all(|kv| holds_for(kv, compare))
}

fn holds_for(kv: &KeyValue, compare: &Compare) -> bool {
    let ordering = match &compare.target {
        CompareTarget::Version(given) => kv.version.cmp(given),
        CompareTarget::CreateRevision(given) => kv.create_revision.cmp(given),
        CompareTarget::ModRevision(given) => kv.mod_revision.cmp(given),
        CompareTarget::Lease(given) => kv.lease.cmp(given),
        CompareTarget::Value(given) => kv.value.cmp(given),
    };
    match compare.result {
        CompareResult::Equal => ordering.is_eq(),
        CompareResult::NotEqual => ordering.is_ne(),
        CompareResult::Greater => ordering.is_gt(),
        CompareResult::Less => ordering.is_lt(),
    }
}

/// [`Keyspace`] as a specification for the general checker.
#[derive(Clone, Copy, Debug, Default)]
pub struct Etcd;

impl Model for Etcd {
    type State = Keyspace;
    type Op = Request;
    type Ret = Outcome;
    /// Revisions tie all keys together.
    type Part = ();

    fn init(&self) -> Keyspace {
        Keyspace::new()
    }

    fn step(&self, state: &Keyspace, op: &Request, ret: Option<&Outcome>) -> Vec<Keyspace> {
        let mut after = state.clone();
        let mut answer = match (op, ret) {
            // The server chooses the lease.
            (Request::LeaseGrant { id: 0, ttl }, Some(Outcome::Ok(Response::LeaseGrant { id, .. }))) => {
                after.execute(&Request::LeaseGrant { id: *id, ttl: *ttl })
            }
            _ => after.execute(op),
        };
        if let Some(ret) = ret {
            adopt_free_choices(&mut answer, ret);
            if answer != *ret {
                return Vec::new();
            }
        }
        vec![after]
    }

    fn part(&self, _op: &Request) {}
}

/// What a server may choose, a longer life for a lease, and what a recorder may leave out, inner headers.
fn adopt_free_choices(answer: &mut Outcome, told: &Outcome) {
    fn inner(answer: &mut Response, told: &Response) {
        match (answer, told) {
            (Response::Range(answer), Response::Range(told)) if told.revision == 0 => answer.revision = 0,
            (Response::Put(answer), Response::Put(told)) if told.revision == 0 => answer.revision = 0,
            (Response::Delete(answer), Response::Delete(told)) if told.revision == 0 => answer.revision = 0,
            (Response::Txn(answer), Response::Txn(told)) => below(answer, told),
            _ => {}
        }
    }
    fn below(answer: &mut TxnResponse, told: &TxnResponse) {
        answer.responses.iter_mut().zip(&told.responses).for_each(|(answer, told)| inner(answer, told));
    }
    let (Outcome::Ok(answer), Outcome::Ok(told)) = (answer, told) else { return };
    match (answer, told) {
        (Response::Txn(answer), Response::Txn(told)) => below(answer, told),
        (Response::LeaseGrant { ttl, .. }, Response::LeaseGrant { ttl: told, .. }) => {
            *ttl = (*ttl).max(*told)
        }
        _ => {}
    }
}

/// A history for the general checker. Left out is what it cannot judge: serializable reads, which may be old, and
/// refusals that say nothing about the store.
pub fn calls(history: &History) -> Vec<Call<Request, Outcome>> {
    history
        .ops()
        .iter()
        .filter(|op| !(op.request.is_serializable() && op.response().is_some()))
        .filter_map(|op| {
            let answer = match &op.outcome {
                Outcome::Failed(Refusal::Other(_)) => return None,
                Outcome::Unknown(_) => None,
                known => Some((op.ret?, known.clone())),
            };
            Some(Call { call: op.call, op: op.request.clone(), answer })
        })
        .collect()
}

#[cfg(test)]
#[path = "etcd_tests.rs"]
mod tests;
