//! One member of the cluster, as a machine: inputs in, effects out.
//!
//! Thin: it routes between Raft, the state and the clients that wait. Each file here holds one way through it: `boot`
//! how it begins, `propose` what goes into the log, `apply` what comes out of it, `read_point` what is asked beside it,
//! `lease` what only a leader may say, `checkpoints` when the log may be shortened, `admin` what the operator wants, `members` who may be one,
//! `settle` the end of every turn.
mod admin;
mod apply;
mod boot;
mod changes;
mod checkpoints;
mod force;
mod ids;
mod install;
mod lease;
mod members;
mod persist;
mod proposals;
mod propose;
mod publish;
mod read_point;
mod reads;
mod settle;

use crate::{
    Config, Edition, Effects, Input, MemberId, Moment, Note, Outcome, Span, Standing, Ticket, View,
    checkpoint::Stand,
    lease::Deadlines,
    raft::Raft,
    state::{State, Tally},
    store::Change,
};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
pub use boot::{Recovered, Restored};
use checkpoints::Checkpoints;
use detcd_proto::raftpb::MessageType;
use ids::Ids;
use install::Install;
use persist::{Persist, Purpose};
use proposals::Proposals;
use publish::Publish;
use reads::Reads;

/// Most requests that wait in one member; etcd has the same bound on the distance between commit and apply.
const WAITING_MAX: usize = 1 << 16;

#[derive(Debug)]
pub struct Replica {
    config: Config,
    raft: Raft,
    state: State,
    persist: Persist,
    checkpoints: Checkpoints,
    install: Install,
    /// The first entries of a new cluster are not safe yet; until then this member takes no part.
    is_founding: bool,

    proposals: Proposals,
    reads: Reads,
    request_ids: Ids,
    question_ids: Ids,
    lease_ids: Ids,

    /// Since when a link to each peer stands.
    linked: BTreeMap<MemberId, Moment>,
    applied: u64,
    applied_term: u64,
    /// Who led at the last look, and in which term.
    leader: Option<(MemberId, u64)>,
    /// When this member last became the leader.
    elected: Option<Moment>,
    publish: Publish,
    transfer: Option<admin::Transfer>,
    reform: members::Reform,
    /// How long leases live, while this member leads.
    deadlines: Option<Deadlines>,
    /// Renewals of leases that have expired and wait to be revoked.
    parked: Vec<lease::Parked>,
    /// Those who asked for a compaction down to the last record, and its bound.
    compactions: Vec<(i64, Ticket, Outcome)>,

    /// What this turn changed, answered and found worth telling.
    changes: Vec<Change>,
    replies: Vec<(Ticket, Outcome)>,
    notes: Vec<Note>,
    edition: Option<Arc<Edition>>,
    /// The next edition differs from the last.
    is_dirty: bool,
    /// Between the last edition and the next, the state was replaced.
    has_jumped: bool,
    /// More is committed than could be applied in one turn.
    is_behind: bool,
    /// The log is being read back: what was seen in it was seen before.
    is_replaying: bool,
}

impl Replica {
    /// The only verb: takes what happened, fires the timers that are due, decides. Answers when it next wants to be
    /// called even if nothing happens.
    pub fn turn(
        &mut self,
        now: Moment,
        inputs: impl Iterator<Item = Input>,
        effects: &mut Effects,
    ) -> Option<Moment> {
        for input in inputs {
            self.deliver(now, input);
        }
        self.fire_timers(now);
        self.settle(now, effects);
        self.deadline(now)
    }

    fn deliver(&mut self, now: Moment, input: Input) {
        match input {
            Input::Propose { ticket, request } => self.propose_for_client(now, ticket, request),
            Input::ReadPoint { ticket } => self.read(now, reads::Reader::Point(ticket)),
            Input::KeepAlive { ticket, lease } => {
                self.read_as_leader(now, reads::Reader::KeepAlive { ticket, lease });
            }
            Input::TimeToLive { ticket, lease, keys } => {
                self.read_as_leader(now, reads::Reader::TimeToLive { ticket, lease, keys });
            }
            Input::Leases { ticket } => self.tell_leases(ticket),
            Input::Admin { ticket, order } => self.obey(now, ticket, order),
            Input::Receive { from, message } => {
                // A member that is not in any log yet says nothing and promises nothing.
                let is_snapshot = message.r#type == i32::from(MessageType::MsgSnap);
                if is_snapshot {
                    let reason = "it sends a snapshot without what it holds";
                    self.notes.push(Note::MessageRefused { from, reason });
                } else if !self.is_founding {
                    self.raft.step(now, from, *message);
                }
            }
            Input::Linked { peer } => {
                self.linked.entry(peer).or_insert(now);
            }
            Input::Lost { peer } => {
                self.linked.remove(&peer);
                self.raft.unreachable(peer);
            }
            Input::Expelled { by } => self.expelled(Some(by)),
            Input::Persisted { upto } => match self.persist.finished(upto) {
                Purpose::Founding => self.is_founding = false,
                Purpose::Running { raft, mark } => {
                    if let Some(number) = raft {
                        self.raft.persisted(now, number);
                    }
                    if mark {
                        self.checkpoint_marked();
                    }
                }
            },
            Input::CheckpointDone { index, bytes } => self.checkpoint_done(index, bytes),
            Input::CheckpointFailed { index } => self.checkpoint_failed(now, index),
            Input::CheckpointSent { to, index, shipment } => self.checkpoint_sent(to, index, shipment),
            Input::CheckpointArrived { from, message, draft } => {
                self.checkpoint_arrived(now, from, *message, draft);
            }
            Input::CheckpointStaged { draft, restored } => self.checkpoint_staged(now, draft, restored),
        }
    }

    fn fire_timers(&mut self, now: Moment) {
        // Who waits is told in time even by a member that waits for its disk to begin a log: what is due must be done
        // in this turn, or the driver comes back at once and for ever.
        self.expire_proposals(now);
        self.expire_reads(now);
        self.expire_transfer(now);
        if self.is_founding {
            return;
        }
        if self.raft.deadline() <= now {
            self.raft.tick(now);
        }
        self.expire_leases(now);
        self.checkpoint_leases(now);
        self.promote_learners(now);
        self.publish_if_due(now);
    }

    /// When something is next due, if ever.
    fn deadline(&mut self, now: Moment) -> Option<Moment> {
        let timeout = self.config.request_timeout();
        let mut next = Moment(u64::MAX);
        if !self.is_founding {
            next = next.min(self.raft.deadline());
        }
        for waiting in [self.proposals.oldest(), self.reads.oldest()].into_iter().flatten() {
            next = next.min(waiting + timeout);
        }
        let others = [
            self.reads.asked().map(|asked| asked + read_point::RETRY),
            self.lease_deadline(),
            self.promotion_due(),
            self.transfer.as_ref().map(|transfer| transfer.deadline),
            self.publish.due(),
            self.checkpoints.due(),
            (self.is_behind || self.state.store.is_compacting()).then_some(now),
        ];
        for due in others.into_iter().flatten() {
            next = next.min(due);
        }
        (next < Moment(u64::MAX)).then_some(next)
    }

    /// What this member shows to its clients now.
    pub fn edition(&self) -> Arc<Edition> {
        let standing = self.standing();
        match &self.edition {
            Some(edition) if edition.standing == standing => edition.clone(),
            _ => Arc::new(Edition {
                view: self.view(),
                changes: Vec::new(),
                is_jump: false,
                standing,
                stand: self.stand(),
                tally: self.state.tally,
            }),
        }
    }

    fn view(&self) -> View {
        self.state.view()
    }

    /// What has been carried out up to the end of the last turn.
    pub fn tally(&self) -> &Tally {
        &self.state.tally
    }

    /// Of the last entry applied.
    fn stand(&self) -> Stand {
        Stand { index: self.applied, term: self.applied_term, conf_state: self.raft.conf_state() }
    }

    fn standing(&self) -> Standing {
        Standing {
            leader: self.raft.leader(),
            term: self.raft.term(),
            commit: self.raft.commit(),
            applied: self.applied,
            is_learner: self.state.members.get(self.config.me.id).is_some_and(|me| me.is_learner),
            is_published: self.publish == Publish::Done,
        }
    }

    fn reply(&mut self, ticket: Ticket, outcome: Outcome) {
        self.replies.push((ticket, outcome));
    }

    fn waiting(&self) -> usize {
        self.proposals.len() + self.reads.len()
    }

    /// How long ago this was the beginning of a wait that ends now.
    fn limit(&self, now: Moment) -> Option<Moment> {
        let timeout: Span = self.config.request_timeout();
        now.0.checked_sub(timeout.0).map(Moment)
    }
}
