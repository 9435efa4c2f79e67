//! Real time: whoever starts after someone else has finished sees at least as much.
//!
//! With every operation at its revision (writes before the reads of the same revision), real time is kept by some
//! total order exactly if no operation has a revision below one that was known before its call, and no write the same.

use super::plan::has_written;
use crate::history::{OpId, Operation};

/// The newest revision that a finished operation showed before a call, and that operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Floor {
    pub revision: i64,
    pub by: Option<OpId>,
}

/// Every operation's floor. At equal times calls come before answers: such operations count as concurrent.
pub(super) fn floors(ops: &[Operation], origin: i64) -> Vec<Floor> {
    let mut events = Vec::with_capacity(2 * ops.len());
    for (id, op) in ops.iter().enumerate() {
        events.push((op.call, false, id));
        if let (Some(ret), Some(_)) = (op.ret, op.response()) {
            events.push((ret, true, id));
        }
    }
    events.sort_unstable();
    let mut known = Floor { revision: origin, by: None };
    let mut floors = vec![known; ops.len()];
    for (_, is_answer, id) in events {
        match ops[id].response() {
            Some(response) if is_answer => {
                if response.revision() > known.revision {
                    known = Floor { revision: response.revision(), by: Some(id) };
                }
            }
            _ => floors[id] = known,
        }
    }
    floors
}

/// The first answered operation that is below its floor, with the operation that set it.
pub(super) fn first_violation(ops: &[Operation], floors: &[Floor]) -> Option<(OpId, OpId)> {
    let below = |id: OpId| {
        let op = &ops[id];
        let response = op.response()?;
        let floor = floors[id];
        let late = if has_written(response) {
            response.revision() <= floor.revision
        } else {
            !op.request.is_serializable() && response.revision() < floor.revision
        };
        late.then_some(floor.by).flatten()
    };
    (0..ops.len()).filter_map(|id| below(id).map(|by| (id, by))).min_by_key(|&(id, _)| (ops[id].ret, id))
}
