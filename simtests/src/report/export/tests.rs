//! A small run by hand, with everything in it that could break a format, and what becomes of it.
use super::*;
use crate::report::recording::{Accused, Change, Fate, MemberFile, Reply, Ruling, WatchStream, Watcher};
use crate::report::{
    points::Point,
    recording::{Call, FORMAT},
};
use detcd_jepsen_like::history::{
    DeleteRequest, KeyValue, Operation, Outcome, PutResponse, RangeResponse, Request, Response,
};
use detcd_runtime_sim::{Event, Recorded};
use serde_json::Value;

const NASTY: &str = "\"</script>\\\n\t{:a 1}";

fn call(id: usize, client: u32, clock: (u64, u64), request: Request, outcome: Outcome) -> Call {
    let fate = match outcome {
        Outcome::Ok(_) => Fate::Ok,
        Outcome::Failed(_) => Fate::Refused,
        Outcome::Unknown(_) => Fate::Unknown,
    };
    Call {
        id,
        client,
        member: Some(0),
        call: clock.0 * 10,
        ret: Some(clock.1 * 10),
        request: NASTY.into(),
        response: NASTY.into(),
        fate,
        point: Some(Point { revision: 2, at: clock.0 * 10 }),
        accused: Accused::No,
        call_event: None,
        ret_event: None,
        operation: Operation { client, call: clock.0, ret: Some(clock.1), request, outcome },
    }
}

fn recording() -> Recording {
    let event = |at, event: Event<&str>| Recorded { at, event: event.owned() };
    let put = Outcome::Ok(Response::Put(PutResponse { revision: 2, prev_kv: None }));
    let kv = KeyValue {
        key: "a".into(),
        value: NASTY.into(),
        create_revision: 2,
        mod_revision: 2,
        version: 1,
        lease: 0,
    };
    let seen = RangeResponse { revision: 2, kvs: vec![kv.clone()], more: false, count: 1 };
    let all = DeleteRequest { key: "a".into(), range_end: "z".into(), prev_kv: false };
    let lost = || Outcome::Unknown(NASTY.into());
    let reply = Reply {
        at: 70,
        revision: 2,
        created: false,
        cancelled: false,
        compact_revision: 0,
        events: vec![Change { is_delete: false, kv, prev_kv: None }],
    };
    Recording {
        format: FORMAT,
        title: NASTY.into(),
        members: 2,
        simulated_ns: 1_000,
        verdict: Ruling { word: "FAIL".into(), judge: "x".into(), text: NASTY.into(), at: 60, event: None },
        events: vec![
            event(1, Event::Boot { member: 0, life: 1 }),
            event(2, Event::Note { member: 0, line: NASTY }),
            event(3, Event::Send { from: 0, to: 1, kind: 3, term: 1, index: 2, bytes: 3, sum: u64::MAX }),
            event(4, Event::Client { client: 1, line: NASTY }),
            event(5, Event::Deliver { from: 0, to: 1, kind: 3, sum: u64::MAX }),
            event(6, Event::Story { line: NASTY }),
        ],
        calls: vec![
            call(0, 1, (1, 2), Request::put("a", NASTY), put),
            call(1, 1, (3, 4), Request::put("a", "lost"), lost()),
            call(2, 1, (5, 6), Request::get("a"), Outcome::Ok(Response::Range(seen))),
            call(3, 2, (7, 8), Request::Delete(all), lost()),
        ],
        watchers: vec![Watcher {
            number: 100,
            key: "a".into(),
            range_end: "b".into(),
            prev_kv: true,
            no_puts: false,
            no_deletes: false,
            streams: vec![WatchStream { at: 60, member: 0, start_revision: 2, replies: vec![reply] }],
        }],
        files: vec![MemberFile { member: 1, name: "member/wal/0.wal".into(), content: vec![0, 255] }],
        ..Recording::default()
    }
}

#[test]
fn shiviz_has_two_lines_per_event_and_clocks_that_follow_messages() {
    let text = shiviz(&recording());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], [r"(?<time>\S*) (?<event>.*)\n(?<host>\S*) (?<clock>\{.*\})", ""]);
    assert_eq!(lines.len(), 2 + 2 * recording().events.len());
    let clocks: Vec<&str> = lines[3..].iter().step_by(2).copied().collect();
    let expected = [
        r#"m1 {"m1":1}"#,
        r#"m1 {"m1":2}"#,
        r#"m1 {"m1":3}"#,
        r#"c1 {"c1":1}"#,
        r#"m2 {"m1":3,"m2":1}"#,
        r#"nemesis {"nemesis":1}"#,
    ];
    assert_eq!(clocks, expected);
    assert!(lines[4].starts_with("0.000000002 m1 note \"</script>\\\\n"), "{}", lines[4]);
}

#[test]
fn perfetto_is_json_with_a_flow_for_each_message() {
    let trace: Value = serde_json::from_str(&perfetto(&recording())).expect("it is JSON");
    let events = trace["traceEvents"].as_array().expect("it is a list");
    let of = |phase: &str| events.iter().filter(|event| event["ph"] == phase).collect::<Vec<_>>();
    let (starts, ends) = (of("s"), of("f"));
    assert_eq!((starts.len(), ends.len()), (1, 1));
    assert_eq!(starts[0]["id"], ends[0]["id"]);
    assert_eq!((&starts[0]["tid"], &ends[0]["tid"]), (&Value::from(11), &Value::from(21)));
    assert_eq!(starts[0]["ts"], Value::from(0.003));
    assert!(events.iter().any(|event| event["ph"] == "X" && event["name"] == NASTY));
    for event in events {
        assert!(event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
    }
}

#[test]
fn edn_escapes_strings_and_ends_a_process_that_does_not_know() {
    let mut recording = recording();
    recording.calls.truncate(3);
    let text = edn(&recording);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6);
    // A history escapes what is not printable by itself; its backslashes are escaped here.
    let value = r#"{:key "a", :value "\"</script>\\\\\\x0a\\x09{:a 1}"}"#;
    let expected = format!("{{:process 1 :type :invoke :f :put :value {value} :time 10 :index 0}}");
    assert_eq!(lines[0], expected);
    assert_eq!(lines[1], "{:process 1 :type :ok :f :put :value {:revision 2} :time 20 :index 1}");
    let lost = r#"{:process 1 :type :info :f :put :value "\"</script>\\\n\t{:a 1}" :time 40 :index 3}"#;
    assert_eq!(lines[3], lost);
    assert!(lines[4].starts_with("{:process 3 :type :invoke :f :range "), "{}", lines[4]);
}

fn values(pieces: &[Piece], path: &str) -> Vec<Value> {
    let piece = pieces.iter().find(|piece| piece.path == Path::new(path)).expect("the file is there");
    let text = std::str::from_utf8(&piece.content).expect("it is text");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn robustness_has_the_shape_of_etcds_reports() {
    let (pieces, left_out) = robustness(&recording());
    assert_eq!(left_out, LeftOut { reads: 0, writes: 1, watchers: 0, expiries: 0 });
    assert!(left_out.sentence().expect("something is").contains("cannot follow"));
    let paths: Vec<&str> = pieces.iter().filter_map(|piece| piece.path.to_str()).collect();
    let expected = [
        "client-1/operations.json",
        "client-3/operations.json",
        "client-100/watch.json",
        "server-m2/member/wal/0.wal",
        "traffic.json",
    ];
    assert_eq!(paths, expected);
    let operations = values(&pieces, "client-1/operations.json");
    let put = &operations[0]["Input"]["Txn"]["OperationsOnSuccess"][0];
    assert_eq!((&put["Type"], &put["Put"]["Key"]), (&Value::from("put-operation"), &Value::from("a")));
    assert_eq!(operations[0]["Output"]["Revision"], 2);
    // Without an answer it lasts to the end, and the client goes on in another stream.
    assert_eq!(
        (&operations[1]["Output"]["Error"], &operations[1]["Return"]),
        (&NASTY.into(), &1_000_001_000_u64.into())
    );
    let streams: Vec<&Value> = operations.iter().map(|operation| &operation["ClientId"]).collect();
    assert_eq!(streams, [1, 1, 4]);
    let nothing = &values(&pieces, "client-3/operations.json")[0];
    assert_eq!(
        (&nothing["Output"]["Revision"], &nothing["Output"]["Range"]["Count"]),
        (&1.into(), &0.into())
    );
    assert_eq!(operations[2]["Output"]["Range"]["KVs"][0]["Value"]["Value"], NASTY);
    assert_eq!(super::robustness::fnv1a(b"foobar"), 0xbf9c_f968);
    let watch = &values(&pieces, "client-100/watch.json")[0];
    assert_eq!((&watch["Request"]["WithPrefix"], &watch["Request"]["Revision"]), (&true.into(), &2.into()));
    let event = &watch["Responses"][0]["Events"][0];
    assert_eq!(
        (&event["Revision"], &event["IsCreate"], &event["Type"]),
        (&2.into(), &true.into(), &"put-operation".into())
    );
}

#[test]
fn a_recording_comes_back_from_its_json() {
    let recording = recording();
    let (pieces, remark) = pieces(&recording, Format::Recording);
    assert_eq!(remark, None);
    let back =
        Recording::parse(std::str::from_utf8(&pieces[0].content).expect("it is text")).expect("it parses");
    assert_eq!(back, Recording { files: Vec::new(), ..recording });
}
