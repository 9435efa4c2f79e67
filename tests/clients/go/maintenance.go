package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// members asks who is in the cluster.
func members(ctx context.Context, client *clientv3.Client) {
	list := must(client.MemberList(ctx))
	check(len(list.Members) == 1, "one member, not %d", len(list.Members))
	member := list.Members[0]
	check(member.ID == list.Header.MemberId, "the one that answers")
	check(!member.IsLearner && member.Name != "" && len(member.PeerURLs) == 1, "a voter with a name and an address")

	// Learn the members' own addresses, for a client that was given only one of them.
	check(client.Sync(ctx) == nil && len(client.Endpoints()) == 1, "the client knows all endpoints")
}

// memberChange invites a learner that never comes, and takes the invitation back.
func memberChange(ctx context.Context, client *clientv3.Client) {
	added := must(client.MemberAddAsLearner(ctx, []string{"http://127.0.0.1:1"}))
	check(added.Member.IsLearner && len(added.Members) == 2, "a second member that has no vote")
	// A change of members that follows another at once may be dropped by its leader; a write in between takes care.
	must(client.Put(ctx, "member-change", ""))
	check(len(must(client.MemberRemove(ctx, added.Member.ID)).Members) == 1, "one member again")
	must(client.Put(ctx, "member-change", ""))
	_, err := client.MemberRemove(ctx, added.Member.ID)
	refused(err, rpctypes.ErrMemberNotFound)
}

// serverStatus asks one member how it is.
func serverStatus(ctx context.Context, client *clientv3.Client) {
	now := must(client.Status(ctx, client.Endpoints()[0]))
	check(now.Leader == now.Header.MemberId, "a single member leads itself")
	check(now.RaftTerm > 0 && now.RaftIndex >= now.RaftAppliedIndex, "it has a term and applies what is agreed")
	check(now.DbSize >= now.DbSizeInUse && now.DbSizeInUse > 0, "its data takes space")
	check(!now.IsLearner && len(now.Errors) == 0, "it votes and complains of nothing: %v", now.Errors)
}

// serverIsAtLeast compares the version that a member tells.
func serverIsAtLeast(ctx context.Context, client *clientv3.Client, major, minor int) bool {
	var hasMajor, hasMinor int
	version := must(client.Status(ctx, client.Endpoints()[0])).Version
	must(fmt.Sscanf(version, "%d.%d", &hasMajor, &hasMinor))
	return hasMajor > major || hasMajor == major && hasMinor >= minor
}

// alarms lists and disarms them; a healthy member has none.
func alarms(ctx context.Context, client *clientv3.Client) {
	check(len(must(client.AlarmList(ctx)).Alarms) == 0, "no alarm")
	check(len(must(client.AlarmDisarm(ctx, &clientv3.AlarmMember{})).Alarms) == 0, "so none to disarm")
}

// hash sums up the keys and their history; equal members have equal sums.
func hash(ctx context.Context, client *clientv3.Client) {
	endpoint := client.Endpoints()[0]
	must(client.Put(ctx, "hash/key", "1"))
	before := must(client.HashKV(ctx, endpoint, 0))
	must(client.Put(ctx, "hash/key", "2"))
	check(must(client.HashKV(ctx, endpoint, 0)).Hash != before.Hash, "a write changes it")
	then := must(client.HashKV(ctx, endpoint, before.Header.Revision))
	check(then.Hash == before.Hash, "the sum of a past revision stays")
}

// defragment gives free space back.
func defragment(ctx context.Context, client *clientv3.Client) {
	must(client.Put(ctx, "defragment/key", "kept"))
	must(client.Defragment(ctx, client.Endpoints()[0]))
	check(string(must(client.Get(ctx, "defragment/key")).Kvs[0].Value) == "kept", "nothing is lost by it")
}

// snapshot takes a copy of everything, with a sum of it at its end.
func snapshot(ctx context.Context, client *clientv3.Client) {
	taken := must(client.SnapshotWithVersion(ctx))
	defer taken.Snapshot.Close()
	bytes := must(io.ReadAll(taken.Snapshot))
	check(len(bytes)%512 == sha256.Size, "pages of 512 bytes and a sum")
	image, sum := bytes[:len(bytes)-sha256.Size], bytes[len(bytes)-sha256.Size:]
	check(sha256.Sum256(image) == [sha256.Size]byte(sum), "the sum is right")
}
