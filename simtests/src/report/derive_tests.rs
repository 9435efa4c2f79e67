//! What is read off a few events.
use super::*;
use detcd_core::{ClusterId, MemberId, Note};

fn kept(at: u64, event: Event<&str>) -> Recorded {
    Recorded { at, event: event.owned() }
}

fn send(at: u64, to: Slot, sum: u64) -> Recorded {
    kept(at, Event::Send { from: 0, to, kind: 3, term: 1, index: 1, bytes: 1, sum })
}

fn deliver(at: u64, to: Slot, sum: u64) -> Recorded {
    kept(at, Event::Deliver { from: 0, to, kind: 3, sum })
}

#[test]
fn every_arrival_finds_its_departure() {
    let lost = Event::Drop { from: 0, to: 1, why: "lost" };
    let events = [
        send(1, 1, 7),
        kept(1, lost),
        send(2, 1, 7),
        send(3, 2, 7),
        deliver(4, 2, 7),
        deliver(5, 1, 7),
        deliver(6, 1, 7),
    ];
    let found: Vec<_> = flights(&events).iter().map(|f| (f.sent, f.to, f.arrived)).collect();
    assert_eq!(found, [(1, 1, None), (2, 1, Some(5)), (3, 2, Some(4)), (2, 1, Some(6))]);
}

#[test]
fn a_message_cut_off_in_flight_is_not_taken_for_a_later_one() {
    let (cut_off, later) = (send(0, 1, 7), send(90_000_000, 1, 7));
    let events = [cut_off, later, deliver(91_000_000, 1, 7)];
    let found: Vec<_> = flights(&events).iter().map(|f| f.arrived).collect();
    assert_eq!(found, [None, Some(91_000_000)]);
}

#[test]
fn roles_are_read_from_the_cores_own_words() {
    let role = |note: Note| role_of(&format!("Info {note}"));
    assert_eq!(role(Note::BecameLeader { term: 3 }), Some(Role::Leader));
    assert_eq!(role(Note::BecameFollower { term: 3, leader: Some(MemberId(1)) }), Some(Role::Follower));
    assert_eq!(role(Note::BecameCandidate { term: 3 }), Some(Role::Candidate));
    assert_eq!(role(Note::BecamePreCandidate { term: 3 }), Some(Role::PreCandidate));
    let (member, cluster) = (MemberId(1), ClusterId(1));
    let booted = Note::Booted { member, cluster, term: 0, last_index: 3, commit: 3 };
    assert_eq!(role(booted), Some(Role::Follower));
    assert_eq!(role(Note::QuorumLost { term: 3 }), None);
}

#[test]
fn a_members_time_is_told_in_spans() {
    let events = vec![
        kept(10, Event::Boot { member: 0, life: 1 }),
        kept(20, Event::Note { member: 0, line: "Info became leader term=1" }),
        kept(21, Event::Note { member: 1, line: "Info became follower term=1 leader=0" }),
        kept(30, Event::Append { member: 0, file: 2, bytes: 9, sum: 1 }),
        kept(40, Event::Sync { member: 0, file: 2, ok: true }),
        kept(50, Event::Paused { member: 0 }),
        kept(60, Event::Died { member: 0, power: true }),
    ];
    let recording = Recording { members: 1, simulated_ns: 100, events, ..Recording::default() };
    let track = &tracks(&recording)[0];
    let roles: Vec<_> = track.roles.iter().map(|span| (span.from, span.upto, span.is)).collect();
    let expected =
        [(0, 10, Role::Down), (10, 20, Role::Booting), (20, 60, Role::Leader), (60, 100, Role::Down)];
    assert_eq!(roles, expected);
    assert_eq!(track.disk, [Span { from: 30, upto: 40, is: Surface::Unsynced }]);
    assert_eq!(track.paused, [Span { from: 50, upto: 60, is: () }]);
}

#[test]
fn faults_are_read_from_what_the_nemesis_says() {
    let story = |at, line| kept(at, Event::Story { line });
    let events = [
        story(1_000_000, "crash for 20 ms: m1 m3"),
        story(2_000_000, "trap: m2 at Voting"),
        story(3_000_000, "Crash of m2 for 300 us"),
        story(4_000_000, "liveness: m1 waited for 5 ms: too long"),
        story(5_000_000, "end of crash: m1 m3"),
        story(6_000_000, "partition for 90 ms: from m1 to m2, m2 to m1"),
        story(7_000_000, "trap: m1 at Elected"),
        story(8_000_000, "everything heals"),
        story(9_000_000, "all members are equal"),
    ];
    let ms = 1_000_000;
    let found: Vec<_> =
        faults(&events).into_iter().map(|f| (f.from / ms, f.upto / ms, f.text, f.members)).collect();
    let expected = [
        (1, 5, "crash: m1 m3", vec![0, 2]),
        (3, 3, "Crash of m2 (trap: m2 at Voting)", vec![1]),
        (6, 8, "partition: from m1 to m2, m2 to m1", vec![0, 1]),
        (7, 7, "trap: m1 at Elected", vec![0]),
    ];
    assert_eq!(found, expected.map(|(from, upto, text, members)| (from, upto, text.to_owned(), members)));
}

#[test]
fn requests_find_their_events() {
    let line = |line| kept(0, Event::Client { client: 1, line });
    let events = [line("#4 > m3 put k=m1"), line("< m1"), line("#4 < ok revision=2"), line("#5 > m1 get k")];
    let found: Vec<_> = asked(&events)
        .into_iter()
        .map(|(id, asked)| (id, asked.member, asked.event, asked.answer_event))
        .collect();
    assert_eq!(found, [(4, 2, 0, Some(2)), (5, 0, 3, None)]);
}
