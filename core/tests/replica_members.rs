//! Which changes of the members are refused, and why, through the one door of the replica.
use detcd_core::{
    ClusterId, Config, Effect, Effects, Input, Member, MemberChange, MemberId, Moment, Order, Refusal,
    Replica, Span, Ticket,
};

const START: Moment = Moment(1_000_000_000);

/// Member 1 of as many as have names; the others are only links.
struct One {
    replica: Replica,
    now: Moment,
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
        let mut one = One { replica, now: START };
        one.carry_out(effects);
        one
    }

    fn turn(&mut self, inputs: Vec<Input>) -> Option<Refusal> {
        let mut effects = Effects::default();
        self.replica.turn(self.now, inputs.into_iter(), &mut effects);
        self.carry_out(effects)
    }

    fn carry_out(&mut self, mut effects: Effects) -> Option<Refusal> {
        let (mut refused, mut persisted) = (None, None);
        for effect in effects.drain() {
            match effect {
                Effect::Persist { upto, .. } => persisted = Some(upto),
                Effect::Reply { outcome, .. } => refused = outcome.err(),
                Effect::Send { .. }
                | Effect::Publish(_)
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
        refused
    }

    fn link(&mut self, peers: &[u64], for_secs: u64) {
        self.turn(peers.iter().map(|peer| Input::Linked { peer: MemberId(*peer) }).collect());
        self.now = self.now + Span::secs(for_secs);
    }

    fn refusal(&mut self, change: MemberChange) -> Refusal {
        let order = Order::ChangeMembers(change);
        self.turn(vec![Input::Admin { ticket: Ticket(1), order }]).expect("there is always a reason")
    }
}

fn add(url: &str, is_learner: bool) -> MemberChange {
    MemberChange::Add { peer_urls: vec![url.to_string()], is_learner }
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

const NEW: &str = "http://127.0.0.9:2380";
const OF_TWO: &str = "http://127.0.0.2:2380";

#[test]
fn a_member_is_added_only_if_the_quorum_survives_that_it_is_down() {
    let mut one = One::boot(&["a", "b", "c"], |_| {});
    assert_eq!(one.refusal(add(NEW, false)), Refusal::Unhealthy);
    one.link(&[2, 3], 4);
    assert_eq!(one.refusal(add(NEW, true)), Refusal::Unhealthy, "not connected for long");
    one.link(&[], 2);
    assert_eq!(one.refusal(add(NEW, false)), Refusal::NotBuilt("Cluster/MemberAdd"));
    assert_eq!(one.refusal(add(NEW, true)), Refusal::NotBuilt("Cluster/MemberAdd"));
    assert_eq!(one.refusal(add(OF_TWO, false)), Refusal::PeerURLExist);

    let mut one = One::boot(&["a", "", ""], |_| {});
    assert_eq!(one.refusal(add(NEW, false)), Refusal::MemberNotEnoughStarted);
    assert_eq!(one.refusal(add(NEW, true)), Refusal::Unhealthy, "a learner is in no quorum");
    let mut one = One::boot(&["a"], |_| {});
    assert_eq!(one.refusal(add(NEW, false)), Refusal::NotBuilt("Cluster/MemberAdd"));
    let mut one = One::boot(&["a"], |config| config.max_learners = 0);
    assert_eq!(one.refusal(add(NEW, true)), Refusal::TooManyLearners);
    let mut one = One::boot(&["a", "", ""], |config| config.strict_reconfig_check = false);
    assert_eq!(one.refusal(add(NEW, false)), Refusal::NotBuilt("Cluster/MemberAdd"));
}

#[test]
fn a_member_is_removed_only_if_the_others_are_a_quorum() {
    let mut one = One::boot(&["a"], |_| {});
    assert_eq!(one.refusal(remove(1)), Refusal::MemberNotEnoughStarted, "the last one");
    let mut one = One::boot(&["a", "b", "c"], |_| {});
    assert_eq!(one.refusal(remove(2)), Refusal::NotBuilt("Cluster/MemberRemove"), "it is down");
    assert_eq!(one.refusal(remove(1)), Refusal::Unhealthy, "this one is up, and no other");
    assert_eq!(one.refusal(remove(9)), Refusal::MemberNotFound);
    one.link(&[2], 6);
    assert_eq!(one.refusal(remove(2)), Refusal::Unhealthy, "two are up, and one would be left");
    one.link(&[3], 6);
    assert_eq!(one.refusal(remove(2)), Refusal::NotBuilt("Cluster/MemberRemove"));
}

#[test]
fn urls_belong_to_one_member_and_only_learners_are_promoted() {
    let mut one = One::boot(&["a", "b", "c"], |_| {});
    assert_eq!(one.refusal(update(9, OF_TWO)), Refusal::MemberNotFound);
    assert_eq!(one.refusal(update(1, OF_TWO)), Refusal::PeerURLExist);
    assert_eq!(one.refusal(update(2, OF_TWO)), Refusal::NotBuilt("Cluster/MemberUpdate"));
    assert_eq!(one.refusal(update(2, "nonsense")), Refusal::NotBuilt("Cluster/MemberUpdate"));
    assert_eq!(one.refusal(promote(9)), Refusal::MemberNotFound);
    assert_eq!(one.refusal(promote(2)), Refusal::MemberNotLearner);
}
