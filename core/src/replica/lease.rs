//! What only a leader may say about leases: how long they live. Source: contract-semantics 10.3 to 10.6.
//!
//! A leader speaks only after it has applied an entry of its own term, and each time only after a quorum confirmed
//! that nobody else leads: else two members could promise two different things.
use super::{Replica, proposals::Waiter, reads::Reader};
use crate::{
    Moment, Note, Plant, Refusal, Reply, Ticket,
    lease::{Deadlines, Lease},
};
use alloc::{boxed::Box, vec, vec::Vec};
use detcd_proto::etcdserverpb::{
    InternalRaftRequest, LeaseCheckpoint, LeaseCheckpointRequest, LeaseKeepAliveResponse, LeaseRevokeRequest,
    LeaseTimeToLiveResponse,
};

/// A renewal that found its lease expired: the answer depends on whether this leader gets to revoke it.
#[derive(Debug)]
pub struct Parked {
    ticket: Ticket,
    lease: i64,
}

impl Replica {
    pub(super) fn read_as_leader(&mut self, now: Moment, reader: Reader) {
        if self.is_founding || !self.raft.is_leader() {
            return self.reply(reader.ticket(), Err(Refusal::NotPrimary));
        }
        if let Reader::KeepAlive { ticket, lease } = reader
            && self.config.plants.has(Plant::KeepaliveLies)
        {
            return self.renew(now, ticket, lease);
        }
        self.read(now, reader);
    }

    /// This member has applied an entry of the term it leads: the leases' time starts to run here.
    pub(super) fn promote_leases(&mut self, now: Moment) {
        let plants = self.config.plants;
        let forgets = plants.has(Plant::TtlResetOnLeaderChange);
        let left = |(id, lease): (&i64, &Lease)| (*id, if forgets { lease.ttl } else { lease.ttl_left() });
        let leases = self.state.leases.iter().map(left);
        let (extra, every) = (self.config.election_timeout, self.config.lease_checkpoint_interval);
        self.deadlines = Some(Deadlines::promote(now, leases, extra, every, plants));
    }

    /// Somebody else may lead now, and count.
    pub(super) fn demote_leases(&mut self) {
        if self.config.plants.has(Plant::OldLeaderRevokes) {
            return;
        }
        self.deadlines = None;
        for Parked { ticket, .. } in core::mem::take(&mut self.parked) {
            self.reply(ticket, Err(Refusal::NotPrimary));
        }
    }

    pub(super) fn lease_granted(&mut self, now: Moment, id: i64) {
        if let (Some(deadlines), Some(lease)) = (&mut self.deadlines, self.state.leases.get(id)) {
            deadlines.renew(now, id, lease.ttl);
        }
    }

    pub(super) fn lease_revoked(&mut self, id: i64) {
        if let Some(deadlines) = &mut self.deadlines {
            deadlines.remove(id);
        }
        let (gone, rest): (Vec<Parked>, Vec<Parked>) =
            core::mem::take(&mut self.parked).into_iter().partition(|parked| parked.lease == id);
        self.parked = rest;
        for parked in gone {
            self.reply_keep_alive(parked.ticket, id, 0);
        }
    }

    /// Called when a quorum confirmed this leader and the state is as new as it then was.
    pub(super) fn renew(&mut self, now: Moment, ticket: Ticket, id: i64) {
        let Some(deadlines) = &mut self.deadlines else {
            return self.reply(ticket, Err(Refusal::NotPrimary));
        };
        let Some(lease) = self.state.leases.get(id) else {
            let is_counted = deadlines.remaining_secs(now, id).is_some();
            assert!(!is_counted, "lease {id} is counted and not granted");
            return self.reply_keep_alive(ticket, id, 0);
        };
        if deadlines.is_expired(now, id) && !self.config.plants.has(Plant::KeepaliveLies) {
            return self.parked.push(Parked { ticket, lease: id });
        }
        if lease.remaining_ttl > 0 || deadlines.is_checkpointing(id) {
            return self.forget_checkpoint(now, ticket, id);
        }
        let ttl = lease.ttl;
        deadlines.renew(now, id, ttl);
        self.reply_keep_alive(ticket, id, ttl);
    }

    /// The next leader would count down from the checkpoint: it has to go before the renewal is promised.
    fn forget_checkpoint(&mut self, now: Moment, ticket: Ticket, lease: i64) {
        let checkpoint = LeaseCheckpoint { id: lease, remaining_ttl: 0 };
        if let Err(refusal) =
            self.propose_checkpoints(now, Waiter::Renewal { ticket, lease }, vec![checkpoint])
        {
            self.reply(ticket, Err(refusal));
        }
    }

    /// Proposes to note how long leases have left. What does not come through comes again.
    pub(super) fn checkpoint_leases(&mut self, now: Moment) {
        let Some(deadlines) = &mut self.deadlines else { return };
        let mut checkpoints = deadlines.checkpoints(now);
        checkpoints.retain(|checkpoint| {
            self.state.leases.get(checkpoint.id).is_some_and(|lease| checkpoint.remaining_ttl < lease.ttl)
        });
        if !checkpoints.is_empty() {
            // Refused while the lead is handed over; the next round is as good.
            self.propose_checkpoints(now, Waiter::Checkpoint, checkpoints).ok();
        }
    }

    fn propose_checkpoints(
        &mut self,
        now: Moment,
        waiter: Waiter,
        checkpoints: Vec<LeaseCheckpoint>,
    ) -> Result<(), Refusal> {
        if !self.raft.is_leader() {
            return Err(Refusal::NotPrimary);
        }
        let leases: Vec<i64> = checkpoints.iter().map(|checkpoint| checkpoint.id).collect();
        let lease_checkpoint = Some(LeaseCheckpointRequest { checkpoints });
        let request = Box::new(InternalRaftRequest { lease_checkpoint, ..Default::default() });
        let id = self.propose(now, waiter, request)?;
        if let Some(deadlines) = &mut self.deadlines {
            deadlines.checkpointing(id, &leases);
        }
        Ok(())
    }

    pub(super) fn leases_checkpointed(&mut self, request: u64, leases: &[i64]) {
        if let Some(deadlines) = &mut self.deadlines {
            deadlines.checkpointed(request, leases);
        }
    }

    pub(super) fn tell_time_to_live(&mut self, now: Moment, ticket: Ticket, id: i64, with_keys: bool) {
        let Some(deadlines) = &self.deadlines else {
            return self.reply(ticket, Err(Refusal::NotPrimary));
        };
        let header = Some(self.header(self.state.store.keyspace().revision()));
        let response = match self.state.leases.get(id) {
            None => LeaseTimeToLiveResponse { header, id, ttl: -1, ..Default::default() },
            Some(lease) => LeaseTimeToLiveResponse {
                header,
                id,
                ttl: deadlines.remaining_secs(now, id).unwrap_or(0),
                granted_ttl: lease.ttl,
                keys: if with_keys { lease.keys().cloned().collect() } else { Vec::new() },
            },
        };
        self.reply(ticket, Ok(Reply::TimeToLive(response)));
    }

    pub(super) fn tell_leases(&mut self, ticket: Ticket) {
        let outcome = match &self.deadlines {
            Some(deadlines) => Ok(Reply::Leases(deadlines.by_end())),
            None => Err(Refusal::NotPrimary),
        };
        self.reply(ticket, outcome);
    }

    pub(super) fn lease_deadline(&self) -> Option<Moment> {
        self.deadlines.as_ref().and_then(Deadlines::next)
    }

    /// Proposes to revoke what has expired; what does not come through comes again. Never by way of another leader,
    /// who may know better.
    pub(super) fn expire_leases(&mut self, now: Moment) {
        let retry = self.config.request_timeout();
        let expired = match &mut self.deadlines {
            Some(deadlines) if self.raft.is_leader() || self.config.plants.has(Plant::OldLeaderRevokes) => {
                deadlines.expired(now, retry)
            }
            _ => return,
        };
        for id in expired {
            let lease_revoke = Some(LeaseRevokeRequest { id });
            let header = self.own_header();
            let request = Box::new(InternalRaftRequest { header, lease_revoke, ..Default::default() });
            if self.propose(now, Waiter::Expiry, request).is_ok() {
                self.notes.push(Note::LeaseExpired { lease: id });
            } else if let Some(deadlines) = &mut self.deadlines {
                deadlines.refused(now, id);
            }
        }
    }

    fn reply_keep_alive(&mut self, ticket: Ticket, id: i64, ttl: i64) {
        let header = Some(self.header(self.state.store.keyspace().revision()));
        self.reply(ticket, Ok(Reply::KeepAlive(LeaseKeepAliveResponse { header, id, ttl })));
    }
}
