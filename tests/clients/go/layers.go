package main

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.etcd.io/etcd/client/v3/leasing"
	"go.etcd.io/etcd/client/v3/mirror"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"go.etcd.io/etcd/client/v3/ordering"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// namespaces gives a client a prefix of its own for everything.
func namespaces(ctx context.Context, client *clientv3.Client) {
	inside := clientv3.NewCtxClient(ctx)
	inside.KV = namespace.NewKV(client.KV, "namespace/")
	inside.Watcher = namespace.NewWatcher(client.Watcher, "namespace/")
	inside.Lease = namespace.NewLease(client.Lease, "namespace/")

	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	events := inside.Watch(watching, "key", clientv3.WithCreatedNotify())
	<-events
	granted := must(inside.Grant(ctx, 60))
	must(inside.Put(ctx, "key", "inside", clientv3.WithLease(granted.ID)))
	check(string(must(inside.Get(ctx, "key")).Kvs[0].Key) == "key", "inside there is no prefix")
	check(keysOf(must(client.Get(ctx, "namespace/", clientv3.WithPrefix()))) == "namespace/key", "outside there is")
	check(string(collect(events, 1)[0].Kv.Key) == "key", "watches are inside too")
	attached := must(inside.TimeToLive(ctx, granted.ID, clientv3.WithAttachedKeys())).Keys
	check(len(attached) == 1 && string(attached[0]) == "key", "and so are the keys of a lease")
	all := must(inside.Get(ctx, "", clientv3.WithFromKey()))
	check(keysOf(all) == "key", "everything is everything inside: %s", keysOf(all))
	must(inside.Revoke(ctx, granted.ID))
}

// inOrder never reads anything older than what it has read, whichever member answers.
func inOrder(ctx context.Context, client *clientv3.Client) {
	violated := func(clientv3.Op, clientv3.OpResponse, int64) error { return ordering.ErrNoGreaterRev }
	ordered := ordering.NewKV(client.KV, violated)
	put := must(ordered.Put(ctx, "ordering/key", "1"))
	got := must(ordered.Get(ctx, "ordering/key", clientv3.WithSerializable()))
	check(got.Header.Revision >= put.Header.Revision, "a read is at least as new as the write")
	done := must(ordered.Txn(ctx).Then(clientv3.OpGet("ordering/key")).Commit())
	check(done.Header.Revision >= got.Header.Revision, "and never older than the last read")
}

// leased keeps what it reads in a cache that it owns until somebody writes.
func leased(ctx context.Context, client *clientv3.Client) {
	mine, closeMine, err := leasing.NewKV(client, "leasing/")
	must(mine, err)
	defer closeMine()
	must(client.Put(ctx, "leased-key", "1"))
	check(string(must(mine.Get(ctx, "leased-key")).Kvs[0].Value) == "1", "read, and cached")
	check(must(client.Get(ctx, "leasing/leased-key")).Count == 1, "a key says who caches it")

	yours, closeYours, err := leasing.NewKV(client, "leasing/")
	must(yours, err)
	defer closeYours()
	must(yours.Put(ctx, "leased-key", "2"))
	check(string(must(mine.Get(ctx, "leased-key")).Kvs[0].Value) == "2", "a write elsewhere takes the cache away")
	swapped := must(mine.Txn(ctx).
		If(clientv3.Compare(clientv3.Value("leased-key"), "=", "2")).
		Then(clientv3.OpPut("leased-key", "3")).
		Commit())
	check(swapped.Succeeded, "transactions go through it too")
}

// names registers a service under a name and lets gRPC find it; the service is the etcd itself.
func names(ctx context.Context, client *clientv3.Client) {
	manager := must(endpoints.NewManager(client, "services-etcd"))
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	updates := must(manager.NewWatchChannel(watching))
	address := client.Endpoints()[0]
	lease := must(client.Grant(ctx, 60))
	added := manager.AddEndpoint(ctx, "services-etcd/one", endpoints.Endpoint{Addr: address}, clientv3.WithLease(lease.ID))
	check(added == nil, "registered: %v", added)
	update := (<-updates)[0]
	check(update.Op == endpoints.Add && update.Endpoint.Addr == address, "watchers hear of it")
	check(len(must(manager.List(ctx))) == 1, "it is listed")

	found := must(grpc.NewClient("etcd:///services-etcd",
		grpc.WithResolvers(must(resolver.NewBuilder(client))),
		grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer found.Close()
	health := must(grpc_health_v1.NewHealthClient(found).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true)))
	check(health.Status == grpc_health_v1.HealthCheckResponse_SERVING, "gRPC finds it by its name: %v", health.Status)

	// The registration ends with its lease.
	must(client.Revoke(ctx, lease.ID))
	check((<-updates)[0].Op == endpoints.Delete, "watchers hear that it is gone")
}

// mirrored copies what there is and then follows the changes.
func mirrored(ctx context.Context, client *clientv3.Client) {
	must(client.Put(ctx, "mirror/a", "1"))
	following, cancel := context.WithCancel(ctx)
	defer cancel()
	syncer := mirror.NewSyncer(client, "mirror/", 0)
	base, failures := syncer.SyncBase(following)
	count := 0
	for part := range base {
		count += len(part.Kvs)
	}
	err := <-failures
	check(err == nil && count == 1, "the base is one key, not %d: %v", count, err)
	updates := syncer.SyncUpdates(following)
	must(client.Put(ctx, "mirror/b", "2"))
	check(string(collect(updates, 1)[0].Kv.Key) == "mirror/b", "then come the changes")
}

// kubernetesView is what Kubernetes asks of etcd: optimistic writes, paged lists, counts.
func kubernetesView(ctx context.Context, client *clientv3.Client) {
	view := kubernetes.Client{Client: client}
	view.Kubernetes = &view
	created := must(view.OptimisticPut(ctx, "registry/pods/a", []byte("1"), 0, kubernetes.PutOptions{}))
	check(created.Succeeded, "created where nothing was")
	late := must(view.OptimisticPut(ctx, "registry/pods/a", []byte("2"), 0, kubernetes.PutOptions{GetOnFailure: true}))
	check(!late.Succeeded && string(late.KV.Value) == "1", "who comes late gets what is there")
	must(view.OptimisticPut(ctx, "registry/pods/b", []byte("1"), 0, kubernetes.PutOptions{}))

	page := must(view.List(ctx, "registry/pods/", kubernetes.ListOptions{Limit: 1}))
	check(len(page.Kvs) == 1 && page.Count == 2, "a page of one of two")
	next := must(view.List(ctx, "registry/pods/", kubernetes.ListOptions{
		Limit: 1, Revision: page.Revision, Continue: string(page.Kvs[0].Key) + "\x00"}))
	check(string(next.Kvs[0].Key) == "registry/pods/b", "the next page goes on at the same revision")
	check(must(view.Count(ctx, "registry/pods/", kubernetes.CountOptions{})) == 2, "two are counted")
	got := must(view.Get(ctx, "registry/pods/a", kubernetes.GetOptions{}))
	gone := must(view.OptimisticDelete(ctx, "registry/pods/a", got.KV.ModRevision, kubernetes.DeleteOptions{}))
	check(gone.Succeeded, "deleted, as nobody changed it")
}
