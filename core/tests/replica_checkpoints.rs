//! When a member writes its state down, and when it lets the log before go: the member with its disk played by hand.
use detcd_core::{
    ClusterId, Config, Effect, Effects, Input, Member, MemberId, Moment, Plants, Replica, Span, Ticket, View,
    checkpoint::Stand,
    replica::{Recovered, Restored},
    wal::{Reader, SegmentName},
};
use detcd_proto::{Message, etcdserverpb as pb, raftpb, walpb};

/// A member alone, and what it asked of the world that is not done yet.
struct Alone {
    config: Config,
    replica: Replica,
    now: Moment,
    asked: Vec<(Stand, View)>,
    /// Checkpoints below, log up to.
    forgotten: Vec<(u64, u64)>,
    notes: Vec<String>,
    /// What the log holds, in records.
    log: Vec<walpb::Record>,
    bytes: Vec<u8>,
    tickets: u64,
}

impl Alone {
    fn new(snapshot_count: u64, catchup: u64) -> Alone {
        let me = Member {
            id: MemberId(1),
            name: "m1".into(),
            peer_urls: vec!["http://m1:2380".into()],
            client_urls: vec!["http://m1:2379".into()],
            is_learner: false,
        };
        let cluster = ClusterId::of_members([me.id]);
        let config = Config {
            snapshot_count,
            snapshot_catchup_entries: catchup,
            ..Config::new(me.clone(), cluster, vec![me])
        };
        let mut effects = Effects::default();
        let now = Moment(1);
        let replica = Replica::boot(config.clone(), None, 1, now, &mut effects);
        let mut alone = Alone {
            config,
            replica,
            now,
            asked: Vec::new(),
            forgotten: Vec::new(),
            notes: Vec::new(),
            log: Vec::new(),
            bytes: Vec::new(),
            tickets: 0,
        };
        alone.perform(effects);
        alone.rest(Span::secs(3));
        alone
    }

    /// Writes to the log succeed at once; checkpoints wait until somebody says how they ended.
    fn perform(&mut self, mut effects: Effects) {
        let mut done = Vec::new();
        for effect in effects.drain() {
            match effect {
                Effect::Persist { upto, bytes, .. } => {
                    self.log.extend(records(&bytes));
                    self.bytes.extend_from_slice(&bytes);
                    done.push(Input::Persisted { upto });
                }
                Effect::WriteCheckpoint { view, stand } => self.asked.push((*stand, *view)),
                Effect::Forget { checkpoints_below, log_upto } => {
                    self.forgotten.push((checkpoints_below, log_upto));
                }
                Effect::Note(note) => self.notes.push(note.to_string()),
                _ => {}
            }
        }
        if !done.is_empty() {
            self.turn(done);
        }
    }

    fn turn(&mut self, inputs: Vec<Input>) {
        let mut effects = Effects::default();
        self.replica.turn(self.now, inputs.into_iter(), &mut effects);
        self.perform(effects);
    }

    /// Takes the turns that fall due in this time.
    fn rest(&mut self, span: Span) {
        let end = self.now + span;
        while self.now < end {
            let mut effects = Effects::default();
            let next = self.replica.turn(self.now, std::iter::empty(), &mut effects);
            self.perform(effects);
            self.now = next.unwrap_or(end).clamp(self.now + Span::millis(1), end);
        }
    }

    fn put(&mut self, times: u64, value: usize) {
        for _ in 0..times {
            self.tickets += 1;
            let put = pb::PutRequest { key: "k".into(), value: vec![7; value].into(), ..Default::default() };
            let request = Box::new(pb::InternalRaftRequest { put: Some(put), ..Default::default() });
            self.turn(vec![Input::Propose { ticket: Ticket(self.tickets), request }]);
        }
    }

    fn done(&mut self, bytes: u64) -> u64 {
        let (stand, _) = self.asked.pop().expect("a checkpoint was asked for");
        self.turn(vec![Input::CheckpointDone { index: stand.index, bytes }]);
        stand.index
    }

    fn applied(&self) -> u64 {
        self.replica.edition().standing.applied
    }
}

fn records(mut bytes: &[u8]) -> Vec<walpb::Record> {
    let mut records = Vec::new();
    while let Some((word, rest)) = bytes.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let length = (word & ((1 << 56) - 1)) as usize;
        records.push(walpb::Record::decode(&rest[..length]).expect("whole frames"));
        bytes = &rest[length.next_multiple_of(8)..];
    }
    records
}

#[test]
fn a_checkpoint_is_due_after_so_many_entries_and_never_while_one_is_written() {
    let mut alone = Alone::new(10, 0);
    let before = alone.applied();
    assert!(alone.asked.is_empty());
    alone.put(10 - before, 10);
    assert!(alone.asked.is_empty());
    alone.put(1, 10);
    let stand = alone.asked[0].0.clone();
    assert_eq!((stand.index, stand.conf_state.voters.clone()), (11, vec![1]));
    assert_eq!(stand.term, alone.replica.edition().standing.term);
    alone.put(50, 10);
    assert_eq!(alone.asked.len(), 1);
    assert_eq!(alone.done(100), 11);
    assert_eq!(alone.asked[0].0.index, 61, "what is overdue is asked for at once");
    let told = |what: &str| alone.notes.iter().any(|note| note == what);
    assert!(told(
        "triggering snapshot local-member-id=1 local-member-applied-index=11 local-member-snapshot-index=0 \
         local-member-snapshot-count=10"
    ));
    assert!(told("saved snapshot to disk snapshot-index=11"));
    assert!(told("compacted Raft logs compact-index=11"));
}

#[test]
fn the_log_says_that_the_index_is_committed_before_it_marks_it() {
    let mut alone = Alone::new(10, 0);
    alone.put(20, 10);
    let index = alone.done(100);
    let mut commit = 0;
    let mut marked = false;
    for record in &alone.log {
        let data = record.data.clone().unwrap_or_default();
        match record.r#type {
            3 => commit = raftpb::HardState::decode(data).unwrap().commit,
            5 => {
                let mark = walpb::Snapshot::decode(data).unwrap();
                assert!(mark.index <= commit, "the mark at {} and commit {commit}", mark.index);
                if mark.index == index {
                    assert_eq!(mark.conf_state.unwrap().voters, [1]);
                    marked = true;
                }
            }
            _ => {}
        }
    }
    assert!(marked);
}

#[test]
fn the_newest_two_stay_and_the_log_from_the_older_one_on() {
    let mut alone = Alone::new(10, 4);
    alone.put(20, 10);
    let first = alone.done(100);
    assert!(alone.forgotten.is_empty(), "with one checkpoint the whole log stays");
    alone.put(20, 10);
    let second = alone.done(100);
    assert_eq!(alone.forgotten, [(first, first)]);
    alone.put(20, 10);
    alone.done(100);
    assert_eq!(alone.forgotten[1..], [(second, second)]);
}

#[test]
fn entries_for_those_who_lag_stay_on_the_disk_too() {
    let mut alone = Alone::new(10, 1000);
    for _ in 0..2 {
        alone.put(20, 10);
        alone.done(100);
    }
    assert_eq!(alone.forgotten.len(), 1);
    assert_eq!(alone.forgotten[0].1, 0);
}

#[test]
fn a_large_checkpoint_waits_for_a_log_in_proportion() {
    let mut alone = Alone::new(10, 0);
    alone.put(20, 10);
    alone.done(40_000);
    alone.put(60, 10);
    assert!(alone.asked.is_empty(), "sixty small entries are no quarter of it");
    alone.put(5, 2_000);
    assert_eq!(alone.asked.len(), 1);
}

#[test]
fn a_checkpoint_that_failed_is_tried_again_later_and_less_often() {
    let mut alone = Alone::new(10, 0);
    alone.put(20, 10);
    let mut waits = Vec::new();
    for _ in 0..3 {
        let (stand, _) = alone.asked.pop().unwrap();
        let begun = alone.now;
        alone.turn(vec![Input::CheckpointFailed { index: stand.index }]);
        alone.put(5, 10);
        assert!(alone.asked.is_empty(), "not at once");
        while alone.asked.is_empty() {
            alone.rest(Span::millis(500));
        }
        waits.push((alone.now - begun).as_millis() / 1000);
    }
    assert_eq!(waits, [5, 10, 20]);
    let newest = alone.applied();
    assert_eq!(alone.done(100), newest, "it is of the state of today");
    assert!(alone.forgotten.is_empty());
}

#[test]
fn a_member_goes_on_from_a_checkpoint_and_the_log_behind_it() {
    for catchup in [0, 4, 1000] {
        let mut alone = Alone::new(10, catchup);
        alone.put(20, 10);
        let (stand, view) = alone.asked[0].clone();
        alone.done(100);
        alone.put(7, 10);
        let before = alone.replica.edition();

        let mut reader = Reader::new(Plants::NONE);
        reader.segment(SegmentName::default(), &alone.bytes, true).unwrap();
        let log = reader.finish().unwrap();
        let commit = log.hard_state.commit;
        let checkpoint = Some(Restored { view, stand: stand.clone(), bytes: 100 });
        let mut effects = Effects::default();
        let recovered = Some(Recovered { checkpoint, log });
        let replica = Replica::boot(alone.config.clone(), recovered, 2, alone.now, &mut effects);
        assert!(
            effects.iter().any(|effect| matches!(effect, Effect::Peers { peers, .. } if peers.is_empty()))
        );
        let after = replica.edition();
        assert!(commit > stand.index);
        assert_eq!(after.standing.applied, commit, "what the log knows to be committed is applied");
        let mut again = Alone { replica, ..alone };
        again.perform(effects);
        again.rest(Span::secs(3));
        again.put(1, 10);
        let (before, after) = (before.view.keyspace.revision(), again.replica.edition());
        assert_eq!(after.view.keyspace.revision(), before + 1);
        assert_eq!(after.view.members[0].name, "m1");
    }
}
