//! What goes over the wire.
use detcd_proto::raftpb::{Message, MessageType};
use detcd_runtime_sim::{Happening, Slot, World};

pub struct Wire {
    n: usize,
    members: Vec<Member>,
    /// Appends under way from one to another.
    under_way: Vec<usize>,
    /// The last refused append of a pair, not yet followed by an accepted one.
    refused: Vec<bool>,
    max_inflight_messages: usize,
    /// Who led last, and in which term.
    leader: Option<(Slot, u64)>,
    /// The newest term in which somebody stood for election, who did first, and how many.
    stood: (u64, Slot, u64),
}

#[derive(Clone, Default)]
struct Member {
    /// The newest term it spoke in.
    term: u64,
    /// The newest term in which it led.
    led: u64,
    /// In this life it has asked for a read index, so often since it was answered.
    questions: u64,
}

impl Wire {
    pub fn new(members: usize, max_inflight_messages: usize) -> Wire {
        Wire {
            n: members,
            members: vec![Member::default(); members],
            under_way: vec![0; members * members],
            refused: vec![false; members * members],
            max_inflight_messages,
            leader: None,
            stood: (0, 0, 0),
        }
    }

    pub fn sending(&mut self, from: Slot, to: Slot, message: &Message, world: &mut World) {
        let Ok(kind) = MessageType::try_from(message.r#type) else { return };
        let member = &mut self.members[from];
        if message.term > member.term
            && !matches!(kind, MessageType::MsgPreVote | MessageType::MsgPreVoteResp)
        {
            if member.led == member.term && member.term > 0 {
                world.count("seen: a leader learns of a newer term");
            }
            member.term = message.term;
        }
        let has_context = message.context.as_ref().is_some_and(|context| !context.is_empty());
        let what = match kind {
            MessageType::MsgApp => return self.append(from, to, message, world),
            MessageType::MsgAppResp if message.reject => {
                self.refused[to * self.n + from] = true;
                if message.log_term > 0 {
                    world.count("seen: append refused with a hint of a term");
                }
                "seen: append refused"
            }
            MessageType::MsgAppResp => "seen: append acknowledged",
            MessageType::MsgVote => {
                self.stands(from, message.term, world);
                if has_context {
                    "seen: a vote is asked by order of the leader"
                } else {
                    "seen: a vote is asked"
                }
            }
            MessageType::MsgVoteResp if message.reject => "seen: vote refused",
            MessageType::MsgVoteResp => "seen: vote granted",
            MessageType::MsgPreVote => "seen: pre-vote asked",
            MessageType::MsgPreVoteResp if message.reject => "seen: pre-vote refused",
            MessageType::MsgPreVoteResp => "seen: pre-vote granted",
            MessageType::MsgHeartbeat if has_context => "seen: a round of reads begins",
            MessageType::MsgHeartbeat => "seen: heartbeat",
            MessageType::MsgHeartbeatResp if has_context => "seen: a round of reads is confirmed",
            MessageType::MsgHeartbeatResp => "seen: heartbeat answered",
            MessageType::MsgTimeoutNow => "seen: leadership handed over",
            MessageType::MsgProp => "seen: proposal forwarded",
            MessageType::MsgReadIndex => {
                let member = &mut self.members[from];
                member.questions += 1;
                if member.questions > 8 {
                    world.count("seen: a member has asked for a read index again and again");
                }
                "seen: read asked of the leader"
            }
            MessageType::MsgReadIndexResp => "seen: read answered by the leader",
            MessageType::MsgSnap => "seen: snapshot sent",
            _ => return,
        };
        world.count(what);
    }

    fn append(&mut self, from: Slot, to: Slot, message: &Message, world: &mut World) {
        let pair = from * self.n + to;
        let member = &mut self.members[from];
        let entries = message.entries.len();
        if message.term > member.led {
            member.led = message.term;
            world.count("seen: first append of a leader");
            let before = self.leader.replace((from, message.term));
            if let Some((leader, term)) = before {
                world.count(if leader == from {
                    "seen: the same member leads again"
                } else {
                    "seen: another member leads"
                });
                world.count(match message.term - term.min(message.term) {
                    0 | 1 => "seen: elected in the first term",
                    2 => "seen: elected in the second term",
                    _ => "seen: elected after several terms",
                });
            }
        }
        if entries > 0 {
            self.under_way[pair] += 1;
        }
        let under_way = self.under_way[pair];
        let bytes: usize =
            message.entries.iter().map(|entry| entry.data.as_ref().map_or(0, |data| data.len())).sum();
        let mut seen = |when: bool, what: &'static str| {
            if when {
                world.count(what);
            }
        };
        seen(entries == 0, "seen: append without entries");
        seen(entries == 1, "seen: append of one entry");
        seen(entries > 1, "seen: append of several entries");
        seen(entries > 16, "seen: append of many entries");
        seen(bytes > 4096, "seen: append of several pages");
        seen(under_way > 1 && entries > 0, "seen: several appends under way");
        seen(
            under_way >= self.max_inflight_messages && entries > 0,
            "seen: as many appends under way as may be",
        );
        seen(
            message.entries.iter().any(|entry| entry.term < message.term),
            "seen: a leader sends entries of an earlier term",
        );
        seen(message.commit > message.index + entries as u64, "seen: commit beyond the entries of an append");
    }

    fn stands(&mut self, slot: Slot, term: u64, world: &mut World) {
        if term > self.stood.0 {
            if self.leader.is_some_and(|(_, led)| led < self.stood.0) {
                world.count("seen: a term without a leader");
            }
            self.stood = (term, slot, 1);
        } else if term == self.stood.0 && slot != self.stood.1 && self.stood.2 == 1 {
            self.stood.2 = 2;
            world.count("seen: two stand for election in one term");
        }
    }

    pub fn delivering(&mut self, from: Slot, to: Slot, message: &Message, world: &mut World) {
        let Ok(kind) = MessageType::try_from(message.r#type) else { return };
        if matches!(kind, MessageType::MsgAppResp) {
            self.acknowledged(from, to, message, world);
        }
        if matches!(kind, MessageType::MsgReadIndexResp) {
            let questions = std::mem::take(&mut self.members[to].questions);
            if questions > 1 {
                world.count("seen: read answered after it was asked again");
            }
        }
        if message.term == 0 || message.term >= self.members[to].term {
            return;
        }
        world.count(match kind {
            MessageType::MsgApp => "seen: append of an earlier term arrives",
            MessageType::MsgHeartbeat => "seen: heartbeat of an earlier term arrives",
            MessageType::MsgAppResp => "seen: acknowledgement of an earlier term arrives",
            MessageType::MsgHeartbeatResp => "seen: heartbeat answer of an earlier term arrives",
            MessageType::MsgVote => "seen: candidate of an earlier term",
            MessageType::MsgVoteResp => "seen: vote of an earlier term arrives",
            MessageType::MsgPreVote | MessageType::MsgPreVoteResp => {
                "seen: pre-vote of an earlier term arrives"
            }
            _ => "seen: another message of an earlier term arrives",
        });
    }

    fn acknowledged(&mut self, from: Slot, to: Slot, message: &Message, world: &mut World) {
        let pair = to * self.n + from;
        if message.reject {
            self.under_way[pair] = 0;
            return;
        }
        self.under_way[pair] = self.under_way[pair].saturating_sub(1);
        if std::mem::take(&mut self.refused[pair]) {
            world.count("seen: a refused member follows again");
        }
    }

    pub fn other(&mut self, what: &Happening<'_>, world: &mut World) {
        match *what {
            Happening::Booting { member } => {
                self.members[member].questions = 0;
                for other in 0..self.n {
                    self.under_way[member * self.n + other] = 0;
                }
            }
            Happening::Died { member, .. } if self.leader.is_some_and(|(leader, _)| leader == member) => {
                world.count("seen: a leader dies");
            }
            _ => {}
        }
    }
}
