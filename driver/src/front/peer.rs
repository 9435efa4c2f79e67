//! What peers ask besides Raft. Source: contract-semantics 18.
use crate::{CallFailed, Caller, Node, PeerAnswer, PeerCall, Runtime, Versions};
use detcd_core::{Refusal, version};
use detcd_proto::leasepb::LeaseInternalResponse;

impl<R: Runtime> Node<R> {
    pub async fn peer(&self, call: PeerCall) -> Result<PeerAnswer, CallFailed> {
        match call {
            PeerCall::Promote { id, token } => {
                let caller = token.map(|token| Caller::with_token(&token)).unwrap_or_default();
                match self.asked_by(caller).promote_here(id).await {
                    Ok(members) => Ok(PeerAnswer::Promoted(members.to_vec())),
                    Err(Refusal::MemberNotFound) => Err(CallFailed::NotFound),
                    Err(Refusal::MemberNotLearner) => Err(CallFailed::NotLearner),
                    Err(Refusal::LearnerNotReady) => Err(CallFailed::NotReady),
                    Err(refusal) => Err(failed(&refusal)),
                }
            }
            PeerCall::Version => Ok(PeerAnswer::Version(self.versions())),
            PeerCall::KeepAlive(request) => match self.renew(request.id).await {
                Ok(response) if response.ttl == 0 => Err(CallFailed::NotFound),
                Ok(response) => Ok(PeerAnswer::KeepAlive(response)),
                Err(refusal) => Err(failed(&refusal)),
            },
            PeerCall::TimeToLive(request) => {
                let request = request.lease_time_to_live_request.ok_or(CallFailed::Refused)?;
                match self.remaining(request.id, request.keys).await {
                    Ok(response) if response.ttl == -1 && response.granted_ttl == 0 => {
                        Err(CallFailed::NotFound)
                    }
                    Ok(response) => Ok(PeerAnswer::TimeToLive(LeaseInternalResponse {
                        lease_time_to_live_response: Some(response),
                    })),
                    Err(refusal) => Err(failed(&refusal)),
                }
            }
        }
    }

    /// What `GET /version` says on client and peer URLs.
    pub fn versions(&self) -> Versions {
        let cluster = self.latest().view.cluster_version.clone();
        Versions {
            server: version::SERVER.to_string(),
            cluster: cluster.map_or_else(|| "not_decided".to_string(), |version| version.to_string()),
            storage: self.storage_version().unwrap_or_else(|| "unknown".to_string()),
        }
    }
}

fn failed(refusal: &Refusal) -> CallFailed {
    match refusal {
        Refusal::Timeout | Refusal::TimeoutWaitAppliedIndex => CallFailed::TimedOut,
        _ => CallFailed::Refused,
    }
}
