//! Leases: grants and revokes go through the log; only the leader knows how long one has left, so renewals and
//! questions are passed on to it. Source: contract-semantics 10.
use super::answer;
use crate::{CallFailed, Net, Node, PeerAnswer, PeerCall, Runtime};
use detcd_core::{Input, Refusal, Reply, Span, quota};
use detcd_proto::{
    etcdserverpb::{
        InternalRaftRequest, LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest,
        LeaseKeepAliveResponse, LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse, LeaseStatus,
        LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
    },
    leasepb::LeaseInternalRequest,
};

/// Between two attempts to reach a leader.
pub(super) const RETRY_PAUSE: Span = Span::millis(50);

impl<R: Runtime> Node<R> {
    pub async fn lease_grant(&self, request: LeaseGrantRequest) -> Result<LeaseGrantResponse, Refusal> {
        self.admit()?;
        self.fits(quota::GRANT_COST).await?;
        self.require_known().await?;
        let request = InternalRaftRequest { lease_grant: Some(request), ..Default::default() };
        answer!(self.propose(request).await, LeaseGrant)
    }

    pub async fn lease_revoke(&self, request: LeaseRevokeRequest) -> Result<LeaseRevokeResponse, Refusal> {
        self.admit()?;
        self.require_known().await?;
        let request = InternalRaftRequest { lease_revoke: Some(request), ..Default::default() };
        answer!(self.propose(request).await, LeaseRevoke)
    }

    /// Renews one lease once. An unknown lease is answered with a TTL of 0.
    pub async fn lease_keep_alive(
        &self,
        request: LeaseKeepAliveRequest,
    ) -> Result<LeaseKeepAliveResponse, Refusal> {
        self.admit()?;
        let (who, edition) = self.principal().await?;
        edition.view.auth.permit_known(&who)?;
        edition.view.auth.permit_lease_change(&who, &edition.view.leases, request.id)?;
        let header = Some(self.header(&edition, edition.view.keyspace.revision()));
        let ttl = match self.ask_leader(PeerCall::KeepAlive(request)).await? {
            Some(PeerAnswer::KeepAlive(response)) => response.ttl,
            _ => 0,
        };
        Ok(LeaseKeepAliveResponse { header, id: request.id, ttl })
    }

    /// How long a lease has left. An unknown lease is answered with a TTL of −1.
    pub async fn lease_time_to_live(
        &self,
        request: LeaseTimeToLiveRequest,
    ) -> Result<LeaseTimeToLiveResponse, Refusal> {
        self.admit()?;
        self.require_known().await?;
        if request.keys {
            // Before the leader is asked, so that whoever may not ask learns nothing about what there is.
            let (who, edition) = self.principal().await?;
            if let Some(lease) = edition.view.leases.get(request.id) {
                edition.view.auth.permit_lease_keys(&who, lease.keys())?;
            }
        }
        let call = LeaseInternalRequest { lease_time_to_live_request: Some(request) };
        let response = match self.ask_leader(PeerCall::TimeToLive(call)).await? {
            Some(PeerAnswer::TimeToLive(answer)) => answer.lease_time_to_live_response,
            _ => None,
        };
        let unknown = LeaseTimeToLiveResponse { id: request.id, ttl: -1, ..Default::default() };
        let response = response.unwrap_or(unknown);
        // The leader may know of keys that this member has not heard of.
        let (who, edition) = self.principal().await?;
        edition.view.auth.permit_lease_keys(&who, response.keys.iter())?;
        let header = Some(self.header(&edition, edition.view.keyspace.revision()));
        Ok(LeaseTimeToLiveResponse { header, ..response })
    }

    /// Those this member knows: at a leader the one that ends first in front, elsewhere, where nobody counts, by id.
    pub async fn lease_leases(&self) -> Result<LeaseLeasesResponse, Refusal> {
        self.admit()?;
        let counted = match self.latest().standing.leader {
            Some(leader) if leader == self.config().me.id => {
                self.0.gate.ask(|ticket| Input::Leases { ticket }).await
            }
            _ => Err(Refusal::NotPrimary),
        };
        let (who, edition) = self.principal().await?;
        let (auth, leases) = (&edition.view.auth, &edition.view.leases);
        auth.permit_known(&who)?;
        auth.permit_lease_keys(&who, leases.iter().flat_map(|(_, lease)| lease.keys()))?;
        let ids = match counted {
            Ok(Reply::Leases(ids)) => ids,
            Err(Refusal::NotPrimary) => leases.iter().map(|(id, _)| *id).collect(),
            Err(refusal) => return Err(refusal),
            Ok(other) => unreachable!("a list of leases was answered with {other:?}"),
        };
        let leases = ids.into_iter().map(|id| LeaseStatus { id }).collect();
        let header = Some(self.header(&edition, edition.view.keyspace.revision()));
        Ok(LeaseLeasesResponse { header, leases })
    }

    pub(super) async fn renew(&self, lease: i64) -> Result<LeaseKeepAliveResponse, Refusal> {
        let renewed: LeaseKeepAliveResponse =
            answer!(self.0.gate.ask(|ticket| Input::KeepAlive { ticket, lease }).await, KeepAlive)?;
        self.0.meters.leases_renewed.add(u64::from(renewed.ttl > 0));
        Ok(renewed)
    }

    pub(super) async fn remaining(&self, lease: i64, keys: bool) -> Result<LeaseTimeToLiveResponse, Refusal> {
        answer!(self.0.gate.ask(|ticket| Input::TimeToLive { ticket, lease, keys }).await, TimeToLive)
    }

    /// Asks whoever leads, be it this member, until somebody answers or the request has waited long enough. Nothing
    /// comes back for a lease that the leader does not know.
    async fn ask_leader(&self, call: PeerCall) -> Result<Option<PeerAnswer>, Refusal> {
        let rt = &self.0.rt;
        let deadline = rt.now() + self.config().request_timeout();
        loop {
            let leader = self.latest().standing.leader;
            if let Some(leader) = leader {
                let answer = if leader == self.config().me.id {
                    self.peer(call.clone()).await
                } else {
                    rt.net().call(leader, call.clone()).await
                };
                match answer {
                    Ok(answer) => return Ok(Some(answer)),
                    Err(CallFailed::NotFound) => return Ok(None),
                    // Whoever was asked does not lead, or did not answer; the next attempt may do better.
                    Err(
                        CallFailed::TimedOut
                        | CallFailed::Refused
                        | CallFailed::Unreachable
                        | CallFailed::NotLearner
                        | CallFailed::NotReady,
                    ) => {}
                }
            }
            if rt.now() >= deadline {
                return Err(if leader.is_some() { Refusal::Timeout } else { Refusal::NoLeader });
            }
            if self.0.stopping.or_open(rt.sleep_until(rt.now() + RETRY_PAUSE)).await.is_none() {
                return Err(Refusal::Stopped);
            }
        }
    }
}
