package main

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// watch follows changes: live, from a past revision, filtered, with the values before.
func watch(ctx context.Context, client *clientv3.Client) {
	watching, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	live := client.Watch(watching, "watch/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	check((<-live).Created, "the server says when the watch is there")
	first := must(client.Put(ctx, "watch/a", "1")).Header.Revision
	must(client.Put(ctx, "watch/a", "2"))
	must(client.Delete(ctx, "watch/a"))
	seen := collect(live, 3)
	check(seen[0].IsCreate() && seen[0].Kv.ModRevision == first, "the first event is the creation")
	check(seen[1].IsModify() && string(seen[1].Kv.Value) == "2", "then the change")
	check(seen[2].Type == clientv3.EventTypeDelete, "then the deletion")

	// The same again, from the past and with what was there before.
	past := client.Watch(watching, "watch/a", clientv3.WithRev(first), clientv3.WithPrevKV())
	told := collect(past, 3)
	check(told[0].PrevKv == nil, "nothing was there before the creation")
	check(string(told[1].PrevKv.Value) == "1" && string(told[2].PrevKv.Value) == "2", "the values before come along")

	deletions := client.Watch(watching, "watch/a", clientv3.WithRev(first), clientv3.WithFilterPut())
	check(collect(deletions, 1)[0].Type == clientv3.EventTypeDelete, "puts are filtered out")

	// All changes of one transaction come together, also in fragments.
	whole := client.Watch(watching, "watch/t", clientv3.WithPrefix(), clientv3.WithFragment(), clientv3.WithCreatedNotify())
	<-whole
	must(client.Txn(ctx).Then(clientv3.OpPut("watch/t1", ""), clientv3.OpPut("watch/t2", "")).Commit())
	check(len((<-whole).Events) == 2, "one revision, one response")

	// Cancelling the context ends its watches and closes their channels.
	cancel()
	for range live {
	}
	for range past {
	}
	must(client.Put(ctx, "watch/a", "nobody sees this"))
}

// progress asks how far the watches of a stream are, when nothing happens on their keys.
func progress(ctx context.Context, client *clientv3.Client) {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	quiet := client.Watch(watching, "progress/quiet", clientv3.WithCreatedNotify())
	check((<-quiet).Created, "the watch is there")
	now := must(client.Put(ctx, "progress/loud", "")).Header.Revision
	// A server that is not done with the creation yet lets a request pass; so it is asked until it answers.
	for {
		if err := client.RequestProgress(watching); err != nil {
			panic(err)
		}
		response, open := <-quiet
		check(open && response.IsProgressNotify(), "the watch answers with its progress")
		if response.Header.Revision >= now {
			return
		}
	}
}

// collect waits for the next events of a watch, however they are batched.
func collect(watching clientv3.WatchChan, count int) []*clientv3.Event {
	var events []*clientv3.Event
	for response := range watching {
		if err := response.Err(); err != nil {
			panic(err)
		}
		events = append(events, response.Events...)
		if len(events) >= count {
			break
		}
	}
	check(len(events) == count, "%d events come, not %d", count, len(events))
	return events
}
