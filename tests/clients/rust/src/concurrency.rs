//! The locks and elections that the server itself offers.

use etcd_client::{Client, LockOptions, ProclaimOptions, ResignOptions};

use crate::Result;

/// Two owners, one lock. A lock lives as long as its lease.
pub async fn lock(mut client: Client) -> Result {
    let mine = client.lease_grant(30, None).await?.id();
    let yours = client.lease_grant(30, None).await?.id();
    let held = client.lock("door", Some(LockOptions::new().with_lease(mine))).await?;
    assert!(held.key().starts_with(b"door/"));
    assert_eq!(client.get(held.key(), None).await?.kvs()[0].lease(), mine, "the lock is a key");

    let mut other = client.clone();
    let waiting =
        tokio::spawn(async move { other.lock("door", Some(LockOptions::new().with_lease(yours))).await });
    client.unlock(held.key()).await?;
    let next = waiting.await.expect("the waiter did not panic")?;
    assert_ne!(next.key(), held.key());

    // The end of a lease opens the door, too.
    client.lease_revoke(yours).await?;
    let again = client.lock("door", Some(LockOptions::new().with_lease(mine))).await?;
    client.unlock(again.key()).await?;
    client.lease_revoke(mine).await?;

    // Without a lease the server grants one of its own.
    let short = client.lock("window", None).await?;
    client.unlock(short.key()).await?;
    Ok(())
}

/// Two candidates take turns at leading, and an observer follows.
pub async fn election(mut client: Client) -> Result {
    let one = client.lease_grant(30, None).await?.id();
    let two = client.lease_grant(30, None).await?.id();
    let won = client.campaign("seat", "one", one).await?;
    let leader = won.leader().expect("who wins gets the leader's key").clone();
    assert_eq!((leader.name_str()?, leader.lease()), ("seat", one));
    assert_eq!(client.leader("seat").await?.kv().unwrap().value_str()?, "one");

    let mut observed = client.observe("seat").await?;
    let first = observed.message().await?.expect("there is a leader");
    assert_eq!(first.kv().unwrap().value_str()?, "one");
    client.proclaim("one, still", Some(ProclaimOptions::new().with_leader(leader.clone()))).await?;
    let second = observed.message().await?.expect("the leader said something");
    assert_eq!(second.kv().unwrap().value_str()?, "one, still");

    let mut other = client.clone();
    let waiting = tokio::spawn(async move { other.campaign("seat", "two", two).await });
    client.resign(Some(ResignOptions::new().with_leader(leader))).await?;
    let next = waiting.await.expect("the candidate did not panic")?;
    assert_eq!(next.leader().unwrap().lease(), two);
    let third = observed.message().await?.expect("there is another leader");
    assert_eq!(third.kv().unwrap().value_str()?, "two");
    client.lease_revoke(two).await?;
    client.lease_revoke(one).await?;
    Ok(())
}
