//! The server's answer as it came over the wire, without a newline.

use detcd_proto::Message as _;
use detcd_proto::etcdserverpb::WatchResponse;

use super::{Reply, Unsupported};

/// etcd's Go client wraps lease answers in types of its own, which its protobuf printer cannot encode; the endpoint
/// commands have no message at all. Scripts get the same refusal here.
pub fn render(reply: Reply<'_>) -> Result<Vec<u8>, Unsupported> {
    let marshal = |what| Err(Unsupported(what));
    match reply {
        Reply::Put(response) => Ok(response.encode_to_vec()),
        Reply::Get(response) => Ok(response.encode_to_vec()),
        Reply::Del(response) => Ok(response.encode_to_vec()),
        Reply::Txn(response) => Ok(response.encode_to_vec()),
        Reply::MemberList(response) => Ok(response.encode_to_vec()),
        Reply::Alarm(response) => Ok(response.encode_to_vec()),
        Reply::Watch(reply) => {
            let response = WatchResponse {
                header: Some(reply.header),
                events: reply.events.clone().unwrap_or_default(),
                compact_revision: reply.compact_revision,
                canceled: reply.canceled,
                ..WatchResponse::default()
            };
            Ok(response.encode_to_vec())
        }
        Reply::Grant(_) => marshal("marshal unsupported for type *clientv3.LeaseGrantResponse"),
        Reply::Revoke { .. } => marshal("marshal unsupported for type *clientv3.LeaseRevokeResponse"),
        Reply::KeepAlive(_) => marshal("marshal unsupported for type *clientv3.LeaseKeepAliveResponse"),
        Reply::TimeToLive { .. } => marshal("marshal unsupported for type *clientv3.LeaseTimeToLiveResponse"),
        Reply::Leases(_) => marshal("marshal unsupported for type *clientv3.LeaseLeasesResponse"),
        Reply::Health(_) | Reply::Status(_) | Reply::HashKv(_) => {
            Err(Unsupported("protobuf not supported as output format"))
        }
    }
}
