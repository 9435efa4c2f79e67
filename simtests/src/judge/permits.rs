//! Permissions: nobody reads or writes what the replicated rules forbid, and nobody is denied what they permit.
//!
//! The judge keeps every table of users and roles that a member showed, by its revision. A request of a user is decided
//! under one of the revisions that its member showed between its arrival and its answer: done, there must be one that
//! permits all of it, and denied, one that does not. What a table permits is worked out here anew and key by key, without
//! the intervals that members reckon with. Two members that show the same revision must show the same table.
use detcd_core::{
    Edition, KeyRange,
    auth::{ROOT, Table},
};
use detcd_jepsen_like::history::{Outcome, Refusal, Request, TxnRequest};
use detcd_proto::authpb::permission::Type;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The keys that users ask for; permissions are about these.
pub const KEYS: [&str; 6] = ["auth/0", "auth/1", "auth/2", "auth/3", "auth/4", "auth/5"];

#[derive(Clone, Default)]
pub struct Permits(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    tables: BTreeMap<u64, Table>,
    /// Until when authentication may have been off somewhere, in simulated nanoseconds.
    off_until: u64,
    judged: u64,
}

/// One request of a user, as its member saw it come and go.
pub struct Asked<'a> {
    pub user: &'a str,
    pub request: &'a Request,
    pub arrived_ns: u64,
    pub before: &'a Edition,
    pub after: &'a Edition,
    pub outcome: &'a Outcome,
}

impl Permits {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody is about to switch authentication off, or has switched it on again.
    pub fn off_until(&self, ns: u64) {
        self.lock().off_until = ns;
    }

    /// How many answers were compared with the rules.
    pub fn judged(&self) -> u64 {
        self.lock().judged
    }

    /// What a member shows; what is wrong with it, if anything is.
    pub fn look(&self, edition: &Edition) -> Option<String> {
        let table = &edition.view.auth;
        let mut inner = self.lock();
        let known = inner.tables.entry(table.revision()).or_insert_with(|| table.clone());
        (!is_same(known, table)).then(|| {
            format!("two members show different users or roles at auth revision {}", table.revision())
        })
    }

    /// What is wrong with an answer, if anything is.
    pub fn judge(&self, asked: &Asked<'_>) -> Option<String> {
        let mut inner = self.lock();
        let (before, after) = (&asked.before.view.auth, &asked.after.view.auth);
        let needs = needs(asked.request)?;
        let was_on = before.is_enabled() && after.is_enabled() && asked.arrived_ns > inner.off_until;
        let revisions = before.revision()..=after.revision();
        let tables: Vec<&Table> = inner.tables.range(revisions).map(|(_, table)| table).collect();
        let is_whole = tables.len() as u64 == after.revision() - before.revision() + 1;
        if !was_on || !is_whole {
            return None;
        }
        let permits = |table: &&Table| needs.iter().all(|need| need.permitted(table, asked.user));
        let is_right = match asked.outcome {
            Outcome::Ok(_) => tables.iter().any(permits),
            Outcome::Failed(Refusal::Other(text)) if text.contains("permission denied") => {
                // Keys that nobody asks for lie between, so of intervals the judge knows one side only.
                needs.iter().any(|need| need.is_interval) || !tables.iter().all(permits)
            }
            Outcome::Failed(_) | Outcome::Unknown(_) => return None,
        };
        inner.judged += 1;
        (!is_right).then(|| {
            format!(
                "user {} at auth revision {} to {}: {:?} came to {:?}",
                asked.user,
                before.revision(),
                after.revision(),
                asked.request,
                asked.outcome
            )
        })
    }
}

fn is_same(one: &Table, other: &Table) -> bool {
    one.users().eq(other.users()) && one.roles().eq(other.roles())
}

/// Keys that a request reads or writes.
struct Need {
    keys: Vec<&'static str>,
    writes: bool,
    is_interval: bool,
}

impl Need {
    fn of(key: &[u8], range_end: &[u8], writes: bool) -> Need {
        let range = KeyRange::new(key.to_vec().into(), range_end.to_vec().into());
        let keys = KEYS.into_iter().filter(|key| range.contains(key.as_bytes())).collect();
        Need { keys, writes, is_interval: !range.is_single() }
    }

    fn permitted(&self, table: &Table, user: &str) -> bool {
        let Some(user) = table.user(user) else { return false };
        let kinds = [if self.writes { Type::Write } else { Type::Read }, Type::Readwrite].map(i32::from);
        let permissions = || {
            let roles = user.roles().iter().filter_map(|role| table.role(role));
            roles
                .flat_map(|role| role.permissions())
                .filter(|permission| kinds.contains(&permission.perm_type))
        };
        let covers = |key: &&str| {
            permissions().any(|permission| {
                let range = KeyRange::new(permission.key.clone(), permission.range_end.clone());
                range.contains(key.as_bytes())
            })
        };
        user.has_role(ROOT) || self.keys.iter().all(covers)
    }
}

/// Nothing for requests that users here do not make.
fn needs(request: &Request) -> Option<Vec<Need>> {
    Some(match request {
        Request::Range(range) => vec![Need::of(&range.key, &range.range_end, false)],
        Request::Put(put) => vec![Need::of(&put.key, &[], true)],
        Request::Delete(delete) => vec![Need::of(&delete.key, &delete.range_end, true)],
        Request::Txn(txn) => txn_needs(txn)?,
        Request::Compact { .. } | Request::LeaseGrant { .. } | Request::LeaseRevoke { .. } => return None,
    })
}

fn txn_needs(txn: &TxnRequest) -> Option<Vec<Need>> {
    let mut all: Vec<Need> =
        txn.compares.iter().map(|guard| Need::of(&guard.key, &guard.range_end, false)).collect();
    for request in txn.success.iter().chain(&txn.failure) {
        all.extend(needs(request)?);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use detcd_core::{Standing, View, store::Store};
    use detcd_jepsen_like::history::{PutResponse, Response};
    use detcd_proto::authpb::Permission;

    fn edition(table: &Table) -> Edition {
        let view = View {
            keyspace: Store::default().keyspace().clone(),
            leases: Default::default(),
            auth: table.clone(),
            members: Default::default(),
            removed: Default::default(),
            alarms: Default::default(),
            cluster_version: None,
            downgrade: None,
        };
        Edition {
            view,
            changes: Vec::new(),
            is_jump: false,
            standing: Standing::default(),
            stand: Default::default(),
            tally: Default::default(),
        }
    }

    /// `ann` may write one key.
    fn table() -> Table {
        let mut table = Table::default();
        let added = [table.add_user(ROOT, Bytes::new(), None), table.add_user("ann", Bytes::new(), None)];
        let perm = Permission { perm_type: Type::Write.into(), key: KEYS[1].into(), ..Default::default() };
        let roles = [table.add_role("r"), table.grant_role("ann", "r"), table.grant_role(ROOT, ROOT)];
        let granted = [table.grant_permission("r", Some(perm)), table.enable()];
        assert!([&added[..], &roles, &granted].concat().iter().all(Result::is_ok));
        table
    }

    fn wrong(before: &Table, after: &Table, request: &Request, outcome: &Outcome) -> Option<String> {
        let (permits, before, after) = (Permits::default(), edition(before), edition(after));
        assert_eq!(permits.look(&before).or_else(|| permits.look(&after)), None);
        let user = "ann";
        permits.judge(&Asked { user, request, arrived_ns: 1, before: &before, after: &after, outcome })
    }

    #[test]
    fn what_is_done_must_be_permitted_and_what_is_denied_must_not() {
        let table = table();
        let done = Outcome::Ok(Response::Put(PutResponse::default()));
        let denied = Outcome::Failed(Refusal::Other("etcdserver: permission denied".into()));
        let put = |key: &str| Request::put(key, "v");
        assert_eq!(wrong(&table, &table, &put(KEYS[1]), &done), None);
        assert_eq!(wrong(&table, &table, &put(KEYS[2]), &denied), None);
        assert!(wrong(&table, &table, &put(KEYS[2]), &done).is_some());
        assert!(wrong(&table, &table, &put(KEYS[1]), &denied).is_some());
        assert!(wrong(&table, &table, &Request::get(KEYS[1]), &done).is_some(), "it may only write");
        let both = TxnRequest {
            compares: Vec::new(),
            success: vec![put(KEYS[1])],
            failure: vec![Request::get(KEYS[1])],
        };
        assert!(wrong(&table, &table, &Request::Txn(both), &done).is_some());
        // The rules changed meanwhile, so either may be.
        let mut changed = table.clone();
        assert_eq!(changed.revoke_role("ann", "r"), Ok(()));
        for outcome in [&done, &denied] {
            assert_eq!(wrong(&table, &changed, &put(KEYS[1]), outcome), None);
        }
    }

    #[test]
    fn one_revision_has_one_table() {
        let (one, mut other) = (table(), table());
        assert_eq!(other.change_password("ann", Bytes::from_static(b"other")), Ok(()));
        let mut same_revision = one.clone();
        assert_eq!(same_revision.change_password("ann", Bytes::from_static(b"new")), Ok(()));
        let permits = Permits::default();
        assert_eq!(permits.look(&edition(&other)), None);
        assert!(permits.look(&edition(&same_revision)).is_some());
    }
}
