package main

import (
	"bytes"
	"context"
	"slices"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// lease ties keys to a life that must be renewed.
func lease(ctx context.Context, client *clientv3.Client) {
	granted := must(client.Grant(ctx, 60))
	check(granted.TTL == 60 && granted.ID != clientv3.NoLease, "a lease of 60 s, not %d", granted.TTL)
	must(client.Put(ctx, "lease/a", "1", clientv3.WithLease(granted.ID)))
	must(client.Put(ctx, "lease/b", "2", clientv3.WithLease(granted.ID)))
	check(must(client.Get(ctx, "lease/a")).Kvs[0].Lease == int64(granted.ID), "the key names its lease")

	left := must(client.TimeToLive(ctx, granted.ID, clientv3.WithAttachedKeys()))
	check(left.GrantedTTL == 60 && left.TTL > 0 && left.TTL <= 60, "it has up to 60 s left, not %d", left.TTL)
	slices.SortFunc(left.Keys, bytes.Compare) // they come in any order
	check(len(left.Keys) == 2 && string(left.Keys[0]) == "lease/a", "two keys hang on it: %s", left.Keys)
	listed := false
	for _, lease := range must(client.Leases(ctx)).Leases {
		listed = listed || lease.ID == granted.ID
	}
	check(listed, "it is among all leases")

	check(must(client.KeepAliveOnce(ctx, granted.ID)).TTL == 60, "renewed for its full time")
	keeping, stop := context.WithCancel(ctx)
	alive := must(client.KeepAlive(keeping, granted.ID))
	check((<-alive).ID == granted.ID, "the client renews it in the background")
	stop()
	for range alive {
	}

	// A put without the lease takes the key off it; ignore_lease leaves it on.
	must(client.Put(ctx, "lease/b", "free"))
	must(client.Put(ctx, "lease/a", "still leased", clientv3.WithIgnoreLease()))
	must(client.Revoke(ctx, granted.ID))
	check(must(client.Get(ctx, "lease/a")).Count == 0, "the leased key is gone with its lease")
	check(must(client.Get(ctx, "lease/b")).Count == 1, "the freed one is not")

	_, err := client.Revoke(ctx, granted.ID)
	refused(err, rpctypes.ErrLeaseNotFound)
	_, err = client.KeepAliveOnce(ctx, granted.ID)
	refused(err, rpctypes.ErrLeaseNotFound)
	_, err = client.Put(ctx, "lease/c", "", clientv3.WithLease(granted.ID))
	refused(err, rpctypes.ErrLeaseNotFound)
	check(must(client.TimeToLive(ctx, granted.ID)).TTL == -1, "a lease that is gone has -1 s to live")

	// Nobody renews this one: the server deletes the key when its time is over.
	short := must(client.Grant(ctx, 1))
	must(client.Put(ctx, "lease/short", "", clientv3.WithLease(short.ID)))
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	gone := collect(client.Watch(watching, "lease/short", clientv3.WithFilterPut(), clientv3.WithRev(1)), 1)
	check(gone[0].Type == clientv3.EventTypeDelete, "expired")
}
