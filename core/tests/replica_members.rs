//! Which changes of the members are refused, and why, through the one door of the replica.
use detcd_core::{
    ClusterId, Config, Effect, Effects, Input, Member, MemberChange, MemberId, Moment, Order, Outcome,
    Refusal, Replica, Reply, Span, Ticket, replica::Recovered, wal,
};
use detcd_proto::{
    Message as _,
    etcdserverpb::{InternalRaftRequest, Metadata},
    membershippb, raftpb,
};

const START: Moment = Moment(1_000_000_000);

/// Member 1 of as many as have names; the others are only links.
struct One {
    replica: Replica,
    now: Moment,
    peers: (Vec<Member>, Vec<MemberId>),
    sent: Vec<raftpb::Message>,
    expelled: u32,
}

impl One {
    fn boot(names: &[&str], edit: impl FnOnce(&mut Config)) -> One {
        let founders: Vec<Member> = names
            .iter()
            .zip(1..)
            .map(|(name, id)| Member {
                id: MemberId(id),
                name: name.to_string(),
                peer_urls: vec![format!("http://127.0.0.{id}:2380")],
                client_urls: Vec::new(),
                is_learner: false,
            })
            .collect();
        let mut config = Config::new(founders[0].clone(), ClusterId(1), founders);
        edit(&mut config);
        let mut effects = Effects::default();
        let replica = Replica::boot(config, None, 1, START, &mut effects);
        let mut one = One { replica, now: START, peers: Default::default(), sent: Vec::new(), expelled: 0 };
        one.carry_out(effects);
        one
    }

    fn turn(&mut self, inputs: Vec<Input>) -> Option<Outcome> {
        let mut effects = Effects::default();
        self.replica.turn(self.now, inputs.into_iter(), &mut effects);
        self.carry_out(effects)
    }

    fn carry_out(&mut self, mut effects: Effects) -> Option<Outcome> {
        let (mut outcome, mut persisted) = (None, None);
        for effect in effects.drain() {
            match effect {
                Effect::Persist { upto, .. } => persisted = Some(upto),
                Effect::Reply { ticket: Ticket(1), outcome: answer } => outcome = Some(answer),
                Effect::Peers { peers, removed } => self.peers = (peers, removed),
                Effect::Expelled => self.expelled += 1,
                Effect::Send { message, .. } => self.sent.push(*message),
                Effect::Reply { .. }
                | Effect::Publish(_)
                | Effect::Tokens(_)
                | Effect::WriteCheckpoint { .. }
                | Effect::SendCheckpoint { .. }
                | Effect::StageCheckpoint { .. }
                | Effect::DropCheckpoint { .. }
                | Effect::Forget { .. }
                | Effect::Note(_) => {}
            }
        }
        let later = persisted.and_then(|upto| self.turn(vec![Input::Persisted { upto }]));
        outcome.or(later)
    }

    fn link(&mut self, peers: &[u64], for_secs: u64) {
        self.turn(peers.iter().map(|peer| Input::Linked { peer: MemberId(*peer) }).collect());
        self.now = self.now + Span::secs(for_secs);
    }

    /// What comes of a change at once; nothing if it waits for the cluster.
    fn change(&mut self, change: MemberChange) -> Option<Outcome> {
        let order = Order::ChangeMembers(change);
        self.turn(vec![Input::Admin { ticket: Ticket(1), order }])
    }

    fn refusal(&mut self, change: MemberChange) -> Refusal {
        self.change(change).expect("it is answered at once").expect_err("it is refused")
    }

    fn members(&self) -> Vec<Member> {
        self.replica.edition().view.members.to_vec()
    }
}

fn add(id: u64, url: &str, is_learner: bool) -> MemberChange {
    MemberChange::Add { id: MemberId(id), peer_urls: vec![url.to_string()], is_learner }
}

fn update(id: u64, url: &str) -> MemberChange {
    MemberChange::Update { id: MemberId(id), peer_urls: vec![url.to_string()] }
}

fn remove(id: u64) -> MemberChange {
    MemberChange::Remove(MemberId(id))
}

fn promote(id: u64) -> MemberChange {
    MemberChange::Promote(MemberId(id))
}

fn ids(outcome: Option<Outcome>) -> Vec<u64> {
    let Some(Ok(Reply::Members(members))) = outcome else { panic!("not done: {outcome:?}") };
    members.iter().map(|member| member.id.0).collect()
}

const NEW: &str = "http://127.0.0.9:2380";
const OF_ONE: &str = "http://127.0.0.1:2380";

#[test]
fn a_member_is_added_only_if_the_quorum_survives_that_it_is_down() {
    let mut one = One::boot(&["a", "b", "c"], |_| {});
    assert_eq!(one.refusal(add(9, NEW, false)), Refusal::Unhealthy);
    one.link(&[2, 3], 4);
    assert_eq!(one.refusal(add(9, NEW, true)), Refusal::Unhealthy, "not connected for long");
    one.link(&[], 2);
    assert_eq!(one.change(add(9, NEW, false)), None, "nobody leads yet");
    assert_eq!(one.change(add(9, NEW, true)), None);

    let mut one = One::boot(&["a", "", ""], |_| {});
    assert_eq!(one.refusal(add(9, NEW, false)), Refusal::MemberNotEnoughStarted);
    assert_eq!(one.refusal(add(9, NEW, true)), Refusal::Unhealthy, "a learner is in no quorum");
    let mut one = One::boot(&["a"], |config| config.max_learners = 0);
    assert_eq!(one.refusal(add(9, NEW, true)), Refusal::TooManyLearners);
    let mut one = One::boot(&["a", "", ""], |config| config.strict_reconfig_check = false);
    assert_eq!(one.change(add(9, NEW, false)), None);
}

#[test]
fn a_member_is_removed_only_if_the_others_are_a_quorum() {
    let mut one = One::boot(&["a"], |_| {});
    assert_eq!(one.refusal(remove(1)), Refusal::MemberNotEnoughStarted, "the last one");
    assert_eq!(one.refusal(remove(9)), Refusal::MemberNotFound);
    let mut one = One::boot(&["a", "b", "c"], |_| {});
    assert_eq!(one.change(remove(2)), None, "it is down");
    assert_eq!(one.refusal(remove(1)), Refusal::Unhealthy, "this one is up, and no other");
    one.link(&[2], 6);
    assert_eq!(one.refusal(remove(2)), Refusal::Unhealthy, "two are up, and one would be left");
    one.link(&[3], 6);
    assert_eq!(one.change(remove(2)), None);
}

#[test]
fn one_alone_adds_and_what_the_log_refuses_is_told() {
    let mut one = One::boot(&["a"], |_| {});
    one.link(&[], 6);
    assert_eq!(ids(one.change(add(7, NEW, true))), [1, 7]);
    assert!(one.members()[1].is_learner);
    assert_eq!(one.peers.0.len(), 1);
    for (change, why) in [
        (add(8, "http://127.0.0.8:1", true), Refusal::TooManyLearners),
        (add(7, "http://127.0.0.8:1", false), Refusal::MemberExist),
        (add(8, NEW, false), Refusal::PeerURLExist),
        (update(9, NEW), Refusal::MemberNotFound),
        (update(1, NEW), Refusal::PeerURLExist),
        (promote(9), Refusal::MemberNotFound),
        (promote(7), Refusal::LearnerNotReady),
        (promote(1), Refusal::MemberNotLearner),
        (remove(9), Refusal::MemberNotFound),
    ] {
        assert_eq!(one.refusal(change.clone()), why, "{change:?}");
    }
    assert_eq!(ids(one.change(update(7, "nonsense"))), [1, 7]);
    assert_eq!(one.members()[1].peer_urls, ["nonsense"]);
    assert!(one.members()[1].is_learner, "new URLs make no voter");
    assert_eq!(ids(one.change(update(1, OF_ONE))), [1, 7]);
    assert_eq!(ids(one.change(remove(7))), [1]);
    assert_eq!(one.peers, (Vec::new(), vec![MemberId(7)]));
    assert_eq!(one.refusal(remove(7)), Refusal::MemberNotFound);
    assert_eq!(one.refusal(add(7, NEW, false)), Refusal::MemberNotFound, "it can never come back");
    assert_eq!(one.expelled, 0);
}

#[test]
fn a_learner_that_has_everything_is_promoted_by_itself_if_that_is_wished() {
    for wished in [false, true] {
        let mut one = One::boot(&["a"], |config| config.promote_learners = wished);
        one.link(&[], 6);
        assert_eq!(ids(one.change(add(7, NEW, true))), [1, 7]);
        let attributes = membershippb::ClusterMemberAttrSetRequest {
            member_id: 7,
            member_attributes: Some(membershippb::Attributes { name: "g".into(), client_urls: Vec::new() }),
        };
        let cluster_member_attr_set = Some(Box::new(attributes));
        let request = InternalRaftRequest { cluster_member_attr_set, ..Default::default() };
        one.turn(vec![Input::Propose { ticket: Ticket(2), request: Box::new(request) }]);
        one.link(&[7], 2);
        assert!(one.members()[1].is_learner, "it has nothing yet");
        let index = one.replica.edition().standing.applied;
        let term = one.replica.edition().standing.term;
        let r#type = raftpb::MessageType::MsgAppResp.into();
        for index in [0, index] {
            let message = raftpb::Message { r#type, from: 7, to: 1, term, index, ..Default::default() };
            one.turn(vec![Input::Receive { from: MemberId(7), message: Box::new(message) }]);
        }
        one.link(&[], 2);
        one.turn(Vec::new());
        assert_eq!(one.members()[1].is_learner, !wished);
    }
}

#[test]
fn a_peer_that_says_that_this_member_was_removed_is_believed_once() {
    let mut one = One::boot(&["a", "b", "c"], |_| {});
    for _ in 0..2 {
        one.turn(vec![Input::Expelled { by: MemberId(2) }]);
    }
    assert_eq!(one.expelled, 1);
}

#[test]
fn one_who_joins_has_an_empty_log_and_stays_silent() {
    let me = Member {
        id: MemberId(5),
        name: "e".into(),
        peer_urls: vec![NEW.into()],
        client_urls: Vec::new(),
        is_learner: false,
    };
    let mut effects = Effects::default();
    let config = Config::new(me, ClusterId(1), Vec::new());
    let replica = Replica::boot(config, None, 1, START, &mut effects);
    let mut one = One { replica, now: START, peers: Default::default(), sent: Vec::new(), expelled: 0 };
    one.carry_out(effects);
    one.link(&[], 60);
    one.turn(Vec::new());
    assert!(one.sent.is_empty(), "it asks nobody for a vote");
    assert_eq!(one.replica.edition().standing.term, 0);
    // A leader that it does not know from its log yet is heard all the same.
    let message = raftpb::Message {
        r#type: raftpb::MessageType::MsgApp.into(),
        from: 3,
        to: 5,
        term: 4,
        index: 9,
        log_term: 4,
        ..Default::default()
    };
    one.turn(vec![Input::Receive { from: MemberId(3), message: Box::new(message) }]);
    assert!(one.sent.iter().any(|answer| answer.to == 3 && answer.reject && answer.reject_hint == 0));
}

#[test]
fn forced_it_goes_on_alone_with_all_that_it_has() {
    let metadata = Metadata { node_id: 1, cluster_id: 1 };
    let entry = |index: u64, change: Option<raftpb::ConfChange>| raftpb::Entry {
        r#type: i32::from(change.is_some()),
        term: 1,
        index,
        data: change.map(|change| change.encode_to_vec().into()),
    };
    let founder = |id: u64| {
        let json = format!("{{\"id\":{id},\"peerURLs\":[\"http://127.0.0.{id}:2380\"]}}");
        let r#type = raftpb::ConfChangeType::ConfChangeAddNode.into();
        raftpb::ConfChange { id: 0, r#type, node_id: id, context: Some(json.into_bytes().into()) }
    };
    let mut entries: Vec<_> = (1..=3).map(|id| entry(id, Some(founder(id)))).collect();
    entries.extend([entry(4, None), entry(5, None)]);
    let mut writer = wal::Writer::create(&metadata, 1 << 20);
    writer.save(&entries, Some(&raftpb::HardState { term: 2, vote: 2, commit: 4 }));
    let (segment, bytes) = writer.take().unwrap();
    let mut reader = wal::Reader::new(detcd_core::Plants::NONE);
    reader.segment(segment, &bytes, true).unwrap();
    let me = Member {
        id: MemberId(1),
        name: "a".into(),
        peer_urls: vec![OF_ONE.into()],
        client_urls: Vec::new(),
        is_learner: false,
    };
    let config = Config { force_new_cluster: true, ..Config::new(me, ClusterId(1), Vec::new()) };
    let mut effects = Effects::default();
    let recovered = Recovered { checkpoint: None, log: reader.finish().unwrap() };
    let replica = Replica::boot(config, Some(recovered), 1, START, &mut effects);
    let mut one = One { replica, now: START, peers: Default::default(), sent: Vec::new(), expelled: 0 };
    one.carry_out(effects);
    one.link(&[], 3);
    one.turn(Vec::new());
    let standing = one.replica.edition().standing;
    assert_eq!(standing.leader, Some(MemberId(1)));
    assert_eq!(one.members().len(), 1);
    assert_eq!(one.peers, (Vec::new(), vec![MemberId(2), MemberId(3)]));
    assert_eq!(
        standing.applied, 9,
        "two removals follow on the fifth entry, then the term's first and its name"
    );
}
