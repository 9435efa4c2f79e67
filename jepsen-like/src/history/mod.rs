//! What the clients did and saw: the only evidence a black-box judge has.
//!
//! Times are plain numbers with an arbitrary origin. They order events and measure nothing. Two events with the same
//! time count as concurrent, so a recorder that numbers its events gives the judges the most to work with.

mod outcome;
mod request;
mod response;
#[cfg(test)]
mod tests;
pub(crate) mod text;

pub use outcome::{Outcome, Refusal};
pub use request::{
    Compare, CompareResult, CompareTarget, DeleteRequest, PutRequest, RangeRequest, Request, TxnRequest,
};
pub use response::{DeleteResponse, KeyValue, PutResponse, RangeResponse, Response, TxnResponse};

use serde::{Deserialize, Serialize};

/// An operation's place in its [`History`].
pub type OpId = usize;

/// One call of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Who called. Judges use it for their texts only: a client with an unanswered call may go on with the next one.
    pub client: u32,
    /// When the request left the client.
    pub call: u64,
    /// When the client learned the outcome. `None`: it never did. An outcome of unknown fate may take effect at any
    /// time after the call, also after `ret`.
    pub ret: Option<u64>,
    pub request: Request,
    pub outcome: Outcome,
}

impl Operation {
    /// The answer, if there was one.
    pub fn response(&self) -> Option<&Response> {
        match &self.outcome {
            Outcome::Ok(response) => Some(response),
            Outcome::Failed(_) | Outcome::Unknown(_) => None,
        }
    }

    /// Whether its fate is known.
    pub fn is_decided(&self) -> bool {
        !matches!(self.outcome, Outcome::Unknown(_))
    }
}

/// Operations in the order in which they were called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    ops: Vec<Operation>,
}

impl History {
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that `client` sent `request` at `now`. Until [`History::ret`] says otherwise its fate is unknown.
    pub fn call(&mut self, client: u32, now: u64, request: Request) -> OpId {
        let outcome = Outcome::Unknown("no answer".into());
        self.push(Operation { client, call: now, ret: None, request, outcome })
    }

    /// Records what the caller of `id` learned at `now`.
    ///
    /// # Panics
    /// When `id` is not of this history, was answered before, or is answered before it was called: the recorder is
    /// wrong then, and a verdict on its history would be worth nothing.
    pub fn ret(&mut self, id: OpId, now: u64, outcome: Outcome) {
        let op = &mut self.ops[id];
        assert!(op.ret.is_none(), "operation #{id} was answered twice");
        assert!(op.call <= now, "operation #{id} was answered before it was called");
        op.ret = Some(now);
        op.outcome = outcome;
    }

    /// Adds a whole operation, for readers of recorded histories.
    pub fn push(&mut self, op: Operation) -> OpId {
        self.ops.push(op);
        self.ops.len() - 1
    }

    pub fn ops(&self) -> &[Operation] {
        &self.ops
    }

    pub fn len(&self) -> usize {
        self.ops.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

impl FromIterator<Operation> for History {
    fn from_iter<I: IntoIterator<Item = Operation>>(ops: I) -> Self {
        Self { ops: ops.into_iter().collect() }
    }
}
