//! Fencing: what contenders did in their turns, in the order of revisions.
//!
//! A guarded write names the create revision of the key whose turn it was. The judge goes through the revisions as they were
//! made and asks at each guarded write that
//! - this turn is not older than one that has written before: the writes of two holders do not interleave;
//! - the writer's own key still stood in the state before;
//! - no key that was created before it stood there any more: its turn had begun.
//!
//! A proclamation is a guarded write to the writer's own key. Revisions that a compaction took before anybody looked leave
//! a gap, after which the judge knows of no key until it sees one put.
use crate::client::locker::{GUARDED, PREFIX};
use detcd_core::store::Record;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// How many guarded writes there are to compare.
pub fn guarded_writes(records: &BTreeMap<i64, Vec<Record>>) -> u64 {
    records.values().flatten().filter(|record| turn_of(record).is_some()).count() as u64
}

/// What is wrong with the turns, if anything is. `records`: what was made at each revision.
pub fn fenced(records: &BTreeMap<i64, Vec<Record>>) -> Option<String> {
    // Every contender's key that stands, with its create revision.
    let mut standing: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    let mut is_whole = true;
    let (mut last, mut newest_turn) = (1, 0);
    for (&revision, made) in records {
        if revision != last + 1 {
            standing.clear();
            is_whole = false;
        }
        last = revision;
        for record in made {
            if let Some(turn) = turn_of(record) {
                if turn < newest_turn {
                    return Some(format!(
                        "revision {revision} was written in turn {turn}, and turn {newest_turn} had written before"
                    ));
                }
                newest_turn = turn;
                if let Some((key, before)) = standing.iter().find(|(_, created)| **created < turn) {
                    return Some(format!(
                        "revision {revision} was written in turn {turn}, and {}, created at {before}, stood before it",
                        key.escape_ascii()
                    ));
                }
                if is_whole && !standing.values().any(|&created| created == turn) {
                    return Some(format!(
                        "revision {revision} was written in turn {turn}, and its key was gone"
                    ));
                }
            }
        }
        for record in made.iter().filter(|record| record.key().starts_with(PREFIX)) {
            if record.is_tombstone() {
                standing.remove(record.key());
            } else {
                standing.insert(record.key().to_vec(), record.create_revision());
            }
        }
    }
    None
}

/// A turn that a member's Lock or Election service has granted.
#[derive(Clone, Debug)]
pub struct Granted {
    pub key: Vec<u8>,
    /// It was decided between these revisions: at one of them the key stood, and no older one.
    pub from: i64,
    pub to: i64,
}

/// All turns that services have granted in a run.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<Vec<Granted>>>);

impl Turns {
    pub fn grant(&self, granted: Granted) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(granted);
    }

    pub fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// What is wrong with them, if anything is: a turn was granted to one whose key was gone, or not the oldest. Behind a
    /// gap in the revisions nobody can tell.
    pub fn granted(&self, records: &BTreeMap<i64, Vec<Record>>) -> Option<String> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut standing: BTreeMap<&[u8], i64> = BTreeMap::new();
        let mut last = 1;
        for (&revision, made) in records {
            if revision != last + 1 {
                break;
            }
            last = revision;
            for record in made.iter().filter(|record| record.key().starts_with(PREFIX)) {
                if record.is_tombstone() {
                    standing.remove(record.key());
                } else {
                    standing.insert(record.key(), record.create_revision());
                }
            }
            let first = standing.iter().min_by_key(|(_, created)| **created).map(|(key, _)| *key);
            open.retain(|turn| {
                !((turn.from..=turn.to).contains(&revision) && first == Some(turn.key.as_slice()))
            });
        }
        let wrong = open.iter().find(|turn| turn.to <= last)?;
        Some(format!(
            "a service granted the turn of {} between revisions {} and {}, and its key was not the oldest there",
            wrong.key.escape_ascii(),
            wrong.from,
            wrong.to
        ))
    }
}

/// The turn in which a record was written, if it is a guarded write.
fn turn_of(record: &Record) -> Option<i64> {
    if record.is_tombstone() || !(record.key() == GUARDED || record.key().starts_with(PREFIX)) {
        return None;
    }
    std::str::from_utf8(record.value()).ok()?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use detcd_core::{Plants, store::Store};

    /// Two queue at revisions 2 and 3; the first leaves at 4, the second at 5.
    fn queue() -> BTreeMap<i64, Vec<Record>> {
        let mut store = Store::new(Plants::NONE);
        let mut made = BTreeMap::new();
        for (key, is_put) in [(b"turn/a", true), (b"turn/b", true), (b"turn/a", false), (b"turn/b", false)] {
            let mut write = store.begin();
            if is_put {
                write.put(key, b"", 7);
            } else {
                write.delete(key);
            }
            let revision = write.next_revision();
            made.insert(revision, write.finish().into_iter().map(|change| change.record).collect());
        }
        made
    }

    fn is_right(key: &[u8], from: i64, to: i64) -> bool {
        let turns = Turns::default();
        turns.grant(Granted { key: key.to_vec(), from, to });
        turns.granted(&queue()).is_none()
    }

    #[test]
    fn a_turn_is_granted_to_the_oldest_key_there() {
        assert!(is_right(b"turn/a", 2, 2) && is_right(b"turn/b", 4, 4) && is_right(b"turn/b", 2, 5));
        assert!(!is_right(b"turn/b", 3, 3), "somebody stood before it");
        assert!(!is_right(b"turn/b", 5, 5), "it was gone");
        assert!(is_right(b"turn/b", 6, 6), "nobody saw that revision");
    }
}
