package clients;

import static clients.Main.await;
import static clients.Main.bytes;
import static clients.Main.check;
import static clients.Main.refused;

import io.etcd.jetcd.Auth;
import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.KV;
import io.etcd.jetcd.auth.Permission;
import java.util.List;

/** Users, roles, and what they may. */
final class Users {
  /** Turns authentication on, shows what each may do, and turns it off again. */
  static void auth(Client client) throws Exception {
    Auth auth = client.getAuthClient();
    ByteSequence root = bytes("root");
    ByteSequence reader = bytes("reader");
    ByteSequence read = bytes("read");
    ByteSequence key = bytes("auth/key");
    refused(auth.authEnable(), "etcdserver: root user does not exist");
    await(auth.userAdd(root, bytes("root-password")));
    await(auth.roleAdd(root));
    await(auth.userGrantRole(root, root));
    await(auth.userAdd(reader, bytes("reader-password")));
    await(auth.roleAdd(read));
    await(auth.roleGrantPermission(read, bytes("auth/"), bytes("auth0"), Permission.Type.READ));
    await(auth.userGrantRole(reader, read));
    refused(auth.userAdd(reader, bytes("x")), "etcdserver: user name already exists");
    refused(auth.roleAdd(read), "etcdserver: role name already exists");
    await(client.getKVClient().put(key, bytes("secret")));
    await(auth.authEnable());

    refused(client.getKVClient().get(key), "etcdserver: user name is empty");
    try (Client wrong = as(reader, bytes("wrong"));
        Client byReader = as(reader, bytes("reader-password"));
        Client byRoot = as(root, bytes("root-password"))) {
      refused(wrong.getKVClient().get(key), "etcdserver: authentication failed, invalid user ID or password");
      KV kv = byReader.getKVClient();
      check(await(kv.get(key)).getKvs().get(0).getValue().equals(bytes("secret")), "a reader may read");
      refused(kv.put(key, bytes("changed")), "etcdserver: permission denied");
      refused(kv.get(bytes("elsewhere")), "etcdserver: permission denied");
      refused(byReader.getAuthClient().userList(), "etcdserver: permission denied");

      // A new password drops the user's tokens; the client fetches another by itself.
      Auth manage = byRoot.getAuthClient();
      await(manage.userChangePassword(reader, bytes("reader-password")));
      check(await(kv.get(key)).getCount() == 1, "the client renews its token");
      check(await(manage.userGet(reader)).getRoles().equals(List.of("read")), "the reader has one role");
      check(await(manage.userList()).getUsers().size() == 2, "two users");
      check(await(manage.roleGet(read)).getPermissions().size() == 1, "the role has one permission");
      check(await(manage.roleList()).getRoles().size() == 2, "two roles");
      await(manage.roleRevokePermission(read, bytes("auth/"), bytes("auth0")));
      refused(kv.get(key), "etcdserver: permission denied");
      await(manage.userRevokeRole(reader, read));
      await(manage.roleDelete(read));
      await(manage.userDelete(reader));
      await(manage.authDisable());
    }
    check(await(client.getKVClient().get(key)).getCount() == 1, "without authentication everybody may again");
  }

  private static Client as(ByteSequence user, ByteSequence password) {
    return Main.connect().user(user).password(password).build();
  }
}
