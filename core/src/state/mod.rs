//! Everything the log has made: a function of the entries applied, and the same on every member.
//!
//! What an entry asks for passes the same doors in the same order everywhere: a corrupt cluster takes no writes, one
//! without space takes none that cost space, and what finds the space used up is carried out and reported. Source:
//! contract-semantics 13.2, 13.3, 16.3.
mod alarms;
mod founding;
mod leases;
pub mod member_json;
mod members;
mod older;
pub mod tally;
mod users;

pub use alarms::{AlarmChange, Alarms};
pub use founding::founding_entries;
pub use members::{Members, shares_url};
pub use older::published as older_publish;
pub use tally::Tally;

use crate::{
    Config, MemberId, Outcome, Refusal, Reply, View,
    auth::{self, Principal, TokenChange},
    command, lease, quota,
    store::{Change, Store},
};
use alloc::{string::String, sync::Arc, vec::Vec};
use detcd_proto::{
    Message,
    etcdserverpb::{
        AlarmType, CompactionRequest, InternalRaftRequest, PutRequest, Request, ResponseHeader, TxnRequest,
    },
    membershippb::ClusterMemberAttrSetRequest,
    raftpb::{ConfChange, ConfChangeV2, Entry, EntryType},
};

#[derive(Debug)]
pub struct State {
    pub store: Store,
    pub leases: lease::Table,
    pub auth: auth::Table,
    pub members: Members,
    pub alarms: Alarms,
    pub cluster_version: Option<Arc<String>>,
    pub downgrade: Option<Arc<String>>,
    pub tally: Tally,
    quota_bytes: i64,
    lease_ttl_min: i64,
}

/// What became of one entry.
#[derive(Debug)]
pub struct Applied {
    /// Names the proposal; 0 if there is none.
    pub request: u64,
    /// For the client that proposed it, with nothing but the revision in its header.
    pub outcome: Outcome,
    pub event: Event,
}

/// What else of the member an entry concerns.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    None,
    /// A leader's first entry.
    TermBegun,
    /// Raft must take the change over; one that was refused, as one about nobody.
    Membership(ConfChange),
    /// As `Membership`, of a form that no request leads to yet: it is refused.
    MembershipRefused(ConfChangeV2),
    Published(MemberId),
    ClusterVersion(Arc<String>),
    Alarm(AlarmChange),
    LeaseGranted(i64),
    LeaseRevoked(i64),
    /// For whoever keeps the tokens that were handed out.
    Tokens(TokenChange),
    /// What these leases had left was noted.
    LeasesCheckpointed(Vec<i64>),
    /// It was carried out, and there was no space for it: also a lease that it granted is there.
    OverQuota {
        granted: Option<i64>,
    },
    /// Everything below is unreadable; the client wants to wait until it is gone if `physical`.
    Compacted {
        bound: i64,
        physical: bool,
    },
}

impl State {
    pub fn new(config: &Config) -> State {
        State {
            store: Store::new(config.plants),
            leases: lease::Table::with_plants(config.plants),
            auth: auth::Table::default(),
            members: Members::new(Arc::default(), Arc::default(), config.plants),
            alarms: Alarms::default(),
            cluster_version: None,
            downgrade: None,
            tally: Tally::default(),
            quota_bytes: config.quota_backend_bytes,
            lease_ttl_min: config.lease_ttl_secs_min(),
        }
    }

    /// As it was when the view was taken, with the limits of this member's configuration.
    pub fn from_view(config: &Config, view: View) -> State {
        let View { keyspace, mut leases, auth, members, removed, alarms, cluster_version, downgrade } = view;
        leases.raise_ttls(config.lease_ttl_secs_min());
        State {
            store: Store::from_keyspace(keyspace, config.plants),
            leases,
            auth,
            members: Members::new(members, removed, config.plants),
            alarms: alarms.into(),
            cluster_version,
            downgrade,
            ..State::new(config)
        }
    }

    pub fn view(&self) -> View {
        View {
            keyspace: self.store.keyspace().clone(),
            leases: self.leases.clone(),
            auth: self.auth.clone(),
            members: self.members.shared(),
            removed: self.members.removed(),
            alarms: self.alarms.shared(),
            cluster_version: self.cluster_version.clone(),
            downgrade: self.downgrade.clone(),
        }
    }

    /// Carries out one committed entry; `changes` is what it did to the keyspace.
    pub fn apply(&mut self, entry: &Entry, changes: &mut Vec<Change>) -> Applied {
        let data = entry.data.clone().unwrap_or_default();
        match EntryType::try_from(entry.r#type) {
            Ok(EntryType::EntryNormal) if data.is_empty() => {
                Applied { request: 0, outcome: Ok(Reply::Done), event: Event::TermBegun }
            }
            Ok(EntryType::EntryNormal) => match InternalRaftRequest::decode(data.clone()) {
                Ok(request) => self.apply_request(entry.index, request, changes),
                Err(_) => match Request::decode(data) {
                    Ok(request) => self.apply_older(&request),
                    Err(_) => not_built(0, "a log entry that cannot be read"),
                },
            },
            Ok(EntryType::EntryConfChange) => match ConfChange::decode(data) {
                Ok(change) => self.apply_conf_change(change),
                Err(_) => not_built(0, "a membership change that cannot be read"),
            },
            Ok(EntryType::EntryConfChangeV2) => {
                let mut applied = not_built(0, "a membership change by way of a joint configuration");
                applied.event = Event::MembershipRefused(ConfChangeV2::decode(data).unwrap_or_default());
                applied
            }
            Err(_) => not_built(0, "a log entry of this kind"),
        }
    }

    fn apply_conf_change(&mut self, change: ConfChange) -> Applied {
        let request = change.id;
        match self.members.change(&change) {
            Ok(()) => {
                let outcome = Ok(Reply::Members(self.members.shared()));
                Applied { request, outcome, event: Event::Membership(change) }
            }
            Err(refusal) => {
                let nobody = ConfChange { node_id: 0, ..change };
                Applied { request, outcome: Err(refusal), event: Event::Membership(nobody) }
            }
        }
    }

    fn apply_request(
        &mut self,
        index: u64,
        request: InternalRaftRequest,
        changes: &mut Vec<Change>,
    ) -> Applied {
        let id = request.header.as_ref().map_or(request.id, |header| header.id);
        let begun = self.tally.begin(&request);
        let (outcome, event) = match self.dispatch(index, request, changes) {
            Ok((reply, event)) => (Ok(reply), event),
            Err((refusal, event)) => (Err(refusal), event),
        };
        // What was compacted already is as the client wished.
        self.tally.end(&begun, matches!(outcome, Ok(_) | Err(Refusal::Compacted)));
        Applied { request: id, outcome, event }
    }

    fn dispatch(
        &mut self,
        index: u64,
        mut request: InternalRaftRequest,
        changes: &mut Vec<Change>,
    ) -> Verdict {
        let who = request.header.take().map_or_else(Principal::default, |header| Principal {
            name: header.username,
            revision: header.auth_revision,
        });
        if let Some(put) = request.put {
            self.put(&who, &put, changes)
        } else if let Some(txn) = request.txn {
            self.txn(&who, &txn, changes)
        } else if let Some(delete) = request.delete_range {
            self.trusted()?;
            self.auth.permit_delete_range(&who, &delete)?;
            let (response, made) = command::delete::apply(&mut self.store, &mut self.leases, &delete);
            changes.extend(made);
            self.tally.delete(&delete);
            Ok((Reply::DeleteRange(response), Event::None))
        } else if let Some(compaction) = request.compaction {
            self.compact(&compaction)
        } else if let Some(grant) = request.lease_grant {
            self.trusted()?;
            self.uncapped()?;
            let fits = self.fits(quota::GRANT_COST);
            let response = self.grant(grant)?;
            let id = response.id;
            self.tally.granted(response.ttl);
            self.within(fits, Reply::LeaseGrant(response), Event::LeaseGranted(id))
        } else if let Some(revoke) = request.lease_revoke {
            self.trusted()?;
            self.auth.permit_lease_change(&who, &self.leases, revoke.id)?;
            let changes_before = changes.len();
            let response = self.revoke(revoke.id, changes)?;
            self.tally.revoked(changes.len() - changes_before);
            Ok((Reply::LeaseRevoke(response), Event::LeaseRevoked(revoke.id)))
        } else if let Some(checkpoint) = request.lease_checkpoint {
            Ok((Reply::Done, Event::LeasesCheckpointed(self.checkpoint(&checkpoint))))
        } else if let Some(alarm) = request.alarm {
            let (mut response, change) =
                self.alarms.apply(&alarm).ok_or(Refusal::NotBuilt("an alarm action of this number"))?;
            response.header = self.header();
            Ok((Reply::Alarm(response), change.map_or(Event::None, Event::Alarm)))
        } else if let Some(attributes) = request.cluster_member_attr_set {
            self.publish(*attributes)
        } else if let Some(version) = request.cluster_version_set {
            let version = Arc::new(version.ver);
            self.cluster_version = Some(version.clone());
            Ok((Reply::Done, Event::ClusterVersion(version)))
        } else if let Some(downgrade) = request.downgrade_info_set {
            self.downgrade = downgrade.enabled.then(|| Arc::new(downgrade.ver));
            Ok((Reply::Done, Event::None))
        } else {
            self.auth(index, &who, request)
        }
    }

    fn put(&mut self, who: &Principal, request: &PutRequest, changes: &mut Vec<Change>) -> Verdict {
        self.trusted()?;
        self.uncapped()?;
        self.auth.permit_put(who, &self.leases, request)?;
        let fits = self.fits(quota::put_cost(request));
        let (response, made) = command::put::apply(&mut self.store, &mut self.leases, request)?;
        changes.extend(made);
        self.tally.put(request);
        self.within(fits, Reply::Put(response), Event::None)
    }

    fn txn(&mut self, who: &Principal, request: &TxnRequest, changes: &mut Vec<Change>) -> Verdict {
        self.trusted()?;
        let cost = quota::txn_cost(request);
        if cost > 0 {
            self.uncapped()?;
        }
        self.auth.permit_txn(who, &self.leases, request)?;
        let fits = self.fits(cost);
        let (response, made) = command::txn::apply(&mut self.store, &mut self.leases, request)?;
        changes.extend(made);
        self.tally.txn(request, &response);
        self.within(fits, Reply::Txn(response), Event::None)
    }

    fn compact(&mut self, request: &CompactionRequest) -> Verdict {
        self.trusted()?;
        let outcome = command::compact::apply(&mut self.store, request);
        let bound = self.store.keyspace().compact_revision();
        let event = Event::Compacted { bound, physical: request.physical };
        match outcome {
            Ok(response) => {
                self.tally.ranges += 1;
                Ok((Reply::Compaction(response), event))
            }
            // Who is told that it was done before is told when it is.
            Err(Refusal::Compacted) => Err((Refusal::Compacted, event)),
            Err(refusal) => Err(refusal.into()),
        }
    }

    fn publish(&mut self, request: ClusterMemberAttrSetRequest) -> Verdict {
        let id = MemberId(request.member_id);
        let attributes = request.member_attributes.unwrap_or_default();
        match self.members.publish(id, attributes) {
            Some(_) => Ok((Reply::Done, Event::Published(id))),
            None => Ok((Reply::Done, Event::None)),
        }
    }

    /// The first door: a cluster whose members disagree takes no writes.
    fn trusted(&self) -> Result<(), Refusal> {
        if self.alarms.any(AlarmType::Corrupt) { Err(Refusal::Corrupt) } else { Ok(()) }
    }

    /// The second door: a cluster without space takes nothing that costs space.
    fn uncapped(&self) -> Result<(), Refusal> {
        if self.alarms.any(AlarmType::Nospace) { Err(Refusal::NoSpace) } else { Ok(()) }
    }

    fn fits(&self, cost: i64) -> bool {
        quota::available(self.store.keyspace().bytes_total(), cost, self.quota_bytes)
    }

    /// The third door stands behind the work: it was done, and the client hears that it was too much.
    fn within(&self, fits: bool, reply: Reply, event: Event) -> Verdict {
        if fits {
            return Ok((reply, event));
        }
        let granted = if let Event::LeaseGranted(id) = event { Some(id) } else { None };
        Err((Refusal::NoSpace, Event::OverQuota { granted }))
    }

    fn header(&self) -> Option<ResponseHeader> {
        Some(ResponseHeader { revision: self.store.keyspace().revision(), ..Default::default() })
    }
}

/// A refusal can still have an effect.
type Verdict = Result<(Reply, Event), Refused>;
type Refused = (Refusal, Event);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        (refusal, Event::None)
    }
}

fn not_built(request: u64, what: &'static str) -> Applied {
    Applied { request, outcome: Err(Refusal::NotBuilt(what)), event: Event::None }
}
