//! Following: take what the leader sends, and acknowledge no more than the disk holds.
use super::{Ballot, Raft, Role, message};
use crate::{MemberId, Moment, Note, Plant};
use alloc::vec::Vec;
use detcd_proto::raftpb::{Entry, EntryType, Message, MessageType};

/// What a follower owes and is owed, within one term.
#[derive(Debug, Default)]
pub struct Follower {
    /// The log is known to equal the leader's up to here. 0: not heard yet.
    matched: u64,
    /// Up to here the leader needs no word that it has not asked for.
    acked: u64,
    /// The leader waits for an answer about this index.
    owed: Option<u64>,
    /// Proposals on their way to the leader.
    pub forward: Vec<Entry>,
}

impl Raft {
    pub(super) fn become_follower(&mut self, now: Moment, term: u64, leader: Option<MemberId>) {
        assert!(term >= self.ballot.term, "terms never fall");
        if term > self.ballot.term {
            self.ballot = Ballot { term, vote: None };
        }
        self.role = Role::Follower(Follower::default());
        self.durability.drop_held();
        self.restart_election_timer(now);
        self.notes.push(Note::BecameFollower { term, leader });
        self.set_leader(leader);
    }

    /// Someone leads this very term. False only if that is this member itself.
    pub(super) fn follows(&mut self, now: Moment, leader: MemberId) -> bool {
        match &self.role {
            Role::Leader(_) => return false,
            Role::Follower(_) => {
                self.set_leader(Some(leader));
                self.restart_election_timer(now);
            }
            Role::PreCandidate(_) | Role::Candidate(_) => {
                self.become_follower(now, self.ballot.term, Some(leader));
            }
        }
        true
    }

    pub(super) fn take_append(&mut self, from: MemberId, m: Message) {
        let Message { index, log_term, entries, commit, term, .. } = m;
        if !is_run(&entries, index, log_term, term) {
            return self.refuse(from, "its entries do not follow on each other");
        }
        if index < self.commit {
            // Old news: everything committed is equal anyway.
            return self.match_up_to(self.commit, self.commit);
        }
        let is_blind = log_term == 0 && self.settings.plants.has(Plant::CompactedTermZero);
        if self.log.term(index) != Some(log_term) && !is_blind {
            let (hint, hint_term) = self.log.last_possible_match(index, log_term);
            // Up to the commit index the logs agree, whatever the terms say.
            let (reject_hint, log_term) = if hint < self.commit {
                (self.commit, self.log.term(self.commit).unwrap_or(0))
            } else {
                (hint, hint_term)
            };
            return self.send(Message {
                index,
                reject: true,
                reject_hint,
                log_term,
                ..message::to(MessageType::MsgAppResp, from)
            });
        }
        let last_new = index + entries.len() as u64;
        if self.settings.plants.has(Plant::TruncateAlways) {
            self.cut_back(index);
        }
        self.store(entries);
        self.commit_to(commit.min(last_new).min(self.log.last_index()));
        self.match_up_to(last_new, last_new);
        // What goes before is no news on its own: the answer will cover it.
        let known = index.min(self.durability.durable());
        if let Role::Follower(follower) = &mut self.role {
            follower.acked = follower.acked.max(known);
        }
    }

    /// Appends what is new, and cuts the log back only where an entry conflicts. Raft 5.3: a late or repeated message
    /// must not cut anything.
    fn store(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            match self.log.term(entry.index) {
                Some(term) if term == entry.term => continue,
                Some(_) => {
                    if self.settings.plants.has(Plant::ConflictingTailKept) {
                        continue;
                    }
                    assert!(entry.index > self.commit, "a committed entry conflicts with the leader's");
                    self.cut_back(entry.index - 1);
                    self.log.append(entry);
                }
                None => self.log.append(entry),
            }
        }
        self.commit_to(self.log.proven_commit());
    }

    fn cut_back(&mut self, last_kept: u64) {
        self.log.truncate(last_kept);
        self.durability.truncated(last_kept);
    }

    /// The log equals the leader's up to `matched`, and it wants to hear about `owed`.
    pub(super) fn match_up_to(&mut self, matched: u64, owed: u64) {
        if let Role::Follower(follower) = &mut self.role {
            follower.matched = follower.matched.max(matched);
            follower.owed = follower.owed.max(Some(owed));
        }
    }

    pub(super) fn commit_to(&mut self, index: u64) {
        self.commit = self.commit.max(index);
    }

    pub(super) fn take_heartbeat(&mut self, from: MemberId, m: Message) {
        // The leader limits it to what this member has acknowledged to it in this term, so it matches.
        if m.commit <= self.log.last_index() {
            self.commit_to(m.commit);
        } else {
            self.miss_tail(m.commit);
        }
        self.send(Message { context: m.context, ..message::to(MessageType::MsgHeartbeatResp, from) });
    }

    /// What this member once knew to be committed, or the leader knows it to have acknowledged, must be in its log.
    pub(super) fn miss_tail(&mut self, commit: u64) {
        let last_index = self.log.last_index();
        if commit > last_index && commit > self.lost {
            self.notes.push(Note::LogTailLost { commit, last_index });
            if !self.settings.plants.has(Plant::LostTailStillVotes) {
                self.lost = commit;
            }
        }
    }

    /// The leader has sent again what was lost, and more may be believed of this member.
    fn find_tail(&mut self) {
        if self.lost > 0 && self.lost <= self.commit.min(self.durability.durable()) {
            self.notes.push(Note::LogTailFound { commit: self.lost });
            self.lost = 0;
        }
    }

    pub(super) fn settle_follower(&mut self) {
        self.find_tail();
        let Role::Follower(follower) = &mut self.role else { return };
        let Some(leader) = self.leader else {
            follower.forward.clear();
            return;
        };
        let durable = if self.settings.plants.has(Plant::AckBeforeSync) {
            self.log.last_index()
        } else {
            self.durability.durable()
        };
        let index = if self.settings.plants.has(Plant::AckBeyondMatch) {
            durable
        } else {
            follower.matched.min(durable)
        };
        let answers = follower.owed.is_some_and(|owed| index >= owed);
        let forward = core::mem::take(&mut follower.forward);
        if answers || index > follower.acked {
            follower.acked = index;
            if answers {
                follower.owed = None;
            }
            self.send(Message { index, ..message::to(MessageType::MsgAppResp, leader) });
        }
        if !forward.is_empty() {
            self.send(Message { entries: forward, ..message::to(MessageType::MsgProp, leader) });
        }
    }

    /// Proposals from another member: append them, or pass them on.
    pub(super) fn take_forwarded(&mut self, now: Moment, from: MemberId, m: Message) {
        for entry in m.entries {
            if EntryType::try_from(entry.r#type).is_err() {
                self.refuse(from, "it proposes an entry of unknown type");
                continue;
            }
            let entry = Entry { term: 0, index: 0, ..entry };
            match &mut self.role {
                Role::Leader(_) => {
                    if self.propose_here(now, entry).is_err() {
                        self.refuse(from, "its proposal was dropped");
                    }
                }
                Role::Follower(follower) if self.leader.is_some_and(|leader| leader != from) => {
                    follower.forward.push(entry);
                }
                _ => self.refuse(from, "nobody to pass its proposal on to"),
            }
        }
    }
}

/// Entries that follow on (`index`, `log_term`) one by one, in terms that do not fall and are not after `term`.
fn is_run(entries: &[Entry], index: u64, log_term: u64, term: u64) -> bool {
    let mut before = (index, log_term);
    for entry in entries {
        if Some(entry.index) != before.0.checked_add(1) || entry.term < before.1 || entry.term > term {
            return false;
        }
        before = (entry.index, entry.term);
    }
    before.1 <= term
}
