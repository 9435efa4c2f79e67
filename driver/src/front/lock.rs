//! Locks that live as long as a lease. Source: contract-semantics 15.
use super::inside::{Ended, Inside};
use crate::{Node, Runtime, shutdown::Latch};
use detcd_core::Refusal;
use detcd_proto::v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};

impl<R: Runtime> Node<R> {
    /// Waits until the lock is the caller's. The key in the answer is its own; a caller who guards its writes by the
    /// key's create revision is safe from having lost the lock unknowingly. If the returned future is dropped, the
    /// place in the queue is given up.
    pub async fn lock(&self, request: LockRequest) -> Result<LockResponse, Refusal> {
        self.admit()?;
        Inside::new(self).attended("lock", |inside, gone| lock(inside, request, gone)).await
    }

    /// Deletes the key of whoever has the lock or waits for it.
    pub async fn unlock(&self, request: UnlockRequest) -> Result<UnlockResponse, Refusal> {
        self.admit()?;
        let deleted = Inside::new(self).delete(request.key).await?;
        Ok(UnlockResponse { header: deleted.header })
    }
}

async fn lock<R: Runtime>(inside: Inside<R>, request: LockRequest, gone: Latch) -> Ended<LockResponse> {
    let queued = match inside.lease(request.lease).await {
        Ok(lease) => inside.queue(&request.name, lease, Default::default()).await,
        Err(refusal) => Err(refusal),
    };
    let queued = match queued {
        Ok(queued) => queued,
        Err(refusal) => return (Err(refusal), None),
    };
    let place = queued.place;
    let header = match queued.is_first {
        true => queued.header,
        false => match inside.wait_for(&place, &gone).await {
            Ok(Some(header)) => Some(header),
            Ok(None) => return (Err(Refusal::MutexSessionExpired), None),
            Err(refusal) => return (Err(refusal), None),
        },
    };
    // A lock that the lease had before this call is not given up with it.
    let key = place.key.clone();
    (Ok(LockResponse { header, key }), queued.found.is_none().then_some(place))
}
