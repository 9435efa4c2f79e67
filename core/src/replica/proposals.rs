//! Requests on their way through the log, and who waits for them.
use crate::{Moment, Ticket};
use alloc::collections::{BTreeMap, VecDeque};
use bytes::Bytes;

/// Who wants to hear what became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    Client(Ticket),
    /// This member makes its name and client URLs known.
    Publish,
    /// This member saw the space run out.
    Alarm,
    /// This member leads and saw a lease expire.
    Expiry,
}

#[derive(Debug)]
pub struct Waiting {
    pub waiter: Waiter,
    pub since: Moment,
}

/// All wait equally long, so the order of arrival is the order of the deadlines.
#[derive(Debug, Default)]
pub struct Proposals {
    waiting: BTreeMap<u64, Waiting>,
    arrivals: VecDeque<(Moment, u64)>,
    /// Not given to Raft yet, because nobody leads. What was given once is never given again: it may be in a log.
    unsent: VecDeque<(u64, Bytes)>,
}

impl Proposals {
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn wait(&mut self, id: u64, waiter: Waiter, now: Moment) {
        self.waiting.insert(id, Waiting { waiter, since: now });
        self.arrivals.push_back((now, id));
    }

    /// Keeps a request until somebody leads.
    pub fn keep(&mut self, id: u64, data: Bytes) {
        self.unsent.push_back((id, data));
    }

    /// The oldest request that was kept and is still waited for.
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

    pub fn resolve(&mut self, id: u64) -> Option<Waiter> {
        self.waiting.remove(&id).map(|waiting| waiting.waiter)
    }

    /// The moment since which the oldest has waited.
    pub fn oldest(&mut self) -> Option<Moment> {
        while let Some((since, id)) = self.arrivals.front() {
            if self.waiting.contains_key(id) {
                return Some(*since);
            }
            self.arrivals.pop_front();
        }
        None
    }

    /// Takes out one that has waited since `limit` or longer.
    pub fn expired(&mut self, limit: Moment) -> Option<Waiting> {
        if self.oldest()? > limit {
            return None;
        }
        let (_, id) = self.arrivals.pop_front()?;
        self.waiting.remove(&id)
    }
}
