//! Revisions that are only known while a workload runs. A generated request says "three before now" or "the compacted
//! one"; what that is as a number is decided when the request is sent. So a workload is a function of its seed alone,
//! and a call keeps its meaning when others before it are taken away.

use prost_reflect::{DynamicMessage, Value};

/// Symbols lie where no revision of a test ever is.
const NOW: i64 = 1 << 62;
const COMPACTED: i64 = NOW + (1 << 61);
const SPAN: i64 = 1 << 20;

/// The newest revision, and `offset` more.
pub const fn now(offset: i64) -> i64 {
    NOW + offset
}

/// The revision of the last compaction, and `offset` more.
pub const fn compacted(offset: i64) -> i64 {
    COMPACTED + offset
}

/// What symbols stand for at some moment of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    pub revision: i64,
    /// 0 before the first compaction.
    pub compacted: i64,
}

impl Moment {
    /// `value`, or what it stands for: never a negative number, which would mean something else.
    pub fn resolve(&self, value: i64) -> i64 {
        let offset = |base: i64| value.checked_sub(base).filter(|offset| (-SPAN..SPAN).contains(offset));
        if let Some(offset) = offset(NOW) {
            (self.revision + offset).max(0)
        } else if let Some(offset) = offset(COMPACTED) {
            (self.compacted + offset).max(0)
        } else {
            value
        }
    }

    /// Puts numbers in the place of all symbols of a message.
    pub fn resolve_all(&self, message: &mut DynamicMessage) {
        for (_, value) in message.fields_mut() {
            self.resolve_value(value);
        }
    }

    fn resolve_value(&self, value: &mut Value) {
        match value {
            Value::I64(number) => *number = self.resolve(*number),
            Value::Message(message) => self.resolve_all(message),
            Value::List(values) => values.iter_mut().for_each(|value| self.resolve_value(value)),
            _ => {}
        }
    }
}
