//! Whole members on a small world of their own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
mod one;
mod three;
mod world;

use detcd_core::{Config, Refusal};
use detcd_driver::Node;
use detcd_proto::etcdserverpb as pb;
use world::{Machine, World};

pub type TestNode = Node<Machine>;

pub fn put(world: &World, node: &TestNode, key: &str, value: &str) -> Result<i64, Refusal> {
    let (node, key, value) = (node.clone(), key.to_string(), value.to_string());
    world.run(async move {
        let request = pb::PutRequest { key: key.into(), value: value.into(), ..Default::default() };
        node.put(request).await.map(|response| response.header.unwrap().revision)
    })
}

pub fn get(world: &World, node: &TestNode, key: &str) -> Result<Option<String>, Refusal> {
    let (node, key) = (node.clone(), key.to_string());
    world.run(async move {
        let request = pb::RangeRequest { key: key.into(), ..Default::default() };
        let response = node.range(request).await?;
        Ok(response.kvs.first().map(|kv| String::from_utf8(kv.value.to_vec()).unwrap()))
    })
}

pub fn ready(world: &World, config: &Config) -> TestNode {
    let node = world.start(config).unwrap();
    let handle = node.clone();
    world.run(async move { handle.ready().await });
    node
}
