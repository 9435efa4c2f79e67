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
    /// This member leads and wants it known how long leases have left.
    Checkpoint,
    /// A renewal has to wait until what was known of the lease's time is forgotten.
    Renewal {
        ticket: Ticket,
        lease: i64,
    },
}

#[derive(Debug)]
pub struct Waiting {
    pub waiter: Waiter,
    pub since: Moment,
}

/// A request that has waited too long.
#[derive(Debug)]
pub struct Expired {
    pub waiting: Waiting,
    /// It was never given to Raft, so it is in no log and never will be.
    pub is_unsent: bool,
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
    pub fn expired(&mut self, limit: Moment) -> Option<Expired> {
        if self.oldest()? > limit {
            return None;
        }
        let (_, id) = self.arrivals.pop_front()?;
        // What is kept stands in the order of arrival, so the oldest of all is the oldest there or is not there.
        let kept = self.next_unsent();
        let is_unsent = kept.as_ref().is_some_and(|(kept, _)| *kept == id);
        if let Some((younger, data)) = kept.filter(|_| !is_unsent) {
            self.put_back(younger, data);
        }
        let waiting = self.waiting.remove(&id)?;
        Some(Expired { waiting, is_unsent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn each_is_resolved_once_and_the_oldest_expire_first() {
        let mut proposals = Proposals::default();
        for id in 1..=4 {
            proposals.wait(id, Waiter::Client(Ticket(id)), Moment(id * 10));
        }
        assert_eq!(proposals.resolve(1), Some(Waiter::Client(Ticket(1))));
        assert_eq!(proposals.resolve(1), None);
        assert_eq!(proposals.resolve(9), None, "another member's");
        assert_eq!(proposals.oldest(), Some(Moment(20)));
        let late: Vec<Waiter> =
            core::iter::from_fn(|| proposals.expired(Moment(30)).map(|w| w.waiting.waiter)).collect();
        assert_eq!(late, [Waiter::Client(Ticket(2)), Waiter::Client(Ticket(3))]);
        assert_eq!((proposals.len(), proposals.oldest()), (1, Some(Moment(40))));
    }

    #[test]
    fn what_was_kept_is_sent_in_order_unless_nobody_waits_for_it_any_more() {
        let mut proposals = Proposals::default();
        for id in 1..=3 {
            proposals.wait(id, Waiter::Alarm, Moment(id));
            proposals.keep(id, Bytes::new());
        }
        proposals.wait(4, Waiter::Alarm, Moment(4));
        assert!(proposals.expired(Moment(1)).is_some_and(|expired| expired.is_unsent));
        let (id, data) = proposals.next_unsent().expect("two are left");
        assert_eq!(id, 2);
        proposals.put_back(id, data);
        let sent: Vec<u64> = core::iter::from_fn(|| proposals.next_unsent().map(|(id, _)| id)).collect();
        assert_eq!(sent, [2, 3]);
        while let Some(expired) = proposals.expired(Moment(9)) {
            assert!(!expired.is_unsent, "all were sent, or need not be");
        }
        assert_eq!(proposals.len(), 0);
    }
}
