//! What goes into the log, and what becomes of those who wait for it. Source: contract-semantics 14.3, 14.4.
use super::{
    Replica, WAITING_MAX,
    proposals::{Expired, Waiter},
};
use crate::{Moment, Plant, Refusal, Ticket, auth::Principal};
use alloc::boxed::Box;
use bytes::Bytes;
use detcd_proto::{
    Message,
    etcdserverpb::{InternalRaftRequest, RequestHeader},
    raftpb::EntryType,
};

/// So far may applying lag behind committing before new requests are turned away.
const APPLY_GAP_MAX: u64 = 5000;

impl Replica {
    pub(super) fn propose_for_client(
        &mut self,
        now: Moment,
        ticket: Ticket,
        request: Box<InternalRaftRequest>,
    ) {
        if self.raft.commit() - self.applied > APPLY_GAP_MAX || self.waiting() >= WAITING_MAX {
            return self.reply(ticket, Err(Refusal::TooManyRequests));
        }
        if let Err(refusal) = self.propose(now, Waiter::Client(ticket), request) {
            self.reply(ticket, Err(refusal));
        }
    }

    /// For what the cluster itself asks for, and users might not be allowed to.
    pub(super) fn own_header(&self) -> Option<RequestHeader> {
        let auth = &self.state.auth;
        let Principal { name, revision } =
            if auth.is_enabled() { Principal::root(auth.revision()) } else { Principal::default() };
        Some(RequestHeader { id: 0, username: name, auth_revision: revision })
    }

    /// The request's id. An error says that the request is in no log and that nobody waits for it.
    pub(super) fn propose(
        &mut self,
        now: Moment,
        waiter: Waiter,
        mut request: Box<InternalRaftRequest>,
    ) -> Result<u64, Refusal> {
        let id = self.request_ids.next();
        if let Some(grant) = &mut request.lease_grant
            && grant.id == 0
        {
            grant.id = self.unused_lease_id();
        }
        if let (Some(grant), Some(deadlines)) = (&request.lease_grant, &mut self.deadlines)
            && self.config.plants.has(Plant::GrantKeepaliveRace)
        {
            deadlines.renew(now, grant.id, grant.ttl);
        }
        request.header.get_or_insert_with(RequestHeader::default).id = id;
        let data = request.encode_to_vec();
        if data.len() > self.config.max_request_bytes {
            return Err(Refusal::RequestTooLarge);
        }
        let data = Bytes::from(data);
        match self.hand_over(now, EntryType::EntryNormal, data.clone()) {
            Ok(()) => {}
            Err(Refusal::NoLeader) => self.proposals.keep(id, data),
            Err(refusal) => return Err(refusal),
        }
        self.proposals.wait(id, waiter, now);
        Ok(id)
    }

    /// Sends what was kept, now that somebody leads.
    pub(super) fn send_kept(&mut self, now: Moment) {
        while let Some((id, data)) = self.proposals.next_unsent() {
            match self.hand_over(now, EntryType::EntryNormal, data.clone()) {
                Ok(()) => {}
                Err(Refusal::NoLeader) => return self.proposals.put_back(id, data),
                Err(refusal) => {
                    if let Some(waiter) = self.proposals.resolve(id) {
                        self.disappoint(now, waiter, refusal);
                    }
                }
            }
        }
    }

    pub(super) fn hand_over(&mut self, now: Moment, kind: EntryType, data: Bytes) -> Result<(), Refusal> {
        if self.is_founding {
            return Err(Refusal::NoLeader);
        }
        self.raft.propose(now, kind, data)
    }

    pub(super) fn expire_proposals(&mut self, now: Moment) {
        let Some(limit) = self.limit(now) else { return };
        while let Some(Expired { waiting, is_unsent }) = self.proposals.expired(limit) {
            // etcd's Raft does not take a proposal without a leader, and its wait ends with the bare reason.
            let refusal = if is_unsent { Refusal::DeadlineExceeded } else { self.why_late(waiting.since) };
            self.disappoint(now, waiting.waiter, refusal);
        }
    }

    /// A request was not applied here, and nobody waits for it any longer.
    fn disappoint(&mut self, now: Moment, waiter: Waiter, refusal: Refusal) {
        match waiter {
            Waiter::Client(ticket) | Waiter::Renewal { ticket, .. } => self.reply(ticket, Err(refusal)),
            Waiter::Publish => self.publish_later(now),
            // All are proposed again when their reason shows again.
            Waiter::Alarm | Waiter::Expiry | Waiter::Checkpoint => {}
        }
    }

    /// In whose fault a request that began at `since` was not answered.
    fn why_late(&self, since: Moment) -> Refusal {
        if let Some(elected) = self.elected
            && since < elected
            && elected - since < self.config.election_timeout.times(2)
        {
            return Refusal::TimeoutDueToLeaderFail;
        }
        let linked_since = |peer| self.linked.get(&peer).is_some_and(|linked| *linked < since);
        let reached = match self.raft.leader() {
            None => true,
            Some(leader) if leader == self.config.me.id => {
                let members = self.state.members.shared();
                let me = self.config.me.id;
                let reached = members.iter().filter(|m| m.id == me || linked_since(m.id)).count();
                reached > members.len() / 2
            }
            Some(leader) => linked_since(leader),
        };
        if reached { Refusal::Timeout } else { Refusal::TimeoutDueToConnectionLost }
    }

    /// Positive, as etcd's servers choose them, and not one that exists.
    fn unused_lease_id(&mut self) -> i64 {
        loop {
            let id = (self.lease_ids.next() & (u64::MAX >> 1)) as i64;
            if id != 0 && !self.state.leases.exists(id) {
                return id;
            }
        }
    }
}
