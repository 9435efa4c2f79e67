//! What must be true in every run, whatever the faults. The names are those of the Raft paper, figure 3.
use detcd_core::raft::Raft;
use detcd_proto::raftpb::{ConfState, Entry, SnapshotMetadata};
use std::collections::BTreeMap;

/// The durable log of one member, for counting who holds what: everything up to an index, and these entries behind it.
pub type DiskLog<'a> = (u64, &'a [Entry]);

#[derive(Default)]
pub struct Judge {
    /// Who led a term: the member, and which of its lives.
    leaders: BTreeMap<u64, (u64, u64)>,
    /// Every entry ever seen by its index and term, with the term before it.
    entries: BTreeMap<(u64, u64), (u64, Entry)>,
    /// Committed entries' terms from index 1 on, with the term of the leader that committed them.
    committed: Vec<(u64, u64)>,
    applied: Vec<Entry>,
    /// The membership behind each entry, as whoever applied it first had it.
    memberships: BTreeMap<u64, ConfState>,
    /// For each question about the read index: what was committed when it was asked.
    questions: BTreeMap<u64, u64>,
    pub reads_answered: u64,
}

pub type Verdict = Result<(), String>;

impl Judge {
    pub fn max_commit(&self) -> u64 {
        self.committed.len() as u64
    }

    /// Log matching: index and term name one entry, and what comes before it.
    pub fn saw(&mut self, entry: &Entry, term_before: u64) -> Verdict {
        let known =
            self.entries.entry((entry.index, entry.term)).or_insert_with(|| (term_before, entry.clone()));
        if *known == (term_before, entry.clone()) {
            return Ok(());
        }
        Err(format!("log matching: {entry:?} after term {term_before}, but before it was {known:?}"))
    }

    /// Election safety, and leader completeness: it holds all that was committed in earlier terms.
    pub fn became_leader(&mut self, raft: &Raft, life: u64) -> Verdict {
        let (term, id) = (raft.term(), raft.id().0);
        let leader = *self.leaders.entry(term).or_insert((id, life));
        if leader != (id, life) {
            return Err(format!("election safety: term {term} is led by {leader:?} and by {:?}", (id, life)));
        }
        for (index, (entry_term, by)) in (1..).zip(&self.committed) {
            if *by < term && index > raft.base().0 && raft.entry_term(index) != Some(*entry_term) {
                return Err(format!("leader completeness: {id} leads term {term} without entry {index}"));
            }
        }
        Ok(())
    }

    /// After `settle` and before anything is applied: what is newly committed is durable on a quorum.
    pub fn committed(&mut self, raft: &Raft, disks: &BTreeMap<u64, DiskLog<'_>>) -> Verdict {
        let known = self.max_commit();
        if raft.commit() <= known {
            return Ok(());
        }
        let conf_state = raft.status().conf_state;
        for index in known + 1..=raft.commit() {
            let term = raft.entry_term(index).ok_or("committed beyond the log")?;
            let holds = |member: &u64| {
                let (base, log) = disks.get(member).copied().unwrap_or_default();
                // Nobody's log begins behind what is not committed.
                let at = index.checked_sub(base + 1).expect("a base is committed") as usize;
                log.get(at).is_some_and(|entry| entry.term == term)
            };
            if !has_quorum(&conf_state, holds) {
                return Err(format!("durability: {} committed {index} before a quorum held it", raft.id()));
            }
            self.committed.push((term, raft.term()));
        }
        Ok(())
    }

    /// State machine safety: every member applies the same, in the same order.
    pub fn applied(&mut self, member: u64, entry: &Entry) -> Verdict {
        let at = entry.index as usize - 1;
        if at < self.applied.len() {
            let known = &self.applied[at];
            if known != entry {
                return Err(format!("state machine safety: {member} applies {entry:?}, not {known:?}"));
            }
        } else if at == self.applied.len() {
            self.applied.push(entry.clone());
        } else {
            return Err(format!("state machine safety: {member} skips to {}", entry.index));
        }
        if entry.index > self.max_commit() {
            return Err(format!("{member} applies {} before it is committed", entry.index));
        }
        Ok(())
    }

    /// The membership is a function of the log.
    pub fn membership(&mut self, member: u64, index: u64, state: ConfState) -> Verdict {
        let known = self.memberships.entry(index).or_insert_with(|| state.clone());
        if *known == state {
            return Ok(());
        }
        Err(format!("membership: {member} has {state:?} at {index}, not {known:?}"))
    }

    /// A snapshot stands for entries that are committed, and knows who was in the cluster then.
    pub fn restored(&mut self, member: u64, snapshot: &SnapshotMetadata) -> Verdict {
        let SnapshotMetadata { index, term, conf_state } = snapshot;
        match self.committed.get(*index as usize - 1) {
            Some((committed, _)) if committed == term => self.membership(member, *index, conf_state.clone()),
            other => Err(format!("state machine safety: {member} restores {index}/{term}, not {other:?}")),
        }
    }

    pub fn asked(&mut self, ctx: u64) {
        let before = self.questions.insert(ctx, self.max_commit());
        assert_eq!(before, None, "a context is used once");
    }

    /// Read index: not older than anything committed before the question.
    pub fn answered(&mut self, member: u64, ctx: u64, index: u64) -> Verdict {
        let least = self.questions[&ctx];
        self.reads_answered += 1;
        if index < least {
            return Err(format!(
                "read index: {member} may read at {index}, but {least} was committed before"
            ));
        }
        if index > self.max_commit() {
            return Err(format!("read index: {member} is told {index}, which is not committed"));
        }
        Ok(())
    }
}

pub fn has_quorum(state: &ConfState, holds: impl Fn(&u64) -> bool) -> bool {
    let majority = |voters: &[u64]| voters.iter().filter(|voter| holds(voter)).count() > voters.len() / 2;
    majority(&state.voters) && (state.voters_outgoing.is_empty() || majority(&state.voters_outgoing))
}
