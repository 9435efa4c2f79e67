//! Range, Put, DeleteRange, Txn, Compact. Source: contract-semantics 4 to 8.
use super::answer;
use crate::{Node, Runtime};
use detcd_core::{Edition, Refusal, auth::Principal, command::check, query, quota};
use detcd_proto::etcdserverpb::{
    AlarmRequest, AlarmType, CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse,
    InternalRaftRequest, PutRequest, PutResponse, RangeRequest, RangeResponse, TxnRequest, TxnResponse,
    alarm_request::AlarmAction,
};
use std::sync::Arc;

impl<R: Runtime> Node<R> {
    pub async fn range(&self, request: RangeRequest) -> Result<RangeResponse, Refusal> {
        if !request.serializable {
            self.admit()?;
        }
        check::range(&request)?;
        let (who, edition) = self.settled(request.serializable).await?;
        edition.view.auth.permit_range(&who, &request)?;
        let mut response = query::range(&edition.view, &request)?;
        self.stamp(&edition, &mut response.header);
        Ok(response)
    }

    pub async fn put(&self, request: PutRequest) -> Result<PutResponse, Refusal> {
        self.admit()?;
        self.fits(quota::put_cost(&request)).await?;
        check::put(&request)?;
        answer!(self.propose(InternalRaftRequest { put: Some(request), ..Default::default() }).await, Put)
    }

    pub async fn delete_range(&self, request: DeleteRangeRequest) -> Result<DeleteRangeResponse, Refusal> {
        self.admit()?;
        check::delete_range(&request)?;
        let request = InternalRaftRequest { delete_range: Some(request), ..Default::default() };
        answer!(self.propose(request).await, DeleteRange)
    }

    pub async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, Refusal> {
        self.admit()?;
        self.fits(quota::txn_cost(&request)).await?;
        check::txn(&request, self.config().max_txn_ops)?;
        if check::is_read_only(&request) {
            let (who, edition) = self.settled(check::is_serializable(&request)).await?;
            edition.view.auth.permit_txn(&who, &edition.view.leases, &request)?;
            let mut response = query::txn(&edition.view, &request)?;
            self.stamp(&edition, &mut response.header);
            return Ok(response);
        }
        answer!(self.propose(InternalRaftRequest { txn: Some(request), ..Default::default() }).await, Txn)
    }

    pub async fn compact(&self, request: CompactionRequest) -> Result<CompactionResponse, Refusal> {
        self.admit()?;
        self.require_admin().await?;
        let request = InternalRaftRequest { compaction: Some(request), ..Default::default() };
        answer!(self.propose(request).await, Compaction)
    }

    /// Who asks, and the state to answer a read from: the board's, after a quorum confirmed that it is new enough if that
    /// is wanted.
    async fn settled(&self, serializable: bool) -> Result<(Principal, Arc<Edition>), Refusal> {
        if !serializable {
            self.read_point().await?;
        }
        self.principal().await
    }

    /// Raises the alarm if there is no space for something of this cost. Source: contract-semantics 13.3.
    pub(crate) async fn fits(&self, cost: i64) -> Result<(), Refusal> {
        let used = self.latest().view.keyspace.bytes_total();
        if quota::available(used, cost, self.config().quota_backend_bytes) {
            return Ok(());
        }
        let alarm = AlarmRequest {
            action: AlarmAction::Activate.into(),
            member_id: self.config().me.id.0,
            alarm: AlarmType::Nospace.into(),
        };
        // The caller is told about the space whatever became of the alarm.
        self.propose_as_nobody(InternalRaftRequest { alarm: Some(alarm), ..Default::default() }).await.ok();
        Err(Refusal::NoSpace)
    }
}
