//! Who is in the cluster, and whether that may change. Source: contract-semantics 12.
use crate::{Node, Runtime};
use detcd_core::{Input, MemberChange, MemberId, Order, Refusal, urls};
use detcd_proto::etcdserverpb::{
    Member, MemberAddRequest, MemberAddResponse, MemberListRequest, MemberListResponse, MemberPromoteRequest,
    MemberPromoteResponse, MemberRemoveRequest, MemberRemoveResponse, MemberUpdateRequest,
    MemberUpdateResponse,
};

impl<R: Runtime> Node<R> {
    pub async fn member_list(&self, request: MemberListRequest) -> Result<MemberListResponse, Refusal> {
        self.admit()?;
        self.require_known().await?;
        if request.linearizable {
            self.read_point().await?;
        }
        let edition = self.latest();
        // A member of the cluster service's answers shows no revision.
        let header = Some(self.header(&edition, 0));
        let members = edition.view.members.iter().map(|member| Member {
            id: member.id.0,
            name: member.name.clone(),
            peer_urls: member.peer_urls.clone(),
            client_urls: member.client_urls.clone(),
            is_learner: member.is_learner,
        });
        Ok(MemberListResponse { header, members: members.collect() })
    }

    pub async fn member_add(&self, request: MemberAddRequest) -> Result<MemberAddResponse, Refusal> {
        self.admit()?;
        let mut peer_urls: Vec<String> = request.peer_urls.iter().map(|url| url.trim().to_string()).collect();
        if peer_urls.is_empty() || peer_urls.iter().any(|url| urls::check(url).is_err()) {
            return Err(Refusal::MemberBadURLs);
        }
        peer_urls.sort_unstable();
        Err(self.change_members(MemberChange::Add { peer_urls, is_learner: request.is_learner }).await)
    }

    pub async fn member_remove(&self, request: MemberRemoveRequest) -> Result<MemberRemoveResponse, Refusal> {
        self.admit()?;
        Err(self.change_members(MemberChange::Remove(MemberId(request.id))).await)
    }

    /// etcd does not look at what the URLs are.
    pub async fn member_update(&self, request: MemberUpdateRequest) -> Result<MemberUpdateResponse, Refusal> {
        self.admit()?;
        let (id, peer_urls) = (MemberId(request.id), request.peer_urls);
        Err(self.change_members(MemberChange::Update { id, peer_urls }).await)
    }

    pub async fn member_promote(
        &self,
        request: MemberPromoteRequest,
    ) -> Result<MemberPromoteResponse, Refusal> {
        self.admit()?;
        Err(self.change_members(MemberChange::Promote(MemberId(request.id))).await)
    }

    /// Why not: for now there is always a reason.
    async fn change_members(&self, change: MemberChange) -> Refusal {
        if let Err(refusal) = self.require_admin().await {
            return refusal;
        }
        let order = Order::ChangeMembers(change);
        match self.0.gate.ask(|ticket| Input::Admin { ticket, order }).await {
            Err(refusal) => refusal,
            Ok(other) => unreachable!("a change of the members was answered with {other:?}"),
        }
    }
}
