//! Status, alarms and checksums. Source: contract-semantics 13.
use super::{answer, breathe};
use crate::{Node, Runtime};
use detcd_core::{
    MemberId, Refusal, View, checkpoint, query, quota,
    version::{self, Version},
};
use detcd_proto::{
    etcdserverpb::{
        AlarmMember, AlarmRequest, AlarmResponse, AlarmType, DefragmentResponse, DowngradeInfo,
        DowngradeRequest, DowngradeResponse, HashKvRequest, HashKvResponse, HashResponse,
        InternalRaftRequest, MoveLeaderRequest, MoveLeaderResponse, StatusResponse,
        alarm_request::AlarmAction, downgrade_request::DowngradeAction,
    },
    membershippb::DowngradeInfoSetRequest,
};

/// So many changes are hashed before others on the same thread have their turn.
const HASH_SLICE: usize = 10_000;

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
            downgrade_info: Some(downgrade_info(view)),
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

    /// There is never anything to give back: the keyspace takes as much space as its contents need, and compaction
    /// alone makes it smaller. Answered at once, and nobody has to wait for it.
    pub async fn defragment(&self) -> Result<DefragmentResponse, Refusal> {
        self.admit()?;
        self.require_admin().await?;
        // etcd leaves the header out.
        Ok(DefragmentResponse { header: None })
    }

    /// Only the leader hands over. The answer comes when the heir leads, or when it is known that it will not.
    pub async fn move_leader(&self, request: MoveLeaderRequest) -> Result<MoveLeaderResponse, Refusal> {
        self.admit()?;
        self.require_admin().await?;
        self.hand_over(Some(MemberId(request.target_id))).await?;
        // etcd leaves the header out.
        Ok(MoveLeaderResponse { header: None })
    }

    /// Prepares the cluster for members of the version before, or ends that. Source: contract-semantics 13.9.
    pub async fn downgrade(&self, request: DowngradeRequest) -> Result<DowngradeResponse, Refusal> {
        self.admit()?;
        self.require_admin().await?;
        let action = DowngradeAction::try_from(request.action).map_err(|_| Refusal::UnknownMethod)?;
        let target = match action {
            DowngradeAction::Cancel => None,
            DowngradeAction::Validate | DowngradeAction::Enable => {
                let target = Version::parse_target(&request.version);
                Some(target.ok_or(Refusal::WrongDowngradeVersionFormat)?)
            }
        };
        self.cluster_version().ok_or(Refusal::ClusterVersionUnavailable)?;
        let confirmed = self.read_point().await;
        let edition = self.latest();
        // Once it is there it stays.
        let current = self.cluster_version().ok_or(Refusal::ClusterVersionUnavailable)?;
        let runs = edition.view.downgrade.is_some();
        let outcome = match target {
            // Nothing to cancel is no error, and no answer neither.
            None if confirmed.is_err() || !runs => Ok(()),
            None => self.set_downgrade(DowngradeInfoSetRequest::default()).await.or(Ok(())),
            Some(target) => {
                confirmed?;
                if current.before() != Some(target) {
                    return Err(Refusal::InvalidDowngradeTargetVersion);
                }
                if runs {
                    return Err(Refusal::DowngradeInProcess);
                }
                match action {
                    DowngradeAction::Enable => {
                        let ver = target.to_string();
                        self.set_downgrade(DowngradeInfoSetRequest { enabled: true, ver }).await
                    }
                    DowngradeAction::Validate | DowngradeAction::Cancel => Ok(()),
                }
            }
        };
        outcome?;
        let edition = self.latest();
        let version = format!("{}.{}", current.major, current.minor);
        let header = Some(self.header(&edition, edition.view.keyspace.revision()));
        Ok(DowngradeResponse { header, version })
    }

    async fn set_downgrade(&self, request: DowngradeInfoSetRequest) -> Result<(), Refusal> {
        let downgrade_info_set = Some(Box::new(request));
        self.propose(InternalRaftRequest { downgrade_info_set, ..Default::default() }).await.map(|_| ())
    }

    fn cluster_version(&self) -> Option<Version> {
        let version = self.latest().view.cluster_version.clone()?;
        Version::parse(&version)
    }

    /// Of this member's own state at a revision, 0 for the newest.
    pub async fn hash_kv(&self, request: HashKvRequest) -> Result<HashKvResponse, Refusal> {
        self.admit()?;
        self.require_admin().await?;
        let edition = self.latest();
        let begun = self.0.rt.now();
        let mut hashing = query::Hashing::new(&edition.view, request.revision)?;
        let mut response = loop {
            match hashing.step(HASH_SLICE) {
                Some(response) => break response,
                None => breathe().await,
            }
        };
        self.0.meters.hash_kv.observe(self.0.rt.now() - begun);
        self.stamp(&edition, &mut response.header);
        Ok(response)
    }

    /// Of everything that this member stores; members agree on it as far as they have applied the same.
    pub async fn hash(&self) -> Result<HashResponse, Refusal> {
        self.admit()?;
        self.require_admin().await?;
        let edition = self.latest();
        let begun = self.0.rt.now();
        let mut hashing = checkpoint::Hashing::new(edition.view.clone(), &edition.stand);
        let hash = loop {
            match hashing.step(HASH_SLICE) {
                Some(hash) => break hash,
                None => breathe().await,
            }
        };
        self.0.meters.hash.observe(self.0.rt.now() - begun);
        let header = Some(self.header(&edition, edition.view.keyspace.revision()));
        Ok(HashResponse { header, hash })
    }

    /// The version of the stored data's shape: it follows the cluster's.
    pub(super) fn storage_version(&self) -> Option<String> {
        let version = self.latest().view.cluster_version.clone()?;
        (*version != version::CLUSTER_MIN.to_string()).then(|| version.to_string())
    }
}

fn downgrade_info(view: &View) -> DowngradeInfo {
    let target_version = view.downgrade.as_ref().map(|target| target.to_string());
    DowngradeInfo { enabled: target_version.is_some(), target_version: target_version.unwrap_or_default() }
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
