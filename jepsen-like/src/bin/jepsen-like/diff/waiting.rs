//! Calls that wait for others: for a lock that somebody holds, for a leader to resign. They are begun, other calls are
//! made, and they are finished.

use std::time::Duration;

use bytes::Bytes;
use detcd_proto::etcdserverpb as pb;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use tokio::task::JoinHandle;
use tonic::Status;

use super::answer::Answer;
use super::duel::{Duel, Outcome, Side};
use super::plan::{Caller, encoded, path};

const PAUSE: Duration = Duration::from_millis(5);

/// A call on its way.
pub struct Waiting(JoinHandle<Result<Bytes, Status>>);

impl Waiting {
    /// Begins a call and comes back when it stands in the queue, which is when `key` is there, or has ended.
    async fn begin(side: &Side, caller: &Caller, path: &'static str, request: Bytes, key: &Bytes) -> Waiting {
        let (wire, metadata) = (side.server.wire.clone(), side.metadata(caller, path));
        let task = tokio::spawn(async move { wire.unary(path, &metadata, request).await });
        let look = pb::RangeRequest { key: key.clone(), count_only: true, ..Default::default() };
        while !task.is_finished() {
            let found = side
                .server
                .wire
                .unary(path::RANGE, &side.metadata(caller, path::RANGE), encoded(&look))
                .await;
            let found = found.ok().and_then(|bytes| pb::RangeResponse::decode(bytes).ok());
            if found.is_none_or(|found| found.count > 0) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Waiting(task)
    }

    async fn finish(self) -> Result<Bytes, Status> {
        self.0.await.unwrap_or_else(|error| Err(Status::internal(error.to_string())))
    }
}

/// The call that both servers are waiting with.
pub struct Begun {
    calls: [Waiting; 2],
    request: Option<DynamicMessage>,
    caller: Caller,
}

impl Duel<'_> {
    pub async fn begin(
        &mut self,
        caller: &Caller,
        path: &'static str,
        request: &Bytes,
        key: &Bytes,
    ) -> Outcome {
        let (message, bytes) = self.resolved(path, request);
        if !self.built.contains(path) {
            // It was asked for without waiting before, and is not there.
            return Outcome::NotBuilt;
        }
        let [a, b] = &self.sides;
        let calls = tokio::join!(
            Waiting::begin(a, caller, path, bytes.clone(), key),
            Waiting::begin(b, caller, path, bytes, key),
        );
        self.begun = Some(Begun { calls: calls.into(), request: message, caller: caller.clone() });
        Outcome::Same
    }

    pub async fn finish(&mut self, path: &'static str) -> Outcome {
        let Some(Begun { calls: [a, b], request, caller }) = self.begun.take() else {
            return Outcome::NotBuilt;
        };
        let answers = <[_; 2]>::from(tokio::join!(a.finish(), b.finish())).map(|answer| match answer {
            Ok(bytes) => self.answer(path, vec![bytes]),
            Err(status) => Answer::failed(&status),
        });
        self.learn(path, request.as_ref(), &answers);
        self.judge(path, &caller, request, answers)
    }
}
