//! Who is in the cluster, and how that changes. Source: contract-semantics 12.
use super::{answer, lease::RETRY_PAUSE};
use crate::{CallFailed, Net, Node, PeerAnswer, PeerCall, Runtime};
use detcd_core::{Input, Member as Peer, MemberChange, MemberId, Order, Refusal, urls};
use detcd_proto::etcdserverpb::{
    Member, MemberAddRequest, MemberAddResponse, MemberListRequest, MemberListResponse, MemberPromoteRequest,
    MemberPromoteResponse, MemberRemoveRequest, MemberRemoveResponse, MemberUpdateRequest,
    MemberUpdateResponse, ResponseHeader,
};
use std::sync::Arc;

impl<R: Runtime> Node<R> {
    pub async fn member_list(&self, request: MemberListRequest) -> Result<MemberListResponse, Refusal> {
        self.admit()?;
        self.require_known().await?;
        if request.linearizable {
            self.read_point().await?;
        }
        let edition = self.latest();
        let header = Some(self.header(&edition, 0));
        Ok(MemberListResponse { header, members: all(&edition.view.members) })
    }

    pub async fn member_add(&self, request: MemberAddRequest) -> Result<MemberAddResponse, Refusal> {
        self.admit()?;
        let mut peer_urls: Vec<String> = request.peer_urls.iter().map(|url| url.trim().to_string()).collect();
        if peer_urls.is_empty() || peer_urls.iter().any(|url| urls::check(url).is_err()) {
            return Err(Refusal::MemberBadURLs);
        }
        peer_urls.sort_unstable();
        let id = MemberId::of_added(&peer_urls, self.wall_secs());
        let is_learner = request.is_learner;
        let members = self.change_members(MemberChange::Add { id, peer_urls, is_learner }).await?;
        let member = members.iter().find(|member| member.id == id).map(described);
        let (header, members) = (self.member_header(), all(&members));
        Ok(MemberAddResponse { header, member, members })
    }

    pub async fn member_remove(&self, request: MemberRemoveRequest) -> Result<MemberRemoveResponse, Refusal> {
        self.admit()?;
        let members = self.change_members(MemberChange::Remove(MemberId(request.id))).await?;
        Ok(MemberRemoveResponse { header: self.member_header(), members: all(&members) })
    }

    /// etcd does not look at what the URLs are.
    pub async fn member_update(&self, request: MemberUpdateRequest) -> Result<MemberUpdateResponse, Refusal> {
        self.admit()?;
        let (id, peer_urls) = (MemberId(request.id), request.peer_urls);
        let members = self.change_members(MemberChange::Update { id, peer_urls }).await?;
        Ok(MemberUpdateResponse { header: self.member_header(), members: all(&members) })
    }

    /// Whoever leads decides, for only it knows how far a learner is.
    pub async fn member_promote(
        &self,
        request: MemberPromoteRequest,
    ) -> Result<MemberPromoteResponse, Refusal> {
        self.admit()?;
        let id = MemberId(request.id);
        let members = match self.promote_here(id).await {
            Err(Refusal::NotLeader) => self.promote_there(id).await?,
            done => done?.to_vec(),
        };
        Ok(MemberPromoteResponse { header: self.member_header(), members: all(&members) })
    }

    /// Refused if this member does not lead.
    pub(super) async fn promote_here(&self, id: MemberId) -> Result<Arc<Vec<Peer>>, Refusal> {
        self.change_members(MemberChange::Promote(id)).await
    }

    /// Asks whoever leads until it answers or a request has waited long enough.
    async fn promote_there(&self, id: MemberId) -> Result<Vec<Peer>, Refusal> {
        let rt = &self.0.rt;
        let deadline = rt.now() + self.config().request_timeout();
        while rt.now() < deadline {
            let leader = self.latest().standing.leader;
            if leader == Some(self.config().me.id) {
                match self.promote_here(id).await {
                    Err(Refusal::NotLeader) => {}
                    done => return Ok(done?.to_vec()),
                }
            } else if let Some(leader) = leader {
                let token = self.1.token().map(str::to_string);
                match rt.net().call(leader, PeerCall::Promote { id, token }).await {
                    Ok(PeerAnswer::Promoted(members)) => return Ok(members),
                    Err(CallFailed::NotFound) => return Err(Refusal::MemberNotFound),
                    Err(CallFailed::NotLearner) => return Err(Refusal::MemberNotLearner),
                    Err(CallFailed::NotReady) => return Err(Refusal::LearnerNotReady),
                    // Whoever was asked does not lead, or did not answer; the next attempt may do better.
                    Ok(_) | Err(CallFailed::TimedOut | CallFailed::Refused | CallFailed::Unreachable) => {}
                }
            }
            if self.0.stopping.or_open(rt.sleep_until(rt.now() + RETRY_PAUSE)).await.is_none() {
                return Err(Refusal::Stopped);
            }
        }
        Err(Refusal::Timeout)
    }

    /// The members when it is done.
    async fn change_members(&self, change: MemberChange) -> Result<Arc<Vec<Peer>>, Refusal> {
        self.require_admin().await?;
        let order = Order::ChangeMembers(change);
        answer!(self.0.gate.ask(|ticket| Input::Admin { ticket, order }).await, Members)
    }

    /// An answer of the cluster service shows no revision.
    fn member_header(&self) -> Option<ResponseHeader> {
        Some(self.header(&self.latest(), 0))
    }
}

fn all(members: &[Peer]) -> Vec<Member> {
    members.iter().map(described).collect()
}

fn described(member: &Peer) -> Member {
    Member {
        id: member.id.0,
        name: member.name.clone(),
        peer_urls: member.peer_urls.clone(),
        client_urls: member.client_urls.clone(),
        is_learner: member.is_learner,
    }
}
