//! A member that knows that it lost what was committed promises nothing until it has it again: it neither votes nor
//! stands for election. What it forgot it may have promised. Source: Raft, figure 2 (what is on stable storage), and what
//! a disk that lied takes from it.
use detcd_proto::raftpb::MessageType;
use detcd_runtime_sim::{Happening, Observer, World};

pub struct SilentWithoutTail {
    /// Who said so, in its present life, and has not taken it back.
    lost: Vec<bool>,
}

impl SilentWithoutTail {
    pub fn new(members: usize) -> SilentWithoutTail {
        SilentWithoutTail { lost: vec![false; members] }
    }
}

impl Observer for SilentWithoutTail {
    fn happened(&mut self, what: &Happening<'_>, world: &mut World) {
        match *what {
            Happening::Booting { member } => self.lost[member] = false,
            Happening::Noted { member, line } if line.contains("the log ends before the commit index") => {
                self.lost[member] = true;
            }
            Happening::Noted { member, line } if line.contains("the log is whole again") => {
                self.lost[member] = false;
            }
            Happening::Sending { from, message, .. } if self.lost[from] => {
                let promises = match MessageType::try_from(message.r#type) {
                    Ok(MessageType::MsgVoteResp) => !message.reject,
                    Ok(MessageType::MsgVote | MessageType::MsgPreVote) => true,
                    _ => false,
                };
                if promises {
                    let text = format!("m{} lost a part of its log, and takes part in an election", from + 1);
                    world.trouble("lost-tail", text);
                }
            }
            _ => {}
        }
    }
}
