//! Three members: one leads, two follow, and any of them may die.
use super::{TestNode, get, put, ready};
use crate::world::{World, cluster};
use detcd_core::{Config, Refusal, Span};
use detcd_proto::etcdserverpb::{self as pb, downgrade_request::DowngradeAction};
use std::{future::poll_fn, task::Poll};

fn start(world: &World) -> (Vec<Config>, Vec<TestNode>) {
    let configs = cluster(3);
    let nodes: Vec<TestNode> = configs.iter().map(|config| world.start(config).unwrap()).collect();
    for node in &nodes {
        let node = node.clone();
        world.run(async move { node.ready().await });
    }
    (configs, nodes)
}

fn leader(world: &World, nodes: &[TestNode]) -> usize {
    for _ in 0..200 {
        world.sleep(Span::millis(50));
        let led = nodes.iter().position(|n| n.latest().standing.leader == Some(n.config().me.id));
        if let Some(led) = led {
            return led;
        }
    }
    panic!("nobody leads");
}

#[test]
fn writes_at_one_are_read_at_the_others() {
    let world = World::default();
    let (_, nodes) = start(&world);
    for (number, node) in nodes.iter().enumerate() {
        put(&world, node, "k", &number.to_string()).unwrap();
        for other in &nodes {
            assert_eq!(get(&world, other, "k"), Ok(Some(number.to_string())));
        }
    }
    world.sleep(Span::secs(5));
    for node in &nodes {
        let view = &node.latest().view;
        assert_eq!(view.cluster_version.as_deref().map(String::as_str), Some("3.7.0"));
        assert!(view.members.iter().all(|member| member.client_urls.len() == 1));
    }
}

#[test]
fn the_others_go_on_without_their_leader_and_it_catches_up() {
    let world = World::default();
    let (configs, mut nodes) = start(&world);
    put(&world, &nodes[0], "before", "1").unwrap();
    let old = leader(&world, &nodes);
    world.cut_power(configs[old].me.id);
    let rest: Vec<TestNode> =
        nodes.iter().enumerate().filter(|(n, _)| *n != old).map(|(_, n)| n.clone()).collect();
    let began = world.now();
    leader(&world, &rest);
    put(&world, &rest[0], "after", "2").unwrap();
    assert!(world.now() - began < Span::secs(4));
    nodes[old] = ready(&world, &configs[old]);
    assert_eq!(get(&world, &nodes[old], "before"), Ok(Some("1".into())));
    assert_eq!(get(&world, &nodes[old], "after"), Ok(Some("2".into())));
}

#[test]
fn all_lose_power_and_nothing_acknowledged_is_lost() {
    let world = World::default();
    let (configs, mut nodes) = start(&world);
    for round in 0..5 {
        for (number, node) in nodes.iter().enumerate() {
            put(&world, node, &format!("{round}-{number}"), "v").unwrap();
        }
        for config in &configs {
            world.cut_power(config.me.id);
        }
        nodes = configs.iter().map(|config| world.start(config).unwrap()).collect();
        for node in &nodes {
            let node = node.clone();
            world.run(async move { node.ready().await });
        }
        for number in 0..3 {
            assert_eq!(get(&world, &nodes[2 - number], &format!("{round}-{number}")), Ok(Some("v".into())));
        }
    }
}

#[test]
fn a_member_without_the_others_answers_no_linearizable_read_and_no_write() {
    let world = World::default();
    let (configs, nodes) = start(&world);
    put(&world, &nodes[0], "k", "1").unwrap();
    let led = leader(&world, &nodes);
    world.set_apart(configs[led].me.id, true);
    assert_eq!(get(&world, &nodes[led], "k"), Err(Refusal::Timeout));
    assert_eq!(put(&world, &nodes[led], "k", "2"), Err(Refusal::DeadlineExceeded));
    let node = nodes[led].clone();
    let stale = world.run(async move {
        node.range(pb::RangeRequest { key: "k".into(), serializable: true, ..Default::default() }).await
    });
    assert_eq!(stale.unwrap().count, 1);
    world.set_apart(configs[led].me.id, false);
    world.sleep(Span::secs(3));
    put(&world, &nodes[led], "k", "3").unwrap();
    assert_eq!(get(&world, &nodes[(led + 1) % 3], "k"), Ok(Some("3".into())));
}

#[test]
fn a_leader_that_stops_hands_over_first() {
    let world = World::default();
    let (configs, nodes) = start(&world);
    let led = leader(&world, &nodes);
    let node = nodes[led].clone();
    world.run(async move { node.stop().await });
    world.kill(configs[led].me.id);
    let began = world.now();
    put(&world, &nodes[(led + 1) % 3], "k", "v").unwrap();
    assert!(world.now() - began < Span::millis(100), "no election was waited for");
}

#[test]
fn all_who_ask_for_the_same_heir_hear_that_it_leads() {
    let world = World::default();
    let (configs, nodes) = start(&world);
    let led = leader(&world, &nodes);
    let heir = (led + 1) % 3;
    let node = nodes[led].clone();
    let to = pb::MoveLeaderRequest { target_id: configs[heir].me.id.0 };
    let answers = world.run(async move {
        let mut asked = [Box::pin(node.move_leader(to)), Box::pin(node.move_leader(to))];
        let mut answers = [None, None];
        poll_fn(|cx| {
            for (answer, ask) in answers.iter_mut().zip(&mut asked) {
                if answer.is_none()
                    && let Poll::Ready(told) = ask.as_mut().poll(cx)
                {
                    *answer = Some(told);
                }
            }
            if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        answers
    });
    assert_eq!(
        answers,
        [Some(Ok(pb::MoveLeaderResponse::default())), Some(Ok(pb::MoveLeaderResponse::default()))]
    );
    assert_eq!(leader(&world, &nodes), heir);
    let node = nodes[led].clone();
    let refused = world.run(async move { node.move_leader(to).await });
    assert_eq!(refused, Err(Refusal::NotLeader), "it leads no more");
}

#[test]
fn a_cluster_goes_back_to_the_version_before_and_up_again() {
    let world = World::default();
    let (_, nodes) = start(&world);
    world.sleep(Span::secs(5));
    let ask = |at: usize, action: DowngradeAction| {
        let node = nodes[at].clone();
        let request = pb::DowngradeRequest { action: action.into(), version: "3.6".to_string() };
        world.run(async move { node.downgrade(request).await }).map(|answer| answer.version)
    };
    let versions = |node: &TestNode| {
        let view = node.latest().view.clone();
        (view.cluster_version.map(|version| version.to_string()), view.downgrade.is_some())
    };
    assert_eq!(ask(0, DowngradeAction::Enable), Ok("3.7".to_string()));
    assert_eq!(ask(1, DowngradeAction::Enable), Err(Refusal::DowngradeInProcess));
    world.sleep(Span::secs(5));
    for node in &nodes {
        assert_eq!(versions(node), (Some("3.6.0".to_string()), true));
    }
    assert_eq!(ask(2, DowngradeAction::Cancel), Ok("3.6".to_string()));
    world.sleep(Span::secs(5));
    for node in &nodes {
        assert_eq!(versions(node), (Some("3.7.0".to_string()), false));
    }
}

fn grant(world: &World, node: &TestNode, ttl: i64) -> i64 {
    let node = node.clone();
    let grant = pb::LeaseGrantRequest { ttl, ..Default::default() };
    world.run(async move { node.lease_grant(grant).await }).unwrap().id
}

fn keep_alive(world: &World, node: &TestNode, id: i64) -> Result<i64, Refusal> {
    let node = node.clone();
    world.run(
        async move { node.lease_keep_alive(pb::LeaseKeepAliveRequest { id }).await.map(|kept| kept.ttl) },
    )
}

fn time_to_live(world: &World, node: &TestNode, id: i64) -> pb::LeaseTimeToLiveResponse {
    let node = node.clone();
    let request = pb::LeaseTimeToLiveRequest { id, keys: true };
    world.run(async move { node.lease_time_to_live(request).await }).unwrap()
}

#[test]
fn leases_live_as_long_as_somebody_renews_them_at_any_member() {
    let world = World::default();
    let (_, nodes) = start(&world);
    let id = grant(&world, &nodes[0], 5);
    assert!(id > 0);
    let (node, lease) = (nodes[1].clone(), id);
    world.run(async move {
        let put = pb::PutRequest { key: "leased".into(), lease, ..Default::default() };
        node.put(put).await.unwrap();
    });
    for round in 0..4 {
        world.sleep(Span::secs(3));
        assert_eq!(keep_alive(&world, &nodes[round % 3], id), Ok(5));
    }
    for node in &nodes {
        let answer = time_to_live(&world, node, id);
        assert_eq!((answer.ttl, answer.granted_ttl, answer.keys.len()), (4, 5, 1));
    }
    assert_eq!(get(&world, &nodes[2], "leased"), Ok(Some(String::new())));
    world.sleep(Span::secs(6));
    for node in &nodes {
        assert_eq!(keep_alive(&world, node, id), Ok(0));
        assert_eq!(time_to_live(&world, node, id).ttl, -1);
        assert_eq!(get(&world, node, "leased"), Ok(None));
    }
}

#[test]
fn a_new_leader_gives_leases_their_time_again() {
    let world = World::default();
    let (configs, nodes) = start(&world);
    let id = grant(&world, &nodes[0], 5);
    world.sleep(Span::secs(4));
    let led = leader(&world, &nodes);
    world.kill(configs[led].me.id);
    let rest: Vec<TestNode> =
        nodes.iter().enumerate().filter(|(n, _)| *n != led).map(|(_, n)| n.clone()).collect();
    leader(&world, &rest);
    world.sleep(Span::secs(4));
    assert!(time_to_live(&world, &rest[0], id).ttl >= 0, "not revoked early");
    world.sleep(Span::secs(3));
    assert_eq!(time_to_live(&world, &rest[0], id).ttl, -1);
}

#[test]
fn without_a_leader_a_renewal_ends_with_no_leader() {
    let world = World::default();
    let (configs, nodes) = start(&world);
    let id = grant(&world, &nodes[0], 50);
    world.kill(configs[1].me.id);
    world.kill(configs[2].me.id);
    world.sleep(Span::secs(5));
    assert_eq!(keep_alive(&world, &nodes[0], id), Err(Refusal::NoLeader));
}
