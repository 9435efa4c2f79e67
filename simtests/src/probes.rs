//! What should happen sometimes: a simulator that never sees a log being cut back does not test cutting logs back.
//! Each is counted and shown in the summary; a long run in which one is missing is not as good as it looks.
use crate::invariants::{Record, records};
use detcd_proto::raftpb::MessageType;
use detcd_runtime_sim::{Happening, Observer, Slot, World};

/// Counts what is worth having happened.
#[derive(Default)]
pub struct Probes {
    /// The last index each member wrote.
    last: Vec<u64>,
    /// The newest term in which each member led.
    led: Vec<u64>,
}

impl Probes {
    pub fn new(members: usize) -> Probes {
        Probes { last: vec![0; members], led: vec![0; members] }
    }

    fn appending(&mut self, member: Slot, bytes: &[u8], world: &mut World) {
        let mut entries = 0;
        for record in records(bytes) {
            if let Record::Entry { index, .. } = record {
                entries += 1;
                if index <= self.last[member] {
                    world.count("seen: log cut back");
                    if self.last[member] > index {
                        world.count("seen: log cut back by several entries");
                    }
                }
                self.last[member] = index;
            }
        }
        if entries > 1 {
            world.count("seen: several entries in one write");
        }
    }
}

impl Observer for Probes {
    fn happened(&mut self, what: &Happening<'_>, world: &mut World) {
        match *what {
            Happening::Appending { member, bytes, .. } => self.appending(member, bytes, world),
            Happening::Sending { from, message, .. } => {
                let Ok(kind) = MessageType::try_from(message.r#type) else { return };
                let seen = match kind {
                    MessageType::MsgApp if message.term > self.led[from] => {
                        self.led[from] = message.term;
                        "seen: first append of a leader"
                    }
                    MessageType::MsgApp if message.commit > message.index + message.entries.len() as u64 => {
                        "seen: commit beyond the entries of an append"
                    }
                    MessageType::MsgAppResp if message.reject => "seen: append refused",
                    MessageType::MsgVoteResp if message.reject => "seen: vote refused",
                    MessageType::MsgPreVoteResp if message.reject => "seen: pre-vote refused",
                    MessageType::MsgPreVoteResp => "seen: pre-vote granted",
                    MessageType::MsgTimeoutNow => "seen: leadership handed over",
                    MessageType::MsgProp => "seen: proposal forwarded",
                    MessageType::MsgReadIndex => "seen: read asked of the leader",
                    _ => return,
                };
                world.count(seen);
            }
            Happening::Died { member, .. } if world.disk(member).has_dirt() => {
                world.count("seen: death with unsynced bytes");
            }
            _ => {}
        }
    }
}
