package main

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/clientv3util"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// kv puts and gets a key, and reads what it was before.
func kv(ctx context.Context, client *clientv3.Client) {
	first := must(client.Put(ctx, "kv/greeting", "hello"))
	second := must(client.Put(ctx, "kv/greeting", "good morning", clientv3.WithPrevKV()))
	check(second.Header.Revision == first.Header.Revision+1, "a put makes the next revision")
	check(string(second.PrevKv.Value) == "hello", "prev_kv is the value before")

	now := must(client.Get(ctx, "kv/greeting"))
	check(now.Count == 1 && len(now.Kvs) == 1, "the key is there once, not %d times", now.Count)
	pair := now.Kvs[0]
	check(string(pair.Value) == "good morning", "the newest value is read, not %q", pair.Value)
	check(pair.Version == 2, "two puts make version 2, not %d", pair.Version)
	check(pair.CreateRevision == first.Header.Revision, "created by the first put")
	check(pair.ModRevision == second.Header.Revision, "modified by the second put")

	// Any member answers a serializable read from what it has.
	local := must(client.Get(ctx, "kv/greeting", clientv3.WithSerializable()))
	check(string(local.Kvs[0].Value) == "good morning", "a serializable read sees the value too")

	old := must(client.Get(ctx, "kv/greeting", clientv3.WithRev(first.Header.Revision)))
	check(string(old.Kvs[0].Value) == "hello", "the past can be read")

	// Keep the value, change the lease; here there is no lease, so only the version moves.
	must(client.Put(ctx, "kv/greeting", "", clientv3.WithIgnoreValue()))
	kept := must(client.Get(ctx, "kv/greeting"))
	check(string(kept.Kvs[0].Value) == "good morning" && kept.Kvs[0].Version == 3, "ignore_value keeps the value")

	_, err := client.Put(ctx, "", "value")
	refused(err, rpctypes.ErrEmptyKey)
	_, err = client.Put(ctx, "kv/absent", "", clientv3.WithIgnoreValue())
	refused(err, rpctypes.ErrKeyNotFound)
	_, err = client.Get(ctx, "kv/greeting", clientv3.WithRev(now.Header.Revision+1000))
	refused(err, rpctypes.ErrFutureRev)
}

// ranges reads many keys: by prefix, in an order, a page at a time, only counted.
func ranges(ctx context.Context, client *clientv3.Client) {
	for i, key := range []string{"b", "a", "c", "d"} {
		must(client.Put(ctx, "range/"+key, fmt.Sprint(9-i)))
	}
	must(client.Put(ctx, "range/b", "again"))
	prefix := clientv3.WithPrefix()

	all := must(client.Get(ctx, "range/", prefix))
	check(keysOf(all) == "range/a range/b range/c range/d", "keys come in their order: %s", keysOf(all))
	part := must(client.Get(ctx, "range/b", clientv3.WithRange("range/d")))
	check(keysOf(part) == "range/b range/c", "the end is not part of a range: %s", keysOf(part))
	from := must(client.Get(ctx, "range/c", clientv3.WithFromKey(), clientv3.WithLimit(2)))
	check(keysOf(from) == "range/c range/d", "from a key onwards: %s", keysOf(from))

	page := must(client.Get(ctx, "range/", prefix, clientv3.WithLimit(3)))
	check(page.More && page.Count == 4 && len(page.Kvs) == 3, "a page of 3 of 4, and more to come")
	newest := must(client.Get(ctx, "range/", append(clientv3.WithLastRev(), prefix)...))
	check(keysOf(newest) == "range/b", "the newest change is b's: %s", keysOf(newest))
	down := must(client.Get(ctx, "range/", prefix, clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend)))
	check(keysOf(down) == "range/d range/c range/b range/a", "keys downwards: %s", keysOf(down))
	byValue := must(client.Get(ctx, "range/", prefix, clientv3.WithSort(clientv3.SortByValue, clientv3.SortAscend)))
	check(keysOf(byValue) == "range/d range/c range/a range/b", "by value: %s", keysOf(byValue))
	byAge := must(client.Get(ctx, "range/", prefix, clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend)))
	check(keysOf(byAge) == "range/b range/a range/c range/d", "by age: %s", keysOf(byAge))

	counted := must(client.Get(ctx, "range/", prefix, clientv3.WithCountOnly()))
	check(counted.Count == 4 && len(counted.Kvs) == 0, "only counted")
	bare := must(client.Get(ctx, "range/", prefix, clientv3.WithKeysOnly()))
	check(len(bare.Kvs) == 4 && len(bare.Kvs[0].Value) == 0, "keys without values")
	latest := must(client.Get(ctx, "range/", prefix, clientv3.WithMinModRev(newest.Kvs[0].ModRevision)))
	check(keysOf(latest) == "range/b", "changed since: %s", keysOf(latest))
}

// txn compares and then does one thing or the other, all at one revision.
func txn(ctx context.Context, client *clientv3.Client) {
	create := func() *clientv3.TxnResponse {
		return must(client.Txn(ctx).
			If(clientv3util.KeyMissing("txn/once")).
			Then(clientv3.OpPut("txn/once", "made")).
			Else(clientv3.OpGet("txn/once")).
			Commit())
	}
	check(create().Succeeded, "the key was missing")
	again := create()
	check(!again.Succeeded, "the key is there now")
	check(string(again.Responses[0].GetResponseRange().Kvs[0].Value) == "made", "the other branch reads it")

	was := must(client.Get(ctx, "txn/once")).Kvs[0]
	swapped := must(client.Txn(ctx).
		If(
			clientv3.Compare(clientv3.Value("txn/once"), "=", "made"),
			clientv3.Compare(clientv3.Version("txn/once"), "<", 2),
			clientv3.Compare(clientv3.CreateRevision("txn/once"), "!=", 0),
			clientv3.Compare(clientv3.ModRevision("txn/once"), "=", was.ModRevision),
			clientv3.Compare(clientv3.LeaseValue("txn/once"), "=", clientv3.NoLease),
			clientv3.Compare(clientv3.Value("txn/"), ">", "").WithPrefix(),
		).
		Then(
			clientv3.OpPut("txn/once", "remade", clientv3.WithPrevKV()),
			clientv3.OpPut("txn/twin", "remade"),
			clientv3.OpGet("txn/", clientv3.WithPrefix()),
			clientv3.OpDelete("txn/absent"),
			clientv3.OpTxn(
				[]clientv3.Cmp{clientv3util.KeyExists("txn/twin")},
				[]clientv3.Op{clientv3.OpPut("txn/inner", "seen")},
				[]clientv3.Op{clientv3.OpPut("txn/inner", "unseen")}),
		).
		Commit())
	check(swapped.Succeeded, "every comparison holds")
	check(string(swapped.Responses[0].GetResponsePut().PrevKv.Value) == "made", "the value before comes along")
	seen := swapped.Responses[2].GetResponseRange()
	check(len(seen.Kvs) == 2, "a transaction sees its own puts")
	check(seen.Kvs[0].ModRevision == seen.Kvs[1].ModRevision, "one revision for all of it")
	check(swapped.Responses[3].GetResponseDeleteRange().Deleted == 0, "nothing to delete")
	// All comparisons, the inner ones too, are judged before anything is done.
	check(!swapped.Responses[4].GetResponseTxn().Succeeded, "the twin was not there before")
	check(string(must(client.Get(ctx, "txn/inner")).Kvs[0].Value) == "unseen", "so the other branch was taken")

	_, err := client.Txn(ctx).Then(clientv3.OpPut("txn/k", "1"), clientv3.OpPut("txn/k", "2")).Commit()
	refused(err, rpctypes.ErrDuplicateKey)
	many := make([]clientv3.Op, 129)
	for i := range many {
		many[i] = clientv3.OpPut(fmt.Sprintf("txn/many/%d", i), "")
	}
	_, err = client.Txn(ctx).Then(many...).Commit()
	refused(err, rpctypes.ErrTooManyOps)

	// An operation made now and done later.
	done := must(client.Do(ctx, clientv3.OpPut("txn/later", "done")))
	check(done.Put().Header.Revision > was.ModRevision, "Do puts")
}

// deletes removes one key, a range, and a prefix.
func deletes(ctx context.Context, client *clientv3.Client) {
	for _, key := range []string{"1", "2", "3", "4", "5"} {
		must(client.Put(ctx, "delete/"+key, "v"+key))
	}
	one := must(client.Delete(ctx, "delete/1", clientv3.WithPrevKV()))
	check(one.Deleted == 1 && string(one.PrevKvs[0].Value) == "v1", "the deleted pair comes back")
	none := must(client.Delete(ctx, "delete/1"))
	check(none.Deleted == 0 && none.Header.Revision == one.Header.Revision, "nothing deleted, no revision made")
	two := must(client.Delete(ctx, "delete/2", clientv3.WithRange("delete/4")))
	check(two.Deleted == 2, "a range without its end: 2, not %d", two.Deleted)
	rest := must(client.Delete(ctx, "delete/", clientv3.WithPrefix(), clientv3.WithPrevKV()))
	check(rest.Deleted == 2 && len(rest.PrevKvs) == 2, "the rest by prefix: 2, not %d", rest.Deleted)
	check(must(client.Get(ctx, "delete/", clientv3.WithPrefix())).Count == 0, "all gone")
}

// stream reads a range in chunks. Servers have it since etcd 3.7.
func stream(ctx context.Context, client *clientv3.Client) {
	for i := range 300 {
		must(client.Put(ctx, fmt.Sprintf("stream/%03d", i), fmt.Sprint(i)))
	}
	chunks := must(client.GetStream(ctx, "stream/", clientv3.WithPrefix()))
	whole, err := clientv3.GetStreamToGetResponse(chunks)
	if said := status.Convert(err); said.Code() == codes.Unimplemented && !isNotBuilt(err) {
		if !serverIsAtLeast(ctx, client, 3, 7) {
			panic(skip("the server is older than etcd 3.7"))
		}
	}
	must(whole, err)
	check(len(whole.Kvs) == 300 && whole.Count == 300, "all 300 keys come: %d", len(whole.Kvs))
	check(string(whole.Kvs[299].Key) == "stream/299", "in their order")
}

// compaction forgets the past, and shows what asking for it says afterwards.
func compaction(ctx context.Context, client *clientv3.Client) {
	first := must(client.Put(ctx, "compaction/key", "1")).Header.Revision
	last := must(client.Put(ctx, "compaction/key", "2")).Header.Revision
	must(client.Compact(ctx, last, clientv3.WithCompactPhysical()))

	now := must(client.Get(ctx, "compaction/key", clientv3.WithRev(last)))
	check(string(now.Kvs[0].Value) == "2", "the compacted revision itself can still be read")
	_, err := client.Get(ctx, "compaction/key", clientv3.WithRev(first))
	refused(err, rpctypes.ErrCompacted)
	_, err = client.Compact(ctx, last)
	refused(err, rpctypes.ErrCompacted)
	_, err = client.Compact(ctx, last+1000)
	refused(err, rpctypes.ErrFutureRev)

	watching := client.Watch(ctx, "compaction/key", clientv3.WithRev(first))
	response := <-watching
	check(response.Canceled && response.CompactRevision == last, "a watch into the forgotten past is cancelled")
	refused(response.Err(), rpctypes.ErrCompacted)
	_, open := <-watching
	check(!open, "and its channel closes")
}
