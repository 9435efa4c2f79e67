package main

import (
	"context"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// auth makes users and roles, turns authentication on, shows what each may do, and turns it off again.
func auth(ctx context.Context, client *clientv3.Client) {
	check(!must(client.AuthStatus(ctx)).Enabled, "authentication is off at first")
	_, err := client.AuthEnable(ctx)
	refused(err, rpctypes.ErrRootUserNotExist)

	must(client.UserAdd(ctx, "root", "root-password"))
	must(client.RoleAdd(ctx, "root"))
	must(client.UserGrantRole(ctx, "root", "root"))
	must(client.UserAdd(ctx, "reader", "reader-password"))
	must(client.RoleAdd(ctx, "read"))
	must(client.RoleGrantPermission(ctx, "read", "auth/", clientv3.GetPrefixRangeEnd("auth/"), clientv3.PermissionType(clientv3.PermRead)))
	must(client.UserGrantRole(ctx, "reader", "read"))
	must(client.UserAddWithOptions(ctx, "by-certificate", "", &clientv3.UserAddOptions{NoPassword: true}))
	_, err = client.UserAdd(ctx, "reader", "x")
	refused(err, rpctypes.ErrUserAlreadyExist)
	_, err = client.RoleAdd(ctx, "read")
	refused(err, rpctypes.ErrRoleAlreadyExist)
	_, err = client.UserGrantRole(ctx, "reader", "absent")
	refused(err, rpctypes.ErrRoleNotFound)
	must(client.Put(ctx, "auth/key", "secret"))
	must(client.AuthEnable(ctx))

	// From here on everybody needs a name.
	_, err = client.Get(ctx, "auth/key")
	refused(err, rpctypes.ErrUserEmpty)
	_, err = connect(clientv3.Config{Username: "root", Password: "wrong"})
	refused(err, rpctypes.ErrAuthFailed)
	root := must(connect(clientv3.Config{Username: "root", Password: "root-password"}))
	defer root.Close()
	reader := must(connect(clientv3.Config{Username: "reader", Password: "reader-password"}))
	defer reader.Close()
	check(must(root.AuthStatus(ctx)).Enabled, "authentication is on")

	check(string(must(reader.Get(ctx, "auth/key")).Kvs[0].Value) == "secret", "a reader may read")
	_, err = reader.Put(ctx, "auth/key", "changed")
	refused(err, rpctypes.ErrPermissionDenied)
	_, err = reader.Get(ctx, "elsewhere")
	refused(err, rpctypes.ErrPermissionDenied)
	_, err = reader.Txn(ctx).Then(clientv3.OpGet("auth/key"), clientv3.OpPut("auth/key", "changed")).Commit()
	refused(err, rpctypes.ErrPermissionDenied)
	_, err = reader.UserAdd(ctx, "friend", "x")
	refused(err, rpctypes.ErrPermissionDenied)
	denied := <-reader.Watch(ctx, "elsewhere")
	check(denied.Canceled && denied.Err() != nil, "a watch without permission is cancelled")

	// A watch with permission goes on. A new password drops the user's tokens; the client fetches another by itself.
	watching, cancel := context.WithCancel(ctx)
	events := reader.Watch(watching, "auth/key", clientv3.WithCreatedNotify())
	<-events
	must(root.UserChangePassword(ctx, "reader", "reader-password"))
	check(must(reader.Get(ctx, "auth/key")).Count == 1, "the client renews its token")
	must(root.Put(ctx, "auth/key", "newer"))
	check(string(collect(events, 1)[0].Kv.Value) == "newer", "a reader may watch")
	cancel()

	// More may be granted, and taken away again, while clients are connected.
	must(root.RoleAdd(ctx, "write"))
	must(root.RoleGrantPermission(ctx, "write", "auth/key", "", clientv3.PermissionType(clientv3.PermWrite)))
	must(root.UserGrantRole(ctx, "reader", "write"))
	must(reader.Put(ctx, "auth/key", "by the reader"))
	must(root.UserRevokeRole(ctx, "reader", "write"))
	_, err = reader.Put(ctx, "auth/key", "again")
	refused(err, rpctypes.ErrPermissionDenied)

	about := must(root.UserGet(ctx, "reader"))
	check(len(about.Roles) == 1 && about.Roles[0] == "read", "the reader has one role: %v", about.Roles)
	check(len(must(root.UserList(ctx)).Users) == 3, "three users")
	role := must(root.RoleGet(ctx, "read"))
	check(len(role.Perm) == 1 && string(role.Perm[0].Key) == "auth/", "the role has one permission")
	check(len(must(root.RoleList(ctx)).Roles) == 3, "three roles")
	_, err = root.UserGet(ctx, "absent")
	refused(err, rpctypes.ErrUserNotFound)
	_, err = root.UserDelete(ctx, "root")
	refused(err, rpctypes.ErrInvalidAuthMgmt)

	must(root.RoleRevokePermission(ctx, "read", "auth/", clientv3.GetPrefixRangeEnd("auth/")))
	_, err = reader.Get(ctx, "auth/key")
	refused(err, rpctypes.ErrPermissionDenied)
	must(root.RoleDelete(ctx, "write"))
	must(root.UserDelete(ctx, "reader"))
	must(root.AuthDisable(ctx))
	check(must(client.Get(ctx, "auth/key")).Count == 1, "without authentication everybody may again")
}
