//! Watches are ordered, unique, complete and atomic: what a watcher heard is, revision by revision, what was made.
//! Source: contract-semantics 9.7.
use crate::client::watcher::{Start, Wish};
use detcd_core::store::Record;
use detcd_proto::{
    etcdserverpb::WatchResponse,
    mvccpb::{self, event::EventType},
};
use detcd_runtime_sim::Slot;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Everything one watcher heard, over all its streams.
#[derive(Clone)]
pub struct Watched {
    wish: Arc<Wish>,
    heard: Arc<Mutex<Heard>>,
}

/// One stream as it was: for people, no judge needs it.
#[derive(Clone, Debug)]
pub struct Stream {
    pub at_ns: u64,
    pub member: Slot,
    pub start_revision: i64,
    pub replies: Vec<(u64, WatchResponse)>,
}

#[derive(Default)]
struct Heard {
    /// The first revision that was not heard of yet; 0 before the first stream.
    next: i64,
    /// The stream begins below this bound of a compaction, so it has nothing to tell but that.
    lost_below: Option<i64>,
    /// More pieces of one reply have to follow.
    in_pieces: bool,
    /// The revision of the last event of the pieces heard so far.
    piece_end: i64,
    /// How many streams were opened.
    opened: u64,
    /// Revisions that were heard in whole, from and up to, in order.
    spans: Vec<(i64, i64)>,
    events: BTreeMap<i64, Vec<mvccpb::Event>>,
    /// Every stream, if they are kept.
    streams: Option<Vec<Stream>>,
}

impl Watched {
    pub fn new(wish: Wish) -> Watched {
        Watched { wish: Arc::new(wish), heard: Arc::default() }
    }

    /// From now on every stream is kept as it was.
    pub fn keep_streams(&self) {
        self.with(|heard| heard.streams = Some(Vec::new()));
    }

    pub fn take_streams(&self) -> Vec<Stream> {
        self.with(|heard| heard.streams.take().unwrap_or_default())
    }

    /// A stream begins at a member that is at this revision and has compacted up to that bound. Where it begins; 0: now.
    pub fn opened(&self, at_ns: u64, member: Slot, revision: i64, compacted: i64) -> i64 {
        self.with(|heard| {
            if heard.next == 0 {
                heard.next = match self.wish.start {
                    Start::Now => 0,
                    Start::Past(back) => revision.saturating_sub(back).max(1),
                    Start::Future(ahead) => revision + ahead,
                };
                if heard.next > 0 {
                    heard.spans.push((heard.next, heard.next - 1));
                }
            }
            let start_revision = heard.next;
            heard.lost_below = (start_revision > 0 && start_revision < compacted).then_some(compacted);
            // Pieces whose rest did not come will come again.
            heard.in_pieces = false;
            heard.opened += 1;
            heard.events.split_off(&start_revision);
            if let Some(streams) = &mut heard.streams {
                streams.push(Stream { at_ns, member, start_revision, replies: Vec::new() });
            }
            start_revision
        })
    }

    /// A reply on the stream that began last.
    pub fn arrived(&self, at_ns: u64, reply: &WatchResponse) {
        self.with(|heard| {
            if let Some(stream) = heard.streams.as_mut().and_then(|streams| streams.last_mut()) {
                stream.replies.push((at_ns, reply.clone()));
            }
        });
    }

    pub fn wish(&self) -> &Wish {
        &self.wish
    }

    /// Where the next stream has to begin; 0: now.
    pub fn next_revision(&self) -> i64 {
        self.with(|heard| heard.next)
    }

    /// How often a stream was opened for it.
    pub fn times_opened(&self) -> u64 {
        self.with(|heard| heard.opened)
    }

    /// How many events were heard.
    pub fn events(&self) -> u64 {
        self.with(|heard| heard.events.values().map(|events| events.len() as u64).sum())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Heard) -> T) -> T {
        f(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a reply. False: the watcher was cancelled, rightly. Err: what the reply may not say.
    pub fn hear(&self, reply: &WatchResponse) -> Result<bool, String> {
        let revision = reply.header.as_ref().map_or(0, |header| header.revision);
        self.with(|heard| {
            if reply.created && heard.next == 0 {
                heard.next = revision + 1;
                heard.spans.push((revision + 1, revision));
            }
            if reply.canceled {
                if reply.compact_revision > 0 {
                    if reply.compact_revision <= heard.next {
                        return Err(format!(
                            "cancelled as compacted at {}, and it wanted to go on at {}",
                            reply.compact_revision, heard.next
                        ));
                    }
                    heard.next = reply.compact_revision;
                    heard.spans.push((heard.next, heard.next - 1));
                    return Ok(false);
                }
                return Err(format!("it ends, and nobody asked for that: {}", reply.cancel_reason));
            }
            if let Some(bound) = heard.lost_below.filter(|_| !reply.created) {
                return Err(format!(
                    "it began at {}, everything below {bound} was compacted, and it was not cancelled",
                    heard.next
                ));
            }
            if heard.in_pieces && reply.events.is_empty() {
                return Err("another reply came between two pieces of one".to_string());
            }
            if reply.fragment && !self.wish.fragment {
                return Err("a reply came in pieces, and nobody had asked for that".to_string());
            }
            // The pieces of one reply go on where the last one ended.
            let mut last = if heard.in_pieces { heard.piece_end } else { heard.next - 1 };
            heard.in_pieces = reply.fragment;
            for event in &reply.events {
                let at = event.kv.as_ref().map_or(0, |kv| kv.mod_revision);
                if at < heard.next || at < last {
                    return Err(format!(
                        "an event of revision {at}, after everything before {} had been heard",
                        heard.next.max(last)
                    ));
                }
                if at > revision {
                    return Err(format!("an event of revision {at} in a reply of revision {revision}"));
                }
                if event.prev_kv.is_some() && !self.wish.prev_kv {
                    return Err(format!("a previous pair at revision {at}, and nobody had asked for it"));
                }
                last = at;
                heard.events.entry(at).or_default().push(event.clone());
            }
            // A reply without events is a promise that there were none up to its revision.
            heard.piece_end = last;
            let is_progress = reply.events.is_empty() && !reply.created;
            let upto = if is_progress { revision.max(last) } else { last };
            if !reply.fragment {
                heard.next = upto + 1;
                if let Some(span) = heard.spans.last_mut() {
                    span.1 = span.1.max(upto);
                }
            }
            Ok(true)
        })
    }

    /// Whether everything up to this revision that it wants was heard, as far as the records tell.
    pub fn has_reached(&self, revision: i64, made: &BTreeMap<i64, Vec<Record>>) -> bool {
        let next = self.next_revision();
        next > revision
            || (next > 0
                && made.range(next..=revision).all(|(_, records)| {
                    !records.iter().any(|record| self.wish.wants(record.key(), record.is_tombstone()))
                }))
    }

    /// Compares what was heard with what was made. `bounds`: the compactions there may have been, which take previous
    /// pairs away, and of several changes of one key at the bound itself all but the last.
    pub fn judge(&self, made: &BTreeMap<i64, Vec<Record>>, bounds: &BTreeSet<i64>) -> Result<(), String> {
        self.with(|heard| {
            for &(from, upto) in &heard.spans {
                for (&revision, records) in made.range(from..=upto.max(from)).filter(|&(&r, _)| r <= upto) {
                    let nothing = Vec::new();
                    let events = heard.events.get(&revision).unwrap_or(&nothing);
                    let wanted: Vec<&Record> = records
                        .iter()
                        .filter(|record| self.wish.wants(record.key(), record.is_tombstone()))
                        .collect();
                    let left: Vec<&Record> =
                        wanted.iter().filter(|record| is_last_of_key(record, records)).copied().collect();
                    let same = are_events_of(events, &wanted)
                        || bounds.contains(&revision) && are_events_of(events, &left);
                    if !same {
                        return Err(format!(
                            "revision {revision} made {} wanted changes, and {} events were heard: {events:?}",
                            wanted.len(),
                            events.len()
                        ));
                    }
                }
            }
            if self.wish.prev_kv { judge_previous(&heard.events, made, bounds.last().copied().unwrap_or_default()) } else { Ok(()) }
        })
    }
}

fn is_last_of_key(record: &Record, records: &[Record]) -> bool {
    !records.iter().any(|other| other.key() == record.key() && other.sub() > record.sub())
}

fn are_events_of(events: &[mvccpb::Event], records: &[&Record]) -> bool {
    events.len() == records.len()
        && events.iter().zip(records).all(|(event, record)| is_event_of(event, record))
}

fn is_event_of(event: &mvccpb::Event, record: &Record) -> bool {
    let kind = if record.is_tombstone() { EventType::Delete } else { EventType::Put };
    event.r#type == kind as i32 && event.kv.as_ref() == Some(&record.to_kv())
}

/// The pair before each change is the one that was there, unless a compaction up to `compacted` may have taken it.
fn judge_previous(
    heard: &BTreeMap<i64, Vec<mvccpb::Event>>,
    made: &BTreeMap<i64, Vec<Record>>,
    compacted: i64,
) -> Result<(), String> {
    let mut before: BTreeMap<&[u8], &Record> = BTreeMap::new();
    let mut last = 1;
    for (&revision, records) in made {
        if revision != last + 1 {
            // A revision that nobody saw: what stood before it is not known.
            return Ok(());
        }
        last = revision;
        for event in heard.get(&revision).into_iter().flatten() {
            let Some(kv) = &event.kv else { continue };
            let expected = before.get(&kv.key[..]).filter(|record| !record.is_tombstone()).map(|r| r.to_kv());
            let missing = event.prev_kv.is_none() && revision <= compacted;
            if event.prev_kv != expected && !missing {
                return Err(format!(
                    "the event of revision {revision} has the previous pair {:?}, which was {expected:?}",
                    event.prev_kv
                ));
            }
        }
        for record in records {
            before.insert(record.key(), record);
        }
    }
    Ok(())
}
