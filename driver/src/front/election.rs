//! Elections among clients. Source: contract-semantics 15.
use super::{
    inside::{Ended, Inside, events, first_created, is_created, is_delete, op, prefix, prefix_end},
    watch::WatchReplies,
};
use crate::{Node, Runtime, shutdown::Latch};
use bytes::Bytes;
use detcd_core::Refusal;
use detcd_proto::{
    etcdserverpb::{PutRequest, ResponseHeader, TxnRequest, WatchCreateRequest, request_op},
    mvccpb::KeyValue,
    v3electionpb::{
        CampaignRequest, CampaignResponse, LeaderKey, LeaderRequest, LeaderResponse, ProclaimRequest,
        ProclaimResponse, ResignRequest, ResignResponse,
    },
};
use std::collections::VecDeque;

impl<R: Runtime> Node<R> {
    /// Waits until the caller is elected. The answer's leader key proves it, for as long as the key lives. If the
    /// returned future is dropped, the candidate withdraws.
    pub async fn campaign(&self, request: CampaignRequest) -> Result<CampaignResponse, Refusal> {
        self.admit()?;
        Inside::new(self).attended("campaign", |inside, gone| campaign(inside, request, gone)).await
    }

    /// Changes what the leader says.
    pub async fn proclaim(&self, request: ProclaimRequest) -> Result<ProclaimResponse, Refusal> {
        self.admit()?;
        let leader = request.leader.ok_or(Refusal::MissingLeaderKey)?;
        let inside = Inside::new(self);
        let lease = inside.lease(leader.lease).await?;
        let header = proclaim(&inside, &LeaderKey { lease, ..leader }, request.value).await?;
        Ok(ProclaimResponse { header })
    }

    /// Who leads now, and what it says.
    pub async fn leader(&self, request: LeaderRequest) -> Result<LeaderResponse, Refusal> {
        self.admit()?;
        let mut found = Inside::new(self).range(first_created(&prefix(&request.name))).await?;
        let kv = found.kvs.pop().ok_or(Refusal::ElectionNoLeader)?;
        Ok(LeaderResponse { header: found.header, kv: Some(kv) })
    }

    /// Gives the lead up. Who has lost it already is told the same.
    pub async fn resign(&self, request: ResignRequest) -> Result<ResignResponse, Refusal> {
        self.admit()?;
        let leader = request.leader.ok_or(Refusal::MissingLeaderKey)?;
        let resigned = Inside::new(self).leave(&leader.key, leader.rev).await?;
        Ok(ResignResponse { header: resigned.header })
    }

    /// Follows who leads and what it says.
    pub fn observe(&self, request: LeaderRequest) -> Result<Observation<R>, Refusal> {
        self.admit()?;
        Ok(Observation {
            inside: Inside::new(self),
            prefix: prefix(&request.name),
            watch: Watch::Nothing,
            found: VecDeque::new(),
        })
    }
}

async fn campaign<R: Runtime>(
    inside: Inside<R>,
    request: CampaignRequest,
    gone: Latch,
) -> Ended<CampaignResponse> {
    let queued = match inside.lease(request.lease).await {
        Ok(lease) => inside.queue(&request.name, lease, request.value.clone()).await,
        Err(refusal) => Err(refusal),
    };
    let queued = match queued {
        Ok(queued) => queued,
        Err(refusal) => return (Err(refusal), None),
    };
    let place = queued.place;
    let leader =
        LeaderKey { name: request.name, key: place.key.clone(), rev: place.created, lease: place.lease };
    if queued.found.as_ref().is_some_and(|found| *found != request.value)
        && let Err(refusal) = proclaim(&inside, &leader, request.value).await
    {
        inside.give_up(&place).await;
        return (Err(refusal), None);
    }
    if !queued.is_first {
        match inside.wait_for(&place, &gone).await {
            Ok(Some(_)) => {}
            Ok(None) => return (Err(Refusal::ElectionNotLeader), None),
            Err(refusal) => return (Err(refusal), None),
        }
    }
    // A candidate that was there before this call does not withdraw with it.
    let response = CampaignResponse { header: queued.header, leader: Some(leader) };
    (Ok(response), queued.found.is_none().then_some(place))
}

async fn proclaim<R: Runtime>(
    inside: &Inside<R>,
    leader: &LeaderKey,
    value: Bytes,
) -> Result<Option<ResponseHeader>, Refusal> {
    let put = PutRequest { key: leader.key.clone(), value, lease: leader.lease, ..Default::default() };
    let response = inside
        .txn(TxnRequest {
            compare: vec![is_created(&leader.key, leader.rev)],
            success: vec![op(request_op::Request::RequestPut(put))],
            failure: Vec::new(),
        })
        .await?;
    if response.succeeded { Ok(response.header) } else { Err(Refusal::ElectionNotLeader) }
}

/// One who observes an election. Dropping it ends what it watches.
pub struct Observation<R: Runtime> {
    inside: Inside<R>,
    prefix: Bytes,
    watch: Watch,
    found: VecDeque<LeaderResponse>,
}

enum Watch {
    Nothing,
    /// Nobody leads: the first key under the prefix will.
    Election(WatchReplies),
    Leader(WatchReplies),
}

impl<R: Runtime> Observation<R> {
    /// The leader's pair, then each change of it that is seen, then the next leader's, without end. Every one carries
    /// the revision at which it was so.
    pub async fn next(&mut self) -> Result<LeaderResponse, Refusal> {
        loop {
            if let Some(response) = self.found.pop_front() {
                return Ok(response);
            }
            self.watch = match std::mem::replace(&mut self.watch, Watch::Nothing) {
                Watch::Nothing => self.look().await?,
                Watch::Election(replies) => self.elected(replies).await?,
                Watch::Leader(replies) => self.follow(replies).await?,
            };
        }
    }

    async fn look(&mut self) -> Result<Watch, Refusal> {
        let mut response = self.inside.range(first_created(&self.prefix)).await?;
        let header = response.header.unwrap_or_default();
        if let Some(kv) = response.kvs.pop() {
            return self.found(header, kv).await;
        }
        let watched = WatchCreateRequest {
            key: self.prefix.clone(),
            range_end: prefix_end(&self.prefix),
            start_revision: header.revision + 1,
            ..Default::default()
        };
        Ok(Watch::Election(self.inside.watch([watched]).await?))
    }

    /// A leader as of this header's revision.
    async fn found(&mut self, header: ResponseHeader, kv: KeyValue) -> Result<Watch, Refusal> {
        let watched = WatchCreateRequest {
            key: kv.key.clone(),
            start_revision: header.revision + 1,
            ..Default::default()
        };
        self.found.push_back(LeaderResponse { header: Some(header), kv: Some(kv) });
        Ok(Watch::Leader(self.inside.watch([watched]).await?))
    }

    async fn elected(&mut self, mut replies: WatchReplies) -> Result<Watch, Refusal> {
        let Some((header, events)) = events(&mut replies).await? else { return Ok(Watch::Nothing) };
        match events.into_iter().find(|event| !is_delete(event)).and_then(|event| event.kv) {
            Some(kv) => self.found(ResponseHeader { revision: kv.mod_revision, ..header }, kv).await,
            None => Ok(Watch::Election(replies)),
        }
    }

    async fn follow(&mut self, mut replies: WatchReplies) -> Result<Watch, Refusal> {
        let Some((header, events)) = events(&mut replies).await? else { return Ok(Watch::Nothing) };
        for event in events {
            if is_delete(&event) {
                return Ok(Watch::Nothing);
            }
            self.found.push_back(LeaderResponse { header: Some(header), kv: event.kv });
        }
        Ok(Watch::Leader(replies))
    }
}
