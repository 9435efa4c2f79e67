//! A member whose disk takes long to begin its log: who asks meanwhile is refused in time, and nobody spins.
use detcd_core::{
    ClusterId, Config, Effect, Effects, Input, Member, MemberId, Moment, Refusal, Replica, Span, Ticket,
};
use detcd_proto::etcdserverpb::{InternalRaftRequest, PutRequest};

#[test]
fn who_waits_for_a_log_that_does_not_begin_is_refused_and_nothing_stays_due() {
    let me = Member {
        id: MemberId(1),
        name: "one".to_string(),
        peer_urls: vec!["http://127.0.0.1:2380".to_string()],
        client_urls: Vec::new(),
        is_learner: false,
    };
    let config = Config::new(me.clone(), ClusterId(1), vec![me]);
    let timeout = config.request_timeout();
    let mut effects = Effects::default();
    let mut replica = Replica::boot(config, None, 1, Moment(1), &mut effects);
    let put = PutRequest { key: "k".into(), value: "v".into(), ..PutRequest::default() };
    let request = Box::new(InternalRaftRequest { put: Some(put), ..Default::default() });
    let asked = Moment(5);
    let inputs =
        [Input::Propose { ticket: Ticket(1), request }, Input::ReadPoint { ticket: Ticket(2) }].into_iter();
    let wake = replica.turn(asked, inputs, &mut effects);
    assert_eq!(wake, Some(asked + timeout));
    effects.drain().for_each(drop);

    let late = asked + timeout + Span::secs(1);
    let wake = replica.turn(late, [].into_iter(), &mut effects);
    assert!(wake.is_none_or(|wake| wake > late), "due again at once: {wake:?}");
    let mut refused: Vec<(Ticket, Refusal)> = effects
        .drain()
        .filter_map(|effect| match effect {
            Effect::Reply { ticket, outcome } => {
                Some((ticket, outcome.expect_err("nothing can be done yet")))
            }
            _ => None,
        })
        .collect();
    refused.sort_by_key(|(ticket, _)| ticket.0);
    assert_eq!(refused, [(Ticket(1), Refusal::DeadlineExceeded), (Ticket(2), Refusal::Timeout)]);
}
