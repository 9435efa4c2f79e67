//! Election safety: at most one leader per term. Source: Raft, section 5.2, figure 3.
use detcd_proto::raftpb::MessageType;
use detcd_runtime_sim::{Happening, Observer, Slot, World};
use std::collections::BTreeMap;

/// Who leads is who sends entries and heartbeats of a term.
#[derive(Default)]
pub struct OneLeaderPerTerm {
    leaders: BTreeMap<u64, Slot>,
}

impl Observer for OneLeaderPerTerm {
    fn happened(&mut self, what: &Happening<'_>, world: &mut World) {
        let Happening::Sending { from, message, .. } = *what else { return };
        let leads = matches!(
            MessageType::try_from(message.r#type),
            Ok(MessageType::MsgApp
                | MessageType::MsgHeartbeat
                | MessageType::MsgSnap
                | MessageType::MsgTimeoutNow)
        );
        if !leads {
            return;
        }
        match self.leaders.get(&message.term) {
            Some(&leader) if leader == from => {}
            Some(&leader) => {
                let text = format!("m{} and m{} both lead in term {}", leader + 1, from + 1, message.term);
                world.trouble("one-leader-per-term", text);
            }
            None => {
                world.count("raft: leader elected");
                self.leaders.insert(message.term, from);
            }
        }
    }
}
