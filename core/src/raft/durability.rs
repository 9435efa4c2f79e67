//! What survives power loss, and what must wait until more does.
//!
//! One write at a time carries everything that is new: entries, and the ballot if it changed. The commit index rides
//! along when a write goes out anyway, and causes one only when it covers a change of the membership. Two rules follow:
//!
//! * No message leaves while the ballot it was made under is not durable. If the ballot moves on first, the message is
//!   dropped: it spoke for a member that is no longer in that term.
//! * Positions are kept as "the log is durable up to here", cut back whenever the log is. A write that finishes after
//!   its entries were replaced therefore vouches only for those that still stand.
use super::{Ballot, Log};
use crate::{Moment, Plant, Plants};
use alloc::vec::Vec;
use detcd_proto::raftpb::{Entry, HardState, Message, SnapshotMetadata};

/// Goes to disk as a whole, in this order: the snapshot in whose place the log begins from here on, entries (they replace
/// whatever has their index or a higher one; none beside a snapshot), then the hard state. Of a snapshot without the hard
/// state that makes it count, nothing is to be believed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Write {
    /// Consecutive; given back to `Raft::persisted`.
    pub number: u64,
    /// What it holds is durable already; with it, what the log had behind its index is gone.
    pub restored: Option<SnapshotMetadata>,
    pub entries: Vec<Entry>,
    pub hard_state: Option<HardState>,
}

#[derive(Debug)]
pub struct Durability {
    plants: Plants,
    /// The log is on disk up to here.
    durable: u64,
    /// The log was given to a write up to here; at least `durable`.
    written: u64,
    ballot_durable: Ballot,
    ballot_written: Ballot,
    commit_written: u64,
    /// Takes the place of the log, and no write says so yet.
    restored: Option<SnapshotMetadata>,
    /// The commit index is worth a write of its own.
    owes_commit: bool,
    in_flight: Option<InFlight>,
    writes: u64,
    held: Vec<Message>,
}

#[derive(Debug)]
struct InFlight {
    since: Moment,
    /// The end of its entries that still stand.
    upto: u64,
    ballot: Ballot,
}

impl Durability {
    /// Everything recovered is on disk, except a term that only the log proves.
    pub fn recovered(plants: Plants, last_index: u64, ballot: Ballot, commit: u64) -> Durability {
        Durability {
            plants,
            durable: last_index,
            written: last_index,
            ballot_durable: ballot,
            ballot_written: ballot,
            commit_written: commit,
            restored: None,
            owes_commit: false,
            in_flight: None,
            writes: 0,
            held: Vec::new(),
        }
    }

    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// The log was cut back to `last_kept`.
    pub fn truncated(&mut self, last_kept: u64) {
        self.durable = self.durable.min(last_kept);
        self.written = self.written.min(last_kept);
        let forgets = self.plants.has(Plant::AsyncAppendAba);
        if let Some(write) = self.in_flight.as_mut().filter(|_| !forgets) {
            write.upto = write.upto.min(last_kept);
        }
    }

    /// The log begins behind this snapshot now. Of the old one, what was committed up to `kept` is as before; the rest
    /// may have been something else, and a write of it under way vouches for nothing.
    pub fn restored(&mut self, kept: u64, snapshot: SnapshotMetadata) {
        self.truncated(kept);
        self.written = snapshot.index;
        self.restored = Some(snapshot);
    }

    /// The snapshot whose place in the log is to be written next, and alone.
    pub fn restoring(&self) -> Option<u64> {
        self.restored.as_ref().map(|snapshot| snapshot.index)
    }

    pub fn ballot_is_durable(&self, ballot: Ballot) -> bool {
        self.ballot_durable == ballot || self.plants.has(Plant::VoteNoSync)
    }

    /// Keeps a message until the ballot is durable.
    pub fn hold(&mut self, message: Message) {
        self.held.push(message);
    }

    pub fn drop_held(&mut self) {
        self.held.clear();
    }

    /// The messages that no longer need to wait.
    pub fn release(&mut self) -> Vec<Message> {
        core::mem::take(&mut self.held)
    }

    /// Who takes part has changed. A member that forgot that this is committed would ask those who are gone for their
    /// votes: with two of whom one was removed, for ever.
    pub fn owe_commit(&mut self) {
        self.owes_commit = true;
    }

    /// Since when the disk owes an answer.
    pub fn writing_since(&self) -> Option<Moment> {
        self.in_flight.as_ref().map(|write| write.since)
    }

    /// `tells_commit`: a commit index that the disk does not know is news enough.
    pub fn take_write(
        &mut self,
        now: Moment,
        log: &Log,
        ballot: Ballot,
        commit: u64,
        tells_commit: bool,
    ) -> Option<Write> {
        if self.in_flight.is_some() {
            return None;
        }
        let forgets_votes = self.plants.has(Plant::VoteNoSync);
        let ballot_news = ballot != self.ballot_written && !forgets_votes;
        let restoring = self.restoring();
        // Entries that a torn write left without the hard state would have a gap before them.
        let upto = restoring.unwrap_or(log.last_index());
        let entries = log.slice(self.written + 1, upto, u64::MAX);
        let commit_news = commit != self.commit_written;
        let commit_is_due = commit_news && (tells_commit || self.owes_commit);
        self.owes_commit = false;
        if entries.is_empty() && !ballot_news && restoring.is_none() && !commit_is_due {
            return None;
        }
        let hard_state = (ballot_news || commit_news || restoring.is_some()).then(|| HardState {
            term: ballot.term,
            vote: if forgets_votes { 0 } else { ballot.vote.unwrap_or_default().0 },
            commit,
        });
        self.written = upto;
        self.ballot_written = ballot;
        self.commit_written = commit;
        self.writes += 1;
        self.in_flight = Some(InFlight { since: now, upto: self.written, ballot });
        Some(Write { number: self.writes, restored: self.restored.take(), entries, hard_state })
    }

    pub fn persisted(&mut self, number: u64) {
        let write = self.in_flight.take().expect("only what was given out can be persisted");
        assert_eq!(number, self.writes, "one write at a time");
        self.durable = self.durable.max(write.upto);
        self.ballot_durable = write.ballot;
    }

    pub fn check(&self, log: &Log) {
        let confuses = self.plants.has(Plant::AsyncAppendAba);
        assert!(confuses || self.durable <= self.written, "durable before it was written");
        assert!(self.written <= log.last_index(), "written beyond the log");
    }
}
