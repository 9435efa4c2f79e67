//! Leases that run out. Nobody knows when exactly, so both servers are given time until they say that it is over.

use std::time::{Duration, Instant};

use detcd_proto::etcdserverpb as pb;
use prost::Message as _;

use super::duel::{Duel, Outcome, Side};
use super::plan::{Caller, encoded, path};

const PAUSE: Duration = Duration::from_millis(100);
/// The shortest lease lives for two seconds; a server that keeps it for this long has lost it.
const EXPIRY_MAX: Duration = Duration::from_secs(30);

impl Duel<'_> {
    pub async fn expire(&mut self, caller: &Caller, lease: i64) -> Outcome {
        let request = encoded(&pb::LeaseTimeToLiveRequest { id: lease, keys: true });
        let wait = async |side: &Side| {
            let begin = Instant::now();
            while begin.elapsed() < EXPIRY_MAX {
                let metadata = side.metadata(caller, path::LEASE_TIME_TO_LIVE);
                let answer =
                    side.server.wire.unary(path::LEASE_TIME_TO_LIVE, &metadata, request.clone()).await;
                let answer = answer.ok().and_then(|bytes| pb::LeaseTimeToLiveResponse::decode(bytes).ok());
                if answer.is_none_or(|answer| answer.granted_ttl == 0) {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let [a, b] = &self.sides;
        tokio::join!(wait(a), wait(b));
        self.unary(caller, path::LEASE_TIME_TO_LIVE, &request).await
    }
}
