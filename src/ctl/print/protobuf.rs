//! The server's answer as it came over the wire, without a newline.

use detcd_proto::Message as _;
use detcd_proto::etcdserverpb::{ResponseHeader, WatchResponse};

use super::{Reply, Unsupported};

/// Answers about leases come out as their header alone: etcd's Go client keeps them in types of its own, of which its
/// protobuf printer only knows the header within. A revoked lease it cannot print at all.
pub fn render(reply: Reply<'_>) -> Result<Vec<u8>, Unsupported> {
    let header = |header: &Option<ResponseHeader>| Ok(header.unwrap_or_default().encode_to_vec());
    match reply {
        Reply::Put(response) => Ok(response.encode_to_vec()),
        Reply::Get(response) => Ok(response.encode_to_vec()),
        Reply::Del(response) => Ok(response.encode_to_vec()),
        Reply::Txn(response) => Ok(response.encode_to_vec()),
        Reply::MemberList(response) => Ok(response.encode_to_vec()),
        Reply::MemberAdd(response) => Ok(response.encode_to_vec()),
        // The same fields under the same numbers.
        Reply::MemberChange { response, .. } => Ok(response.encode_to_vec()),
        Reply::Alarm(response) => Ok(response.encode_to_vec()),
        Reply::MoveLeader { response, .. } => Ok(response.encode_to_vec()),
        Reply::Downgrade { response, .. } => Ok(response.encode_to_vec()),
        Reply::Auth(reply) => Ok(super::auth::protobuf(reply)),
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
        Reply::Grant(response) => header(&response.header),
        Reply::KeepAlive(response) => header(&response.header),
        Reply::TimeToLive { response, .. } => header(&response.header),
        Reply::Leases(response) => header(&response.header),
        Reply::Revoke { .. } => {
            Err(Unsupported("marshal unsupported for type *clientv3.LeaseRevokeResponse"))
        }
        Reply::Health(_) | Reply::Status(_) | Reply::HashKv(_) => {
            Err(Unsupported("protobuf not supported as output format"))
        }
    }
}
