//! The calls the commands make. Which of them may be repeated is etcd's Go client's choice.

use detcd_proto::etcdserverpb as pb;
use detcd_proto::v3electionpb as election;
use detcd_proto::v3lockpb as lock;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tonic::Streaming;

use super::link::{Link, Outgoing};
use super::{Client, Fault, Retry, within};

/// A snapshot on its way, piece by piece.
pub struct SnapshotStream {
    pieces: Streaming<pb::SnapshotResponse>,
    deadline: Option<Instant>,
}

impl SnapshotStream {
    /// Nothing behind the last piece.
    pub async fn next(&mut self) -> Result<Option<pb::SnapshotResponse>, Fault> {
        let piece = within(self.deadline, self.pieces.message()).await?;
        piece.map_err(|status| Fault::from_status(&status))
    }
}

impl Client {
    pub async fn range(&mut self, request: pb::RangeRequest) -> Result<pb::RangeResponse, Fault> {
        self.unary(Retry::Read, request, async |link, request| link.kv().range(request).await).await
    }

    /// The same answer, sent in pieces. The pieces come together here; header, count and more are in the last one.
    pub async fn range_stream(&mut self, request: pb::RangeRequest) -> Result<pb::RangeResponse, Fault> {
        let open = async |link: Link, request| link.kv().range_stream(request).await;
        let mut stream: Streaming<pb::RangeStreamResponse> = self.unary(Retry::Never, request, open).await?;
        let mut whole = pb::RangeResponse::default();
        loop {
            let piece = match within(self.deadline, stream.message()).await? {
                Ok(Some(piece)) => piece.range_response.unwrap_or_default(),
                Ok(None) => return Ok(whole),
                Err(status) => return Err(Fault::from_status(&status)),
            };
            whole.kvs.extend(piece.kvs);
            whole.header = piece.header.or(whole.header);
            whole.more |= piece.more;
            whole.count = whole.count.max(piece.count);
        }
    }

    pub async fn put(&mut self, request: pb::PutRequest) -> Result<pb::PutResponse, Fault> {
        self.unary(Retry::Never, request, async |link, request| link.kv().put(request).await).await
    }

    pub async fn delete_range(
        &mut self,
        request: pb::DeleteRangeRequest,
    ) -> Result<pb::DeleteRangeResponse, Fault> {
        self.unary(Retry::Never, request, async |link, request| link.kv().delete_range(request).await).await
    }

    pub async fn txn(&mut self, request: pb::TxnRequest) -> Result<pb::TxnResponse, Fault> {
        self.unary(Retry::Never, request, async |link, request| link.kv().txn(request).await).await
    }

    pub async fn compact(&mut self, request: pb::CompactionRequest) -> Result<pb::CompactionResponse, Fault> {
        self.unary(Retry::Never, request, async |link, request| link.kv().compact(request).await).await
    }

    /// The server picks the ID, so a repetition only leaves a lease behind that runs out.
    pub async fn lease_grant(&mut self, ttl: i64) -> Result<pb::LeaseGrantResponse, Fault> {
        let request = pb::LeaseGrantRequest { ttl, id: 0 };
        self.unary(Retry::Read, request, async |link, request| link.lease().lease_grant(request).await).await
    }

    pub async fn lease_revoke(&mut self, id: i64) -> Result<pb::LeaseRevokeResponse, Fault> {
        let request = pb::LeaseRevokeRequest { id };
        self.unary(Retry::Read, request, async |link, request| link.lease().lease_revoke(request).await).await
    }

    pub async fn lease_time_to_live(
        &mut self,
        request: pb::LeaseTimeToLiveRequest,
    ) -> Result<pb::LeaseTimeToLiveResponse, Fault> {
        let rpc = async |link: Link, request| link.lease().lease_time_to_live(request).await;
        self.unary(Retry::Read, request, rpc).await
    }

    pub async fn lease_leases(&mut self) -> Result<pb::LeaseLeasesResponse, Fault> {
        let request = pb::LeaseLeasesRequest {};
        self.unary(Retry::Read, request, async |link, request| link.lease().lease_leases(request).await).await
    }

    /// A keep-alive stream that answers what comes out of `requests`.
    pub async fn lease_keep_alive(
        &mut self,
        requests: UnboundedReceiver<pb::LeaseKeepAliveRequest>,
    ) -> Result<Streaming<pb::LeaseKeepAliveResponse>, Fault> {
        let (place, link) = self.link(None).await?;
        let request = self.request(Outgoing::new(requests));
        let opened = within(self.deadline, async { link.lease().lease_keep_alive(request).await }).await?;
        opened.map(|response| response.into_inner()).map_err(|status| self.judge(place, &status))
    }

    pub async fn member_list(
        &mut self,
        request: pb::MemberListRequest,
    ) -> Result<pb::MemberListResponse, Fault> {
        self.unary(Retry::Read, request, async |link, request| link.cluster().member_list(request).await)
            .await
    }

    pub async fn member_add(
        &mut self,
        request: pb::MemberAddRequest,
    ) -> Result<pb::MemberAddResponse, Fault> {
        self.unary(Retry::Never, request, async |link, request| link.cluster().member_add(request).await)
            .await
    }

    pub async fn member_remove(&mut self, id: u64) -> Result<pb::MemberListResponse, Fault> {
        let rpc = async |link: Link, request| link.cluster().member_remove(request).await;
        let pb::MemberRemoveResponse { header, members } =
            self.unary(Retry::Never, pb::MemberRemoveRequest { id }, rpc).await?;
        Ok(pb::MemberListResponse { header, members })
    }

    pub async fn member_update(
        &mut self,
        request: pb::MemberUpdateRequest,
    ) -> Result<pb::MemberListResponse, Fault> {
        let rpc = async |link: Link, request| link.cluster().member_update(request).await;
        let pb::MemberUpdateResponse { header, members } = self.unary(Retry::Never, request, rpc).await?;
        Ok(pb::MemberListResponse { header, members })
    }

    pub async fn member_promote(&mut self, id: u64) -> Result<pb::MemberListResponse, Fault> {
        let rpc = async |link: Link, request| link.cluster().member_promote(request).await;
        let pb::MemberPromoteResponse { header, members } =
            self.unary(Retry::Never, pb::MemberPromoteRequest { id }, rpc).await?;
        Ok(pb::MemberListResponse { header, members })
    }

    pub async fn status(&mut self) -> Result<pb::StatusResponse, Fault> {
        let request = pb::StatusRequest {};
        self.unary(Retry::Read, request, async |link, request| link.maintenance().status(request).await).await
    }

    pub async fn hash_kv(&mut self, request: pb::HashKvRequest) -> Result<pb::HashKvResponse, Fault> {
        self.unary(Retry::Read, request, async |link, request| link.maintenance().hash_kv(request).await)
            .await
    }

    pub async fn alarm(&mut self, request: pb::AlarmRequest) -> Result<pb::AlarmResponse, Fault> {
        self.unary(Retry::Read, request, async |link, request| link.maintenance().alarm(request).await).await
    }

    pub async fn defragment(&mut self) -> Result<(), Fault> {
        let request = pb::DefragmentRequest {};
        let rpc = async |link: Link, request| link.maintenance().defragment(request).await;
        self.unary(Retry::Never, request, rpc).await.map(|_| ())
    }

    /// Everything that a member stores.
    pub async fn snapshot(&mut self) -> Result<SnapshotStream, Fault> {
        let request = pb::SnapshotRequest {};
        let rpc = async |link: Link, request| link.maintenance().snapshot(request).await;
        let pieces = self.unary(Retry::Never, request, rpc).await?;
        Ok(SnapshotStream { pieces, deadline: self.deadline })
    }

    pub async fn move_leader(&mut self, target_id: u64) -> Result<pb::MoveLeaderResponse, Fault> {
        let request = pb::MoveLeaderRequest { target_id };
        let rpc = async |link: Link, request| link.maintenance().move_leader(request).await;
        self.unary(Retry::Read, request, rpc).await
    }

    pub async fn downgrade(&mut self, request: pb::DowngradeRequest) -> Result<pb::DowngradeResponse, Fault> {
        let rpc = async |link: Link, request| link.maintenance().downgrade(request).await;
        self.unary(Retry::Read, request, rpc).await
    }

    /// Asking again with the same lease finds the place in the queue that the first try took.
    pub async fn lock(&mut self, request: lock::LockRequest) -> Result<lock::LockResponse, Fault> {
        self.unary(Retry::Read, request, async |link, request| link.lock().lock(request).await).await
    }

    /// As [`Client::lock`].
    pub async fn campaign(
        &mut self,
        request: election::CampaignRequest,
    ) -> Result<election::CampaignResponse, Fault> {
        self.unary(Retry::Read, request, async |link, request| link.election().campaign(request).await).await
    }

    pub async fn resign(
        &mut self,
        request: election::ResignRequest,
    ) -> Result<election::ResignResponse, Fault> {
        self.unary(Retry::Never, request, async |link, request| link.election().resign(request).await).await
    }

    pub async fn observe(
        &mut self,
        request: election::LeaderRequest,
    ) -> Result<Streaming<election::LeaderResponse>, Fault> {
        self.unary(Retry::Read, request, async |link, request| link.election().observe(request).await).await
    }
}
