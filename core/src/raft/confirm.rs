//! ReadIndex: proof that this member still led after a read was asked for. Ongaro's thesis 6.4, with etcd's messages.
//!
//! A round is one heartbeat to every voter with a name that was never used before. A voter's answer to a round proves
//! that this member led when that round was opened, hence for every earlier question too; it proves nothing for later
//! ones. All questions of a turn share a round.
use super::{Raft, Role, message};
use crate::{MemberId, Plant, Plants, Refusal};
use alloc::{collections::VecDeque, vec::Vec};
use bytes::Bytes;
use detcd_proto::raftpb::{Message, MessageType};

#[derive(Debug, Default)]
pub struct Confirm {
    /// In no round yet.
    waiting: Vec<Asker>,
    rounds: VecDeque<Round>,
    /// The number of the last round opened in this term.
    opened: u64,
}

#[derive(Debug)]
struct Round {
    number: u64,
    /// The commit index when it was opened, at least that of the moment of each question.
    index: u64,
    askers: Vec<Asker>,
}

#[derive(Debug)]
enum Asker {
    Here(u64),
    There { member: MemberId, context: Bytes },
}

impl Confirm {
    /// The latest round, if any waits for its quorum.
    pub fn open_round(&self) -> Option<u64> {
        self.rounds.back().map(|round| round.number)
    }

    pub fn was_opened(&self, round: u64) -> bool {
        round <= self.opened
    }

    fn open(&mut self, index: u64, plants: Plants) -> u64 {
        let askers = core::mem::take(&mut self.waiting);
        if let Some(round) = self.rounds.back_mut().filter(|_| plants.has(Plant::ReadIndexCtxReuse)) {
            round.askers.extend(askers);
            round.index = index;
            return round.number;
        }
        self.opened += 1;
        self.rounds.push_back(Round { number: self.opened, index, askers });
        self.opened
    }

    fn take_confirmed(&mut self, upto: u64) -> Vec<Round> {
        let confirmed = self.rounds.partition_point(|round| round.number <= upto);
        self.rounds.drain(..confirmed).collect()
    }
}

impl Raft {
    pub(super) fn ask_read_index(&mut self, ctx: u64) -> Result<(), Refusal> {
        match &mut self.role {
            Role::Leader(leader) => leader.confirm.waiting.push(Asker::Here(ctx)),
            Role::Follower(_) => {
                let leader = self.leader.ok_or(Refusal::NoLeader)?;
                let entries = message::read_entry(Bytes::copy_from_slice(&ctx.to_be_bytes()));
                self.send(Message { entries, ..message::to(MessageType::MsgReadIndex, leader) });
            }
            Role::PreCandidate(_) | Role::Candidate(_) => return Err(Refusal::NoLeader),
        }
        Ok(())
    }

    /// Another member asks. Whoever does not lead says nothing; the asker asks again.
    pub(super) fn take_question(&mut self, from: MemberId, m: Message) {
        let Some(context) = message::read_context(&m) else {
            return self.refuse(from, "it asks for a read index without a context");
        };
        let member = MemberId(m.from);
        let careless = self.settings.plants.has(Plant::ReadWithoutReadIndex);
        match &mut self.role {
            Role::Leader(_) if careless => self.answer(Asker::There { member, context }, self.commit),
            Role::Leader(leader) => leader.confirm.waiting.push(Asker::There { member, context }),
            _ => self.refuse(from, "only a leader knows the read index"),
        }
    }

    /// Opens a round for whoever waits, and answers those whose round a quorum has confirmed. Before an entry of this
    /// term is committed the leader does not know the commit index, so they wait.
    pub(super) fn settle_reads(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        let plants = self.settings.plants;
        if self.commit < leader.first_index && !plants.has(Plant::ReadIndexBeforeTermCommit) {
            return;
        }
        if plants.has(Plant::LeaseReadNoDriftBound) {
            for asker in core::mem::take(&mut leader.confirm.waiting) {
                self.answer(asker, self.commit);
            }
            return;
        }
        if !leader.confirm.waiting.is_empty() {
            let round = leader.confirm.open(self.commit, plants);
            let voters = self.membership.all_voters();
            self.send_heartbeats(&voters, Some(message::round_context(self.ballot.term, round)));
        }
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.confirm.rounds.is_empty() {
            return;
        }
        let (own, progress) = (leader.confirm.opened, &leader.progress);
        let reached = self.membership.reached(|member| {
            if member == self.id { own } else { progress.get(&member).map_or(0, |peer| peer.confirmed_round) }
        });
        for round in leader.confirm.take_confirmed(reached) {
            for asker in round.askers {
                self.answer(asker, round.index);
            }
        }
    }

    fn answer(&mut self, asker: Asker, index: u64) {
        match asker {
            Asker::Here(ctx) => self.reads.push((ctx, index)),
            Asker::There { member, context } => {
                let entries = message::read_entry(context);
                self.send(Message { index, entries, ..message::to(MessageType::MsgReadIndexResp, member) });
            }
        }
    }

    pub(super) fn take_read_answer(&mut self, m: &Message) {
        let context = message::read_context(m);
        if let Some(ctx) = context.and_then(|context| <[u8; 8]>::try_from(&context[..]).ok()) {
            self.reads.push((u64::from_be_bytes(ctx), m.index));
        }
    }
}
