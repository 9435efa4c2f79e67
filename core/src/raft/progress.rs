//! What a leader knows about one other member, and how it feeds it.
//!
//! Probe until a place is found where both logs agree: one message at a time. Then replicate: send ahead without
//! waiting, up to a window. A member that lacks what this leader no longer holds is sent a snapshot, and probed behind it.
use super::{Log, message};
use crate::{MemberId, Plant, Plants};
use alloc::collections::VecDeque;
use detcd_proto::raftpb::{Message, MessageType};

#[derive(Debug)]
pub struct Progress {
    /// Known to be durable there, and equal to ours.
    pub matched: u64,
    /// The most it ever acknowledged; more than `matched` only if its disk has lost that since.
    pub acked: u64,
    /// What is sent next.
    pub next: u64,
    pub mode: Mode,
    /// Was heard since the last quorum check.
    pub active: bool,
    /// Was heard in the time before that check.
    pub was_active: bool,
    /// The commit index it learns from what was already sent.
    told_commit: u64,
    /// Something may be lost: send an append although there is nothing new, its answer will tell.
    nudge: bool,
    /// The latest read round it confirmed.
    pub confirmed_round: u64,
    /// It needs a snapshot, and there is none that it could go on from, or it was silent.
    pub lacking: bool,
    /// The last index of the probe under way.
    probed: u64,
    /// The last index of each append under way, in order; only while replicating.
    inflight: VecDeque<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `waiting`: a probe is under way, or was lost; the next answer of any kind resumes.
    Probe {
        waiting: bool,
    },
    Replicate,
    /// The snapshot of this index is on its way, because it lacks what this leader no longer holds.
    Snapshot {
        pending: u64,
    },
}

/// How much may be sent to one member.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub message_bytes: u64,
    pub inflight_messages: usize,
    pub plants: Plants,
}

impl Progress {
    pub fn new(last_index: u64, active: bool) -> Progress {
        Progress {
            matched: 0,
            acked: 0,
            next: last_index + 1,
            mode: Mode::Probe { waiting: false },
            active,
            was_active: false,
            told_commit: 0,
            nudge: true,
            confirmed_round: 0,
            lacking: false,
            probed: 0,
            inflight: VecDeque::new(),
        }
    }

    /// It holds everything up to `index`; this leader's log goes back to `base`.
    pub fn acknowledged(&mut self, index: u64, base: u64) {
        // An answer to an older message says nothing about where the logs part. Taking it for the answer to the probe
        // would send the whole window again for every such message: with a link that reorders, a storm.
        let found = match self.mode {
            Mode::Probe { waiting } => index >= self.next || (waiting && index >= self.probed),
            Mode::Replicate | Mode::Snapshot { .. } => false,
        };
        self.lacking = false;
        self.matched = self.matched.max(index);
        self.acked = self.acked.max(index);
        self.next = self.next.max(self.matched + 1);
        match self.mode {
            Mode::Replicate => {
                while self.inflight.front().is_some_and(|last| *last <= index) {
                    self.inflight.pop_front();
                }
            }
            Mode::Probe { .. } if found => self.enter_replicate(),
            Mode::Probe { .. } => {}
            // Whatever became of the snapshot: it can do without.
            Mode::Snapshot { .. } if self.matched >= base => self.enter_replicate(),
            Mode::Snapshot { .. } => {}
        }
    }

    /// It refused what followed on `refused`; `try_at` is the last place that may match.
    pub fn rejected(&mut self, refused: u64, try_at: u64) {
        match self.mode {
            // Old news: that index has been acknowledged since.
            Mode::Replicate if refused <= self.matched => {}
            Mode::Replicate => {
                self.enter_probe();
                self.next = try_at.saturating_add(1).min(self.next).max(self.matched + 1);
            }
            // It is the answer to what made the snapshot necessary, once more.
            Mode::Snapshot { .. } => {}
            // Old news: this is not what the probe asked.
            Mode::Probe { .. } if self.next - 1 != refused => {}
            Mode::Probe { .. } => {
                if refused == self.matched {
                    // Its disk has lost what it acknowledged: what is left there must be found anew.
                    self.matched = 0;
                }
                self.next = refused.min(try_at.saturating_add(1)).max(self.matched + 1);
                self.mode = Mode::Probe { waiting: false };
                self.nudge = true;
            }
        }
    }

    /// The quorum has been checked: from now on it must be heard anew.
    pub fn begin_check(&mut self) {
        self.was_active = core::mem::take(&mut self.active);
    }

    /// It lives: a lost message must not keep it waiting for ever.
    pub fn answered_heartbeat(&mut self, last_index: u64, plants: Plants) {
        if let Mode::Probe { waiting } = &mut self.mode
            && !plants.has(Plant::ProbeNeverResumes)
        {
            *waiting = false;
        }
        if self.matched < last_index {
            self.nudge = true;
        }
    }

    /// What was sent may be lost: find out how far it got.
    pub fn lost(&mut self) {
        if self.mode == Mode::Replicate {
            self.enter_probe();
        }
    }

    /// A snapshot begins its way.
    pub fn snapshot_begun(&mut self, index: u64) {
        self.mode = Mode::Snapshot { pending: index };
        self.lacking = false;
        self.inflight.clear();
    }

    /// It needs a snapshot, and none can be sent now: to be looked at again when it shows that it lives. Answers whether
    /// that is news.
    pub fn snapshot_missing(&mut self) -> bool {
        self.mode = Mode::Probe { waiting: true };
        !core::mem::replace(&mut self.lacking, true)
    }

    /// What became of the snapshot. What follows waits until the member is heard: it may not have gone on from the
    /// snapshot yet, and a snapshot that failed is not to be sent again at once.
    pub fn snapshot_sent(&mut self, index: u64, complete: bool) {
        if self.mode == (Mode::Snapshot { pending: index }) {
            self.enter_probe();
            self.mode = Mode::Probe { waiting: true };
            if complete {
                self.next = self.next.max(index + 1);
            }
            self.probed = self.next - 1;
        }
    }

    fn enter_probe(&mut self) {
        self.mode = Mode::Probe { waiting: false };
        self.next = self.matched + 1;
        self.told_commit = 0;
        self.inflight.clear();
        self.nudge = true;
    }

    fn enter_replicate(&mut self) {
        self.mode = Mode::Replicate;
        self.next = self.matched + 1;
        self.inflight.clear();
    }

    /// Send something even if there is nothing new.
    pub fn nudge(&mut self) {
        self.nudge = true;
    }

    /// The next append to this member, if one is due now. An error: what it needs, from that index on, lies below
    /// our log, and it must be told what then: `snapshot_begun` or `snapshot_missing`.
    pub fn feed(
        &mut self,
        to: MemberId,
        log: &Log,
        commit: u64,
        limits: Limits,
    ) -> Result<Option<Message>, u64> {
        let full = match self.mode {
            Mode::Probe { waiting: true } | Mode::Snapshot { .. } => return Ok(None),
            Mode::Probe { waiting: false } => false,
            Mode::Replicate => self.inflight.len() >= limits.inflight_messages,
        };
        let news = !full && self.next <= log.last_index();
        let commit_news = commit.min(self.next - 1) > self.told_commit;
        if !news && !commit_news && !self.nudge {
            return Ok(None);
        }
        let index = self.next - 1;
        // With entries to send it would never come to an end.
        let is_bare = full || matches!(self.mode, Mode::Probe { .. });
        let knows_no_term = || (is_bare && limits.plants.has(Plant::CompactedTermZero)).then_some(0);
        let Some(log_term) = log.term(index).or_else(knows_no_term) else { return Err(self.next) };
        let entries =
            if full { alloc::vec::Vec::new() } else { log.slice(self.next, u64::MAX, limits.message_bytes) };
        let last = index + entries.len() as u64;
        self.nudge = false;
        self.told_commit = self.told_commit.max(commit.min(last));
        match &mut self.mode {
            Mode::Probe { waiting } => {
                *waiting = true;
                self.probed = last;
            }
            Mode::Replicate if last > index => {
                self.next = last + 1;
                self.inflight.push_back(last);
            }
            Mode::Replicate | Mode::Snapshot { .. } => {}
        }
        Ok(Some(Message { index, log_term, entries, commit, ..message::to(MessageType::MsgApp, to) }))
    }

    /// The snapshot on its way.
    pub fn pending(&self) -> Option<u64> {
        match self.mode {
            Mode::Snapshot { pending } => Some(pending),
            Mode::Probe { .. } | Mode::Replicate => None,
        }
    }

    pub fn inflight(&self) -> usize {
        self.inflight.len()
    }
}
