//! Changes of the members on their way through the log, and who waits for them.
//!
//! Nobody who waits here is told that it took too long: a change that met another one has become an empty entry, and
//! only its client knows when to give up. Source: contract-semantics 12.
use crate::Ticket;
use alloc::collections::{BTreeMap, VecDeque};
use bytes::Bytes;

/// Clients that gave up are still remembered, so there is a bound: the oldest makes room.
const WAITING_MAX: usize = 256;

#[derive(Debug, Default)]
pub struct Changes {
    waiting: BTreeMap<u64, Ticket>,
    arrivals: VecDeque<u64>,
    /// Not given to Raft yet, because nobody leads. What was given once is never given again.
    unsent: VecDeque<(u64, Bytes)>,
}

impl Changes {
    /// Whoever had to make room comes back.
    pub fn wait(&mut self, id: u64, ticket: Ticket) -> Option<Ticket> {
        self.waiting.insert(id, ticket);
        self.arrivals.push_back(id);
        self.arrivals.retain(|id| self.waiting.contains_key(id));
        if self.waiting.len() <= WAITING_MAX {
            return None;
        }
        self.arrivals.pop_front().and_then(|oldest| self.resolve(oldest))
    }

    /// Keeps a change until somebody leads.
    pub fn keep(&mut self, id: u64, data: Bytes) {
        self.unsent.push_back((id, data));
    }

    /// The oldest change that was kept and is still waited for.
    pub fn next_unsent(&mut self) -> Option<(u64, Bytes)> {
        while let Some((id, data)) = self.unsent.pop_front() {
            if self.waiting.contains_key(&id) {
                return Some((id, data));
            }
        }
        None
    }

    /// Puts back what could not be sent after all.
    pub fn put_back(&mut self, id: u64, data: Bytes) {
        self.unsent.push_front((id, data));
    }

    pub fn resolve(&mut self, id: u64) -> Option<Ticket> {
        self.waiting.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_answered_once_and_the_oldest_makes_room() {
        let mut changes = Changes::default();
        let last = WAITING_MAX as u64;
        for id in 1..=last {
            assert_eq!(changes.wait(id, Ticket(id)), None);
        }
        assert_eq!(changes.resolve(1), Some(Ticket(1)));
        assert_eq!(changes.resolve(1), None);
        assert_eq!(changes.wait(last + 1, Ticket(last + 1)), None);
        assert_eq!(changes.wait(last + 2, Ticket(last + 2)), Some(Ticket(2)));
    }

    #[test]
    fn what_was_kept_is_sent_once_and_in_order() {
        let mut changes = Changes::default();
        for id in 1..=3 {
            changes.wait(id, Ticket(id));
            changes.keep(id, Bytes::new());
        }
        changes.resolve(2);
        let first = changes.next_unsent().unwrap();
        changes.put_back(first.0, first.1);
        let sent: alloc::vec::Vec<u64> =
            core::iter::from_fn(|| changes.next_unsent()).map(|(id, _)| id).collect();
        assert_eq!(sent, [1, 3]);
    }
}
