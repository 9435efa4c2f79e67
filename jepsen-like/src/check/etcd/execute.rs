//! What etcd does with a request, on the model, next to what the client was told.

use super::{
    keys::{KeySet, Keys},
    store::{Store, Version},
};
use crate::history::{
    Compare, CompareResult, CompareTarget, DeleteRequest, DeleteResponse, KeyValue, PutRequest, PutResponse,
    RangeRequest, RangeResponse, Request, Response, TxnRequest, TxnResponse, text::escape,
};

/// An answer that the model would not have given.
#[derive(Clone, Debug)]
pub(super) struct Mismatch {
    pub text: String,
    /// The keys whose past decides it: with the same writes to these, the answer stays wrong.
    pub keys: KeySet,
}

impl Mismatch {
    fn new(text: String, keys: impl IntoIterator<Item = usize>) -> Self {
        Self { text, keys: keys.into_iter().collect() }
    }
}

/// Executes `request` on the store's newest revision and compares what happens with `response`, if there is one.
/// True: it wrote, and the store is at the next revision now. After an error the caller has to roll back.
pub(super) fn apply<'h>(
    store: &mut Store<'h>,
    keys: &Keys<'h>,
    request: &'h Request,
    response: Option<&'h Response>,
) -> Result<bool, Mismatch> {
    let start = store.mark();
    if let Request::LeaseRevoke { id } = request {
        return Ok(expire(store, *id));
    }
    let begin = store.revision();
    Execution { store, keys, begin, changed: false }.run(request, response)?;
    let changed = store.is_dirty(start);
    if changed {
        store.commit();
    }
    Ok(changed)
}

/// Deletes the keys attached to `lease` in one revision. False: there are none, and no revision is taken.
pub(super) fn expire(store: &mut Store<'_>, lease: i64) -> bool {
    let keys = attached(store, lease);
    keys.iter().for_each(|&key| store.delete(key));
    if !keys.is_empty() {
        store.commit();
    }
    !keys.is_empty()
}

/// The keys attached to `lease`, in order.
pub(super) fn attached(store: &Store<'_>, lease: i64) -> Vec<usize> {
    (0..store.keys()).filter(|&key| store.live(key).is_some_and(|version| version.lease == lease)).collect()
}

/// Compares a range's answer with the store as it was at `revision`.
pub(super) fn check_range(
    store: &Store<'_>,
    keys: &Keys<'_>,
    revision: i64,
    request: &RangeRequest,
    response: &RangeResponse,
) -> Result<(), Mismatch> {
    let interval = keys.interval(&request.key, &request.range_end);
    let limit = usize::try_from(request.limit).ok().filter(|&limit| limit > 0).unwrap_or(usize::MAX);
    let mut told = response.kvs.iter().peekable();
    let mut count = 0;
    let mut matched = 0;
    for key in interval.clone() {
        let Some(version) = store.live_at(key, revision) else { continue };
        count += 1;
        if request.count_only || matched == limit {
            continue;
        }
        let name = keys.name(key);
        let Some(kv) = told.peek() else {
            return Err(Mismatch::new(
                format!("it does not show {}, which is there at revision {revision}", pair(name, version)),
                [key],
            ));
        };
        match kv.key.as_slice().cmp(name) {
            std::cmp::Ordering::Equal => {
                same(kv, version, request.keys_only).map_err(|text| Mismatch::new(text, [key]))?;
                told.next();
                matched += 1;
            }
            std::cmp::Ordering::Less => return Err(absent(keys, kv, revision)),
            std::cmp::Ordering::Greater => {
                return Err(Mismatch::new(
                    format!(
                        "it does not show {}, which is there at revision {revision}",
                        pair(name, version)
                    ),
                    [key],
                ));
            }
        }
    }
    if let Some(kv) = told.next() {
        return Err(if request.count_only {
            Mismatch::new("it shows keys, and only their count was asked for".into(), [])
        } else if matched == limit {
            Mismatch::new(format!("it shows more keys than its limit of {limit}"), [])
        } else {
            absent(keys, kv, revision)
        });
    }
    if response.count != count {
        return Err(Mismatch::new(
            format!("it counts {}, and there are {count} at revision {revision}", response.count),
            interval,
        ));
    }
    let more = !request.count_only && i64::try_from(matched).expect("fewer keys than an i64 holds") < count;
    if response.more != more {
        return Err(Mismatch::new(
            format!("it says more={}, and {matched} of {count} keys are shown", response.more),
            interval,
        ));
    }
    Ok(())
}

/// Whether `kv` is what the store has; otherwise what is wrong with it.
pub(super) fn same(kv: &KeyValue, version: &Version<'_>, keys_only: bool) -> Result<(), String> {
    let value_differs = if keys_only { !kv.value.is_empty() } else { kv.value != version.value };
    if value_differs
        || kv.mod_revision != version.revision
        || kv.create_revision != version.create
        || kv.version != version.version
        || kv.lease != version.lease
    {
        return Err(format!("it shows {}, where {} belongs", told(kv), pair(&kv.key, version)));
    }
    Ok(())
}

fn absent(keys: &Keys<'_>, kv: &KeyValue, revision: i64) -> Mismatch {
    Mismatch::new(
        format!("it shows {}, and at revision {revision} there is no such key", told(kv)),
        [keys.id(&kv.key)],
    )
}

pub(super) fn pair(key: &[u8], version: &Version<'_>) -> String {
    describe(key, version.value, version.create, version.revision, version.version, version.lease)
}

pub(super) fn told(kv: &KeyValue) -> String {
    describe(&kv.key, &kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease)
}

fn describe(key: &[u8], value: &[u8], create: i64, modified: i64, version: i64, lease: i64) -> String {
    let lease = if lease == 0 { String::new() } else { format!(", lease {lease}") };
    format!("{}={:?} (create {create}, mod {modified}, version {version}{lease})", escape(key), escape(value))
}

struct Execution<'a, 'h> {
    store: &'a mut Store<'h>,
    keys: &'a Keys<'h>,
    /// The revision before the request.
    begin: i64,
    changed: bool,
}

impl<'h> Execution<'_, 'h> {
    fn run(&mut self, request: &'h Request, response: Option<&'h Response>) -> Result<(), Mismatch> {
        match (request, response) {
            (Request::Range(request), Some(Response::Range(response))) => self.range(request, response),
            (Request::Put(request), None) => self.put(request, None),
            (Request::Put(request), Some(Response::Put(response))) => self.put(request, Some(response)),
            (Request::Delete(request), None) => self.delete(request, None),
            (Request::Delete(request), Some(Response::Delete(response))) => {
                self.delete(request, Some(response))
            }
            (Request::Txn(request), None) => self.txn(request, None),
            (Request::Txn(request), Some(Response::Txn(response))) => self.txn(request, Some(response)),
            (Request::Range(_), None) => Ok(()),
            (Request::Compact { .. } | Request::LeaseGrant { .. } | Request::LeaseRevoke { .. }, _) => Ok(()),
            (Request::Range(_) | Request::Put(_) | Request::Delete(_) | Request::Txn(_), Some(_)) => {
                Err(Mismatch::new("its answer belongs to another kind of request".into(), []))
            }
        }
    }

    /// A range inside a transaction: it sees what the transaction has written so far.
    fn range(&mut self, request: &RangeRequest, response: &RangeResponse) -> Result<(), Mismatch> {
        self.header("range", response.revision)?;
        if request.revision <= 0 {
            return check_range(self.store, self.keys, self.begin + 1, request, response);
        }
        if request.revision < self.store.origin() {
            return Ok(());
        }
        check_range(self.store, self.keys, request.revision, request, response)
    }

    fn put(&mut self, request: &'h PutRequest, response: Option<&'h PutResponse>) -> Result<(), Mismatch> {
        let key = self.keys.id(&request.key);
        let before = self.store.live(key).copied();
        if before.is_none() && (request.ignore_value || request.ignore_lease) {
            return Err(Mismatch::new(
                format!("it keeps the value or lease of {}, which is not there", escape(&request.key)),
                [key],
            ));
        }
        let value = (!request.ignore_value).then_some(request.value.as_slice());
        let lease = (!request.ignore_lease).then_some(request.lease);
        self.store.put(key, value, lease);
        self.changed = true;
        let Some(response) = response else { return Ok(()) };
        self.header("put", response.revision)?;
        let expected = before.filter(|_| request.prev_kv);
        match (&response.prev_kv, expected) {
            (None, None) => Ok(()),
            (Some(kv), Some(version)) if kv.key == request.key => same(kv, &version, false)
                .map_err(|text| Mismatch::new(format!("as previous pair {text}"), [key])),
            (Some(kv), _) => Err(Mismatch::new(
                format!("it shows {} as previous pair, where none belongs", told(kv)),
                [key],
            )),
            (None, Some(version)) => Err(Mismatch::new(
                format!("it shows no previous pair, where {} belongs", pair(&request.key, &version)),
                [key],
            )),
        }
    }

    fn delete(
        &mut self,
        request: &'h DeleteRequest,
        response: Option<&'h DeleteResponse>,
    ) -> Result<(), Mismatch> {
        let interval = self.keys.interval(&request.key, &request.range_end);
        let mut gone = Vec::new();
        for key in interval.clone() {
            if let Some(&version) = self.store.live(key) {
                gone.push((key, version));
            }
        }
        for (key, _) in &gone {
            self.store.delete(*key);
            self.changed = true;
        }
        let Some(response) = response else { return Ok(()) };
        if usize::try_from(response.deleted) != Ok(gone.len()) {
            let names: Vec<_> =
                gone.iter().map(|(key, version)| pair(self.keys.name(*key), version)).collect();
            let there = if names.is_empty() { "nothing".into() } else { names.join(", ") };
            return Err(Mismatch::new(
                format!("it says that it deleted {}, and what was there is {there}", response.deleted),
                interval,
            ));
        }
        self.header("delete", response.revision)?;
        let expected = if request.prev_kv { gone.as_slice() } else { &[] };
        if response.prev_kvs.len() != expected.len() {
            return Err(Mismatch::new(
                format!(
                    "it shows {} previous pairs, where {} belong",
                    response.prev_kvs.len(),
                    expected.len()
                ),
                interval,
            ));
        }
        for (kv, (key, version)) in response.prev_kvs.iter().zip(expected) {
            if kv.key != self.keys.name(*key) {
                let text = format!(
                    "it shows {} as previous pair, where {} belongs",
                    told(kv),
                    pair(self.keys.name(*key), version)
                );
                return Err(Mismatch::new(text, interval));
            }
            same(kv, version, false)
                .map_err(|text| Mismatch::new(format!("as previous pair {text}"), [*key]))?;
        }
        Ok(())
    }

    fn txn(&mut self, request: &'h TxnRequest, response: Option<&'h TxnResponse>) -> Result<(), Mismatch> {
        self.require(request)?;
        self.branches(request, response)
    }

    /// What has to be true before the whole transaction, or it is refused: the keys of `ignore_value` and
    /// `ignore_lease` are there, and no range asks for the future.
    fn require(&self, request: &TxnRequest) -> Result<(), Mismatch> {
        for op in self.chosen(request).1 {
            match op {
                Request::Put(put) if put.ignore_value || put.ignore_lease => {
                    let key = self.keys.id(&put.key);
                    if self.store.live_at(key, self.begin).is_none() {
                        let mut touched: KeySet = self.compared(request).collect();
                        touched.insert(key);
                        return Err(Mismatch::new(
                            format!(
                                "it keeps the value or lease of {}, which is not there",
                                escape(&put.key)
                            ),
                            touched,
                        ));
                    }
                }
                Request::Range(range) if range.revision > self.begin => {
                    return Err(Mismatch::new(
                        format!("it reads revision {}, and it met revision {}", range.revision, self.begin),
                        self.compared(request),
                    ));
                }
                Request::Txn(inner) => self.require(inner).map_err(|mut mismatch| {
                    mismatch.keys.extend(self.compared(request));
                    mismatch
                })?,
                _ => {}
            }
        }
        Ok(())
    }

    fn branches(
        &mut self,
        request: &'h TxnRequest,
        response: Option<&'h TxnResponse>,
    ) -> Result<(), Mismatch> {
        let (succeeded, branch) = self.chosen(request);
        let Some(response) = response else {
            return branch.iter().try_for_each(|op| self.inner(op, None));
        };
        if response.succeeded != succeeded {
            let verb = if succeeded { "hold" } else { "do not hold" };
            return Err(Mismatch::new(
                format!(
                    "it says succeeded={}, and its comparisons {verb} at revision {}",
                    response.succeeded, self.begin
                ),
                self.compared(request),
            ));
        }
        if response.responses.len() != branch.len() {
            return Err(Mismatch::new(
                format!("it has {} answers to {} operations", response.responses.len(), branch.len()),
                self.compared(request),
            ));
        }
        for (op, response) in branch.iter().zip(&response.responses) {
            self.inner(op, Some(response))?;
        }
        Ok(())
    }

    fn inner(&mut self, op: &'h Request, response: Option<&'h Response>) -> Result<(), Mismatch> {
        match (op, response) {
            (Request::Txn(inner), None) => self.branches(inner, None),
            (Request::Txn(inner), Some(Response::Txn(response))) => self.branches(inner, Some(response)),
            _ => self.run(op, response),
        }
    }

    fn compared(&self, request: &TxnRequest) -> impl Iterator<Item = usize> {
        request.compares.iter().flat_map(|compare| self.keys.interval(&compare.key, &compare.range_end))
    }

    /// Which branch runs. Every comparison, those of inner transactions too, sees the state before the whole.
    fn chosen<'r>(&self, request: &'r TxnRequest) -> (bool, &'r [Request]) {
        if request.compares.iter().all(|compare| self.holds(compare)) {
            (true, &request.success)
        } else {
            (false, &request.failure)
        }
    }

    fn holds(&self, compare: &Compare) -> bool {
        let mut found = false;
        for key in self.keys.interval(&compare.key, &compare.range_end) {
            if let Some(version) = self.store.live_at(key, self.begin) {
                found = true;
                if !compare_pair(compare, Some(version)) {
                    return false;
                }
            }
        }
        found || compare_pair(compare, None)
    }

    /// Inner headers name the revision that the transaction has reached.
    fn header(&self, what: &str, told: i64) -> Result<(), Mismatch> {
        let reached = if self.changed { self.begin + 1 } else { self.begin };
        if told == 0 || told == reached {
            return Ok(());
        }
        Err(Mismatch::new(
            format!("its {what} says revision {told}, where {reached} belongs"),
            0..self.keys.len(),
        ))
    }
}

/// A key that is not there fails every comparison of values and counts as 0 elsewhere.
fn compare_pair(compare: &Compare, version: Option<&Version<'_>>) -> bool {
    let number = |stored: fn(&Version<'_>) -> i64, given: i64| version.map_or(0, stored).cmp(&given);
    let ordering = match &compare.target {
        CompareTarget::Version(given) => number(|v| v.version, *given),
        CompareTarget::CreateRevision(given) => number(|v| v.create, *given),
        CompareTarget::ModRevision(given) => number(|v| v.revision, *given),
        CompareTarget::Lease(given) => number(|v| v.lease, *given),
        CompareTarget::Value(given) => match version {
            Some(version) => version.value.cmp(given.as_slice()),
            None => return false,
        },
    };
    match compare.result {
        CompareResult::Equal => ordering.is_eq(),
        CompareResult::Greater => ordering.is_gt(),
        CompareResult::Less => ordering.is_lt(),
        CompareResult::NotEqual => ordering.is_ne(),
    }
}
