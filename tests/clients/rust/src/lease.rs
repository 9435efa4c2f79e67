//! Keys with a life that must be renewed.

use etcd_client::{Client, LeaseGrantOptions, LeaseTimeToLiveOptions, PutOptions};

use crate::{Result, refused};

pub async fn lease(mut client: Client) -> Result {
    let granted = client.lease_grant(60, None).await?;
    assert_eq!(granted.ttl(), 60);
    let id = granted.id();
    for key in ["lease/a", "lease/b"] {
        client.put(key, "leased", Some(PutOptions::new().with_lease(id))).await?;
    }
    assert_eq!(client.get("lease/a", None).await?.kvs()[0].lease(), id);

    let left = client.lease_time_to_live(id, Some(LeaseTimeToLiveOptions::new().with_keys())).await?;
    assert_eq!(left.granted_ttl(), 60);
    assert!((1..=60).contains(&left.ttl()));
    assert_eq!(left.keys().len(), 2);
    assert!(client.leases().await?.leases().iter().any(|lease| lease.id() == id));

    let (mut keeper, mut answers) = client.lease_keep_alive(id).await?;
    keeper.keep_alive().await?;
    let answer = answers.message().await?.expect("the stream answers");
    assert_eq!((answer.id(), answer.ttl()), (id, 60));

    // A put without the lease takes the key off it; ignore_lease leaves it on.
    client.put("lease/b", "free", None).await?;
    client.put("lease/a", "still leased", Some(PutOptions::new().with_ignore_lease())).await?;
    client.lease_revoke(id).await?;
    assert_eq!(client.get("lease/a", None).await?.count(), 0);
    assert_eq!(client.get("lease/b", None).await?.count(), 1);

    refused(client.lease_revoke(id).await, "etcdserver: requested lease not found")?;
    let late = client.put("lease/c", "", Some(PutOptions::new().with_lease(id))).await;
    refused(late, "etcdserver: requested lease not found")?;
    assert_eq!(client.lease_time_to_live(id, None).await?.ttl(), -1);
    keeper.keep_alive().await?;
    let answer = answers.message().await?.expect("the stream answers");
    assert_eq!(answer.ttl(), 0, "a lease that is gone cannot be renewed");

    let chosen = client.lease_grant(60, Some(LeaseGrantOptions::new().with_id(4711))).await?;
    assert_eq!(chosen.id(), 4711);
    let twice = client.lease_grant(60, Some(LeaseGrantOptions::new().with_id(4711))).await;
    refused(twice, "etcdserver: lease already exists")?;
    client.lease_revoke(4711).await?;
    Ok(())
}
