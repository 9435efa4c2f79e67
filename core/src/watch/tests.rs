use super::*;
use crate::{Edition, KeyRange, MemberId, Moment, Plants, Rng, Span, Standing, View, lease, store::Store};
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    sync::Arc,
    vec,
    vec::Vec,
};
use bytes::Bytes;
use detcd_proto::{
    etcdserverpb::{
        WatchCancelRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse,
        watch_request::RequestUnion,
    },
    mvccpb,
};
use proptest::prelude::*;

const A: StreamId = StreamId(1);
const B: StreamId = StreamId(2);

/// Remembers what each stream was told, one line per reply, and refuses more than it has room for.
#[derive(Default)]
struct Told {
    lines: Vec<String>,
    /// Event replies a stream still takes; without an entry, all.
    room: BTreeMap<StreamId, usize>,
}

impl Sink for Told {
    fn offer(&mut self, stream: StreamId, response: &WatchResponse, _fragment: bool) -> bool {
        match self.room.get_mut(&stream) {
            Some(0) => return false,
            Some(room) => *room -= 1,
            None => {}
        }
        self.lines.push(format!("{} {}", stream.0, show(response)));
        true
    }

    fn control(&mut self, stream: StreamId, response: WatchResponse) {
        self.lines.push(format!("{} {}", stream.0, show(&response)));
    }

    fn end(&mut self, stream: StreamId, end: StreamEnd) {
        self.lines.push(format!("{} end: {}", stream.0, end.0));
    }
}

fn show(response: &WatchResponse) -> String {
    let mut line = format!("#{} @{}", response.watch_id, response.header.as_ref().unwrap().revision);
    for (flag, name) in [(response.created, "created"), (response.canceled, "canceled")] {
        if flag {
            line += &format!(" {name}");
        }
    }
    if response.compact_revision != 0 {
        line += &format!(" compacted={}", response.compact_revision);
    }
    if !response.cancel_reason.is_empty() {
        line += &format!(" ({})", response.cancel_reason);
    }
    for event in &response.events {
        let kv = event.kv.as_ref().unwrap();
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let what = if event.r#type == mvccpb::event::EventType::Put as i32 { "put" } else { "del" };
        line += &format!(" {what} {}={}@{}", text(&kv.key), text(&kv.value), kv.mod_revision);
        if let Some(prev) = &event.prev_kv {
            line += &format!(" was {}", text(&prev.value));
        }
    }
    line
}

struct World {
    store: Store,
    hub: Hub,
    told: Told,
    now: Moment,
    leader: Option<MemberId>,
    /// What the last turn asked for.
    wake: Option<Moment>,
}

fn view(store: &Store) -> View {
    View {
        keyspace: store.keyspace().clone(),
        leases: lease::Table::new(),
        auth: Default::default(),
        members: Arc::default(),
        removed: Arc::default(),
        alarms: Arc::default(),
        cluster_version: None,
        downgrade: None,
    }
}

impl World {
    fn new() -> World {
        World::with(Plants::NONE, 10_000)
    }

    fn with(plants: Plants, slice_changes_max: usize) -> World {
        let store = Store::new(plants);
        let config = HubConfig {
            progress_interval: Span::secs(600),
            election_timeout: Span::secs(1),
            slice_changes_max,
            plants,
        };
        let hub = Hub::new(view(&store), config, Rng::from_seed(1), Moment(0));
        let mut world = World {
            store,
            hub,
            told: Told::default(),
            now: Moment(0),
            leader: Some(MemberId(1)),
            wake: None,
        };
        world.edition(Vec::new());
        world.turn([
            HubInput::Open { stream: A, require_leader: false },
            HubInput::Open { stream: B, require_leader: true },
        ]);
        world
    }

    fn turn(&mut self, inputs: impl IntoIterator<Item = HubInput>) {
        self.wake = self.hub.turn(self.now, inputs.into_iter(), &mut self.told);
    }

    fn edition(&mut self, changes: Vec<crate::store::Change>) {
        self.publish(changes, false);
    }

    fn publish(&mut self, changes: Vec<crate::store::Change>, is_jump: bool) {
        let standing = Standing { leader: self.leader, ..Standing::default() };
        let edition = Arc::new(Edition {
            view: view(&self.store),
            changes,
            is_jump,
            standing,
            stand: Default::default(),
            tally: Default::default(),
        });
        self.turn([HubInput::Edition(edition)]);
    }

    /// What these puts lead to comes as a whole from another member, compacted up to a revision.
    fn jump(&mut self, puts: &[(&str, &str)], compacted: Option<i64>) {
        for (key, value) in puts {
            let mut write = self.store.begin();
            write.put(key.as_bytes(), value.as_bytes(), 0);
            write.finish();
        }
        if let Some(revision) = compacted {
            self.store.compact(revision).unwrap();
            while !self.store.compact_step(100) {}
        }
        self.publish(Vec::new(), true);
    }

    /// One revision with these puts; a key without a value is deleted.
    fn write(&mut self, changes: &[(&str, Option<&str>)]) {
        let mut write = self.store.begin();
        for (key, value) in changes {
            match value {
                Some(value) => write.put(key.as_bytes(), value.as_bytes(), 0),
                None => write.delete(key.as_bytes()),
            };
        }
        let changes = write.finish();
        self.edition(changes);
    }

    fn put(&mut self, key: &str, value: &str) {
        self.write(&[(key, Some(value))]);
    }

    fn compact(&mut self, revision: i64) {
        self.store.compact(revision).unwrap();
        while !self.store.compact_step(100) {}
        self.edition(Vec::new());
    }

    fn request(&mut self, stream: StreamId, request: RequestUnion) {
        self.turn([HubInput::Request { stream, request: WatchRequest { request_union: Some(request) } }]);
    }

    fn watch(&mut self, stream: StreamId, key: &str, end: &str, start: i64) {
        self.create(stream, create(key, end, start));
    }

    fn create(&mut self, stream: StreamId, request: WatchCreateRequest) {
        self.request(stream, RequestUnion::CreateRequest(request));
    }

    fn cancel(&mut self, stream: StreamId, watch_id: i64) {
        self.request(stream, RequestUnion::CancelRequest(WatchCancelRequest { watch_id }));
    }

    fn progress(&mut self, stream: StreamId) {
        self.request(stream, RequestUnion::ProgressRequest(WatchProgressRequest {}));
    }

    fn told(&mut self) -> Vec<String> {
        core::mem::take(&mut self.told.lines)
    }
}

fn create(key: &str, end: &str, start_revision: i64) -> WatchCreateRequest {
    WatchCreateRequest {
        key: key.to_string().into(),
        range_end: end.to_string().into(),
        start_revision,
        ..WatchCreateRequest::default()
    }
}

/// Nothing is lost, nothing comes twice, and who waits for a revision to come goes on waiting.
#[test]
fn a_jump_is_heard_as_what_led_there() {
    let mut world = World::new();
    world.put("a", "1");
    world.watch(A, "a", "z", 2);
    world.watch(A, "a", "", 5);
    world.watch(B, "a", "z", 9);
    world.put("b", "2");
    world.told();
    world.jump(&[("a", "3"), ("c", "4"), ("a", "5")], None);
    let at = world.store.keyspace().revision();
    assert_eq!(at, 6);
    world.put("a", "7");
    world.put("a", "8");
    world.put("a", "9");
    let told = world.told();
    let of = |stream: &str, id: &str| -> Vec<String> {
        let prefix = format!("{stream} {id} ");
        told.iter().filter_map(|line| line.strip_prefix(&prefix)).map(String::from).collect()
    };
    assert_eq!(
        of("1", "#0").join(", "),
        "@6 put a=3@4 put c=4@5 put a=5@6, @7 put a=7@7, @8 put a=8@8, @9 put a=9@9"
    );
    assert_eq!(of("1", "#1").join(", "), "@6 put a=5@6, @7 put a=7@7, @8 put a=8@8, @9 put a=9@9");
    assert_eq!(of("2", "#0").join(", "), "@9 put a=9@9");
}

#[test]
fn who_missed_in_a_jump_what_is_compacted_is_told_so() {
    let mut world = World::new();
    world.put("a", "1");
    world.watch(A, "a", "", 0);
    world.watch(A, "a", "", 8);
    world.told();
    world.jump(&[("a", "2"), ("a", "3"), ("b", "4")], Some(5));
    assert_eq!(world.told(), ["1 #0 @0 canceled compacted=5"]);
    world.jump(&[("a", "5"), ("a", "6"), ("a", "7")], None);
    assert_eq!(world.told(), ["1 #1 @8 put a=7@8"]);
}

/// A stream that is full when the state jumps hears of it when it has room.
#[test]
fn a_full_stream_catches_up_over_a_jump() {
    let mut world = World::new();
    world.watch(A, "a", "", 0);
    world.told.room.insert(A, 0);
    world.put("a", "1");
    world.watch(A, "a", "", 0);
    world.told();
    world.jump(&[("a", "2"), ("a", "3")], None);
    assert!(world.told().is_empty());
    world.told.room.clear();
    world.turn([HubInput::Room { stream: A }]);
    assert_eq!(world.told(), ["1 #0 @4 put a=1@2 put a=2@3 put a=3@4", "1 #1 @4 put a=2@3 put a=3@4"]);
}

#[test]
fn a_watcher_hears_what_comes_after_it_and_nothing_else() {
    let mut world = World::new();
    world.put("a", "0");
    world.watch(A, "a", "", 0);
    world.watch(A, "b", "c", 0);
    world.put("a", "1");
    world.put("x", "1");
    world.write(&[("bb", Some("1")), ("a", None), ("b", Some("2"))]);
    assert_eq!(
        world.told(),
        [
            "1 #0 @2 created",
            "1 #1 @2 created",
            "1 #0 @3 put a=1@3",
            "1 #0 @5 del a=@5",
            "1 #1 @5 put bb=1@5 put b=2@5"
        ]
    );
}

#[test]
fn the_past_is_replayed_whole_before_the_present() {
    let mut world = World::new();
    for value in ["1", "2", "3"] {
        world.put("a", value);
    }
    world.watch(A, "a", "", 3);
    world.put("a", "4");
    assert_eq!(world.told(), ["1 #0 @4 created", "1 #0 @4 put a=2@3 put a=3@4", "1 #0 @5 put a=4@5"]);
}

#[test]
fn a_future_start_is_silent_until_then() {
    let mut world = World::new();
    world.watch(A, "a", "", 4);
    world.progress(A);
    for value in ["2", "3", "4"] {
        world.put("a", value);
    }
    world.progress(A);
    assert_eq!(world.told(), ["1 #0 @1 created", "1 #0 @4 put a=4@4", "1 #-1 @4"]);
}

#[test]
fn a_watcher_that_starts_with_the_next_revision_is_told_no_progress_before_it() {
    let mut world = World::new();
    world.watch(A, "a", "", 2);
    world.told();
    world.progress(A);
    assert_eq!(world.told(), [""; 0]);
    world.put("b", "1");
    world.progress(A);
    assert_eq!(world.told().len(), 1);
}

#[test]
fn filters_and_previous_values() {
    let mut world = World::new();
    world.put("a", "1");
    world.create(A, WatchCreateRequest { prev_kv: true, ..create("a", "", 2) });
    world.create(A, WatchCreateRequest { filters: vec![0], ..create("a", "", 0) });
    world.create(A, WatchCreateRequest { filters: vec![1], ..create("a", "", 0) });
    world.told();
    world.put("a", "2");
    world.write(&[("a", None)]);
    assert_eq!(
        world.told(),
        ["1 #0 @3 put a=2@3 was 1", "1 #2 @3 put a=2@3", "1 #0 @4 del a=@4 was 2", "1 #1 @4 del a=@4"]
    );
}

#[test]
fn a_new_life_in_the_same_revision_has_no_previous_value() {
    let mut world = World::new();
    world.create(A, WatchCreateRequest { prev_kv: true, ..create("a", "", 0) });
    world.put("a", "1");
    world.write(&[("a", None), ("a", Some("2"))]);
    let told = ["1 #0 @1 created", "1 #0 @2 put a=1@2", "1 #0 @3 del a=@3 was 1 put a=2@3"];
    assert_eq!(world.told(), told);
    // Whoever reads it from the past is told the same.
    world.create(A, WatchCreateRequest { prev_kv: true, ..create("a", "", 3) });
    assert_eq!(world.told(), ["1 #1 @3 created", "1 #1 @3 del a=@3 was 1 put a=2@3"]);
}

#[test]
fn ids_are_given_in_order_and_taken_once() {
    let mut world = World::new();
    world.create(A, WatchCreateRequest { watch_id: 1, ..create("a", "", 0) });
    world.create(A, WatchCreateRequest { watch_id: 1, ..create("a", "", 0) });
    world.watch(A, "a", "", 0);
    world.watch(A, "a", "", 0);
    world.cancel(A, 0);
    world.cancel(A, 77);
    world.watch(A, "a", "", 0);
    assert_eq!(
        world.told(),
        [
            "1 #1 @1 created",
            "1 #-1 @1 created canceled (mvcc: duplicate watch ID provided on the WatchStream)",
            "1 #0 @1 created",
            "1 #2 @1 created",
            "1 #0 @1 canceled",
            "1 #3 @1 created"
        ]
    );
}

#[test]
fn what_makes_no_sense_is_refused_on_the_stream() {
    let mut world = World::new();
    world.watch(A, "b", "a", 0);
    world.watch(A, "a", "", -1);
    world.watch(A, "", "", 0);
    world.put("\0", "smallest");
    assert_eq!(
        world.told(),
        [
            "1 #-1 @1 created canceled (mvcc: watcher range is empty)",
            "1 #-1 @1 created canceled (etcdserver: mvcc: required revision has been compacted)",
            "1 #0 @1 created",
            "1 #0 @2 put \0=smallest@2"
        ]
    );
}

#[test]
fn compaction_cancels_who_is_behind_it_and_its_id_stays_taken() {
    let mut world = World::new();
    for value in ["1", "2", "3"] {
        world.put("a", value);
    }
    world.compact(3);
    world.watch(A, "a", "", 2);
    world.watch(A, "a", "", 3);
    assert_eq!(
        world.told(),
        ["1 #0 @4 created", "1 #0 @0 canceled compacted=3", "1 #1 @4 created", "1 #1 @4 put a=2@3 put a=3@4"]
    );
    world.progress(A);
    assert_eq!(world.told(), [""; 0]);
    world.cancel(A, 0);
    world.progress(A);
    assert_eq!(world.told(), ["1 #0 @4 canceled", "1 #-1 @4"]);
}

#[test]
fn a_full_stream_catches_up_later_and_holds_up_nobody() {
    let mut world = World::new();
    world.watch(A, "a", "b", 0);
    world.watch(B, "a", "b", 0);
    world.told.room.insert(A, 1);
    for value in ["1", "2", "3"] {
        world.put("a", value);
    }
    world.progress(A);
    assert_eq!(
        world.told()[2..],
        ["1 #0 @2 put a=1@2", "2 #0 @2 put a=1@2", "2 #0 @3 put a=2@3", "2 #0 @4 put a=3@4"]
    );
    // Nothing to do for a stream that does not read.
    assert!(world.wake.is_none_or(|wake| wake > world.now));
    world.told.room.insert(A, 1);
    world.turn([HubInput::Room { stream: A }]);
    world.put("a", "4");
    assert_eq!(world.told(), ["1 #0 @4 put a=2@3 put a=3@4", "2 #0 @5 put a=4@5"]);
    // While it did not read, compaction passed it.
    world.put("a", "5");
    world.compact(6);
    world.told.room.clear();
    world.turn([HubInput::Room { stream: A }]);
    assert_eq!(world.told().last().unwrap(), "1 #0 @0 canceled compacted=6");
}

#[test]
fn idle_watchers_that_asked_are_told_how_far_the_store_is() {
    let mut world = World::new();
    world.create(A, WatchCreateRequest { progress_notify: true, ..create("a", "", 0) });
    world.create(A, WatchCreateRequest { progress_notify: true, ..create("b", "", 0) });
    world.watch(A, "a", "", 0);
    world.put("a", "1");
    world.told();
    world.now = world.wake.unwrap();
    assert!(world.now >= Moment(0) + Span::secs(600) && world.now < Moment(0) + Span::secs(660));
    world.turn([]);
    assert_eq!(world.told(), ["1 #1 @2"]);
    world.now = world.wake.unwrap();
    world.turn([]);
    assert_eq!(world.told(), ["1 #0 @2", "1 #1 @2"]);
}

#[test]
fn a_stream_that_refuses_a_progress_notice_keeps_nobody_busy() {
    let mut world = World::new();
    for number in 0..1500 {
        world.put("b", &format!("{number}"));
    }
    world.create(A, WatchCreateRequest { progress_notify: true, ..create("a", "", 0) });
    world.now = world.wake.unwrap();
    world.told.room.insert(A, 0);
    // The notice is refused in the turn in which another watcher of the stream begins to catch up.
    world.watch(A, "b", "", 1);
    world.turn([]);
    assert!(world.wake.is_none_or(|wake| wake > world.now));
    world.told.room.clear();
    world.turn([HubInput::Room { stream: A }]);
    while world.wake.is_some_and(|wake| wake <= world.now) {
        world.turn([]);
    }
    let events: usize = world.told().iter().map(|line| line.matches("put").count()).sum();
    assert_eq!(events, 1500);
}

#[test]
fn a_stream_that_needs_a_leader_ends_without_one() {
    let mut world = World::new();
    world.watch(A, "a", "", 0);
    world.watch(B, "a", "", 0);
    world.told();
    world.leader = None;
    world.edition(Vec::new());
    assert_eq!(world.wake, Some(Moment(0) + Span::secs(3)));
    world.now = Moment(0) + Span::secs(2);
    world.leader = Some(MemberId(2));
    world.edition(Vec::new());
    world.leader = None;
    world.edition(Vec::new());
    world.now = world.wake.unwrap();
    assert_eq!(world.now, Moment(0) + Span::secs(5));
    world.turn([]);
    assert_eq!(world.told(), ["2 end: etcdserver: no leader"]);
    assert_eq!(world.hub.watchers(), 1);
    world.put("a", "1");
    assert_eq!(world.told(), ["1 #0 @2 put a=1@2"]);
}

#[test]
fn a_long_past_comes_in_replies_of_a_thousand_revisions() {
    let mut world = World::new();
    for number in 0..2500 {
        world.put("a", &format!("{number}"));
    }
    world.watch(A, "a", "", 1);
    while world.wake.is_some_and(|wake| wake <= world.now) {
        world.turn([]);
    }
    let told = world.told();
    let events: Vec<usize> = told[1..].iter().map(|line| line.matches("put").count()).collect();
    assert_eq!(events, [1000, 1000, 500]);
}

#[test]
fn a_slice_of_the_past_ends_behind_a_whole_revision() {
    let mut world = World::with(Plants::NONE, 1);
    for value in ["1", "2"] {
        world.write(&[("a", Some(value)), ("b", Some(value))]);
    }
    world.watch(A, "a", "c", 2);
    while world.wake.is_some_and(|wake| wake <= world.now) {
        world.turn([]);
    }
    assert_eq!(world.told()[1..], ["1 #0 @3 put a=1@2 put b=1@2", "1 #0 @3 put a=2@3 put b=2@3"]);
}

#[test]
fn a_large_reply_is_split_and_only_the_last_piece_says_that_it_is_the_last() {
    let mut response = WatchResponse { watch_id: 7, ..WatchResponse::default() };
    for size in [10, 500, 10, 10, 2000, 10] {
        let kv = mvccpb::KeyValue { value: vec![1; size].into(), ..Default::default() };
        response.events.push(mvccpb::Event { kv: Some(kv), ..Default::default() });
    }
    let pieces = split(response.clone(), 600, Plants::NONE);
    let shape: Vec<(usize, bool)> = pieces.iter().map(|piece| (piece.events.len(), piece.fragment)).collect();
    assert_eq!(shape, [(4, true), (1, true), (1, false)]);
    assert!(pieces.iter().all(|piece| piece.watch_id == 7));
    assert_eq!(split(response.clone(), 1 << 20, Plants::NONE), [response]);
}

proptest! {
    /// The index finds exactly those whose range contains the key.
    #[test]
    fn the_index_agrees_with_asking_everybody(
        ranges in proptest::collection::vec(("[ab\u{7f}]{0,3}", "[ab\u{7f}]{0,3}", 0u8..4), 1..20),
        removed in proptest::collection::vec(any::<bool>(), 20),
        keys in proptest::collection::vec("[ab\u{7f}]{0,4}", 1..20),
    ) {
        let range = |(start, end, kind): &(String, String, u8)| {
            let mut prefix = start.clone().into_bytes();
            if let Some(last) = prefix.last_mut() {
                *last += 1;
            }
            let end = match kind {
                0 => Bytes::new(),
                1 => Bytes::from_static(&[0]),
                2 => Bytes::from(prefix),
                _ => Bytes::from(end.clone()),
            };
            KeyRange::new(Bytes::from(start.clone()), end)
        };
        let mut index = super::index::Index::default();
        for (id, shape) in ranges.iter().enumerate() {
            index.insert(&range(shape), (A, id as i64));
        }
        for (id, shape) in ranges.iter().enumerate().filter(|(id, _)| removed[*id]) {
            index.remove(&range(shape), (A, id as i64));
        }
        for key in &keys {
            let mut found = Vec::new();
            index.concerned(key.as_bytes(), &mut found);
            found.sort_unstable();
            let expected: Vec<(StreamId, i64)> = ranges.iter().enumerate()
                .filter(|(id, shape)| !removed[*id] && range(shape).contains(key.as_bytes()))
                .map(|(id, _)| (A, id as i64)).collect();
            prop_assert_eq!(found, expected);
        }
    }

    /// However slowly two streams read, each hears every change of its range once, in order, whole revisions at a time.
    #[test]
    fn nothing_is_lost_or_repeated_however_slowly_a_client_reads(
        steps in proptest::collection::vec((0u8..6, 0usize..3), 1..60),
    ) {
        let mut world = World::new();
        world.watch(A, "a", "c", 0);
        world.watch(B, "b", "", 0);
        let mut expected = [Vec::new(), Vec::new()];
        for (step, number) in steps {
            match step {
                0 | 1 => {
                    let room = world.told.room.entry(A).or_insert(0);
                    *room += number;
                    world.turn([HubInput::Room { stream: A }]);
                }
                _ => {
                    let keys = ["a", "b", "x"];
                    let revision = world.store.keyspace().revision() + 1;
                    world.write(&[(keys[number], Some("v")), ("b", Some("w"))]);
                    if number == 0 {
                        expected[0].push(format!("a=v@{revision}"));
                    } else if number == 1 {
                        expected[0].push(format!("b=v@{revision}"));
                        expected[1].push(format!("b=v@{revision}"));
                    }
                    expected[0].push(format!("b=w@{revision}"));
                    expected[1].push(format!("b=w@{revision}"));
                }
            }
        }
        world.told.room.clear();
        world.turn([HubInput::Room { stream: A }]);
        while world.wake.is_some_and(|wake| wake <= world.now) {
            world.turn([]);
        }
        for (stream, expected) in ["1 ", "2 "].iter().zip(expected) {
            let heard: Vec<String> = world.told.lines.iter()
                .filter(|line| line.starts_with(stream))
                .flat_map(|line| line.split(' ').filter(|word| word.contains('=')))
                .map(String::from).collect();
            prop_assert_eq!(heard, expected);
        }
    }
}

#[test]
fn watchers_with_much_to_look_through_do_not_hold_up_a_turn() {
    let mut world = World::new();
    world.put("mine", "1");
    for _ in 0..110 {
        let keys: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
        let changes: Vec<(&str, Option<&str>)> = keys.iter().map(|key| (&key[..], Some("v"))).collect();
        world.write(&changes);
    }
    let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create("mine", "", 2))) };
    world.turn((0..30).map(|_| HubInput::Request { stream: A, request: request.clone() }));
    let heard = |lines: &[String]| lines.iter().filter(|line| line.ends_with("put mine=1@2")).count();
    let mut lines = world.told();
    assert_eq!(heard(&lines), 1, "what one turn looks through is enough for one of them");
    let mut turns = 1;
    while world.wake == Some(world.now) {
        turns += 1;
        world.turn([]);
        lines.extend(world.told());
    }
    assert_eq!(heard(&lines), 30, "and all are served in the end");
    assert!((30..70).contains(&turns), "{turns}");
}

#[cfg(feature = "plants")]
mod planted {
    use super::*;
    use crate::Plant;

    /// What a client is told with the bug and without it.
    fn both(plant: Plant, play: impl Fn(&mut World)) -> [Vec<String>; 2] {
        [Plants::only(plant), Plants::NONE].map(|plants| {
            let mut world = World::with(plants, 10_000);
            play(&mut world);
            world.told()
        })
    }

    #[test]
    fn a_slow_watcher_goes_on_behind_the_gap() {
        let [wrong, right] = both(Plant::SlowWatcherSkipsCompacted, |world| {
            world.watch(A, "a", "", 0);
            world.told.room.insert(A, 0);
            for value in ["1", "2", "3"] {
                world.put("a", value);
            }
            world.compact(4);
            world.told.room.clear();
            world.told();
            world.turn([HubInput::Room { stream: A }]);
        });
        assert_eq!(wrong, ["1 #0 @4 put a=3@4"]);
        assert_eq!(right, ["1 #0 @0 canceled compacted=4"]);
    }

    #[test]
    fn a_future_watch_hears_of_the_present() {
        let [wrong, right] = both(Plant::FutureRevWatch, |world| {
            world.watch(A, "a", "", 3);
            world.told();
            world.put("a", "2");
            world.put("a", "3");
        });
        assert_eq!(wrong, ["1 #0 @2 put a=2@2", "1 #0 @3 put a=3@3"]);
        assert_eq!(right, ["1 #0 @3 put a=3@3"]);
    }

    #[test]
    fn progress_goes_ahead_of_events() {
        let [wrong, right] = both(Plant::ProgressOvertakesEvents, |world| {
            world.watch(A, "a", "", 0);
            world.told.room.insert(A, 0);
            world.put("a", "1");
            world.told();
            world.progress(A);
        });
        assert_eq!(wrong, ["1 #-1 @2"]);
        assert_eq!(right, [""; 0]);
    }

    #[test]
    fn the_pieces_of_a_split_reply_are_not_marked() {
        let events = vec![mvccpb::Event { kv: Some(mvccpb::KeyValue::default()), ..Default::default() }; 2];
        let response = WatchResponse { events, ..WatchResponse::default() };
        let marks = |plants| -> Vec<bool> {
            split(response.clone(), 1, plants).iter().map(|piece| piece.fragment).collect()
        };
        assert_eq!(marks(Plants::only(Plant::SplitRevision)), [false, false]);
        assert_eq!(marks(Plants::NONE), [true, false]);
    }
}
