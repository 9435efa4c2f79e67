//! Keys and values: puts, reads, transactions, deletions, compaction.

use etcd_client::{
    Client, CompactionOptions, Compare, CompareOp, DeleteOptions, GetOptions, GetResponse, KvClientPrefix,
    PutOptions, SortOrder, SortTarget, Txn, TxnOp, TxnOpResponse,
};

use crate::{Result, refused};

/// Puts and gets a key, and reads what it was before.
pub async fn kv(mut client: Client) -> Result {
    let first = client.put("kv/greeting", "hello", None).await?;
    let second = client.put("kv/greeting", "good morning", Some(PutOptions::new().with_prev_key())).await?;
    assert_eq!(second.prev_key().unwrap().value_str()?, "hello");
    let made = first.header().unwrap().revision();
    assert_eq!(second.header().unwrap().revision(), made + 1);

    let now = client.get("kv/greeting", None).await?;
    let pair = &now.kvs()[0];
    assert_eq!((now.count(), now.more()), (1, false));
    assert_eq!((pair.key_str()?, pair.value_str()?), ("kv/greeting", "good morning"));
    assert_eq!((pair.version(), pair.create_revision(), pair.mod_revision()), (2, made, made + 1));

    let local = client.get("kv/greeting", Some(GetOptions::new().with_serializable())).await?;
    assert_eq!(local.kvs()[0].value_str()?, "good morning");
    let old = client.get("kv/greeting", Some(GetOptions::new().with_revision(made))).await?;
    assert_eq!(old.kvs()[0].value_str()?, "hello");
    client.put("kv/greeting", "", Some(PutOptions::new().with_ignore_value())).await?;
    assert_eq!(client.get("kv/greeting", None).await?.kvs()[0].version(), 3);

    refused(client.put("", "value", None).await, "etcdserver: key is not provided")?;
    let absent = client.put("kv/absent", "", Some(PutOptions::new().with_ignore_value())).await;
    refused(absent, "etcdserver: key not found")?;
    let future = client.get("kv/greeting", Some(GetOptions::new().with_revision(made + 1000))).await;
    refused(future, "etcdserver: mvcc: required revision is a future revision")
}

/// Reads many keys: by prefix, in an order, a page at a time, only counted.
pub async fn range(mut client: Client) -> Result {
    for key in ["b", "a", "c", "d"] {
        client.put(format!("range/{key}"), format!("value of {key}"), None).await?;
    }
    client.put("range/b", "another value", None).await?;
    let prefix = || GetOptions::new().with_prefix();

    assert_eq!(keys(&client.get("range/", Some(prefix())).await?), "a b c d");
    let part = client.get("range/b", Some(GetOptions::new().with_range("range/d"))).await?;
    assert_eq!(keys(&part), "b c");
    let down = client.get("range/", Some(prefix().with_sort(SortTarget::Key, SortOrder::Descend))).await?;
    assert_eq!(keys(&down), "d c b a");
    let by_age =
        client.get("range/", Some(prefix().with_sort(SortTarget::Create, SortOrder::Ascend))).await?;
    assert_eq!(keys(&by_age), "b a c d");
    let by_change =
        client.get("range/", Some(prefix().with_sort(SortTarget::Mod, SortOrder::Ascend))).await?;
    assert_eq!(keys(&by_change), "a c d b");
    let by_value =
        client.get("range/", Some(prefix().with_sort(SortTarget::Value, SortOrder::Ascend))).await?;
    assert_eq!(keys(&by_value), "b a c d");

    let page = client.get("range/", Some(prefix().with_limit(3))).await?;
    assert_eq!((keys(&page).as_str(), page.more(), page.count()), ("a b c", true, 4));
    let counted = client.get("range/", Some(prefix().with_count_only())).await?;
    assert_eq!((counted.count(), counted.kvs().len()), (4, 0));
    let bare = client.get("range/", Some(prefix().with_keys_only())).await?;
    assert!(bare.kvs().iter().all(|pair| pair.value().is_empty()));
    let since = by_change.kvs()[3].mod_revision();
    assert_eq!(keys(&client.get("range/", Some(prefix().with_min_mod_revision(since))).await?), "b");
    Ok(())
}

fn keys(response: &GetResponse) -> String {
    let keys: Vec<&str> = response.kvs().iter().map(|pair| pair.key_str().unwrap()).collect();
    keys.join(" ").replace("range/", "")
}

/// Compares and then does one thing or the other, all at one revision.
pub async fn txn(mut client: Client) -> Result {
    client.put("txn/key", "1", None).await?;
    let revision = client.get("txn/key", None).await?.kvs()[0].mod_revision();
    let inner = Txn::new()
        .when([Compare::value("txn/key", CompareOp::Equal, "1")])
        .and_then([TxnOp::put("txn/inner", "judged before", None)])
        .or_else([TxnOp::put("txn/inner", "judged after", None)]);
    let swap = Txn::new()
        .when([
            Compare::value("txn/key", CompareOp::Equal, "1"),
            Compare::version("txn/key", CompareOp::Less, 2),
            Compare::mod_revision("txn/key", CompareOp::Equal, revision),
            Compare::create_revision("txn/absent", CompareOp::Equal, 0),
            Compare::lease("txn/key", CompareOp::Equal, 0),
            Compare::value("txn/", CompareOp::NotEqual, "").with_prefix(),
        ])
        .and_then([
            TxnOp::put("txn/key", "2", Some(PutOptions::new().with_prev_key())),
            TxnOp::get("txn/key", None),
            TxnOp::delete("txn/absent", None),
            TxnOp::txn(inner),
        ])
        .or_else([TxnOp::get("txn/key", None)]);

    let done = client.txn(swap.clone()).await?;
    assert!(done.succeeded());
    let answers = done.op_responses();
    let [
        TxnOpResponse::Put(put),
        TxnOpResponse::Get(got),
        TxnOpResponse::Delete(gone),
        TxnOpResponse::Txn(inner),
    ] = &answers[..]
    else {
        panic!("one answer for each operation: {answers:?}");
    };
    assert_eq!(put.prev_key().unwrap().value_str()?, "1");
    assert_eq!(got.kvs()[0].value_str()?, "2");
    assert_eq!(gone.deleted(), 0);
    assert!(inner.succeeded());
    assert_eq!(client.get("txn/inner", None).await?.kvs()[0].value_str()?, "judged before");

    let late = client.txn(swap).await?;
    assert!(!late.succeeded());
    let twice = Txn::new().and_then([TxnOp::put("k", "1", None), TxnOp::put("k", "2", None)]);
    refused(client.txn(twice).await, "etcdserver: duplicate key given in txn request")
}

/// Removes one key, a range, and a prefix.
pub async fn delete(mut client: Client) -> Result {
    for key in 1..=5 {
        client.put(format!("delete/{key}"), format!("v{key}"), None).await?;
    }
    let one = client.delete("delete/1", Some(DeleteOptions::new().with_prev_key())).await?;
    assert_eq!((one.deleted(), one.prev_kvs()[0].value_str()?), (1, "v1"));
    assert_eq!(client.delete("delete/1", None).await?.deleted(), 0);
    let two = client.delete("delete/2", Some(DeleteOptions::new().with_range("delete/4"))).await?;
    assert_eq!(two.deleted(), 2);
    let rest = client.delete("delete/", Some(DeleteOptions::new().with_prefix())).await?;
    assert_eq!(rest.deleted(), 2);
    Ok(())
}

/// Reads a range in chunks. Servers have it since etcd 3.7.
pub async fn stream(mut client: Client) -> Result {
    for key in 0..300 {
        client.put(format!("stream/{key:03}"), key.to_string(), None).await?;
    }
    let mut chunks = client.kv_client().get_stream("stream/", Some(GetOptions::new().with_prefix())).await?;
    let mut seen = Vec::new();
    while let Some(chunk) = chunks.message().await? {
        seen.extend(chunk.kvs().iter().map(|pair| pair.key().to_vec()));
    }
    assert_eq!(seen.len(), 300);
    assert!(seen.is_sorted());
    Ok(())
}

/// A prefix that the client adds and takes away by itself.
pub async fn namespace(mut client: Client) -> Result {
    let mut inside = KvClientPrefix::new(client.kv_client(), "namespace/".into());
    inside.put("key", "inside", None).await?;
    assert_eq!(inside.get("key", None).await?.kvs()[0].key_str()?, "key");
    assert_eq!(client.get("namespace/key", None).await?.kvs()[0].value_str()?, "inside");
    Ok(())
}

/// Forgets the past, and shows what asking for it says afterwards.
pub async fn compaction(mut client: Client) -> Result {
    let first = client.put("compaction/key", "1", None).await?.header().unwrap().revision();
    let last = client.put("compaction/key", "2", None).await?.header().unwrap().revision();
    client.compact(last, Some(CompactionOptions::new().with_physical())).await?;
    let at = |revision| Some(GetOptions::new().with_revision(revision));
    assert_eq!(client.get("compaction/key", at(last)).await?.kvs()[0].value_str()?, "2");
    let past = client.get("compaction/key", at(first)).await;
    refused(past, "etcdserver: mvcc: required revision has been compacted")?;
    let again = client.compact(last, None).await;
    refused(again, "etcdserver: mvcc: required revision has been compacted")?;
    let future = client.compact(last + 1000, None).await;
    refused(future, "etcdserver: mvcc: required revision is a future revision")
}
