//! Who is in the cluster. Source: contract-semantics 12.5.
use crate::{Node, Runtime};
use detcd_core::Refusal;
use detcd_proto::etcdserverpb::{Member, MemberListRequest, MemberListResponse};

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
}
