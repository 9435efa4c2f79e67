//! Status, alarms and checksums. Source: contract-semantics 13.
use super::answer;
use crate::{Node, Runtime};
use detcd_core::{MemberId, Refusal, query, quota, version};
use detcd_proto::etcdserverpb::{
    AlarmMember, AlarmRequest, AlarmResponse, AlarmType, DowngradeInfo, HashKvRequest, HashKvResponse,
    InternalRaftRequest, MoveLeaderRequest, MoveLeaderResponse, StatusResponse, alarm_request::AlarmAction,
};

impl<R: Runtime> Node<R> {
    pub async fn status(&self) -> Result<StatusResponse, Refusal> {
        let (who, edition) = self.principal().await?;
        edition.view.auth.permit_known(&who)?;
        let (view, standing) = (&edition.view, edition.standing);
        let size = quota::image_bytes(view.keyspace.bytes_total());
        let no_leader = standing.leader.is_none().then(|| Refusal::NoLeader.to_string());
        Ok(StatusResponse {
            header: Some(self.header(&edition, view.keyspace.revision())),
            version: version::SERVER.to_string(),
            db_size: size,
            leader: standing.leader.unwrap_or_default().0,
            raft_index: standing.commit,
            raft_term: standing.term,
            raft_applied_index: standing.applied,
            errors: no_leader.into_iter().chain(view.alarms.iter().map(alarm_text)).collect(),
            db_size_in_use: size,
            is_learner: standing.is_learner,
            storage_version: self.storage_version().unwrap_or_default(),
            db_size_quota: quota::effective(self.config().quota_backend_bytes),
            downgrade_info: Some(DowngradeInfo::default()),
        })
    }

    /// All actions go through the log, so they need a quorum.
    pub async fn alarm(&self, request: AlarmRequest) -> Result<AlarmResponse, Refusal> {
        self.admit()?;
        match AlarmAction::try_from(request.action) {
            Ok(AlarmAction::Get) => self.require_known().await?,
            Ok(AlarmAction::Activate | AlarmAction::Deactivate) => self.require_admin().await?,
            Err(_) => return Err(Refusal::NotBuilt("an alarm action of this number")),
        }
        answer!(self.propose(InternalRaftRequest { alarm: Some(request), ..Default::default() }).await, Alarm)
    }

    /// Only the leader hands over. The answer comes when the heir leads, or when it is known that it will not.
    pub async fn move_leader(&self, request: MoveLeaderRequest) -> Result<MoveLeaderResponse, Refusal> {
        self.admit()?;
        self.require_admin().await?;
        self.hand_over(Some(MemberId(request.target_id))).await?;
        let edition = self.latest();
        Ok(MoveLeaderResponse { header: Some(self.header(&edition, edition.view.keyspace.revision())) })
    }

    /// Of this member's own state at a revision, 0 for the newest.
    pub async fn hash_kv(&self, request: HashKvRequest) -> Result<HashKvResponse, Refusal> {
        self.admit()?;
        self.require_admin().await?;
        let edition = self.latest();
        let mut response = query::hash_kv(&edition.view, request.revision)?;
        self.stamp(&edition, &mut response.header);
        Ok(response)
    }

    /// The version of the stored data's shape: it follows the cluster's.
    pub(super) fn storage_version(&self) -> Option<String> {
        let version = self.latest().view.cluster_version.clone()?;
        (*version != version::CLUSTER_MIN.to_string()).then(|| version.to_string())
    }
}

/// As Go prints the message, the blank at the end included.
fn alarm_text(alarm: &AlarmMember) -> String {
    let mut text = String::new();
    if alarm.member_id != 0 {
        text += &format!("memberID:{} ", alarm.member_id);
    }
    match AlarmType::try_from(alarm.alarm) {
        Ok(AlarmType::None) => {}
        Ok(kind) => text += &format!("alarm:{} ", kind.as_str_name()),
        Err(_) => text += &format!("alarm:{} ", alarm.alarm),
    }
    text
}
