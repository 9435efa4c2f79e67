package clients;

import static clients.Main.await;
import static clients.Main.bytes;
import static clients.Main.check;
import static clients.Main.keys;
import static clients.Main.refused;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.KV;
import io.etcd.jetcd.KeyValue;
import io.etcd.jetcd.Txn;
import io.etcd.jetcd.kv.DeleteResponse;
import io.etcd.jetcd.kv.GetResponse;
import io.etcd.jetcd.kv.PutResponse;
import io.etcd.jetcd.kv.TxnResponse;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.CompactOption;
import io.etcd.jetcd.options.DeleteOption;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.GetOption.SortOrder;
import io.etcd.jetcd.options.GetOption.SortTarget;
import io.etcd.jetcd.options.PutOption;

/** Keys and values: puts, reads, transactions, deletions, compaction. */
final class Keys {
  /** Puts and gets a key, and reads what it was before. */
  static void kv(Client client) throws Exception {
    KV kv = client.getKVClient();
    ByteSequence key = bytes("kv/greeting");
    PutResponse first = await(kv.put(key, bytes("hello")));
    PutResponse second = await(kv.put(key, bytes("good morning"), PutOption.builder().withPrevKV().build()));
    check(second.getPrevKv().getValue().equals(bytes("hello")), "prev_kv is the value before");
    long made = first.getHeader().getRevision();
    check(second.getHeader().getRevision() == made + 1, "a put makes the next revision");

    GetResponse now = await(kv.get(key));
    KeyValue pair = now.getKvs().get(0);
    check(now.getCount() == 1 && !now.isMore(), "the key is there once");
    check(pair.getValue().equals(bytes("good morning")), "the newest value is read");
    check(pair.getVersion() == 2 && pair.getLease() == 0, "two puts make version 2");
    check(pair.getCreateRevision() == made && pair.getModRevision() == made + 1, "made by the first, changed by the second");
    GetResponse old = await(kv.get(key, GetOption.builder().withRevision(made).build()));
    check(old.getKvs().get(0).getValue().equals(bytes("hello")), "the past can be read");
    GetResponse local = await(kv.get(key, GetOption.builder().withSerializable(true).build()));
    check(local.getCount() == 1, "any member may answer a serializable read");
    refused(kv.put(bytes(""), bytes("value")), "etcdserver: key is not provided");
    refused(
        kv.get(key, GetOption.builder().withRevision(made + 1000).build()),
        "etcdserver: mvcc: required revision is a future revision");
  }

  /** Reads many keys: by prefix, in an order, a page at a time, only counted. */
  static void range(Client client) throws Exception {
    KV kv = client.getKVClient();
    for (String key : new String[] {"b", "a", "c", "d"}) {
      await(kv.put(bytes("range/" + key), bytes("value of " + key)));
    }
    await(kv.put(bytes("range/b"), bytes("another value")));
    ByteSequence prefix = bytes("range/");

    String all = keys(await(kv.get(prefix, GetOption.builder().isPrefix(true).build())).getKvs());
    check(all.equals("range/a range/b range/c range/d"), "keys come in their order: " + all);
    GetOption part = GetOption.builder().withRange(bytes("range/d")).build();
    check(keys(await(kv.get(bytes("range/b"), part)).getKvs()).equals("range/b range/c"), "the end is not part of it");
    check(sorted(kv, SortTarget.KEY, SortOrder.DESCEND).startsWith("range/d"), "keys downwards");
    check(sorted(kv, SortTarget.CREATE, SortOrder.ASCEND).startsWith("range/b"), "by age");
    check(sorted(kv, SortTarget.MOD, SortOrder.ASCEND).endsWith("range/b"), "by change");
    check(sorted(kv, SortTarget.VERSION, SortOrder.DESCEND).startsWith("range/b"), "by version");
    check(sorted(kv, SortTarget.VALUE, SortOrder.ASCEND).startsWith("range/b"), "by value");

    GetResponse page = await(kv.get(prefix, GetOption.builder().isPrefix(true).withLimit(3).build()));
    check(page.getKvs().size() == 3 && page.isMore() && page.getCount() == 4, "a page of 3 of 4, and more to come");
    GetResponse counted = await(kv.get(prefix, GetOption.builder().isPrefix(true).withCountOnly(true).build()));
    check(counted.getCount() == 4 && counted.getKvs().isEmpty(), "only counted");
    GetResponse bare = await(kv.get(prefix, GetOption.builder().isPrefix(true).withKeysOnly(true).build()));
    check(bare.getKvs().get(0).getValue().isEmpty(), "keys without values");
  }

  private static String sorted(KV kv, SortTarget target, SortOrder order) throws Exception {
    GetOption option = GetOption.builder().isPrefix(true).withSortField(target).withSortOrder(order).build();
    return keys(await(kv.get(bytes("range/"), option)).getKvs());
  }

  /** Compares and then does one thing or the other, all at one revision. */
  static void txn(Client client) throws Exception {
    KV kv = client.getKVClient();
    ByteSequence key = bytes("txn/key");
    await(kv.put(key, bytes("1")));
    TxnResponse done = await(swap(kv, key).commit());
    check(done.isSucceeded(), "every comparison holds");
    check(done.getPutResponses().get(0).getPrevKv().getValue().equals(bytes("1")), "the value before comes along");
    check(done.getGetResponses().get(0).getKvs().get(0).getValue().equals(bytes("2")), "it sees its own put");
    check(done.getDeleteResponses().get(0).getDeleted() == 0, "nothing to delete");
    check(done.getTxnResponses().get(0).isSucceeded(), "the inner comparison was judged before anything was done");
    TxnResponse late = await(swap(kv, key).commit());
    check(!late.isSucceeded() && late.getGetResponses().size() == 1, "the other branch reads it");
    Op one = Op.put(key, bytes("1"), PutOption.DEFAULT);
    refused(kv.txn().Then(one, one).commit(), "etcdserver: duplicate key given in txn request");
  }

  private static Txn swap(KV kv, ByteSequence key) {
    Cmp isOne = new Cmp(key, Cmp.Op.EQUAL, CmpTarget.value(bytes("1")));
    Op inner = Op.txn(new Cmp[] {isOne}, new Op[] {}, new Op[] {});
    return kv.txn()
        .If(
            isOne,
            new Cmp(key, Cmp.Op.LESS, CmpTarget.version(2)),
            new Cmp(key, Cmp.Op.GREATER, CmpTarget.modRevision(0)),
            new Cmp(bytes("txn/absent"), Cmp.Op.EQUAL, CmpTarget.createRevision(0)))
        .Then(
            Op.put(key, bytes("2"), PutOption.builder().withPrevKV().build()),
            Op.get(key, GetOption.DEFAULT),
            Op.delete(bytes("txn/absent"), DeleteOption.DEFAULT),
            inner)
        .Else(Op.get(key, GetOption.DEFAULT));
  }

  /** Removes one key and a prefix. */
  static void delete(Client client) throws Exception {
    KV kv = client.getKVClient();
    for (int i = 1; i <= 3; i++) {
      await(kv.put(bytes("delete/" + i), bytes("v" + i)));
    }
    DeleteResponse one = await(kv.delete(bytes("delete/1"), DeleteOption.builder().withPrevKV(true).build()));
    check(one.getDeleted() == 1 && one.getPrevKvs().get(0).getValue().equals(bytes("v1")), "the pair comes back");
    check(await(kv.delete(bytes("delete/1"))).getDeleted() == 0, "nothing more to delete");
    DeleteOption prefix = DeleteOption.builder().isPrefix(true).build();
    check(await(kv.delete(bytes("delete/"), prefix)).getDeleted() == 2, "the rest by prefix");
  }

  /** A prefix that the client adds and takes away by itself. */
  static void namespace(Client client) throws Exception {
    try (Client inside = Main.connect().namespace(bytes("namespace/")).build()) {
      await(inside.getKVClient().put(bytes("key"), bytes("inside")));
      check(keys(await(inside.getKVClient().get(bytes("key"))).getKvs()).equals("key"), "inside there is no prefix");
    }
    check(await(client.getKVClient().get(bytes("namespace/key"))).getCount() == 1, "outside there is");
  }

  /** Forgets the past, and shows what asking for it says afterwards. */
  static void compaction(Client client) throws Exception {
    KV kv = client.getKVClient();
    ByteSequence key = bytes("compaction/key");
    long first = await(kv.put(key, bytes("1"))).getHeader().getRevision();
    long last = await(kv.put(key, bytes("2"))).getHeader().getRevision();
    await(kv.compact(last, CompactOption.builder().withCompactPhysical(true).build()));
    String forgotten = "etcdserver: mvcc: required revision has been compacted";
    refused(kv.get(key, GetOption.builder().withRevision(first).build()), forgotten);
    refused(kv.compact(last), forgotten);
    refused(kv.compact(last + 1000), "etcdserver: mvcc: required revision is a future revision");
    Changes.intoForgotten(client, key, first, last);
  }
}
