//! Which answer to a read counts, through the one door of the replica.
use detcd_core::{
    ClusterId, Config, Effect, Effects, Input, Member, MemberId, Moment, Outcome, Plants, Refusal, Replica,
    Ticket,
};
use detcd_proto::raftpb::{Entry, Message, MessageType};

const NOW: Moment = Moment(1);

/// Member 2 of three; the others are played by the test.
struct Follower {
    replica: Replica,
    sent: Vec<Message>,
    replies: Vec<(Ticket, Outcome)>,
}

impl Follower {
    fn boot(plants: Plants) -> Follower {
        let member = |id: u64| Member {
            id: MemberId(id),
            name: String::new(),
            peer_urls: vec![format!("http://127.0.0.{id}:2380")],
            client_urls: Vec::new(),
            is_learner: false,
        };
        let members = vec![member(1), member(2), member(3)];
        let config = Config { plants, ..Config::new(member(2), ClusterId(1), members) };
        let mut effects = Effects::default();
        let replica = Replica::boot(config, None, 1, NOW, &mut effects);
        let mut follower = Follower { replica, sent: Vec::new(), replies: Vec::new() };
        follower.carry_out(effects);
        follower
    }

    /// A turn and all that follow from it, with a disk that takes no time.
    fn turn(&mut self, inputs: Vec<Input>) {
        let mut effects = Effects::default();
        self.replica.turn(NOW, inputs.into_iter(), &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, mut effects: Effects) {
        let mut persisted = None;
        for effect in effects.drain() {
            match effect {
                Effect::Persist { upto, .. } => persisted = Some(upto),
                Effect::Reply { ticket, outcome } => self.replies.push((ticket, outcome)),
                Effect::Send { message, .. } => self.sent.push(*message),
                Effect::Publish(_)
                | Effect::Tokens(_)
                | Effect::Peers(_)
                | Effect::WriteCheckpoint { .. }
                | Effect::SendCheckpoint { .. }
                | Effect::StageCheckpoint { .. }
                | Effect::DropCheckpoint { .. }
                | Effect::Forget { .. }
                | Effect::Note(_) => {}
            }
        }
        if let Some(upto) = persisted {
            self.turn(vec![Input::Persisted { upto }]);
        }
    }
}

fn from(leader: u64, term: u64, kind: MessageType, entries: Vec<Entry>) -> Input {
    let message = Message { r#type: kind as i32, from: leader, to: 2, term, entries, ..Message::default() };
    Input::Receive { from: MemberId(leader), message: Box::new(message) }
}

/// One read has asked the leader, another waits for the next question. Then the leader's answer and the news of another
/// leader come together.
fn race(plants: Plants) -> Follower {
    let mut follower = Follower::boot(plants);
    follower.turn(vec![from(1, 2, MessageType::MsgHeartbeat, Vec::new())]);
    follower.turn(vec![Input::ReadPoint { ticket: Ticket(1) }]);
    let asked = |message: &Message| message.r#type == MessageType::MsgReadIndex as i32;
    let question = follower.sent.iter().find(|message| asked(message)).expect("a question").entries.clone();
    follower.turn(vec![Input::ReadPoint { ticket: Ticket(2) }]);
    assert!(follower.replies.is_empty());
    follower.turn(vec![
        from(1, 2, MessageType::MsgReadIndexResp, question),
        from(3, 3, MessageType::MsgHeartbeat, Vec::new()),
    ]);
    follower
}

#[test]
fn an_answer_of_the_leader_before_counts_for_nobody() {
    let follower = race(Plants::NONE);
    assert_eq!(follower.replies, [(Ticket(1), Err(Refusal::LeaderChanged))]);
    let last = follower.sent.last().expect("the other read asks the new leader");
    assert_eq!((last.r#type, last.to), (MessageType::MsgReadIndex as i32, 3));
}

/// The second read began after the question, perhaps after a write at the new leader: what the old one knew is not
/// enough for it.
#[cfg(feature = "plants")]
#[test]
fn read_vs_leader_change_answers_a_read_that_never_asked() {
    let follower = race(Plants::only(detcd_core::Plant::ReadVsLeaderChange));
    assert_eq!(follower.replies, [1, 2].map(|ticket| (Ticket(ticket), Ok(detcd_core::Reply::ReadPoint))));
}
