//! What a member asks of a cluster before it is part of it. Source: contract-semantics 19.
use super::{
    Identity,
    client::{Connection, Trouble},
    headers::CLUSTER_ID,
    members,
    post::VersionJson,
};
use bytes::Bytes;
use detcd_core::{ClusterId, Member, MemberId};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use std::time::Duration;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A cluster as one of its members describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    pub cluster: ClusterId,
    /// Ascending by id; at least one.
    pub members: Vec<Member>,
}

/// Asks whoever is at these URLs, one after the other, who is in the cluster. Errors are etcd's.
pub async fn cluster_at(urls: &[String], patience: Duration) -> Result<Remote, String> {
    for url in urls {
        let Some((headers, body)) = get(url, "/members", patience).await else { continue };
        let id = headers.get(CLUSTER_ID).and_then(|id| id.to_str().ok());
        let id = id.and_then(|id| u64::from_str_radix(id, 16).ok());
        let (Some(id), Some(mut members)) = (id, members::read(&body)) else { continue };
        if members.is_empty() {
            return Err("failed to get raft cluster member(s) from the given URLs".to_string());
        }
        members.sort_by_key(|member| member.id);
        return Ok(Remote { cluster: ClusterId(id), members });
    }
    Err("could not retrieve cluster information from the given URLs".to_string())
}

/// The cluster's version as the members at these URLs know it; those who do not answer are left out.
pub async fn cluster_versions(members: &[Member], patience: Duration) -> Vec<String> {
    let mut versions = Vec::new();
    for member in members {
        for url in &member.peer_urls {
            if let Some((_, body)) = get(url, "/version", patience).await
                && let Ok(said) = serde_json::from_slice::<VersionJson>(&body)
            {
                versions.push(said.cluster);
                break;
            }
        }
    }
    versions
}

async fn get(url: &str, path: &str, patience: Duration) -> Option<(HeaderMap, Bytes)> {
    let told = async {
        // Who asks is nobody yet.
        let nobody = Identity { member: MemberId(0), cluster: ClusterId(0), peer_urls: Vec::new() };
        let mut connection = Connection::open(url, patience).await?;
        let answer = connection.ask(&nobody, Method::GET, path, &[], Bytes::new(), patience).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
        let body = tokio::time::timeout(patience, body).await.map_err(|_| Trouble::Slow)?;
        Ok::<_, Trouble>((status, headers, body.ok().map(|body| body.to_bytes())))
    };
    match told.await {
        Ok((StatusCode::OK, headers, Some(body))) => Some((headers, body)),
        Ok((status, ..)) => {
            tracing::warn!(address = format!("{url}{path}"), %status, "failed to get cluster response");
            None
        }
        Err(trouble) => {
            tracing::warn!(address = format!("{url}{path}"), error = %trouble, "failed to get cluster response");
            None
        }
    }
}
