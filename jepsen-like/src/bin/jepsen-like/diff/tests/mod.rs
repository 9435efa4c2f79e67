//! The judge itself on trial: against answers that are written down here, and against a server that lies.

mod fake;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use detcd_proto::etcdserverpb as pb;
use detcd_proto::mvccpb::KeyValue;
use prost_reflect::DynamicMessage;

use self::fake::Lie;
use super::answer::{Answer, differences};
use super::duel::{Clash, Duel, Outcome};
use super::explained::explain;
use super::generate::{Area, Workload};
use super::normal::Normaliser;
use super::plan::{Action, Step, encoded, path};
use super::schema::Schema;
use super::shrink::{self, Found};
use super::symbol::{Moment, compacted, now};
use clap::ValueEnum as _;

fn message(schema: &Schema, name: &str, typed: &impl prost::Message) -> DynamicMessage {
    let method = schema.method(name).unwrap();
    let bytes: Bytes = typed.encode_to_vec().into();
    // Requests and answers come through the same door.
    schema.decode(method.output(), bytes).unwrap()
}

fn request(schema: &Schema, name: &str, typed: &impl prost::Message) -> DynamicMessage {
    schema.decode(schema.method(name).unwrap().input(), typed.encode_to_vec().into()).unwrap()
}

fn answer(message: DynamicMessage) -> Answer {
    Answer { messages: vec![message], ..Answer::empty() }
}

fn pair(key: &'static str, version: i64, value: &'static str) -> KeyValue {
    KeyValue { key: key.into(), value: value.into(), version, mod_revision: 9, create_revision: 2, lease: 0 }
}

fn header(revision: i64, raft_term: u64) -> Option<pb::ResponseHeader> {
    Some(pb::ResponseHeader { cluster_id: 1, member_id: 2, revision, raft_term })
}

#[test]
fn the_same_seed_gives_the_same_workload() {
    let areas = Area::value_variants();
    let steps = |seed| Workload::new(seed, areas).take(3000).collect::<Vec<Step>>();
    assert_eq!(steps(5), steps(5));
    assert_ne!(steps(5), steps(6));
    // Whoever saved a seed wants it back: this sum may only change together with the generator.
    let kinds: BTreeSet<&str> = steps(5).iter().map(Step::path).collect();
    assert!(kinds.len() > 45, "{kinds:?}");
}

#[test]
fn every_method_is_asked_for() {
    let asked: BTreeSet<&str> = (0..20)
        .flat_map(|seed| Workload::new(seed, Area::value_variants()).take(3000))
        .map(|s| s.path())
        .collect();
    let missing: Vec<String> =
        Schema::new().paths().into_iter().filter(|path| !asked.contains(path.as_str())).collect();
    assert_eq!(missing, [] as [&str; 0]);
}

#[test]
fn symbols_become_numbers() {
    let moment = Moment { revision: 40, compacted: 7 };
    assert_eq!([now(0), now(-3), now(5), now(-100)].map(|s| moment.resolve(s)), [40, 37, 45, 0]);
    assert_eq!([compacted(0), compacted(-2), compacted(-9)].map(|s| moment.resolve(s)), [7, 5, 0]);
    assert_eq!([0, -1, i64::MAX, i64::MIN, 17].map(|s| moment.resolve(s)), [0, -1, i64::MAX, i64::MIN, 17]);
}

#[test]
fn every_field_is_compared() {
    let schema = Schema::new();
    let range = |kvs: Vec<KeyValue>, revision, more| {
        let typed = pb::RangeResponse { header: header(revision, 2), count: kvs.len() as i64, kvs, more };
        answer(message(&schema, path::RANGE, &typed))
    };
    let told = |a: &Answer, b: &Answer| {
        differences(a, b).into_iter().map(|d| (d.path, d.a, d.b)).collect::<Vec<_>>()
    };
    let some = |text: &str| Some(text.to_owned());
    let one = range(vec![pair("a", 1, "x")], 9, false);
    assert_eq!(told(&one, &one), []);
    assert_eq!(
        told(&one, &range(vec![pair("a", 2, "x")], 8, true)),
        [
            ("[0].header.revision".to_owned(), some("9"), some("8")),
            ("[0].kvs[0].version".to_owned(), some("1"), some("2")),
            ("[0].more".to_owned(), None, some("true")),
        ]
    );
    let refused = Answer::failed(&tonic::Status::not_found("etcdserver: requested lease not found"));
    let other = Answer::failed(&tonic::Status::not_found("etcdserver: key not found"));
    assert_eq!(told(&one, &refused)[0].0, "status");
    assert_eq!(told(&refused, &other).len(), 1);
    // A field that only newer servers know.
    let strange: Bytes = Bytes::from_static(b"\x98\x06\x01");
    let kind = schema.method(path::RANGE).unwrap().output();
    let strange = answer(schema.decode(kind, strange).unwrap());
    assert!(told(&strange, &answer(message(&schema, path::RANGE, &pb::RangeResponse::default()))).len() == 1);
}

#[test]
fn what_no_two_servers_share_is_taken_out() {
    let schema = Schema::new();
    let normaliser = Normaliser { hide_ids: false };
    let same = |path: &str, asked: &DynamicMessage, a: DynamicMessage, b: DynamicMessage| {
        let [mut a, mut b] = [answer(a), answer(b)];
        normaliser.normalise(path, Some(asked), &mut a);
        normaliser.normalise(path, Some(asked), &mut b);
        a == b
    };
    let asked = request(&schema, path::LEASE_TIME_TO_LIVE, &pb::LeaseTimeToLiveRequest { id: 1, keys: true });
    let left = |ttl, keys: &[&'static str]| {
        let keys = keys.iter().map(|key| Bytes::from_static(key.as_bytes())).collect();
        let typed =
            pb::LeaseTimeToLiveResponse { header: header(3, ttl as u64), id: 1, ttl, granted_ttl: 60, keys };
        message(&schema, path::LEASE_TIME_TO_LIVE, &typed)
    };
    assert!(same(path::LEASE_TIME_TO_LIVE, &asked, left(59, &["a", "b"]), left(57, &["b", "a"])));
    assert!(!same(path::LEASE_TIME_TO_LIVE, &asked, left(59, &["a"]), left(59, &["b"])));
    assert!(!same(path::LEASE_TIME_TO_LIVE, &asked, left(59, &[]), left(61, &[])));

    let sorted = |limit| {
        let typed = pb::RangeRequest { sort_target: 1, limit, ..Default::default() };
        request(&schema, path::RANGE, &typed)
    };
    let found = |pairs: &[KeyValue], more| {
        let typed = pb::RangeResponse { header: header(9, 2), kvs: pairs.to_vec(), more, count: 3 };
        message(&schema, path::RANGE, &typed)
    };
    let [a, b, c] = [pair("a", 1, "x"), pair("b", 1, "y"), pair("c", 2, "z")];
    let whole =
        |first: &KeyValue, second: &KeyValue| found(&[first.clone(), second.clone(), c.clone()], false);
    assert!(same(path::RANGE, &sorted(0), whole(&a, &b), whole(&b, &a)));
    assert!(!same(path::RANGE, &sorted(0), whole(&a, &b), whole(&a, &a)));
    assert!(same(path::RANGE, &sorted(1), found(std::slice::from_ref(&a), true), found(&[b], true)));
    assert!(!same(path::RANGE, &sorted(1), found(&[a], true), found(&[c], true)));
}

#[test]
fn a_request_is_made_simpler_part_by_part() {
    let schema = Schema::new();
    let put = pb::PutRequest { key: "k".into(), value: "v".into(), prev_kv: true, ..Default::default() };
    let step = Step::unary(path::PUT, &put);
    let mut choices = Vec::new();
    while let Some(simpler) = shrink::simpler(&schema, &step, choices.len()) {
        choices.push(simpler);
    }
    let expected = [
        pb::PutRequest { key: Bytes::new(), ..put.clone() },
        pb::PutRequest { value: Bytes::new(), ..put.clone() },
        pb::PutRequest { prev_kv: false, ..put },
    ];
    assert_eq!(choices, expected.map(|put| Step::unary(path::PUT, &put)));
}

/// Plays steps on a fresh honest server and a fresh one that lies.
async fn attempt(schema: &Schema, steps: &[Step], lie: Lie) -> Option<Found> {
    let normaliser = Normaliser { hide_ids: false };
    let mut built = BTreeSet::new();
    let servers = [fake::serve(Lie::None).await, fake::serve(lie).await];
    let mut duel = Duel::new(schema, &normaliser, servers, &mut built);
    for (at, step) in steps.iter().enumerate() {
        if let Outcome::Different(clash) = duel.play(step).await
            && explain(&clash).is_none()
        {
            return Some((at, clash));
        }
    }
    None
}

async fn found_and_made_small(lie: Lie) -> (Vec<Step>, Box<Clash>) {
    let schema = Schema::new();
    let steps: Vec<Step> = Workload::new(3, &[Area::Kv]).take(4000).collect();
    let (at, clash) = attempt(&schema, &steps, lie).await.expect("a lie is found");
    let kind = clash.fingerprint();
    let again = async |steps: &[Step]| Ok::<_, String>(attempt(&schema, steps, lie).await);
    let small = shrink::shrink(&schema, steps[..=at].to_vec(), clash, Duration::from_secs(60), again).await;
    let small = small.unwrap();
    assert_eq!(small.clash.fingerprint(), kind);
    (small.steps, small.clash)
}

#[tokio::test]
async fn two_honest_servers_are_the_same() {
    let steps: Vec<Step> = Workload::new(3, &[Area::Kv]).take(600).collect();
    assert!(attempt(&Schema::new(), &steps, Lie::None).await.is_none());
}

#[tokio::test]
async fn a_wrong_version_is_found_and_made_small() {
    let (steps, clash) = found_and_made_small(Lie::Version).await;
    assert_eq!(clash.path, path::RANGE);
    assert_eq!(clash.differences.iter().map(|d| d.kind()).collect::<Vec<_>>(), [".kvs.version"]);
    // Two puts of one key make its version wrong, and a range shows it.
    let puts = steps.iter().filter(|step| step.path() == path::PUT).count();
    assert_eq!((puts, steps.len()), (2, 3), "{steps:?}");
}

#[tokio::test]
async fn a_wrong_text_is_found_and_made_small() {
    let (steps, clash) = found_and_made_small(Lie::Text).await;
    assert_eq!(clash.differences[0].path, "status");
    assert_eq!(steps.len(), 1, "{steps:?}");
    let Action::Unary { request, .. } = &steps[0].action else { panic!("{steps:?}") };
    assert_eq!(*request, encoded(&pb::PutRequest::default()));
}

#[tokio::test]
async fn what_is_not_built_is_no_difference() {
    let schema = Schema::new();
    let normaliser = Normaliser { hide_ids: false };
    let mut built = BTreeSet::new();
    let servers = [fake::serve(Lie::NotBuilt).await, fake::serve(Lie::None).await];
    let mut duel = Duel::new(&schema, &normaliser, servers, &mut built);
    let outcome = duel.play(&Step::unary(path::RANGE, &pb::RangeRequest::default())).await;
    assert!(matches!(outcome, Outcome::NotBuilt), "{outcome:?}");
}
