//! What a leader counts for the leases, through the one door of the replica.
use detcd_core::{
    ClusterId, Config, Effect, Effects, Input, Member, MemberId, Moment, Replica, Reply, Span, Ticket,
};
use detcd_proto::etcdserverpb::{InternalRaftRequest, LeaseGrantRequest};
use detcd_proto::raftpb::{Entry, Message, MessageType};

struct Alone {
    replica: Replica,
    now: Moment,
    replies: Vec<Reply>,
}

impl Alone {
    fn boot() -> Alone {
        let me = Member {
            id: MemberId(1),
            name: "one".to_string(),
            peer_urls: vec!["http://127.0.0.1:2380".to_string()],
            client_urls: Vec::new(),
            is_learner: false,
        };
        let config = Config::new(me.clone(), ClusterId(1), vec![me]);
        let mut effects = Effects::default();
        let replica = Replica::boot(config, None, 1, Moment(1), &mut effects);
        let mut alone = Alone { replica, now: Moment(1), replies: Vec::new() };
        alone.carry_out(effects);
        alone.turn(Vec::new());
        alone
    }

    /// A turn and all that follow from it, with a disk that takes no time.
    fn turn(&mut self, inputs: Vec<Input>) {
        let mut effects = Effects::default();
        self.replica.turn(self.now, inputs.into_iter(), &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, mut effects: Effects) {
        let mut persisted = None;
        for effect in effects.drain() {
            match effect {
                Effect::Persist { upto, .. } => persisted = Some(upto),
                Effect::Reply { outcome, .. } => self.replies.push(outcome.expect("no refusal")),
                Effect::Send { .. } | Effect::Publish(_) | Effect::Peers(_) | Effect::Note(_) => {}
            }
        }
        if let Some(upto) = persisted {
            self.turn(vec![Input::Persisted { upto }]);
        }
    }

    fn grant(&mut self, id: i64, ttl: i64) {
        let lease_grant = Some(LeaseGrantRequest { id, ttl });
        let request = Box::new(InternalRaftRequest { lease_grant, ..Default::default() });
        self.turn(vec![Input::Propose { ticket: Ticket(1), request }]);
        assert!(matches!(self.replies.pop(), Some(Reply::LeaseGrant(_))));
    }

    fn leases(&mut self) -> Vec<i64> {
        self.turn(vec![Input::Leases { ticket: Ticket(3) }]);
        match self.replies.pop() {
            Some(Reply::Leases(ids)) => ids,
            other => panic!("{other:?}"),
        }
    }

    fn ttl(&mut self, lease: i64) -> i64 {
        self.turn(vec![Input::TimeToLive { ticket: Ticket(2), lease, keys: false }]);
        match self.replies.pop() {
            Some(Reply::TimeToLive(response)) => response.ttl,
            other => panic!("{other:?}"),
        }
    }
}

/// A refused membership change leaves an empty entry behind, just like the one that a leader begins with.
#[test]
fn an_empty_entry_in_the_middle_of_a_term_renews_no_lease() {
    let mut one = Alone::boot();
    one.grant(5, 10);
    one.now = one.now + Span::secs(7);
    assert_eq!(one.ttl(5), 3);
    let message = Box::new(Message {
        r#type: MessageType::MsgProp as i32,
        from: 2,
        to: 1,
        entries: vec![Entry::default()],
        ..Message::default()
    });
    one.turn(vec![Input::Receive { from: MemberId(2), message }]);
    assert_eq!(one.ttl(5), 3);
}

#[test]
fn leases_are_listed_in_the_order_in_which_they_end() {
    let mut one = Alone::boot();
    for (id, ttl) in [(1, 30), (2, 10), (3, 20)] {
        one.grant(id, ttl);
    }
    assert_eq!(one.leases(), [2, 3, 1]);
    one.now = one.now + Span::secs(5);
    one.turn(vec![Input::KeepAlive { ticket: Ticket(2), lease: 3 }]);
    one.now = one.now + Span::secs(6);
    one.turn(Vec::new());
    assert_eq!(one.leases(), [3, 1], "what has run out is gone");
}
