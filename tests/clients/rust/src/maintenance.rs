//! Members, and how they are.

use etcd_client::{AlarmAction, AlarmType, Client};

use crate::Result;

pub async fn members(mut client: Client) -> Result {
    let list = client.member_list().await?;
    let [member] = list.members() else { panic!("one member: {list:?}") };
    assert_eq!(member.id(), list.header().unwrap().member_id());
    assert!(!member.is_learner() && !member.name().is_empty());
    assert_eq!(member.peer_urls().len(), 1);
    Ok(())
}

pub async fn status(mut client: Client) -> Result {
    let now = client.status().await?;
    assert!(now.version().starts_with("3."));
    assert_eq!(now.leader(), now.header().unwrap().member_id(), "a single member leads itself");
    assert!(now.db_size() > 0 && now.raft_term() > 0 && now.raft_index() >= now.raft_applied_index());
    assert!(now.errors().is_empty(), "{:?}", now.errors());
    Ok(())
}

/// Raises the alarm of a full disk: nothing can be put until it is disarmed.
pub async fn alarms(mut client: Client) -> Result {
    assert!(client.alarm(AlarmAction::Get, AlarmType::None, None).await?.alarms().is_empty());
    let raised = client.alarm(AlarmAction::Activate, AlarmType::Nospace, None).await?;
    assert_eq!(raised.alarms()[0].alarm(), AlarmType::Nospace);
    let full = client.put("alarms/key", "no room", None).await;
    crate::refused(full, "etcdserver: mvcc: database space exceeded")?;
    client.delete("alarms/key", None).await?;
    client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, None).await?;
    client.put("alarms/key", "room again", None).await?;
    Ok(())
}

/// The sum of all keys and their history, which equal members share.
pub async fn hash(mut client: Client) -> Result {
    let revision = client.put("hash/key", "1", None).await?.header().unwrap().revision();
    let before = client.hash_kv(0).await?.hash();
    client.put("hash/key", "2", None).await?;
    assert_ne!(client.hash_kv(0).await?.hash(), before, "a write changes it");
    assert_eq!(client.hash_kv(revision).await?.hash(), before, "the sum of a past revision stays");
    Ok(())
}

/// The sum of everything that a member stores.
pub async fn hash_all(mut client: Client) -> Result {
    let before = client.hash().await?.hash();
    client.put("hash/key", "3", None).await?;
    assert_ne!(client.hash().await?.hash(), before, "a write changes it");
    Ok(())
}

pub async fn defragment(mut client: Client) -> Result {
    client.put("defragment/key", "kept", None).await?;
    client.defragment().await?;
    assert_eq!(client.get("defragment/key", None).await?.kvs()[0].value_str()?, "kept");
    Ok(())
}

/// A copy of everything, in parts that say how much is still to come.
pub async fn snapshot(mut client: Client) -> Result {
    let mut parts = client.snapshot().await?;
    let (mut taken, mut remaining) = (0, 0);
    while let Some(part) = parts.message().await? {
        taken += part.blob().len();
        remaining = part.remaining_bytes();
    }
    assert_eq!(remaining, 0);
    assert_eq!(taken % 512, 32, "pages of 512 bytes and a sum of 32");
    Ok(())
}
