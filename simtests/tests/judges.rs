//! Do the judges wake up? Each is shown what it must not let pass, and what it must.
#![allow(clippy::unwrap_used)]

use detcd_core::{
    Edition, MemberId, Moment, Plants, Span, Standing, View,
    lease::Table,
    store::{Record, Store},
    wal::{SegmentName, Writer},
};
use detcd_jepsen_like::history::{History, Outcome, PutResponse, Request, Response};
use detcd_proto::{
    etcdserverpb::{Metadata, ResponseHeader, WatchResponse},
    mvccpb::{self, event::EventType},
    raftpb::{Entry, HardState, Message, MessageType},
};
use detcd_runtime_sim::{
    Happening, Keep, Setup, Stage, Trouble, World, clock::Clock, links::Weather, perform,
};
use detcd_simtests::{
    client::{
        Recorder,
        watcher::{Start, Wish},
    },
    invariants::{Durability, OneLeaderPerTerm},
    judge::{self, Answered, Chronicle, Expected, Leases, Linear, Watched, Work, fenced},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the rules report about a made-up course of events in a cluster of three.
fn reported(causes: bool, course: impl FnOnce(&mut World) + Send + 'static) -> Vec<String> {
    let troubles: Vec<Trouble> = perform(1, move || async move {
        let members = vec![MemberId(1), MemberId(2), MemberId(3)];
        let clocks = vec![Clock::TRUE; 3];
        let stage = Stage::new(Setup {
            seed: 1,
            members,
            clocks,
            weather: Weather::FINE,
            keep: Keep::Nothing,
            budget: 1,
        });
        let troubles = stage.enter(|world| {
            world.add_observer(OneLeaderPerTerm::default());
            world.add_observer(Durability::new(3, causes));
            course(world);
            world.troubles().to_vec()
        });
        stage.end().await;
        troubles
    })
    .expect("the course does not panic");
    troubles.into_iter().map(|trouble| trouble.judge).collect()
}

fn sends(world: &mut World, from: usize, to: usize, kind: MessageType, message: Message) {
    let message = Message { r#type: kind.into(), from: from as u64 + 1, to: to as u64 + 1, ..message };
    world.observe(&Happening::Sending { from, to, message: &message });
}

fn entry(term: u64, index: u64, data: &'static [u8]) -> Entry {
    Entry { term, index, data: Some(bytes::Bytes::from_static(data)), ..Entry::default() }
}

/// Each member's pen. Everything is written to the first segment.
struct Pens([Writer; 3]);

impl Pens {
    fn new() -> Pens {
        let pen = |node_id| Writer::create(&Metadata { node_id, cluster_id: 9 }, u64::MAX);
        Pens([pen(1), pen(2), pen(3)])
    }

    fn append(&mut self, world: &mut World, member: usize, entries: &[Entry], state: HardState) {
        self.0[member].save(entries, Some(&state));
        let (_, bytes) = self.0[member].take().expect("something was saved");
        let name = format!("member/wal/{}", SegmentName::default());
        world.observe(&Happening::Appending { member, name: &name, bytes: &bytes });
    }

    fn write(&mut self, world: &mut World, member: usize, entries: &[Entry], state: HardState) {
        self.append(world, member, entries, state);
        let name = format!("member/wal/{}", SegmentName::default());
        world.observe(&Happening::Synced { member, name: &name });
    }
}

fn founding() -> Vec<Entry> {
    (1..=3).map(|index| entry(1, index, b"member")).collect()
}

fn state(term: u64, vote: u64, commit: u64) -> HardState {
    HardState { term, vote, commit }
}

/// Everybody holds the founding entries; the first two hold entry 4, which the first leads with.
fn begun(world: &mut World) -> Pens {
    let mut pens = Pens::new();
    for member in 0..3 {
        pens.write(world, member, &founding(), state(2, 1, 3));
    }
    for member in 0..2 {
        pens.write(world, member, &[entry(2, 4, b"put")], state(2, 1, 3));
    }
    pens
}

#[test]
fn a_sane_course_is_left_in_peace() {
    let reports = reported(true, |world| {
        let mut pens = begun(world);
        sends(world, 1, 0, MessageType::MsgVoteResp, Message { term: 2, ..Message::default() });
        sends(world, 1, 0, MessageType::MsgAppResp, Message { term: 2, index: 4, ..Message::default() });
        sends(world, 0, 2, MessageType::MsgApp, Message { term: 2, commit: 4, ..Message::default() });
        pens.write(world, 2, &[entry(2, 4, b"put")], state(2, 1, 4));
        sends(world, 2, 0, MessageType::MsgAppResp, Message { term: 2, index: 4, ..Message::default() });
    });
    assert_eq!(reports, [""; 0]);
}

#[test]
fn two_leaders_of_one_term_are_seen() {
    let reports = reported(true, |world| {
        for leader in [0, 1] {
            sends(world, leader, 2, MessageType::MsgHeartbeat, Message { term: 7, ..Message::default() });
        }
        sends(world, 1, 2, MessageType::MsgHeartbeat, Message { term: 8, ..Message::default() });
    });
    assert_eq!(reports, ["one-leader-per-term"]);
}

#[test]
fn a_vote_and_an_acknowledgement_must_be_on_disk_before_they_leave() {
    let course = |world: &mut World| {
        let mut pens = begun(world);
        pens.append(world, 2, &[entry(2, 4, b"put")], state(3, 2, 3));
        sends(world, 2, 1, MessageType::MsgVoteResp, Message { term: 3, ..Message::default() });
        sends(world, 2, 0, MessageType::MsgAppResp, Message { term: 2, index: 4, ..Message::default() });
        // A refusal promises nothing.
        let refusal = Message { term: 9, index: 99, reject: true, ..Message::default() };
        sends(world, 2, 0, MessageType::MsgVoteResp, refusal.clone());
        sends(world, 2, 0, MessageType::MsgAppResp, refusal);
    };
    assert_eq!(reported(true, course), ["vote-durable", "acknowledgement-durable"]);
    assert_eq!(reported(false, course), [""; 0], "no harm came of it");
}

#[test]
fn what_one_disk_holds_is_not_committed() {
    let reports = reported(true, |world| {
        let mut pens = begun(world);
        pens.write(world, 0, &[entry(2, 5, b"alone")], state(2, 1, 4));
        sends(world, 0, 1, MessageType::MsgApp, Message { term: 2, commit: 5, ..Message::default() });
    });
    assert_eq!(reports, ["committed-durable"]);
}

#[test]
fn a_leader_of_the_past_may_overwrite_what_it_does_not_know_to_be_committed() {
    let reports = reported(false, |world| {
        let mut pens = begun(world);
        // Committed by a leader of term 4 and two others; this member lives in term 2 and hears one of term 3.
        sends(world, 0, 2, MessageType::MsgApp, Message { term: 4, commit: 4, ..Message::default() });
        pens.write(world, 1, &[entry(3, 4, b"other")], state(2, 1, 3));
    });
    assert_eq!(reports, [""; 0]);
}

#[test]
fn a_committed_entry_stays_and_is_the_same_everywhere() {
    let reports = reported(false, |world| {
        let mut pens = begun(world);
        sends(world, 0, 1, MessageType::MsgApp, Message { term: 2, commit: 4, ..Message::default() });
        pens.write(world, 1, &[entry(3, 4, b"other")], state(3, 3, 3));
        pens.write(world, 2, &[entry(3, 4, b"other")], state(3, 3, 4));
    });
    assert_eq!(reports, ["committed-stays", "same-entry"]);
}

#[test]
fn votes_terms_and_commits_do_not_go_back() {
    for (second, why) in [(state(1, 1, 3), "term"), (state(2, 2, 3), "vote"), (state(2, 1, 2), "commit")] {
        let reports = reported(true, move |world| {
            let mut pens = begun(world);
            pens.write(world, 0, &[], second);
        });
        assert_eq!(reports, ["hard-state"], "{why}");
    }
    let gap = reported(true, |world| {
        begun(world).write(world, 0, &[entry(2, 6, b"gap")], state(2, 1, 3));
    });
    assert_eq!(gap, ["log-contiguous"]);
}

fn edition(store: &Store, leases: Table, applied: u64) -> Edition {
    Edition {
        view: View {
            keyspace: store.keyspace().clone(),
            leases,
            auth: Default::default(),
            members: Arc::default(),
            removed: Arc::default(),
            alarms: Arc::default(),
            cluster_version: None,
            downgrade: None,
        },
        changes: Vec::new(),
        is_jump: false,
        standing: Standing { applied, ..Standing::default() },
        stand: Default::default(),
        tally: Default::default(),
    }
}

fn put(store: &mut Store, key: &str, value: &str) {
    let mut write = store.begin();
    write.put(key.as_bytes(), value.as_bytes(), 0);
    write.finish();
}

fn delete(store: &mut Store, key: &str) {
    let mut write = store.begin();
    write.delete(key.as_bytes());
    write.finish();
}

#[test]
fn members_that_show_different_states_are_seen() {
    let (mut one, mut two) = (Store::new(Plants::NONE), Store::new(Plants::NONE));
    let (chronicle, recorder) = (Chronicle::default(), Recorder::default());
    put(&mut one, "k0", "a");
    put(&mut two, "k0", "a");
    let look = |member, store: &Store, applied| {
        chronicle.look(member, 1, &edition(store, Table::new(), applied), &recorder)
    };
    assert_eq!(look(0, &one, 5), None);
    assert_eq!(look(1, &two, 5), None);
    put(&mut one, "k1", "b");
    put(&mut two, "k1", "c");
    assert_eq!(look(0, &one, 6), None);
    assert!(look(1, &two, 6).is_some_and(|text| text.contains("revision 3")));
    put(&mut one, "k1", "d");
    assert!(look(2, &one, 6).is_some_and(|text| text.contains("6 entries applied")));
    // Each revision was read once, by whoever showed it first.
    assert_eq!(recorder.take().len(), 2);
}

const SECOND: u64 = 1_000_000_000;

/// Some member of some life answered a request at this second.
fn answered(member: usize, life: u64, now: u64) -> Answered {
    let now_ns = now * SECOND;
    let election = Span::millis(100);
    Answered {
        member,
        life,
        asked_ns: now_ns.saturating_sub(SECOND / 10),
        now_ns,
        led_write: false,
        election,
    }
}

/// What two members' clocks show then; the second has been running for a day.
fn clocks(now: u64) -> Vec<Moment> {
    vec![Moment(now * SECOND), Moment((86_400 + now) * SECOND)]
}

fn look(leases: &Leases, edition: &Edition, answered: Answered) -> Option<(&'static str, String)> {
    leases.look(edition, answered, || clocks(answered.now_ns / SECOND))
}

fn granted(ids: &[i64], ttl: i64) -> Table {
    let mut table = Table::new();
    for &id in ids {
        table.grant(id, ttl);
    }
    table
}

fn rule(fault: Option<(&'static str, String)>) -> Option<&'static str> {
    fault.map(|(rule, _)| rule)
}

#[test]
fn a_lease_that_ends_early_is_seen() {
    let leases = Leases::default();
    let store = Store::new(Plants::NONE);
    let (with, without) = (edition(&store, granted(&[7, 8, 9], 10), 1), edition(&store, Table::new(), 2));
    leases.promise(7, clocks(0), 10);
    leases.promise(8, clocks(0), 10);
    leases.promise(9, clocks(0), 1);
    // A member that never had it has nothing to lose.
    assert_eq!(look(&leases, &without, answered(2, 1, 5)), None);
    assert_eq!(look(&leases, &with, answered(0, 1, 5)), None);
    leases.give_up(8);
    let (rule, text) = look(&leases, &without, answered(0, 1, 5)).expect("lease 7 has five seconds left");
    assert!(rule == "lease-promise" && text.contains("lease 7"), "{text}");
    // In another life, and late enough.
    assert_eq!(look(&leases, &with, answered(0, 2, 5)), None);
    leases.promise(7, clocks(1), 10);
    assert_eq!(look(&leases, &without, answered(0, 2, 11)), None);
}

#[test]
fn a_lease_may_end_by_the_fastest_clock_and_no_sooner() {
    let store = Store::new(Plants::NONE);
    let mut table = Table::new();
    table.grant(7, 10);
    let (with, without) = (edition(&store, table, 1), edition(&store, Table::new(), 2));
    // Since the question one clock has stood still and the other has jumped.
    let end = |ms: u64| {
        let leases = Leases::default();
        leases.promise(7, vec![Moment(500), Moment(700)], 10);
        assert_eq!(leases.look(&with, answered(0, 1, 0), Vec::new), None);
        leases.look(&without, answered(0, 1, 0), || vec![Moment(500), Moment(700 + ms * 1_000_000)])
    };
    assert_eq!(end(10_000), None);
    assert!(end(9_999).is_some_and(|(_, text)| text.contains("9999 of its 10000 ms")));
}

#[test]
fn a_leader_that_forgets_to_revoke_is_seen() {
    let store = Store::new(Plants::NONE);
    let (with, without) = (edition(&store, granted(&[7], 10), 1), edition(&store, Table::new(), 1));
    let leads = |now| Answered { led_write: true, ..answered(0, 1, now) };
    let course = |leases: &Leases, third: Answered| {
        leases.asked(7, 2 * SECOND);
        assert_eq!(look(leases, &with, leads(1)), None);
        // It ran out at 12.7 by the slowest clock; the write of 14 may lie before the revocation in the log.
        assert_eq!(look(leases, &with, leads(14)), None);
        rule(look(leases, &with, third))
    };
    assert_eq!(course(&Leases::default(), leads(15)), Some("lease-late"));
    let other_life = Answered { life: 2, ..leads(15) };
    assert_eq!(course(&Leases::default(), other_life), None, "who boots begins anew");
    assert_eq!(course(&Leases::default(), answered(0, 1, 15)), None, "whoever does not lead need not know");
    let early = Answered { asked_ns: 13 * SECOND, ..leads(15) };
    assert_eq!(course(&Leases::default(), early), None, "it was asked before the other was answered");

    let renewed = Leases::default();
    renewed.asked(7, 5 * SECOND);
    assert_eq!(course(&renewed, leads(15)), None, "somebody renewed it");
    let renewing = Leases::default();
    renewing.ask(7);
    renewing.ask(7);
    assert_eq!(course(&renewing, leads(15)), None, "somebody may be renewing it just now");
    let handed_over = Leases::default();
    handed_over.hand_over();
    assert_eq!(course(&handed_over, leads(15)), None, "the proposal may have been dropped once");

    let in_time = Leases::default();
    for now in [1, 14] {
        assert_eq!(look(&in_time, &with, leads(now)), None);
    }
    assert_eq!(look(&in_time, &without, leads(15)), None);
}

#[test]
fn a_lease_that_outlives_the_storm_is_seen() {
    let (store, leases) = (Store::new(Plants::NONE), Leases::default());
    let with = edition(&store, granted(&[7], 10), 1);
    let overdue = |leases: &Leases, now_ns| leases.overdue(&with, 2 * SECOND, now_ns, Span::millis(100));
    // Ten seconds and an election by the slowest clock, and a second for the revocation.
    assert_eq!(overdue(&leases, 13 * SECOND), None);
    assert!(overdue(&leases, 14 * SECOND).is_some_and(|text| text.contains("lease 7")));
    leases.asked(7, 4 * SECOND);
    assert_eq!(overdue(&leases, 14 * SECOND), None);
    assert!(overdue(&leases, 16 * SECOND).is_some());
    assert_eq!(leases.overdue(&edition(&store, Table::new(), 1), 0, 99 * SECOND, Span::millis(100)), None);
}

#[test]
fn a_renewal_of_a_lease_that_is_gone_is_seen() {
    let leases = Leases::default();
    let store = Store::new(Plants::NONE);
    assert_eq!(look(&leases, &edition(&store, granted(&[7], 1), 1), answered(0, 1, 1)), None);
    assert_eq!(leases.renewed(7, 2 * SECOND), None);
    assert_eq!(look(&leases, &edition(&store, Table::new(), 2), answered(0, 1, 5)), None);
    assert_eq!(leases.renewed(7, 5 * SECOND - 1), None, "it may have been there when it was asked about");
    assert!(leases.renewed(7, 6 * SECOND).is_some_and(|text| text.contains("1000 ms")));
    assert_eq!(leases.renewed(8, 6 * SECOND), None, "nobody has seen that one go");
}

#[test]
fn keys_and_leases_that_do_not_fit_together_are_seen() {
    let mut store = Store::new(Plants::NONE);
    let mut write = store.begin();
    write.put(b"k0", b"a", -7);
    write.put(b"k1", b"b", 0);
    write.finish();
    let look = |table| rule(crate::look(&Leases::default(), &edition(&store, table, 1), answered(0, 1, 1)));
    let hanging = |on: &[(i64, &[u8])]| {
        let mut table = granted(&[-7, 8], 10);
        for (id, key) in on {
            assert!(table.attach(*id, key));
        }
        table
    };
    assert_eq!(look(hanging(&[(-7, b"k0")])), None);
    assert_eq!(look(hanging(&[])), Some("lease-keys"), "it carries the lease and does not hang on it");
    assert_eq!(look(hanging(&[(-7, b"k0"), (8, b"k0")])), Some("lease-keys"), "it hangs on two");
    assert_eq!(
        look(hanging(&[(-7, b"k0"), (8, b"k9")])),
        Some("lease-keys"),
        "a key that is not there hangs"
    );
    assert_eq!(look(granted(&[8], 10)), Some("lease-keys"), "its lease is gone");
}

/// A contender's key or a guarded write, in a revision of its own.
fn turn(store: &mut Store, key: &str, value: &str) -> i64 {
    put(store, key, value);
    store.keyspace().revision()
}

#[test]
fn turns_that_follow_each_other_are_left_in_peace() {
    let mut store = Store::new(Plants::NONE);
    let first = turn(&mut store, "turn/a", "candidate");
    let second = turn(&mut store, "turn/b", "candidate");
    put(&mut store, "k0", "of no concern");
    turn(&mut store, "guarded", &format!("{first}-1"));
    turn(&mut store, "turn/a", &format!("{first}-2"));
    delete(&mut store, "turn/a");
    turn(&mut store, "guarded", &format!("{second}-1"));
    assert_eq!(fenced(&made(&store)), None);
}

#[test]
fn two_holders_at_a_time_are_seen() {
    let begun = || {
        let mut store = Store::new(Plants::NONE);
        let first = turn(&mut store, "turn/a", "candidate");
        let second = turn(&mut store, "turn/b", "candidate");
        (store, first, second)
    };
    let (mut store, _, second) = begun();
    turn(&mut store, "guarded", &format!("{second}-1"));
    assert!(fenced(&made(&store)).is_some_and(|text| text.contains("stood before it")));

    let (mut store, first, second) = begun();
    delete(&mut store, "turn/a");
    turn(&mut store, "guarded", &format!("{second}-1"));
    let mut interleaved = made(&store);
    turn(&mut store, "guarded", &format!("{first}-1"));
    assert!(fenced(&made(&store)).is_some_and(|text| text.contains("had written before")));

    let (mut store, first, _) = begun();
    delete(&mut store, "turn/a");
    delete(&mut store, "turn/b");
    turn(&mut store, "guarded", &format!("{first}-1"));
    assert!(fenced(&made(&store)).is_some_and(|text| text.contains("its key was gone")));
    // Nobody saw how the keys went, so nobody can tell who stood there.
    interleaved.remove(&4);
    assert_eq!(fenced(&interleaved), None);
    let mut unseen = made(&store);
    unseen.remove(&4);
    assert_eq!(fenced(&unseen), None);
}

fn made(store: &Store) -> BTreeMap<i64, Vec<Record>> {
    let mut made: BTreeMap<i64, Vec<Record>> = BTreeMap::new();
    for record in store.keyspace().changes(2) {
        made.entry(record.mod_revision()).or_default().push(record.clone());
    }
    made
}

fn wish() -> Wish {
    Wish { key: b"k".to_vec(), range_end: b"l".to_vec(), prev_kv: true, ..Wish::default() }
}

fn reply(revision: i64, events: Vec<mvccpb::Event>) -> WatchResponse {
    let header = Some(ResponseHeader { revision, ..ResponseHeader::default() });
    WatchResponse { header, events, ..WatchResponse::default() }
}

fn events(store: &Store, revision: i64) -> Vec<mvccpb::Event> {
    let keyspace = store.keyspace();
    let of = keyspace.changes(revision).take_while(|record| record.mod_revision() == revision);
    of.map(|record| mvccpb::Event {
        r#type: if record.is_tombstone() { EventType::Delete } else { EventType::Put }.into(),
        kv: Some(record.to_kv()),
        prev_kv: keyspace.prev(record).map(Record::to_kv),
    })
    .collect()
}

/// Revisions 2 to 5: put, put again, put another, delete.
fn watched_store() -> Store {
    let mut store = Store::new(Plants::NONE);
    put(&mut store, "k0", "a");
    put(&mut store, "k0", "b");
    put(&mut store, "k1", "c");
    delete(&mut store, "k0");
    store
}

fn watched(from: i64) -> Watched {
    let watched = Watched::new(wish());
    assert_eq!(watched.hear(&WatchResponse { created: true, ..reply(from - 1, vec![]) }), Ok(true));
    watched
}

#[test]
fn a_watch_that_heard_everything_is_left_in_peace() {
    let store = watched_store();
    let all = watched(2);
    for revision in 2..=5 {
        assert!(!all.has_reached(5, &made(&store)));
        assert_eq!(all.hear(&reply(revision, events(&store, revision))), Ok(true));
    }
    assert!(all.has_reached(5, &made(&store)));
    assert_eq!(all.judge(&made(&store), &BTreeSet::new()), Ok(()));
    assert_eq!(all.events(), 4);
    // From the middle on, and with a promise instead of the last event's reply.
    let half = watched(4);
    assert_eq!(half.hear(&reply(4, events(&store, 4))), Ok(true));
    assert_eq!(half.judge(&made(&store), &BTreeSet::new()), Ok(()));
}

#[test]
fn a_watch_that_missed_repeated_or_invented_something_is_seen() {
    let store = watched_store();
    let missed = watched(2);
    missed.hear(&reply(2, events(&store, 2))).unwrap();
    missed.hear(&reply(4, events(&store, 4))).unwrap();
    assert!(missed.judge(&made(&store), &BTreeSet::new()).unwrap_err().contains("revision 3"));

    let promised = watched(2);
    promised.hear(&reply(5, vec![])).unwrap();
    assert!(promised.judge(&made(&store), &BTreeSet::new()).unwrap_err().contains("revision 2"));

    let repeated = watched(2);
    repeated.hear(&reply(2, events(&store, 2))).unwrap();
    assert!(repeated.hear(&reply(2, events(&store, 2))).is_err());
    let turned = watched(2);
    let both = [events(&store, 3), events(&store, 2)].concat();
    assert!(turned.hear(&reply(3, both)).is_err());

    let invented = watched(2);
    let mut event = events(&store, 2);
    event[0].kv.as_mut().unwrap().value = bytes::Bytes::from_static(b"z");
    invented.hear(&reply(2, event)).unwrap();
    assert!(invented.judge(&made(&store), &BTreeSet::new()).is_err());

    let wrong_past = watched(2);
    wrong_past.hear(&reply(2, events(&store, 2))).unwrap();
    let mut event = events(&store, 3);
    event[0].prev_kv = None;
    wrong_past.hear(&reply(3, event)).unwrap();
    assert!(wrong_past.judge(&made(&store), &BTreeSet::new()).unwrap_err().contains("previous pair"));
    assert_eq!(
        wrong_past.judge(&made(&store), &BTreeSet::from([3])),
        Ok(()),
        "a compaction may have taken it"
    );
}

#[test]
fn a_watch_is_cancelled_by_a_compaction_that_passed_it_and_by_no_other() {
    let cancel = |compact_revision| WatchResponse { canceled: true, compact_revision, ..reply(0, vec![]) };
    assert_eq!(watched(4).hear(&cancel(6)), Ok(false));
    assert!(watched(4).hear(&cancel(4)).is_err());
}

#[test]
fn nothing_comes_behind_a_promise_that_it_was_all() {
    let store = watched_store();
    let late = watched(2);
    assert_eq!(late.hear(&reply(3, vec![])), Ok(true));
    assert!(late.hear(&reply(3, events(&store, 3))).unwrap_err().contains("revision 3"));
    let in_time = watched(2);
    assert_eq!(in_time.hear(&reply(3, vec![])), Ok(true));
    assert_eq!(in_time.hear(&reply(4, events(&store, 4))), Ok(true));
}

#[test]
fn a_watch_begins_where_it_was_told_to() {
    let store = watched_store();
    let from = |start| {
        let watched = Watched::new(Wish { start, ..wish() });
        let begin = watched.opened(0, 0, 3, -1);
        watched.hear(&WatchResponse { created: true, ..reply(3, vec![]) }).unwrap();
        (begin, watched)
    };
    let (begin, future) = from(Start::Future(2));
    assert_eq!(begin, 5);
    assert!(future.hear(&reply(4, events(&store, 4))).is_err());
    assert_eq!(from(Start::Future(2)).1.hear(&reply(5, events(&store, 5))), Ok(true));

    let (begin, past) = from(Start::Past(1));
    assert_eq!(begin, 2);
    past.hear(&reply(3, events(&store, 3))).unwrap();
    assert!(past.judge(&made(&store), &BTreeSet::new()).unwrap_err().contains("revision 2"));
}

#[test]
fn a_revision_comes_in_pieces_only_if_they_are_marked() {
    let mut store = Store::new(Plants::NONE);
    let mut write = store.begin();
    write.put(b"k0", b"a", 0);
    write.put(b"k1", b"a", 0);
    write.finish();
    let play = |fragment, marks: [bool; 2]| {
        let watched = Watched::new(Wish { fragment, ..wish() });
        watched.hear(&WatchResponse { created: true, ..reply(1, vec![]) }).unwrap();
        for (event, mark) in events(&store, 2).into_iter().zip(marks) {
            watched.hear(&WatchResponse { fragment: mark, ..reply(2, vec![event]) })?;
        }
        Ok::<_, String>(watched)
    };
    let whole = play(true, [true, false]).unwrap();
    assert_eq!(whole.judge(&made(&store), &BTreeSet::new()), Ok(()));
    assert!(play(true, [false, false]).is_err());
    assert!(play(false, [true, false]).is_err(), "nobody asked for pieces");
    let torn = play(true, [true, true]).unwrap();
    assert!(torn.hear(&reply(2, vec![])).is_err(), "the last piece is missing");
    // A stream that ends between two pieces is no fault: the next one begins with the whole revision.
    let again = play(true, [true, true]).unwrap();
    assert_eq!(again.opened(0, 0, 2, -1), 2);
    again.hear(&reply(2, events(&store, 2))).unwrap();
    assert_eq!(again.judge(&made(&store), &BTreeSet::new()), Ok(()));
}

#[test]
fn a_watch_from_what_was_compacted_hears_that_and_nothing_else() {
    let store = watched_store();
    let opened = |compacted| {
        let watched = Watched::new(Wish { start: Start::Past(3), ..wish() });
        assert_eq!(watched.opened(0, 0, 5, compacted), 2);
        watched.hear(&WatchResponse { created: true, ..reply(5, vec![]) }).unwrap();
        watched
    };
    let cancel = WatchResponse { canceled: true, compact_revision: 4, ..reply(0, vec![]) };
    assert_eq!(opened(4).hear(&cancel), Ok(false));
    assert!(opened(4).hear(&reply(5, events(&store, 4))).unwrap_err().contains("not cancelled"));
    assert!(opened(4).hear(&reply(5, vec![])).is_err());
    assert_eq!(opened(2).hear(&reply(5, events(&store, 2))), Ok(true));
}

#[test]
fn a_compaction_leaves_the_last_change_of_a_key_at_its_revision() {
    let mut store = Store::new(Plants::NONE);
    let mut write = store.begin();
    write.put(b"k0", b"a", 0);
    write.delete(b"k0");
    write.finish();
    let heard = |events| {
        let watched = watched(2);
        watched.hear(&reply(2, events)).unwrap();
        watched
    };
    let both = events(&store, 2);
    let bounds = BTreeSet::from([2]);
    assert_eq!(heard(both.clone()).judge(&made(&store), &bounds), Ok(()));
    assert_eq!(heard(both[1..].to_vec()).judge(&made(&store), &bounds), Ok(()));
    assert!(heard(both[1..].to_vec()).judge(&made(&store), &BTreeSet::from([3])).is_err());
    assert!(heard(both[..1].to_vec()).judge(&made(&store), &bounds).is_err(), "the tombstone stays");
    assert!(heard(vec![]).has_reached(2, &made(&store)));
    assert!(heard(vec![]).judge(&made(&store), &bounds).is_err());
}

#[test]
fn the_pieces_of_a_reply_are_in_order_and_nothing_comes_unasked() {
    let store = watched_store();
    let pieces = || {
        let watched = Watched::new(Wish { fragment: true, ..wish() });
        watched.opened(0, 0, 1, 0);
        assert_eq!(watched.hear(&WatchResponse { created: true, ..reply(1, vec![]) }), Ok(true));
        watched
    };
    let piece = |revision, fragment| WatchResponse { fragment, ..reply(9, events(&store, revision)) };
    let ordered = pieces();
    for revision in 2..=5 {
        assert_eq!(ordered.hear(&piece(revision, revision < 5)), Ok(true));
    }
    assert_eq!(ordered.judge(&made(&store), &BTreeSet::new()), Ok(()));
    let turned = pieces();
    assert_eq!(turned.hear(&piece(3, true)), Ok(true));
    assert!(turned.hear(&piece(2, false)).is_err());
    assert!(watched(2).hear(&reply(2, events(&store, 3))).unwrap_err().contains("in a reply of revision 2"));
    let plain = Watched::new(Wish { prev_kv: false, ..wish() });
    plain.opened(0, 0, 1, 0);
    plain.hear(&WatchResponse { created: true, ..reply(2, vec![]) }).unwrap();
    assert!(plain.hear(&reply(3, events(&store, 3))).unwrap_err().contains("nobody had asked"));
    let ends = WatchResponse { canceled: true, ..reply(0, vec![]) };
    assert!(watched(2).hear(&ends).is_err(), "no reason at all");
}

#[test]
fn only_a_compaction_that_passed_takes_previous_pairs_away() {
    let store = watched_store();
    let watched = watched(2);
    watched.hear(&reply(2, events(&store, 2))).unwrap();
    let mut event = events(&store, 3);
    event[0].prev_kv = None;
    watched.hear(&reply(3, event)).unwrap();
    assert!(watched.judge(&made(&store), &BTreeSet::from([2])).is_err());
    assert_eq!(watched.judge(&made(&store), &BTreeSet::from([3])), Ok(()));
}

#[test]
fn a_queue_that_only_grows_is_seen() {
    assert_eq!(judge::queues::fault("inbox", 100), None);
    assert!(judge::queues::fault("inbox", 5_000).is_some());
    assert_eq!(judge::queues::stream_fault(130, 1), None);
    assert!(judge::queues::stream_fault(200, 1).is_some());
}

#[test]
fn what_a_revision_changed_is_compared_with_what_was_asked() {
    let mut history = History::new();
    let put = history.call(1, 1, Request::put("k0", "a"));
    history.ret(put, 2, Outcome::Ok(Response::Put(PutResponse { revision: 2, prev_kv: None })));
    let changed = |keys: &[&str]| {
        let mut store = Store::new(Plants::NONE);
        let mut write = store.begin();
        for key in keys {
            write.put(key.as_bytes(), b"a", 0);
        }
        write.finish();
        judge::linearizable(&history, &made(&store))
    };
    assert!(matches!(changed(&["k0"]), Linear::Legal(_)));
    assert!(
        matches!(changed(&["k0", "k1"]), Linear::Illegal(text) if text.contains("what changed was k0, k1"))
    );
    assert!(matches!(changed(&["k1"]), Linear::Illegal(_)));
}

#[test]
fn a_run_whose_judges_saw_nothing_is_not_as_good_as_clean() {
    let busy = Work { writes: 50, queue_looks: 50, revisions_compared: 50, ..Work::default() };
    let plain = Expected { several_members: true, ..Expected::default() };
    assert_eq!(busy.idle(&plain), [""; 0]);
    let everything = Expected { watches: true, leases: true, turns: true, ..plain };
    assert_eq!(busy.idle(&everything), ["idle: watch", "idle: leases", "idle: fencing"]);
    assert_eq!(Work::default().idle(&Expected::default()), ["idle: linearizability", "idle: bounded-queues"]);
}
