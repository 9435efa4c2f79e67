//! What is due when: the world's own timer queue. madsim wakes us for its head and knows nothing of the rest.
//!
//! madsim's own sleeps last at least a millisecond and cannot be taken back; a driver that waits for "a message or
//! the deadline" would leave a dead timer behind for every message.
use crate::world::{Slot, World};
use std::{collections::BTreeMap, task::Waker};

/// The name of an entry: when it is due, and which of those due at that time.
pub type Key = (u64, u64);

pub type Deed = Box<dyn FnOnce(&mut World) + Send>;

pub enum Due {
    Wake(Waker),
    /// Somebody sleeps by the clock of this member.
    Alarm(Slot, Waker),
    Do(Deed),
}

impl Due {
    /// Its time has come.
    pub fn come(self, world: &mut World) {
        match self {
            Due::Wake(waker) | Due::Alarm(_, waker) => waker.wake(),
            Due::Do(deed) => deed(world),
        }
    }
}

#[derive(Default)]
pub struct Agenda {
    queue: BTreeMap<Key, Due>,
    next_number: u64,
}

impl Agenda {
    pub fn add(&mut self, at: u64, due: Due) -> Key {
        let key = (at, self.next_number);
        self.next_number += 1;
        self.queue.insert(key, due);
        key
    }

    pub fn remove(&mut self, key: Key) -> Option<Due> {
        self.queue.remove(&key)
    }

    /// A sleeper was polled again, perhaps from elsewhere.
    pub fn set_waker(&mut self, key: Key, waker: &Waker) {
        if let Some(Due::Wake(known) | Due::Alarm(_, known)) = self.queue.get_mut(&key)
            && !known.will_wake(waker)
        {
            *known = waker.clone();
        }
    }

    /// Wakes all who sleep by the clock of this member: it has changed.
    pub fn wake_all_of(&self, member: Slot) {
        for due in self.queue.values() {
            if let Due::Alarm(whose, waker) = due
                && *whose == member
            {
                waker.wake_by_ref();
            }
        }
    }

    /// The first entry that is due by `now`.
    pub fn take_due(&mut self, now: u64) -> Option<Due> {
        let entry = self.queue.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    pub fn head(&self) -> Option<u64> {
        self.queue.first_key_value().map(|(&(at, _), _)| at)
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Everything that is left, to be dropped where no lock is held.
    pub fn take_all(&mut self) -> Vec<Due> {
        std::mem::take(&mut self.queue).into_values().collect()
    }
}
